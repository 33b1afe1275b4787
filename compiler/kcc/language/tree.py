"""The keyword tree: the language of keepalived.conf as data.

One declaration a keyword says what it may hold, what happens when it does not, and how far this release carries it. The
descent, the checks, the reference manual, ``kcc explain`` and completion all read it. The declarations stand in
``kcc.language.keywords``, one module a subject; this module says what a declaration is.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from kcc.language.arguments.base import Arg


class Kind(Enum):
    """What follows a keyword: values on its line, a body of keywords, or a body of lines with a syntax of their own."""

    LEAF = "leaf"
    BLOCK = "block"
    LINES = "block-with-lines"


class Coverage(Enum):
    """How far this release takes a keyword; ordered by ``rank``."""

    CHECKED = "checked, not carried in the IR"
    CARRIED = "carried in the IR, not run"
    MOOT = "without meaning in krun"
    PARTLY_RUN = "run in part"
    RUN = "run"

    @property
    def rank(self) -> int:
        return _COVERAGE_RANK[self.name]


_COVERAGE_RANK = {"CHECKED": 0, "CARRIED": 1, "MOOT": 2, "PARTLY_RUN": 3, "RUN": 4}

CHECKED = Coverage.CHECKED
CARRIED = Coverage.CARRIED
MOOT = Coverage.MOOT
PARTLY_RUN = Coverage.PARTLY_RUN
RUN = Coverage.RUN


class Repeat(Enum):
    """What a second occurrence in the same block means."""

    LAST = "the last one counts"
    FIRST = "the first one counts, a later one is an error"
    REPLACE = "the last one counts, and `keepalived -t` fails"
    ADD = "they add up"
    JOIN = "what they say is joined: of two names or addresses the first stays, and `keepalived -t` fails"
    MERGE = "the bodies are read as one"
    UNIQUE = "names must differ, a second block of the same name is an error and skipped"


class Missing(Enum):
    """What keepalived does when the first argument is missing."""

    IGNORED = "ignored"
    EXITS = "keepalived exits with status 2 here and starts nothing"
    CRASHES = "keepalived crashes here"
    SILENT = "ignored without a message"


class Extra(Enum):
    """What keepalived does with words behind the last argument."""

    UNREAD = "not looked at"
    ERROR = "an error, the words are ignored"
    REFUSED = "an error, the whole line is ignored"
    EXITS = "keepalived exits with status 2 here and starts nothing"


class Bad(Enum):
    """How serious keepalived takes a value that it cannot use."""

    ERROR = "a configuration error"
    LOG = "only written to the log"


class Keyword(msgspec.Struct, frozen=True, eq=False):
    """One keyword at one place of the tree.

    ``args``: the types of its arguments, in order. ``default``: what holds when it is not given, in words, empty where there
    is nothing to say. ``consequence``: what happens when the value is refused; empty: "ignored", and the default stays.
    ``needs``: a leaf of the same block that must stand before it, and the values of that leaf with which it makes sense.
    ``open``: where the first one counts, a value that a later one still replaces. ``against``: a leaf of the same block that it makes no sense with. ``sticky``: a value that later occurrences cannot take back; ``*``: none can. ``line``: the type of a body line.
    ``since``: the first of the supported keepalived releases that knows it, None: all do. ``unrun``: values that krun does not
    run although it runs the keyword. ``alias_of``: its values are stored under that name. ``moot``: why it has no meaning in krun, in a sentence.
    """

    name: str
    kind: Kind
    args: tuple[Arg, ...] = ()
    coverage: Coverage = CHECKED
    default: str = ""
    doc: str = ""
    unit: str = ""
    repeat: Repeat = Repeat.LAST
    missing: Missing = Missing.EXITS
    extra: Extra = Extra.UNREAD
    bad: Bad = Bad.ERROR
    consequence: str = ""
    required: bool = False
    deprecated_by: str = ""
    deprecation_is_error: bool = False
    alias_of: str = ""
    since: str | None = None
    needs: tuple[str, tuple[str, ...]] | None = None
    sticky: str | None = None
    open: object = None
    against: str = ""
    unrun: tuple[str, ...] = ()
    moot: str = ""
    line: Arg | None = None
    children: tuple[Keyword, ...] = ()
    index: dict[str, Keyword] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        for child in self.children:
            if child.name in self.index:
                raise ValueError(f"`{self.name}` declares `{child.name}` twice")
            self.index[child.name] = child

    @property
    def canonical(self) -> str:
        """The name under which its values are stored."""
        return self.alias_of or self.name

    @property
    def is_flag(self) -> bool:
        return self.kind is Kind.LEAF and not self.args

    def child(self, name: str) -> Keyword | None:
        """The keyword ``name`` of this block, None where there is none."""
        return self.index.get(name)

    def syntax(self) -> str:
        """The argument grammar in one line: ``UINT(1..255)``, ``IP [PORT]``, ``NAME { … }``, ``{ NAME … }``."""
        words = [arg.grammar for arg in self.args]
        if self.kind is Kind.BLOCK:
            words.append("{ … }")
        elif self.line is not None:
            words.append("{ " + self.line.grammar + " … }")
        return " ".join(words)

    def effect(self, given: bool = False) -> str:
        """What a refused value leads to, in words: ``ignored; `priority` stays 100``. ``given``: it had a value before."""
        if given and self.kind is Kind.LEAF:
            return "ignored; the value given before stays"
        if self.consequence:
            return self.consequence
        if self.kind is Kind.BLOCK:
            return "the whole block is skipped"
        if self.kind is Kind.LINES:
            return "the line is dropped"
        if self.default:
            return f"ignored; `{self.name}` stays {self.default}"
        return "ignored, as if the line were not there"


def leaf(
    name: str, args: Arg | tuple[Arg, ...], coverage: Coverage, default: str, doc: str, **more: object
) -> Keyword:
    """A keyword whose values stand on its line."""
    types = args if isinstance(args, tuple) else (args,)
    if "missing" not in more and types and types[0].optional:
        more["missing"] = Missing.SILENT
    return Keyword(name, Kind.LEAF, types, coverage, default, doc, **more)  # type: ignore[arg-type]


def flag(name: str, coverage: Coverage, default: str, doc: str, **more: object) -> Keyword:
    """A keyword without arguments; keepalived never looks at words behind it."""
    return Keyword(name, Kind.LEAF, (), coverage, default, doc, **more)  # type: ignore[arg-type]


def block(
    name: str,
    args: Arg | tuple[Arg, ...],
    coverage: Coverage,
    doc: str,
    children: tuple[Keyword, ...],
    **more: object,
) -> Keyword:
    """A keyword with a body of keywords. ``args`` are the words of its opening line."""
    types = args if isinstance(args, tuple) else (args,)
    more.setdefault("repeat", Repeat.ADD)
    return Keyword(name, Kind.BLOCK, types, coverage, "", doc, children=children, **more)  # type: ignore[arg-type]


def lines(name: str, line: Arg, coverage: Coverage, doc: str, **more: object) -> Keyword:
    """A keyword whose body is lines of a syntax of their own; words on the opening line are an error."""
    more.setdefault("repeat", Repeat.ADD)
    more.setdefault("extra", Extra.ERROR)
    return Keyword(name, Kind.LINES, coverage=coverage, doc=doc, line=line, **more)  # type: ignore[arg-type]


def renamed(keyword: Keyword, name: str, **more: object) -> Keyword:
    """The same keyword under another name; its values are stored under the first one."""
    more.setdefault("alias_of", keyword.canonical)
    return msgspec.structs.replace(keyword, name=name, index={}, **more)
