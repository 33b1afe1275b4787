"""The lab's own reader of frames: VRRP, ARP and neighbour advertisements as typed records.

Written from the RFCs (3768 and 5798 for VRRP, 826 for ARP, 4861 for NA, 4302 for AH) and sharing no code
with the runtime under test: an error of the one is not hidden by the same error in the other.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

__all__ = ["Advert", "Arp", "Frame", "NeighborAdvert", "Record", "checksum", "parse"]

ETHERTYPE_IPV4, ETHERTYPE_ARP, ETHERTYPE_IPV6 = 0x0800, 0x0806, 0x86DD
PROTO_AH, PROTO_ICMPV6, PROTO_VRRP = 51, 58, 112


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as captured: the kernel's time (seconds, CLOCK_REALTIME), the port it came in by, its octets."""

    time: float
    port: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Advert:
    """A VRRP advertisement. ``interval`` in seconds; ``auth_type`` and ``auth_data`` are version 2's.

    ``ttl`` is the hop limit for IPv6. ``checksum_ok`` is the VRRP checksum; version 3 over IPv4 accepts
    it with the pseudo-header (RFC 5798 section 5.2.8), which is what keepalived sends by default.
    ``authenticated`` says that an authentication header (RFC 4302) came before.
    """

    time: float
    port: str
    source_mac: str
    target_mac: str
    source: str
    target: str
    ttl: int
    version: int
    vrid: int
    priority: int
    interval: float
    addresses: tuple[str, ...]
    checksum_ok: bool
    auth_type: int
    auth_data: bytes
    authenticated: bool


@dataclass(frozen=True, slots=True)
class Arp:
    """An ARP packet; gratuitous when sender and target protocol address are equal."""

    time: float
    port: str
    source_mac: str
    target_mac: str
    operation: int
    sender_mac: str
    sender: str
    target: str

    @property
    def gratuitous(self) -> bool:
        """True for an announcement of the sender's own address."""
        return self.sender == self.target


@dataclass(frozen=True, slots=True)
class NeighborAdvert:
    """An ICMPv6 neighbour advertisement (RFC 4861 section 4.4)."""

    time: float
    port: str
    source_mac: str
    source: str
    target: str
    hop_limit: int
    address: str
    router: bool
    solicited: bool
    override: bool
    link_layer: str | None
    checksum_ok: bool


Record = Advert | Arp | NeighborAdvert


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of ``data``; zero over data that carries a right one."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def parse(frame: Frame) -> Record | None:
    """The record in a frame, or None for what the lab does not look at (or what is cut short)."""
    try:
        return _parse(frame)
    except (struct.error, IndexError, ValueError):
        return None


def _mac(octets: bytes) -> str:
    return octets.hex(":")


def _parse(frame: Frame) -> Record | None:
    data = frame.data
    (ethertype,) = struct.unpack_from("!H", data, 12)
    body = data[14:]
    if ethertype == ETHERTYPE_ARP:
        return _arp(frame, body)
    if ethertype == ETHERTYPE_IPV4:
        return _ipv4(frame, body)
    if ethertype == ETHERTYPE_IPV6:
        return _ipv6(frame, body)
    return None


def _arp(frame: Frame, body: bytes) -> Arp | None:
    hardware, protocol, hardware_size, protocol_size, operation = struct.unpack_from("!HHBBH", body)
    if (hardware, protocol, hardware_size, protocol_size) != (1, ETHERTYPE_IPV4, 6, 4) or len(body) < 28:
        return None
    return Arp(
        time=frame.time,
        port=frame.port,
        source_mac=_mac(frame.data[6:12]),
        target_mac=_mac(frame.data[0:6]),
        operation=operation,
        sender_mac=_mac(body[8:14]),
        sender=str(IPv4Address(body[14:18])),
        target=str(IPv4Address(body[24:28])),
    )


def _ipv4(frame: Frame, body: bytes) -> Advert | None:
    header = (body[0] & 0x0F) * 4
    (total,) = struct.unpack_from("!H", body, 2)
    protocol, payload = body[9], body[header:total]
    authenticated = protocol == PROTO_AH
    if authenticated:
        protocol, length = payload[0], (payload[1] + 2) * 4  # RFC 4302 section 2.2
        payload = payload[length:]
    if protocol != PROTO_VRRP:
        return None
    pseudo = body[12:20] + struct.pack("!BBH", 0, PROTO_VRRP, len(payload))
    return _vrrp(
        frame,
        payload,
        pseudo,
        size=4,
        ttl=body[8],
        source=str(IPv4Address(body[12:16])),
        target=str(IPv4Address(body[16:20])),
        authenticated=authenticated,
    )


def _ipv6(frame: Frame, body: bytes) -> Advert | NeighborAdvert | None:
    length, protocol, hop_limit = struct.unpack_from("!HBB", body, 4)
    payload = body[40 : 40 + length]
    source, target = str(IPv6Address(body[8:24])), str(IPv6Address(body[24:40]))
    pseudo = body[8:40] + struct.pack("!IHBB", len(payload), 0, 0, protocol)  # RFC 8200 section 8.1
    if protocol == PROTO_VRRP:
        return _vrrp(
            frame, payload, pseudo, size=16, ttl=hop_limit, source=source, target=target, authenticated=False
        )
    if protocol == PROTO_ICMPV6 and payload[0] == 136 and len(payload) >= 24:
        link_layer = None
        options = payload[24:]
        while len(options) >= 8 and options[1]:
            if options[0] == 2:  # target link-layer address
                link_layer = _mac(options[2:8])
            options = options[options[1] * 8 :]
        return NeighborAdvert(
            time=frame.time,
            port=frame.port,
            source_mac=_mac(frame.data[6:12]),
            source=source,
            target=target,
            hop_limit=hop_limit,
            address=str(IPv6Address(payload[8:24])),
            router=bool(payload[4] & 0x80),
            solicited=bool(payload[4] & 0x40),
            override=bool(payload[4] & 0x20),
            link_layer=link_layer,
            checksum_ok=checksum(pseudo + payload) == 0,
        )
    return None


def _vrrp(
    frame: Frame,
    pdu: bytes,
    pseudo: bytes,
    *,
    size: int,
    ttl: int,
    source: str,
    target: str,
    authenticated: bool,
) -> Advert | None:
    version, kind = pdu[0] >> 4, pdu[0] & 0x0F
    vrid, priority, count = pdu[1], pdu[2], pdu[3]
    if kind != 1 or version not in (2, 3):
        return None
    end = 8 + count * size
    if len(pdu) < end:
        return None
    if version == 2:
        auth_type, interval = pdu[4], float(pdu[5])
        # RFC 3768 knows IPv4 only and no pseudo-header. Over IPv6 the kernel fills the checksum in, and
        # for IPv6 a pseudo-header is always part of it.
        covered = pdu if size == 4 else pseudo + pdu
    else:
        auth_type, interval = 0, (struct.unpack_from("!H", pdu, 4)[0] & 0x0FFF) / 100
        covered = pseudo + pdu
    make = IPv4Address if size == 4 else IPv6Address
    return Advert(
        time=frame.time,
        port=frame.port,
        source_mac=_mac(frame.data[6:12]),
        target_mac=_mac(frame.data[0:6]),
        source=source,
        target=target,
        ttl=ttl,
        version=version,
        vrid=vrid,
        priority=priority,
        interval=interval,
        addresses=tuple(str(make(pdu[at : at + size])) for at in range(8, end, size)),
        checksum_ok=checksum(covered) == 0,
        auth_type=auth_type,
        auth_data=bytes(pdu[end : end + 8]) if version == 2 else b"",
        authenticated=authenticated,
    )
