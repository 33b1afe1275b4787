"""Mail addresses as people write them in a configuration: ``ops@example.org`` or ``Night shift <ops@example.org>``."""

from __future__ import annotations

import getpass
import re
from dataclasses import dataclass

_NAMED = re.compile(r"\s*(?P<name>.*?)\s*<\s*(?P<address>[^<>]*)\s*>\s*\Z", re.DOTALL)
_NEVER = re.compile(r"[\x00-\x20\x7f<>,;]")
"""Not in an address outside quotes (RFC 5321 section 4.1.2), and what would end a command or an address early."""

NAME_LIMIT = 200
ADDRESS_LIMIT = 320
"""64 octets before the @ and 255 after it (RFC 5321 section 4.5.3.1)."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """``address`` is what SMTP commands say, its domain in ASCII (RFC 5890); ``name`` is for people, and may be empty."""

    address: str
    name: str = ""

    @property
    def international(self) -> bool:
        """Whether only servers with SMTPUTF8 (RFC 6531) can take it: a local part beyond ASCII has no other form."""
        return not self.address.isascii()


def mailbox(text: str) -> Mailbox:
    """Read an address. One without a domain (``root``) is left as it is: the server knows who that is. Raises ValueError."""
    found = _NAMED.match(text)
    name = printable(found["name"]).strip('" ')[:NAME_LIMIT] if found else ""
    address = (found["address"] if found else text).strip()
    if not address:
        raise ValueError(f"`{printable(text)}` has no address")
    if _NEVER.search(address) or not address.isprintable():
        raise ValueError(
            f"`{printable(text)}` is not a mail address: write `user@example.org` or `Name <user@example.org>`"
        )
    local, at, domain = address.rpartition("@")
    if at:
        if not local or not domain:
            raise ValueError(f"`{printable(text)}` lacks what is before or after the @")
        if not domain.isascii():
            try:
                domain = domain.encode("idna").decode("ascii")
            except UnicodeError as error:
                raise ValueError(f"`{printable(text)}`: `{domain}` is not a domain name: {error}") from error
        address = f"{local}@{domain}"
    if len(address.encode()) > ADDRESS_LIMIT:
        raise ValueError(f"`{printable(text)[:40]}…` is longer than the {ADDRESS_LIMIT} octets of an address")
    return Mailbox(address, name)


def printable(text: str) -> str:
    """``text`` on one line, without control characters: fit for a header or a log."""
    return "".join(c if c.isprintable() else " " for c in text)


def own_sender(host: str) -> Mailbox:
    """The sender where none is configured: the user that runs this, at this host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "root"
    safe = re.sub(r"[^A-Za-z0-9.-]", "-", host) or "localhost"
    return Mailbox(f"{re.sub(r'[^A-Za-z0-9._-]', '-', user) or 'root'}@{safe}")
