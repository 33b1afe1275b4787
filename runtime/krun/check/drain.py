"""Servers on their way out: weight 0 since their removal, deleted when they have no connection left or at the deadline.

Pure: the time (CLOCK_BOOTTIME, microseconds) and the connections come from the caller. A drain ends without a deletion where the
configuration or the health checks want the server back: then the plan restores its weight, with one write.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kir.model import Service
from kir.plan.operations import DelDest, DelService, IpvsOperation
from kir.state import DestKey, DestParams, IpvsTable, ServiceEntry
from krun.check.memo import Drain

LOOK_US = 1_000_000
"""How often the connections of draining servers are counted."""
LOOK_SHARE = 50
"""A count that takes T is not made again before this many times T has passed."""

Connections = Mapping[tuple[str, str], int]
Thing = tuple[Service, DestKey | None]


class Drains:
    """The drains under way, by what drains."""

    def __init__(self, drains: Iterable[Drain] = ()) -> None:
        self._drains: dict[Thing, Drain] = {(d.service, d.dest): d for d in drains}

    def __len__(self) -> int:
        return len(self._drains)

    def all(self) -> tuple[Drain, ...]:
        """In the order in which they began."""
        return tuple(self._drains.values())

    def begin(
        self, operations: Iterable[IpvsOperation], now_us: int, drain_us: int, epoch: float
    ) -> list[Drain]:
        """Remember the deletions of a plan that are due after the drain. What drains already keeps its deadline."""
        begun: list[Drain] = []
        for operation in operations:
            if not isinstance(operation, (DelDest, DelService)):
                continue
            dest = operation.dest if isinstance(operation, DelDest) else None
            thing = (operation.service, dest)
            if thing in self._drains:
                continue
            drain = Drain(
                service=operation.service,
                dest=dest,
                deadline_us=now_us + drain_us,
                since=round(epoch, 3),
                until=round(epoch + drain_us / 1e6, 3),
            )
            self._drains[thing] = drain
            begun.append(drain)
        return begun

    def keep(self, want: IpvsTable, have: IpvsTable) -> IpvsTable:
        """``want`` (the services that configuration and health ask for) and, with weight 0, what of ``have`` still drains."""
        kept: IpvsTable = dict(want)
        for (service, dest), _ in self._drains.items():
            there = have.get(service)
            if there is None:
                continue
            if dest is None:
                if service not in want:
                    kept[service] = ServiceEntry(
                        there.params, {d: drained(p) for d, p in there.dests.items()}
                    )
                continue
            entry = kept.get(service)
            params = there.dests.get(dest)
            if entry is not None and params is not None and dest not in entry.dests:
                if want.get(service) is entry:
                    entry = kept[service] = ServiceEntry(entry.params, dict(entry.dests))
                entry.dests[dest] = drained(params)
        return kept

    def settle(
        self, want: IpvsTable, have: IpvsTable, services: Iterable[Service] | None = None
    ) -> list[Drain]:
        """Forget the drains of what is wanted again, of what is gone, and of servers whose whole service goes; returns those that came
        back into use. ``services``: look at these alone.
        """
        only = None if services is None else set(services)
        back: list[Drain] = []
        for (service, dest), drain in list(self._drains.items()):
            if only is not None and service not in only:
                continue
            entry, there = want.get(service), have.get(service)
            wanted = entry is not None and (dest is None or dest in entry.dests)
            if wanted:
                back.append(drain)
            elif (
                there is not None
                and (dest is None or dest in there.dests)
                and (dest is None or entry is not None or (service, None) not in self._drains)
            ):
                continue
            del self._drains[service, dest]
        return back

    def due(self, now_us: int, connections: Connections, have: IpvsTable) -> list[IpvsOperation]:
        """The deletions that are due: nothing left, or too late. A server whose connections nobody can count waits for its deadline."""
        operations: list[IpvsOperation] = []
        for drain in self._drains.values():
            left = self.left(drain, connections, have)
            late = now_us >= drain.deadline_us
            if left != 0 and not late:
                continue
            reason = "the drain's time is over" if late and left else "drained: no connection is left"
            if drain.dest is None:
                entry = have.get(drain.service)
                operations.append(
                    DelService(
                        service=drain.service,
                        dests=len(entry.dests) if entry is not None else 0,
                        reason=reason,
                    )
                )
            else:
                operations.append(DelDest(service=drain.service, dest=drain.dest, reason=reason))
        return operations

    def left(self, drain: Drain, connections: Connections, have: IpvsTable) -> int | None:
        """How many connections ``drain`` waits for; None where that is not known."""
        if drain.dest is not None:
            return connections.get((drain.service.identity, str(drain.dest)))
        entry = have.get(drain.service)
        counts = [connections.get((drain.service.identity, str(d))) for d in (entry.dests if entry else ())]
        return None if any(c is None for c in counts) else sum(c or 0 for c in counts)

    def next_deadline(self) -> int | None:
        """The earliest deadline."""
        return min((d.deadline_us for d in self._drains.values()), default=None)

    def status(self, now_us: int, connections: Connections, have: IpvsTable) -> list[dict[str, Any]]:
        """For the state document."""
        return [
            {
                "service": d.service.identity,
                "real_server": None if d.dest is None else str(d.dest),
                "connections": self.left(d, connections, have),
                "since": d.since,
                "until": d.until,
                "left_s": round(max(d.deadline_us - now_us, 0) / 1e6, 3),
            }
            for d in self._drains.values()
        ]


def drained(params: DestParams) -> DestParams:
    """``params`` with weight 0."""
    return DestParams(
        weight=0,
        forwarding=params.forwarding,
        upper_threshold=params.upper_threshold,
        lower_threshold=params.lower_threshold,
    )
