"""The Linux backend: each part is opened when it is first asked for."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence

from kir.plan.operations import AddressOperation
from kir.state import AddressKey
from krun.kernel.addresses import AddressWriter
from krun.kernel.adverts import AdvertSocket4, AdvertSocket6
from krun.kernel.announce import LinuxAnnouncer
from krun.kernel.door import AdvertSocket, Failure, KernelEvent, Link
from krun.kernel.ipvs import LinuxIpvs
from krun.kernel.netlink.socket import NetlinkSocket
from krun.kernel.reflector import Reflector, usable_source
from krun.kernel.routing.part import LinuxRouting


class LinuxRtnetlink:
    """Interfaces and addresses of this network namespace. Raises OSError where netlink cannot be had."""

    def __init__(self) -> None:
        self._reflector = Reflector()
        self._requests = NetlinkSocket(socket.NETLINK_ROUTE)
        self._writer = AddressWriter(self._requests)
        self._own: set[AddressKey] = set()
        self._listeners: list[Callable[[KernelEvent], None]] = []

    def links(self) -> dict[str, Link]:
        return dict(self._reflector.picture.links)

    def addresses(self) -> dict[AddressKey, str]:
        return self._reflector.picture.keys()

    def source_address(self, device: str, family: str) -> str | None:
        return usable_source(self._reflector.picture.on(device), device, family, self._own)

    def set_own(self, own: Iterable[AddressKey]) -> None:
        self._own = set(own)

    def apply_addresses(self, operations: Sequence[AddressOperation]) -> list[Failure]:
        if not operations:
            return []
        return self._writer.apply(operations, self._reflector.picture.addresses())

    def fileno(self) -> int:
        return self._reflector.fileno()

    def read_events(self, breathe: Callable[[], object] | None = None) -> list[KernelEvent]:
        events = self._reflector.read(breathe)
        for event in events:
            for listener in self._listeners:
                listener(event)
        return events

    def subscribe(self, listener: Callable[[KernelEvent], None]) -> None:
        self._listeners.append(listener)

    @property
    def writes(self) -> int:
        return self._writer.writes

    @property
    def overruns(self) -> int:
        """How often notifications were lost and the picture was made anew."""
        return self._reflector.overruns

    def close(self) -> None:
        self._reflector.close()
        self._requests.close()


class LinuxKernel:
    """The kernel that this process runs on, seen from its network namespace."""

    name = "linux"

    def __init__(self) -> None:
        self._rtnetlink: LinuxRtnetlink | None = None
        self._routing: LinuxRouting | None = None
        self._ipvs: LinuxIpvs | None = None
        self._announcer: LinuxAnnouncer | None = None

    def rtnetlink(self) -> LinuxRtnetlink:
        if self._rtnetlink is None:
            self._rtnetlink = LinuxRtnetlink()
        return self._rtnetlink

    def routing(self) -> LinuxRouting:
        if self._routing is None:
            self._routing = LinuxRouting(self.rtnetlink().links)
        return self._routing

    def ipvs(self) -> LinuxIpvs:
        if self._ipvs is None:
            self._ipvs = LinuxIpvs()
        return self._ipvs

    def announcer(self) -> LinuxAnnouncer:
        if self._announcer is None:
            self._announcer = LinuxAnnouncer(self.rtnetlink().links)
        return self._announcer

    def advert_socket(
        self, device: str, family: str, group: str | None, source: str | None, vrids: Iterable[int]
    ) -> AdvertSocket:
        kind = AdvertSocket6 if family == "inet6" else AdvertSocket4
        return kind(device, group, source, "" if group is not None else self._vrf(device))

    def _vrf(self, device: str) -> str:
        """The VRF that an interface is in, empty for none: unicast packets are routed by its table."""
        links = self.rtnetlink().links()
        link = links.get(device)
        if link is None or not link.master:
            return ""
        return next((o.name for o in links.values() if o.index == link.master and o.kind == "vrf"), "")
