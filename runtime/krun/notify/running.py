"""One command under way: watched through a pidfd, ended with all that it started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import deque
from collections.abc import Callable

from krun.loop.clock import now_us
from krun.notify import family
from krun.notify.client import ScriptResult, ScriptRun, Status
from krun.notify.spawn import SCRIPT_UMASK, RefusedError, start

OUTPUT_TAIL = 4096
"""How many octets of what a command writes are kept: the last ones."""

KILL_AFTER_S = 2.0
"""From SIGTERM to SIGKILL (keepalived's delay)."""

LISTENED_TO = 64
"""How many commands that ended, and left something behind that may still write, are listened to."""


class Watched:
    """A process that somebody started, watched until its end. ``pid`` leads a session. ``ended`` is called once, when it is gone.

    Raises `RefusedError` where it cannot be watched.
    """

    def __init__(
        self,
        pid: int,
        loop: asyncio.AbstractEventLoop,
        *,
        timeout_us: int | None,
        kill_after_s: float = KILL_AFTER_S,
    ) -> None:
        self.pid = pid
        self.began_at = family.began_at(pid) or 0
        self._loop = loop
        self._kill_after_s = kill_after_s
        self._ending: Status | None = None
        self._known: family.Family = {}
        self._timer: asyncio.TimerHandle | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._began_us = now_us()
        try:
            self._pidfd = os.pidfd_open(pid)
        except OSError as error:
            raise RefusedError(f"cannot watch it: {error.strerror or error}") from None
        loop.add_reader(self._pidfd, self._exited)
        if timeout_us is not None:
            self._timer = loop.call_later(max(timeout_us, 0) / 1e6, self.end, "timeout")

    def hurry(self, seconds: float) -> None:
        """Somebody waits for it: it has ``seconds`` more. A second call changes nothing, unless it leaves less."""
        at = self._loop.time() + seconds
        if self._ending is None and (self._patience is None or at < self._patience.when()):
            if self._patience is not None:
                self._patience.cancel()
            self._patience = self._loop.call_at(at, self.end, "timeout")

    def end(self, status: Status = "lost") -> None:
        """SIGTERM to all its processes now, SIGKILL a while later; it is reported as ``status``."""
        if self._ending is None:
            self._ending = status
            # Who is its own now may not be found any more when its parent has ended.
            self._known = family.family(self.pid)
            family.tell(self._known, signal.SIGTERM)
            self._cancel_timers()
            self._timer = self._loop.call_later(self._kill_after_s, self.kill)

    def kill(self) -> None:
        """SIGKILL to all its processes now."""
        self._ending = self._ending or "lost"
        family.end(self.pid, self._known)

    def _cancel_timers(self) -> None:
        for timer in (self._timer, self._patience):
            if timer is not None:
                timer.cancel()

    def _exited(self) -> None:
        self._loop.remove_reader(self._pidfd)
        self._cancel_timers()
        if self._ending is not None:
            family.end(self.pid, self._known)
        os.close(self._pidfd)
        self._gone()

    def _gone(self) -> None:
        raise NotImplementedError


class Adopted(Watched):
    """A command that a script process started which is gone: nobody will know how it ends, only when."""

    def __init__(
        self,
        pid: int,
        loop: asyncio.AbstractEventLoop,
        ended: Callable[[], None],
        *,
        timeout_us: int | None,
    ) -> None:
        super().__init__(pid, loop, timeout_us=timeout_us)
        self._ended = ended

    def _gone(self) -> None:
        self._ended()


class Running(Watched):
    """``spec`` under way. Raises `RefusedError` where it cannot be started. ``secure``: refuse to run as root what others may write.
    ``umask``: its file mode mask.
    """

    def __init__(
        self,
        spec: ScriptRun,
        loop: asyncio.AbstractEventLoop,
        ended: Callable[[Running, ScriptResult], None],
        *,
        secure: bool,
        umask: int = SCRIPT_UMASK,
        kill_after_s: float = KILL_AFTER_S,
    ) -> None:
        self.spec = spec
        self._ended = ended
        self._tail = b""
        self._process, self._output = start(spec, secure, umask)
        try:
            super().__init__(self._process.pid, loop, timeout_us=spec.timeout_us, kill_after_s=kill_after_s)
        except RefusedError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            os.close(self._output)
            raise
        loop.add_reader(self._output, self._readable)

    def _readable(self) -> None:
        if not self._read():
            self._loop.remove_reader(self._output)

    def _read(self) -> bool:
        """One piece of output; False at its end."""
        try:
            data = os.read(self._output, 65536)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._tail = (self._tail + data)[-OUTPUT_TAIL:]
        return bool(data)

    def _gone(self) -> None:
        code = self._process.wait()
        duration_us = now_us() - self._began_us
        # What it wrote last may still be in the pipe; whoever holds it open from now on is not waited for.
        self._loop.remove_reader(self._output)
        _rest(self._output, self._take)
        _listen_on(self._loop, self._output)
        text = self._tail.decode("utf-8", "replace")
        if self._ending is not None:
            result = ScriptResult(self._ending, code, text, duration_us)
        elif code < 0:
            result = ScriptResult("signaled", -code, text, duration_us)
        else:
            result = ScriptResult("exited", code, text, duration_us)
        self._ended(self, result)

    def _take(self, data: bytes) -> None:
        self._tail = (self._tail + data)[-OUTPUT_TAIL:]


def _rest(output: int, take: Callable[[bytes], None]) -> bool:
    """What is in the pipe now, within limits; whether somebody still has it open."""
    for _ in range(16):
        try:
            data = os.read(output, 65536)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            return False
        take(data)
    return True


_left: deque[tuple[asyncio.AbstractEventLoop, int]] = deque()


def _listen_on(loop: asyncio.AbstractEventLoop, output: int) -> None:
    """A daemon that a script started may write to what it inherited: read it away, for a closed pipe would kill it (SIGPIPE)."""
    _left.append((loop, output))
    loop.add_reader(output, _drain, loop, output)
    if len(_left) > LISTENED_TO:
        _drop(*_left[0])


def _drain(loop: asyncio.AbstractEventLoop, output: int) -> None:
    if not _rest(output, lambda _data: None):
        _drop(loop, output)


def _drop(loop: asyncio.AbstractEventLoop, output: int) -> None:
    if (loop, output) in _left:
        _left.remove((loop, output))
        if not loop.is_closed():
            loop.remove_reader(output)
        os.close(output)


def deafen(loop: asyncio.AbstractEventLoop) -> None:
    """Listen no more to what commands left behind."""
    for one in [one for one in _left if one[0] is loop]:
        _drop(*one)
