"""What a child has promised to the outside, kept by the parent so that the child's successor finds it.

The channel is a SOCK_SEQPACKET pair: datagrams that keep their borders, in order, and an end of file when either side dies.
A datagram is one msgpack array: ``["ready"]``, or ``["promise", key, value, key, value, …]`` where a nil value withdraws.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Mapping
from typing import Any

import msgspec

log = logging.getLogger("krun.parent")

MAX_VALUE = 16 * 1024
"""The longest value in octets."""

MAX_KEYS = 200_000
MAX_OCTETS = 64 * 1024 * 1024
"""How many promises, and how many octets of them, the parent keeps for one child."""

_DATAGRAM = 32 * 1024
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Any]).decode


def ready(channel: socket.socket) -> None:
    """Tell the parent that the child has started. Raises OSError where the parent is gone."""
    channel.setblocking(True)
    try:
        channel.send(_encode(["ready"]))
    finally:
        channel.setblocking(False)


class PromiseSender:
    """The child's side. Never blocks: while the channel is full only the newest value of each key waits."""

    def __init__(self, channel: socket.socket) -> None:
        channel.setblocking(False)
        self._channel = channel
        self._waiting: dict[str, bytes | None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def promise(self, key: str, value: bytes) -> None:
        """Remember ``value`` under ``key``, in place of an older one. Raises ValueError for more than `MAX_VALUE` octets."""
        if len(value) > MAX_VALUE:
            raise ValueError(f"a promise of {len(value)} octets is longer than {MAX_VALUE}")
        self._put(key, value)

    def withdraw(self, key: str) -> None:
        """Forget what was promised under ``key``."""
        self._put(key, None)

    @property
    def waiting(self) -> int:
        """How many keys wait for room in the channel."""
        return len(self._waiting)

    def _put(self, key: str, value: bytes | None) -> None:
        # An older value of the same key that still waits is replaced and goes to the end: order between keys is kept.
        self._waiting.pop(key, None)
        self._waiting[key] = value
        if self._loop is None:
            self.flush()

    def flush(self) -> None:
        """Send what waits, as far as the channel takes it; the rest goes when there is room."""
        while self._waiting:
            batch: list[str | bytes | None] = ["promise"]
            keys: list[str] = []
            size = 0
            for key, value in self._waiting.items():
                batch += (key, value)
                keys.append(key)
                size += len(key) + len(value or b"") + 16
                if size >= _DATAGRAM:
                    break
            try:
                self._channel.send(_encode(batch))
            except BlockingIOError:
                self._wait_for_room()
                return
            except OSError:
                # The parent is gone: nobody will start a successor from these.
                self._waiting.clear()
                break
            for key in keys:
                del self._waiting[key]
        if self._loop is not None:
            self._loop.remove_writer(self._channel.fileno())
            self._loop = None

    def _wait_for_room(self) -> None:
        if self._loop is None:
            try:
                self._loop = asyncio.get_running_loop()
            except RuntimeError:
                return  # Outside a loop (construction, tests): the next promise tries again.
            self._loop.add_writer(self._channel.fileno(), self.flush)


class PromiseStore:
    """The parent's side: the newest value of each key, bounded."""

    def __init__(self, max_keys: int = MAX_KEYS, max_octets: int = MAX_OCTETS) -> None:
        self._values: dict[str, bytes] = {}
        self._octets = 0
        self._max_keys = max_keys
        self._max_octets = max_octets
        self._full_said = False
        self.ready = False
        """The child said that it has started; reset by `born`."""

    @property
    def values(self) -> Mapping[str, bytes]:
        return self._values

    def born(self) -> None:
        """A new child has the channel now."""
        self.ready = False

    def clear(self) -> None:
        """Forget everything: the child ended in order, its promises with it."""
        self._values.clear()
        self._octets = 0

    def drain(self, channel: socket.socket) -> bool:
        """Read what waits in the channel; False at its end. Nonsense is logged and dropped."""
        for _ in range(256):  # bounded: a chatty child must not keep the parent from the others
            try:
                data = channel.recv(2 * (_DATAGRAM + MAX_VALUE), socket.MSG_DONTWAIT)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not data:
                return False
            self.take(data)
        return True

    def take(self, data: bytes) -> None:
        """One datagram."""
        try:
            kind, *rest = _decode(data)
        except (msgspec.DecodeError, ValueError) as error:
            log.error("a child sent nonsense over its channel: %s", error)
            return
        if kind == "ready":
            self.ready = True
        elif kind == "promise":
            for key, value in zip(rest[::2], rest[1::2], strict=False):
                if isinstance(key, str) and (value is None or isinstance(value, bytes)):
                    self._keep(key, value)

    def _keep(self, key: str, value: bytes | None) -> None:
        old = self._values.pop(key, None)
        if old is not None:
            self._octets -= len(key) + len(old)
        if value is None:
            return
        if len(self._values) >= self._max_keys or self._octets + len(key) + len(value) > self._max_octets:
            if not self._full_said:
                self._full_said = True
                log.error(
                    "a child promises more than %d things or %d octets: further ones are not kept over its death",
                    self._max_keys,
                    self._max_octets,
                )
            return
        self._values[key] = value
        self._octets += len(key) + len(value)


def pair() -> tuple[socket.socket, socket.socket]:
    """(parent's end, child's end), both non-blocking, with room for a burst of promises."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    for sock in (ours, theirs):
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    return ours, theirs
