"""One child's place among the processes of this machine, kept as its configuration wants it over births, reloads and busy hours."""

from __future__ import annotations

import logging
import time

from kir.model import Config
from krun.control.events import event
from krun.parent import scheduling
from krun.parent.scheduling import Base, Scheduling

log = logging.getLogger("krun.parent")

SAY_AGAIN_S = 60.0
"""How long the log is silent about a process that leaves real time again and again."""


class Placing:
    """Of the child ``name``. `problems`: what is not as it should be, in words."""

    def __init__(self, name: str, base: Base) -> None:
        self.problems: list[str] = []
        self.raised = 0
        """The real-time priority to which the process was raised for being late; 0: it was not."""
        self._name = name
        self._base = base
        self._pid = 0
        self._wanted = Scheduling()
        self._said_late = False
        self._said_overran = float("-inf")

    def born(self, pid: int, config: Config) -> None:
        """The process is there; it has what krun has."""
        self._pid, self.raised = pid, 0
        self._wanted = scheduling.wanted(self._name, config)
        self._apply()

    def adopt(self, config: Config) -> None:
        """The process runs ``config`` now. Where nothing of this changed, nothing is done."""
        wanted = scheduling.wanted(self._name, config)
        if wanted == self._wanted:
            return
        self._wanted, self.raised, self._said_late = wanted, 0, False
        self._apply()

    def heard(self, kind: str, value: int) -> None:
        """The process says that the scheduler kept it waiting for ``value`` microseconds (``late``), or that it ran in real time for longer
        than it may (``overran``), has left it, and could go back."""
        if kind == "overran":
            now = time.monotonic()
            if now - self._said_overran > SAY_AGAIN_S:
                self._said_overran = now
                log.warning(
                    "%s process (pid %d) ran in real time for %g ms without a pause: it left it until that was done",
                    self._name,
                    self._pid,
                    self._wanted.rttime_us / 1000,
                )
            self._apply()
        elif kind == "late" and value >= self._wanted.auto_delay_us:
            self._late(value)

    def _late(self, late_us: int) -> None:
        most, at = self._wanted.auto_most, max(self._wanted.real_time, self.raised)
        about = event("process.late", self._name, late_us=late_us)
        if most > at:
            self.raised = at + 1
            log.warning(
                "%s process (pid %d): the machine kept it waiting for %g ms: it runs in real time with priority %d now",
                self._name,
                self._pid,
                late_us / 1000,
                self.raised,
                extra=about,
            )
            self._apply()
        elif most >= 0 and not self._said_late:
            self._said_late = True
            log.warning(
                "%s process (pid %d): the machine kept it waiting for %g ms%s",
                self._name,
                self._pid,
                late_us / 1000,
                "; `max_auto_priority` or a `…_rt_priority` would let it go first" if not at else "",
                extra=about,
            )

    def _apply(self) -> None:
        problems = scheduling.apply(self._pid, self._wanted, self._base, self.raised)
        for problem in problems:
            if problem not in self.problems:
                log.warning("%s process (pid %d): %s", self._name, self._pid, problem)
        self.problems = problems
