"""Raw VRRP sockets and announcements in memory."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable, Sequence

from krun.kernel.memory.bell import Bell
from krun.kernel.memory.wire import Packet

QUEUE_LIMIT = 5000
"""Packets that wait at a socket; more are dropped, as from a full receive buffer."""


class MemoryAdvertSocket:
    """A socket on one interface; ``group`` None: unicast, and ``source`` is the address that it is bound to."""

    def __init__(
        self,
        device: str,
        family: str,
        group: str | None,
        source: str | None,
        transmit: Callable[[str, Packet], None],
        closed: Callable[[MemoryAdvertSocket], None],
    ) -> None:
        self.device, self.family, self.group, self.source = device, family, group, source
        self.dropped = 0
        self._transmit = transmit
        self._closed = closed
        self._queue: deque[Packet] = deque()
        self._bell = Bell()
        self._open = True

    def fileno(self) -> int:
        return self._bell.fileno()

    def send(self, packet: bytes, source: str, destination: str, ttl: int) -> None:
        """Send one VRRP PDU. Raises OSError: ENODEV, ENETDOWN; EINVAL for an IPv6 source that is not the host's."""
        if not self._open:
            raise OSError(errno.EBADF, "the socket is closed")
        self._transmit(self.device, Packet(packet, source, destination, ttl))

    def receive(self) -> tuple[bytes, str, str, int] | None:
        if not self._queue:
            return None
        packet = self._queue.popleft()
        if not self._queue:
            self._bell.silence()
        return packet.pdu, packet.source, packet.destination, packet.ttl

    def wants(self, packet: Packet) -> bool:
        """Whether the socket's binding lets the packet in."""
        bound = self.group if self.group is not None else self.source
        return packet.family == self.family and bound in (None, packet.destination)

    def put(self, packet: Packet) -> None:
        """The packet arrives."""
        if len(self._queue) >= QUEUE_LIMIT:
            self.dropped += 1
            return
        self._queue.append(packet)
        self._bell.ring()

    def close(self) -> None:
        if self._open:
            self._open = False
            self._queue.clear()
            self._bell.close()
            self._closed(self)


class MemoryAnnouncer:
    """Announcements are handed to the kernel, which checks the interface and remembers them."""

    def __init__(self, announce: Callable[[str, str], None]) -> None:
        self._announce = announce

    def announce(self, device: str, addresses: Sequence[str]) -> None:
        """One announcement for each address. Raises OSError: ENODEV, ENETDOWN."""
        for address in addresses:
            self._announce(device, address)

    def close(self) -> None:
        """Nothing is open."""
