"""Deadlines on a coarse grid, behind one timer.

Thousands of checks a second with a connect timeout each would be as many timers in the event loop's heap. Here a deadline is
rounded up to the next line of a 20 ms grid; all deadlines of a line fire together, so that the process wakes up fifty times a
second at most, and starts that fall together share the wake-ups of their answers.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

from krun.loop.clock import now_us

GRID_US = 20_000

SWEEP_AT = 10_000
"""After how many new alarms, and at least as many as there are, those that were cancelled are thrown out."""


class Alarm:
    """A deadline that can be cancelled once or many times."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Forget the callback; harmless after it has run."""
        self.callback = None


class Grid:
    """A heap of grid lines, a list of alarms for each, and one timer of ``loop`` for the first line.

    ``clock`` counts the same clock as ``loop.time()``, in microseconds. An alarm never fires early, and at most one grid step plus
    the loop's own lateness late.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, step_us: int = GRID_US, clock: Callable[[], int] = now_us
    ) -> None:
        self._loop = loop
        self._step = step_us
        self._clock = clock
        self._lines: list[int] = []
        self._alarms: dict[int, list[Alarm]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._armed = 0
        self._firing = False
        self._made = 0
        self._sweep_at = SWEEP_AT

    def at(self, when_us: int, callback: Callable[[], None]) -> Alarm:
        """Call ``callback`` at ``when_us`` (in the past: at the next grid line)."""
        step = self._step
        line = max(-(-when_us // step), self._clock() // step + 1)
        self._made += 1
        if self._made >= self._sweep_at and not self._firing:
            self.sweep()
        alarm = Alarm(callback)
        alarms = self._alarms.get(line)
        if alarms is not None:
            alarms.append(alarm)
            return alarm
        self._alarms[line] = [alarm]
        heapq.heappush(self._lines, line)
        if not self._firing and (self._timer is None or line < self._armed):
            self._arm()
        return alarm

    def close(self) -> None:
        """Forget every alarm."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for alarms in self._alarms.values():
            alarms.clear()  # one of them may be firing at this moment
        self._lines.clear()
        self._alarms.clear()

    def sweep(self) -> None:
        """Throw out the alarms that were cancelled: a reload, or an answer that came in time, may leave them until their line comes in an hour."""
        for alarms in self._alarms.values():
            alarms[:] = [alarm for alarm in alarms if alarm.callback is not None]
        self._alarms = {line: alarms for line, alarms in self._alarms.items() if alarms}
        self._lines = list(self._alarms)
        heapq.heapify(self._lines)
        self._made = 0
        self._sweep_at = max(SWEEP_AT, len(self))

    def __len__(self) -> int:
        """How many alarms are kept, cancelled ones included until their line has passed."""
        return sum(len(alarms) for alarms in self._alarms.values())

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed = self._lines[0]
        self._timer = self._loop.call_at(self._armed * self._step / 1e6, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._firing = True
        try:
            now = self._clock()
            while self._lines and self._lines[0] * self._step <= now:
                self._fire_line()
        finally:
            self._firing = False
            if self._made >= self._sweep_at:
                self.sweep()
            if self._lines:
                self._arm()

    def _fire_line(self) -> None:
        """Fire the alarms of the first line, oldest first. If one raises, the rest wait for the next wake-up, which follows at once."""
        line = self._lines[0]
        alarms = self._alarms[line]
        done = 0
        try:
            for alarm in alarms:
                done += 1
                callback, alarm.callback = alarm.callback, None
                if callback is not None:
                    callback()
        except BaseException:
            del alarms[:done]
            raise
        if self._lines and self._lines[0] == line:
            heapq.heappop(self._lines)
            del self._alarms[line]
