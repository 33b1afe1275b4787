"""How deep each line stands, and whether the braces of one file balance by themselves."""

from __future__ import annotations

import re

from kcc.layout.rows import BLANK, CLOSE, COMMENT, OPEN, STATEMENT, TEXT, VERBATIM, Item
from kcc.source.definitions import DEFINITION, MISWRITTEN
from kcc.source.includes import INCLUDE
from kcc.source.reader import CONDITION
from kcc.source.replication import REPLICATION
from kcc.source.text import BLANKS, Text, first_brace, strip_comment

__all__ = ["OTHER", "Refused", "conditions", "depths"]

OTHER = "\n"
"""The configuration id of a director that no condition names."""

_NAMED = re.compile(r"(?:^|[{}])[ \t\r\v\f]*@(\^?)([^ \t\r\v\f{}]+)")


_CLOSES_FIRST = re.compile(r"(?:@\S+[ \t\r\v\f]+)*\}")


class Refused(Exception):  # noqa: N818 - a refusal is an answer
    """The file is left alone; the text says why and what to do. ``line`` 0: the file as a whole."""

    def __init__(self, reason: str, line: int = 0, help: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line
        self.help = help


def conditions(items: list[Item]) -> list[str]:
    """The configuration ids that conditions (``@id``, ``@^id``) name, and one that none names: the file has a meaning for each."""
    names: dict[str, None] = {}
    for item in items:
        if item.kind == TEXT and "@" in item.text:
            for match in _NAMED.finditer(item.text):
                names[match.group(2)] = None
    return [*names, OTHER]


def depths(items: list[Item]) -> list[int]:
    """The depth of each item: how many blocks are open around it.

    Where lines depend on the configuration id, the braces must balance for every id that is named. Raises Refused.
    """
    ids = conditions(items)
    found: list[int] = [-1] * len(items)
    for instance in ids:
        try:
            walked = _walk(items, instance)
        except Refused:
            if instance != OTHER or len(ids) == 1:
                raise
            continue  # each named director has a file that balances; no other one reads it
        found = [old if old >= 0 else new for old, new in zip(found, walked, strict=True)]
    return [max(depth, 0) for depth in found]


def _walk(items: list[Item], instance: str) -> list[int]:
    """Depths for one configuration id; -1 for what does not hold there."""
    open_lines: list[int] = []
    found: list[int] = []
    for item in items:
        if item.kind in (BLANK, COMMENT, STATEMENT, VERBATIM):
            found.append(len(open_lines))
        elif item.kind == OPEN:
            found.append(len(open_lines))
            open_lines.append(item.number)
        elif item.kind == CLOSE:
            _pop(open_lines, item.number)
            found.append(len(open_lines))
        else:
            effect = _effect(item.text, instance)
            leading = 0
            for brace in effect or "":
                if brace == "{":
                    open_lines.append(item.number)
                else:
                    _pop(open_lines, item.number)
            if effect is None:
                found.append(-1)
                continue
            leading = len(effect) - len(effect.lstrip("}")) if _CLOSES_FIRST.match(item.text) else 0
            before = len(open_lines) - effect.count("{") + effect.count("}")
            found.append(before - leading)
    if open_lines:
        raise Refused(
            "the block that is opened here is never closed",
            open_lines[-1],
            "close it first: `kcc check` shows where the brace was lost",
        )
    return found


def _pop(open_lines: list[int], number: int) -> None:
    if not open_lines:
        raise Refused(
            "this `}` closes nothing",
            number,
            "remove it first, or find the `{` that was lost: see `kcc check`",
        )
    open_lines.pop()


def _effect(text: str, instance: str) -> str | None:
    """The braces of a line as the reader will see them; None where the line does not hold for ``instance``."""
    if "\0" in text:
        return ""
    value = strip_comment(Text(text))[0].value
    found: list[str] = []
    whole = True
    while value:
        if value[0] == "@":
            match = CONDITION.match(value)
            if (
                match is None
                or match.end() == len(value)
                or (match.group(2) == instance) == bool(match.group(1))
            ):
                return None if whole else "".join(found)
            value = value[match.end() :]
            continue
        whole = False
        if DEFINITION.match(value) or MISWRITTEN.match(value) or INCLUDE.match(value):
            break
        if REPLICATION.match(value):
            value = value.partition(")")[2].strip(BLANKS)
            continue
        cut = first_brace(value)
        if cut < 0:
            break
        found.append(value[cut])
        value = value[cut + 1 :].strip(BLANKS)
    return "".join(found)
