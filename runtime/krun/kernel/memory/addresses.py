"""Interfaces and addresses in memory."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from kir.model import Address
from kir.plan.operations import AddressOperation, DelAddress
from kir.state import AddressKey, AddressTable, address_key
from krun.kernel.door import AddressChanged, Failure, KernelEvent, Link, LinkChanged, Resynchronised
from krun.kernel.memory.bell import Bell
from krun.kernel.netlink.codec import Refusal
from krun.kernel.refusals import failure

LOG_LIMIT = 10_000

Refuse = Callable[[AddressOperation], int | None]


class MemoryRtnetlink:
    """Links and addresses in dicts, with events as the kernel would send them.

    The controls (`set_link`, `remove_link`, `add_address`, `remove_address`, `lose_events`) play what others do to the host;
    where somebody has subscribed they deliver their events at once. The events of our own operations wait for `read_events`
    or the next control, as the kernel's wait in the socket. ``refuse``: a test's way to have an operation refused, by
    returning an errno. ``log``: the operations that came in.
    """

    def __init__(self) -> None:
        self._links: dict[str, Link] = {}
        self._held: AddressTable = {}
        self._own: frozenset[AddressKey] = frozenset()
        self._listeners: list[Callable[[KernelEvent], None]] = []
        self._waiting: deque[KernelEvent] = deque()
        self._bell = Bell()
        self._writes = 0
        self.on_address_lost: list[Callable[[AddressKey], None]] = []
        self.on_link_lost: list[Callable[[str], None]] = []
        self.refuse: Refuse | None = None
        self.log: deque[AddressOperation] = deque(maxlen=LOG_LIMIT)

    def links(self) -> dict[str, Link]:
        return dict(self._links)

    def addresses(self) -> dict[AddressKey, str]:
        return {key: address.family for key, address in self._held.items()}

    def table(self) -> AddressTable:
        """The addresses with all their parameters."""
        return dict(self._held)

    def source_address(self, device: str, family: str) -> str | None:
        for key, address in self._held.items():
            if key.device == device and address.family == family and key not in self._own:
                if family == "inet6" and not key.address.startswith("fe80:"):
                    continue
                return key.address
        return None

    def set_own(self, own: Iterable[AddressKey]) -> None:
        self._own = frozenset(own)

    def apply_addresses(self, operations: Sequence[AddressOperation]) -> list[Failure]:
        failures: list[tuple[int, Failure]] = []
        again: list[tuple[int, AddressOperation]] = []
        for number, operation in enumerate(operations):
            self._writes += 1
            self.log.append(operation)
            ordered = self.refuse(operation) if self.refuse is not None else None
            refused = self._carry_out(operation) if ordered is None else ordered
            if refused == errno.EEXIST and ordered is None:
                again.append((number, operation))  # a later operation may make room
            elif refused:
                failures.append((number, failure(operation, Refusal(refused))))
        for number, operation in again:
            refused = self._carry_out(operation)
            if refused:
                failures.append((number, failure(operation, Refusal(refused))))
        return [found for _, found in sorted(failures, key=lambda pair: pair[0])]

    def fileno(self) -> int:
        return self._bell.fileno()

    def read_events(self, breathe: Callable[[], object] | None = None) -> list[KernelEvent]:
        events = list(self._waiting)
        self._waiting.clear()
        self._bell.silence()
        for event in events:
            for listener in self._listeners:
                listener(event)
        return events

    def subscribe(self, listener: Callable[[KernelEvent], None]) -> None:
        self._listeners.append(listener)

    @property
    def writes(self) -> int:
        return self._writes

    def close(self) -> None:
        self._bell.close()

    # Controls

    def set_link(
        self,
        name: str,
        *,
        up: bool = True,
        mtu: int = 1500,
        mac: bytes | None = None,
        arp: bool = True,
        multicast: bool = True,
        loopback: bool = False,
    ) -> Link:
        """An interface appears or changes. Its addresses stay, as when a cable is pulled."""
        old = self._links.get(name)
        index = (
            old.index
            if old is not None
            else 1 + max((link.index for link in self._links.values()), default=0)
        )
        if mac is None:
            mac = old.mac if old is not None else bytes((2, 0, 0, 0, index >> 8 & 0xFF, index & 0xFF))
        link = Link(index, name, up, mtu, mac, arp, multicast, loopback, hardware=772 if loopback else 1)
        if link != old:
            self._links[name] = link
            if not up:
                self._link_lost(name)
            self._control(LinkChanged(link))
        return link

    def remove_link(self, name: str) -> None:
        """An interface goes away, with its addresses. Raises KeyError where there is none."""
        link = self._links[name]
        gone = [key for key in self._held if key.device == name]
        events: list[KernelEvent] = [AddressChanged(key, self._pop(key).family, gone=True) for key in gone]
        del self._links[name]
        self._link_lost(name)
        self._control(*events, LinkChanged(link, gone=True))

    def add_address(self, device: str, address: str, prefix: int) -> AddressKey:
        """Somebody else adds an address. Raises KeyError where there is no such interface."""
        if device not in self._links:
            raise KeyError(device)
        family = "inet6" if ":" in address else "inet"
        key = AddressKey(device, address, prefix)
        self._held[key] = Address(address=address, prefix=prefix, device=device, family=family)
        self._control(AddressChanged(key, family))
        return key

    def remove_address(self, key: AddressKey) -> None:
        """Somebody else deletes an address. Raises KeyError where there is none."""
        address = self._pop(key)
        self._control(AddressChanged(key, address.family, gone=True))

    def lose_events(self) -> None:
        """Events that wait are lost: an overrun of the socket, and the new dump after it."""
        self._waiting.clear()
        self._control(Resynchronised())

    def _pop(self, key: AddressKey) -> Address:
        address = self._held.pop(key)
        for hear in self.on_address_lost:
            hear(key)
        return address

    def _link_lost(self, name: str) -> None:
        for hear in self.on_link_lost:
            hear(name)

    def _control(self, *events: KernelEvent) -> None:
        self._emit(*events)
        if self._listeners:
            self.read_events()

    def _emit(self, *events: KernelEvent) -> None:
        self._waiting.extend(events)
        self._bell.ring()

    def _carry_out(self, operation: AddressOperation) -> int:
        """Returns 0 or an errno."""
        address = operation.address
        key = address_key(address)
        if isinstance(operation, DelAddress):
            if key in self._held:
                self._emit(AddressChanged(key, self._pop(key).family, gone=True))
            return 0
        if key.device not in self._links:
            return errno.ENODEV
        if address.family == "inet6" and any(
            other.device == key.device and other.address == key.address and other.prefix != key.prefix
            for other in self._held
        ):
            return errno.EEXIST
        if self._held.get(key) != address:
            self._held[key] = address
            self._emit(AddressChanged(key, address.family))
        return 0
