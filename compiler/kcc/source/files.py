"""Files: opened without ever blocking, bounded in size, decoded so that every character has a column."""

# Names go to messages as they were written; pathlib would tidy them up first.
# ruff: noqa: PTH116
from __future__ import annotations

import codecs
import errno
import os
import stat
import sys
from collections.abc import Iterator

__all__ = ["Unusable", "decode", "read_file", "read_stdin", "split_lines"]

CHUNK = 1 << 18
"""Characters split into lines at a time: the lines of a large file are never all in memory."""


_OF_THE_KERNEL = ("/proc/", "/sys/", "/dev/")


class Unusable(Exception):  # noqa: N818 - it names the file's state
    """A file that cannot be read; ``reason`` is a phrase that completes "cannot be read: …"."""

    def __init__(self, reason: str, kind: str = "unreadable") -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind = kind
        """``missing``, ``unreadable``, ``directory``, ``irregular``, ``executable`` or ``large``."""


def read_file(path: str, max_bytes: int, *, included: bool = False) -> bytes:
    """The bytes of a regular file.

    Devices, sockets and FIFOs are refused without being opened (a FIFO would block). ``included``: refuse
    executables, as keepalived does for includes, and what the kernel makes up (``/proc/kmsg`` would block).
    """
    _refuse_special(path, included=included)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise _unusable(error) from error
    with os.fdopen(fd, "rb", buffering=0) as stream:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise Unusable("it was replaced while it was opened", "irregular")
        if included and status.st_mode & 0o111:
            raise Unusable("it is executable, and keepalived includes no executable files", "executable")
        chunks: list[bytes] = []
        size = 0
        try:
            while size <= max_bytes and (chunk := stream.read(max(status.st_size + 1 - size, 1 << 16))):
                chunks.append(chunk)
                size += len(chunk)
        except OSError as error:
            raise _unusable(error) from error
    return _bounded(chunks[0] if len(chunks) == 1 else b"".join(chunks), max_bytes)


def _refuse_special(path: str, *, included: bool) -> None:
    """Look before opening: opening a device can already do something (a watchdog starts)."""
    try:
        mode = os.stat(path).st_mode
    except ValueError as error:
        raise Unusable("the name holds a NUL byte", "missing") from error
    except OSError as error:
        raise _unusable(error) from error
    if stat.S_ISDIR(mode):
        raise Unusable("it is a directory", "directory")
    if not stat.S_ISREG(mode):
        raise Unusable("it is a device, socket or FIFO, not a regular file", "irregular")
    if included and os.path.realpath(path).startswith(
        _OF_THE_KERNEL
    ):  # reading may wait, or take what others wait for
        raise Unusable("it is a file of the kernel, whose content changes with each reading", "irregular")


def _unusable(error: OSError) -> Unusable:
    kind = "missing" if error.errno in (errno.ENOENT, errno.ENOTDIR) else "unreadable"
    return Unusable((error.strerror or "unknown error").lower(), kind)


def read_stdin(max_bytes: int) -> bytes:
    """Standard input to its end."""
    try:
        return _bounded(sys.stdin.buffer.read(max_bytes + 1), max_bytes)
    except (OSError, AttributeError, ValueError) as error:
        raise Unusable(f"standard input: {error}") from error


def _bounded(data: bytes, max_bytes: int) -> bytes:
    if len(data) > max_bytes:
        raise Unusable(f"it is larger than {max_bytes:,} bytes", "large")
    return data


def _byte_by_byte(error: UnicodeError) -> tuple[str, int]:
    """Read what is not UTF-8 as Latin-1, up to the next ASCII character: no surrogates, one column a byte."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    data, end = error.object, error.start + 1
    while end < len(data) and data[end] >= 0x80:
        end += 1
    return data[error.start : end].decode("latin-1"), end


codecs.register_error("kcc-latin1", _byte_by_byte)


def decode(data: bytes) -> tuple[str, bool]:
    """The text of ``data`` and whether it was UTF-8 throughout."""
    try:
        return data.decode("utf-8"), True
    except UnicodeDecodeError:
        return data.decode("utf-8", "kcc-latin1"), False


def split_lines(text: str) -> Iterator[list[str]]:
    """The lines of ``text`` without their newlines, a chunk at a time. Only ``\\n`` ends a line."""
    at, size = 0, len(text)
    while at < size:
        end = text.find("\n", at + CHUNK)
        if end < 0:
            lines = text[at:].split("\n") if at else text.split("\n")
            if not lines[-1]:
                lines.pop()
            yield lines
            return
        yield text[at:end].split("\n")
        at = end + 1
