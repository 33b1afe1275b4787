"""What IPVS balances: the opening words of virtual_server, group lines, forwarding methods, timeouts."""

from __future__ import annotations

from typing import Any

from kcc.language.arguments.addresses import (
    PORT_OR_NONE,
    address_help,
    bad_port,
    cut_address,
    ip_number,
    ip_text,
    not_an_address,
    parse_ip,
    said_cut,
)
from kcc.language.arguments.base import REFUSED, Arg, Reader, Refused
from kcc.language.arguments.numbers import U32_MAX, empty, integer
from kcc.language.arguments.words import respelt
from kcc.language.parsed import GroupLine, MethodValue, ServerHead

METHODS = ("NAT", "DR", "TUN")
_TUNNELS = ("ipip", "gue", "gre")
_CHECKSUMS = ("nocsum", "csum", "remcsum")
TIMEOUT_MAX = 86400 * 31  # a month: the bound that keepalived sets


class ServerArg(Arg):
    """``IP [PORT]``, ``fwmark N`` or ``group NAME``; the value is a `ServerHead`."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("IP [PORT] | fwmark UINT | group NAME")

    def read(self, reader: Reader) -> Any:
        if not reader.more():
            return reader.missing("an address, `fwmark N` or `group NAME`")
        word = reader.take()
        if word == "fwmark":
            if not reader.more():
                return reader.missing("a number", consequence="keepalived crashes here")
            mark = read_fwmark(reader)
            return REFUSED if mark is REFUSED else ServerHead(fwmark=mark)
        if word == "group":
            if not reader.more():
                return reader.missing("the name of a group", consequence="keepalived crashes here")
            return ServerHead(group=reader.take())
        found = parse_ip(word)
        if found is None:
            cut = cut_address(word)
            found = parse_ip(cut) if cut != word else None
            if found is None:
                if word.isalpha() and reader.more():
                    return reader.wrong(
                        "KC0306",
                        f"`{word}` is not an IP address",
                        label="an address, `fwmark` or `group` is expected",
                        help=_head_help(word),
                    )
                return not_an_address(reader, word)
            said_cut(reader, word, cut)
        if not reader.more():
            return ServerHead(address=found[0])
        port = PORT_OR_NONE.read(reader)
        return REFUSED if port is REFUSED else ServerHead(address=found[0], port=port)


def _head_help(word: str) -> str:
    from kcc.language.suggest import closest

    guess = closest(word, ("fwmark", "group"))
    return f"did you mean `{guess}`?" if guess else address_help(word)


def read_fwmark(reader: Reader) -> Any:
    """The next word as a firewall mark."""
    text = reader.take()
    value = integer(text)
    if value is None or not 0 <= value <= U32_MAX:
        code = "KC0302" if value is None else "KC0303"
        return reader.wrong(
            code, f"a firewall mark is a number from 0 to {U32_MAX}", label=f"`{text}` is not one"
        )
    return value


class GroupArg(Arg):
    """A line of virtual_server_group: ``A [PORT]``, ``A/LEN [PORT]``, ``A-N [PORT]``, ``A-B [PORT]`` or ``fwmark N [inet|inet6]``."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("IP[/LEN]|IP-IP|IP-N [PORT] | fwmark UINT [inet|inet6]")

    def read(self, reader: Reader) -> Any:
        word = reader.take()
        if word == "fwmark":
            return self._mark(reader)
        ends = _range(reader, word)
        if isinstance(ends, Refused):
            return REFUSED
        port = 0
        if reader.more():
            text = reader.take()
            number = 0 if empty(reader, text) else integer(text)
            if number is None or not 0 <= number <= 65535:
                return bad_port(reader, text)
            port = number
        return GroupLine(first=ends[0], last=ends[1], port=port, family=ends[2])

    def _mark(self, reader: Reader) -> Any:
        if not reader.more():
            return reader.missing("a number")
        mark = read_fwmark(reader)
        if mark is REFUSED:
            return REFUSED
        if not reader.more():
            return GroupLine(fwmark=mark)
        family = reader.take()
        if family not in ("inet", "inet6"):
            return reader.wrong(
                "KC0304", "the family of a mark is `inet` or `inet6`", label=f"`{family}` is neither"
            )
        return GroupLine(fwmark=mark, family=family)


def _range(reader: Reader, word: str) -> tuple[str, str, str] | Refused:
    """First address, last address and family of ``A``, ``A/LEN``, ``A-N`` or ``A-B``."""
    found = parse_ip(word)
    if found is not None:
        return found[0], found[0], found[1]
    if "/" in word:
        return _network(reader, word)
    head, dash, tail = word.partition("-")
    found = parse_ip(head)
    if found is None or not dash:
        return not_an_address(reader, word)
    first, family = found
    last = parse_ip(tail)
    if last is not None and last[1] != family:
        return reader.wrong("KC0306", "both ends of a range are of one family", label="IPv4 and IPv6 mixed")
    if last is not None:
        end = last[0]
    else:
        low_bits = 8 if family == "inet" else 16
        value = _tail_number(tail, family)
        if value is None:
            return reader.wrong(
                "KC0306", f"`{tail}` is not the end of a range", label="not a number or address"
            )
        if value >= 1 << low_bits:
            return reader.wrong("KC0303", f"the end of the range, `{tail}`, is too large", label="too large")
        end = ip_text(ip_number(first) >> low_bits << low_bits | value, family)
    if ip_number(end) < ip_number(first):
        return reader.wrong("KC0307", "the range ends before it starts", label=f"{end} comes before {first}")
    return first, end, family


def _tail_number(text: str, family: str) -> int | None:
    if family == "inet":
        return int(text) if text.isdigit() and text.isascii() and len(text) < 10 else None
    try:
        return int(text, 16) if text.isalnum() and len(text) < 10 else None
    except ValueError:
        return None


def _network(reader: Reader, word: str) -> tuple[str, str, str] | Refused:
    head, _, tail = word.partition("/")
    found = parse_ip(head)
    if found is None:
        return not_an_address(reader, word)
    first, family = found
    bits = 32 if family == "inet" else 128
    length = integer(tail)
    if length is None or not 0 <= length <= bits:
        return reader.wrong("KC0303", f"a prefix length is 0 to {bits}", label=f"`/{tail}` is not")
    hosts = (1 << (bits - length)) - 1
    number = ip_number(first)
    if number & hosts:
        network = ip_text(number & ~hosts, family)
        return reader.wrong(
            "KC0307",
            f"`{word}` is a host, not a network",
            label="bits behind the prefix are not zero",
            help=f"write `{network}/{length}`",
        )
    return first, ip_text(number | hosts, family), family


class MethodArg(Arg):
    """``NAT|DR|TUN`` with the options of a tunnel in any order; the value is a `MethodValue`."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("NAT|DR|TUN [type ipip|gue|gre] [port PORT] [nocsum|csum|remcsum]")

    def read(self, reader: Reader) -> Any:
        if not reader.more():
            return reader.missing("`NAT`, `DR` or `TUN`")
        method = reader.take()
        if method not in METHODS:
            from kcc.language.suggest import foreign_value

            help = foreign_value(reader.name, method)
            if help is None and method.upper() in METHODS:
                help = f"write `{method.upper()}`: case matters here"
            return reader.wrong(
                "KC0304",
                f"`{reader.name}` must be `NAT`, `DR` or `TUN`",
                label=f"`{method}` is not known",
                help=help or "write `NAT`, `DR` or `TUN`",
                fix=respelt(reader, method.upper()) if method.upper() in METHODS else None,
            )
        if not reader.more():
            return MethodValue(method)
        return self._options(reader, method)

    def _options(self, reader: Reader, method: str) -> MethodValue:
        """The tunnel's options; a bad one leaves the method without any."""
        plain = MethodValue(method)
        consequence = f"{method} is used, without the options of the tunnel"
        kind: str | None = None
        port = 0
        checksum: str | None = None
        while reader.more():
            option = reader.take()
            if option in _CHECKSUMS and method == "TUN":
                checksum = option
            elif option in ("type", "port") and method == "TUN":
                if not reader.more():
                    reader.missing("a value", consequence=consequence)
                    return plain
                value = reader.take()
                number = integer(value)
                if option == "type" and value in _TUNNELS:
                    kind = value
                elif option == "port" and number is not None and 1 <= number <= 65535:
                    port = number
                else:
                    reader.wrong(
                        "KC0307",
                        f"`{value}` is not a tunnel {option}",
                        label="not known",
                        consequence=consequence,
                    )
                    return plain
            else:
                only = "" if method == "TUN" else "; only `TUN` has options"
                reader.wrong(
                    "KC0311",
                    f"`{option}` is not an option of `{method}`{only}",
                    label="unknown",
                    consequence=consequence,
                )
                return plain
        problem = _tunnel_problem(kind, port, checksum)
        if problem is not None:
            reader.wrong("KC0307", problem, at=1, label="these options", consequence=consequence)
            return plain
        return MethodValue(method, kind, port, checksum)


def _tunnel_problem(kind: str | None, port: int, checksum: str | None) -> str | None:
    if (kind == "gue") != bool(port):
        return "a `gue` tunnel needs a port" if kind == "gue" else "only a `gue` tunnel has a port"
    if kind in (None, "ipip") and checksum in ("csum", "remcsum"):
        return f"an `ipip` tunnel cannot have `{checksum}`"
    if kind == "gre" and checksum == "remcsum":
        return "a `gre` tunnel cannot have `remcsum`"
    return None


class TimeoutsArg(Arg):
    """``{tcp SECS | tcpfin SECS | udp SECS}+``; the value is a tuple of pairs."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("{tcp SECS|tcpfin SECS|udp SECS} …")

    def read(self, reader: Reader) -> Any:
        if not reader.more():
            return reader.missing("`tcp`, `tcpfin` or `udp` and a number of seconds")
        found: dict[str, int] = {}
        while reader.more():
            name = reader.take()
            if name not in ("tcp", "tcpfin", "udp"):
                reader.wrong(
                    "KC0311",
                    f"`{name}` is not a timeout of IPVS",
                    label="`tcp`, `tcpfin` or `udp` is expected",
                    consequence="the word is ignored",
                )
                continue
            if not reader.more():
                reader.missing("a number of seconds", consequence=f"the timeout `{name}` is not set")
                break
            text = reader.take()
            value = 0 if empty(reader, text) else integer(text)
            if value is None or not 0 <= value <= TIMEOUT_MAX:
                reader.wrong(
                    "KC0303",
                    f"`{name}` must be 0 to {TIMEOUT_MAX} seconds",
                    label=f"`{text}` is not",
                    consequence=f"the timeout `{name}` is not set",
                )
                continue
            found[name] = value
        return tuple(found.items())


SERVER = ServerArg()
GROUP_LINE = GroupArg()
METHOD = MethodArg()
TIMEOUTS = TimeoutsArg()
