"""What a change of tracking does to the priority that an instance has while everything it tracks is well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kir.model import SyncGroup, VrrpInstance

_WEIGHTED = ("track_interfaces", "track_scripts", "track_processes", "track_bfds")
TRACKING = (*_WEIGHTED, "track_files")
"""Fields of what an instance or a group tracks. A file that holds 0 adds nothing, whatever its weight."""


def _while_well(weight: int, reverse: bool) -> int:
    """What is added while the tracked thing is up: its weight where that is positive; ``reverse`` turns the sign around."""
    up = max(weight, 0)
    return -up if reverse else up


def _added(of: VrrpInstance | SyncGroup) -> Iterator[int]:
    for field in _WEIGHTED:
        for tracked in getattr(of, field):
            yield _while_well(tracked.weight, tracked.reverse)


def priority_while_well(instance: VrrpInstance, groups: Mapping[str, SyncGroup]) -> int:
    """The effective priority while all checks succeed and all files hold 0; an owner's never changes."""
    if instance.owner:
        return 255
    group = groups.get(instance.sync_group or "")
    total = instance.priority + sum(_added(instance)) + (sum(_added(group)) if group is not None else 0)
    return min(max(total, 1), 254)


def groups_by_name(groups: tuple[SyncGroup, ...]) -> dict[str, SyncGroup]:
    return {g.name: g for g in groups}
