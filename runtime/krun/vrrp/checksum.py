"""The Internet checksum (RFC 1071) and the pseudo-headers that VRRP puts under it.

Three rules are in use, and both ends must follow the same one:

* version 2 over IPv4: the VRRP message alone (RFC 3768 section 5.3.8);
* version 3 over IPv4: with a pseudo-header by default, as RFC 5798 section 5.2.8 was read by keepalived and others, or the
  message alone, which is what RFC 9568 section 5.2.8 settled on (``vrrp_version 3`` with ``v3_checksum_as_v2``);
* IPv6: always with the pseudo-header of RFC 8200 section 8.1.
"""

from __future__ import annotations

VRRP_PROTOCOL = 112
"""The IP protocol number of VRRP (RFC 9568 section 5.1.1.4)."""


def ones_sum(data: bytes) -> int:
    """The ones' complement sum of ``data`` in 16-bit words, big-endian, odd lengths padded with a zero octet.

    2**16 is 1 modulo 65535, so the sum of the words is the whole number modulo 65535; what is divisible by it is 0 only for
    all-zero data and 0xFFFF else, exactly as an end-around carry gives.
    """
    if len(data) & 1:
        data += b"\0"
    number = int.from_bytes(data, "big")
    if number == 0:
        return 0
    return number % 0xFFFF or 0xFFFF


def checksum(data: bytes) -> int:
    """The checksum to store: the complement of the sum. Over data that carries a right checksum it is 0."""
    return ~ones_sum(data) & 0xFFFF


def pseudo_header(source: bytes, destination: bytes, length: int) -> bytes:
    """The pseudo-header for packed addresses of one family (4 or 16 octets) and a VRRP message of ``length`` octets.

    IPv4: source, destination, zero, protocol, 16-bit length (RFC 793 section 3.1's form). IPv6: source, destination, 32-bit
    length, three zero octets, next header (RFC 8200 section 8.1).
    """
    if len(source) == 4:
        return source + destination + b"\0" + bytes((VRRP_PROTOCOL,)) + length.to_bytes(2, "big")
    return source + destination + length.to_bytes(4, "big") + b"\0\0\0" + bytes((VRRP_PROTOCOL,))
