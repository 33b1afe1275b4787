"""The syntax tree: blocks and statements with exact positions, before any keyword has a meaning.

A configuration repeats itself: the same line stands in it again and again. So what a line *says* (its words) and what it is
made of (`Line`) are shared by all lines of the same text, and a statement of its own has only their line number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kcc.diagnostics.model import Related, Span

if TYPE_CHECKING:
    from collections.abc import Iterator


class Word(NamedTuple):
    """One word of a statement. ``start`` and ``end`` are 0-based offsets into the text of its logical line."""

    text: str
    start: int
    end: int
    quoted: bool = False


class Line:
    """One logical line: where its text comes from.

    ``text`` is the text after comments were removed and references replaced; ``indent`` the 0-based column of ``text[0]`` in the
    physical line. ``map`` is None where text and physical line agree column by column; else it is a tuple of
    ``(start, end, physical_start, physical_end, name)``: that part of ``text`` came from that part of the physical line, ``name``
    being the definition that was replaced there (or None). ``via`` says through which includes, definitions and replications
    the line was reached, innermost first.
    """

    __slots__ = ("file", "indent", "map", "number", "text", "via")

    def __init__(
        self,
        file: str,
        number: int,
        text: str,
        indent: int = 0,
        map: tuple[tuple[int, int, int, int, str | None], ...] | None = None,
        via: tuple[Related, ...] = (),
    ) -> None:
        self.file = file
        self.number = number
        self.text = text
        self.indent = indent
        self.map = map
        self.via = via

    def at(self, number: int) -> Line:
        """The same text on another line of the same file."""
        if number == self.number:
            return self
        return Line(self.file, number, self.text, self.indent, self.map, self.via)

    def span(self, start: int, end: int) -> Span:
        """The place in the source file of ``text[start:end]`` (0-based offsets)."""
        if self.map is None:
            return Span(self.file, self.number, self.indent + start + 1, self.number, self.indent + end + 1)
        left = right = None
        for a, b, pa, pb, name in self.map:
            if left is None and start < b:
                left = pa if name is not None else pa + max(0, start - a)
            if end <= b:
                right = pb if name is not None else pa + max(0, end - a)
                break
        last = self.map[-1][3] if self.map else self.indent
        left = last if left is None else left
        right = last if right is None else right
        return Span(self.file, self.number, left + 1, self.number, max(right, left + 1) + 1)


class CutLine(Line):
    """A line whose last word ends where a comment begins, with no blank between them: ``auth_pass a#b`` says ``a``."""

    __slots__ = ()

    def at(self, number: int) -> Line:
        return (
            self
            if number == self.number
            else CutLine(self.file, number, self.text, self.indent, self.map, self.via)
        )


Place = tuple[Line, int, int]
"""A brace: its line's text, the number of the line it stands on, and its offset in that text."""


class Statement:
    """A keyword with its words: ``priority 150``.

    ``words[0]`` is the keyword. ``raw`` is the text of the whole piece, comments removed (scripts and hex strings split it
    by rules of their own).
    ``number`` is the statement's line number: ``line`` is built from the shared text when it is asked for.
    """

    __slots__ = ("_line", "number", "words")

    def __init__(self, line: Line, words: tuple[Word, ...], number: int = 0) -> None:
        self._line = line
        self.words = words
        self.number = number or line.number

    @property
    def line(self) -> Line:
        line = self._line
        return line if line.number == self.number else line.at(self.number)

    @property
    def keyword(self) -> str:
        return self.words[0].text

    @property
    def args(self) -> tuple[Word, ...]:
        return self.words[1:]

    @property
    def raw(self) -> str:
        return self._line.text[self.words[0].start : self.raw_end]

    @property
    def raw_end(self) -> int:
        return self.words[-1].end

    def span(self) -> Span:
        """The whole statement, from the keyword to the last word."""
        return self.line.span(self.words[0].start, self.words[-1].end)

    def word_span(self, index: int) -> Span:
        """The word ``index`` (0 is the keyword), its quotes included."""
        word = self.words[index]
        return self.line.span(word.start, word.end)

    def end_span(self) -> Span:
        """The place just behind the last word: where a missing argument should stand."""
        end = self.words[-1].end
        return self.line.span(end, end + 1)

    def via(self) -> tuple[Related, ...]:
        return self._line.via


class Block(Statement):
    """A statement with a body: ``vrrp_instance VI_1 { … }``.

    ``body`` holds statements and blocks in order. ``closed`` is the place of the closing brace, None where input ended first.
    """

    __slots__ = ("_closed", "_opened", "body")

    def __init__(
        self,
        line: Line,
        words: tuple[Word, ...],
        body: list[Statement],
        opened: Span | Place | None = None,
        closed: Span | Place | None = None,
        number: int = 0,
    ) -> None:
        self._line = line
        self.words = words
        self.number = number or line.number
        self.body = body
        self._opened = opened
        self._closed = closed

    @property
    def opened(self) -> Span | None:
        """The opening brace; None where it is missing."""
        return _brace_span(self._opened)

    @property
    def closed(self) -> Span | None:
        """The closing brace; None where it is missing."""
        return _brace_span(self._closed)


def _brace_span(place: Span | Place | None) -> Span | None:
    if place is None or isinstance(place, Span):
        return place
    line, number, offset = place
    return line.at(number).span(offset, offset + 1)


class Tree:
    """A whole configuration. ``files`` are the paths in the order they were opened, ``lines`` counts physical lines read."""

    __slots__ = ("body", "files", "lines")

    def __init__(self, body: list[Statement], files: tuple[str, ...], lines: int) -> None:
        self.body = body
        self.files = files
        self.lines = lines

    def walk(self) -> Iterator[Statement]:
        """Every statement and block, outer before inner, in the order of the text."""
        stack: list[Statement] = list(reversed(self.body))
        while stack:
            node = stack.pop()
            yield node
            if isinstance(node, Block):
                stack.extend(reversed(node.body))
