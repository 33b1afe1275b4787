"""One virtual router as the director keeps it: configuration, machine state, counters, and what is remembered to be quick."""

from __future__ import annotations

import msgspec

from kir.diff import WireIdentity, wire_identity
from kir.model import Address, VrrpInstance
from kir.model.vrrp import MULTICAST_GROUP
from krun.vrrp.counters import Counters
from krun.vrrp.endpoint import Endpoint, endpoint
from krun.vrrp.machine import Settings, State
from krun.vrrp.packet import (
    AUTH_NONE,
    AUTH_PASS,
    CENTISECOND_US,
    SECOND_US,
    Packet,
    build,
    pack_address,
    password_octets,
    pseudo_for,
)
from krun.vrrp.recent import Recent
from krun.vrrp.reception import Accepted, rules_for
from krun.vrrp.tracking import Debounced, Verdict

DEFAULT_UNICAST_TTL = 255
ADVERTS = 8
"""For how many priorities the octets of an advert are kept ready."""

_GOLDEN = 618
"""Thousandths of the golden ratio: its multiples lie evenly in the interval, however many there are."""
_SLOT = 8
"""Phases are multiples of this: of a thousand instances some eight send in one wake-up of the process, which is what costs."""


class Datagram(msgspec.Struct, frozen=True, gc=False):
    """A VRRP message ready to be sent, without IP header."""

    pdu: bytes
    source: str
    destination: str
    ttl: int


class Heard(msgspec.Struct, frozen=True, gc=False):
    """The last accepted packet of the wire, so that the same octets from the same sender need no second look."""

    pdu: bytes
    source: str
    destination: str
    ttl: int
    accepted: Accepted


class Instance:
    """A virtual router. ``index`` is its place among all, from which the phase of its adverts comes."""

    def __init__(self, config: VrrpInstance, index: int) -> None:
        self.config = config
        self.index = index
        self.state = State(interval_us=config.advert_int_us)
        self.counters = Counters()
        self.recent = Recent()
        self.verdict = Verdict(config.priority)
        self.primary = Debounced(None)
        self.said: set[str] = set()
        self.flaps: list[int] = []
        self.old_checksum = False
        self.heard: Heard | None = None
        self._adverts: dict[int, tuple[Datagram, ...]] = {}
        self.configure(config)

    def configure(self, config: VrrpInstance) -> None:
        """Another configuration of the same identity on the wire."""
        self.config = config
        self.settings = Settings(
            config, config.sync_group is not None, self.index * _GOLDEN % 1000 // _SLOT * _SLOT
        )
        self.rules = rules_for(config)
        self.old_checksum = config.old_unicast_checksum == "always" and config.unicast and config.version == 3
        self.forget()

    def forget(self) -> None:
        """What was remembered of packets is no longer true: source, checksum rule or content changed."""
        self._adverts.clear()
        self.heard = None

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def identity(self) -> WireIdentity:
        return wire_identity(self.config)

    @property
    def endpoint(self) -> Endpoint | None:
        """The socket that its adverts go out and come in by."""
        return endpoint(self.config, self.state.source)

    @property
    def advert_at(self) -> int | None:
        """When its next advert is due."""
        return self.state.advert_at

    @property
    def wake(self) -> int | None:
        """When it wants to be woken for anything else: by its machine, or because its interface has been in another state for long enough."""
        machine, link = self.state.other_at, self.primary.at
        return link if machine is None or (link is not None and link < machine) else machine

    @property
    def addresses(self) -> tuple[Address, ...]:
        """All that it puts on interfaces as master."""
        return (*self.config.vips, *self.config.excluded_vips)

    def adverts(self, priority: int) -> tuple[Datagram, ...]:
        """The messages of one advert: one for the multicast group, or one for each unicast peer; none without a source address."""
        known = self._adverts.get(priority)
        if known is None:
            if len(self._adverts) >= ADVERTS:
                self._adverts.clear()
            known = self._adverts[priority] = self._build(priority)
        return known

    def _build(self, priority: int) -> tuple[Datagram, ...]:
        config, source = self.config, self.state.source
        if source is None:
            return ()
        unit = SECOND_US if config.version == 2 else CENTISECOND_US
        secret = config.authentication
        packet = Packet(
            version=config.version,
            vrid=config.vrid,
            priority=priority,
            interval=config.advert_int_us // unit,
            addresses=tuple(pack_address(vip.address) for vip in config.vips),
            auth_type=AUTH_NONE if secret is None else AUTH_PASS,
            auth_data=b"" if secret is None else password_octets(secret.password.secret),
        )
        if config.version == 3 or config.family == "inet6":
            packet = msgspec.structs.replace(packet, auth_type=AUTH_NONE, auth_data=b"")
        group = config.group or MULTICAST_GROUP[config.family]
        if config.unicast:
            ttl = DEFAULT_UNICAST_TTL if config.unicast_ttl is None else config.unicast_ttl
            targets = tuple((peer.address, ttl) for peer in config.peers)
        else:
            targets = ((group, 255),)
        length = len(build(packet, config.family, None))
        made = []
        for destination, ttl in targets:
            covered = group if self.old_checksum else destination
            pseudo = pseudo_for(
                config.version,
                config.family,
                pack_address(source),
                pack_address(covered),
                length,
                v3_checksum_as_v2=config.v3_checksum_as_v2,
            )
            made.append(Datagram(build(packet, config.family, pseudo), source, destination, ttl))
        return tuple(made)
