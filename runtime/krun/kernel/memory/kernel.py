"""The memory backend as a whole."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterable

from kir.model import Config
from kir.route_state import legs
from kir.state import AddressKey
from krun.kernel.door import AdvertSocket, KernelUnavailable, Link
from krun.kernel.memory.addresses import MemoryRtnetlink
from krun.kernel.memory.adverts import MemoryAdvertSocket, MemoryAnnouncer
from krun.kernel.memory.ipvs import MemoryIpvs
from krun.kernel.memory.routing import MemoryRouting
from krun.kernel.memory.wire import REMEMBERED, Packet, Wire


class MemoryKernel:
    """A host with a loopback and the interfaces ``devices``, all up.

    The n-th device has the addresses 198.18.n.HOST/24 (RFC 2544) and fe80::n:HOST/64; ``host`` tells the directors of a
    simulation apart (1 … 254). ``ipvs`` False: a kernel without IPVS. ``announced``: (device, address) as they were sent.
    """

    name = "memory"

    def __init__(self, devices: Iterable[str] = (), *, host: int = 1, ipvs: bool = True) -> None:
        self._rtnetlink = MemoryRtnetlink()
        self._routing = MemoryRouting(self._rtnetlink)
        self._ipvs = MemoryIpvs() if ipvs else None
        self._announcer = MemoryAnnouncer(self._announce)
        self._sockets: list[MemoryAdvertSocket] = []
        self._wires: dict[str, Wire] = {}
        self.announced: deque[tuple[str, str]] = deque(maxlen=REMEMBERED)
        self._rtnetlink.set_link("lo", mtu=65536, mac=bytes(6), multicast=False, loopback=True)
        self._rtnetlink.add_address("lo", "127.0.0.1", 8)
        self._rtnetlink.add_address("lo", "::1", 128)
        for number, device in enumerate(dict.fromkeys(d for d in devices if d != "lo"), start=1):
            self._rtnetlink.set_link(
                device, mac=bytes((2, 0, 0, host & 0xFF, number >> 8 & 0xFF, number & 0xFF))
            )
            self._rtnetlink.add_address(device, f"198.18.{number % 256}.{host}", 24)
            self._rtnetlink.add_address(device, f"fe80::{number:x}:{host:x}", 64)
        self._rtnetlink.read_events()

    def rtnetlink(self) -> MemoryRtnetlink:
        return self._rtnetlink

    def routing(self) -> MemoryRouting:
        return self._routing

    def ipvs(self) -> MemoryIpvs:
        if self._ipvs is None:
            raise KernelUnavailable("this memory kernel was made without IPVS")
        return self._ipvs

    def announcer(self) -> MemoryAnnouncer:
        return self._announcer

    def advert_socket(
        self, device: str, family: str, group: str | None, source: str | None, vrids: Iterable[int]
    ) -> AdvertSocket:
        self._usable(device, sending=False)
        if group is None and source is not None and not self._has(source):
            raise OSError(errno.EADDRNOTAVAIL, f"{source} is not an address of this host")
        opened = MemoryAdvertSocket(device, family, group, source, self._transmit, self._sockets.remove)
        self._sockets.append(opened)
        return opened

    def remember(self, most: int) -> None:
        """From now on the logs of operations and announcements keep the last ``most``."""
        self.announced = deque(self.announced, maxlen=most)
        self._rtnetlink.log = deque(self._rtnetlink.log, maxlen=most)
        self._routing.log = deque(self._routing.log, maxlen=most)
        if self._ipvs is not None:
            self._ipvs.log = deque(self._ipvs.log, maxlen=most)

    # Controls

    def set_link(self, name: str, *, up: bool = True) -> Link:
        """An interface goes up or down, or appears."""
        old = self._rtnetlink.links().get(name)
        if old is None:
            return self._rtnetlink.set_link(name, up=up)
        return self._rtnetlink.set_link(
            name, up=up, mtu=old.mtu, arp=old.arp, multicast=old.multicast, loopback=old.loopback
        )

    def remove_address(self, key: AddressKey) -> None:
        """Somebody else deletes an address. Raises KeyError where there is none."""
        self._rtnetlink.remove_address(key)

    def deliver(self, device: str, packet: Packet) -> None:
        """A packet arrives at an interface; every socket that is bound to it gets it. Dropped while the link is down."""
        link = self._rtnetlink.links().get(device)
        if link is None or not link.up:
            return
        for opened in list(self._sockets):
            if opened.device == device and opened.wants(packet):
                opened.put(packet)

    def plug(self, device: str, wire: Wire) -> None:
        """`Wire.attach` calls this. Raises OSError ENODEV where there is no such interface."""
        self._usable(device, sending=False)
        old = self._wires.get(device)
        if old is not None:
            old.detach(self, device)
        self._wires[device] = wire

    def _usable(self, device: str, *, sending: bool = True) -> Link:
        link = self._rtnetlink.links().get(device)
        if link is None:
            raise OSError(errno.ENODEV, f"there is no interface {device}")
        if sending and not link.up:
            raise OSError(errno.ENETDOWN, f"{device} is down")
        return link

    def _has(self, address: str) -> bool:
        return any(key.address == address for key in self._rtnetlink.addresses())

    def _transmit(self, device: str, packet: Packet) -> None:
        self._usable(device)
        if packet.family == "inet6" and not self._has(packet.source):
            raise OSError(errno.EINVAL, f"{packet.source} is not an address of this host")
        wire = self._wires.get(device)
        if wire is not None:
            wire.send((self, device), packet)

    def _announce(self, device: str, address: str) -> None:
        link = self._usable(device)
        if not link.arp or link.loopback:
            return
        self.announced.append((device, address))
        wire = self._wires.get(device)
        if wire is not None:
            wire.announce((self, device), address)


def devices_of(config: Config) -> list[str]:
    """The interfaces that a configuration names, in a fixed order."""
    found: dict[str, None] = {}
    for instance in config.vrrp_instances:
        found[instance.interface] = None
        for address in (*instance.vips, *instance.excluded_vips):
            found[address.device] = None
        for route in instance.routes:
            found.update((hop.device, None) for hop in legs(route) if hop.device is not None)
        for tracked in instance.track_interfaces:
            found[tracked.name] = None
    for group in config.vrrp_sync_groups:
        for tracked in group.track_interfaces:
            found[tracked.name] = None
    for address in config.static_addresses:
        found[address.device] = None
    for route in config.static_routes:
        found.update((hop.device, None) for hop in legs(route) if hop.device is not None)
    return sorted(found)
