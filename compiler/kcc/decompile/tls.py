"""``SSL``: what TLS checks present and trust."""

from __future__ import annotations

from kcc.decompile.words import Unprintable
from kcc.decompile.writer import Writer
from kir.model import TlsClient

__all__ = ["print_tls"]


def print_tls(tls: TlsClient | None, out: Writer) -> None:
    """The block, left out where there is none."""
    if tls is None:
        return
    with out.section("SSL"):
        if tls.password is not None:
            try:
                out.say("password", tls.password.secret)
            except Unprintable:
                raise Unprintable(
                    "the password of the TLS key holds a character that no word can hold"
                ) from None
        out.setting("ca", tls.ca)
        out.setting("certificate", tls.certificate)
        out.setting("key", tls.key)
