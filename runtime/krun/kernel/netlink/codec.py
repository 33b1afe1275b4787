"""Netlink messages as octets: headers, attributes, acknowledgements (netlink(7), linux/netlink.h).

Attribute tables are data. Where all attributes of a message have a fixed size, `AttributeTable.layout` makes one
`struct.Struct` of them, so that packing a message is one call. Reading always walks the attributes and never counts on an
offset: kernels differ in padding. Nothing here raises on whatever octets come in.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from socket import htons
from typing import Any

HEADER = struct.Struct("=IHHII")
"""struct nlmsghdr: length, type, flags, sequence number, port id."""

ATTRIBUTE = struct.Struct("=HH")
"""struct nlattr: length without padding, type."""

NLMSG_NOOP, NLMSG_ERROR, NLMSG_DONE, NLMSG_OVERRUN = 1, 2, 3, 4

NLM_F_REQUEST = 0x01
NLM_F_ACK = 0x04
NLM_F_DUMP_INTR = 0x10
NLM_F_REPLACE = 0x100
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400
NLM_F_DUMP = 0x300
NLM_F_CAPPED = 0x100
NLM_F_ACK_TLVS = 0x200

NLA_F_NESTED = 0x8000
NLA_TYPE_MASK = 0x3FFF

NLMSGERR_ATTR_MSG = 1

_S32 = struct.Struct("=i")


class Kind(Enum):
    """How the payload of an attribute is written: the `struct` format, empty where the size varies."""

    U8 = "B"
    U16 = "H"
    BE16 = "!H"
    U32 = "I"
    S32 = "i"
    STRING = ""
    """Text with a closing NUL."""
    BYTES = "s"
    """Raw octets; of fixed size where the attribute says one."""
    NESTED = "{}"
    """More attributes, of the attribute's own table."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One line of a table: the number in the kernel header, how it is written, the size of raw octets (0: it varies)."""

    number: int
    kind: Kind
    size: int = 0
    table: AttributeTable | None = None


class AttributeTable:
    """The attributes of one message or nest by name. ``what`` names it in errors."""

    def __init__(self, what: str, attributes: Mapping[str, Attribute]) -> None:
        self.what = what
        self.attributes = dict(attributes)
        self._readers = {a.number: (name, _reader(a)) for name, a in self.attributes.items()}

    def layout(self, *names: str) -> Layout:
        """A packer for exactly these attributes, in this order. Raises ValueError for one without a fixed size."""
        return Layout(self, names)

    def pack(self, values: Mapping[str, Any]) -> bytes:
        """The attributes in ``values``, in their order; a value of None is left out. Raises KeyError for an unknown name."""
        parts = []
        for name, value in values.items():
            attribute = self.attributes[name]
            if value is not None:
                parts.append(pack_attribute(attribute.number, _payload(attribute, value), attribute.kind))
        return b"".join(parts)

    def unpack(self, data: bytes, start: int = 0, end: int | None = None) -> dict[str, Any]:
        """The attributes that stand in ``data`` between the offsets.

        Unknown ones, and ones shorter than they must be, are left out; of a repeated one the last counts, as in the kernel.
        """
        result: dict[str, Any] = {}
        readers = self._readers
        end = len(data) if end is None else end
        read = ATTRIBUTE.unpack_from
        while (
            start + 4 <= end
        ):  # as `walk`, which costs twice as much; a dump has a dozen attributes for each server
            length, number = read(data, start)
            if length < 4 or start + length > end:
                break
            reader = readers.get(number & NLA_TYPE_MASK)
            if reader is not None:
                value = reader[1](data, start + 4, start + length)
                if value is not None:
                    result[reader[0]] = value
            start += length + 3 & ~3
        return result


class Layout:
    """Attributes of fixed size and order: one `struct.Struct` packs headers, values and padding at once."""

    def __init__(self, table: AttributeTable, names: tuple[str, ...]) -> None:
        form = ["="]
        constants: list[int] = []
        self._swap: list[int] = []
        for position, name in enumerate(names):
            attribute = table.attributes[name]
            kind = attribute.kind
            if kind in (Kind.STRING, Kind.NESTED) or (kind is Kind.BYTES and not attribute.size):
                raise ValueError(f"{table.what}: {name} has no fixed size")
            code = f"{attribute.size}s" if kind is Kind.BYTES else kind.value[-1]
            if kind is Kind.BE16:
                self._swap.append(position)
            size = struct.calcsize("=" + code)
            form.append(f"HH{code}{-size % 4}x")
            constants += [4 + size, attribute.number]
        self._struct = struct.Struct("".join(form))
        self._template: list[Any] = [0] * (3 * len(names))
        self._template[0::3] = constants[0::2]
        self._template[1::3] = constants[1::2]
        self.size = self._struct.size

    def pack(self, *values: Any) -> bytes:
        """The attributes with these values, in the order of the layout."""
        arguments = self._template[:]
        arguments[2::3] = values
        for position in self._swap:
            arguments[3 * position + 2] = htons(values[position])
        return self._struct.pack(*arguments)


def walk(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(type, first octet, octet after the last) of each attribute; stops at the first that does not fit."""
    read = ATTRIBUTE.unpack_from
    while start + 4 <= end:
        length, number = read(data, start)
        if length < 4 or start + length > end:
            return
        yield number & NLA_TYPE_MASK, start + 4, start + length
        start += length + 3 & ~3


def pack_attribute(number: int, payload: bytes, kind: Kind = Kind.BYTES) -> bytes:
    """One attribute with header and padding."""
    if kind is Kind.NESTED:
        number |= NLA_F_NESTED
    return ATTRIBUTE.pack(4 + len(payload), number) + payload + bytes(-len(payload) % 4)


@dataclass(frozen=True, slots=True)
class Message:
    """A received message: its type and flags, and where its payload stands in ``data``."""

    kind: int
    flags: int
    sequence: int
    data: bytes
    start: int
    end: int


def messages(data: bytes) -> Iterator[Message]:
    """The messages of one datagram; stops at the first whose length cannot be."""
    start = 0
    while start + HEADER.size <= len(data):
        length, kind, flags, sequence, _ = HEADER.unpack_from(data, start)
        if length < HEADER.size or start + length > len(data):
            return
        yield Message(kind, flags, sequence, data, start + HEADER.size, start + length)
        start += length + 3 & ~3


@dataclass(frozen=True, slots=True)
class Refusal:
    """The kernel's answer to a request that it did not carry out. ``text`` is its own explanation, often empty."""

    errno: int
    text: str = ""

    def __str__(self) -> str:
        words = os.strerror(self.errno)
        return f"{words}: {self.text}" if self.text else words


def refusal(message: Message) -> Refusal | None:
    """What an NLMSG_ERROR or NLMSG_DONE message says: None for success (and for a DONE without a status)."""
    if message.end - message.start < 4:
        return None
    status: int = _S32.unpack_from(message.data, message.start)[0]
    if status >= 0:
        return None
    return Refusal(-status, _extended(message))


def _extended(message: Message) -> str:
    """The text of an extended acknowledgement (NETLINK_EXT_ACK), empty where there is none."""
    if not message.flags & NLM_F_ACK_TLVS:
        return ""
    start = message.start + 4
    if message.kind == NLMSG_ERROR:
        start += HEADER.size
        if not message.flags & NLM_F_CAPPED:
            if start > message.end:
                return ""
            (length,) = struct.unpack_from("=I", message.data, start - HEADER.size)
            start += max(length - HEADER.size, 0) + 3 & ~3
    for number, first, last in walk(message.data, start, message.end):
        if number == NLMSGERR_ATTR_MSG:
            return _text(message.data, first, last)
    return ""


def _text(data: bytes, first: int, last: int) -> str:
    return data[first:last].partition(b"\0")[0].decode("utf-8", "replace")


def _reader(attribute: Attribute) -> Any:
    """A function (data, first, last) → the value, None where the payload is too short."""
    kind = attribute.kind
    if kind is Kind.STRING:
        return _text
    if kind is Kind.BYTES:
        size = attribute.size
        return lambda data, first, last: data[first:last] if last - first >= size else None
    if kind is Kind.NESTED:
        table = attribute.table
        return table.unpack if table is not None else (lambda data, first, last: data[first:last])
    number = struct.Struct(kind.value if kind is Kind.BE16 else "=" + kind.value)
    size, read = number.size, number.unpack_from
    return lambda data, first, last: read(data, first)[0] if last - first >= size else None


def _payload(attribute: Attribute, value: Any) -> bytes:
    kind = attribute.kind
    if kind is Kind.STRING:
        return str(value).encode() + b"\0"
    if kind is Kind.BYTES:
        octets = bytes(value)
        if attribute.size and len(octets) != attribute.size:
            raise ValueError(f"attribute {attribute.number} has {attribute.size} octets, not {len(octets)}")
        return octets
    if kind is Kind.NESTED:
        return attribute.table.pack(value) if attribute.table is not None else bytes(value)
    return struct.pack(kind.value if kind is Kind.BE16 else "=" + kind.value, value)
