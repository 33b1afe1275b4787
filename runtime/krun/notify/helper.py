"""The script process: runs the commands of the other children, so that none of those ever forks or changes its user."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from kir.model import Account, Config
from krun.control.framing import Message
from krun.control.server import listen
from krun.control.stream import Stream
from krun.loop.books import Books, Entry
from krun.loop.descriptors import of_scripts, provide
from krun.notify import accounts, family, limits
from krun.notify.client import SOCKET_NAME, ScriptResult, ScriptRun
from krun.notify.fifo import Pipes
from krun.notify.places import Places
from krun.notify.programs import Programs
from krun.notify.reports import Reports
from krun.notify.running import Adopted, Running, Watched, deafen
from krun.notify.spawn import SCRIPT_UMASK, RefusedError
from krun.parent.context import ChildContext

log = logging.getLogger("krun.notify")

WAITING = 4096
"""How many commands wait at most; one more is refused."""

LAST_WORDS_S = 1.0
"""How long commands may go on at the stop (keepalived gives its STOP scripts as much)."""

AGAIN_S = 0.05
TRIES = 20
"""A script that is being replaced, or a user with too many processes, is tried again so often."""

UNSAID_UMASK = 0o177
"""The default of ``umask``. It is about krun's own files; keepalived's scripts have it too, and then write files that nobody can run."""

CONNECTIONS = 16
"""How many processes may have scripts run: the director's own, and their successors."""

REQUEST_LIMIT = 4 * 1024 * 1024


@dataclass(slots=True, eq=False)
class _Job:
    number: int
    spec: ScriptRun
    notice: bool
    stream: Stream | None
    running: Watched | None = None
    tries: int = 0

    @property
    def queue(self) -> str | None:
        return self.spec.queue

    @property
    def topic(self) -> str | None:
        return self.spec.topic

    @property
    def sequence(self) -> int:
        return self.spec.sequence

    @property
    def name(self) -> str:
        return self.spec.label or " ".join(self.spec.argv)


class ScriptChild:
    """Fulfils `krun.parent.child.Child`. Accepts runs on ``RUN_DIR/script-run.sock`` (0600).

    At most ``at_once`` commands run at a time (None: what the context says); who is next is decided by `krun.notify.places`.
    """

    def __init__(self, context: ChildContext, *, at_once: int | None = None, waiting: int = WAITING) -> None:
        self._context = context
        self._config = context.config
        self._prepared: Config | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listener: socket.socket | None = None
        self._streams: set[Stream] = set()
        self._running: set[_Job] = set()
        self._places: Places[_Job] = Places(at_once or context.max_scripts, waiting)
        self._retrying: dict[_Job, asyncio.TimerHandle] = {}
        self._idle: asyncio.Event = asyncio.Event()
        self._stopping = False
        self._counts: Counter[str] = Counter()
        self._programs = Programs()
        self._reports = Reports()
        self._pipes = Pipes(context.run_dir)

    # -- life

    async def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        limits.apply()
        self._pipes.follow(self._config.global_defs, self._secure, loop)
        budget = provide(of_scripts(self._places.at_once))
        if budget.short:
            log.warning("%s", budget.words("some of so many scripts at once cannot be started"))
        self._listener = listen(self._context.run_dir / SOCKET_NAME)
        loop.add_reader(self._listener.fileno(), self._acceptable)

    async def stop(self) -> None:
        """No new commands; those under way get a moment, those that wait behind them theirs; then SIGTERM, then SIGKILL."""
        self._unlisten()
        for _ in range(3):  # what the others said last may still be in their sockets
            await asyncio.sleep(0)
        self._stopping = True
        if not await self._wait_idle(LAST_WORDS_S):
            self._end_all()
            if self._places.waiting or self._retrying:
                # A script for the stop must not be left out because the one before it hangs.
                await self._wait_started(0.5)
                await self._wait_idle(LAST_WORDS_S)
                self._end_all()
            if not await self._wait_idle(0.5):
                self._kill_all()
                await self._wait_idle(0.5)
        await self._pipes.close()
        self._reports.close()
        assert self._loop is not None
        deafen(self._loop)

    def abandon(self) -> None:
        self._stopping = True
        self._pipes.kill()
        self._kill_all()

    def _kill_all(self) -> None:
        self._places.clear()
        for timer in self._retrying.values():
            timer.cancel()
        self._retrying.clear()
        for job in self._running:
            if job.running is not None:
                job.running.kill()

    def _end_all(self) -> None:
        for job in list(self._running):
            if job.running is not None:
                job.running.end()
                self._loop.call_later(0.3, job.running.kill)  # type: ignore[union-attr]

    async def _wait_started(self, seconds: float) -> None:
        """Until nothing waits any more."""
        assert self._loop is not None
        until = self._loop.time() + seconds
        while (self._places.waiting or self._retrying) and self._loop.time() < until:
            await asyncio.sleep(0.01)

    async def _wait_idle(self, seconds: float) -> bool:
        self._idle.clear()
        if self._at_rest:
            return True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), seconds)
        return self._at_rest

    @property
    def _at_rest(self) -> bool:
        return not self._running and not self._places.waiting and not self._retrying

    def _unlisten(self) -> None:
        if self._listener is not None and self._loop is not None:
            self._loop.remove_reader(self._listener.fileno())
            self._listener.close()
            self._listener = None
            (self._context.run_dir / SOCKET_NAME).unlink(missing_ok=True)

    # -- reload and status

    def prepare(self, config: Config, digest: str) -> dict[str, Any]:
        self._prepared = config
        self._pipes.hold()  # whose lines come from now on is known when it is known which configuration runs
        return {}

    def commit(self) -> dict[str, Any]:
        if self._prepared is not None:
            self._config, self._prepared = self._prepared, None
        accounts.forget()
        assert self._loop is not None
        self._pipes.follow(self._config.global_defs, self._secure, self._loop)
        self._pipes.release()
        self._programs.judge(self._secure)
        return {"operations": {}, "failures": []}

    def abort(self) -> None:
        self._prepared = None
        self._pipes.release()

    def status(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "running": [
                {"label": job.spec.label, "pid": job.running.pid}
                for job in self._running
                if job.running is not None
            ],
            "waiting": self._places.waiting + len(self._retrying),
            "limit": self._places.at_once,
            "ended": dict(sorted(self._counts.items())),
        }
        if self._pipes.any:
            document["pipes"] = self._pipes.status()
        alarms = self._programs.alarms() + self._pipes.alarms()
        return {**document, "alarms": alarms} if alarms else document

    @property
    def _secure(self) -> bool:
        return self._config.global_defs.enable_script_security

    def books(self) -> Books:
        """What it owns (`krun.loop.books`)."""
        for job in (*self._running, *self._places, *self._retrying):
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
            if len(self._streams) >= CONNECTIONS:
                log.error("%d processes have scripts run already: one more is turned away", CONNECTIONS)
                sock.close()
                continue
            self._streams.add(Stream(self._loop, sock, self._received, self._ended, limit=REQUEST_LIMIT))

    def _received(self, stream: Stream, message: Message) -> None:
        operation = message.get("op")
        if operation == "run":
            self._accept(_job(stream, message))
        elif operation == "line":
            # Said before it is so: a line that is under way when this process dies is lost, and never written twice.
            stream.send({"op": "written", "number": message["number"]})
            self._pipes.line(message["channel"], str(message["text"]).encode())
        elif operation == "cancel":
            self._cancel(stream, lambda job: job.number == message.get("id"))
        elif operation == "adopt":
            self._adopt(_job(stream, message), int(message["pid"]), int(message["began"]))
        elif operation == "programs":
            self._programs.told(stream, message.get("programs") or ())
            self._programs.judge(self._secure)
        else:
            log.error("unknown request %r", operation)

    def _ended(self, stream: Stream, _why: str) -> None:
        """Whoever asked is gone: nobody wants the results; what nobody waited for anyway goes on."""
        self._streams.discard(stream)
        self._programs.forget(stream)
        self._cancel(stream, lambda job: not job.notice)
        for job in (*self._running, *self._places, *self._retrying):
            if job.stream is stream:
                job.stream = None

    def _cancel(self, stream: Stream, which: Callable[[_Job], bool]) -> None:
        for job in [job for job in self._places if job.stream is stream and which(job)]:
            self._places.drop(job)
        for job in [job for job in self._retrying if job.stream is stream and which(job)]:
            self._retrying.pop(job).cancel()
            self._places.ended(job)
        for job in list(self._running):
            if job.stream is stream and which(job):
                job.stream = None
                if job.running is not None:
                    job.running.end()
        self._next()

    # -- jobs

    def _accept(self, job: _Job) -> None:
        if self._stopping:
            self._report(job, ScriptResult("refused", output="krun is stopping"))
            return
        stale = self._places.add(job)
        if stale is None:
            words = f"{self._places.most} scripts are waiting already; they are too slow"
            self._report(job, ScriptResult("refused", output=words))
            return
        if job.notice and job.stream is not None:
            job.stream.send({"op": "taken", "id": job.number})
        for old in stale:
            self._report(old, ScriptResult("superseded", output=job.name))
        self._hurry(job)
        self._next()

    def _hurry(self, job: _Job) -> None:
        """Whoever runs before ``job`` in its queue has its patience."""
        if job.spec.patience_us is None or job.queue is None:
            return
        head = self._places.head(job.queue)
        if head is not None and head is not job and head.sequence < job.sequence and head.running is not None:
            head.running.hurry(job.spec.patience_us / 1e6)

    def _adopt(self, job: _Job, pid: int, began: int) -> None:
        """A command that the script process before this one started goes on: its queue waits for it."""
        assert self._loop is not None
        if family.began_at(pid) != began:
            self._report(job, ScriptResult("lost"))
            return
        try:
            job.running = Adopted(
                pid,
                self._loop,
                lambda: self._finished(job, ScriptResult("lost")),
                timeout_us=job.spec.timeout_us,
            )
        except RefusedError:
            self._report(job, ScriptResult("lost"))
            return
        self._places.occupy(job)
        self._running.add(job)
        if job.notice:
            log.info("%s: still runs (pid %d), started by the script process before this one", job.name, pid)
        else:
            job.running.end()  # nobody waits for its result any more

    def _next(self) -> None:
        """Start what may start."""
        while (job := self._places.next()) is not None:
            self._start(job)
        if self._at_rest:
            self._idle.set()

    def _start(self, job: _Job) -> None:
        assert self._loop is not None
        if job.notice and job.stream is not None and not job.tries:
            # Said before it is so: if this process dies in between the command is lost, and never run twice.
            job.stream.send({"op": "starts", "id": job.number})
        settings = self._config.global_defs
        if settings.set_supplementary_groups and not job.spec.account.supplementary:
            account = msgspec.structs.replace(job.spec.account, supplementary=True)
            job.spec = replace(job.spec, account=account)
        try:
            job.running = Running(
                job.spec,
                self._loop,
                lambda _running, result: self._finished(job, result),
                secure=self._secure,
                umask=SCRIPT_UMASK if settings.umask == UNSAID_UMASK else settings.umask,
            )
        except RefusedError as error:
            job.tries += 1
            if error.soon and job.tries < TRIES:
                self._retrying[job] = self._loop.call_later(AGAIN_S, self._try_again, job)
                return
            self._places.ended(job)
            self._programs.refused(job.spec, str(error))
            self._report(job, ScriptResult("refused", output=str(error)))
            return
        self._programs.worked(job.spec)
        self._running.add(job)
        if job.stream is not None:
            began = {"op": "began", "id": job.number, "pid": job.running.pid, "began": job.running.began_at}
            job.stream.send(began)

    def _try_again(self, job: _Job) -> None:
        del self._retrying[job]
        self._start(job)
        self._next()

    def _finished(self, job: _Job, result: ScriptResult) -> None:
        self._running.discard(job)
        job.running = None  # no circle stays: what a reload froze is not looked for by the collector
        self._places.ended(job)
        self._report(job, result)
        self._next()
        if job.queue is not None and (head := self._places.head(job.queue)) is not None:
            for waiting in [j for j in self._places if j.queue == job.queue and j is not head]:
                self._hurry(waiting)

    def _report(self, job: _Job, result: ScriptResult) -> None:
        self._counts[result.status] += 1
        self._reports.ended(job.name, job.spec, result, notice=job.notice)
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
        topic=message.get("topic"),
        sequence=int(message.get("sequence") or 0),
        patience_us=message.get("patience_us"),
        facts=tuple(
            (str(name), str(value))
            for name, value in message.get("facts") or ()
            if str(name).startswith("KRUN_")
        ),
    )
    return _Job(int(message.get("id", 0)), spec, bool(message.get("detached")), stream)
