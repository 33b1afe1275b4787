"""In a child: was it late because the scheduler kept it waiting, and has it run in real time for too long?

Only the first is a reason for a higher priority. A loop that is late because it was busy itself (a reload of 30,000 servers, say) would
gain nothing from one, and everybody else would lose.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from pathlib import Path

from krun.parent import promises

_SCHEDSTAT = Path("/proc/thread-self/schedstat")  # linux/Documentation/scheduler/sched-stats.rst


def waited_ns() -> int | None:
    """How long this thread has been ready to run and was not let, since its birth; None where the kernel does not count that."""
    try:
        return int(_SCHEDSTAT.read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None


class Lateness:
    """Told of each turn of the loop's clock (`turned`), says to the parent over ``channel`` when one came late by ``delay_us``."""

    def __init__(self, channel: socket.socket, delay_us: int) -> None:
        self._channel = channel
        self.delay_us = delay_us
        self._waited = waited_ns()
        self._overran = False

    def watch_limit(self) -> None:
        """From now on SIGXCPU (RLIMIT_RTTIME, getrlimit(2)) means: leave real time for a while."""
        signal.signal(signal.SIGXCPU, self._limit_reached)

    def turned(self, late_us: int) -> None:
        """The clock was set for a time and rang ``late_us`` after it."""
        if self._overran:
            self._overran = False
            self._tell("overran", 0)
        if late_us < self.delay_us:
            if late_us < 10_000:
                return  # what waited before a punctual turn is nobody's lateness, and reading it costs more than it is worth
            self._waited = waited_ns()
            return
        before, self._waited = self._waited, waited_ns()
        if before is None or self._waited is None or (self._waited - before) / 1000 >= late_us / 2:
            self._tell("late", late_us)

    def _tell(self, kind: str, value: int) -> None:
        with contextlib.suppress(OSError):  # no room, or no parent: neither is worth a word here
            promises.say(self._channel, kind, value)

    def _limit_reached(self, _number: int, _frame: object) -> None:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))
            self._overran = True
