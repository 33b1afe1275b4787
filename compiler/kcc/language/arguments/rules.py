"""The lines of virtual_rules and static_rules: selectors and one action in any order, like ip-rule(8).

The value is a `kir.model.Rule` whose ``priority`` is 0 where the line says none: those are numbered together.
"""

from __future__ import annotations

from typing import Any

from kcc.language.arguments import route_options as options
from kcc.language.arguments.base import REFUSED, Arg, Reader, Refused
from kcc.language.arguments.numbers import BLANKS, S32_MAX, U32_MAX, c_integer
from kcc.language.arguments.routes import ANYWHERE, RTPROT_KEEPALIVED
from kcc.language.arguments.tables import DSFIELDS, GROUPS, IP_PROTOCOLS, TABLES, table_name
from kir.model import Range, Rule

_BARE_ACTIONS = ("nop", "blackhole", "unreachable", "prohibit")
_PRIORITY = ("preference", "order", "priority")
_RANGES = {
    "sport": ("source_ports", 65535),
    "dport": ("destination_ports", 65535),
    "uidrange": ("uids", U32_MAX),
}
_OTHERS = (
    "inet",
    "inet6",
    "not",
    "no_track",
    "type",
    "l3mdev",
    "from",
    "to",
    "iif",
    "dev",
    "oif",
    "tos",
    "dsfield",
    "fwmark",
    "ipproto",
    "protocol",
    "tunnel-id",
    "realms",
    "suppress_prefixlength",
    "sup_pl",
    "suppress_ifgroup",
    "sup_group",
    "track_group",
    "table",
    "lookup",
    "goto",
)
OPTIONS = (*_OTHERS, *_BARE_ACTIONS, *_PRIORITY, *_RANGES)
_U64 = 0xFFFFFFFFFFFFFFFF
_MOST_IPPROTO = 127
_ACTION_HELP = "write `table NAME`, `goto N`, `blackhole`, `unreachable` or `prohibit`"


class RuleArg(Arg):
    """One rule line. ``static``: of static_rules, where ``track_group`` is known."""

    __slots__ = ("static",)

    def __init__(self, *, static: bool = False) -> None:
        super().__init__("[SELECTOR …] ACTION")
        self.static = static

    def read(self, reader: Reader) -> Any:
        start = reader.at
        state = _Rule(reader, self.static)
        while reader.more():
            if state.one(reader.take()) is REFUSED:
                return REFUSED
        problem = state.problem()
        if problem is not None:
            return reader.wrong("KC0307", problem[0], at=start, label="this rule", help=problem[1])
        return state.made(start)


class _Rule:
    """What is known of a rule while its words are read."""

    __slots__ = ("actions", "family", "given", "reader", "static")

    def __init__(self, reader: Reader, static: bool) -> None:
        self.reader = reader
        self.static = static
        self.actions: list[str] = []
        self.family: str | None = None
        self.given: dict[str, Any] = {}

    def one(self, word: str) -> Refused | None:
        """One selector or action with its value."""
        reader = self.reader
        if word == "type":
            return self._typed()
        if word == "not":
            self.given["inverted"] = True
            return None
        if word == "no_track":
            self.given["track"] = False
            return None
        if word in ("inet", "inet6"):
            return self._inet(word)
        if word in _BARE_ACTIONS or word == "l3mdev":
            self.actions.append(word)
            return None
        if word in ("from", "to"):
            return self._address(word)
        if word in ("iif", "dev", "oif"):
            return self._put("oif" if word == "oif" else "iif", options.interface(reader))
        if word in _PRIORITY:
            return self._put("priority", options.number(reader, word))
        if word in _RANGES:
            return self._range(word)
        if word in ("table", "lookup"):
            self.actions.append("table")
            return self._table(word)
        if word == "goto":
            self.actions.append("goto")
            return self._put("goto", options.number(reader, word))
        if word in _OTHERS:
            return self._selector(word)
        from kcc.language.suggest import closest

        guess = closest(word, OPTIONS)
        help_ = f"did you mean `{guess}`?" if guess else None
        if word == "ip_proto":
            help_ = "write `ipproto`: keepalived does not know the manual's spelling"
        return reader.wrong("KC0311", f"`{word}` is not an option of a rule", label="unknown", help=help_)

    def _typed(self) -> Refused | None:
        """``type``: one of the actions that stand for themselves, or ``goto``, must follow."""
        reader = self.reader
        word = options.word(reader)
        if isinstance(word, Refused):
            return REFUSED
        if word in _BARE_ACTIONS:
            self.actions.append(word)
            return None
        if word == "goto":
            self.actions.append("goto")
            return self._put("goto", options.number(reader, word))
        return reader.wrong(
            "KC0311",
            f"`{word}` is not an action that may follow `type`",
            label="unknown here",
            help="leave `type` out, or write `type blackhole`, `unreachable`, `prohibit`, `nop` or `goto N`",
        )

    def _put(self, field: str, value: Any, family: str | None = None) -> Refused | None:
        """Keep a value that was read; ``family``: the one that it is of."""
        if isinstance(value, Refused):
            return REFUSED
        if value is not None:
            self.given[field] = value
        return None if family is None else self._fits(family)

    def _inet(self, word: str) -> Refused | None:
        if self.reader.target != "krun":
            return self.reader.wrong(
                "KC0307",
                f"keepalived skips the word behind `{word}` in rules",
                label="not usable",
                consequence="the line is dropped, or means something else",
                help="leave it out: the addresses tell the family",
            )
        return self._fits(word)

    def _address(self, option: str) -> Refused | None:
        value = options.word(self.reader)
        if isinstance(value, Refused):
            return REFUSED
        if value in ANYWHERE:
            return None
        found = options.prefix(self.reader, value, option)
        if isinstance(found, Refused):
            return REFUSED
        return self._put("source" if option == "from" else "destination", found[0], found[1])

    def _range(self, word: str) -> Refused | None:
        field, most = _RANGES[word]
        found = options.span(self.reader, word, most)
        if found is None or isinstance(found, Refused):
            return found
        return self._put(field, Range(low=found[0], high=found[1]))

    def _table(self, word: str) -> Refused | None:
        value = options.named(self.reader, word, TABLES, U32_MAX)
        if value == 0:
            return self.reader.wrong("KC0303", "a rule cannot use table 0", label="no table")
        return self._put("table", value)

    def _selector(self, word: str) -> Refused | None:
        reader = self.reader
        if word in ("tos", "dsfield"):
            return self._put("tos", options.named(reader, word, DSFIELDS, 255))
        if word == "tunnel-id":
            return self._put("tunnel_id", options.number(reader, word, 0, _U64))
        if word == "realms":
            return self._put("realms", options.realms(reader), "inet")
        if word in ("suppress_prefixlength", "sup_pl"):
            return self._put("suppress_prefixlength", options.number(reader, word, 0, 128))
        if word in ("suppress_ifgroup", "sup_group"):
            return self._put("suppress_ifgroup", options.named(reader, word, GROUPS, S32_MAX))
        value = options.word(reader)
        if isinstance(value, Refused):
            return REFUSED
        if word == "fwmark":
            return self._mark(value)
        if word == "track_group":
            if not self.static:
                return reader.wrong("KC0311", "only static rules have a group", label="not known here")
            self.given["track_group"] = value
            return None
        self._protocol(word, value)
        return None

    def _most_ipproto(self) -> int:
        return 255 if self.reader.target == "krun" else _MOST_IPPROTO

    def _protocol(self, word: str, value: str) -> None:
        """``ipproto`` and ``protocol``: a bad value costs only the option."""
        text = value.lstrip(BLANKS)
        found = table_name(text, IP_PROTOCOLS, 255) if text else None
        if word == "ipproto" and text.isdigit() and found is not None and int(text) > self._most_ipproto():
            name = next((n for n, number in IP_PROTOCOLS.items() if number == int(text)), None)
            self.reader.wrong(
                "KC0303",
                f"keepalived takes `ipproto` as a number only to {_MOST_IPPROTO}",
                label=f"`{text}` is above it",
                consequence="the option is dropped: the rule is for every protocol",
                help=f"write `ipproto {name}`" if name else "write the protocol's name, as in /etc/protocols",
            )
            return
        if found is None or (word == "protocol" and isinstance(found, str)):
            self.reader.wrong(
                "KC0303",
                f"`{word}` is a number from 0 to 255" + (" or a name" if word == "ipproto" else ""),
                label=f"`{value}` is not",
                consequence="the option is dropped",
            )
            return
        self.given["ip_protocol" if word == "ipproto" else "protocol"] = found

    def _mark(self, value: str) -> Refused | None:
        mark, slash, mask = value.partition("/")
        numbers = [c_integer(mark), c_integer(mask) if slash else 0]
        if any(n is None or not 0 <= n <= U32_MAX for n in numbers):
            return self.reader.wrong("KC0303", "a mark is `N` or `N/MASK`", label=f"`{value}` is not")
        self.given["fwmark"] = numbers[0]
        if slash:
            self.given["fwmask"] = numbers[1]
        return None

    def _fits(self, family: str) -> Refused | None:
        if self.family is None:
            self.family = family
        if self.family == family:
            return None
        return self.reader.wrong(
            "KC0307",
            "IPv4 and IPv6 do not mix in a rule",
            label="of the other family",
            consequence="the line is dropped: the rule does not exist",
        )

    def problem(self) -> tuple[str, str] | None:
        """Why keepalived drops the rule, and what to do; None where it does not."""
        if len(self.actions) != 1:
            what = "no action" if not self.actions else "more than one action"
            return f"a rule has exactly one action, and this has {what}", _ACTION_HELP
        action, given = self.actions[0], self.given
        if action == "goto" and given["goto"] <= given.get("priority", U32_MAX):
            if "priority" not in given:
                return "a rule with `goto` needs a `preference` of its own", "write `preference N`"
            return "`goto` leads forwards only", "write a number above the rule's own `preference`"
        if action not in ("table", "l3mdev"):
            for option in ("suppress_prefixlength", "suppress_ifgroup", "realms"):
                if option in given:
                    return f"`{option}` needs a table", "write `table NAME`, or remove it"
        return None

    def made(self, start: int) -> Rule:
        """The rule that was read, from word ``start`` on."""
        if (
            self.given.get("track", True)
            and self.given.get("protocol", RTPROT_KEEPALIVED) != RTPROT_KEEPALIVED
        ):
            self.reader.wrong(
                "KC0310",
                "the protocol of a rule that is watched is keepalived's own",
                at=start,
                consequence=f"`protocol {RTPROT_KEEPALIVED}` is used instead",
                help="add `no_track`, or leave `protocol` out",
            )
            self.given["protocol"] = RTPROT_KEEPALIVED
        action = self.actions[0]
        l3mdev = action == "l3mdev"
        return Rule(
            family="inet6" if self.family == "inet6" else "inet",
            priority=self.given.pop("priority", 0),
            action="table" if l3mdev else action,  # type: ignore[arg-type]
            l3mdev=l3mdev,
            **self.given,
        )


RULE_LINE = RuleArg()
STATIC_RULE = RuleArg(static=True)
