"""Columns are counted in characters; files are bytes. What is not UTF-8 was read as Latin-1 (`kcc.source.files.decode`)."""

from __future__ import annotations

import codecs

MARK = codecs.BOM_UTF8


def byte_offset(line: bytes, column: int) -> int | None:
    """The offset in ``line`` of the character at ``column`` (from 0); just behind the end for their number, None beyond that."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        text = line.decode("utf-8", "kcc-escaped")
    if column > len(text):
        return None
    return len(text[:column].encode("utf-8", "surrogateescape"))


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """One lone surrogate for each byte up to the next ASCII character: as many characters as reading as Latin-1 gives."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    data, end = error.object, error.start + 1
    while end < len(data) and data[end] >= 0x80:
        end += 1
    return "".join(chr(0xDC00 + byte) for byte in data[error.start : end]), end


codecs.register_error("kcc-escaped", _escaped)
