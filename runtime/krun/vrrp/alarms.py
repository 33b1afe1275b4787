"""When which instance wants to be woken: one heap for all, armed anew lazily."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from krun.vrrp.instance import Instance


class Alarms:
    """A backup's timer is moved by every advert; here it costs nothing until the old time comes: an entry that is too early wakes
    an instance that finds nothing to do and is armed anew."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Instance]] = []
        self._sequence = 0

    def arm(self, instance: Instance) -> None:
        """See that the instance is woken in time."""
        wake = instance.wake
        if wake is None or (instance.armed is not None and instance.armed <= wake):
            return
        instance.armed = wake
        self._sequence += 1
        heapq.heappush(self._heap, (wake, self._sequence, instance))

    def next(self) -> int | None:
        """The earliest time at which somebody is to be woken."""
        return self._heap[0][0] if self._heap else None

    def due(self, now: int) -> Iterator[Instance]:
        """Those whose time has come, one after the other; whoever is woken must be armed again."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            at, _, instance = heapq.heappop(heap)
            if instance.armed == at:  # else it was armed anew meanwhile
                instance.armed = None
                yield instance

    def armed(self) -> list[tuple[str, int]]:
        """Who is to be woken when, in the order of `due`."""
        return [(i.name, at) for at, _, i in sorted(self._heap, key=lambda e: e[:2]) if i.armed == at]

    def arm_at(self, instance: Instance, at: int) -> None:
        """See that the instance is woken at ``at``, whatever it wants."""
        instance.armed = at
        self._sequence += 1
        heapq.heappush(self._heap, (at, self._sequence, instance))

    def clear(self) -> None:
        """Forget all."""
        for _, _, instance in self._heap:
            instance.armed = None
        self._heap.clear()
