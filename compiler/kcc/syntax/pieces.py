"""What a physical line says, learned once: real configurations say the same few lines again and again.

Two memories. One maps a line's text to its pieces. The other maps its *shape*, the text with each digit
replaced by ``0``, to where its words begin and end: a line that differs from an earlier one in its numbers only is cut at the same
columns, so the lexer need not see it. Both are emptied when they have grown large.
"""

from __future__ import annotations

import re

from kcc.syntax import _lextab, lexer
from kcc.syntax.tree import CutLine, Line, Word

__all__ = ["CLOSE", "EMPTY", "OPEN", "SEVERAL", "SPECIAL", "STATEMENT", "Piece", "Pieces"]

EMPTY, STATEMENT, OPEN, CLOSE, SEVERAL, SPECIAL = range(6)

MEMORY = 1 << 15
"""Lines remembered, and shapes. Larger gains nothing measurable, each costs some 500 bytes."""

_SPECIAL = re.compile(
    r"[$\\\0~]"
    r"|(?:^|[{}])[ \t\r\v\f]*(?:@|include[a-z]?[ \t\r\v\f])"
    r"|include_check|random_seed"
    r"|^.{255}"
)
"""What sends a line through the reader: references, escapes, replication, conditions, includes, length."""

_DIGITS = {ord(digit): "0" for digit in "123456789"}

Shape = tuple[int, int, tuple[tuple[int, int, bool], ...], int]
"""Kind, end of the text without its comment, the words' start, end and quoting, and the brace's offset."""


class Piece:
    """One piece of a line. ``line`` is shared by all lines of the same text; its ``number`` is that of the first.

    ``brace`` is the offset of the brace for OPEN and CLOSE. A ``{`` alone is an OPEN without words. ``parts`` are
    the pieces of a SEVERAL.
    """

    __slots__ = ("brace", "indent", "kind", "line", "parts", "words")

    def __init__(
        self,
        kind: int,
        line: Line,
        words: tuple[Word, ...] = (),
        brace: int = -1,
        parts: tuple[Piece, ...] = (),
        indent: int = 0,
    ) -> None:
        self.kind = kind
        self.line = line
        self.words = words
        self.brace = brace
        self.parts = parts
        self.indent = indent
        """The column (from 0) of the first character of the physical line that is no blank; -1 behind a brace."""


class Pieces:
    """The memories, the lexer, and what turns text into pieces."""

    def __init__(self) -> None:
        self._lexer = lexer.load(_lextab)
        self._shapes: dict[str, Shape | None] = {}
        self._heads: dict[tuple[str, int], Word] = {}

    def learn(self, raw: str, number: int, file: str, via: tuple[object, ...]) -> Piece:
        """The piece of the physical line ``raw``; SPECIAL where the reader must look at it."""
        shape_text = raw.translate(_DIGITS)
        shapes = self._shapes
        if shape_text in shapes:
            shape = shapes[shape_text]
        else:
            shape = None if _SPECIAL.search(raw) else self._lex(raw)
            if len(shapes) >= MEMORY:
                shapes.clear()
            shapes[shape_text] = shape
        if shape is None:
            if _SPECIAL.search(raw):
                return _SPECIAL_PIECE
            return self._several(raw, number, file, via)
        kind, end, spans, brace = shape
        if kind == EMPTY:
            return _EMPTY_PIECE
        if end == len(raw):
            line = Line(file, number, raw, 0, None, via)  # type: ignore[arg-type]
        else:
            made = CutLine if raw[end] in "#!" else Line
            line = made(file, number, raw[:end], 0, None, via)  # type: ignore[arg-type]
        words = self._words(raw, spans)
        indent = words[0].start if words else brace
        return Piece(kind, line, words, brace, (), indent)

    def _words(self, text: str, spans: tuple[tuple[int, int, bool], ...]) -> tuple[Word, ...]:
        new = tuple.__new__
        words: list[Word] = []
        for start, end, quoted in spans:
            if words:
                text_of = text[start + 1 : end - 1] if quoted else text[start:end]
                words.append(new(Word, (text_of, start, end, quoted)))
            else:
                words.append(self._head(text, start, end, quoted))
        return tuple(words)

    def _head(self, text: str, start: int, end: int, quoted: bool) -> Word:
        """Keywords are few: one object for each and each column."""
        keyword = text[start + 1 : end - 1] if quoted else text[start:end]
        if quoted:
            return Word(keyword, start, end, True)
        word = self._heads.get((keyword, start))
        if word is None:
            if len(self._heads) >= MEMORY:
                self._heads.clear()
            word = self._heads[keyword, start] = Word(keyword, start, end)
        return word

    def _lex(self, raw: str) -> Shape | None:
        """The shape of a line that is a single piece; None where it is several, or where a quote is left open."""
        found = lexer.tokenise(self._lexer, raw, prepared=False)
        if not found:
            return EMPTY, 0, (), -1
        last_type, last_text, last_at = found[-1]
        end = last_at + len(last_text)
        brace = -1
        kind = STATEMENT
        if last_type in ("OPEN", "CLOSE"):
            brace = last_at
            kind = OPEN if last_type == "OPEN" else CLOSE
            found.pop()
            if kind == CLOSE and found:
                return None
        spans: list[tuple[int, int, bool]] = []
        for name, text, at in found:
            if name not in ("WORD", "QUOTED"):
                return None
            spans.append((at, at + len(text), name == "QUOTED"))
        return kind, end, tuple(spans), brace

    def _several(self, raw: str, number: int, file: str, via: tuple[object, ...]) -> Piece:
        found = lexer.tokenise(self._lexer, raw, prepared=False)
        if any(name == "UNCLOSED" for name, _text, _at in found):
            return _SPECIAL_PIECE
        end = found[-1][2] + len(found[-1][1])
        line = Line(file, number, raw[:end], 0, None, via)  # type: ignore[arg-type]
        parts: list[Piece] = []
        spans: list[tuple[int, int, bool]] = []
        indent = found[0][2]

        def flush(kind: int, brace: int = -1) -> None:
            nonlocal indent
            parts.append(Piece(kind, line, self._words(raw, tuple(spans)), brace, (), indent))
            spans.clear()
            indent = -1

        for name, text, at in found:
            if name == "OPEN":
                flush(OPEN, at)
            elif name == "CLOSE":
                if spans:
                    flush(STATEMENT)
                flush(CLOSE, at)
            else:
                spans.append((at, at + len(text), name == "QUOTED"))
        if spans:
            flush(STATEMENT)
        return Piece(SEVERAL, line, parts=tuple(parts), indent=found[0][2])

    def words_of(self, text: str) -> tuple[Word, ...]:
        """The words of prepared text without braces; an open quote takes the rest."""
        words: list[Word] = []
        for name, value, at in lexer.tokenise(self._lexer, text, prepared=True):
            end = at + len(value)
            if name == "QUOTED":
                words.append(Word(value[1:-1], at, end, True))
            elif name == "UNCLOSED":
                words.append(Word(value[1:].rstrip(), at, end, True))
            else:
                words.append(Word(value, at, end))
        return tuple(words)


_NOWHERE = Line("", 0, "")
_EMPTY_PIECE = Piece(EMPTY, _NOWHERE)
_SPECIAL_PIECE = Piece(SPECIAL, _NOWHERE)
