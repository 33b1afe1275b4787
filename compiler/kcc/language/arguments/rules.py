"""The lines of virtual_rules and static_rules: selectors and one action in any order, like ip-rule(8).

The words are checked and kept as words (`WordsLine`): what they mean is not carried in the IR.
"""

from __future__ import annotations

from typing import Any

from kcc.language.arguments.addresses import parse_prefix
from kcc.language.arguments.base import REFUSED, Arg, Reader, Refused
from kcc.language.arguments.numbers import U32_MAX, c_integer
from kcc.language.arguments.routes import ANYWHERE
from kcc.language.arguments.words import ifname_problem
from kcc.language.parsed import WordsLine

_ACTIONS = frozenset(("nop", "blackhole", "unreachable", "prohibit", "l3mdev"))
_ADDRESSES = frozenset(("from", "to"))
_INTERFACES = frozenset(("iif", "dev", "oif"))
_NUMBERS = {"preference": U32_MAX, "order": U32_MAX, "priority": U32_MAX, "goto": U32_MAX, "protocol": 255}
_WORDS = frozenset(
    [
        "tos",
        "dsfield",
        "fwmark",
        "uidrange",
        "ipproto",
        "tunnel-id",
        "sport",
        "dport",
        "realms",
        "suppress_prefixlength",
        "sup_pl",
        "suppress_ifgroup",
        "sup_group",
        "track_group",
        "table",
        "lookup",
    ]
)
_BARE = frozenset(("not", "no_track", "type", "inet", "inet6"))
OPTIONS = (*sorted(_ACTIONS | _ADDRESSES | _INTERFACES | set(_NUMBERS) | _WORDS | _BARE),)


class RuleArg(Arg):
    """One rule line."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("[SELECTOR …] ACTION")

    def read(self, reader: Reader) -> Any:
        start = reader.at
        state = _Rule(reader)
        while reader.more():
            if state.one(reader.take()) is REFUSED:
                return REFUSED
        if state.actions != 1:
            what = "no action" if not state.actions else "more than one action"
            return reader.wrong(
                "KC0307",
                f"a rule has exactly one action, and this has {what}",
                at=start,
                label="this rule",
                help="write `table NAME`, `goto N`, `blackhole`, `unreachable` or `prohibit`",
            )
        return WordsLine(tuple(word.text for word in reader.words[start:]), state.family)


class _Rule:
    """What is known of a rule while its words are read."""

    __slots__ = ("actions", "family", "reader")

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.actions = 0
        self.family: str | None = None

    def one(self, word: str) -> Refused | None:
        reader = self.reader
        if word in ("inet", "inet6"):
            self.family = word
            return None
        if word in _BARE:
            return None
        if word in _ACTIONS:
            self.actions += 1
            return None
        known = word in _ADDRESSES or word in _INTERFACES or word in _NUMBERS or word in _WORDS
        if not known:
            from kcc.language.suggest import closest

            guess = closest(word, OPTIONS)
            return reader.wrong(
                "KC0311",
                f"`{word}` is not an option of a rule",
                label="unknown",
                help=f"did you mean `{guess}`?" if guess else None,
            )
        if not reader.more():
            return reader.missing(
                "a value", consequence="keepalived exits with status 2 here and starts nothing"
            )
        value = reader.take()
        if word in ("table", "lookup", "goto"):
            self.actions += 1
        return self._value(word, value)

    def _value(self, word: str, value: str) -> Refused | None:
        reader = self.reader
        if word in _ADDRESSES and value not in ANYWHERE:
            found = parse_prefix(value)
            if found is None or found[3]:
                return reader.wrong(
                    "KC0306", f"`{value}` is not an IP address", label=f"the value of `{word}`"
                )
            self.family = self.family or found[1]
        elif word in _INTERFACES:
            problem = ifname_problem(value)
            if problem is not None:
                return reader.wrong(
                    "KC0307", f"an interface name {problem}", label="no interface can have this name"
                )
        elif word in _NUMBERS:
            number = c_integer(value)
            if number is None or not 0 <= number <= _NUMBERS[word]:
                most = _NUMBERS[word]
                return reader.wrong("KC0303", f"`{word}` must be 0 to {most}", label=f"`{value}` is not")
        elif word in ("sport", "dport", "uidrange"):
            low, dash, high = value.partition("-")
            if not (dash and low.isdigit() and high.isdigit()):
                reader.wrong(
                    "KC0307",
                    f"`{word}` takes a range",
                    label=f"`{value}` is not one",
                    consequence="the option is dropped",
                    help=f"write `{word} {value}-{value}`" if value.isdigit() else None,
                )
        return None


RULE_LINE = RuleArg()
