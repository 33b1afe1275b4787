"""A letter as it goes over the wire (RFC 5322), with the headers that keepalived's have, and those that a letter from a machine should have."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from kir.release import __version__
from krun.notify.mail.addresses import Mailbox, printable

MAILER = f"krun {__version__}"

SUBJECT_LIMIT = 500
BODY_LIMIT = 16 * 1024
LINE_LIMIT = 900
"""Longer lines go encoded: RFC 5322 section 2.1.1 allows 998 octets."""


def prepare() -> None:
    """Read what writing letters needs: when mail is configured, so that it takes no time when there is something to tell."""
    import email.header
    import email.utils  # noqa: F401


@dataclass(frozen=True, slots=True)
class Alert:
    """What happened. ``at``: seconds since the epoch. ``number`` is unique in its process, ``host`` the process's host: together they
    make the letter recognizable when a server gets it twice.
    """

    subject: str
    body: str
    at: float
    number: str
    host: str


def render(alert: Alert, sender: Mailbox, recipients: Sequence[Mailbox], zone: tzinfo | None = None) -> bytes:
    """The letter with CRLF line ends, not dot-stuffed. ASCII, unless an address cannot be written so (RFC 6532).

    ``zone``: of the date; None: the host's own.
    """
    from email.utils import format_datetime

    moment = datetime.fromtimestamp(alert.at).astimezone(zone)
    host = re.sub(r"[^A-Za-z0-9.-]", "-", alert.host) or "localhost"
    body, encoding, charset = _body(alert.body)
    headers = [
        f"Date: {format_datetime(moment)}",
        f"From: {_written(sender)}",
        f"Subject: {_encoded(printable(alert.subject)[:SUBJECT_LIMIT], 'Subject')}",
        f"X-Mailer: {MAILER}",
        "To: " + ",\r\n ".join(_written(one) for one in recipients),
        f"Message-ID: <{alert.number}.{int(alert.at * 1000)}@{host}>",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        f'Content-Type: text/plain; charset="{charset}"',
        f"Content-Transfer-Encoding: {encoding}",
    ]
    return "\r\n".join([*headers, "", body]).encode()


def _body(text: str) -> tuple[str, str, str]:
    """The body with its end of line, and how it is encoded, and in which character set."""
    text = "".join(c for c in text[:BODY_LIMIT] if c.isprintable() or c in "\n\t")
    lines = text.rstrip("\n").split("\n")
    if text.isascii() and max(map(len, lines)) <= LINE_LIMIT:
        return "\r\n".join(lines) + "\r\n", "7bit", "us-ascii"
    octets = ("\r\n".join(lines) + "\r\n").encode("utf-8", "replace")
    return base64.encodebytes(octets).decode("ascii").replace("\n", "\r\n"), "base64", "utf-8"


def _encoded(text: str, header: str) -> str:
    """RFC 2047 where ``text`` is beyond ASCII; folded."""
    from email.header import Header

    # Lone surrogates (from odd octets in a configuration) have no UTF-8.
    text = text.encode("utf-8", "replace").decode()
    charset = "us-ascii" if text.isascii() else "utf-8"
    return Header(text, charset, header_name=header).encode(linesep="\r\n")


def _written(one: Mailbox) -> str:
    if not one.name:
        return one.address
    if one.name.isascii():
        from email.utils import formataddr

        quoted = formataddr((one.name, "x@x")).removesuffix(" <x@x>")
        return f"{quoted} <{one.address}>"
    return f"{_encoded(one.name, 'To')} <{one.address}>"
