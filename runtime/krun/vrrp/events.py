"""What can happen to a virtual router (events) and what it then wants done (actions). All plain data, times in microseconds."""

from __future__ import annotations

from typing import Literal

import msgspec

from kir.model import VrrpInstance

Targets = tuple[tuple[str, str], ...]
"""Addresses to announce: device and address."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """Something that happened to one instance."""


class Start(Event, frozen=True):
    """The instance begins. What is known about its surroundings comes with it.

    ``not_before``: no instance becomes master earlier (``vrrp_startup_delay``); timers count from then. ``owner_at_once``: an
    address owner that may be master at once. ``resume_since``: a predecessor was master on this very wire since that time and
    has been gone for less than any peer's timer: go on as master.
    """

    priority: int
    source: str | None
    faults: frozenset[str] = frozenset()
    pending: frozenset[str] = frozenset()
    not_before: int = 0
    owner_at_once: bool = False
    resume_since: int | None = None


class Tick(Event, frozen=True):
    """Time has passed: do what is due."""


class AdvertDue(Event, frozen=True):
    """Of what is due nothing but an advert: this may come in the middle of something else."""


class Slept(Event, frozen=True):
    """Nothing ran here for ``us`` microseconds; ``unseen_us`` of them the clock did not count (the machine was suspended)."""

    us: int
    unseen_us: int = 0


class AdvertReceived(Event, frozen=True):
    """An advert that passed all checks. ``interval_us`` is what it says; ``source`` is whose it is, ``packed`` as octets."""

    priority: int
    interval_us: int
    source: str
    packed: bytes


class PriorityChanged(Event, frozen=True):
    """The effective priority is now ``priority``."""

    priority: int


class FaultsChanged(Event, frozen=True):
    """What keeps the instance down now. ``pending``: checks without a first result, which keep a starting instance down."""

    faults: frozenset[str]
    pending: frozenset[str] = frozenset()


class SourceChanged(Event, frozen=True):
    """Adverts now leave from ``source``."""

    source: str | None


class GroupCommand(Event, frozen=True):
    """The sync group has decided."""

    role: Literal["MASTER", "BACKUP"]


class AnnounceAgain(Event, frozen=True):
    """Another member of the sync group heard a lower-priority advert: announce our addresses too."""


class AddressesLost(Event, frozen=True):
    """A VIP, route or rule was taken away by somebody else, and putting it back did not last. ``address``: what, in words."""

    address: str


class ConfigChanged(Event, frozen=True):
    """The configuration is another one now, the identity on the wire the same. ``added``: addresses that the director did not have."""

    old: VrrpInstance
    added: Targets = ()


class Shutdown(Event, frozen=True):
    """The instance ends: the daemon stops, or (``deleted``) a reload removed it."""

    deleted: bool = False


class Action(msgspec.Struct, frozen=True, gc=False):
    """Something to do for one instance, in the order of the list it stands in."""


class SendAdvert(Action, frozen=True):
    """Send an advert with this priority; 0 says that we leave."""

    priority: int


class AddVips(Action, frozen=True):
    """All VIPs, excluded ones too, shall be on their interfaces."""


class RemoveVips(Action, frozen=True):
    """None of the instance's VIPs shall be there, unless another instance holds it."""


class Announce(Action, frozen=True):
    """``rounds`` rounds of gratuitous ARP or unsolicited NA over all VIPs, then all excluded ones; or over ``targets`` only."""

    rounds: int
    targets: Targets | None = None


class AnnounceSource(Action, frozen=True):
    """One announcement of our source address, so that unicast peers reach us."""


class DropAnnouncements(Action, frozen=True):
    """Forget announcements that still wait for their turn."""


class Notify(Action, frozen=True):
    """Tell the outside: ``word`` is MASTER, BACKUP, FAULT, STOP, DELETED or MASTER_RX_LOWER_PRI."""

    word: str


class WantMaster(Action, frozen=True):
    """A member's timer ran out: may the group become master?"""


class LowerHeard(Action, frozen=True):
    """A lower-priority advert was heard by a master: the other members of its group announce too."""


class Count(Action, frozen=True):
    """Add one to a counter of the instance."""

    name: str


class Log(Action, frozen=True):
    """A line for the log; ``level`` as in `logging`. ``once`` names a kind that is said once until the state changes."""

    level: int
    text: str
    once: str | None = None
