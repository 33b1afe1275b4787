"""A netlink socket: batches of requests, dumps, and the stream of a subscriber.

The kernel carries a request out inside the system call that sends it, so every reply is in the receive queue when `send`
returns: nothing here waits, and a reply that is not there is lost, not late.
"""

from __future__ import annotations

import errno
import socket
import weakref
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from krun.kernel.netlink.codec import (
    HEADER,
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    Message,
    Refusal,
    messages,
    refusal,
)

SOL_NETLINK = 270
NETLINK_CAP_ACK = 10
NETLINK_EXT_ACK = 11
SO_SNDBUFFORCE = 32
SO_RCVBUFFORCE = 33

BATCH_MESSAGES = 500
BATCH_OCTETS = 128 << 10
RECEIVE_OCTETS = 64 << 10
SEND_BUFFER = 1 << 20
RECEIVE_BUFFER = 8 << 20

DUMP_ATTEMPTS = 8
"""How often a dump is taken anew when the kernel says that the table changed under it (NLM_F_DUMP_INTR)."""

REPLY_LOST = Refusal(errno.ENOBUFS, "the kernel's reply was lost")

_SEQUENCE_LIMIT = 0x7FFFFFFF


class Room(NamedTuple):
    """A receive buffer that somebody asked for: octets, and whether past the system's limit (``rmem_max``)."""

    octets: int
    force: bool


_rooms: dict[bool, Room] = {}
_open: weakref.WeakSet[NetlinkSocket] = weakref.WeakSet()


def receive_buffers(requests: Room | None, monitors: Room | None) -> None:
    """What the sockets of this process have from now on, those that are open included: the ones for requests, and the ones that
    subscribe to what happens. None: `RECEIVE_BUFFER`, past the limit where that is allowed.
    """
    wanted = {kind: room for kind, room in ((False, requests), (True, monitors)) if room is not None}
    if wanted == _rooms:
        return
    _rooms.clear()
    _rooms.update(wanted)
    for sock in _open:
        sock.make_room()


class Request(NamedTuple):
    """A message to send, without header: message type, flags besides NLM_F_REQUEST, payload."""

    kind: int
    flags: int
    body: bytes


class NetlinkSocket:
    """A socket of a netlink protocol (``socket.NETLINK_ROUTE``, 16 for generic netlink), never blocking.

    ``groups``: a bit mask of the multicast groups to subscribe to. Raises OSError where the kernel has no such protocol.
    """

    def __init__(self, protocol: int, groups: int = 0) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_NETLINK, kind, protocol)
        try:
            grow(self._socket, SO_SNDBUFFORCE, socket.SO_SNDBUF, SEND_BUFFER)
            self._monitors = groups != 0
            self.make_room()
            for option in (NETLINK_CAP_ACK, NETLINK_EXT_ACK):
                try:
                    self._socket.setsockopt(SOL_NETLINK, option, 1)
                except (
                    OSError
                ) as error:  # before Linux 4.3 and 4.12: the replies are only larger and say less
                    if error.errno != errno.ENOPROTOOPT:
                        raise
            self._socket.bind((0, groups))
        except BaseException:
            self._socket.close()
            raise
        self._sequence = 0
        _open.add(self)

    def make_room(self) -> None:
        """Set the receive buffer as `receive_buffers` was told."""
        room = _rooms.get(self._monitors)
        if room is None:
            grow(self._socket, SO_RCVBUFFORCE, socket.SO_RCVBUF, RECEIVE_BUFFER)
        elif room.force:
            grow(self._socket, SO_RCVBUFFORCE, socket.SO_RCVBUF, room.octets)
        else:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room.octets)

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        _open.discard(self)
        self._socket.close()

    def execute(self, requests: Sequence[Request]) -> list[Refusal | None]:
        """Carry the requests out in order, some hundred in one system call.

        Returns what became of each: None for success. One that is refused does not stop the rest. Only the last of a batch
        asks for an acknowledgement: the kernel reports an error of any of them with its sequence number.
        """
        results: list[Refusal | None] = [None] * len(requests)
        start = 0
        limit = BATCH_OCTETS
        while start < len(requests):
            stop = self._pack(requests, start, limit)
            try:
                self._socket.send(b"".join(self._parts))
            except OSError as error:
                if error.errno in (errno.EMSGSIZE, errno.ENOBUFS, errno.ENOMEM) and stop - start > 1:
                    limit = sum(map(len, self._parts)) // 2  # a smaller batch may still fit
                    continue
                refused = Refusal(error.errno or errno.EIO, "the request could not be sent")
                results[start:stop] = [refused] * (stop - start)
            else:
                self._collect(results, start, stop)
            start = stop
        return results

    def _pack(self, requests: Sequence[Request], start: int, limit: int) -> int:
        """Fill ``_parts`` with requests from ``start`` on, at least one; returns the index after the last."""
        self._parts: list[bytes] = []
        self._make_room(BATCH_MESSAGES)
        self._first = self._sequence + 1
        size = 0
        end = min(len(requests), start + BATCH_MESSAGES)
        index = start
        pack = HEADER.pack
        while index < end:
            kind, flags, body = requests[index]
            length = 16 + len(body)
            padded = length + 3 & ~3
            if size and size + padded > limit:
                break
            size += padded
            index += 1
            self._sequence += 1
            self._parts.append(pack(length, kind, flags | NLM_F_REQUEST, self._sequence, 0))
            self._parts.append(body + bytes(padded - length) if padded > length else body)
        length, kind, flags, sequence, _ = HEADER.unpack(self._parts[-2])
        self._parts[-2] = pack(length, kind, flags | NLM_F_ACK, sequence, 0)
        return index

    def _make_room(self, count: int) -> None:
        """Start again at 1 before the sequence numbers run out: no reply of an earlier request can still come."""
        if self._sequence + count >= _SEQUENCE_LIMIT:
            self._sequence = 0

    def _collect(self, results: list[Refusal | None], start: int, stop: int) -> None:
        """Take the replies to the batch ``start`` … ``stop`` out of the queue."""
        last = self._sequence
        for message in self._replies():
            if message.kind != NLMSG_ERROR or not self._first <= message.sequence <= last:
                continue
            results[start + message.sequence - self._first] = refusal(message)
            if message.sequence == last:
                return
        # The closing acknowledgement did not come: which of the requests were refused is not known.
        for index in range(start, stop):
            if results[index] is None:
                results[index] = REPLY_LOST

    def _replies(self) -> Iterator[Message]:
        while True:
            try:
                data, sender = self._socket.recvfrom(RECEIVE_OCTETS)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                continue
            if sender[0] == 0:
                yield from messages(data)

    def request(self, kind: int, flags: int, body: bytes) -> list[Message]:
        """One request and the messages that answer it. Raises OSError with what the kernel says."""
        return self._ask(kind, flags, body, multipart=False)[0]

    def dump(self, kind: int, body: bytes) -> list[Message]:
        """A whole table. Taken anew when it changed meanwhile; the last attempt is returned as it is. Raises OSError."""
        for attempt in range(DUMP_ATTEMPTS):
            try:
                found, interrupted = self._ask(kind, NLM_F_DUMP, body, multipart=True)
            except OSError as error:
                if error.errno not in (errno.ENOBUFS, errno.EINTR) or attempt == DUMP_ATTEMPTS - 1:
                    raise
                continue
            if not interrupted:
                break
        return found

    def _ask(self, kind: int, flags: int, body: bytes, *, multipart: bool) -> tuple[list[Message], bool]:
        self._make_room(1)
        self._sequence += 1
        sequence = self._sequence
        self._socket.send(HEADER.pack(16 + len(body), kind, flags | NLM_F_REQUEST, sequence, 0) + body)
        found: list[Message] = []
        interrupted = False
        for message in self._replies():
            if message.sequence != sequence:
                continue
            interrupted = interrupted or bool(message.flags & NLM_F_DUMP_INTR)
            if message.kind in (NLMSG_ERROR, NLMSG_DONE):
                refused = refusal(message)
                if refused is not None:
                    raise OSError(refused.errno, str(refused))
                return found, interrupted
            found.append(message)
            if not multipart:
                return found, interrupted
        raise OSError(errno.ENOBUFS, str(REPLY_LOST))

    def receive(self) -> list[Message] | None:
        """What a subscriber was sent: the messages of the next datagram, None when there is none.

        Raises OSError; ENOBUFS means that messages were lost.
        """
        while True:
            try:
                data, sender = self._socket.recvfrom(RECEIVE_OCTETS)
            except BlockingIOError:
                return None
            if sender[0] == 0:  # only the kernel is believed
                return list(messages(data))


def grow(sock: socket.socket, force: int, plain: int, size: int) -> None:
    """Set a buffer of ``sock`` to ``size`` octets, past the system's limit where that is allowed (CAP_NET_ADMIN)."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, force, size)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, plain, size)


def interface_index(name: str) -> int:
    """The index of an interface now; 0 where there is none of that name."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return 0


def address_octets(text: str) -> bytes:
    """An address as octets in network order. Raises OSError for something else."""
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def address_text(octets: bytes) -> str:
    """Canonical text of 4 or 16 octets. Raises ValueError for another length."""
    if len(octets) not in (4, 16):
        raise ValueError(f"an address has 4 or 16 octets, not {len(octets)}")
    return socket.inet_ntop(socket.AF_INET if len(octets) == 4 else socket.AF_INET6, octets)
