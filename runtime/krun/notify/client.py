"""Running a command through the script process: what the protocol children call instead of forking themselves."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kir.model import Account
from krun.control.framing import Message
from krun.control.stream import Stream
from krun.loop.books import Books, Entry

log = logging.getLogger("krun.notify")

SOCKET_NAME = "script-run.sock"
"""The script process's listening socket, in the run directory."""

_DEFAULT_ACCOUNT = Account()

Status = Literal["exited", "signaled", "timeout", "refused", "lost"]


@dataclass(frozen=True, slots=True)
class ScriptRun:
    """A command to run.

    ``argv`` never goes through a shell. ``account``: as whom. ``timeout_us`` None: no limit. ``label`` is what the log calls
    it. Runs with the same ``queue`` are carried out strictly one after the other, in order; None: at once.
    """

    argv: tuple[str, ...]
    account: Account = _DEFAULT_ACCOUNT
    timeout_us: int | None = None
    label: str = ""
    queue: str | None = None


@dataclass(frozen=True, slots=True)
class ScriptResult:
    """How a run ended.

    ``exited``: ``code`` is its exit status; ``signaled``: the signal's number; ``timeout``: it was killed for taking too
    long; ``refused``: it was never started, ``output`` says why; ``lost``: the script process went away meanwhile, or the run
    was cancelled, and nobody knows. ``output``: the last octets of what it wrote, as text. ``duration_us``: from start to end.
    """

    status: Status
    code: int = 0
    output: str = ""
    duration_us: int = 0


Done = Callable[[ScriptResult], None]


@dataclass(slots=True)
class _Outstanding:
    spec: ScriptRun
    done: Done | None
    sent: bool = False


class ScriptClient:
    """A connection to the script process, on ``loop``. It opens on the first run and again when the script process was
    restarted: runs that it had already been given end as ``lost``, those still waiting here are handed to the new one.

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
        limit: int = 4096,
    ) -> None:
        self._path = run_dir / SOCKET_NAME
        self._loop = loop
        self._patience_s = patience_s
        self._limit = limit
        self._token = 0
        self._outstanding: dict[int, _Outstanding] = {}
        self._unsent: deque[int] = deque()
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

    def run(self, spec: ScriptRun, done: Done | None = None) -> int:
        """Start ``spec`` soon; ``done`` hears how it ended. Returns a token for `cancel`."""
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
        self._outstanding[token] = _Outstanding(spec, done)
        self._unsent.append(token)
        self._flush()
        return token

    def cancel(self, token: int) -> None:
        """Forget a run: killed if it had started, its callback is not called. Unknown tokens are ignored."""
        run = self._outstanding.pop(token, None)
        if run is None:
            return
        if not run.sent:
            self._unsent.remove(token)
        elif self._stream is not None:
            self._stream.send({"op": "cancel", "id": token})

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
        while self._unsent and self._stream is not None:
            token = self._unsent.popleft()
            run = self._outstanding[token]
            run.sent = True
            spec = run.spec
            self._stream.send(
                {
                    "op": "run",
                    "id": token,
                    "argv": spec.argv,
                    "user": spec.account.user,
                    "group": spec.account.group,
                    "supplementary": spec.account.supplementary,
                    "timeout_us": spec.timeout_us,
                    "label": spec.label,
                    "queue": spec.queue,
                    "detached": run.done is None,
                }
            )

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
        why = f"no script process at {self._path}: {error.strerror or error}"
        log.error("%d scripts not run: %s", len(self._unsent), why)
        self._unsent.clear()
        self._lose(list(self._outstanding), why)

    def _try_again(self) -> None:
        self._retry = None
        if self._unsent and not self._closed:
            self._flush()

    def _received(self, _stream: Stream, message: Message) -> None:
        run = self._outstanding.pop(message.get("id", 0), None)
        if run is not None and run.done is not None:
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
        self._lose(
            [token for token, run in self._outstanding.items() if run.sent],
            f"the script process went away: {why}",
        )
        if self._unsent:
            self._flush()

    def _lose(self, tokens: list[int], why: str) -> None:
        for token in tokens:
            run = self._outstanding.pop(token)
            if run.done is not None:
                self._loop.call_soon(run.done, ScriptResult("lost", output=why))
