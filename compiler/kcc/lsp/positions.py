"""Columns: kcc counts characters from 1, an editor counts code units of the encoding it agreed on from 0."""

from __future__ import annotations

UTF8, UTF16, UTF32 = "utf-8", "utf-16", "utf-32"


def units(text: str, encoding: str) -> int:
    """How many code units ``text`` has in ``encoding`` (LSP 3.17, PositionEncodingKind)."""
    if text.isascii() or encoding == UTF32:
        return len(text)
    if encoding == UTF8:
        return len(text.encode("utf-8", "surrogateescape"))
    return len(text) + sum(c > "\uffff" for c in text)


def to_units(line: str, offset: int, encoding: str) -> int:
    """The position in code units of the character ``offset`` (from 0) of ``line``; behind its end: its end."""
    return units(line[: max(0, offset)], encoding)


def to_offset(line: str, position: int, encoding: str) -> int:
    """The character (from 0) at ``position`` code units; a position inside a character means that character."""
    if line.isascii() or encoding == UTF32:
        return min(max(0, position), len(line))
    seen = 0
    for offset, char in enumerate(line):
        seen += units(char, encoding)
        if seen > position:
            return offset
    return len(line)


def split(text: str) -> list[str]:
    """The lines of ``text`` without their ends, as the reader counts them: only a newline ends a line."""
    return [line.removesuffix("\r") for line in text.split("\n")]
