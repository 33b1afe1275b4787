"""What the machine of a virtual router remembers."""

from __future__ import annotations

from enum import Enum

import msgspec

from kir.model import VrrpInstance
from krun.vrrp.events import Action, Targets

replace = msgspec.structs.replace
Actions = tuple[Action, ...]


class Role(Enum):
    """The state of a virtual router; the numbers are those of keepalived's dumps. RFC 9568 calls MASTER "Active"."""

    INIT = 0
    BACKUP = 1
    MASTER = 2
    FAULT = 3
    STOPPED = 98


class Settings(msgspec.Struct, frozen=True):
    """What does not change between events: the configuration; whether a sync group has a say; where in the interval the adverts
    of this instance lie (``phase`` thousandths), so that many instances do not all send in one tick."""

    config: VrrpInstance
    grouped: bool = False
    phase: int = 0


class State(msgspec.Struct, frozen=True, kw_only=True):
    """All that the machine remembers. Times are absolute, None means not armed.

    ``priority``: effective, 1 to 255. ``wanted``: its timer ran out and only the sync group holds it back, or it is master.
    ``deadline``: Adver_Timer of a master, Master_Down_Timer of a backup. ``interval_us``: Master_Adver_Interval, learned in
    version 3. ``master`` and ``master_priority``: whose adverts we follow. ``preempt_at``: until then lower-priority adverts are
    respected (``preempt_delay``). ``since``: since when in this role. ``garp_added``: second
    announcements that are due for addresses which a reload added. ``demoted``: an owner that gave way to another owner. ``spoke_at``: when
    our last advert left.
    """

    role: Role = Role.INIT
    priority: int = 100
    wanted: bool = False
    deadline: int | None = None
    interval_us: int = 1_000_000
    master: str | None = None
    master_priority: int = 0
    preempt_at: int | None = None
    faults: frozenset[str] = frozenset()
    pending: frozenset[str] = frozenset()
    source: str | None = None
    packed: bytes = b""
    since: int = 0
    not_before: int = 0
    garp_second_at: int | None = None
    garp_added: tuple[tuple[int, Targets], ...] = ()
    garp_refresh_at: int | None = None
    garp_lower_at: int | None = None
    conflict_at: int | None = None
    conflict_heard: bool = False
    demoted: bool = False
    spoke_at: int | None = None

    @property
    def speaks(self) -> int:
        """The priority in our adverts and comparisons."""
        return self.priority - 1 if self.demoted else self.priority

    @property
    def advert_at(self) -> int | None:
        """When the next advert is due (`krun.vrrp.events.AdvertDue`, or `Tick`)."""
        return self.deadline if self.role is Role.MASTER else None

    @property
    def other_at(self) -> int | None:
        """When a `Tick` is due for anything else."""
        at = self.deadline
        if self.role is Role.MASTER:
            at = None
            for other in (self.garp_second_at, self.garp_refresh_at, self.garp_lower_at, self.conflict_at):
                if other is not None and (at is None or other < at):
                    at = other
            if self.garp_added and (at is None or self.garp_added[0][0] < at):
                at = self.garp_added[0][0]
        return at

    @property
    def wake(self) -> int | None:
        """When the next `Tick` is due."""
        advert, other = self.advert_at, self.other_at
        return other if advert is None or (other is not None and other < advert) else advert
