"""The script process: runs the commands of the other children, so that none of those ever forks or changes its user."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kir.model import Account, Config
from krun.control.framing import Message
from krun.control.server import listen
from krun.control.stream import Stream
from krun.loop.books import Books, Entry
from krun.notify import accounts
from krun.notify.client import SOCKET_NAME, ScriptResult, ScriptRun
from krun.notify.running import RefusedError, Running
from krun.parent.context import ChildContext

log = logging.getLogger("krun.notify")

AT_ONCE = 64
"""How many commands run at once; more wait."""

WAITING = 4096
"""How many wait at most; one more is refused."""

LAST_WORDS_S = 1.0
"""How long commands may go on at the stop (keepalived gives its STOP scripts as much)."""

OPEN_FILES = 1024
REQUEST_LIMIT = 1024 * 1024


@dataclass(slots=True, eq=False)
class _Job:
    number: int
    spec: ScriptRun
    detached: bool
    stream: Stream | None
    running: Running | None = None


class ScriptChild:
    """Fulfils `krun.parent.child.Child`. Accepts runs on ``RUN_DIR/script-run.sock`` (0600).

    At most ``at_once`` commands run at a time. Jobs with the same queue name run one after the other, in the order in
    which they came; the others in the order in which they came as far as there is room.
    """

    def __init__(self, context: ChildContext, *, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self._context = context
        self._config = context.config
        self._prepared: Config | None = None
        self._at_once = at_once
        self._most_waiting = waiting
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listener: socket.socket | None = None
        self._streams: set[Stream] = set()
        self._running: set[_Job] = set()
        self._waiting: deque[_Job] = deque()
        self._busy: set[str] = set()
        self._idle: asyncio.Event = asyncio.Event()
        self._stopping = False
        self._counts: dict[str, int] = {}

    # -- life

    async def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        _limit_resources()
        self._listener = listen(self._context.run_dir / SOCKET_NAME)
        loop.add_reader(self._listener.fileno(), self._acceptable)

    async def stop(self) -> None:
        """No new commands; those under way get a moment, then SIGTERM, then SIGKILL."""
        self._stopping = True
        self._unlisten()
        if await self._wait_idle(LAST_WORDS_S):
            return
        for job in list(self._running):
            if job.running is not None:
                job.running.end()
        if await self._wait_idle(0.5):
            return
        self.abandon()
        await self._wait_idle(0.5)

    def abandon(self) -> None:
        self._stopping = True
        self._waiting.clear()
        for job in self._running:
            if job.running is not None:
                job.running.kill()

    async def _wait_idle(self, seconds: float) -> bool:
        self._idle.clear()
        if not self._running and not self._waiting:
            return True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), seconds)
        return not self._running

    def _unlisten(self) -> None:
        if self._listener is not None and self._loop is not None:
            self._loop.remove_reader(self._listener.fileno())
            self._listener.close()
            self._listener = None
            (self._context.run_dir / SOCKET_NAME).unlink(missing_ok=True)

    # -- reload and status

    def prepare(self, config: Config, digest: str) -> dict[str, Any]:
        self._prepared = config
        return {}

    def commit(self) -> dict[str, Any]:
        if self._prepared is not None:
            self._config, self._prepared = self._prepared, None
        accounts.forget()
        return {"operations": {}, "failures": []}

    def abort(self) -> None:
        self._prepared = None

    def status(self) -> dict[str, Any]:
        return {
            "running": [
                {"label": job.spec.label, "pid": job.running.pid}
                for job in self._running
                if job.running is not None
            ],
            "waiting": len(self._waiting),
            "ended": dict(sorted(self._counts.items())),
        }

    def books(self) -> Books:
        """What it owns (`krun.loop.books`)."""
        for job in (*self._running, *self._waiting):
            yield Entry("script job", job.spec.label or job.spec.argv[0], job)
            if job.running is not None:
                yield Entry(
                    "script process",
                    f"{job.spec.label or job.spec.argv[0]} (pid {job.running.pid})",
                    job.running,
                )
        for stream in self._streams:
            yield Entry("control connection", "from a process that has scripts run", stream)
        yield Entry("configuration", "that scripts run by", self._config)
        if self._prepared is not None:
            yield Entry("configuration", "prepared", self._prepared)

    # -- connections

    def _acceptable(self) -> None:
        assert self._listener is not None and self._loop is not None
        while True:
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                log.error("cannot accept a connection: %s", error)
                return
            self._streams.add(Stream(self._loop, sock, self._received, self._ended, limit=REQUEST_LIMIT))

    def _received(self, stream: Stream, message: Message) -> None:
        operation = message.get("op")
        if operation == "run":
            self._accept(_job(stream, message))
        elif operation == "cancel":
            self._cancel(stream, lambda job: job.number == message.get("id"))
        else:
            log.error("unknown request %r", operation)

    def _ended(self, stream: Stream, _why: str) -> None:
        """Whoever asked is gone: nobody wants the results; what nobody waited for anyway goes on."""
        self._streams.discard(stream)
        self._cancel(stream, lambda job: not job.detached)
        for job in (*self._running, *self._waiting):
            if job.stream is stream:
                job.stream = None

    def _cancel(self, stream: Stream, which: Callable[[_Job], bool]) -> None:
        for job in [job for job in self._waiting if job.stream is stream and which(job)]:
            self._waiting.remove(job)
        for job in list(self._running):
            if job.stream is stream and which(job):
                job.stream = None
                if job.running is not None:
                    job.running.end()

    # -- jobs

    def _accept(self, job: _Job) -> None:
        if self._stopping:
            self._report(job, ScriptResult("refused", output="krun is stopping"))
        elif len(self._waiting) >= self._most_waiting:
            self._report(
                job,
                ScriptResult(
                    "refused", output=f"{self._most_waiting} scripts are waiting already; they are too slow"
                ),
            )
        else:
            self._waiting.append(job)
            self._next()

    def _next(self) -> None:
        """Start what may start: a job whose queue is busy lets later ones of other queues pass."""
        assert self._loop is not None
        passed: deque[_Job] = deque()
        while self._waiting and len(self._running) < self._at_once:
            job = self._waiting.popleft()
            queue = job.spec.queue
            if queue is not None and queue in self._busy:
                passed.append(job)
                continue
            try:
                job.running = Running(
                    job.spec,
                    self._loop,
                    lambda _running, result, job=job: self._finished(job, result),  # type: ignore[misc]
                    secure=self._config.global_defs.enable_script_security,
                )
            except RefusedError as error:
                self._report(job, ScriptResult("refused", output=str(error)))
                continue
            self._running.add(job)
            if queue is not None:
                self._busy.add(queue)
        self._waiting.extendleft(reversed(passed))
        if not self._running and not self._waiting:
            self._idle.set()

    def _finished(self, job: _Job, result: ScriptResult) -> None:
        self._running.discard(job)
        if job.spec.queue is not None:
            self._busy.discard(job.spec.queue)
        self._report(job, result)
        self._next()

    def _report(self, job: _Job, result: ScriptResult) -> None:
        self._counts[result.status] = self._counts.get(result.status, 0) + 1
        name = job.spec.label or " ".join(job.spec.argv)
        if result.status == "refused":
            log.error("%s: not run: %s", name, result.output)
        elif result.status == "timeout":
            assert job.spec.timeout_us is not None
            log.warning(
                "%s: killed, it took longer than %g s%s",
                name,
                job.spec.timeout_us / 1e6,
                _tail(result.output),
            )
        elif job.detached and (result.status == "signaled" or result.code != 0):
            how = f"signal {result.code}" if result.status == "signaled" else f"exit status {result.code}"
            log.warning("%s: ended with %s%s", name, how, _tail(result.output))
        elif result.output.strip():
            log.debug("%s:%s", name, _tail(result.output))
        if job.stream is not None:
            job.stream.send(
                {
                    "op": "done",
                    "id": job.number,
                    "status": result.status,
                    "code": result.code,
                    "output": result.output,
                    "duration_us": result.duration_us,
                }
            )


def _job(stream: Stream, message: Message) -> _Job:
    spec = ScriptRun(
        argv=tuple(str(word) for word in message.get("argv") or ()),
        account=Account(
            user=message.get("user"),
            group=message.get("group"),
            supplementary=bool(message.get("supplementary")),
        ),
        timeout_us=message.get("timeout_us"),
        label=str(message.get("label") or ""),
        queue=message.get("queue"),
    )
    return _Job(int(message.get("id", 0)), spec, bool(message.get("detached")), stream)


def _tail(output: str) -> str:
    """The last lines of what it said, on one line, for the log."""
    text = " | ".join(line.strip() for line in output.strip().splitlines()[-5:] if line.strip())
    return f": {text[-600:]}" if text else ""


def _limit_resources() -> None:
    """What scripts inherit from here: no core files, an ordinary number of descriptors."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES if hard < 0 else min(OPEN_FILES, hard), hard))
