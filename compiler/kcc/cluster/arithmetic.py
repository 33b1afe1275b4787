"""Which priorities the outcomes of checks can give, and whether one of them can make another director master.

keepalived.conf(5), ``track_script`` and its like: a positive weight is added while the object is up, a negative one
while it is down, ``reverse`` changes the sign; the sum stays within 1 to 254. All combinations of outcomes are considered, not
one by one but as the set of sums that they can have: there are at most a few thousand of those, however many checks there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kir.model import SyncGroup, TrackedFile, VrrpInstance

LOWEST, HIGHEST = 1, 254
"""Where an effective priority ends: 0 and 255 mean something else (RFC 9568 section 5.2.4)."""

MAX_WEIGHT = 253


@dataclass(frozen=True, slots=True)
class Check:
    """Something watched with a weight: what it adds while ``up``, and while it is not.

    ``more``: what else it can add. A track file adds its number times a weight, and nobody knows the number.
    """

    kind: str
    name: str
    up: int
    down: int
    more: tuple[int, ...] = ()

    @property
    def amounts(self) -> tuple[int, ...]:
        return (self.up, self.down, *self.more)


def contributions(weight: int, reverse: bool) -> tuple[int, int]:
    """What is added while up, and while down."""
    signed = -weight if reverse else weight
    return (signed, 0) if weight > 0 else (0, signed)


def checks_of(instance: VrrpInstance, group: SyncGroup | None) -> dict[tuple[str, str], Check]:
    """The weighted checks of an instance, those of its sync group with them; what is watched twice counts twice."""
    found: dict[tuple[str, str], Check] = {}
    for owner in (instance, group):
        if owner is None:
            continue
        for kind, items in (
            ("track_script", owner.track_scripts),
            ("track_interface", owner.track_interfaces),
            ("track_process", owner.track_processes),
            ("track_bfd", owner.track_bfds),
        ):
            for item in items:
                if not item.weight or abs(item.weight) > MAX_WEIGHT:
                    continue  # a failure means FAULT, it moves no priority
                up, down = contributions(item.weight, item.reverse)
                known = found.get((kind, item.name))
                if known is not None:
                    up, down = up + known.up, down + known.down
                found[kind, item.name] = Check(kind, item.name, up, down)
        for file in owner.track_files:
            if file.weight and abs(file.weight) <= MAX_WEIGHT:
                found["track_file", file.name] = _file(file)
    return found


def _file(file: TrackedFile) -> Check:
    """Any number of times its weight; from ±254 on it means FAULT (below) or is cut (above)."""
    step = abs(file.weight)
    most = MAX_WEIGHT // step * step
    return Check("track_file", file.name, 0, 0, (*range(-most, most + 1, step), MAX_WEIGHT))


def sums(checks: Iterable[Check]) -> set[int]:
    """All sums that the outcomes of ``checks`` can have."""
    reached = {0}
    for check in checks:
        reached = {total + part for total in reached for part in check.amounts}
    return reached


def limited(total: int) -> int:
    """A sum as an effective priority."""
    return max(LOWEST, min(HIGHEST, total))


def priorities(instance: VrrpInstance, checks: Iterable[Check]) -> set[int]:
    """All effective priorities that the outcomes of ``checks`` can give. An address owner's is moved by nothing."""
    if instance.owner:
        return {instance.priority}
    return {limited(instance.priority + total) for total in sums(checks)}


def decides(
    instance: VrrpInstance, check: Check, others: Iterable[Check], rivals: Iterable[set[int]]
) -> bool:
    """Whether some outcome of everything else exists in which ``check`` alone decides that the instance stops being master.

    ``rivals``: of each director that would take over, the priorities that it can have. Such a director takes over from a master
    whose priority is lower than its own; with an equal one it stays backup.
    """
    if instance.owner:
        return False
    reachable = set().union(*rivals)
    for total in sums(others):
        values = [limited(instance.priority + total + part) for part in check.amounts]
        if any(min(values) < rival <= max(values) for rival in reachable):
            return True
    return False
