"""From lines to the parser's terminals, fast for lines seen before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kcc.diagnostics.model import Findings
from kcc.source.frames import FileFrame, MadeFrame, PathsFrame
from kcc.source.options import Options
from kcc.source.reader import CLOSE as LOGICAL_CLOSE
from kcc.source.reader import OPEN as LOGICAL_OPEN
from kcc.source.reader import Logical, Reader
from kcc.syntax.known import ROOTS
from kcc.syntax.pieces import CLOSE, EMPTY, MEMORY, OPEN, SEVERAL, SPECIAL, STATEMENT, Piece, Pieces
from kcc.syntax.tree import CutLine, Line, Statement

__all__ = ["Stream", "Terminal", "Unbalanced"]


class Unbalanced(Exception):  # noqa: N818 - a signal, not an error: read again, with care
    """The braces do not balance, or a block is surely not closed."""


Terminal = tuple[str, Any]
"""The name of a terminal of the grammar and its value."""


class Stream:
    """Takes lines from the reader and gives pieces (``numbered``) or terminals (``terminals``)."""

    def __init__(self, reader: Reader, findings: Findings, options: Options) -> None:
        self.reader = reader
        self.findings = findings
        self.limits = options.limits
        self.pieces = Pieces()
        self._run: list[Statement] = []
        self._depth = 0
        self._outermost = 0

    # --- the way of a file without surprises

    def terminals(self) -> Iterator[Terminal]:
        """Terminals for the parser. Raises Unbalanced at the first brace that cannot be right.

        This is the loop that a million lines go through: it does the work of `numbered` without its calls.
        """
        reader = self.reader
        stack = reader.stack
        learn, fold = self.pieces.learn, self._fold
        while stack:
            frame = stack[-1]
            if not isinstance(frame, FileFrame):
                for piece, number in self._other(frame):
                    yield from fold(piece, number)
                continue
            lines = frame.chunk()
            if lines is None:
                reader.close()
                continue
            memo, name, via = frame.memo, frame.name, frame.via
            base = number = frame.number
            run = self._run
            for raw in lines:
                number += 1
                known = memo.get(raw)
                if known is None:
                    known = learn(raw, number, name, via)
                    if len(memo) >= MEMORY:
                        memo.clear()
                    memo[raw] = known
                kind = known.kind
                if reader.collecting is not None:
                    kind = SPECIAL
                if kind == STATEMENT:
                    run.append(Statement(known.line, known.words, number))
                elif kind == EMPTY:
                    continue
                elif kind < SEVERAL:
                    yield from fold(known, number)
                    run = self._run
                else:
                    frame.number = number
                    for part, at in self._unusual(known, raw, number, frame):
                        yield from fold(part, at)
                    run = self._run
                    if stack[-1] is not frame:
                        frame.give_back(lines, number - base)
                        break
            frame.number = number
        reader.finish_collecting()
        if self._depth:
            raise Unbalanced
        if self._run:
            yield "STATEMENTS", self._run

    def _fold(self, piece: Piece, number: int) -> tuple[Terminal, ...]:
        """The terminals that one more piece completes."""
        run = self._run
        if piece.kind == STATEMENT:
            run.append(Statement(piece.line, piece.words, number))
            return ()
        brace = (piece.line, number, piece.brace)
        if piece.kind == CLOSE:
            self._depth -= 1
            if self._depth < 0:
                raise Unbalanced
            if not run:
                return (("CLOSE", brace),)
            self._run = []
            return (("STATEMENTS", run), ("CLOSE", brace))
        line, words, at = piece.line, piece.words, number
        if not words:
            if not run:
                raise Unbalanced
            head = run.pop()
            line, words, at = head._line, head.words, head.number
        if self._depth == 0:
            self._outermost = piece.indent
        elif words[0].text in ROOTS and 0 <= piece.indent <= self._outermost:
            raise Unbalanced
        self._depth += 1
        if self._depth > self.limits.max_block_depth:
            raise Unbalanced
        opening = (line, words, at, brace)
        if not run:
            return (("OPEN", opening),)
        self._run = []
        return (("STATEMENTS", run), ("OPEN", opening))

    # --- pieces

    def numbered(self) -> Iterator[tuple[Piece, int]]:
        """Every piece of the configuration, with the number of its line: STATEMENT, OPEN and CLOSE only."""
        reader = self.reader
        stack = reader.stack
        while stack:
            frame = stack[-1]
            if not isinstance(frame, FileFrame):
                yield from self._other(frame)
                continue
            lines = frame.chunk()
            if lines is None:
                reader.close()
                continue
            base = number = frame.number
            for raw in lines:
                number += 1
                piece = self.pieces.learn(raw, number, frame.name, frame.via)
                if reader.collecting is not None or piece.kind >= SEVERAL:
                    frame.number = number
                    yield from self._unusual(piece, raw, number, frame)
                    if stack[-1] is not frame:
                        frame.give_back(lines, number - base)
                        break
                elif piece.kind != EMPTY:
                    yield piece, number
            frame.number = number
        reader.finish_collecting()

    def _unusual(self, piece: Piece, raw: str, number: int, frame: FileFrame) -> Iterator[tuple[Piece, int]]:
        """The pieces of a line that holds several, or that the reader must look at."""
        if piece.kind == SEVERAL and self.reader.collecting is None:
            for part in piece.parts:
                yield part, number
            return
        pieces = self._logical(self.reader.physical(raw, number, frame))
        if "auth_pass" in raw and ("#" in raw or "!" in raw):
            pieces = _noting_cut(pieces, raw)
        yield from pieces

    def _other(self, frame: MadeFrame | PathsFrame) -> Iterator[tuple[Piece, int]]:
        """The next line that a definition or replication made; or the next included file is opened."""
        if isinstance(frame, MadeFrame):
            logical = self.reader.take_made(frame)
            if logical is not None:
                yield from self._logical(logical)
                return
        elif self.reader.open_next(frame):
            return
        self.reader.close()

    def _logical(self, logical: Iterator[Logical]) -> Iterator[tuple[Piece, int]]:
        """The pieces of a line that went through the reader: a head and its brace become one OPEN."""
        head: Logical | None = None
        first = True
        for item in logical:
            if item.kind == LOGICAL_OPEN:
                yield self._prepared(OPEN, head, item, first), item.place.number
                head, first = None, False
                continue
            if head is not None:
                yield self._prepared(STATEMENT, head, None, first), head.place.number
                head, first = None, False
            if item.kind == LOGICAL_CLOSE:
                yield self._prepared(CLOSE, None, item, first), item.place.number
                first = False
            else:
                head = item
        if head is not None:
            yield self._prepared(STATEMENT, head, None, first), head.place.number

    def _prepared(self, kind: int, head: Logical | None, brace: Logical | None, first: bool) -> Piece:
        """A piece from prepared text; the brace's text is appended to the head's so that one line holds both."""
        item = head or brace
        assert item is not None
        text = item.text
        words = self.pieces.words_of(text.value) if head is not None else ()
        offset = -1
        value, parts, indent = text.value, text.parts, text.indent
        if brace is not None:
            offset = 0
            if head is not None:
                offset = len(value)
                column = brace.text.column(0)
                parts = (*text.all_parts(), (offset, offset + 1, column, column + 1, None))
                value += brace.text.value
        line = Line(item.place.file, item.place.number, value, indent, parts, item.via)
        made = bool(text.parts) and text.parts is not None and text.parts[0][4] is not None
        return Piece(kind, line, words, offset, (), text.column(0) if first and not made else -1)


def _noting_cut(pieces: Iterator[tuple[Piece, int]], raw: str) -> Iterator[tuple[Piece, int]]:
    """``pieces`` of the line ``raw``; the statement whose last word a comment follows without a blank says so."""
    from kcc.source.text import Text, strip_comment

    code = strip_comment(Text(raw))[0]
    end = code.column(len(code.value))
    if not code.value or raw[end : end + 1] not in ("#", "!"):
        yield from pieces
        return
    *before, (last, number) = list(pieces) or [(_EMPTY, 0)]
    yield from before
    if last.kind == STATEMENT:
        line = last.line
        last.line = CutLine(line.file, line.number, line.text, line.indent, line.map, line.via)
    if last.kind != EMPTY:
        yield last, number


_EMPTY = Piece(EMPTY, Line("", 0, ""))
