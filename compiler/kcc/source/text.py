"""A piece of configuration text that remembers, column by column, where in the physical line it came from."""

from __future__ import annotations

import re

__all__ = ["BLANKS", "Part", "Text", "first_brace", "shift_marks", "strip_comment"]

BLANKS = " \t\r\v\f\n"
"""What keepalived takes for white space: ``isspace`` of the C locale. A non-breaking space is none."""

Part = tuple[int, int, int, int, str | None]
"""``(start, end, physical_start, physical_end, name)``, see ``kcc.syntax.tree.Line``."""


class Text:
    """Immutable text with its columns. ``parts`` None: ``value[i]`` stood in column ``indent + i`` (from 0)."""

    __slots__ = ("indent", "parts", "value")

    def __init__(self, value: str, indent: int = 0, parts: tuple[Part, ...] | None = None) -> None:
        self.value = value
        self.indent = indent
        self.parts = parts

    def slice(self, start: int, end: int | None = None) -> Text:
        """``value[start:end]`` with its columns (0 <= start, no negative indices)."""
        value = self.value[start:end]
        if self.parts is None:
            return Text(value, self.indent + start)
        stop = start + len(value)
        parts: list[Part] = []
        for a, b, pa, pb, name in self.parts:
            left, right = max(a, start), min(b, stop)
            if left < right or (left == right and start <= a == b <= stop):
                if name is None:
                    parts.append((left - start, right - start, pa + left - a, pa + right - a, None))
                else:
                    parts.append((left - start, right - start, pa, pb, name))
        return Text(value, self.column(start), tuple(parts))

    def stripped(self) -> Text:
        """Without the white space around it."""
        value = self.value
        end = len(value.rstrip(BLANKS))
        start = len(value) - len(value.lstrip(BLANKS))
        if start == 0 and end == len(value):
            return self
        return self.slice(min(start, end), end)

    def column(self, offset: int) -> int:
        """The physical column (from 0) of ``value[offset]``; just behind the end for ``len(value)``."""
        if self.parts is None:
            return self.indent + offset
        for a, b, pa, _pb, name in self.parts:
            if offset < b:
                return pa if name is not None else pa + max(0, offset - a)
        return self.parts[-1][3] if self.parts else self.indent

    def end_column(self, offset: int) -> int:
        """The physical column just behind ``value[:offset]``."""
        if self.parts is None:
            return self.indent + offset
        for a, b, pa, pb, name in self.parts:
            if offset <= b:
                return pb if name is not None else pa + max(0, offset - a)
        return self.parts[-1][3] if self.parts else self.indent

    def replace(self, edits: list[tuple[int, int, str, str | None]]) -> Text:
        """Put ``new`` in the place of ``value[start:end]`` for each ``(start, end, new, name)``, in ascending order.

        The new text is mapped to the columns of what it replaced, under ``name``; a part that already came
        from a definition keeps that definition's columns.
        """
        values: list[str] = []
        parts: list[Part] = []
        at = length = 0

        def keep(start: int, end: int) -> None:
            nonlocal length
            if start >= end:
                return
            piece = self.slice(start, end)
            values.append(piece.value)
            for a, b, pa, pb, name in piece.all_parts():
                parts.append((a + length, b + length, pa, pb, name))
            length += len(piece.value)

        for start, end, new, name in edits:
            keep(at, start)
            values.append(new)
            parts.append((length, length + len(new), self.column(start), self.end_column(end), name or ""))
            length += len(new)
            at = end
        keep(at, len(self.value))
        return Text("".join(values), parts[0][2] if parts else self.indent, tuple(parts))

    def join(self, other: Text) -> Text:
        """This text and ``other`` behind it."""
        length = len(self.value)
        moved = tuple((a + length, b + length, pa, pb, name) for a, b, pa, pb, name in other.all_parts())
        return Text(self.value + other.value, self.indent, (*self.all_parts(), *moved))

    def drop(self, offsets: list[int]) -> Text:
        """Without the single characters at ``offsets`` (ascending)."""
        if not offsets:
            return self
        values: list[str] = []
        parts: list[Part] = []
        at = length = 0
        for offset in [*offsets, len(self.value)]:
            if at < offset:
                piece = self.slice(at, offset)
                values.append(piece.value)
                parts += [(a + length, b + length, pa, pb, name) for a, b, pa, pb, name in piece.all_parts()]
                length += len(piece.value)
            at = offset + 1
        return Text("".join(values), parts[0][2] if parts else self.indent, tuple(parts))

    def all_parts(self) -> tuple[Part, ...]:
        if self.parts is not None:
            return self.parts
        return ((0, len(self.value), self.indent, self.indent + len(self.value), None),)


_LEXEMES = re.compile(r'\\.|[#!"]', re.DOTALL)


def strip_comment(
    text: Text, literal: frozenset[int] = frozenset()
) -> tuple[Text, frozenset[int], int | None]:
    """Remove the comment, the blanks around the text, and the backslash of ``\\#`` and ``\\!``.

    ``literal`` holds offsets of comment characters that are text because they were escaped before.
    Returns the text, the offsets of such characters in it, and the offset of a quote that is never closed (or None).
    A backslash takes the next character with it, a quote too: ``"a\\"`` is a quote that is never closed. Nothing else is special inside
    double quotes.
    """
    value = text.value
    end = len(value)
    escaped: list[int] = []
    unclosed: int | None = None
    if "#" in value or "!" in value or '"' in value:
        at = 0
        while (match := _LEXEMES.search(value, at)) is not None:
            at = match.end()
            found = match.group()
            if found == '"':
                unclosed = match.start() if unclosed is None else None
            elif unclosed is not None:
                continue
            elif found in ("\\#", "\\!"):
                escaped.append(match.start())
            elif found in ("#", "!") and match.start() not in literal:
                end = match.start()
                break
    kept = len(value[:end].rstrip(BLANKS))
    start = kept - len(value[:kept].lstrip(BLANKS))
    if start or kept != len(value):
        text = text.slice(start, kept)
    escaped = [offset - start for offset in escaped if offset - start < kept - start]
    marks = {offset - start for offset in literal if start <= offset < kept}
    if unclosed is not None:
        unclosed -= start
    if escaped:
        text = text.drop(escaped)
        marks = {_shifted(offset, escaped) for offset in marks} | {at - i for i, at in enumerate(escaped)}
        if unclosed is not None:
            unclosed = _shifted(unclosed, escaped)
    return text, frozenset(marks), unclosed


def shift_marks(marks: frozenset[int], by: int) -> frozenset[int]:
    """The offsets ``marks`` in a text that begins ``by`` characters later."""
    return frozenset(mark - by for mark in marks if mark >= by) if marks else marks


_CUT = re.compile(r'"[^"]*"|\$\{(?:[^{}"]|\$\{[^{}"]*\})*\}|[{}]|"')


def first_brace(value: str) -> int:
    """The offset of the first brace outside double quotes and outside an unreplaced ``${…}``; -1 without one."""
    if "{" not in value and "}" not in value:
        return -1
    at = 0
    while (match := _CUT.search(value, at)) is not None:
        found = match.group()
        if found in ("{", "}"):
            return match.start()
        if found == '"':
            return -1
        at = match.end()
    return -1


def _shifted(offset: int, dropped: list[int]) -> int:
    return offset - sum(1 for at in dropped if at < offset)
