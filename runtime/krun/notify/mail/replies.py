"""Replies of an SMTP server (RFC 5321 section 4.2), octet by octet if it likes, and never more than we are willing to keep."""

from __future__ import annotations

import re

import msgspec

OCTETS = 16 * 1024
"""The longest reply; RFC 5321 section 4.5.3.1.5 has 512 octets for a line of it."""

LINES = 128

_LINE = re.compile(rb"([2-5][0-5][0-9])(?:([ -])(.*))?\Z", re.DOTALL)


class GarbageError(Exception):
    """What came is no reply; the text says how."""


class Reply(msgspec.Struct, frozen=True):
    """``code``: three digits. ``lines``: what follows them, line by line, printable."""

    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """For a log."""
        return f"{self.code} {' '.join(self.lines)}".strip()[:300]


class Reader(msgspec.Struct, frozen=True):
    """What came of a reply that is not complete: ``rest``, an unfinished line; ``lines``, finished ones; ``octets``, all of it."""

    rest: bytes = b""
    code: int = 0
    lines: tuple[str, ...] = ()
    octets: int = 0

    @property
    def empty(self) -> bool:
        """Whether nothing has come."""
        return not self.octets


def read(reader: Reader, data: bytes) -> tuple[Reader, Reply | None]:
    """Take ``data``. With a reply the reader has what came after it. Raises `GarbageError`."""
    octets = reader.octets + len(data)
    buffer = reader.rest + data
    code, lines = reader.code, reader.lines
    while (end := buffer.find(b"\n")) >= 0:
        line, buffer = buffer[:end].removesuffix(b"\r"), buffer[end + 1 :]
        found = _LINE.match(line)
        if found is None:
            raise GarbageError(f"not an SMTP reply: `{_shown(line)}`")
        number = int(found[1])
        if lines and number != code:
            raise GarbageError(f"a reply that begins with {code} goes on with {number}")
        code, lines = number, (*lines, _shown(found[3] or b""))
        if found[2] != b"-":
            return Reader(rest=buffer, octets=len(buffer)), Reply(code, lines)
        if len(lines) >= LINES:
            raise GarbageError(f"a reply of more than {LINES} lines")
    if octets > OCTETS:
        raise GarbageError(f"a reply of more than {OCTETS} octets")
    return Reader(buffer, code, lines, octets), None


def _shown(line: bytes) -> str:
    text = line[:500].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "?" for c in text).strip()
