"""A segment that joins memory kernels."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from krun.kernel.memory.kernel import MemoryKernel

REMEMBERED = 10_000
"""How many packets and announcements are kept to look at."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A VRRP packet: the PDU and what its IP header says."""

    pdu: bytes
    source: str
    destination: str
    ttl: int

    @property
    def family(self) -> str:
        return "inet6" if ":" in self.destination else "inet"


Port = tuple["MemoryKernel", str]
"""A kernel and the name of its interface on this wire."""

Carry = Callable[[Packet, Port, Port], None]


class Wire:
    """Delivers a packet to every other port at once, in the order in which they were attached.

    ``carry``: called instead with (packet, from, to), for a network with delays and faults: it calls `hand_over` when, and
    if, the packet arrives. ``packets`` and ``announcements`` (kernel, device, address) hold what was sent lately.
    """

    def __init__(self, carry: Carry | None = None) -> None:
        self._ports: list[Port] = []
        self._carry: Carry = carry if carry is not None else self._at_once
        self.packets: deque[tuple[Port, Packet]] = deque(maxlen=REMEMBERED)
        self.announcements: deque[tuple[MemoryKernel, str, str]] = deque(maxlen=REMEMBERED)

    def attach(self, kernel: MemoryKernel, device: str) -> None:
        """Plug the interface in. An interface is on one wire: it leaves the one before."""
        kernel.plug(device, self)
        self._ports.append((kernel, device))

    def detach(self, kernel: MemoryKernel, device: str) -> None:
        """Unplug it; the interface stays up, as behind a switch."""
        self._ports = [port for port in self._ports if port[0] is not kernel or port[1] != device]

    def send(self, sender: Port, packet: Packet) -> None:
        """A packet from a port to all others."""
        self.packets.append((sender, packet))
        for port in list(self._ports):
            if port[0] is not sender[0] or port[1] != sender[1]:
                self._carry(packet, sender, port)

    def announce(self, sender: Port, address: str) -> None:
        """An announcement, which only is remembered."""
        self.announcements.append((*sender, address))

    @staticmethod
    def hand_over(packet: Packet, receiver: Port) -> None:
        """The packet arrives."""
        receiver[0].deliver(receiver[1], packet)

    @staticmethod
    def _at_once(packet: Packet, sender: Port, receiver: Port) -> None:
        Wire.hand_over(packet, receiver)
