"""The IPVS table as this process knows it: adopted at the start, changed by what was written, compared with the kernel now and then.

Two comparisons: a glance (`krun.kernel.glance`) every ten seconds, and the whole table every minute, for what a glance does not show. What
others deleted or edited is put back, within limits (`krun.check.drift`).
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from kir.model import Service
from kir.plan.ipvs import new_services, plan_table
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
from krun.check.drift import Repeats, differences
from krun.check.limit import LimitedLog
from krun.check.schedule import Alarm, Grid
from krun.control.events import event
from krun.kernel.door import Ipvs
from krun.kernel.glance import Seen, expected, same, service_words

log = logging.getLogger("krun.check")

RETRY_US = (1_000_000, 2_000_000, 4_000_000, 8_000_000, 16_000_000, 32_000_000, 60_000_000)
"""After a refused write: how long until the table is read again and the rest is tried once more."""
AUDIT_US = 10_000_000
"""How often the kernel's table is glanced at while all is well, at most."""
WHOLE_US = 60_000_000
"""How often the whole table is compared, at most."""
AGAIN_US = 1_000_000
"""After something was put back: how soon the next look is, to see whether it stays."""
AUDIT_SHARE = 500
"""A comparison that takes T of the CPU is not made again before this many times T has passed: a large table costs no more than a small one."""
AGAIN_SHARE = 50
"""The same after something was put back."""


BATCH = 1000
"""How many operations of a first load are made, written and forgotten at once."""


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
    services that are ours, with those whose removal still has to succeed. ``record`` is told of them, before any of them is created.
    ``audit_us``: how often to look.
    """

    def __init__(
        self,
        ipvs: Ipvs,
        grid: Grid,
        clock: Callable[[], int],
        want: Callable[[], IpvsTable],
        limited: LimitedLog,
        *,
        record: Callable[[], None] = lambda: None,
        audit_us: int = AUDIT_US,
    ) -> None:
        self._ipvs = ipvs
        self._grid = grid
        self._clock = clock
        self._want = want
        self._log = limited
        self._record = record
        self._audit_us = audit_us
        self._alarm: Alarm | None = None
        self._refusals = 0
        self._unsure = False
        self._closed = False
        self._whole_at = self._glance_us = 0
        self._expected: dict[Service, Seen] = {}
        self.entries: IpvsTable = {}
        self.owned: set[Service] = set()
        self.audited_us = 0
        self.repairs = 0
        self.cost: Callable[[], int] = _cpu_us
        self.foreign = 0
        """How many services stood there at the start that are none of ours."""
        self.drift = Repeats()

    def adopt(self, table: IpvsTable, flush: bool, ours: Collection[Service] = ()) -> Written:
        """Keep of ``table``, which the kernel has, what is as wanted, and write the difference.

        ``ours``: services that a predecessor created: they go where they are no longer wanted. ``flush``: remove all that is not
        wanted, whosever it is.
        """
        known = set(table) if flush else {service for service in ours if service in table}
        self.entries = dict(table)  # what drains is wanted with what it has
        want = self._want()
        self.owned = known | set(want)
        self.entries = {service: entry for service, entry in table.items() if service in self.owned}
        self.foreign = len(table) - len(self.entries)
        self._record()
        written = Written()
        there = frozenset(self.entries)
        for steps in new_services(there, want, BATCH):
            self._carry_out(steps, written)
        old = {service: entry for service, entry in want.items() if service in there}
        rest = plan_table({service: self.entries[service] for service in there}, old, self.owned)
        self._carry_out(rest, written)
        if written.failures:
            self._try_again()
        self.owned = set(want) | set(self.entries)
        self._record()
        self._whole_at = self._clock() + WHOLE_US
        self._rest()
        return written

    def write(self, operations: Sequence[IpvsOperation]) -> Written:
        """Carry out ``operations``; what the kernel refuses is logged, and tried again by the next audit. What is left alone after
        a fight over it is left out.
        """
        written = Written()
        operations = [o for o in operations if not self.drift.leaves(o)] if self.drift.left else operations
        if not operations:
            return written
        for operation in operations:
            self.owned.add(operation.service)
            self._expected.pop(operation.service, None)
        if any(isinstance(operation, AddService) for operation in operations):
            self._record()
        self._carry_out(operations, written)
        if written.failures:
            self._try_again()
        return written

    def _carry_out(self, operations: Sequence[IpvsOperation], written: Written) -> None:
        """Add to ``written`` what became of ``operations``, and to our picture of the table what they did."""
        try:
            failures = self._ipvs.apply(operations) if operations else []
        except OSError as error:
            text = f"{len(operations)} writes to IPVS failed: {error}"
            written.failures.append(text)
            self._unsure = True
            self._log(logging.ERROR, "%s", text)
            return
        refused = {id(failure.operation) for failure in failures}
        done = [o for o in operations if id(o) not in refused] if refused else operations
        advance(self.entries, done)
        gone = False
        for operation in done:
            written.counts[operation.op] += 1
            if isinstance(operation, DelService):
                self.owned.discard(operation.service)
                gone = True
        if gone:
            self._record()
        for failure in failures:
            text = f"{failure.operation.op} {failure.operation.target}: {failure.message}"
            written.failures.append(text)
            self._log(logging.ERROR, "%s", text)

    def audit(self) -> Written:
        """Compare with the kernel, and put right what differs in our services."""
        began = self.cost()
        try:
            table = self._ipvs.dump()
        except OSError as error:
            self._log(logging.ERROR, "cannot read the IPVS table: %s", error)
            self._try_again()
            return Written()
        want = self._want()
        self.owned |= set(want)
        seen = {service: entry for service, entry in table.items() if service in self.owned}
        drifted = self._judge(seen)
        self.entries = seen
        operations = [o for o in plan_table(seen, want, self.owned) if not self.drift.leaves(o)]
        self.audited_us = self._clock()
        self._whole_at = self.audited_us + max(WHOLE_US, (self.cost() - began) * AUDIT_SHARE)
        if not operations:
            self._refusals = 0
            self.owned = set(want)
            self._record()
            self._rest()
            return Written()
        written = self.write(operations)
        count = sum(written.counts.values())
        if count:
            self.repairs += count
            some = ", ".join(f"{operation.op} {operation.target}" for operation in operations[:3])
            more = f" and {len(operations) - 3} more" if len(operations) > 3 else ""
            level = (
                logging.INFO if drifted else logging.WARNING
            )  # of what others did there was a word already
            self._log(level, "the IPVS table was not as it should be, put right: %s%s", some, more)
        if not written.failures:
            self._refusals = 0
            self._rest(again=drifted)
        return written

    def glance(self) -> None:
        """Look whether the kernel's table still is as we left it, the cheap way; where it is not, or at times anyway, compare all."""
        began, now = self.cost(), self._clock()
        if now < self._whole_at and not self._refusals:
            glance = self._ipvs.glance()
            if glance is None:
                self._schedule(self._whole_at)
                return
            as_left = all(same(service_words(s), seen, glance) for s, seen in self._expectations())
            self._glance_us = self.cost() - began
            if as_left:
                self._rest()
                return
        self.audit()

    def forgive(self) -> None:
        """A reload: what was left alone after a fight is put right again."""
        if self.drift.forgive():
            self.audit()

    def differing(self) -> set[Service]:
        """The services of ours that the kernel does not show as they should be: for what a glance shows, see there."""
        found = {service for service, _ in self.drift.left}
        glance = self._ipvs.glance()
        if glance is not None:
            found.update(s for s, seen in self._expectations() if not same(service_words(s), seen, glance))
        if self.refused or self._unsure:
            found.update(s for s, entry in self._want().items() if self.entries.get(s) != entry)
        return found

    def _expectations(self) -> Iterator[tuple[Service, Seen]]:
        """What a glance should show, made anew only for what was written since."""
        for service, entry in self.entries.items():
            if (service, None) in self.drift.left:
                continue
            seen = self._expected.get(service)
            if seen is None:
                seen = self._expected[service] = expected(entry)
            yield service, seen

    def _judge(self, seen: IpvsTable) -> bool:
        """Find, count and tell what others did; returns whether there is any that will be put back."""
        if self._unsure:
            self._unsure = False  # a batch broke off: what differs may be our own doing
            self._expected.clear()
            return False
        found = list(differences(self.entries, seen))
        for difference in found:
            self._expected.pop(difference.service, None)
        if not found:
            return False
        given_up = self.drift.judge(found, self._clock())
        known = {difference.thing for difference in given_up} | set(self.drift.left)
        fresh = [d for d in found if d.thing not in known and (d.service, None) not in known]
        for difference in fresh:
            self._log(
                logging.WARNING,
                "somebody else changed the IPVS table: %s; it is put back",
                difference,
                about=event("ipvs.drift", difference.service.identity),
            )
        for difference in given_up:
            self._log(
                logging.CRITICAL,
                "somebody else changes the IPVS table again and again: %s; it is left alone until the next reload",
                difference,
                about=event("ipvs.left_alone", difference.service.identity),
            )
        return bool(fresh)

    @property
    def refused(self) -> bool:
        """Whether something the kernel refused is still to be tried again."""
        return self._refusals > 0

    @property
    def writes(self) -> int:
        return self._ipvs.writes

    def status(self) -> dict[str, Any]:
        """For the state document."""
        return {
            "writes": self.writes,
            "services": len(self.entries),
            "foreign_services": self.foreign,
            "refused": self.refused,
            "repairs": self.repairs,
            "drift": self.drift.seen,
            "left_alone": self.drift.words(),
        }

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

    def _rest(self, *, again: bool = False) -> None:
        """Plan the next glance."""
        if self._refusals:
            return  # a retry is planned
        pause, share = (AGAIN_US, AGAIN_SHARE) if again else (self._audit_us, AUDIT_SHARE)
        self._schedule(self._clock() + max(pause, self._glance_us * share))

    def _schedule(self, at_us: int) -> None:
        if self._closed:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._grid.at(at_us, self._audit_due)

    def _audit_due(self) -> None:
        self._alarm = None
        self.glance()


def _cpu_us() -> int:
    """What this process has used of the CPU, in microseconds (CLOCK_PROCESS_CPUTIME_ID)."""
    return time.process_time_ns() // 1000
