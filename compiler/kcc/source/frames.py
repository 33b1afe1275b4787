"""What is being read, files inside files and lines made by definitions and replication, and what a line of it says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from kcc.diagnostics.model import Related, Span
from kcc.source.files import split_lines

if TYPE_CHECKING:
    from kcc.source.definitions import Definition
    from kcc.source.text import Text

__all__ = [
    "CLOSE",
    "OPEN",
    "TEXT",
    "FileFrame",
    "Frame",
    "Logical",
    "Made",
    "MadeFrame",
    "PathsFrame",
    "Place",
]

TEXT, OPEN, CLOSE = range(3)


class Place(msgspec.Struct, frozen=True):
    """Where a line stands: file, physical line number, and how reading came there (innermost first)."""

    file: str
    number: int
    via: tuple[Related, ...]

    def span(self, text: Text, start: int, end: int) -> Span:
        """The place of ``text.value[start:end]`` on this line."""
        left = text.column(start)
        right = max(text.end_column(end), left + 1) if end > start else left + 1
        return Span(self.file, self.number, left + 1, self.number, right + 1)


class Logical(msgspec.Struct, frozen=True):
    """What one line says, one piece at a time: a text between braces, or a brace (``text`` is that brace)."""

    kind: int
    text: Text
    place: Place
    via: tuple[Related, ...]


class FileFrame:
    """An open file. ``name`` is what messages call it; ``number`` the line that was taken last."""

    __slots__ = (
        "_chunks",
        "_index",
        "_lines",
        "checks",
        "directory",
        "identity",
        "memo",
        "name",
        "number",
        "via",
    )

    def __init__(
        self,
        name: str,
        text: str,
        directory: str,
        identity: str,
        via: tuple[Related, ...],
        checks: frozenset[str],
    ) -> None:
        self.name = name
        self.directory = directory
        self.identity = identity
        """The resolved path: two names of one file are one file, for include cycles."""
        self.via = via
        self.checks = checks
        """``include_check`` as it was when the file was opened; restored at its end."""
        self.number = 0
        self.memo: dict[str, Any] = {}
        """For whoever takes the lines: what a line's text means in this file."""
        self._chunks = split_lines(text)
        self._lines: list[str] = []
        self._index = 0

    def chunk(self) -> list[str] | None:
        """Lines not yet taken, some thousands at a time; None at the end. See ``give_back``."""
        if self._index < len(self._lines):
            lines = self._lines[self._index :]
            self._lines, self._index = [], 0
            return lines
        self._lines, self._index = [], 0
        return next(self._chunks, None)

    def give_back(self, lines: list[str], index: int) -> None:
        """``lines[index:]`` were not taken: ``chunk`` returns them next."""
        self._lines, self._index = lines, index

    def working_directory(self) -> str:
        return os.path.realpath(self.directory or ".")


class Made(msgspec.Struct, frozen=True):
    """A line that does not stand in a file as it is: ``defines`` is in force from it on."""

    text: Text
    place: Place
    defines: tuple[Definition, ...] = ()


class MadeFrame:
    """Lines made by one ~SEQ, ~LST or multi-line definition. ``name`` is the definition's (None for replication)."""

    __slots__ = ("lines", "name")

    def __init__(self, lines: Iterator[Made], name: str | None) -> None:
        self.lines = lines
        self.name = name


class PathsFrame:
    """The files that one include matched and that were not read yet. ``checks``: the failures that are errors."""

    __slots__ = ("checks", "paths", "span", "trail")

    def __init__(
        self, paths: Iterator[str], span: Span, trail: tuple[Related, ...], checks: frozenset[str]
    ) -> None:
        self.paths = paths
        self.span = span
        self.trail = trail
        self.checks = checks


Frame = FileFrame | MadeFrame | PathsFrame
