"""Gratuitous ARP and neighbour advertisements, octet by octet."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from krun.kernel.announce import gratuitous_arp, internet_checksum, neighbour_advertisement
from lab.packets import Arp, Frame, NeighborAdvert, parse

MAC = bytes.fromhex("02005e100001")


def test_gratuitous_arp_is_what_keepalived_sends() -> None:
    frame = gratuitous_arp(MAC, bytes([192, 0, 2, 10]))
    assert frame.hex(" ", 2) == (
        "ffff ffff ffff 0200 5e10 0001 0806 0001 0800 0604 0001"
        " 0200 5e10 0001 c000 020a ffff ffff ffff c000 020a"
    )


def test_neighbour_advertisement_fields() -> None:
    address = bytes.fromhex("20010db8" + "00" * 11 + "0a")
    frame = neighbour_advertisement(MAC, address, router=False)
    assert frame[:14].hex() == "333300000001" + "02005e100001" + "86dd"
    assert frame[14:22] == struct.pack("!IHBB", 0x60000000, 32, 58, 255)
    assert frame[22:38] == address and frame[38:54].hex() == "ff02" + "00" * 13 + "01"
    assert frame[54:56] == b"\x88\0" and frame[58:62].hex() == "20000000"
    assert frame[62:78] == address and frame[78:].hex() == "0201" + "02005e100001"
    assert neighbour_advertisement(MAC, address, router=True)[58:62].hex() == "a0000000"


@given(st.binary(min_size=6, max_size=6), st.binary(min_size=16, max_size=16), st.booleans())
def test_neighbour_advertisement_checksum(mac: bytes, address: bytes, router: bool) -> None:
    frame = neighbour_advertisement(mac, address, router=router)
    pseudo = frame[22:54] + struct.pack("!II", 32, 58)
    assert internet_checksum(pseudo + frame[54:]) == 0


def test_the_lab_reads_them_as_announcements() -> None:
    arp = parse(Frame(1.0, "a", gratuitous_arp(MAC, bytes([192, 0, 2, 10]))))
    assert isinstance(arp, Arp) and arp.gratuitous and arp.sender == "192.0.2.10"
    octets = bytes.fromhex("20010db8" + "00" * 11 + "0a")
    advert = parse(Frame(1.0, "a", neighbour_advertisement(MAC, octets, router=True)))
    assert isinstance(advert, NeighborAdvert) and advert.address == "2001:db8::a" and not advert.solicited
