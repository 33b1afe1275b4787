"""One command under way: started without a shell as its user, watched through a pidfd, ended with its whole process group."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import subprocess
from collections.abc import Callable

from krun.loop.clock import now_us
from krun.notify.accounts import NoSuchAccountError, identify
from krun.notify.client import ScriptResult, ScriptRun, Status
from krun.notify.security import insecure_component

OUTPUT_TAIL = 4096
"""How many octets of what a command writes are kept: the last ones."""

KILL_AFTER_S = 2.0
"""From SIGTERM to SIGKILL (keepalived's delay)."""


class RefusedError(Exception):
    """The command was not started; the text says why and what to do."""


class Running:
    """``spec`` under way. ``ended`` is called once, when the process is gone.

    Raises `RefusedError` where it cannot be started. ``secure``: refuse to run as root what others may write.
    """

    def __init__(
        self,
        spec: ScriptRun,
        loop: asyncio.AbstractEventLoop,
        ended: Callable[[Running, ScriptResult], None],
        *,
        secure: bool,
        kill_after_s: float = KILL_AFTER_S,
    ) -> None:
        self.spec = spec
        self._loop = loop
        self._ended = ended
        self._kill_after_s = kill_after_s
        self._tail = b""
        self._ending: Status | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._pidfd = -1
        self._process, self._output = _start(spec, secure)
        self._began_us = now_us()
        self.pid = self._process.pid
        try:
            self._pidfd = os.pidfd_open(self.pid)
        except OSError as error:
            self._signal(signal.SIGKILL)
            self._process.wait()
            os.close(self._output)
            raise RefusedError(f"cannot watch it: {error.strerror or error}") from None
        loop.add_reader(self._pidfd, self._exited)
        loop.add_reader(self._output, self._readable)
        if spec.timeout_us is not None:
            self._timer = loop.call_later(spec.timeout_us / 1e6, self._overdue)

    def end(self, status: Status = "lost") -> None:
        """SIGTERM to its process group now, SIGKILL a while later; it is reported as ``status``."""
        if self._ending is None:
            self._ending = status
            self._signal(signal.SIGTERM)
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(self._kill_after_s, self._kill)

    def kill(self) -> None:
        """SIGKILL to its process group now."""
        self._ending = self._ending or "lost"
        self._signal(signal.SIGKILL)

    def _overdue(self) -> None:
        self.end("timeout")

    def _kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        # The leader is not reaped yet, so its number, and that of its group, are still its own.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _readable(self) -> None:
        try:
            data = os.read(self._output, 65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._output)
            return
        self._tail = (self._tail + data)[-OUTPUT_TAIL:]

    def _exited(self) -> None:
        self._loop.remove_reader(self._pidfd)
        if self._timer is not None:
            self._timer.cancel()
        if self._ending is not None:
            # What it started and left in its group goes with it.
            self._signal(signal.SIGKILL)
        code = self._process.wait()
        duration_us = now_us() - self._began_us
        # What it wrote last may still be in the pipe; a grandchild that holds the pipe open is not waited for.
        with contextlib.suppress(OSError):
            for _ in range(16):
                data = os.read(self._output, 65536)
                if not data:
                    break
                self._tail = (self._tail + data)[-OUTPUT_TAIL:]
        self._loop.remove_reader(self._output)
        os.close(self._output)
        os.close(self._pidfd)
        text = self._tail.decode("utf-8", "replace")
        if self._ending is not None:
            result = ScriptResult(self._ending, code, text, duration_us)
        elif code < 0:
            result = ScriptResult("signaled", -code, text, duration_us)
        else:
            result = ScriptResult("exited", code, text, duration_us)
        self._ended(self, result)


def _start(spec: ScriptRun, secure: bool) -> tuple[subprocess.Popen[bytes], int]:
    """The process, and the descriptor its output comes from."""
    if not spec.argv:
        raise RefusedError("there is no command")
    program = spec.argv[0]
    if not program.startswith("/"):
        raise RefusedError(f"{program}: not an absolute path; write the whole path of the script")
    try:
        identity = identify(spec.account)
    except NoSuchAccountError as error:
        raise RefusedError(
            f"{program}: {error}; create it, or name another one in the configuration"
        ) from None
    if secure and identity.uid == 0 and (why := insecure_component(program)) is not None:
        raise RefusedError(
            f"{program}: not run as root, for others could change what it does: {why} (enable_script_security). "
            "Correct owner or mode, or run it as another user"
        )
    us = (os.geteuid(), os.getegid())
    change = us[0] == 0  # only root may; anybody else can run scripts as himself alone
    if not change and identity.uid != us[0]:
        raise RefusedError(f"{program}: cannot run as user {identity.name}: krun itself is not root")
    reader, writer = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(reader, False)
    try:
        process = subprocess.Popen(
            spec.argv,
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=writer,
            cwd="/",
            env=identity.environment(),
            close_fds=True,
            start_new_session=True,
            user=identity.uid if change else None,
            group=identity.gid if change else None,
            extra_groups=identity.groups if change else None,
            umask=0o022,
        )
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        os.close(reader)
        raise RefusedError(_words(program, identity.name, error)) from None
    finally:
        os.close(writer)
    return process, reader


def _words(program: str, user: str, error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ENOENT:
        if os.path.lexists(program):
            return f"{program}: the interpreter in its first line does not exist"
        return f"{program}: no such file"
    if number == errno.EACCES:
        return f"{program}: user {user} may not execute it; check the mode of the file and of the directories above it"
    if number == errno.ENOEXEC:
        return f"{program}: not a program and no script with a #! line"
    if number == errno.ENOTDIR:
        return f"{program}: a component of the path is not a directory"
    if isinstance(error, OSError):
        return f"{program}: {error.strerror or error}"
    return f"{program}: {error}"
