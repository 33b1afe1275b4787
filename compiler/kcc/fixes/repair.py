"""Safe fixes, carried out: which ones go together, which bytes change, and files that are replaced in one step."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kcc.diagnostics.model import Diagnostic, Edit, Fix
from kcc.fixes.columns import MARK, byte_offset
from kir import onestep


class Change(NamedTuple):
    """A fix that was made."""

    file: str
    line: int
    code: str
    title: str


class Outcome(NamedTuple):
    """``changes`` in the order of the findings, and why files were left alone (``file: reason``)."""

    changes: list[Change]
    refused: list[str]


class _File:
    """The bytes of a file, and where its lines start."""

    __slots__ = ("data", "starts")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.starts = [0, *(found.end() for found in re.finditer(b"\n", data))]

    def line(self, number: int) -> tuple[int, bytes] | None:
        """Offset and bytes of line ``number`` (from 1) without its end, None where there is none."""
        if not 1 <= number <= len(self.starts):
            return None
        start = self.starts[number - 1]
        end = self.starts[number] - 1 if number < len(self.starts) else len(self.data)
        return start, self.data[start:end].removesuffix(b"\r")


_Bytes = tuple[int, int, bytes]
"""Start and end in the bytes of a file, and what stands there instead."""


def apply(items: Sequence[Diagnostic], read_at_ns: int) -> Outcome:
    """Carry out the safe fixes of ``items``. Of fixes that overlap the first is made; the others wait for the next round.

    ``read_at_ns``: when the files were read (Unix time). A file that was written after that is not touched: the places
    in it may no longer be what they were. A fix is made as a whole or not at all.
    """
    contents: dict[str, _File | None] = {}
    refused: list[str] = []
    taken: dict[str, list[_Bytes]] = {}
    chosen: list[tuple[Change, dict[str, list[_Bytes]]]] = []
    for d in items:
        if d.fix is None or not d.fix.safe:
            continue
        for edit in d.fix.edits:
            if edit.span.file not in contents:
                contents[edit.span.file] = _read(edit.span.file, read_at_ns, refused)
        wanted = _wanted(d, d.fix, contents)
        if wanted is None or any(_overlaps(taken.get(file, []), edits) for file, edits in wanted.items()):
            continue
        for file, edits in wanted.items():
            taken.setdefault(file, []).extend(edits)
        chosen.append((Change(d.span.file, d.span.line, d.code, d.fix.title), wanted))
    written = {
        file
        for file, edits in taken.items()
        if (before := contents[file]) is not None and _write(file, before.data, edits, refused)
    }
    return Outcome([change for change, wanted in chosen if written.issuperset(wanted)], refused)


def _wanted(d: Diagnostic, fix: Fix, contents: dict[str, _File | None]) -> dict[str, list[_Bytes]] | None:
    """The edits of a fix in bytes, None where one of them cannot be placed."""
    wanted: dict[str, list[_Bytes]] = {}
    for edit in fix.edits:
        file = contents[edit.span.file]
        placed = None if file is None else _place(edit, file, d.code)
        if placed is None:
            return None
        wanted.setdefault(edit.span.file, []).append(placed)
    return wanted


def _place(edit: Edit, file: _File, code: str) -> _Bytes | None:
    """Where ``edit`` is in ``file``. None for what is not on one line, or came out of a definition: its text stands elsewhere."""
    span = edit.span
    found = file.line(span.line)
    if found is None or span.end_line != span.line:
        return None
    start, line = found
    # Columns are counted without the byte order mark, but for the finding that is about it.
    shift = 1 if span.line == 1 and line.startswith(MARK) and code != "KC0008" else 0
    left, right = (byte_offset(line, column - 1 + shift) for column in (span.column, span.end_column))
    if left is None:
        return None
    right = len(line) if right is None else right
    if b"$" in line[left:right]:
        return None
    return start + left, start + right, edit.replacement.encode()


def _overlaps(taken: list[_Bytes], edits: list[_Bytes]) -> bool:
    return any((a < d and c < b) or a == c for a, b, _old in taken for c, d, _new in edits)


def _read(file: str, read_at_ns: int, refused: list[str]) -> _File | None:
    try:
        with open(file, "rb") as stream:  # noqa: PTH123 - the name is used as it was written
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                return None
            if status.st_mtime_ns > read_at_ns:
                refused.append(f"{file}: it was changed while it was checked")
                return None
            return _File(stream.read())
    except (OSError, ValueError) as error:
        refused.append(f"{file}: {error}")
        return None


def _write(file: str, data: bytes, edits: list[_Bytes], refused: list[str]) -> bool:
    """Replace ``file`` (what a link points to, not the link) in one step; owner and permissions stay."""
    parts: list[bytes] = []
    at = 0
    for start, end, new in sorted(edits):
        parts += (data[at:start], new)
        at = end
    parts.append(data[at:])
    path = Path(os.path.realpath(file))
    try:
        onestep.write(path, b"".join(parts), like=path.stat())
    except OSError as error:
        refused.append(f"{file}: cannot be written: {error.strerror or error}")
        return False
    return True
