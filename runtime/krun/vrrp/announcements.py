"""Pacing of gratuitous ARP and unsolicited NA: rounds over the addresses of an instance, messages of one device spaced apart.

Pure: `Pacer.add` and `Pacer.due` give what to send now; `Pacer.next_deadline` says when there is more.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

Batch = tuple[str, tuple[str, ...]]
"""A device and the addresses to announce on it, in order."""

WAITING_LIMIT = 65_536
"""How many spaced messages may wait for one device; more are dropped: by then those before them are stale."""


@dataclass(slots=True)
class _Device:
    """Messages that wait: (instance, address) with how many more of them are owed."""

    free_at: int = 0
    spacing: int = 0
    order: deque[tuple[str, str]] = field(default_factory=deque)
    owed: dict[tuple[str, str], int] = field(default_factory=dict)


class Pacer:
    """``garp_interval`` and ``gna_interval`` of keepalived.conf(5): the least time between two messages on an interface."""

    def __init__(self) -> None:
        self._devices: dict[str, _Device] = {}
        self.dropped = 0

    def add(
        self, instance: str, targets: tuple[tuple[str, str], ...], rounds: int, spacing_us: int, now: int
    ) -> list[Batch]:
        """Announce ``targets`` (device, address) ``rounds`` times; returns what may be sent at once.

        Without spacing that is everything, as N rounds over all addresses rather than N messages for each. With spacing an
        address that already waits is owed more, up to ``rounds``, but waits only once.
        """
        if spacing_us == 0:
            by_device: dict[str, list[str]] = {}
            for device, address in targets:
                by_device.setdefault(device, []).append(address)
            return [
                (device, tuple(addresses)) for _ in range(rounds) for device, addresses in by_device.items()
            ]
        for device, address in targets:
            queue = self._devices.setdefault(device, _Device(free_at=now))
            queue.spacing = spacing_us
            key = (instance, address)
            if key in queue.owed:
                queue.owed[key] = max(queue.owed[key], rounds)
            elif len(queue.order) < WAITING_LIMIT:
                queue.owed[key] = rounds
                queue.order.append(key)
            else:
                self.dropped += 1
        return self.due(now)

    def due(self, now: int) -> list[Batch]:
        """What may be sent now: at most one message for each device that is free, then it is busy for its spacing."""
        ready: list[Batch] = []
        for device, queue in self._devices.items():
            while queue.order and queue.free_at <= now:
                key = queue.order.popleft()
                left = queue.owed.pop(key, 0)
                if left == 0:
                    continue
                ready.append((device, (key[1],)))
                if left > 1:
                    queue.owed[key] = left - 1
                    queue.order.append(key)
                queue.free_at = now + queue.spacing
        for device in [d for d, q in self._devices.items() if not q.order and q.free_at <= now]:
            del self._devices[device]
        return ready

    def forget(self, instance: str) -> None:
        """Drop what waits for an instance."""
        for queue in self._devices.values():
            if any(key[0] == instance for key in queue.owed):
                queue.order = deque(key for key in queue.order if key[0] != instance)
                queue.owed = {key: count for key, count in queue.owed.items() if key[0] != instance}

    @property
    def waiting(self) -> int:
        """How many addresses wait for their turn."""
        return sum(len(queue.order) for queue in self._devices.values())

    def next_deadline(self) -> int | None:
        """When `due` has something; None when nothing waits."""
        return min((queue.free_at for queue in self._devices.values() if queue.order), default=None)
