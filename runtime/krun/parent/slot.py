"""One child, as the parent sees it: born, watched, replaced, stopped."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kir.model import Config
from krun.control.client import TIMED_OUT, Conversation
from krun.control.events import event
from krun.control.metrics.address import Where
from krun.control.server import listen
from krun.logs import WHERE
from krun.loop.books import Books, Entry
from krun.loop.events import Handle
from krun.loop.reactor import Reactor
from krun.parent import alive, privileges, scheduling, shell
from krun.parent.backoff import Backoff
from krun.parent.context import ChildContext
from krun.parent.dumps import write_pid
from krun.parent.legacy import Heir
from krun.parent.periods import Periods, hello_period
from krun.parent.placing import Placing
from krun.parent.promises import PromiseStore, expected, pair
from krun.parent.rundir import RunDir
from krun.parent.watchdog import Watchdog
from krun.parent.witness import Witness

log = logging.getLogger("krun.parent")

LEAVE_S = 1.5
"""How long a process that is to make room for its successor may take."""

State = Literal["starting", "running", "waiting", "stopping", "ended"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What all children share."""

    run_dir: RunDir
    kernel: str
    log_format: str = "text"
    log_level: int = logging.INFO
    memory_debug: bool = False
    drain_us: int = 0
    audit_us: int = 10_000_000
    max_scripts: int = 64
    record: int = 0
    overlays: Callable[[], tuple[dict[str, Any], ...]] = tuple
    metrics: Where | None = None
    ipvs_namespace: int = -1
    """A descriptor of the network namespace of IPVS, where that is another one than krun's; else -1."""
    base: scheduling.Base = field(default_factory=scheduling.Base.here)
    control_group: int | None = None
    """Number of the group that may look."""
    budgets_us: Mapping[str, int] = field(default_factory=dict)
    """How long a callback of a process may take, by its name; what is not here has the usual."""
    log_where: str = WHERE
    """As `krun.logs.setup` has it."""


class Slot:
    """The place of one child process; the processes in it come and go.

    ``changed`` is called when the state changes to ``running``, ``waiting`` or ``ended``.
    """

    def __init__(
        self,
        name: str,
        make: shell.Make,
        loop: Reactor,
        settings: Settings,
        periods: Periods,
        changed: Callable[[Slot], None],
    ) -> None:
        self.name = name
        self.state: State = "ended"
        self.pid = 0
        self.restarts = 0
        self.reasons: Counter[str] = Counter()
        """How often it was started again for which of `krun.control.state.RESTART_REASONS`."""
        self.since = 0.0
        """When the process was forked, seconds since the epoch."""
        self.problem = ""
        """Why the last process ended, or why there is none; empty while all is well."""
        self.config = Config()
        self.digest = ""
        self.promises: PromiseStore | None = None
        self._make = make
        self._loop = loop
        self._settings = settings
        self._periods = periods
        self._changed = changed
        self._backoff = Backoff(periods.young, periods.unit)
        self._alive = alive.shared()
        self._place = Placing(name, settings.base)
        self._renewed = ""
        self._born_at = 0.0
        self._channel: socket.socket | None = None
        self._retry: Handle | None = None
        self._watchdog: Watchdog | None = None
        self._stopped: Callable[[], None] | None = None
        self._continued_at = float("-inf")
        self._deaths = 0
        self._reason = ""
        self._leaving = False
        self.conversation = Conversation(loop, settings.run_dir.child_socket(name))

    def books(self) -> Books:
        """What it owns (`krun.loop.books`)."""
        yield Entry("process", self.name, self)
        yield Entry("promises", self.name, self.promises)
        if self._watchdog is not None:
            yield Entry("watchdog", self.name, self._watchdog)
        yield Entry("configuration", f"of the {self.name} process", self.config)
        yield from self.conversation.books()

    # -- birth

    def start(self, config: Config, digest: str) -> None:
        """Fork the child to run ``config``. Where that fails it is tried again, later and later."""
        self.config, self.digest = config, digest
        if self.promises is None:
            self.promises = PromiseStore(self.name, self._settings.run_dir.path, expected(config))
        self._fork()

    def succeed(self, config: Config, digest: str, heir: Heir) -> None:
        """Replace the process that this one left to itself when it replaced itself: that one ends now, and is succeeded at once."""
        self.config, self.digest = config, digest
        self.promises = PromiseStore(self.name, self._settings.run_dir.path, expected(config), heir.region)
        self.pid, self.since, self.state = heir.pid, time.time(), "starting"
        self._born_at = self._loop.time()
        self._leaving = True
        os.close(heir.channel)
        self._retry = self._loop.call_later(
            LEAVE_S, lambda: self.kill("it did not make room for its successor in time")
        )

    def _fork(self) -> None:
        self._retry = None
        settings, kept = self._settings, self.promises
        assert kept is not None
        try:
            listener = listen(settings.run_dir.child_socket(self.name))
            ours, theirs = pair()
        except OSError as error:
            self._failed(f"cannot make its sockets: {error}")
            return
        context = ChildContext(
            name=self.name,
            config=self.config,
            digest=self.digest,
            kernel=settings.kernel,
            run_dir=settings.run_dir.path,
            listener=listener,
            channel=theirs,
            alive=self._alive,
            region=kept.fd,
            restarts=self.restarts,
            drain_us=settings.drain_us,
            overlays=settings.overlays(),
            audit_us=settings.audit_us,
            ipvs_namespace=settings.ipvs_namespace if self.name == "check" else -1,
            max_scripts=settings.max_scripts,
            record=settings.record,
        )
        birth = shell.Birth(
            os.getpid(),
            settings.log_format,
            settings.log_level,
            settings.memory_debug,
            settings.budgets_us.get(self.name),
            log_where=settings.log_where,
        )
        sys.stdout.flush()
        mask = shell.blocked_signals()
        try:
            pid = os.fork()
        except OSError as error:
            pid = -1
            self._failed(f"cannot fork: {error.strerror or error}")
        if pid == 0:
            shell.run(self._make, context, birth, mask)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        listener.close()
        theirs.close()
        if pid < 0:
            ours.close()
            return
        self.pid = pid
        self.since = time.time()
        self._born_at = self._loop.time()
        self.state = "starting"
        write_pid(settings.run_dir.child_pid(self.name), pid, self.config.global_defs.umask)
        self._place.born(pid, self.config)
        kept.born()
        self._channel = ours
        self._loop.add_reader(ours.fileno(), self._channel_readable)
        period = hello_period(self.name, self.config, self._periods)
        self._watchdog = Watchdog(
            self._loop,
            self.conversation.ask,
            period=period,
            grace=max(period, self._periods.grace_least),
            stuck=self._stuck,
            witness=lambda: Witness(self.pid, self._alive),
        )
        self._watchdog.start(self._periods.start)

    def _failed(self, why: str) -> None:
        self.problem = why
        self._reason = "fork"
        self._again(self._backoff.died(0.0, was_ready=False), f"{self.name}: {why}")

    def _channel_readable(self) -> None:
        if self._channel is None or self.promises is None:
            return
        if not self.promises.drain(self._channel):
            self._close_channel()
        if self.promises.heard:
            heard, self.promises.heard = self.promises.heard, []
            for kind, value in heard:
                self._place.heard(kind, value)
        if self.state == "starting" and self.promises.ready:
            self.state = "running"
            self.problem = ""
            self._changed(self)

    def _close_channel(self) -> None:
        if self._channel is not None:
            self._loop.remove_reader(self._channel.fileno())
            self._channel.close()
            self._channel = None

    # -- watch

    def adopt(self, config: Config, digest: str) -> None:
        """From now on this is what a successor runs; a child in back-off gets another chance at once."""
        gains = privileges.gained(self.name, self.config, config)
        self.config, self.digest = config, digest
        self._place.adopt(config)
        period = hello_period(self.name, config, self._periods)
        if self._watchdog is not None:
            self._watchdog.pace(period, max(period, self._periods.grace_least))
        self._backoff.reset()
        if self.state == "waiting" and self._retry is not None:
            self._retry.cancel()
            self._fork()
        elif gains and self.pid and self.state != "stopping":
            self._renew("it needs " + ", ".join(privileges.NAMES[number] for number in sorted(gains)))

    def _renew(self, why: str) -> None:
        """Have a successor take over: what a process gave up at its birth it cannot get back."""
        self._renewed = why
        os.kill(self.pid, signal.SIGKILL)

    @property
    def unfulfilled(self) -> list[str]:
        """What the configuration wants of this process and the kernel did not let through, in words."""
        return self._place.problems

    def suspend_watch(self, suspended: bool) -> None:
        """While a phase of a reload runs, with a time limit of its own, nothing is held against the child."""
        if self._watchdog is not None:
            self._watchdog.suspended = suspended

    @property
    def last_hello_s(self) -> float | None:
        """Seconds since the child last answered a hello."""
        if self._watchdog is None or self._watchdog.last_answer is None:
            return None
        return self._loop.time() - self._watchdog.last_answer

    @property
    def heir(self) -> Heir | None:
        """What is handed on where this process replaces itself; None while there is nothing."""
        if self.state != "running" or not self.pid or self._channel is None or self.promises is None:
            return None
        return Heir(self.pid, self._channel.fileno(), self.promises.fd)

    @property
    def neglected(self) -> str:
        """Why nobody watches over this place as one should; empty where somebody does. For the service manager's watchdog: a parent whose
        loop turns, but that asks its children nothing, is as good as none.
        """
        if self.state in ("stopping", "ended"):  # that has a time limit of its own
            return ""
        if not self.pid:
            return "" if self._retry is not None else "there is no process, and no start is planned"
        if self._leaving:
            return ""
        if self._watchdog is None:
            return "nobody says hello to it"
        idle = self._watchdog.idle_too_long(self._periods.start + 5.0)
        return f"nobody has said hello to it for {idle:.0f} s" if idle else ""

    def kill(self, why: str, reason: str = "reload") -> None:
        """SIGKILL; the rest happens when it is reaped. ``reason``: one of `krun.control.state.RESTART_REASONS`."""
        if self.pid:
            self.problem = why
            self._reason = reason
            log.error(
                "%s process (pid %d): %s; killed",
                self.name,
                self.pid,
                why,
                extra=event("process.killed", self.name),
            )
            os.kill(self.pid, signal.SIGKILL)

    def _stuck(self, why: str) -> None:
        self.kill(f"its event loop does not turn: {why}", "stuck" if why.startswith(TIMED_OUT) else "broken")

    def suspended_by_signal(self) -> None:
        """waitid says that it was stopped (SIGSTOP, SIGTSTP, SIGTTOU): continued once, replaced when it happens again soon."""
        now = self._loop.time()
        if now - self._continued_at < self._periods.calm:
            self.kill("it was stopped by a signal again", "stopped")
            return
        self._continued_at = now
        log.warning(
            "%s process (pid %d) was stopped by a signal: continued",
            self.name,
            self.pid,
            extra=event("process.continued", self.name),
        )
        os.kill(self.pid, signal.SIGCONT)

    # -- death

    def reaped(self, status: int) -> None:
        """The process ended with ``status`` as waitpid(2) has it."""
        pid, self.pid = self.pid, 0
        self._settings.run_dir.child_pid(self.name).unlink(missing_ok=True)
        if self._leaving:
            self._leaving = False
            self.problem = ""
            if self._retry is not None:
                self._retry.cancel()
            self._fork()
            return
        kept = self.promises
        assert kept is not None
        if self._channel is not None:
            kept.drain(self._channel)
            self._close_channel()
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None
        code = os.waitstatus_to_exitcode(status)
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"
        if self.state == "stopping":
            self.state = "ended"
            kept.clear()
            self.conversation.close("it ended")
            if code != 0:
                log.warning("%s process (pid %d) %s while it stopped", self.name, pid, how)
            self._done()
            return
        if self._renewed and code == -signal.SIGKILL:
            why, self._renewed = self._renewed, ""
            log.info("%s process (pid %d): %s: its successor takes over", self.name, pid, why)
            self.restarts += 1
            self.reasons["reload"] += 1
            self._fork()
            self.conversation.close("its successor took over")
            return
        self._renewed = ""
        self._deaths += 1
        if not self._reason:
            self._reason = "killed" if code < 0 else "exited"
        self.problem = f"{self.problem}; it {how}" if self.problem else f"it {how}"
        lived = self._loop.time() - self._born_at
        delay = self._backoff.died(lived, kept.ready)
        # The successor exists before anybody hears of the death: whoever reacts finds it.
        self._again(delay, f"{self.name} process (pid {pid}) {how} after {lived:.1f} s")
        self.conversation.close(f"it {how}")

    def _again(self, delay: float, what: str) -> None:
        about = event("process.ended", self.name)
        if self._backoff.alarming:
            log.critical(
                "%s; next start in %g s. It does not come up: somebody has to look", what, delay, extra=about
            )
        elif delay:
            log.error("%s; next start in %g s", what, delay, extra=about)
        else:
            log.error("%s; started again", what, extra=about)
        self.restarts += 1
        self.reasons[self._reason] += 1
        self._reason = ""
        self.state = "waiting"
        if delay:
            self._retry = self._loop.call_later(delay, self._fork)
            self._changed(self)
        else:
            # Out of this stack: a fork that fails at once must not recurse.
            self._retry = self._loop.call_later(0, self._fork)

    # -- stop

    def stop(self, budget: float, done: Callable[[], None]) -> None:
        """Orderly stop within ``budget`` seconds, then SIGKILL; ``done`` when the process is gone."""
        if self._leaving:  # what it left is in the kernel: only its successor can take that down
            self._loop.call_later(0.02, lambda: self.stop(budget, done))
            return
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self.state = "stopping"
        self._stopped = done
        if not self.pid:
            self.state = "ended"
            self._done()
            return
        if self._watchdog is not None:
            self._watchdog.cancel()
        # The child knows its limit and reports; ours is a little longer, for the child that does not.
        margin = min(0.2, budget / 5)
        self._loop.call_later(budget, lambda pid=self.pid: self._overdue(pid))  # type: ignore[misc]
        self.conversation.ask({"op": "stop", "budget_s": budget - margin}, budget, self._stop_answered)

    def _stop_answered(self, message: object, why: str) -> None:
        if message is None and self.pid and self.state == "stopping":
            self.kill(f"it did not stop: {why}")

    def _overdue(self, pid: int) -> None:
        if self.pid == pid:
            self.kill("it did not stop in time")

    def _done(self) -> None:
        done, self._stopped = self._stopped, None
        if self.promises is not None:
            self.promises.close()
        self._changed(self)
        if done is not None:
            done()
