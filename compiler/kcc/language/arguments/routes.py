"""The lines of virtual_routes and static_routes: a destination and options in any order, like ip-route(8).

The value is a `kir.model.Route`.
"""

from __future__ import annotations

from typing import Any

from kcc.language.arguments import route_options as options
from kcc.language.arguments.base import REFUSED, Arg, Reader, Refused
from kcc.language.arguments.nexthops import encap, nexthops
from kcc.language.arguments.numbers import U32_MAX, integer
from kcc.language.arguments.tables import DSFIELDS, PROTOCOLS, SCOPES, TABLES
from kir.model import Metric, Nexthop, Route

TYPES = {
    "unicast": 1,
    "local": 2,
    "broadcast": 3,
    "brd": 3,
    "anycast": 4,
    "multicast": 5,
    "blackhole": 6,
    "unreachable": 7,
    "prohibit": 8,
    "throw": 9,
    "nat": 10,
    "xresolve": 11,
}
_TYPE_NAMES = {number: name for name, number in reversed(TYPES.items())}
ANYWHERE = frozenset(("default", "any", "all"))
_MODES = ("add", "append", "prepend")
_METRICS = {
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
}
_LOCKABLE = frozenset(("mtu", "advmss", "reordering", "cwnd", "ssthresh"))
_TIMES = frozenset(("rtt", "rttvar", "rto_min"))
_PRIORITY = frozenset(("metric", "priority", "preference"))
_TABLES: dict[str, tuple[str, dict[str, int], int]] = {
    "table": ("table", TABLES, U32_MAX),
    "protocol": ("protocol", PROTOCOLS, 255),
    "scope": ("scope", SCOPES, 255),
    "tos": ("tos", DSFIELDS, 255),
    "dsfield": ("tos", DSFIELDS, 255),
}
_OTHERS = (
    "to",
    "inet",
    "inet6",
    "via",
    "gw",
    "or",
    "src",
    "from",
    "dev",
    "oif",
    "vrf",
    "onlink",
    "no_track",
    "congctl",
    "features",
    "realms",
    "expires",
    "pref",
    "ttl-propagate",
    "track_group",
    "encap",
    "nexthop",
    "as",
)
OPTIONS = (*_OTHERS, *_MODES, *_METRICS, *sorted(_TIMES | _PRIORITY), *_TABLES)
_PREFERENCES = {"medium": 0, "high": 1, "low": 3}  # RFC 4191 section 2.1
RTPROT_KEEPALIVED = 18


class RouteArg(Arg):
    """One route line. ``static``: of static_routes, where ``track_group`` is known."""

    __slots__ = ("static",)

    def __init__(self, *, static: bool = False) -> None:
        super().__init__("[TYPE] [to] DEST [OPTION …]")
        self.static = static

    def read(self, reader: Reader) -> Any:
        start = reader.at
        state = _Route(reader, self.static)
        while reader.more():
            if state.one(reader.take()) is REFUSED:
                return REFUSED
        if state.destination is None:
            return reader.wrong(
                "KC0301", "a route needs a destination", at=start, label="no destination here"
            )
        return state.made(start)


class _Route:
    """What is known of a route while its words are read. ``destination`` ``""``: everywhere, of the family found in the end."""

    __slots__ = ("destination", "family", "given", "metrics", "reader", "second", "static")

    def __init__(self, reader: Reader, static: bool) -> None:
        self.reader = reader
        self.static = static
        self.family: str | None = None
        self.destination: str | None = None
        self.given: dict[str, Any] = {}
        self.metrics: dict[str, Metric] = {}
        self.second: str | None = None

    def one(self, word: str) -> Refused | None:
        """One option with its value, a type or the destination."""
        reader = self.reader
        if word == "onlink":
            self.given["onlink"] = True
            return None
        if word == "no_track":
            self.given["track"] = False
            return None
        if word in _MODES:
            self.given["mode"] = word
            return None
        if word in ("inet", "inet6"):
            return self._inet(word)
        if word in ("via", "gw", "or", "src"):
            return self._address(word)
        if word in ("dev", "oif", "vrf"):
            return self._put("vrf" if word == "vrf" else "device", options.interface(reader))
        if word in _METRICS or word in _TIMES:
            return self._metric(word)
        if word in _PRIORITY:
            return self._put("priority", options.number(reader, word))
        if word in _TABLES:
            field, names, most = _TABLES[word]
            return self._put(field, options.named(reader, word, names, most))
        if word in _OTHERS:
            return self._other(word)
        if word in TYPES and self.destination is None:
            self.given["type"] = _TYPE_NAMES[TYPES[word]]
            return None
        return self._destination(word)

    def _put(self, field: str, value: Any, family: str | None = None) -> Refused | None:
        """Keep a value that was read; ``family``: the one that it is of."""
        if isinstance(value, Refused):
            return REFUSED
        self.given[field] = value
        return None if family is None else self._fits(family)

    def _inet(self, word: str) -> Refused | None:
        if self.reader.target != "krun":
            return self.reader.wrong(
                "KC0307",
                f"keepalived skips the word behind `{word}` in routes",
                label="not usable",
                consequence="the line is dropped, or means something else",
                help="leave it out: the addresses tell the family",
            )
        return self._fits(word)

    def _metric(self, option: str) -> Refused | None:
        reader = self.reader
        lock = (option in _LOCKABLE or option in _TIMES) and options.locked(reader)
        if option in _TIMES:
            value = options.duration(reader, option)
            option = f"{option}_us"
        else:
            value = options.number(reader, option, 0, _METRICS[option])
        if isinstance(value, Refused):
            return REFUSED
        self.metrics[option] = Metric(name=option, value=value, lock=lock)  # type: ignore[arg-type]
        return None

    def _address(self, option: str) -> Refused | None:
        found = options.address(self.reader, option)
        if isinstance(found, Refused):
            return REFUSED
        if self._fits(found[1]) is REFUSED:
            return REFUSED
        if option == "src":
            self.given["source"] = found[0]
        elif option == "or":
            self.second = found[0]
        else:
            self.given["via"] = found[0]
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

    def _other(self, word: str) -> Refused | None:
        reader = self.reader
        if word == "encap":
            return self._put("encap", encap(reader))
        if word == "nexthop":
            leads = "via" in self.given or "device" in self.given
            hops = nexthops(reader, self.family, leads=leads)
            if isinstance(hops, Refused):
                return REFUSED
            self.family = hops[1]
            return self._put("nexthops", hops[0])
        if word == "realms":
            return self._put("realms", options.realms(reader), "inet")
        if word == "expires":
            return self._put("expires_s", options.number(reader, word), "inet6")
        text = "lock" if word == "congctl" and options.locked(reader) else ""
        value = options.word(reader)
        if isinstance(value, Refused):
            return REFUSED
        if word == "to":
            return self._destination(value)
        if word == "from":
            found = options.prefix(reader, value, word)
            if isinstance(found, Refused):
                return REFUSED
            if found[1] != "inet6":
                return reader.wrong(
                    "KC0307",
                    "`from` is for IPv6 routes only",
                    label="an IPv4 prefix",
                    help="route by source with a rule: `from PREFIX table NAME`",
                )
            return self._put("source_prefix", found[0], found[1])
        if word == "congctl":
            self.given.update(congctl=value, congctl_lock=bool(text))
            return None
        return self._word(word, value)

    def _word(self, option: str, value: str) -> Refused | None:
        """Options whose value is one of a few words."""
        reader = self.reader
        if option == "as":
            if value == "to":
                value_ = options.word(reader)
                if isinstance(value_, Refused):
                    return REFUSED
            reader.wrong(
                "KC0311", "`as` is not supported", label="not used", consequence="the option is ignored"
            )
            return None
        if option == "track_group" and self.static:
            self.given["track_group"] = value
            return None
        if option == "features" and value == "ecn":
            self.given["ecn"] = True
            return None
        if option == "ttl-propagate" and value in ("enabled", "disabled"):
            self.given["ttl_propagate"] = value == "enabled"
            return None
        if option == "pref":
            number = _PREFERENCES.get(value, integer(value))
            if number is not None and 0 <= number <= 255:
                self.given["preference"] = number
                return self._fits("inet6")
        return reader.wrong(
            "KC0304" if option != "track_group" else "KC0311",
            f"`{option}` does not take `{value}`"
            if option != "track_group"
            else "only static routes have a group",
            label="not known here",
        )

    def _destination(self, word: str) -> Refused | None:
        reader = self.reader
        number = integer(word)
        if (
            number is not None
            and 0 <= number <= 255
            and self.destination is None
            and "type" not in self.given
        ):
            self.given["type"] = _TYPE_NAMES.get(number, number)
            return None
        if word in ANYWHERE or word == "default6":
            if self.family is not None and word != "default6" and reader.target != "krun":
                return reader.wrong(
                    "KC0307",
                    f"`{word}` stands behind a word that fixes the address family",
                    label="too late",
                    consequence="keepalived drops the line: the route does not exist",
                    help=f"write `{word}` first",
                )
            self.destination = ""
            return self._fits("inet6") if word == "default6" else None
        from kcc.language.arguments.addresses import parse_prefix

        if parse_prefix(word) is None:
            from kcc.language.suggest import closest

            guess = closest(word, OPTIONS)
            return reader.wrong(
                "KC0311",
                f"`{word}` is neither an option of a route nor a destination",
                label="unknown",
                help=f"did you mean `{guess}`?" if guess else None,
            )
        found = options.prefix(reader, word, "to")
        if isinstance(found, Refused):
            return REFUSED
        self.destination = found[0]
        return self._fits(found[1])

    def _fits(self, family: str) -> Refused | None:
        if self.family is None:
            self.family = family
        if self.family == family:
            return None
        return self.reader.wrong(
            "KC0307",
            "IPv4 and IPv6 do not mix in a route",
            label="of the other family",
            consequence="the line is dropped: the route does not exist",
        )

    def made(self, start: int) -> Route:
        """The route that was read."""
        given, family = self.given, self.family or "inet"
        if given.get("track", True) and given.get("protocol", RTPROT_KEEPALIVED) != RTPROT_KEEPALIVED:
            self.reader.wrong(
                "KC0310",
                "the protocol of a route that is watched is keepalived's own",
                at=start,
                consequence="`protocol 18` is used instead",
                help="add `no_track`, or leave `protocol` out",
            )
            given["protocol"] = RTPROT_KEEPALIVED
        if self.second is not None:
            first = given.pop("via", None)
            hops = [Nexthop(via=first)] if first is not None else []
            given["nexthops"] = (*hops, Nexthop(via=self.second), *given.get("nexthops", ()))
        anywhere = "0.0.0.0/0" if family == "inet" else "::/0"
        return Route(
            family="inet6" if family == "inet6" else "inet",
            destination=self.destination or anywhere,
            metrics=tuple(sorted(self.metrics.values(), key=lambda m: m.name)),
            **given,
        )


def _warning() -> Any:
    from kcc.diagnostics.model import Severity

    return Severity.WARNING


ROUTE_LINE = RouteArg()
STATIC_ROUTE = RouteArg(static=True)
