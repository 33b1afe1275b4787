"""The run directory: where sockets and the pid file live, and the lock that keeps a second krun out."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path


class RunDirError(Exception):
    """The run directory cannot be used; the text says why and what to do."""


class RunDir:
    """``path`` made (0700) and locked for this process, until `release` or its end. ``group``: the number of one whose members may
    pass through to the control socket, and no more (0710).
    """

    def __init__(self, path: Path, group: int | None = None) -> None:
        self.path = path
        self._lock = -1
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            details = path.stat()
        except OSError as error:
            raise RunDirError(
                f"{path}: cannot be made the run directory: {error.strerror or error}{_advice(error)}"
            ) from None
        if details.st_uid != os.geteuid():
            raise RunDirError(
                f"{path}: belongs to user {details.st_uid}, not to the user that krun runs as; choose another --run-dir"
            )
        if details.st_mode & 0o022:
            raise RunDirError(
                f"{path}: others may write there (mode {details.st_mode & 0o7777:04o}), so they could answer in krun's "
                "place; `chmod go-w` it or choose another --run-dir"
            )
        if group is not None:
            try:
                os.chown(path, -1, group)
                path.chmod(0o710)
            except OSError as error:
                raise RunDirError(
                    f"{path}: cannot be given to group {group}: {error.strerror or error}; that takes root, or membership"
                ) from None
        try:
            while True:
                self._lock = os.open(
                    self.pid_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
                )
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _same_file(self._lock, self.pid_file):
                    break
                os.close(self._lock)  # its owner ended and removed it between our open and our lock
        except BlockingIOError:
            holder = os.read(self._lock, 32).decode("ascii", "replace").strip()
            os.close(self._lock)
            raise RunDirError(
                f"krun runs already with run directory {path}"
                + (f" (pid {holder})" if holder else "")
                + "; stop it with `krunctl stop`, or give this one another --run-dir"
            ) from None
        except OSError as error:
            raise RunDirError(f"{self.pid_file}: {error.strerror or error}{_advice(error)}") from None
        try:
            # What a killed krun left is overwritten in its place: on a full file system there may be no room for another page.
            os.ftruncate(self._lock, os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0))
        except OSError as error:  # a full file system
            self.pid_file.unlink(missing_ok=True)
            os.close(self._lock)
            raise RunDirError(
                f"{self.pid_file}: cannot be written: {error.strerror or error}; make room there or choose another --run-dir"
            ) from None

    @property
    def pid_file(self) -> Path:
        return self.path / "krun.pid"

    @property
    def control_socket(self) -> Path:
        return self.path / "krun.sock"

    def child_pid(self, name: str) -> Path:
        """Where the pid of the child ``name`` stands while it has one."""
        return self.path / f"{name}.pid"

    def forget_children(self) -> None:
        """Remove the pid files of children; at a start, those of a krun that was killed."""
        for path in self.path.glob("*.pid"):
            if path != self.pid_file:
                path.unlink(missing_ok=True)

    def child_socket(self, name: str) -> Path:
        """Where the child ``name`` listens."""
        return self.path / f"{name}.sock"

    def release(self) -> None:
        """Remove what was ours and give the lock back."""
        if self._lock >= 0:
            for pattern in ("*.sock", "next-*.ir"):
                for path in self.path.glob(pattern):
                    path.unlink(missing_ok=True)
            self.forget_children()
            self.pid_file.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = -1


def _same_file(handle: int, path: Path) -> bool:
    """Whether ``path`` still names the file that is open as ``handle``."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _advice(error: OSError) -> str:
    """What to do, where that is known."""
    match error.errno:
        case errno.EROFS:
            return "; mount a tmpfs there (in a container: `--tmpfs /run/krun`), or choose another --run-dir"
        case errno.EACCES | errno.EPERM:
            return f"; krun runs as uid {os.geteuid()}: start it as root, or choose a --run-dir that is that user's own"
        case errno.EEXIST | errno.ENOTDIR:
            return "; there is something else; choose another --run-dir"
    return ""
