"""The physical lines of one file, sorted by what may be done to them.

Nothing is expanded: a line that means something before the text is parsed (a definition, a condition, an include,
a replication, a reference whose value is not known to be harmless, an escape) is kept as it stands, but for its
indentation. All other lines are cut into statements and braces.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kcc.source.definitions import DEFINITION, MISWRITTEN, REFERENCE
from kcc.source.includes import INCLUDE
from kcc.source.replication import REPLICATION
from kcc.source.text import BLANKS, Text, first_brace, strip_comment

__all__ = [
    "BLANK",
    "CLOSE",
    "COMMENT",
    "OPEN",
    "STATEMENT",
    "TEXT",
    "VERBATIM",
    "Item",
    "read_items",
]

BLANK, COMMENT, STATEMENT, OPEN, CLOSE, TEXT, VERBATIM = range(7)
"""An empty line; a comment alone; a statement; a head with its ``{``; a ``}``; a line kept as it is; the same, and its
indentation too (further lines of a definition)."""

_RUN = re.compile(r'"[^"]*"|[ \t\r\v\f]+')
_HARMFUL = re.compile(r'[{}"\\#!$@~\'\0]|^include')


@dataclass(slots=True)
class Item:
    """One line to be. ``number`` is that of the physical line it came from; ``comment`` begins with its sign.

    ``glued``: the comment begins right behind a word, and whoever wrote it may have meant one word (``auth_pass a#b``).
    It stays there: moved away, it would look like a comment that was meant.
    """

    kind: int
    text: str
    number: int
    comment: str = ""
    glued: bool = False


def read_items(lines: Iterable[str], limit: int) -> list[Item]:
    """The items of a file's lines (without their newlines). ``limit``: characters beyond which keepalived drops a line."""
    rows = list(lines)
    harmless = _harmless(rows)
    found: list[Item] = []
    collecting = False
    for number, raw in enumerate(rows, 1):
        if collecting:
            found.append(Item(VERBATIM, raw.rstrip(BLANKS), number))
            collecting = goes_on(raw)
            continue
        stripped = raw.strip(BLANKS)
        if not stripped:
            found.append(Item(BLANK, "", number))
        elif stripped[0] in "#!":
            found.append(Item(COMMENT, "", number, stripped))
        else:
            collecting = begins_definition(raw)
            pieces = None if collecting else _pieces(raw, harmless, limit)
            if pieces is None:
                found.append(Item(TEXT, stripped, number))
            else:
                found += [Item(kind, text, number) for kind, text in pieces[0]]
                found[-1].comment = pieces[1]
                found[-1].glued = found[-1].kind == STATEMENT and pieces[2]
    return found


def begins_definition(raw: str) -> bool:
    """Whether ``raw`` is the first line of a definition that goes on in the next one."""
    value = strip_comment(Text(raw))[0].value
    if "$" not in value or not value.endswith("\\"):
        return False
    while True:
        if value.startswith(("@", "~")) or INCLUDE.match(value):
            words = value.split(None, 1)
            if value[0] != "@" or len(words) < 2:
                return False
            value = words[1]
            continue
        if DEFINITION.match(value):
            return True
        if found := MISWRITTEN.match(value):
            return DEFINITION.match(f"${found.group(1)}=") is not None
        cut = first_brace(value)
        if cut < 0:
            return False
        value = value[cut + 1 :].strip(BLANKS)


def goes_on(raw: str) -> bool:
    """Whether a definition of several lines goes on behind its line ``raw``: see the reader, which decides alike."""
    written = raw.rstrip(BLANKS)
    value = strip_comment(Text(raw))[0].value
    if written.endswith("\\") or value.endswith("\\"):
        return True
    return bool(written) and not value


def _harmless(rows: list[str]) -> frozenset[str]:
    """The names whose every value, wherever this file defines them, is a single line of plain words."""
    values: dict[str, bool] = {}
    for raw in rows:
        if "$" not in raw or "=" not in raw:
            continue
        text = strip_comment(Text(raw))[0].value
        for match in re.finditer(r"\$([A-Za-z_][A-Za-z0-9_]*)[ \t\r\v\f]*=[ \t\r\v\f]*", text):
            value = text[match.end() :]
            good = bool(value) and not _HARMFUL.search(value) and DEFINITION.match(text) is not None
            values[match.group(1)] = values.get(match.group(1), True) and good
    return frozenset(name for name, good in values.items() if good)


def _pieces(raw: str, harmless: frozenset[str], limit: int) -> tuple[list[tuple[int, str]], str, bool] | None:
    """The statements and braces of a line, its comment and whether no blank stands before that; None where it must stay as
    it is.
    """
    if "\0" in raw or len(raw.encode("utf-8", "surrogateescape")) > limit:
        return None
    text, _marks, unclosed = strip_comment(Text(raw))
    value = text.value
    if unclosed is not None or "\\" in raw[: text.indent + len(value)]:
        return None
    behind = raw[text.indent + len(value) :]
    comment = behind.strip(BLANKS)
    for match in re.finditer(r"\$", value):
        found = REFERENCE.match(value, match.start())
        if found is None or (found.group(1) or found.group(3)) not in harmless:
            return None
    pieces: list[tuple[int, str]] = []
    for kind, part in _cut(value):
        if kind != CLOSE and _is_special(part):
            return None
        pieces.append((kind, _single_blanks(part)))
    return pieces, comment, behind[:1] in ("#", "!")


def _cut(value: str) -> Iterator[tuple[int, str]]:
    rest = value
    while rest:
        cut = first_brace(rest)
        if cut < 0:
            yield STATEMENT, rest
            return
        head = rest[:cut].strip(BLANKS)
        if rest[cut] == "{":
            yield OPEN, head
        else:
            if head:
                yield STATEMENT, head
            yield CLOSE, ""
        rest = rest[cut + 1 :].strip(BLANKS)


def _is_special(part: str) -> bool:
    """Whether the reader does something with a piece that begins like this, so that it takes in all that follows it."""
    if part.startswith("@"):
        return True
    return bool(
        DEFINITION.match(part) or MISWRITTEN.match(part) or REPLICATION.match(part) or INCLUDE.match(part)
    )


def _single_blanks(part: str) -> str:
    """One blank between words. Single quotes group words of a command: what stands inside them is not touched."""
    if "'" in part:
        return part
    return _RUN.sub(lambda m: m.group() if m.group()[0] == '"' else " ", part)
