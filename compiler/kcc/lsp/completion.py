"""What can stand at a cursor: keywords of the block around it, words of an enumeration, names that are defined."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kcc.language.arguments.base import Arg, Many, Optional
from kcc.language.arguments.servers import MethodArg, ServerArg
from kcc.language.arguments.words import BoolArg, EnumArg
from kcc.language.release import release_of
from kcc.language.tree import Keyword, Kind
from kcc.lsp.context import Place
from kcc.lsp.names import Defined, wanted_at
from kcc.lsp.reference import entry

INCLUDES = ("include", "includer", "includem", "includew", "includeb", "includea")


class Proposal(NamedTuple):
    """One thing that can be written. ``kind``: ``keyword``, ``block``, ``value``, ``name`` or ``definition``. ``body``: a body in
    braces follows. ``order``: proposals of a lower one come first.
    """

    text: str
    kind: str
    detail: str = ""
    documentation: str = ""
    deprecated: bool = False
    body: bool = False
    arguments: bool = False
    order: int = 0


def proposals(
    place: Place,
    defined: Iterable[Defined],
    target: str,
    definitions: Iterable[tuple[str, str]] = (),
    written: str = "",
) -> list[Proposal]:
    """What can stand at the cursor. ``definitions``: name and value of each ``$NAME``, for where one is begun; ``written``
    what stands before the cursor in its word.
    """
    if place.comment:
        return []
    if "$" in written:
        return [Proposal(f"${{{name}}}", "definition", value) for name, value in dict(definitions).items()]
    if place.definition:
        return []
    wanted = wanted_at(place)
    defining = not place.heads and place.at == 1
    if wanted and not defining:
        return [Proposal(d.name, "name", d.keyword) for d in defined if d.keyword in wanted]
    if place.at == 0:
        return _keywords(place, target)
    return _values(place)


def _keywords(place: Place, target: str) -> list[Proposal]:
    if place.block is None or place.block.kind is not Kind.BLOCK:
        return []
    path = tuple(head[0] for head in place.heads if head)
    release = release_of(target)
    found = [
        Proposal(
            text=child.name,
            kind="keyword" if child.kind is Kind.LEAF else "block",
            detail=child.syntax(),
            documentation=entry(child, path),
            deprecated=bool(child.deprecated_by),
            body=child.kind is not Kind.LEAF,
            arguments=bool(child.args),
            order=2 if child.deprecated_by or child.alias_of else 0,
        )
        for child in place.block.children
        if release.takes(child)
    ]
    if not path:
        found += [
            Proposal(name, "keyword", "PATTERN", "Read further files here.", arguments=True, order=1)
            for name in INCLUDES
        ]
    return found


def _values(place: Place) -> list[Proposal]:
    keyword = place.keyword
    if keyword is None:
        line = place.block.line if place.block is not None else None
        return [] if line is None else _listed(place, line)
    arg = _argument(keyword, place.at - 1)
    return [Proposal(word, "value", keyword.name) for word in choices(arg)]


def _listed(place: Place, line: Arg) -> list[Proposal]:
    """Words of a line of a list: the options that its grammar names."""
    before = place.words[place.at - 1].text if 0 < place.at <= len(place.words) else ""
    if "weight INT" in line.grammar:
        if place.at == 1:
            return [Proposal("weight", "value", line.grammar)]
        return [Proposal(w, "value", line.grammar) for w in ("reverse", "noreverse")] if place.at == 3 else []
    if "min_ttl" in line.grammar and not before.endswith("_ttl"):
        return [Proposal(w, "value", line.grammar) for w in ("min_ttl", "max_ttl")]
    return []


def _argument(keyword: Keyword, index: int) -> Arg | None:
    """The argument that the word ``index`` (from 0) belongs to; types of several words end what can be told."""
    if index < len(keyword.args):
        return keyword.args[index]
    last = keyword.args[-1] if keyword.args else None
    return last if isinstance(last, Many) else None


def choices(arg: Arg | None) -> tuple[str, ...]:
    """The words that an argument can be, none where they cannot be listed."""
    match arg:
        case Optional() | Many():
            return choices(arg.arg)
        case EnumArg():
            return arg.choices
        case BoolArg():
            return ("true", "false")
        case MethodArg():
            return ("NAT", "DR", "TUN")
        case ServerArg():
            return ("fwmark", "group")
        case _:
            return ()
