"""What a director has promised to the outside, for a successor after a sudden end.

A promise is JSON, small, and true for a short time only: it is void when it is older than the shortest Master_Down_Interval, since
by then a peer may have taken over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

from kir.diff import wire_identity
from kir.model import VrrpInstance
from krun.vrrp.timers import shortest_master_down_us

TRACKER_PREFIX = "tracker "
T = TypeVar("T")


class RolePromise(msgspec.Struct, frozen=True):
    """An instance's: the role that peers believe it has, on which wire, since when (microseconds of CLOCK_MONOTONIC)."""

    role: str
    wire: str
    since: int


class TrackerPromise(msgspec.Struct, frozen=True):
    """A script's last verdict, so that a priority does not jump while its first run is awaited."""

    up: bool


class Inheritance(msgspec.Struct, frozen=True):
    """What a successor may go on with. ``masters``: instance name → since when it has been master. ``trackers``: last verdicts.
    ``others``: instances that said they are master no more."""

    masters: dict[str, int]
    trackers: dict[str, bool]
    others: frozenset[str] = frozenset()


def role_promise(config: VrrpInstance, role: str, since: int) -> bytes:
    """The promise of an instance."""
    return msgspec.json.encode(RolePromise(role, str(wire_identity(config)), since))


def tracker_promise(up: bool) -> bytes:
    """The promise of a tracked script."""
    return msgspec.json.encode(TrackerPromise(up))


def inherit(
    instances: Iterable[VrrpInstance], promises: Mapping[str, bytes], promised_at_us: int, now_us: int
) -> Inheritance:
    """What of ``promises``, last true at ``promised_at_us``, still holds. An unreadable promise is none."""
    masters: dict[str, int] = {}
    trackers: dict[str, bool] = {}
    configs = tuple(instances)
    shortest = min((shortest_master_down_us(config) for config in configs), default=0)
    if not promises or not 0 <= now_us - promised_at_us < shortest:
        return Inheritance(masters, trackers)
    others: set[str] = set()
    for config in configs:
        promise = _read(promises.get(config.name), RolePromise)
        if promise is None or promise.wire != str(wire_identity(config)):
            continue
        if promise.role == "MASTER":
            masters[config.name] = promise.since
        else:
            others.add(config.name)
    for key, value in promises.items():
        if key.startswith(TRACKER_PREFIX) and (tracker := _read(value, TrackerPromise)) is not None:
            trackers[key.removeprefix(TRACKER_PREFIX)] = tracker.up
    return Inheritance(masters, trackers, frozenset(others))


def _read(value: bytes | None, kind: type[T]) -> T | None:
    if value is None:
        return None
    try:
        return msgspec.json.decode(value, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
