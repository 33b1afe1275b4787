"""Where a cursor is: the blocks around it and the words of its line.

The text under a cursor is never finished, so nothing is parsed here: lines are walked from the top, braces are counted, and a
keyword that can only stand at the top level says that a brace was lost before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kcc.language.keywords import ROOT
from kcc.language.tree import Keyword, Kind
from kcc.source.definitions import DEFINITION
from kcc.source.text import BLANKS

_PIECE = re.compile(r'"[^"]*"?|(?:\\.|\$\{[^{}"]*\}|[^\s{}"])+|[{}]')
_LEXEME = re.compile(r'"[^"]*"?|\\.|[#!]')
_CONDITION = re.compile(r"[ \t]*(?:@\^?\S*[ \t]+)+")
_NAME_AT = re.compile(r"\$(?:\{([A-Za-z_]\w*)[^{}\"]*\}?|([A-Za-z_]\w*))", re.ASCII)


class Word(NamedTuple):
    """A word and the characters it takes on its line, from 0."""

    text: str
    start: int
    end: int


class Place(NamedTuple):
    """What surrounds a cursor.

    ``heads`` are the words of the opening lines of the blocks around it, outermost first, ``block`` the innermost one's keyword (None
    where no release knows it). ``words`` are those of the statement on the line that start before the cursor; ``at`` is the
    index of the word that the cursor is in or would begin. ``comment``: the cursor is in a comment. ``definition``: on a
    ``$NAME=`` line.
    """

    heads: tuple[tuple[str, ...], ...]
    block: Keyword | None
    words: tuple[Word, ...]
    at: int
    comment: bool = False
    definition: bool = False

    @property
    def word(self) -> Word | None:
        """The word that the cursor is in."""
        return self.words[self.at] if self.at < len(self.words) else None

    @property
    def keyword(self) -> Keyword | None:
        """The keyword of the statement that the cursor is in; None in a line of a list, and where there is none."""
        if self.block is None or not self.words or self.block.kind is not Kind.BLOCK:
            return None
        return self.block.child(self.words[0].text)


class _Walk:
    """The blocks that are open."""

    def __init__(self) -> None:
        self.heads: list[tuple[str, ...]] = []
        self.blocks: list[Keyword | None] = [ROOT]
        self.pending: tuple[str, ...] = ()

    def pieces(self, pieces: Iterable[Word]) -> list[Word]:
        """Walk over words and braces; the words behind the last brace."""
        words: list[Word] = []
        for piece in pieces:
            if piece.text not in ("{", "}"):
                words.append(piece)
                continue
            if words:
                self.pending = tuple(w.text for w in words)
                words = []
            if piece.text == "{":
                self.open()
            else:
                self.close()
        return words

    def open(self) -> None:
        words, self.pending = self.pending, ()
        if words and lost_brace(self.blocks[-1], words[0]):
            self.top()
        above = self.blocks[-1]
        found = above.child(words[0]) if above is not None and words else None
        self.heads.append(words)
        self.blocks.append(found if found is not None and found.kind is not Kind.LEAF else None)

    def close(self) -> None:
        self.pending = ()
        if self.heads:
            self.heads.pop()
            self.blocks.pop()

    def top(self) -> None:
        self.heads.clear()
        del self.blocks[1:]


def lost_brace(block: Keyword | None, word: str) -> bool:
    """Whether the opening line ``word …`` inside of ``block`` shows that a ``}`` is missing: it belongs to the top level only."""
    top = ROOT.child(word)
    if top is None or top.kind is Kind.LEAF:
        return False
    return block is None or block.child(word) is None


def place_at(lines: Sequence[str], number: int, offset: int) -> Place:
    """What surrounds the character ``offset`` of line ``number`` (both from 0)."""
    walk = _Walk()
    continued = False
    for line in lines[:number]:
        if continued or DEFINITION.match(line.lstrip(BLANKS)):
            continued = line.rstrip(BLANKS).endswith("\\")
            continue
        words = walk.pieces(pieces_of(line, comment_start(line)))
        if words:
            walk.pending = tuple(w.text for w in words)
    line = lines[number] if number < len(lines) else ""
    offset = min(offset, len(line))
    end = comment_start(line)
    pieces = pieces_of(line, end)
    # A brace or a word that starts at the cursor is behind it; a word that ends there is the one being written.
    cut = next((n for n, p in enumerate(pieces) if p.start >= offset), len(pieces))
    words = walk.pieces(pieces[:cut])
    if cut < len(pieces) and pieces[cut].start == offset and pieces[cut].text not in ("{", "}"):
        words.append(pieces[cut])
    block = walk.blocks[-1]
    listed = block is not None and block.kind is Kind.LINES  # a name there may be called like a block
    if words and words[0].end < offset and not listed and lost_brace(block, words[0].text):
        walk.top()
    at = next((n for n, w in enumerate(words) if w.start <= offset <= w.end), len(words))
    definition = continued or DEFINITION.match(line.lstrip(BLANKS)) is not None
    return Place(tuple(walk.heads), walk.blocks[-1], tuple(words), at, offset > end, definition)


def comment_start(line: str) -> int:
    """The character at which the comment of a line starts; its length where it has none."""
    for found in _LEXEME.finditer(line):
        if found.group() in ("#", "!"):
            return found.start()
    return len(line)


def pieces_of(line: str, end: int) -> list[Word]:
    """The words and braces of ``line[:end]``, without the conditions (``@id``) in front of them."""
    condition = _CONDITION.match(line, 0, end)
    start = condition.end() if condition is not None else 0
    return [Word(m.group(), m.start(), m.end()) for m in _PIECE.finditer(line, start, end)]


def unquoted(text: str) -> str:
    """A word without its quotes."""
    return text[1:].removesuffix('"') if text.startswith('"') else text


def reference_at(line: str, offset: int) -> tuple[str, int, int] | None:
    """The ``$NAME`` or ``${NAME}`` that the character is in: the name, where it starts and where it ends."""
    for found in _NAME_AT.finditer(line):
        if found.start() <= offset <= found.end():
            return found[1] or found[2], found.start(), found.end()
    return None
