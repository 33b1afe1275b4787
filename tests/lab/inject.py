"""Hand-made VRRP packets, right and wrong in chosen ways, sent as raw frames from a director's device.

The inverse of :mod:`lab.packets`, and like it written from the RFCs alone.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from ipaddress import ip_address

from lab.netns import Director
from lab.packets import checksum

__all__ = ["Forged", "send"]

SOURCE_MAC = bytes.fromhex("02005e1000ee")


@dataclass(frozen=True, slots=True)
class Forged:
    """A VRRP advert with everything adjustable; the defaults are a right one. ``interval`` in seconds.

    ``checksum_xor`` spoils the checksum; ``cut`` drops octets from the end of the VRRP packet (the IP
    header says so), ``count`` overrides the number of addresses, ``tail`` is put behind the packet.
    """

    source: str
    target: str
    version: int
    vrid: int
    priority: int
    interval: float
    addresses: tuple[str, ...]
    ttl: int = 255
    kind: int = 1
    auth_type: int = 0
    auth_data: bytes = bytes(8)
    checksum_xor: int = 0
    count: int | None = None
    cut: int = 0
    tail: bytes = b""

    def pdu(self) -> bytes:
        """The VRRP packet with its checksum (RFC 3768 section 5.1, RFC 5798 section 5.1)."""
        count = len(self.addresses) if self.count is None else self.count
        over_ipv6 = ip_address(self.source).version == 6
        if self.version == 2:
            timing = struct.pack("!BB", self.auth_type, round(self.interval))
        else:
            timing = struct.pack("!H", round(self.interval * 100))
        head = struct.pack("!BBBB", self.version << 4 | self.kind, self.vrid, self.priority, count) + timing
        body = b"".join(ip_address(address).packed for address in self.addresses)
        if self.version == 2 and not over_ipv6:
            body += self.auth_data
        pseudo = b""
        if self.version != 2 or over_ipv6:
            pseudo = ip_address(self.source).packed + ip_address(self.target).packed
            size = len(head) + 2 + len(body)
            pseudo += (
                struct.pack("!IHBB", size, 0, 0, 112) if over_ipv6 else struct.pack("!BBH", 0, 112, size)
            )
        value = checksum(pseudo + head + b"\0\0" + body) ^ self.checksum_xor
        packet = head + struct.pack("!H", value) + body
        return packet[: len(packet) - self.cut] + self.tail

    def frame(self) -> bytes:
        """The whole Ethernet frame."""
        return _wrap(self.source, self.target, self.ttl, self.pdu())


def _wrap(source: str, target: str, ttl: int, payload: bytes) -> bytes:
    source_octets, target_octets = ip_address(source).packed, ip_address(target).packed
    if len(source_octets) == 16:
        mac = b"\x33\x33" + target_octets[-4:]
        header = struct.pack("!IHBB", 0x6C000000, len(payload), 112, ttl) + source_octets + target_octets
        return mac + SOURCE_MAC + b"\x86\xdd" + header + payload
    mac = b"\x01\x00\x5e" + bytes([target_octets[1] & 0x7F]) + target_octets[2:]
    header = struct.pack("!BBHHHBBH", 0x45, 0xC0, 20 + len(payload), 7, 0, ttl, 112, 0)
    header += source_octets + target_octets
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return mac + SOURCE_MAC + b"\x08\x00" + header + payload


def garbage(source: str, target: str, payload: bytes) -> bytes:
    """A frame that says to be VRRP and carries ``payload``."""
    return _wrap(source, target, 255, payload)


def send(director: Director, *frames: bytes) -> None:
    """Send frames out of the director's device as they are (padded to Ethernet's least length)."""
    with director, socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((director.device, 0))
        for frame in frames:
            raw.send(frame.ljust(60, b"\0"))
