"""The lines of source files, for renderers that show them."""

from __future__ import annotations

from pathlib import Path

MAX_SHOWN_BYTES = 64 * 1024 * 1024
"""Files larger than this are not read a second time to show a line of them."""


class SourceTexts:
    """File name → its lines, read when first asked for; ``given`` holds texts that are not files (standard input)."""

    def __init__(self, given: dict[str, bytes] | None = None) -> None:
        self._given = given if given is not None else {}
        self._lines: dict[str, list[str]] = {}

    def line(self, file: str, number: int) -> str | None:
        """Line ``number`` (from 1) of ``file`` without its end, None where it cannot be shown."""
        lines = self._lines.get(file)
        if lines is None:
            lines = self._lines[file] = self._read(file)
        return lines[number - 1] if 0 < number <= len(lines) else None

    def _read(self, file: str) -> list[str]:
        data = self._given.get(file)
        if data is None:
            try:
                path = Path(file)
                if not path.is_file() or path.stat().st_size > MAX_SHOWN_BYTES:
                    return []
                data = path.read_bytes()
            except OSError:
                return []
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = data.decode("latin-1")
        return [line.removesuffix("\r") for line in text.split("\n")]
