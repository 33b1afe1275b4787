"""A picture of interfaces and addresses that the kernel's notifications keep true."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable, Iterable

from kir.state import AddressKey
from krun.kernel.addresses import HostAddress, parse_address, read_addresses
from krun.kernel.door import AddressChanged, KernelEvent, Link, LinkChanged, Resynchronised
from krun.kernel.links import AF_UNSPEC, parse_link
from krun.kernel.netlink.codec import Message
from krun.kernel.netlink.rtnl import (
    IFA_F_DADFAILED,
    IFA_F_TENTATIVE,
    LINK_HEADER,
    RTM_DELADDR,
    RTM_DELLINK,
    RTM_GETLINK,
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTMGRP_IPV4_IFADDR,
    RTMGRP_IPV6_IFADDR,
    RTMGRP_LINK,
)
from krun.kernel.netlink.socket import NetlinkSocket

log = logging.getLogger("krun.kernel")

DATAGRAMS_PER_READ = 4096
"""A flood of notifications may not keep the caller's loop for ever; the rest waits for the next call."""

_Variant = tuple[str, int, str | None]
"""Address, prefix length, peer: what tells the addresses of one interface apart in the kernel."""


class Picture:
    """Interfaces and their addresses, changed by one message after the other."""

    def __init__(self) -> None:
        self.links: dict[str, Link] = {}
        self._by_index: dict[int, Link] = {}
        self._addresses: dict[int, dict[_Variant, HostAddress]] = {}
        self._keys: dict[AddressKey, str] = {}

    def keys(self) -> dict[AddressKey, str]:
        """All addresses of known interfaces → family."""
        return dict(self._keys)

    def addresses(self) -> list[HostAddress]:
        return [a for of_link in self._addresses.values() for a in of_link.values()]

    def on(self, device: str) -> Iterable[HostAddress]:
        """The addresses of an interface, in the order in which the kernel gave them."""
        link = self.links.get(device)
        return () if link is None else self._addresses.get(link.index, {}).values()

    def load(self, links: Iterable[Link], addresses: Iterable[HostAddress]) -> None:
        """Begin anew with what a dump says."""
        self.__init__()  # type: ignore[misc]
        for link in links:
            self.links[link.name] = self._by_index[link.index] = link
        for address in addresses:
            self._put(address)

    def set_link(self, link: Link) -> list[KernelEvent]:
        """An interface appeared, changed or has a new name."""
        old = self._by_index.get(link.index)
        if old == link:
            return []  # statistics and the like
        events: list[KernelEvent] = []
        moved: list[HostAddress] = []
        if old is not None and old.name != link.name:
            moved = list(self._addresses.get(old.index, {}).values())
            events += self.drop_link(old)
        self.links[link.name] = self._by_index[link.index] = link
        events.append(LinkChanged(link))
        for address in moved:
            events += self.set_address(address)
        return events

    def drop_link(self, link: Link) -> list[KernelEvent]:
        """An interface is gone, its addresses with it."""
        known = self._by_index.get(link.index)
        if known is None:
            return []
        events: list[KernelEvent] = []
        for address in list(self._addresses.get(known.index, {}).values()):
            events += self.drop_address(address)
        self._addresses.pop(known.index, None)
        del self._by_index[known.index]
        if self.links.get(known.name) is known:
            del self.links[known.name]
        events.append(LinkChanged(known, gone=True))
        return events

    def set_address(self, address: HostAddress) -> list[KernelEvent]:
        """An address appeared or changed (a change may be the end of duplicate address detection)."""
        if self._addresses.get(address.index, {}).get(_variant(address)) == address:
            return []
        key = self._put(address)
        return [] if key is None else [AddressChanged(key, address.family)]

    def drop_address(self, address: HostAddress) -> list[KernelEvent]:
        """An address is gone."""
        of_link = self._addresses.get(address.index, {})
        if of_link.pop(_variant(address), None) is None:
            return []
        link = self._by_index.get(address.index)
        if link is None or any(v[:2] == _variant(address)[:2] for v in of_link):
            return []  # the same address is there with another peer
        key = AddressKey(link.name, address.address, address.prefix)
        self._keys.pop(key, None)
        return [AddressChanged(key, address.family, gone=True)]

    def _put(self, address: HostAddress) -> AddressKey | None:
        self._addresses.setdefault(address.index, {})[_variant(address)] = address
        link = self._by_index.get(address.index)
        if link is None:
            return None
        key = AddressKey(link.name, address.address, address.prefix)
        self._keys[key] = address.family
        return key


def _variant(address: HostAddress) -> _Variant:
    return address.address, address.prefix, address.peer


class Reflector:
    """Subscribes to the kernel's notifications before it reads the tables, so that no change falls in between.

    ``overruns`` counts how often notifications were lost and the tables read anew. Raises OSError.
    """

    def __init__(self) -> None:
        self._queries = NetlinkSocket(socket.NETLINK_ROUTE)
        self.picture = Picture()
        self.overruns = 0
        self._stale = False
        try:
            groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR
            self._events = NetlinkSocket(socket.NETLINK_ROUTE, groups)
            try:
                self._load()
            except BaseException:
                self._events.close()
                raise
        except BaseException:
            self._queries.close()
            raise

    def fileno(self) -> int:
        return self._events.fileno()

    def close(self) -> None:
        self._events.close()
        self._queries.close()

    def read(self, breathe: Callable[[], object] | None = None) -> list[KernelEvent]:
        """The events that came in since, the picture already updated. ``breathe`` is called between two datagrams.

        Where events were lost and a new dump fails as well, the picture stays as it is and the next call tries again.
        """
        events = self._resynchronise() if self._stale else []
        for _ in range(DATAGRAMS_PER_READ):
            if breathe is not None:
                breathe()
            try:
                received = self._events.receive()
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self.overruns += 1
                self._stale = True
                events += self._resynchronise()
                continue
            if received is None:
                break
            for message in received:
                events += self._take(message)
        return events

    def _take(self, message: Message) -> list[KernelEvent]:
        picture = self.picture
        if message.kind in (RTM_NEWADDR, RTM_DELADDR):
            address = parse_address(message)
            if address is None:
                return []
            new = message.kind == RTM_NEWADDR
            return picture.set_address(address) if new else picture.drop_address(address)
        if message.kind in (RTM_NEWLINK, RTM_DELLINK):
            link = parse_link(message)
            if link is None:
                return []
            return picture.set_link(link) if message.kind == RTM_NEWLINK else picture.drop_link(link)
        return []

    def _resynchronise(self) -> list[KernelEvent]:
        try:
            self._discard()
            self._load()
        except OSError as error:
            log.error("lost track of interfaces and addresses, and cannot read them anew: %s", error.strerror)
            return []
        self._stale = False
        return [Resynchronised()]

    def _discard(self) -> None:
        """Throw away what is queued: a dump that is taken now knows better."""
        while True:
            try:
                if self._events.receive() is None:
                    return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise

    def _load(self) -> None:
        found = self._queries.dump(RTM_GETLINK, LINK_HEADER.pack(AF_UNSPEC, 0, 0, 0, 0))
        links = (parse_link(message) for message in found if message.kind == RTM_NEWLINK)
        self.picture.load([link for link in links if link is not None], read_addresses(self._queries))


def usable_source(
    addresses: Iterable[HostAddress], device: str, family: str, own: set[AddressKey]
) -> str | None:
    """The address of an interface that adverts leave from.

    IPv4: the first that is no secondary one. IPv6: the first link-local one whose duplicate address detection is over: the
    kernel refuses to send from another. Addresses in ``own`` are VIPs and come and go: never those.
    """
    for address in addresses:
        if address.family != family or AddressKey(device, address.address, address.prefix) in own:
            continue
        if family == "inet":
            if not address.secondary:
                return address.address
        elif _link_local(address.address) and not address.flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED):
            return address.address
    return None


def _link_local(text: str) -> bool:
    first = int(text.partition(":")[0] or "0", 16)
    return first & 0xFFC0 == 0xFE80
