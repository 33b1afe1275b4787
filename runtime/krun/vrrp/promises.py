"""What a director has promised to the outside, for a successor after a sudden end.

A promise is JSON, small, and true for a short time only: that an instance is master is void from the moment at which a peer may have
taken over, the shortest Master_Down_Interval after the last advert that went out. Each advert renews it.
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
    ``others``: instances that said they are master no more, or said so too long ago. ``void``: why, a sentence for each of the latter."""

    masters: dict[str, int]
    trackers: dict[str, bool]
    others: frozenset[str] = frozenset()
    void: tuple[str, ...] = ()


def role_promise(config: VrrpInstance, role: str, since: int) -> bytes:
    """The promise of an instance."""
    return msgspec.json.encode(RolePromise(role, str(wire_identity(config)), since))


def tracker_promise(up: bool) -> bytes:
    """The promise of a tracked script."""
    return msgspec.json.encode(TrackerPromise(up))


def inherit(
    instances: Iterable[VrrpInstance],
    promises: Mapping[str, bytes],
    promised_at_us: int,
    now_us: int,
    renewed: Mapping[str, int] | None = None,
) -> Inheritance:
    """What of ``promises`` still holds. An unreadable promise is none.

    ``promised_at_us``: when the predecessor's loop was last alive; ``renewed``: when its last advert of each instance went out, 0 for
    none. Where an instance is not in there, the former counts.
    """
    masters: dict[str, int] = {}
    trackers: dict[str, bool] = {}
    configs = tuple(instances)
    others: set[str] = set()
    void: list[str] = []
    for config in configs:
        promise = _read(promises.get(config.name), RolePromise)
        if promise is None or promise.wire != str(wire_identity(config)):
            continue
        last, limit = (renewed or {}).get(config.name, promised_at_us), shortest_master_down_us(config)
        if promise.role == "MASTER" and 0 <= now_us - last < limit:
            masters[config.name] = promise.since
            continue
        others.add(config.name)
        if promise.role == "MASTER":
            ago = f"was {(now_us - last) / 1e6:.3f} s ago" if last else "never went out"
            void.append(
                f"({config.name}) was master, but its last advert {ago}; after {limit / 1e6:.3f} s a peer may have taken over"
            )
    shortest = min((shortest_master_down_us(config) for config in configs), default=0)
    if masters or 0 <= now_us - promised_at_us < shortest:
        for key, value in promises.items():
            if key.startswith(TRACKER_PREFIX) and (tracker := _read(value, TrackerPromise)) is not None:
                trackers[key.removeprefix(TRACKER_PREFIX)] = tracker.up
    return Inheritance(masters, trackers, frozenset(others), tuple(void))


def _read(value: bytes | None, kind: type[T]) -> T | None:
    if value is None:
        return None
    try:
        return msgspec.json.decode(value, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
