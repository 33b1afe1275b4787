"""The netlink socket against a kernel that misbehaves: replies that are lost, dumps that are interrupted, full buffers."""

from __future__ import annotations

import errno
import socket
import struct
from collections import deque
from collections.abc import Callable

import pytest

from krun.kernel.netlink import codec
from krun.kernel.netlink.codec import HEADER, NLM_F_ACK, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR
from krun.kernel.netlink.socket import BATCH_MESSAGES, NetlinkSocket, Request

Reply = tuple[bytes, tuple[int, int]] | OSError
KERNEL = (0, 0)


class Scripted:
    """In place of the kernel's socket: each datagram that is sent is given to ``answer``, which says what comes back."""

    def __init__(self, answer: Callable[[bytes], list[Reply]]) -> None:
        self._answer = answer
        self._queue: deque[Reply] = deque()
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> int:
        self.sent.append(data)
        self._queue.extend(self._answer(data))
        return len(data)

    def recvfrom(self, size: int) -> Reply:
        if not self._queue:
            raise BlockingIOError
        reply = self._queue.popleft()
        if isinstance(reply, OSError):
            raise reply
        return reply

    def close(self) -> None:
        self._queue.clear()


def scripted(answer: Callable[[bytes], list[Reply]]) -> tuple[NetlinkSocket, Scripted]:
    sock = NetlinkSocket(socket.NETLINK_ROUTE)
    sock.close()
    script = Scripted(answer)
    sock._socket = script  # type: ignore[assignment]
    return sock, script


def headers(datagram: bytes) -> list[tuple[int, int]]:
    """(sequence number, flags) of each message."""
    return [(message.sequence, message.flags) for message in codec.messages(datagram)]


def error(sequence: int, number: int = 0) -> bytes:
    return HEADER.pack(20, NLMSG_ERROR, 0, sequence, 0) + struct.pack("=i", -number)


def done(sequence: int, flags: int = 0) -> bytes:
    return HEADER.pack(20, NLMSG_DONE, flags, sequence, 0) + bytes(4)


def entry(sequence: int, body: bytes, flags: int = 0) -> bytes:
    return HEADER.pack(16 + len(body), 20, flags, sequence, 0) + body


REQUESTS = [Request(20, 0, b"12345")] * 3


def test_only_the_last_of_a_batch_asks_for_an_acknowledgement() -> None:
    sock, script = scripted(lambda data: [(error(headers(data)[-1][0]), KERNEL)])
    assert sock.execute(REQUESTS * 400) == [None] * 1200
    assert [len(headers(data)) for data in script.sent] == [BATCH_MESSAGES, BATCH_MESSAGES, 200]
    for data in script.sent:
        assert [bool(flags & NLM_F_ACK) for _, flags in headers(data)] == [False] * (
            len(headers(data)) - 1
        ) + [True]
    numbers = [sequence for data in script.sent for sequence, _ in headers(data)]
    assert len(set(numbers)) == 1200
    assert sock.execute([]) == []


def test_errors_belong_to_their_requests() -> None:
    def answer(data: bytes) -> list[Reply]:
        first, _, third = (sequence for sequence, _ in headers(data))
        return [(error(first, errno.EEXIST) + error(third + 9, errno.EIO), KERNEL), (error(third), KERNEL)]

    results = scripted(answer)[0].execute(REQUESTS)
    assert [r.errno if r else None for r in results] == [errno.EEXIST, None, None]


def test_replies_that_are_lost_are_not_taken_for_success() -> None:
    def answer(data: bytes) -> list[Reply]:
        return [(error(headers(data)[0][0], errno.EEXIST), KERNEL), OSError(errno.ENOBUFS, "full")]

    results = scripted(answer)[0].execute(REQUESTS)
    assert [r.errno if r else None for r in results] == [errno.EEXIST, errno.ENOBUFS, errno.ENOBUFS]
    assert "lost" in str(results[1])


def test_only_the_kernel_is_believed() -> None:
    def answer(data: bytes) -> list[Reply]:
        last = headers(data)[-1][0]
        return [(error(last, errno.EPERM), (4711, 0)), (error(last), KERNEL)]

    assert scripted(answer)[0].execute(REQUESTS) == [None] * 3


def test_a_batch_that_is_too_long_is_sent_in_parts() -> None:
    def answer(data: bytes) -> list[Reply]:
        if len(headers(data)) > 2:
            raise OSError(errno.EMSGSIZE, "too long")
        return [(error(headers(data)[-1][0]), KERNEL)]

    sock, script = scripted(answer)
    assert sock.execute(REQUESTS * 3) == [None] * 9
    assert sum(len(headers(data)) for data in script.sent if len(headers(data)) <= 2) == 9


def test_what_cannot_be_sent_is_refused_one_by_one() -> None:
    def answer(data: bytes) -> list[Reply]:
        raise OSError(errno.ENOBUFS, "no memory")

    results = scripted(answer)[0].execute(REQUESTS)
    assert [r.errno if r else None for r in results] == [errno.ENOBUFS] * 3


def test_a_dump_that_was_interrupted_is_taken_anew() -> None:
    taken: list[int] = []

    def answer(data: bytes) -> list[Reply]:
        ((sequence, _),) = headers(data)
        taken.append(sequence)
        flags = NLM_F_DUMP_INTR if len(taken) < 3 else 0
        return [(entry(sequence, b"%d" % len(taken), flags), KERNEL), (done(sequence), KERNEL)]

    found = scripted(answer)[0].dump(18, b"")
    assert len(taken) == 3 and [m.data[m.start : m.end] for m in found] == [b"3"]


def test_a_dump_that_lost_its_end_is_taken_anew_and_then_given_up() -> None:
    def answer(data: bytes) -> list[Reply]:
        return [(entry(headers(data)[0][0], b"x"), KERNEL), OSError(errno.ENOBUFS, "full")]

    sock, script = scripted(answer)
    with pytest.raises(OSError, match="lost") as lost:
        sock.dump(18, b"")
    assert lost.value.errno == errno.ENOBUFS and len(script.sent) == 8


def test_a_dump_that_is_refused_raises_at_once() -> None:
    sock, script = scripted(lambda data: [(error(headers(data)[0][0], errno.EPERM), KERNEL)])
    with pytest.raises(PermissionError):
        sock.dump(18, b"")
    assert len(script.sent) == 1


def test_sequence_numbers_start_again() -> None:
    sock, script = scripted(lambda data: [(error(headers(data)[-1][0]), KERNEL)])
    sock._sequence = 0x7FFFFFFF - 5
    assert sock.execute(REQUESTS) == [None] * 3
    assert [sequence for sequence, _ in headers(script.sent[0])] == [1, 2, 3]
