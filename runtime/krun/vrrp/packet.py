"""VRRP advertisements as octets: build and read, versions 2 and 3, IPv4 and IPv6.

Only the form is judged here; whether an advert is for us and may be believed is `krun.vrrp.reception`'s matter.

Version 2 (RFC 3768 section 5.1, authentication fields from RFC 2338)::

     0x21 | VRID | priority | count | auth type | interval s | checksum | addresses… | 8 octets auth data (IPv4)

Version 3 (RFC 9568 section 5.1)::

     0x31 | VRID | priority | count | 0 | 12 bits interval cs | checksum | addresses…
"""

from __future__ import annotations

import socket
import struct
from functools import lru_cache
from typing import Literal

import msgspec

from krun.vrrp.checksum import checksum, ones_sum, pseudo_header

Family = Literal["inet", "inet6"]

ADVERTISEMENT = 1
"""The only packet type there is (RFC 9568 section 5.2.2)."""
MIN_LENGTH = 8
AUTH_NONE, AUTH_PASS, AUTH_AH = 0, 1, 2
AUTH_LENGTH = 8
SECOND_US, CENTISECOND_US = 1_000_000, 10_000

_HEADER = struct.Struct("!BBBBBBH")
_ADDRESS_LENGTH = {"inet": 4, "inet6": 16}
_AF = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}


class Packet(msgspec.Struct, frozen=True, gc=False):
    """An advertisement's fields. ``interval`` is as on the wire: seconds in version 2, centiseconds in version 3.

    ``addresses`` are packed, in the order of the packet. ``auth_data`` is the eight octets of version 2 over IPv4, else empty.
    ``checksum`` is the field as received; `build` computes its own.
    """

    version: int
    vrid: int
    priority: int
    interval: int
    addresses: tuple[bytes, ...] = ()
    type: int = ADVERTISEMENT
    auth_type: int = AUTH_NONE
    auth_data: bytes = b""
    checksum: int = 0

    @property
    def interval_us(self) -> int:
        """The interval in microseconds."""
        return self.interval * (SECOND_US if self.version == 2 else CENTISECOND_US)


class Malformed(msgspec.Struct, frozen=True):
    """Octets that are no VRRP message: ``field`` says what is wrong with it, in words."""

    field: str


@lru_cache(maxsize=4096)
def pack_address(address: str) -> bytes:
    """The octets of an address in text form, 4 or 16 of them. Raises OSError for what is none."""
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address.partition("%")[0])


def address_text(packed: bytes) -> str:
    """The text form of a packed address."""
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


def password_octets(password: str) -> bytes:
    """A PASS password on the wire: eight octets, cut or padded with zeros (RFC 2338 section 5.3.10)."""
    return password.encode("utf-8", "surrogateescape")[:AUTH_LENGTH].ljust(AUTH_LENGTH, b"\0")


def expected_length(version: int, family: str, count: int) -> int:
    """How long a message with ``count`` addresses is; eight octets of authentication data follow in version 2 over IPv4."""
    extra = AUTH_LENGTH if version == 2 and family == "inet" else 0
    return MIN_LENGTH + count * _ADDRESS_LENGTH[family] + extra


def build(packet: Packet, family: str, pseudo: bytes | None) -> bytes:
    """The octets of an advertisement.

    ``pseudo``: the pseudo-header to put under the checksum (`krun.vrrp.checksum.pseudo_header`), None for none. Raises ValueError
    where a field does not fit: more than 255 addresses, an address of the other family, an interval out of range.
    """
    size = _ADDRESS_LENGTH[family]
    if len(packet.addresses) > 255:
        raise ValueError(
            f"{len(packet.addresses)} addresses do not fit an advert (255 at most): move some to excluded"
        )
    if any(len(address) != size for address in packet.addresses):
        raise ValueError(f"an advert over {family} carries addresses of that family only")
    limit = 0xFF if packet.version == 2 else 0xFFF
    if not 0 <= packet.interval <= limit:
        raise ValueError(
            f"interval {packet.interval} does not fit version {packet.version} (at most {limit})"
        )
    fifth, sixth = (
        (packet.auth_type, packet.interval)
        if packet.version == 2
        else (packet.interval >> 8, packet.interval & 0xFF)
    )
    body = b"".join(packet.addresses)
    if packet.version == 2 and family == "inet":
        body += packet.auth_data[:AUTH_LENGTH].ljust(AUTH_LENGTH, b"\0")
    first = (packet.version << 4) | packet.type
    head = _HEADER.pack(first, packet.vrid, packet.priority, len(packet.addresses), fifth, sixth, 0)
    total = checksum((pseudo or b"") + head + body)
    return head[:6] + total.to_bytes(2, "big") + body


def parse(pdu: bytes, family: str) -> Packet | Malformed:
    """Read a message. Never raises. The length must be exact: the kernel has cut link-layer padding off with the IP length."""
    if len(pdu) < MIN_LENGTH:
        return Malformed(f"{len(pdu)} octets are fewer than a VRRP header's {MIN_LENGTH}")
    first, vrid, priority, count, fifth, sixth, stored = _HEADER.unpack_from(pdu)
    version = first >> 4
    wanted = expected_length(version, family, count)
    if len(pdu) != wanted:
        return Malformed(f"{len(pdu)} octets, where version {version} with {count} addresses has {wanted}")
    size = _ADDRESS_LENGTH[family]
    end = MIN_LENGTH + count * size
    return Packet(
        version=version,
        vrid=vrid,
        priority=priority,
        interval=sixth if version == 2 else (fifth & 0x0F) << 8 | sixth,
        addresses=tuple(pdu[at : at + size] for at in range(MIN_LENGTH, end, size)),
        type=first & 0x0F,
        auth_type=fifth if version == 2 else AUTH_NONE,
        auth_data=pdu[end:],
        checksum=stored,
    )


def checksum_right(pdu: bytes, pseudo: bytes | None) -> bool:
    """Whether the checksum of a received message fits, with ``pseudo`` under it (None: the message alone)."""
    return ones_sum((pseudo or b"") + pdu) == 0xFFFF


def pseudo_for(
    version: int, family: str, source: bytes, destination: bytes, length: int, *, v3_checksum_as_v2: bool
) -> bytes | None:
    """The pseudo-header that an instance's checksum has, None for none; see `krun.vrrp.checksum` for the three rules."""
    if family == "inet" and (version == 2 or v3_checksum_as_v2):
        return None
    return pseudo_header(source, destination, length)
