"""Advertisements as octets: vectors captured from keepalived, an independent checksum, and properties."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krun.vrrp.checksum import checksum, ones_sum, pseudo_header
from krun.vrrp.packet import (
    AUTH_PASS,
    Malformed,
    Packet,
    build,
    checksum_right,
    expected_length,
    pack_address,
    parse,
    password_octets,
)


def oracle(data: bytes) -> int:
    """RFC 1071 as its section 4.1 has it: add words, fold the carries. Nothing in common with the code under test."""
    if len(data) % 2:
        data += b"\0"
    total = 0
    for (word,) in struct.iter_unpack("!H", data):
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


VIP_10 = pack_address("192.0.2.10")
SOURCE, GROUP = pack_address("192.0.2.1"), pack_address("224.0.0.18")

# (fields, pseudo-header, octets): captured from a running keepalived
VECTORS = [
    pytest.param(
        Packet(2, 51, 110, 1, (VIP_10,), auth_type=AUTH_PASS, auth_data=password_octets("abc")),
        None,
        "21 33 6e 01 01 01 e9 5c c0 00 02 0a 61 62 63 00 00 00 00 00",
        id="v2-pass",
    ),
    pytest.param(
        Packet(2, 51, 0, 1, (VIP_10,), auth_type=AUTH_PASS, auth_data=password_octets("abc")),
        None,
        "21 33 00 01 01 01 57 5d c0 00 02 0a 61 62 63 00 00 00 00 00",
        id="v2-pass-priority-0",
    ),
    pytest.param(
        Packet(3, 52, 150, 50, (pack_address("192.0.2.11"),)),
        pseudo_header(SOURCE, GROUP, 12),
        "31 34 96 01 00 32 d3 fb c0 00 02 0b",
        id="v3",
    ),
    pytest.param(
        Packet(3, 52, 0, 50, (pack_address("192.0.2.11"),)),
        pseudo_header(SOURCE, GROUP, 12),
        "31 34 00 01 00 32 69 fc c0 00 02 0b",
        id="v3-priority-0",
    ),
    pytest.param(
        Packet(3, 61, 255, 100, (VIP_10,)),
        pseudo_header(SOURCE, GROUP, 12),
        "31 3d ff 01 00 64 6a c1 c0 00 02 0a",
        id="v3-owner",
    ),
]


@pytest.mark.parametrize(("packet", "pseudo", "octets"), VECTORS)
def test_captured_from_keepalived(packet: Packet, pseudo: bytes | None, octets: str) -> None:
    wire = bytes.fromhex(octets)
    assert build(packet, "inet", pseudo) == wire
    read = parse(wire, "inet")
    assert isinstance(read, Packet)
    assert (read.version, read.vrid, read.priority, read.interval, read.addresses, read.auth_type) == (
        packet.version,
        packet.vrid,
        packet.priority,
        packet.interval,
        packet.addresses,
        packet.auth_type,
    )
    assert checksum_right(wire, pseudo)


@given(st.binary(max_size=300))
def test_checksum_agrees_with_rfc_1071(data: bytes) -> None:
    assert checksum(data) == oracle(data)


def test_checksum_of_nothing_and_of_zeros() -> None:
    assert ones_sum(b"") == ones_sum(bytes(8)) == 0
    assert checksum(b"\xff\xff") == 0


def test_pseudo_headers_are_those_of_the_rfcs() -> None:
    v4 = pseudo_header(SOURCE, GROUP, 20)
    assert v4 == bytes.fromhex("c0000201 e0000012 00 70 0014")
    v6 = pseudo_header(pack_address("fe80::1"), pack_address("ff02::12"), 40)
    assert len(v6) == 40  # RFC 8200 section 8.1
    assert v6[32:] == bytes.fromhex("00000028 000000 70")


@st.composite
def packets(draw: st.DrawFn) -> tuple[Packet, str]:
    version = draw(st.sampled_from([2, 3]))
    family = draw(st.sampled_from(["inet", "inet6"]))
    size = 4 if family == "inet" else 16
    carries_auth = version == 2 and family == "inet"
    return (
        Packet(
            version=version,
            vrid=draw(st.integers(1, 255)),
            priority=draw(st.integers(0, 255)),
            interval=draw(st.integers(0, 255 if version == 2 else 4095)),
            addresses=tuple(draw(st.lists(st.binary(min_size=size, max_size=size), max_size=30))),
            auth_type=draw(st.integers(0, 255)) if version == 2 else 0,
            auth_data=draw(st.binary(min_size=8, max_size=8)) if carries_auth else b"",
        ),
        family,
    )


@given(packets(), st.binary(min_size=4, max_size=4), st.booleans())
def test_what_is_built_is_read_back(made: tuple[Packet, str], source: bytes, covered: bool) -> None:
    packet, family = made
    length = expected_length(packet.version, family, len(packet.addresses))
    pseudo = pseudo_header(source, GROUP, length) if covered else None
    wire = build(packet, family, pseudo)
    assert len(wire) == length
    assert oracle((pseudo or b"") + wire) == 0
    read = parse(wire, family)
    assert isinstance(read, Packet)
    assert read == Packet(
        packet.version,
        packet.vrid,
        packet.priority,
        packet.interval,
        packet.addresses,
        auth_type=packet.auth_type,
        auth_data=packet.auth_data,
        checksum=read.checksum,
    )


@given(packets(), st.data())
def test_every_flipped_bit_is_seen(made: tuple[Packet, str], data: st.DataObject) -> None:
    packet, family = made
    wire = bytearray(build(packet, family, None))
    bit = data.draw(st.integers(0, len(wire) * 8 - 1))
    wire[bit // 8] ^= 1 << bit % 8
    assert not checksum_right(bytes(wire), None)


@given(st.binary(max_size=200), st.sampled_from(["inet", "inet6"]))
def test_reading_never_raises(data: bytes, family: str) -> None:
    read = parse(data, family)
    assert isinstance(read, Packet | Malformed)
    if isinstance(read, Packet):
        assert expected_length(read.version, family, len(read.addresses)) == len(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "fewer"),
        (b"\x31\x01\x64\x01\x00\x64\x00", "fewer"),
        (bytes.fromhex("3101640100640000"), "has 12"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, words: str) -> None:
    read = parse(data, "inet")
    assert isinstance(read, Malformed)
    assert words in read.field


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="255 at most"):
        build(Packet(3, 1, 100, 100, (VIP_10,) * 256), "inet", None)
    with pytest.raises(ValueError, match="does not fit version 2"):
        build(Packet(2, 1, 100, 256), "inet", None)
    with pytest.raises(ValueError, match="of that family only"):
        build(Packet(3, 1, 100, 100, (VIP_10,)), "inet6", None)


def test_passwords_are_eight_octets() -> None:
    assert password_octets("abc") == b"abc\0\0\0\0\0"
    assert password_octets("0123456789") == b"01234567"
