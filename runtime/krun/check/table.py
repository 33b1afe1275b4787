"""The IPVS table as this process knows it: adopted at the start, changed by what was written, compared with the kernel now and then."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from kir.model import Service
from kir.plan.ipvs import plan_table
from kir.plan.operations import (
    AddDest,
    AddService,
    DelDest,
    DelService,
    EditDest,
    EditService,
    IpvsOperation,
)
from kir.state import IpvsTable, ServiceEntry
from krun.check.limit import LimitedLog
from krun.check.schedule import Alarm, Grid
from krun.kernel.door import Ipvs

log = logging.getLogger("krun.check")

RETRY_US = (1_000_000, 2_000_000, 4_000_000, 8_000_000, 16_000_000, 32_000_000, 60_000_000)
"""After a refused write: how long until the table is read again and the rest is tried once more."""
AUDIT_US = 60_000_000
"""How often the kernel's table is compared with ours while all is well, at most."""
AUDIT_SHARE = 500
"""A comparison that takes T is not made again before this many times T has passed: a large table costs no more of the CPU than a small one."""


@dataclass(slots=True)
class Written:
    """What came of some operations: how many of each kind were carried out, and what was refused, in words."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def advance(table: IpvsTable, operations: Iterable[IpvsOperation]) -> None:
    """Do to ``table`` what the kernel did to its own."""
    for operation in operations:
        service = operation.service
        if isinstance(operation, AddService):
            table[service] = ServiceEntry(operation.params)
            continue
        entry = table.get(service)
        if entry is None:
            continue
        if isinstance(operation, DelService):
            del table[service]
        elif isinstance(operation, EditService):
            entry.params = operation.params
        elif isinstance(operation, (AddDest, EditDest)):
            entry.dests[operation.dest] = operation.params
        elif isinstance(operation, DelDest):
            entry.dests.pop(operation.dest, None)


class TableKeeper:
    """Our services in the kernel's table. Services that nobody here named are never touched.

    ``want`` gives what the table should hold at this moment. ``entries`` is what it holds, as far as we know; ``owned`` are the
    services that are ours, with those whose removal still has to succeed.
    """

    def __init__(
        self,
        ipvs: Ipvs,
        grid: Grid,
        clock: Callable[[], int],
        want: Callable[[], IpvsTable],
        limited: LimitedLog,
    ) -> None:
        self._ipvs = ipvs
        self._grid = grid
        self._clock = clock
        self._want = want
        self._log = limited
        self._alarm: Alarm | None = None
        self._refusals = 0
        self._closed = False
        self.entries: IpvsTable = {}
        self.owned: set[Service] = set()
        self.audited_us = 0
        self.repairs = 0

    def adopt(self, flush: bool) -> Written:
        """Read what the kernel has, keep what is as wanted, write the difference. ``flush``: remove all that is not wanted.

        Raises `krun.kernel.door.KernelUnavailable` and OSError.
        """
        table = self._ipvs.dump()
        want = self._want()
        self.owned = set(table) | set(want) if flush else set(want)
        self.entries = {service: entry for service, entry in table.items() if service in self.owned}
        written = self.write(plan_table(self.entries, want, self.owned))
        self.owned = set(want) | set(self.entries)
        self._rest(self._clock())
        return written

    def write(self, operations: Sequence[IpvsOperation]) -> Written:
        """Carry out ``operations``; what the kernel refuses is logged, and tried again by the next audit."""
        written = Written()
        if not operations:
            return written
        for operation in operations:
            self.owned.add(operation.service)
        try:
            failures = self._ipvs.apply(operations)
        except OSError as error:
            text = f"{len(operations)} writes to IPVS failed: {error}"
            written.failures.append(text)
            self._log(logging.ERROR, "%s", text)
            self._try_again()
            return written
        refused = {id(failure.operation) for failure in failures}
        done = [operation for operation in operations if id(operation) not in refused]
        advance(self.entries, done)
        for operation in done:
            written.counts[operation.op] += 1
            if isinstance(operation, DelService):
                self.owned.discard(operation.service)
        for failure in failures:
            text = f"{failure.operation.op} {failure.operation.target}: {failure.message}"
            written.failures.append(text)
            self._log(logging.ERROR, "%s", text)
        if failures:
            self._try_again()
        return written

    def audit(self) -> Written:
        """Compare with the kernel, and put right what differs in our services."""
        began = self._clock()
        try:
            table = self._ipvs.dump()
        except OSError as error:
            self._log(logging.ERROR, "cannot read the IPVS table: %s", error)
            self._try_again()
            return Written()
        want = self._want()
        self.owned |= set(want)
        self.entries = {service: entry for service, entry in table.items() if service in self.owned}
        operations = plan_table(self.entries, want, self.owned)
        self.audited_us = self._clock()
        if not operations:
            self._refusals = 0
            self.owned = set(want)
            self._rest(began)
            return Written()
        written = self.write(operations)
        count = sum(written.counts.values())
        if count:
            self.repairs += count
            some = ", ".join(f"{operation.op} {operation.target}" for operation in operations[:3])
            more = f" and {len(operations) - 3} more" if len(operations) > 3 else ""
            self._log(logging.WARNING, "the IPVS table was not as it should be, put right: %s%s", some, more)
        if not written.failures:
            self._refusals = 0
            self._rest(began)
        return written

    @property
    def refused(self) -> bool:
        """Whether something the kernel refused is still to be tried again."""
        return self._refusals > 0

    @property
    def writes(self) -> int:
        return self._ipvs.writes

    def close(self) -> None:
        """No more audits."""
        self._closed = True
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _try_again(self) -> None:
        pause = RETRY_US[min(self._refusals, len(RETRY_US) - 1)]
        self._refusals += 1
        self._schedule(self._clock() + pause)

    def _rest(self, began_us: int) -> None:
        if self._refusals:
            return  # a retry is planned
        now = self._clock()
        self._schedule(now + max(AUDIT_US, (now - began_us) * AUDIT_SHARE))

    def _schedule(self, at_us: int) -> None:
        if self._closed:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._grid.at(at_us, self._audit_due)

    def _audit_due(self) -> None:
        self._alarm = None
        self.audit()
