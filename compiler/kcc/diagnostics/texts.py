"""The lines of source files, for renderers that show them."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Sequence
from pathlib import Path

from kcc.diagnostics.model import Diagnostic
from kcc.diagnostics.secrecy import Secrecy, veil

MAX_SHOWN_BYTES = 64 * 1024 * 1024
"""Files larger than this are not read a second time to show a line of them."""


class SourceTexts:
    """File name → its text, read when first asked for; ``given`` holds texts that are not files (standard input)."""

    def __init__(self, given: dict[str, bytes] | None = None) -> None:
        self._given = given if given is not None else {}
        self._lines: dict[str, list[str]] = {}
        self._secrecy = Secrecy()

    def line(self, file: str, number: int) -> str | None:
        """Line ``number`` (from 1) of ``file`` without its end, passwords as stars; None where it cannot be shown."""
        lines = self.lines(file)
        return self._secrecy.line(lines[number - 1]) if 0 < number <= len(lines) else None

    def veiled(self, items: Sequence[Diagnostic]) -> list[Diagnostic]:
        """``items`` without the passwords of the lines that they are about (`kcc.diagnostics.secrecy`)."""
        found = []
        for item in items:
            words: set[str] = set()
            for span in (item.span, *(related.span for related in item.related)):
                lines = self.lines(span.file)
                for line in lines[max(span.line - 1, 0) : span.end_line]:
                    words |= self._secrecy.words(line)
            found.append(veil(item, words) if words else item)
        return found

    def lines(self, file: str) -> list[str]:
        """All lines of ``file`` without their ends; none where it cannot be read."""
        lines = self._lines.get(file)
        if lines is None:
            lines = self._lines[file] = _split(self.data(file))
            self._secrecy.learn(lines)
        return lines

    def data(self, file: str) -> bytes | None:
        """The bytes of ``file``, None where it is no regular file, too large or unreadable. They are not kept."""
        return self._given[file] if file in self._given else _read(file)


def _read(file: str) -> bytes | None:
    try:
        path = Path(file)
        if not path.is_file() or path.stat().st_size > MAX_SHOWN_BYTES:
            return None
        return path.read_bytes()
    except (OSError, ValueError):
        return None


def _split(data: bytes | None) -> list[str]:
    if data is None:
        return []
    data = data.removeprefix(BOM_UTF8)  # columns are counted without it
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError:
        lines = [_decode(line) for line in data.split(b"\n")]
    return [line.removesuffix("\r") for line in lines]


def _decode(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")
