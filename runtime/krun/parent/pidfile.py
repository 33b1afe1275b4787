"""A pid file that somebody else wants to read: ``krun --pid FILE``. The lock on it says whether it is true, not the number in it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path


class PidFileError(Exception):
    """The file cannot be had; the text says why."""


class PidFile:
    """``path`` holds this process's pid from now on, until `release`. What a process that is gone left there is overwritten.

    Raises `PidFileError`, also where another process that runs has it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = -1
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._handle, os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0))
        except BlockingIOError:
            holder = os.read(self._handle, 32).decode("ascii", "replace").strip()
            os.close(self._handle)
            raise PidFileError(
                f"{path}: a krun that runs has it (pid {holder}); give this one another --pid"
            ) from None
        except OSError as error:
            if self._handle >= 0:
                os.close(self._handle)
            raise PidFileError(f"{path}: {error.strerror or error}") from None

    def release(self) -> None:
        """Remove the file, where it is still ours."""
        if self._handle < 0:
            return
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(self._handle), self.path.stat()):
                self.path.unlink()
        os.close(self._handle)
        self._handle = -1
