"""Attribute tables, the walker, acknowledgements: round trips, and no octets that make a reader raise."""

from __future__ import annotations

import errno
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krun.kernel.addresses import parse_address
from krun.kernel.links import parse_link
from krun.kernel.netlink import codec
from krun.kernel.netlink.codec import Attribute, AttributeTable, Kind, Message
from krun.kernel.netlink.ipvs import COMMAND, read_dest, read_service

INNER = AttributeTable("inner", {"name": Attribute(1, Kind.STRING), "number": Attribute(2, Kind.U32)})
TABLE = AttributeTable(
    "test",
    {
        "u8": Attribute(1, Kind.U8),
        "u16": Attribute(2, Kind.U16),
        "port": Attribute(3, Kind.BE16),
        "u32": Attribute(4, Kind.U32),
        "s32": Attribute(5, Kind.S32),
        "text": Attribute(6, Kind.STRING),
        "octets": Attribute(7, Kind.BYTES),
        "address": Attribute(8, Kind.BYTES, 16),
        "nest": Attribute(9, Kind.NESTED, table=INNER),
    },
)

U16 = st.integers(0, 0xFFFF)
U32 = st.integers(0, 0xFFFFFFFF)
TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "u8": st.integers(0, 255),
        "u16": U16,
        "port": U16,
        "u32": U32,
        "s32": st.integers(-(2**31), 2**31 - 1),
        "text": TEXT,
        "octets": st.binary(max_size=30),
        "address": st.binary(min_size=16, max_size=16),
        "nest": st.fixed_dictionaries({}, optional={"name": TEXT, "number": U32}),
    },
)


@given(VALUES)
def test_what_is_packed_is_read_back(values: dict[str, Any]) -> None:
    packed = TABLE.pack(values)
    assert len(packed) % 4 == 0
    assert TABLE.unpack(packed) == values


@given(
    st.integers(0, 255), U16, U16, U32, st.integers(-(2**31), 2**31 - 1), st.binary(min_size=16, max_size=16)
)
def test_a_layout_packs_what_the_table_packs(
    u8: int, u16: int, port: int, u32: int, s32: int, address: bytes
) -> None:
    names = ("u8", "u16", "port", "u32", "s32", "address")
    values = (u8, u16, port, u32, s32, address)
    layout = TABLE.layout(*names)
    packed = layout.pack(*values)
    assert packed == TABLE.pack(dict(zip(names, values, strict=True)))
    assert len(packed) == layout.size


def test_a_layout_pads_short_octets_with_zeros() -> None:
    assert TABLE.unpack(TABLE.layout("address").pack(b"\x0a\0\0\1")) == {"address": b"\x0a\0\0\1" + bytes(12)}


@pytest.mark.parametrize("name", ["text", "octets", "nest"])
def test_a_layout_takes_fixed_sizes_only(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} has no fixed size"):
        TABLE.layout("u8", name)


def test_ports_are_in_network_order() -> None:
    assert TABLE.pack({"port": 80}) == struct.pack("=HH", 6, 3) + b"\0\x50\0\0"


def test_a_none_is_left_out_and_an_unknown_name_is_an_error() -> None:
    assert TABLE.pack({"u8": None, "u32": None}) == b""
    with pytest.raises(KeyError):
        TABLE.pack({"wieght": 3})


def test_unknown_and_short_attributes_are_left_out_and_the_last_duplicate_counts() -> None:
    data = (
        codec.pack_attribute(99, b"new in some kernel")
        + codec.pack_attribute(4, b"\1\2")
        + TABLE.pack({"u8": 1})
        + TABLE.pack({"u8": 2})
    )
    assert TABLE.unpack(data) == {"u8": 2}


@given(st.binary(max_size=200))
def test_no_octets_make_the_readers_raise(data: bytes) -> None:
    TABLE.unpack(data)
    found = COMMAND.unpack(data)
    read_service(found.get("service", {}))
    read_dest(found.get("dest", {}), "inet")
    for message in codec.messages(data):
        codec.refusal(message)
    for flags in (0, codec.NLM_F_ACK_TLVS, codec.NLM_F_ACK_TLVS | codec.NLM_F_CAPPED):
        for kind in (codec.NLMSG_ERROR, codec.NLMSG_DONE):
            codec.refusal(Message(kind, flags, 1, data, 0, len(data)))
    message = Message(16, 0, 1, data, 0, len(data))
    parse_link(message)
    parse_address(message)


@given(VALUES, st.integers(0, 400))
def test_a_cut_message_gives_what_stood_before_the_cut(values: dict[str, Any], size: int) -> None:
    found = TABLE.unpack(TABLE.pack(values)[:size])
    for name, value in found.items():
        assert name == "nest" or values[name] == value


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_messages_of_a_datagram(bodies: list[bytes]) -> None:
    data = b"".join(
        codec.HEADER.pack(16 + len(body), 20, 2, number, 0) + body + bytes(-len(body) % 4)
        for number, body in enumerate(bodies)
    )
    found = list(codec.messages(data))
    assert [m.data[m.start : m.end] for m in found] == bodies
    assert [m.sequence for m in found] == list(range(len(bodies)))


def _error(number: int, flags: int, rest: bytes) -> codec.Refusal | None:
    data = struct.pack("=i", -number) + rest
    return codec.refusal(Message(codec.NLMSG_ERROR, flags, 1, data, 0, len(data)))


def test_extended_acknowledgements() -> None:
    words = codec.pack_attribute(codec.NLMSGERR_ATTR_MSG, b"address not unicast\0")
    request = codec.HEADER.pack(16 + 6, 20, 1, 1, 0)
    assert _error(0, 0, request) is None
    plain = _error(errno.EINVAL, 0, request + bytes(8))
    assert plain == codec.Refusal(errno.EINVAL, "")
    capped = _error(errno.EINVAL, codec.NLM_F_ACK_TLVS | codec.NLM_F_CAPPED, request + words)
    whole = _error(errno.EINVAL, codec.NLM_F_ACK_TLVS, request + bytes(8) + words)
    assert capped == whole == codec.Refusal(errno.EINVAL, "address not unicast")
    assert str(whole) == "Invalid argument: address not unicast"
