"""Draining at work: counts the connections of servers that go, deletes what is due, and remembers what goes on (`krun.check.drain`)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kir.plan.operations import IpvsOperation
from kir.state import IpvsTable
from krun.check.drain import LOOK_SHARE, LOOK_US, Drains
from krun.check.limit import LimitedLog
from krun.check.memo import Drain
from krun.check.schedule import Alarm, Grid
from krun.check.table import TableKeeper
from krun.control.events import event
from krun.kernel.door import Ipvs

log = logging.getLogger("krun.check")


class Draining:
    """``wanted`` gives what configuration, health and overlays ask for; ``record`` writes down what must survive a kill. ``boottime`` is
    CLOCK_BOOTTIME in microseconds, ``epoch`` seconds since the epoch.
    """

    def __init__(
        self,
        drains: Iterable[Drain],
        ipvs: Ipvs,
        table: TableKeeper,
        grid: Grid,
        limited: LimitedLog,
        *,
        clock: Callable[[], int],
        boottime: Callable[[], int],
        epoch: Callable[[], float],
        wanted: Callable[[], IpvsTable],
        record: Callable[[], None],
    ) -> None:
        self.drains = Drains(drains)
        self._ipvs = ipvs
        self._table = table
        self._grid = grid
        self._log = limited
        self._clock = clock
        self._boottime = boottime
        self._epoch = epoch
        self._wanted = wanted
        self._record = record
        self._alarm: Alarm | None = None

    def begin(self, plan: Iterable[IpvsOperation], drain_us: int) -> None:
        """Remember what of ``plan`` is due after the drain. Call it before the rest of the plan is carried out."""
        later = (operation for operation in plan if operation.phase == "after_drain")
        begun = self.drains.begin(later, self._boottime(), drain_us, self._epoch())
        if begun:
            self._record()
            for drain in begun[:20]:
                self._log(
                    logging.INFO,
                    "%s drains for %g s at most",
                    drain.target,
                    drain_us / 1e6,
                    about=event("ipvs.draining", drain.target),
                )
            if len(begun) > 20:
                log.info("and %d more drain", len(begun) - 20)

    def settle(self, have: IpvsTable | None = None) -> None:
        """Forget drains of what is wanted again or gone. ``have``: the kernel's table, where it is not yet that of the keeper."""
        if not self.drains:
            return
        for drain in self.drains.settle(self._wanted(), self._table.entries if have is None else have):
            about = event("ipvs.taken_back", drain.target)
            log.info("%s is wanted again: its drain ends", drain.target, extra=about)

    def watch(self) -> None:
        """Look after a second, or at the next deadline if that is sooner."""
        self._schedule(LOOK_US)

    def connections(self) -> Mapping[tuple[str, str], int]:
        """As `krun.kernel.door.Ipvs.connections`, and empty where they cannot be read."""
        try:
            return self._ipvs.connections()
        except OSError:
            return {}

    def status(self, connections: Mapping[tuple[str, str], int]) -> list[dict[str, Any]]:
        """For the state document."""
        return self.drains.status(self._boottime(), connections, self._table.entries)

    def close(self) -> None:
        """No more looks."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _schedule(self, pause_us: int) -> None:
        self.close()
        deadline = self.drains.next_deadline()
        if deadline is None:
            return
        left = deadline - self._boottime()
        # A deadline that has passed is for deletions that were refused: those have their time.
        pause = min(pause_us, left) if left > 0 or pause_us == LOOK_US else pause_us
        self._alarm = self._grid.at(self._clock() + max(pause, 0), self._look)

    def _look(self) -> None:
        self._alarm = None
        began = self._table.cost()
        self.settle()
        due = self.drains.due(self._boottime(), self.connections(), self._table.entries)
        if due:
            written = self._table.write(due)
            for operation in due[:20]:
                self._log(
                    logging.INFO,
                    "%s deleted: %s",
                    operation.target,
                    operation.reason,
                    about=event("ipvs.drained", operation.target),
                )
            if written.failures:
                self._log(logging.ERROR, "what drained could not all be deleted; it is tried again")
            self.settle()
        if due or not self.drains:
            self._record()
        self._schedule(max(LOOK_US + 1, (self._table.cost() - began) * LOOK_SHARE))
