"""When which instance wants to be woken: one heap for all, armed anew lazily."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

from krun.vrrp.instance import Instance


class Alarms:
    """``wake`` says when an instance wants to be woken. A backup's timer is moved by every advert; here it costs nothing until the old time
    comes: an entry that is too early wakes an instance that finds nothing to do and is armed anew."""

    def __init__(self, wake: Callable[[Instance], int | None]) -> None:
        self._wake = wake
        self._heap: list[tuple[int, int, Instance]] = []
        self._armed: dict[Instance, int] = {}
        self._sequence = 0

    def arm(self, instance: Instance) -> None:
        """See that the instance is woken in time."""
        wake = self._wake(instance)
        armed = self._armed.get(instance)
        if wake is None or (armed is not None and armed <= wake):
            return
        self.arm_at(instance, wake)

    def next(self) -> int | None:
        """The earliest time at which somebody is to be woken."""
        return self._heap[0][0] if self._heap else None

    def due(self, now: int) -> Iterator[Instance]:
        """Those whose time has come, one after the other; whoever is woken must be armed again."""
        heap, armed = self._heap, self._armed
        while heap and heap[0][0] <= now:
            at, _, instance = heapq.heappop(heap)
            if armed.get(instance) == at:  # else it was armed anew meanwhile
                del armed[instance]
                yield instance

    def forget(self, instance: Instance) -> None:
        """It wakes no more."""
        self._armed.pop(instance, None)

    def sweep(self) -> None:
        """A reload: let go of those that were forgotten, and of entries that were moved, without waiting for their time."""
        armed = self._armed
        self._heap[:] = [entry for entry in self._heap if armed.get(entry[2]) == entry[0]]
        heapq.heapify(self._heap)

    def armed(self) -> list[tuple[str, int]]:
        """Who is to be woken when, in the order of `due`."""
        armed = self._armed
        return [(i.name, at) for at, _, i in sorted(self._heap, key=lambda e: e[:2]) if armed.get(i) == at]

    def arm_at(self, instance: Instance, at: int) -> None:
        """See that the instance is woken at ``at``, whatever it wants."""
        self._armed[instance] = at
        self._sequence += 1
        heapq.heappush(self._heap, (at, self._sequence, instance))

    def clear(self) -> None:
        """Forget all."""
        self._armed.clear()
        self._heap.clear()
