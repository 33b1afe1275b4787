"""IP addresses, prefixes, ports, netmasks and MAC addresses; addresses become canonical text.

What counts as an address is what inet_pton(3) takes: four decimal parts without leading zeros, or an IPv6 address without a zone.
"""

from __future__ import annotations

from typing import Any

from kcc.language.arguments.base import REFUSED, Arg, Reader, Refused, WordArg
from kcc.language.arguments.numbers import c_integer, empty, integer
from kcc.language.suggest import INVISIBLE

_KEPT = 1 << 16
_memo: dict[str, tuple[str, str] | None] = {}


def parse_ip(text: str) -> tuple[str, str] | None:
    """``(canonical text, "inet" or "inet6")``, or None where ``text`` is not an address."""
    try:
        return _memo[text]
    except KeyError:
        pass
    if len(_memo) >= _KEPT:
        _memo.clear()
    found = _parse_ip6(text) if ":" in text else _parse_ip4(text)
    _memo[text] = found
    return found


def _parse_ip4(text: str) -> tuple[str, str] | None:
    parts = text.split(".")
    if len(parts) != 4:
        return None
    for part in parts:
        if not part.isdigit() or len(part) > 3 or (part[0] == "0" and part != "0") or int(part) > 255:
            return None
    return (text, "inet") if text.isascii() else None


def _parse_ip6(text: str) -> tuple[str, str] | None:
    if not text.isascii() or len(text) > 45 or "\0" in text:
        return None
    import socket

    try:
        return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, text)), "inet6"
    except OSError:
        return None


def ip_number(address: str) -> int:
    """The address as an integer; ``address`` is one that `parse_ip` gave."""
    if ":" not in address:
        return int.from_bytes(bytes(map(int, address.split("."))), "big")
    import socket

    return int.from_bytes(socket.inet_pton(socket.AF_INET6, address), "big")


def ip_text(number: int, family: str) -> str:
    """The canonical text of an address given as an integer."""
    if family == "inet":
        return ".".join(map(str, number.to_bytes(4, "big")))
    import socket

    return socket.inet_ntop(socket.AF_INET6, number.to_bytes(16, "big"))


def is_multicast(address: str, family: str) -> bool:
    """224.0.0.0/4 (RFC 5771) or ff00::/8 (RFC 4291 section 2.7)."""
    return address[:2] == "ff" if family == "inet6" else 224 <= int(address.split(".")[0]) <= 239


ENDS = ",;" + INVISIBLE
"""What stands behind an address by mistake."""


def nothing_behind(end: str) -> str:
    """Why ``end``, one of `ENDS`, may not stand behind an address."""
    if end in INVISIBLE:
        return f"U+{ord(end):04X} stands behind it, which looks like a blank and is none for keepalived"
    return "one address a line, with nothing behind it"


def address_help(text: str) -> str:
    """What to do about a text that is not an address."""
    if not text:
        return "write a numeric IPv4 or IPv6 address"
    if text.startswith("[") and "]" in text:
        return "write the address without brackets, and a port as a word of its own"
    bare = text.rstrip(ENDS)
    if bare != text and parse_prefix(bare) is not None:
        return f"write `{bare}`: {nothing_behind(text[len(bare)])}"
    head, colon, tail = text.partition(":")
    if colon and tail.isdigit() and parse_ip(head):
        return f"write `{head} {tail}`: the port is a word of its own"
    if "%" in text and parse_ip(text.partition("%")[0]):
        return "a zone (`%IFNAME`) is not allowed here; the interface has a keyword of its own"
    parts = text.split("/")[0].split(".")
    if len(parts) == 4 and all(p.isdigit() for p in parts):
        if any(int(p[:6]) > 255 for p in parts):
            return "each of the four parts is 0 to 255"
        return "write the parts without leading zeros"
    if any(c.isalpha() for c in text) and ":" not in text:
        return "host names are not looked up here: write a numeric address"
    return "write a numeric IPv4 or IPv6 address"


def not_an_address(reader: Reader, text: str, what: str = "") -> Refused:
    """Say that ``text`` is no address."""
    return reader.wrong(
        "KC0306",
        f"`{text}` is not an IP address" if not what else f"`{text}` is not {what}",
        label="not a numeric address",
        help=address_help(text),
    )


class IpArg(WordArg):
    """One numeric address; the value is its canonical text. ``family``: only this one. ``multicast``: only such.
    ``link_local``: an IPv6 group of another scope is fine (``any``), gets a warning (``wanted``) or is refused (``only``).

    keepalived cuts the word at a ``/`` or ``-`` and reads what stands before it; that is accepted with a warning.
    """

    __slots__ = ("family", "link_local", "multicast")

    def __init__(
        self, family: str | None = None, *, multicast: bool = False, link_local: str = "any"
    ) -> None:
        number = {"inet": "4", "inet6": "6", None: ""}[family]
        grammar = f"MCAST_IP{number}" if multicast else f"IP{number}"
        super().__init__(grammar, "an IP address")
        self.family = family
        self.multicast = multicast
        self.link_local = link_local

    def word(self, reader: Reader, text: str) -> Any:
        found = parse_ip(text)
        if found is None:
            cut = cut_address(text)
            found = parse_ip(cut) if cut != text else None
            if found is None:
                return not_an_address(reader, text)
            said_cut(reader, text, cut)
        address, family = found
        if self.family is not None and family != self.family:
            wanted = {"inet": "IPv4", "inet6": "IPv6"}[self.family]
            return reader.wrong("KC0306", f"`{reader.name}` takes an {wanted} address", label=f"not {wanted}")
        if self.multicast and not is_multicast(address, family):
            ranges = {"inet": "224.0.0.0/4", "inet6": "ff00::/8"}[family]
            return reader.wrong(
                "KC0306",
                f"`{address}` is not a multicast address",
                label=f"not in {ranges}",
                help=f"write an address in {ranges}",
            )
        if self.link_local != "any" and family == "inet6" and address[3:5] != "2:":
            return self._not_link_local(reader, address)
        return address

    def _not_link_local(self, reader: Reader, address: str) -> Any:
        """An IPv6 group of another scope than link-local: adverts never pass a router (RFC 9568 section 5.1.2.2)."""
        from kcc.diagnostics.model import Severity

        kept = self.link_local == "wanted"
        refused = reader.wrong(
            "KC0306",
            f"`{address}` is not a link-local multicast address",
            label="not in ff02::/16",
            consequence="used, and `keepalived -t` fails" if kept else None,
            help="write an address in ff02::/16",
            severity=Severity.WARNING if kept else None,
        )
        return address if kept else refused


def cut_address(text: str) -> str:
    """The part of ``text`` that keepalived reads as the address."""
    for mark in "/-":
        text = text.partition(mark)[0]
    return text


def said_cut(reader: Reader, text: str, cut: str) -> None:
    """Warn that only the first part of the word is read."""
    from kcc.diagnostics.model import Edit, Fix, Severity

    reader.wrong(
        "KC0209",
        f"keepalived ignores `{text[len(cut) :]}` here",
        label=f"read as {cut}",
        consequence=f"`{cut}` is used",
        help=f"write `{cut}`",
        severity=Severity.WARNING,
        fix=Fix(f"write `{cut}`", (Edit(reader.span(), cut),), safe=True),
    )


class PortArg(WordArg):
    """A port, 1 to 65535. ``zero``: 0 is accepted too and means none."""

    __slots__ = ("zero",)

    def __init__(self, *, zero: bool = False) -> None:
        super().__init__("PORT", "a port number")
        self.zero = zero

    def word(self, reader: Reader, text: str) -> Any:
        value = int(text) if text.isdigit() and text.isascii() and len(text) < 6 else integer(text)
        if value is not None and (1 <= value <= 65535 or (value == 0 and self.zero)):
            return value
        if self.zero and empty(reader, text):
            return 0
        return bad_port(reader, text)


def bad_port(reader: Reader, text: str) -> Refused:
    """Say that ``text`` is no port."""
    if integer(text) is not None:
        return reader.wrong("KC0303", "a port is 1 to 65535", label=f"{text} is out of range")
    return reader.wrong(
        "KC0302",
        "a port is a number from 1 to 65535",
        label=f"`{text}` is not one",
        help="service names are not looked up here: write the number" if text.isalpha() else None,
    )


class EndpointArg(Arg):
    """``IP [PORT]``; the value is ``(address, port)`` with port 0 where none was given."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("IP [PORT]")

    def read(self, reader: Reader) -> Any:
        address = IP.read(reader)
        if address is REFUSED:
            return REFUSED
        if not reader.more():
            return address, 0
        port = PORT_OR_NONE.read(reader)
        return REFUSED if port is REFUSED else (address, port)


class NetmaskArg(WordArg):
    """``persistence_granularity``: an IPv4 netmask in any numeric form, or an IPv6 prefix length 1 to 128; the value is text.

    A bare number stays one: which of the two it is depends on the service.
    """

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("NETMASK|UINT(1..128)", "a netmask or a prefix length")

    def word(self, reader: Reader, text: str) -> Any:
        value = integer(text)
        if value is not None and 0 <= value <= 0xFFFFFFFF and text.isdigit():
            return str(value)
        dotted = _short_form(text)
        if dotted is not None:
            return dotted
        return reader.wrong(
            "KC0307",
            f"`{reader.name}` is an IPv4 netmask or an IPv6 prefix length from 1 to 128",
            label="neither of them",
            help="write `255.255.255.0`, say, or `64`",
        )


def _short_form(text: str) -> str | None:
    """An IPv4 address as inet_aton(3) reads it: ``255.255.0.0``, ``255.255``, ``0xffff0000``; the last part fills what is left."""
    parts = [c_integer(part) if part[:1].isdigit() else None for part in text.split(".")]
    if len(parts) > 4:
        return None
    number = 0
    for place, part in enumerate(parts, 1):
        bits = 8 * (5 - place) if place == len(parts) else 8
        if part is None or not 0 <= part < 1 << bits:
            return None
        number = number << bits | part
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


def is_mac(text: str) -> bool:
    """Whether ``text`` is five or six colon-separated octets."""
    parts = text.split(":")
    return len(parts) in (5, 6) and all(
        1 <= len(p) <= 2 and all(c in "0123456789abcdefABCDEF" for c in p) for p in parts
    )


def parse_prefix(text: str) -> tuple[str, str, int | None, str] | None:
    """``A[/LEN]`` as (address, family, length or None, the text behind the slash); None where A is no address."""
    head, slash, tail = text.partition("/")
    found = parse_ip(head)
    if found is None:
        return None
    if not slash or not tail:
        return found[0], found[1], None, ""
    length = integer(tail)
    if length is None or not 0 <= length <= (32 if found[1] == "inet" else 128):
        return found[0], found[1], None, tail
    return found[0], found[1], length, ""


IP = IpArg()
IP4 = IpArg("inet")
IP6 = IpArg("inet6")
MCAST = IpArg(multicast=True, link_local="only")
MCAST4 = IpArg("inet", multicast=True)
MCAST6 = IpArg("inet6", multicast=True, link_local="wanted")
PORT = PortArg()
PORT_OR_NONE = PortArg(zero=True)
ENDPOINT = EndpointArg()
NETMASK = NetmaskArg()
