"""Addresses that hang on another one: none that is to stay goes because its primary address goes.

Linux deletes with a primary IPv4 address all secondary ones of its network, unless ``promote_secondaries`` of the interface, or of all,
says that one of them takes its place (ip-sysctl.rst). Where a batch would do that to an address that is to stay, the setting is on during the
batch. Where it cannot be set (``/proc/sys`` is read-only in a container, or under systemd's ProtectKernelTunables) those that went are added
again right behind the deletion, in the same system call, exactly as they were. (The kernel carries netlink requests out inside the
send call.)
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from kir.plan.operations import AddressOperation, DelAddress
from krun.kernel.netlink.codec import NLM_F_CREATE, NLM_F_EXCL
from krun.kernel.netlink.rtnl import ADDRESS, ADDRESS_HEADER, IFA_F_SECONDARY, RTM_GETADDR, RTM_NEWADDR
from krun.kernel.netlink.socket import NetlinkSocket, Request, address_octets

log = logging.getLogger("krun.kernel")

SWITCHES = Path("/proc/sys/net/ipv4/conf")

_Network = tuple[str, int]
"""A device, and the network of `_network`."""


class Known(Protocol):
    """What is needed of `krun.kernel.addresses.HostAddress`."""

    @property
    def index(self) -> int: ...
    @property
    def address(self) -> str: ...
    @property
    def prefix(self) -> int: ...
    @property
    def peer(self) -> str | None: ...
    @property
    def secondary(self) -> bool: ...


class Secondaries:
    """For the time of one batch of ``operations``; ``known``: the host's addresses as last seen; ``indexes``: of the devices. A context manager."""

    def __init__(
        self,
        sock: NetlinkSocket,
        operations: Sequence[AddressOperation],
        known: Collection[Known],
        indexes: Mapping[str, int],
    ) -> None:
        self._socket = sock
        self._deleted = {
            (o.address.device, o.address.address, o.address.prefix): _of(o)
            for o in operations
            if isinstance(o, DelAddress) and o.address.family == "inet"
        }
        self._changed: list[Path] = []
        self._devices: set[str] = set()
        self._indexes = indexes
        self._dropped: dict[_Network, list[bytes]] = {}
        self._added: dict[_Network, list[Request]] = {}
        if not self._deleted:
            return
        names = {index: device for device, index in indexes.items() if index}
        staying = {
            (names[a.index], _network(a.peer or a.address, a.prefix))
            for a in known
            if a.secondary and a.index in names and (names[a.index], a.address, a.prefix) not in self._deleted
        }
        added = {_of(o) for o in operations if not isinstance(o, DelAddress) and o.address.family == "inet"}
        for (device, _, _), network in self._deleted.items():
            if network in staying | added:
                self._devices.add(device)

    def __enter__(self) -> Secondaries:
        stuck = {device for device in self._devices if not self._promotes(device)}
        if stuck:
            self._read(stuck)
        return self

    def __exit__(self, *_: object) -> None:
        for switch in self._changed:
            try:
                switch.write_text("0")
            except OSError as error:
                log.warning("%s cannot be set back to 0: %s", switch, error.strerror)

    def after(self, operation: AddressOperation) -> Iterable[Request]:
        """The requests that put back what the kernel drops with ``operation``; to be sent right behind it."""
        if not self._dropped or operation.address.family != "inet":
            return
        network = _of(operation)
        if isinstance(operation, DelAddress):
            for body in self._dropped.get(network, ()):
                yield Request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, body)
            yield from self._added.get(network, ())
        elif network in self._dropped:
            # What the batch itself adds to this network is secondary until the old primary address is gone.
            from krun.kernel.addresses import add_body

            index = self._indexes.get(operation.address.device, 0)
            if index:
                again = Request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, add_body(operation.address, index))
                self._added.setdefault(network, []).append(again)

    def _promotes(self, device: str) -> bool:
        """Whether secondary addresses of a device take the place of a deleted one, for now at least."""
        switch = SWITCHES / device / "promote_secondaries"
        try:
            if (SWITCHES / "all" / "promote_secondaries").read_text().strip() != "0":
                return True
            if switch.read_text().strip() != "0":
                return True
            switch.write_text("1")
        except OSError:
            return False
        self._changed.append(switch)
        return True

    def _read(self, devices: Collection[str]) -> None:
        """What stays of the networks that lose an address, as the kernel has it, ready to be sent back to it."""
        names = {self._indexes[device]: device for device in devices if self._indexes.get(device)}
        at_risk = {network for (device, _, _), network in self._deleted.items() if device in devices}
        self._dropped = {network: [] for network in at_risk}
        try:
            found = self._socket.dump(RTM_GETADDR, ADDRESS_HEADER.pack(socket.AF_INET, 0, 0, 0, 0))
        except OSError as error:
            log.warning("cannot read the addresses that may go with another: %s", error.strerror)
            return
        for message in found:
            family, prefix, flags, _, index = ADDRESS_HEADER.unpack_from(message.data, message.start)
            if family != socket.AF_INET or index not in names or not flags & IFA_F_SECONDARY:
                continue
            parts = ADDRESS.unpack(message.data, message.start + ADDRESS_HEADER.size, message.end)
            local, far = parts.get("local", b""), parts.get("address", b"")
            key = (names[index], socket.inet_ntop(socket.AF_INET, local or far), prefix)
            network = (names[index], _number(far or local, prefix))
            if key not in self._deleted and network in self._dropped:
                self._dropped[network].append(bytes(message.data[message.start : message.end]))


def _of(operation: AddressOperation) -> _Network:
    address = operation.address
    return address.device, _network(address.peer or address.address, address.prefix)


def _network(address: str, prefix: int) -> int:
    """The number of an IPv4 network; -1 where the text is no address or the prefix length none: the kernel will say so."""
    try:
        return _number(address_octets(address), prefix)
    except (OSError, ValueError):
        return -1


def _number(octets: bytes, prefix: int) -> int:
    if len(octets) != 4 or not 0 <= prefix <= 32:
        return -1
    return int.from_bytes(octets, "big") >> 32 - prefix << 6 | prefix
