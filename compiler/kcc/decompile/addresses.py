"""Addresses: those of an instance, and the static ones."""

from __future__ import annotations

from collections.abc import Sequence

from kcc.decompile.words import Unprintable
from kcc.decompile.writer import Writer, refuse
from kir.model import Address

__all__ = ["address_words", "print_addresses", "print_static_addresses"]

_FULL = {"inet": 32, "inet6": 128}
_FLAGS = ("home", "mngtmpaddr", "noprefixroute", "autojoin")


def print_addresses(keyword: str, addresses: Sequence[Address], interface: str, out: Writer) -> None:
    """A list of addresses of an instance on ``interface``."""
    if not addresses:
        return
    with out.block(keyword):
        for address in addresses:
            refuse(address, address.identity, "track_group")
            vmac = ["use_vmac"] if address.use_vmac else []
            out.line(*address_words(address, interface), *vmac)


def print_static_addresses(addresses: Sequence[Address], out: Writer) -> None:
    """``static_ipaddress``; each names its interface."""
    if not addresses:
        return
    with out.section("static_ipaddress"):
        for address in addresses:
            refuse(address, address.identity, "use_vmac")
            group = ["track_group", address.track_group] if address.track_group is not None else []
            out.line(*address_words(address, ""), *group)


def address_words(a: Address, interface: str) -> list[str]:
    """The words of an address line; ``interface`` needs no ``dev``."""
    full = _FULL[a.family]
    if a.peer is not None and a.prefix != full:
        raise Unprintable(f"{a.identity}: an address with a peer has no prefix length")
    words = [a.address if a.peer is not None else f"{a.address}/{a.prefix}"]
    if a.peer is not None:
        words += ["peer", a.peer]
    if a.device != interface:
        words += ["dev", a.device]
    if a.broadcast is not None:
        words += ["brd", a.broadcast]
    if a.scope:
        words += ["scope", str(a.scope)]
    if a.label is not None:
        words += ["label", a.label]
    own = 0 if a.family == "inet6" and a.prefix == full else None
    if a.preferred_lft_s != own:
        words += ["preferred_lft", "forever" if a.preferred_lft_s is None else str(a.preferred_lft_s)]
    if a.nodad != (a.family == "inet6"):
        if a.nodad:
            raise Unprintable(f"{a.address}: `nodad` has no meaning for IPv4")
        words.append("-nodad")
    words += [name for name in _FLAGS if getattr(a, name)]
    if not a.track:
        words.append("no_track")
    return words
