"""Virtual routers (RFC 3768 for version 2, RFC 9568 for version 3)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from kir.model.address import Address
from kir.model.base import U32, Microseconds, Model, Octet, Secret
from kir.model.interfaces import Ipvlan, Vmac
from kir.model.route import Route, Rule
from kir.model.scripts import Notify

Family = Literal["inet", "inet6"]
State = Literal["MASTER", "BACKUP"]


MULTICAST_GROUP = {"inet": "224.0.0.18", "inet6": "ff02::12"}
"""The groups of VRRP, by family (RFC 9568 section 5.1)."""


class TrackedInterface(Model, frozen=True):
    """An interface whose link state matters. ``weight`` 0: down means FAULT; else it is added to the priority.

    ``reverse`` inverts up and down.
    """

    name: str
    weight: Annotated[int, msgspec.Meta(ge=-253, le=253)] = 0
    reverse: bool = False


class TrackedScript(Model, frozen=True):
    """A ``vrrp_script`` and what its result does here; the weight is resolved (the line's, else the script's)."""

    name: str
    weight: Annotated[int, msgspec.Meta(ge=-253, le=253)] = 0
    reverse: bool = False


class TrackedFile(Model, frozen=True):
    """A track file here: its number times ``weight`` is added to the priority. ``weight`` 0: any number but 0 means FAULT.

    ``reverse`` negates the product. A product of ±254 means FAULT. ``name`` is that of a `kir.model.TrackFile`.
    """

    name: str
    weight: Annotated[int, msgspec.Meta(ge=-254, le=254)] = 1
    reverse: bool = False


class TrackedProcess(Model, frozen=True):
    """A tracked process here; ``name`` is that of a `kir.model.TrackProcess`. ``weight`` 0: not enough of it means FAULT."""

    name: str
    weight: Annotated[int, msgspec.Meta(ge=-254, le=254)] = 0
    reverse: bool = False


class TrackedBfd(Model, frozen=True):
    """A BFD session here; ``name`` is that of a `kir.model.BfdInstance`. ``weight`` 0: down means FAULT."""

    name: str
    weight: Annotated[int, msgspec.Meta(ge=-253, le=253)] = 0
    reverse: bool = False


class Peer(Model, frozen=True):
    """A unicast peer; with a TTL bound given, its adverts must arrive within it."""

    address: str
    min_ttl: Octet = 0
    max_ttl: Octet = 255


class Authentication(Model, frozen=True):
    """Version 2 authentication (RFC 2338 section 5.3.6): a password in the advert, or an authentication header (RFC 2402)
    keyed with it. The password is cut to eight octets.
    """

    type: Literal["PASS", "AH"]
    password: Secret


class HmacKey(Model, frozen=True):
    """A key of 32 to 64 octets: ``secret`` as two hex digits an octet, or the ``file`` that holds it on the director."""

    id: Annotated[int, msgspec.Meta(ge=1, le=255)]
    secret: Secret | None = None
    file: str | None = None


class Hmac(Model, frozen=True):
    """keepalived's keyed hash over adverts. Adverts are made with ``active_key``, and accepted with any of the ``keys``.

    ``anti_replay``: an advert is refused when it is older than ``time_window_us``, or (``monotonic``) when its counter does not
    rise. ``mode``: whether adverts without a valid hash are dropped (``enforce``), taken (``permissive``), or taken while own
    adverts carry none (``receive-only``).
    """

    keys: tuple[HmacKey, ...]
    active_key: Annotated[int, msgspec.Meta(ge=1, le=255)]
    time_window_us: Microseconds = 0
    anti_replay: Literal["time", "monotonic"] = "time"
    mode: Literal["enforce", "permissive", "receive-only"] = "enforce"


class Garp(Model, frozen=True):
    """When gratuitous ARP (IPv4) and unsolicited neighbour advertisements (IPv6) are sent.

    At becoming master ``repeat`` rounds at once, again after ``delay_us`` (0: no second burst); every ``refresh_us``
    (0: never) ``refresh_repeat`` rounds; after a lower-priority advert ``lower_prio_repeat`` rounds now and after
    ``lower_prio_delay_us``. ``arp_interval_us`` and ``na_interval_us`` pace single messages on the interface (0: no pacing). With a VMAC, ``extra_interval_us`` repeats them on the interface below it (0: never), ``extra_all`` on those
    of all addresses.
    """

    delay_us: Microseconds = 5_000_000
    repeat: int = 5
    refresh_us: Microseconds = 0
    refresh_repeat: int = 1
    lower_prio_delay_us: Microseconds = 5_000_000
    lower_prio_repeat: int = 5
    arp_interval_us: Microseconds = 0
    na_interval_us: Microseconds = 0
    extra_interval_us: Microseconds = 0
    extra_all: bool = False


class VrrpInstance(Model, frozen=True):
    """One virtual router on one interface. Identity: its name.

    ``initial_state`` is what ``state`` says. ``source`` is the configured source address of adverts, None for the
    interface's own. ``peers`` empty: multicast to ``group``. ``advert_int_us`` is whole seconds in version 2 and whole
    centiseconds in version 3. ``vips`` are in the packet, in this order; ``excluded_vips`` are not.
    ``preempt_delay_us`` 0: none. ``accept`` False: packets to the VIPs are dropped unless the router is the address owner.
    ``vmac_addresses``: addresses of other interfaces get VMACs too. ``xmit_base``: adverts leave from the interface below
    the VMAC. ``vrf``: that of an instance without an interface. ``linkbeat``: its link state is polled. ``rx_buffer_size``:
    octets of the receive buffer, 0: the system's. ``routes`` and ``rules`` are there while it is master. ``sync_group`` names the group that the instance belongs to, if any.
    """

    name: str
    interface: str
    vrid: Annotated[int, msgspec.Meta(ge=1, le=255)]
    version: Literal[2, 3]
    family: Family
    initial_state: State
    priority: Annotated[int, msgspec.Meta(ge=1, le=255)]
    advert_int_us: Annotated[int, msgspec.Meta(gt=0)]
    down_timer_adverts: Annotated[int, msgspec.Meta(ge=1, le=100)] = 3
    nopreempt: bool = False
    preempt_delay_us: Microseconds = 0
    strict: bool = False
    accept: bool = True
    group: str | None = None
    source: str | None = None
    track_source: bool = False
    unicast: bool = False
    unicast_ttl: Octet | None = None
    peers: tuple[Peer, ...] = ()
    check_unicast_src: bool = False
    fault_no_peer: bool = False
    authentication: Authentication | None = None
    hmac: Hmac | None = None
    vips: tuple[Address, ...] = ()
    excluded_vips: tuple[Address, ...] = ()
    routes: tuple[Route, ...] = ()
    rules: tuple[Rule, ...] = ()
    promote_secondaries: bool = False
    vmac: Vmac | None = None
    ipvlan: Ipvlan | None = None
    vmac_addresses: bool = False
    xmit_base: bool = False
    vrf: str | None = None
    linkbeat: bool = False
    rx_buffer_size: U32 = 0
    track_primary: bool = True
    track_interfaces: tuple[TrackedInterface, ...] = ()
    track_scripts: tuple[TrackedScript, ...] = ()
    track_files: tuple[TrackedFile, ...] = ()
    track_processes: tuple[TrackedProcess, ...] = ()
    track_bfds: tuple[TrackedBfd, ...] = ()
    garp: Garp = Garp()
    lower_prio_no_advert: bool = False
    higher_prio_send_advert: bool = False
    owner_ignore_adverts: bool = False
    skip_check_adv_addr: bool = False
    v3_checksum_as_v2: bool = False
    old_unicast_checksum: Literal["auto", "always", "never"] = "auto"
    timer_expired_backup: int | None = None
    interface_down_delay_us: Microseconds = 0
    interface_up_delay_us: Microseconds = 0
    notify: Notify = Notify()
    notify_priority_changes: bool = False
    notify_deleted: bool = False
    smtp_alert: bool = False
    sync_group: str | None = None

    @property
    def identity(self) -> str:
        return self.name

    @property
    def owner(self) -> bool:
        """RFC 9568 section 6.1: priority 255 is the IPvX address owner."""
        return self.priority == 255


class SyncGroup(Model, frozen=True):
    """Instances that change state together. ``members`` in configuration order: that is the order of becoming master."""

    name: str
    members: tuple[str, ...]
    track_interfaces: tuple[TrackedInterface, ...] = ()
    track_scripts: tuple[TrackedScript, ...] = ()
    track_files: tuple[TrackedFile, ...] = ()
    track_processes: tuple[TrackedProcess, ...] = ()
    track_bfds: tuple[TrackedBfd, ...] = ()
    tracking_weight: bool = False
    notify: Notify = Notify()
    notify_priority_changes: bool = False
    smtp_alert: bool = False

    @property
    def identity(self) -> str:
        return self.name
