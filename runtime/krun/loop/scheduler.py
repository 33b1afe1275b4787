"""The policy of a child's event loop: what is urgent goes first, everything is timed, a pause is noticed, garbage waits its turn.

One `Scheduler` a process; `krun.loop.turns.Loop` calls it before and after it waits, and around every callback. It costs one reading of
the clock a callback and four a turn. Times are microseconds of CLOCK_MONOTONIC where nothing else is said.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVarTuple

from krun.control.events import event
from krun.loop.budget import Overruns, default_us
from krun.loop.garbage import Garbage
from krun.loop.lateness import BOUNDS_US, Histogram
from krun.loop.names import name_of
from krun.loop.pauses import Pause, Pauses, Suspension

log = logging.getLogger("krun.loop")

Arguments = TypeVarTuple("Arguments")

NEVER = 1 << 62
NOTICE_US = 500_000
"""A pause is told from here on, unless the process says otherwise (`Scheduler.notice_us`)."""

LIVED_EVERY_NS = 50_000_000

LATE_US = 500_000
"""A timer that is so late is worth an event."""

LATE_EVERY_US = 10_000_000
"""At most one such event in this time."""


class Urgent(Protocol):
    """What goes before everything else: adverts. ``nested``: in the middle of something; then it must be adverts and nothing else."""

    def __call__(self, nested: bool, /) -> None: ...


def _nothing() -> None:
    """Nobody asks."""


class Scheduler:
    """``process``: its name. ``budget_us``: how long a callback may take. ``notice_us``: how long a pause must be to be told."""

    def __init__(
        self,
        process: str,
        budget_us: int | None = None,
        *,
        clock: Callable[[], int] = time.monotonic_ns,
        cpu: Callable[[], int] = time.process_time_ns,
        suspension: Suspension | None = None,
    ) -> None:
        self.process = process
        self.budget_us = default_us(process) if budget_us is None else budget_us
        self.notice_us = NOTICE_US
        self.timers = Histogram()
        self.adverts = Histogram()
        self.overruns = Overruns()
        self.pauses = Pauses()
        self.started = False
        """Before that (`settle`) nothing counts as too long."""
        self.garbage = Garbage(self.budget_us)
        self._clock = clock
        self._cpu = cpu
        self._suspension = suspension if suspension is not None else Suspension()
        self._budget_ns = self.budget_us * 1000
        self._mark = clock()
        self._cpu_mark = cpu()
        self._wait_until = NEVER
        self._urgent_ns = NEVER
        self._nested_ns = NEVER
        self._urgent: Urgent | None = None
        self._lived_ns = 0
        self.lived: Callable[[], object] = _nothing
        """Called now and then while long work breathes: it is no stuck loop."""
        self._told: list[Callable[[Pause], None]] = []
        self._doing = ""
        self._breathed = False
        self._late_said_at = -LATE_EVERY_US
        self._late_unsaid = 0
        self._late_excused_until = 0

    # -- what the process asks for

    def urgent_by(self, at_us: int | None, urgent: Urgent, nested_us: int | None = None) -> None:
        """Call ``urgent`` at ``at_us``: out of the wait, or after the callback that is running then; from ``nested_us`` on also when that
        breathes. None: not at all. It is called once, and asks anew."""
        self._urgent = urgent
        self._urgent_ns = NEVER if at_us is None else at_us * 1000
        self._nested_ns = NEVER if nested_us is None else nested_us * 1000

    def on_pause(self, told: Callable[[Pause], None]) -> None:
        """``told`` hears of a pause before anything else happens after it."""
        self._told.append(told)

    def doing(self, what: str) -> None:
        """Another name for the callback that runs: what it does this time."""
        self._doing = what

    def breathe(self) -> None:
        """Between two pieces of long work: let go what is urgent."""
        now = self._clock()
        if now >= self._nested_ns:
            self._nested_ns = NEVER
            self._breathed = True
            if self._urgent is not None:
                self._urgent(True)
        if now >= self._lived_ns:
            self._lived_ns = now + LIVED_EVERY_NS
            self.lived()

    def advert_left(self, late_us: int, interval_us: int, subject: str) -> None:
        """An advert of ``subject`` left ``late_us`` after its time."""
        self.adverts.add(late_us)
        if late_us > interval_us // 2:
            self._late(f"an advert of {subject} left", late_us, subject)

    def settle(self, *, freeze: bool = True) -> None:
        """A configuration was loaded: what is there stays (``freeze`` False: is collected like the rest), and the record of the worst
        begins anew."""
        if not self.started:
            self.started = True
            self._mark = self._clock()  # what loaded it is not over yet, and was not too long
        if freeze:
            self.garbage.settle()
        self.timers.mark()
        self.adverts.mark()
        self.garbage.pauses.mark()

    def document(self) -> dict[str, Any]:
        """As in the state document (`krun.control.state.Loop`)."""
        lateness = {"timer": self.timers.document()}
        if self.adverts.count:
            lateness["advert"] = self.adverts.document()
        return {
            "bounds_us": list(BOUNDS_US),
            "lateness": lateness,
            "budget_us": self.budget_us,
            "overruns": self.overruns.document(),
            "pauses": self.pauses.document(),
            "gc": self.garbage.document(),
        }

    # -- what the loop calls

    def before_wait(self, timeout: float | None) -> float | None:
        """The loop is about to wait ``timeout`` seconds (None: for ever). Returns how long it shall."""
        now = self._clock()
        if self._urgent_ns != NEVER:
            until = max(0, self._urgent_ns - now) / 1e9
            if timeout is None or until < timeout:
                timeout = until
        if (timeout is None or timeout > 0) and self.garbage.idle(
            NEVER if timeout is None else int(timeout * 1e6)
        ):
            began, now = now, self._clock()
            if timeout is not None:
                timeout = max(0.0, timeout - (now - began) / 1e9)
        # epoll_wait(2) counts whole milliseconds, and asyncio's selector rounds up to them.
        self._wait_until = NEVER if timeout is None else now + int(timeout * 1e9) + 1_000_000
        return timeout

    def after_wait(self) -> None:
        """It has waited: first what is urgent, then the rest."""
        now = self._mark = self._clock()
        slept = (now - self._wait_until) // 1000
        unseen = self._suspension.since()
        if slept + unseen >= self.notice_us:
            self._paused(Pause(max(0, slept) + unseen, unseen))
        if now >= self._urgent_ns:
            self._let_go()
            self._finished(None)
        self._cpu_mark = self._cpu()

    def turn(self, callback: Callable[[*Arguments], Any], /, *args: *Arguments) -> None:
        """Run a callback of the loop."""
        try:
            callback(*args)
        finally:
            self._finished(callback)
            if self._mark >= self._urgent_ns:
                self._let_go()
                self._finished(None)

    def timer(self, when: float, callback: Callable[[*Arguments], Any], /, *args: *Arguments) -> None:
        """Run a callback that was to run at ``when``, in seconds."""
        late = self._mark // 1000 - int(when * 1e6)
        self.timers.add(late)
        if late > LATE_US:
            self._late(f"a timer of the {self.process} process ran", late, self.process)
        self.turn(callback, *args)

    # -- inside

    def _let_go(self) -> None:
        self._urgent_ns = self._nested_ns = NEVER
        if self._urgent is not None:
            self._urgent(False)

    def _finished(self, callback: Callable[..., Any] | None) -> None:
        """``callback`` has ended; None: what is urgent has."""
        now = self._clock()
        took, self._mark = now - self._mark, now
        if took > self._budget_ns or took > self.notice_us * 1000:
            self._long(callback, took // 1000, now // 1000)
        if self._doing or self._breathed:
            self._doing, self._breathed = "", False

    def _long(self, callback: Callable[..., Any] | None, us: int, now_us: int) -> None:
        name = self._doing or ("what is urgent" if callback is None else name_of(callback))
        cpu, breathed = self._cpu(), self._breathed
        idle_us = us - (cpu - self._cpu_mark) // 1000
        self._cpu_mark = cpu
        if idle_us >= self.notice_us:
            self._paused(Pause(idle_us, during=name))
            us -= idle_us
            self._mark = self._clock()
        if us < self.budget_us or not self.started:
            return
        times = self.overruns.add(name, us, now_us)
        if times is not None:
            log.log(
                logging.INFO if breathed else logging.WARNING,
                "%s kept the event loop for %.1f ms, more than its budget of %g ms%s%s",
                name,
                us / 1000,
                self.budget_us / 1000,
                "; adverts left meanwhile" if breathed else "",
                f" ({times} times since this was last said)" if times > 1 else "",
                extra=event(
                    "loop.overrun", name, ms=us // 1000, budget_ms=self.budget_us // 1000, times=times
                ),
            )

    def _paused(self, pause: Pause) -> None:
        self.pauses.add(pause)
        self._late_excused_until = self._clock() // 1000 + self.notice_us
        log.warning(
            "%s",
            pause,
            extra=event(
                "loop.slept",
                self.process,
                seconds=round(pause.us / 1e6, 3),
                suspended_seconds=round(pause.unseen_us / 1e6, 3),
                during=pause.during or None,
            ),
        )
        for told in self._told:
            told(pause)

    def _late(self, what: str, late_us: int, subject: str) -> None:
        now = self._clock() // 1000
        if now < self._late_excused_until:
            return  # the pause was told: this is what became of it
        self._late_unsaid += 1
        if now - self._late_said_at < LATE_EVERY_US:
            return
        times, self._late_unsaid, self._late_said_at = self._late_unsaid, 0, now
        log.warning(
            "%s %.0f ms late%s",
            what,
            late_us / 1000,
            f" ({times} such since this was last said)" if times > 1 else "",
            extra=event("loop.late", subject, ms=late_us // 1000, times=times),
        )


class Borrowed(Scheduler):
    """On an event loop that is not `krun.loop.turns.Loop`: what is urgent has a timer, and nothing is timed."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__("")
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None

    def urgent_by(self, at_us: int | None, urgent: Urgent, nested_us: int | None = None) -> None:
        super().urgent_by(at_us, urgent, nested_us)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if at_us is None else self._loop.call_at(at_us / 1e6, self._due)

    def _due(self) -> None:
        self._timer = None
        self._let_go()


def scheduler_of(loop: asyncio.AbstractEventLoop) -> Scheduler:
    """The scheduler of ``loop``."""
    found = getattr(loop, "scheduler", None)
    return found if isinstance(found, Scheduler) else Borrowed(loop)
