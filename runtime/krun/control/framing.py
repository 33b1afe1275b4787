"""Messages on a stream: four octets of length in network order, then that much JSON (one object)."""

from __future__ import annotations

import struct
from typing import Any

import msgspec

MAX_MESSAGE = 64 * 1024 * 1024
"""The longest message in octets. The state document of 30,000 real servers has some 10 MB."""

_LENGTH = struct.Struct("!I")
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(dict[str, Any])

Message = dict[str, Any]


class FramingError(Exception):
    """What arrived is no message: too long, not JSON, or not an object. The connection is of no more use."""


def encode(message: Message) -> bytes:
    """One message, framed. Raises `FramingError` where it is longer than `MAX_MESSAGE`."""
    body = _encoder.encode(message)
    if len(body) > MAX_MESSAGE:
        raise FramingError(f"a message of {len(body)} octets is longer than the limit of {MAX_MESSAGE}")
    return _LENGTH.pack(len(body)) + body


class Decoder:
    """Cuts a stream into messages; feed it what arrives."""

    __slots__ = ("_buffer", "_limit")

    def __init__(self, limit: int = MAX_MESSAGE) -> None:
        self._buffer = bytearray()
        self._limit = limit

    def feed(self, data: bytes) -> list[Message]:
        """The messages that ``data`` completes. Raises `FramingError`."""
        buffer = self._buffer
        buffer += data
        messages: list[Message] = []
        at = 0
        while len(buffer) - at >= 4:
            (length,) = _LENGTH.unpack_from(buffer, at)
            if length > self._limit:
                raise FramingError(
                    f"a message of {length} octets is announced; the limit is {self._limit}. Is the other side krun?"
                )
            if len(buffer) - at - 4 < length:
                break
            try:
                messages.append(_decoder.decode(memoryview(buffer)[at + 4 : at + 4 + length]))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise FramingError(f"what arrived is no JSON object: {error}") from None
            at += 4 + length
        if at:
            del buffer[:at]
        return messages

    @property
    def pending(self) -> int:
        """Octets that wait for the rest of their message."""
        return len(self._buffer)
