"""Running a command through the script process: what the protocol children call instead of forking themselves."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from kir.model import Account
from krun.control.framing import Message
from krun.control.stream import Stream
from krun.loop.books import Books, Entry
from krun.loop.clock import now_us

log = logging.getLogger("krun.notify")

SOCKET_NAME = "script-run.sock"
"""The script process's listening socket, in the run directory."""

OUTSTANDING = 4096
"""How many runs of one process may not have ended yet; one more is refused."""

LINES = 10_000
"""How many lines for pipes wait at most while there is no script process."""

_DEFAULT_ACCOUNT = Account()

Status = Literal["exited", "signaled", "timeout", "refused", "lost", "superseded"]


@dataclass(frozen=True, slots=True)
class ScriptRun:
    """A command to run.

    ``argv`` never goes through a shell. ``account``: as whom. ``timeout_us`` None: no limit. ``label`` is what the log calls
    it. Runs with the same ``queue`` are carried out strictly one after the other, in order; None: at once. One that waits is not run
    any more when a later one of its ``queue`` and ``topic`` comes, by ``sequence``; runs of the same sequence belong together.
    ``patience_us``: how long the one before it in the queue may go on once this one waits; None: as long as it likes. ``facts``: what
    its environment has beside the usual, by names that begin with ``KRUN_``.
    """

    argv: tuple[str, ...]
    account: Account = _DEFAULT_ACCOUNT
    timeout_us: int | None = None
    label: str = ""
    queue: str | None = None
    topic: str | None = None
    sequence: int = 0
    patience_us: int | None = None
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ScriptResult:
    """How a run ended.

    ``exited``: ``code`` is its exit status; ``signaled``: the signal's number; ``timeout``: it was killed for taking too
    long; ``refused``: it was never started, ``output`` says why; ``superseded``: a later one said all; ``lost``: the script process
    went away meanwhile, or the run was cancelled, and nobody knows. ``output``: the last octets of what it wrote, as text.
    ``duration_us``: from start to end.
    """

    status: Status
    code: int = 0
    output: str = ""
    duration_us: int = 0


Done = Callable[[ScriptResult], None]


@dataclass(slots=True)
class _Outstanding:
    """A run that has not ended. ``started``: the script process was about to start it, or had; ``pid`` and ``began``: as what."""

    spec: ScriptRun
    done: Done | None
    taken: Callable[[], None] | None = None
    sent: bool = False
    started: bool = False
    pid: int = 0
    began: int = 0
    started_us: int = 0


@dataclass(slots=True)
class _Orphan:
    """A command whose script process is gone."""

    token: int
    run: _Outstanding = field(repr=False)


class ScriptClient:
    """A connection to the script process, on ``loop``. It opens on the first run and again when the script process was restarted.

    What becomes of runs when the script process dies: those that nobody waits for (without ``done``) and that were not started are
    handed to its successor, in order; those that were started go on, and the successor waits for their end before it starts the
    next of their queue: none is lost, none is run twice. A run with ``done`` ends as ``lost``, and is killed if it was started.
    ``patience_s``: how long runs wait for a script process that does not listen before they end as ``lost``.
    ``limit``: the most runs outstanding at once; one more is ``refused``. Callbacks come from the loop, never from inside
    `run`. A run without ``done`` goes on when this process dies; one with ``done`` is then killed: nobody would want its result.
    """

    RETRY_S = 0.05

    def __init__(
        self,
        run_dir: Path,
        loop: asyncio.AbstractEventLoop,
        *,
        patience_s: float = 10.0,
        limit: int = OUTSTANDING,
    ) -> None:
        self._path = run_dir / SOCKET_NAME
        self._loop = loop
        self._patience_s = patience_s
        self._limit = limit
        self._token = 0
        self._outstanding: dict[int, _Outstanding] = {}
        self._unsent: dict[int, None] = {}
        self._orphans: list[_Orphan] = []
        self._lines: deque[tuple[int, str, str]] = deque()
        self._handed: deque[tuple[int, str, str]] = deque()
        self._line = 0
        self._lines_lost = 0
        self._programs: list[Message] = []
        self._programs_told = True
        self._stream: Stream | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._give_up_at: float | None = None
        self._closed = False

    @property
    def outstanding(self) -> int:
        """How many runs have not ended yet."""
        return len(self._outstanding)

    def books(self) -> Books:
        """What it owns (`krun.loop.books`)."""
        for run in self._outstanding.values():
            yield Entry("script run", run.spec.label or run.spec.argv[0], run)
        if self._stream is not None:
            yield Entry("control connection", "to the script process", self._stream)

    def run(
        self, spec: ScriptRun, done: Done | None = None, *, taken: Callable[[], None] | None = None
    ) -> int:
        """Start ``spec`` soon; ``done`` hears how it ended. Returns a token for `cancel`. ``taken`` is called when the script process
        has it: from then on it is carried out though this process should die.
        """
        self._token += 1
        token = self._token
        if self._closed or len(self._outstanding) >= self._limit:
            why = (
                "this process is ending"
                if self._closed
                else f"{self._limit} runs are already waiting; the scripts are too slow"
            )
            log.error("%s: not run: %s", spec.label or spec.argv[0], why)
            if done is not None:
                self._loop.call_soon(done, ScriptResult("refused", output=why))
            return token
        self._outstanding[token] = _Outstanding(spec, done, taken)
        self._unsent[token] = None
        self._flush()
        return token

    def cancel(self, token: int) -> None:
        """Forget a run: killed if it had started, its callback is not called. Unknown tokens are ignored."""
        run = self._outstanding.pop(token, None)
        if run is None:
            return
        if not run.sent:
            self._unsent.pop(token, None)
        elif self._stream is not None:
            self._stream.send({"op": "cancel", "id": token})

    def programs(self, used: Iterable[tuple[str, str, Account]]) -> None:
        """What this process may run: who names it, the program, as whom. The script process looks whether they could be started, and
        says what is wrong before they are needed; where it is restarted it is told again.
        """
        self._programs = [
            {
                "owner": owner,
                "program": program,
                "user": account.user,
                "group": account.group,
                "supplementary": account.supplementary,
            }
            for owner, program, account in used
        ]
        self._programs_told = False
        self._flush()

    def line(self, channel: str, text: str) -> None:
        """Write a line to the pipes of ``channel`` (`krun.notify.fifo`), in order, also over the death of the script process."""
        if self._closed:
            return
        self._line += 1
        self._lines.append((self._line, channel, text))
        while len(self._lines) + len(self._handed) > LINES:
            if self._handed:  # most likely written by now
                self._handed.popleft()
                continue
            self._lines.popleft()
            self._lines_lost += 1
            if self._lines_lost == 1:
                log.error(
                    "the script process takes no lines for pipes: more than %d wait, the oldest are lost",
                    LINES,
                )
        self._flush()

    def close(self) -> None:
        """Drop the connection. Runs with a callback are killed and forgotten; those without go on."""
        self._closed = True
        if self._retry is not None:
            self._retry.cancel()
        if self._stream is not None:
            # Runs of the last moment (a notify_stop, say) may still wait to go out.
            self._stream.flush(1.0)
            self._stream.close()
            self._stream = None
        self._outstanding.clear()
        self._unsent.clear()

    def _flush(self) -> None:
        """Hand over what waits, opening the connection where there is none."""
        if self._stream is None and (self._retry is not None or not self._open()):
            return
        if self._stream is not None and not self._programs_told:
            self._programs_told = True
            self._stream.send({"op": "programs", "programs": self._programs})
        while self._orphans and self._stream is not None:
            orphan = self._orphans.pop(0)
            self._stream.send(_adoption(orphan))
        while self._lines and self._stream is not None:
            line = self._lines.popleft()
            self._handed.append(line)
            number, channel, text = line
            self._stream.send({"op": "line", "number": number, "channel": channel, "text": text})
        while self._unsent and self._stream is not None:
            token = next(iter(self._unsent))
            del self._unsent[token]
            run = self._outstanding[token]
            run.sent = True
            self._stream.send(_request(token, run))

    @property
    def _wanted(self) -> bool:
        """Whether there is something to hand over."""
        return bool(self._unsent or self._orphans or self._lines or not self._programs_told)

    def _open(self) -> bool:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            sock.connect(str(self._path))
        except OSError as error:
            sock.close()
            self._not_there(error)
            return False
        self._give_up_at = None
        self._stream = Stream(self._loop, sock, self._received, self._ended)
        return True

    def _not_there(self, error: OSError) -> None:
        """Try again in a moment, or end everything that waits where it was tried for long enough."""
        now = self._loop.time()
        if self._give_up_at is None:
            self._give_up_at = now + self._patience_s
        if now < self._give_up_at:
            self._retry = self._loop.call_later(self.RETRY_S, self._try_again)
            return
        self._give_up_at = None
        if not self._unsent:
            return
        why = f"no script process at {self._path}: {error.strerror or error}"
        log.error("%d scripts not run: %s", len(self._unsent), why)
        self._unsent.clear()
        self._orphans.clear()
        self._lose(list(self._outstanding), why)

    def _try_again(self) -> None:
        self._retry = None
        if self._wanted and not self._closed:
            self._flush()

    def _received(self, _stream: Stream, message: Message) -> None:
        if message.get("op") == "written":
            while self._handed and self._handed[0][0] <= message["number"]:
                self._handed.popleft()
            return
        run = self._outstanding.get(message.get("id", 0))
        if run is None:
            return
        operation = message.get("op")
        if operation == "taken":
            if run.taken is not None:
                run.taken()
        elif operation == "starts":
            run.started = True
            run.started_us = now_us()
        elif operation == "began":
            run.started, run.pid, run.began = True, message["pid"], message["began"]
            run.started_us = run.started_us or now_us()
        else:
            del self._outstanding[message["id"]]
            if run.done is not None:
                run.done(
                    ScriptResult(
                        message["status"],
                        message.get("code", 0),
                        message.get("output", ""),
                        message.get("duration_us", 0),
                    )
                )

    def _ended(self, _stream: Stream, why: str) -> None:
        self._stream = None
        self._lines.extendleft(reversed(self._handed))
        self._handed.clear()
        self._programs_told = not self._programs
        lost: list[int] = []
        again: list[int] = []
        for token, run in self._outstanding.items():
            if not run.sent:
                continue
            if run.pid:
                self._orphans.append(_Orphan(token, run))
            if run.done is not None:
                lost.append(token)
            elif not run.started:
                run.sent = False
                again.append(token)
            elif not run.pid:
                log.warning(
                    "%s: may or may not have been started: %s", run.spec.label or run.spec.argv[0], why
                )
                lost.append(token)
        # Their turn was before those that were not even handed over.
        self._unsent = dict.fromkeys([*again, *self._unsent])
        self._lose(lost, f"the script process went away: {why}")
        if self._wanted:
            self._flush()

    def _lose(self, tokens: list[int], why: str) -> None:
        for token in tokens:
            run = self._outstanding.pop(token)
            if run.done is not None:
                self._loop.call_soon(run.done, ScriptResult("lost", output=why))


def _request(token: int, run: _Outstanding) -> Message:
    spec = run.spec
    return {
        "op": "run",
        "id": token,
        "argv": spec.argv,
        "user": spec.account.user,
        "group": spec.account.group,
        "supplementary": spec.account.supplementary,
        "timeout_us": spec.timeout_us,
        "label": spec.label,
        "queue": spec.queue,
        "topic": spec.topic,
        "sequence": spec.sequence,
        "patience_us": spec.patience_us,
        "facts": spec.facts,
        "detached": run.done is None,
    }


def _adoption(orphan: _Orphan) -> Message:
    """What a successor is to know of a command that the one before it had started."""
    run = orphan.run
    left = None if run.spec.timeout_us is None else run.spec.timeout_us - (now_us() - run.started_us)
    return _request(orphan.token, run) | {
        "op": "adopt",
        "pid": run.pid,
        "began": run.began,
        "timeout_us": left,
    }
