"""The lines of virtual_routes and static_routes: a destination and options in any order, like ip-route(8).

The words are checked and kept as words (`WordsLine`): what they mean is not carried in the IR.
"""

from __future__ import annotations

from typing import Any

from kcc.language.arguments.addresses import parse_ip, parse_prefix
from kcc.language.arguments.base import REFUSED, Arg, Reader, Refused
from kcc.language.arguments.numbers import U32_MAX, c_integer, integer
from kcc.language.arguments.words import ifname_problem
from kcc.language.parsed import WordsLine

TYPES = frozenset(
    [
        "unicast",
        "local",
        "broadcast",
        "brd",
        "anycast",
        "multicast",
        "blackhole",
        "unreachable",
        "prohibit",
        "throw",
        "nat",
        "xresolve",
    ]
)
ANYWHERE = frozenset(("default", "any", "all"))
_ADD_MODES = ("add", "append", "prepend")
_BARE = frozenset(("onlink", "no_track", *_ADD_MODES))
_NUMBERS = {
    "metric": U32_MAX,
    "priority": U32_MAX,
    "preference": U32_MAX,
    "mtu": U32_MAX,
    "advmss": U32_MAX,
    "reordering": U32_MAX,
    "cwnd": U32_MAX,
    "ssthresh": U32_MAX,
    "hoplimit": 255,
    "window": U32_MAX,
    "initcwnd": U32_MAX,
    "initrwnd": U32_MAX,
    "quickack": 1,
    "fastopen_no_cookie": 1,
    "expires": U32_MAX,
}
_LOCKABLE = frozenset(
    ("mtu", "advmss", "reordering", "cwnd", "ssthresh", "rtt", "rttvar", "rto_min", "congctl")
)
_WORDS = frozenset(
    [
        "table",
        "protocol",
        "scope",
        "tos",
        "dsfield",
        "rtt",
        "rttvar",
        "rto_min",
        "congctl",
        "features",
        "realms",
        "pref",
        "ttl-propagate",
        "track_group",
    ]
)
_INTERFACES = frozenset(("dev", "oif", "vrf"))
_ADDRESSES = frozenset(("via", "gw", "src", "from", "or"))
OPTIONS = (
    *sorted(_ADDRESSES | _INTERFACES | _WORDS | _BARE | set(_NUMBERS)),
    "to",
    "inet",
    "inet6",
    "encap",
    "nexthop",
    "as",
)


class RouteArg(Arg):
    """One route line."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("[TYPE] [to] DEST [OPTION …]")

    def read(self, reader: Reader) -> Any:
        start = reader.at
        state = _Route(reader)
        if state.read() is REFUSED:
            return REFUSED
        if not state.destination:
            return reader.wrong(
                "KC0301", "a route needs a destination", at=start, label="no destination here"
            )
        return WordsLine(tuple(word.text for word in reader.words[start:]), state.family)


class _Route:
    """What is known of a route while its words are read."""

    __slots__ = ("destination", "family", "reader")

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.family: str | None = None
        self.destination = False

    def read(self) -> Refused | None:
        reader = self.reader
        while reader.more():
            word = reader.take()
            if word in ("encap", "nexthop", "as"):
                reader.rest()  # an encapsulation, next hops: to the end of the line
                return None
            if self._one(word) is REFUSED:
                return REFUSED
        return None

    def _one(self, word: str) -> Refused | None:
        reader = self.reader
        if word in _BARE:
            return None
        if word in ("inet", "inet6"):
            self.family = word
            return None
        if word in _ADDRESSES or word == "to":
            return self._address(word)
        if word in _INTERFACES:
            value = self._value(word)
            if isinstance(value, Refused):
                return REFUSED
            problem = ifname_problem(value)
            if problem is not None:
                return reader.wrong(
                    "KC0307", f"an interface name {problem}", label="no interface can have this name"
                )
            return None
        if word in _NUMBERS:
            return self._number(word, _NUMBERS[word])
        if word in _WORDS:
            value = self._value(word)
            if value == "lock" and word in _LOCKABLE:
                value = self._value(word)
            return REFUSED if isinstance(value, Refused) else None
        if word in TYPES:
            return None
        return self._destination(word)

    def _value(self, option: str) -> str | Refused:
        if not self.reader.more():
            return self.reader.missing("a value", consequence=_EXIT)
        return self.reader.take()

    def _number(self, option: str, most: int) -> Refused | None:
        value = self._value(option)
        if value == "lock" and option in _LOCKABLE:
            value = self._value(option)
        if isinstance(value, Refused):
            return REFUSED
        number = c_integer(value)
        if number is None or not 0 <= number <= most:
            return self.reader.wrong("KC0303", f"`{option}` must be 0 to {most}", label=f"`{value}` is not")
        return None

    def _address(self, option: str) -> Refused | None:
        value = self._value(option)
        if value in ("inet", "inet6") and option in ("via", "gw", "or"):
            value = self._value(option)
        if isinstance(value, Refused):
            return REFUSED
        if option == "to":
            return self._destination(value)
        found = parse_prefix(value) if option == "from" else None
        address = parse_ip(value) if option != "from" else (found and (found[0], found[1]))
        if not address:
            return self.reader.wrong(
                "KC0306", f"`{value}` is not an IP address", label=f"the value of `{option}`"
            )
        self._fits(address[1])
        if option in ("gw", "or"):
            self.reader.wrong(
                "KC0313",
                f"`{option}` is deprecated in routes",
                label="still used",
                consequence="still used, and `keepalived -t` fails",
                help="write `via`" if option == "gw" else "write `nexthop via …`",
                severity=_warning(),
            )
        return None

    def _destination(self, word: str) -> Refused | None:
        number = integer(word)
        if number is not None and 0 <= number <= 255 and not self.destination:
            return None  # a route type by number
        if word in ANYWHERE or word == "default6":
            self.destination = True
            return None
        found = parse_prefix(word)
        if found is None:
            from kcc.language.suggest import closest

            guess = closest(word, OPTIONS)
            return self.reader.wrong(
                "KC0311",
                f"`{word}` is neither an option of a route nor a destination",
                label="unknown",
                help=f"did you mean `{guess}`?" if guess else None,
            )
        if found[3]:
            return self.reader.wrong(
                "KC0303", f"the prefix length of `{word}` is out of range", label="too long"
            )
        self.destination = True
        self._fits(found[1])
        return None

    def _fits(self, family: str) -> None:
        if self.family is None:
            self.family = family


def _warning() -> Any:
    from kcc.diagnostics.model import Severity

    return Severity.WARNING


_EXIT = "keepalived exits with status 2 here and starts nothing"
ROUTE_LINE = RouteArg()
