"""Memory that outlives its writer: what a process promised, written without a system call and read when it is dead.

One file (tmpfs, or a memfd) is mapped by one writer at a time. A header, then cells::

    header  magic, version, checksum of what identifies; boot, network and time namespace; the writer; where the cells end; when
            its loop was last alive, on two clocks; how much could not be kept
    cell    length, checksum, number (0: free), when it was last renewed, key, value

Whatever moment the writer is killed at, a reader finds the old or the new value of each key: a new value goes into a free cell, whose
number is written last, in one aligned store; of two cells with one key the higher number counts. (The stores are those of a `memoryview` of
words: `struct.pack_into` clears its place before it writes there, and a process may be killed in between.) Space is allocated before it is
used (posix_fallocate(3)), so that a full file system is an error here and not a SIGBUS there.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import stat
import struct
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from krun.parent.boot import boot_id

VERSION = 1
"""Raised when an older krun would misunderstand the content."""

LIMIT = 64 * 1024 * 1024
"""The most octets of one process's promises."""

MAX_VALUE = 16 * 1024
"""The longest value, and the longest key, in octets."""

_MAGIC = b"krunprom"
_FIXED = struct.Struct("=8sII16sQQ16s")  # magic, version, checksum of the rest of this
_LIVE = struct.Struct(
    "=QQQQQQ"
)  # writer's pid, its start, end of the cells, alive (monotonic), alive (boottime), lost
_AT_LIVE = 64
_CELLS = 128
_CELL = struct.Struct("=IIQQII")  # length, checksum, number, renewed, octets of key and value
# In words of eight octets, from the beginning of the file or of a cell; the checksum and the sizes are half words.
_PID, _STARTED, _END, _ALIVE, _ALIVE_BOOTTIME, _LOST = range(_AT_LIVE // 8, _AT_LIVE // 8 + 6)
_NUMBER, _RENEWED = 1, 2
_LENGTH_HALF, _CHECKSUM_HALF, _KEY_HALF, _VALUE_HALF = 0, 1, 6, 7
_UNIT = 32
_WORD = struct.Struct("=Q")
_SO_NETNS_COOKIE = (
    71  # linux/socket.h, since Linux 5.14: never used twice in a boot, other than an inode number
)


class RegionError(Exception):
    """What is there cannot be used. The text says why, without the path."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where promises mean something: ``boot`` (16 octets), network namespace, time namespace (its clocks may be others)."""

    boot: bytes
    netns: int
    timens: int


@dataclass(slots=True)
class Left:
    """What a writer left. ``renewed``: when each key was last renewed, 0: never; ``alive_us``: when its loop was last alive. Both are
    microseconds of CLOCK_MONOTONIC, moved back by as long as the machine has slept since. ``damaged``: cells that do not fit their
    checksum; ``lost``: values for which there was no room.
    """

    values: dict[str, bytes] = field(default_factory=dict)
    renewed: dict[str, int] = field(default_factory=dict)
    alive_us: int = 0
    damaged: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Head:
    """The part of the header that changes."""

    pid: int
    started: int
    end: int
    alive_us: int
    alive_boottime_us: int
    lost: int


def here() -> Place:
    """The place of this process. What cannot be found out is 0."""
    import socket

    boot = bytes.fromhex(boot_id().replace("-", ""))[:16].ljust(16, b"\0")
    netns = 0
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
            netns = _WORD.unpack(probe.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8))[0]
    except (OSError, struct.error):
        netns = _inode("net")
    return Place(boot, netns, _inode("time"))


def _inode(kind: str) -> int:
    try:
        return Path(f"/proc/self/ns/{kind}").stat().st_ino
    except OSError:
        return 0


def on_tmpfs(folder: Path) -> bool:
    """Whether ``folder`` is on tmpfs or ramfs (statfs(2)). On a disk a write to mapped memory may wait for the journal."""
    import ctypes

    room = ctypes.create_string_buffer(256)
    if ctypes.CDLL(None, use_errno=True).statfs(os.fsencode(folder), room) != 0:
        return False
    kind = int.from_bytes(room.raw[: ctypes.sizeof(ctypes.c_long)], "little" if _little() else "big")
    return kind & 0xFFFFFFFF in (0x01021994, 0x858458F6)  # linux/magic.h: TMPFS_MAGIC, RAMFS_MAGIC


def _little() -> bool:
    return struct.pack("=H", 1) == b"\1\0"


# -- making and finding


def form(fd: int, name: str, place: Place, size: int) -> None:
    """Make the empty file ``fd`` a region of ``size`` octets at least. Raises OSError where there is no room."""
    os.posix_fallocate(fd, 0, _pages(max(size, mmap.PAGESIZE)))
    rest = struct.pack("=16sQQ16s", place.boot, place.netns, place.timens, name.encode()[:16])
    head = _FIXED.pack(
        _MAGIC, VERSION, zlib.crc32(rest), place.boot, place.netns, place.timens, name.encode()[:16]
    )
    os.pwrite(fd, head.ljust(_AT_LIVE, b"\0") + _LIVE.pack(0, 0, _CELLS, 0, 0, 0), 0)


def check(fd: int, name: str, place: Place) -> Head:
    """Raises `RegionError` where ``fd`` holds no promises of the process ``name`` that mean anything at ``place``."""
    details = os.fstat(fd)
    if not stat.S_ISREG(details.st_mode) or details.st_uid != os.geteuid():
        raise RegionError("is no regular file of the user that krun runs as")
    if not mmap.PAGESIZE <= details.st_size <= LIMIT or details.st_blocks * 512 < details.st_size:
        raise RegionError("is damaged (its size does not fit)")
    data = os.pread(fd, _CELLS, 0)
    magic, version, checksum, boot, netns, timens, owner = _FIXED.unpack_from(data)
    if magic != _MAGIC:
        raise RegionError("holds no promises of krun")
    if version != VERSION:
        raise RegionError(
            f"was written by another release of krun (version {version}, this one has {VERSION})"
        )
    if checksum != zlib.crc32(data[16 : _FIXED.size]):
        raise RegionError("is damaged (its checksum does not fit)")
    if owner.rstrip(b"\0") != name.encode()[:16]:
        raise RegionError("belongs to another process")
    if boot != place.boot:
        raise RegionError("is of another boot")
    if (netns, timens) != (place.netns, place.timens):
        raise RegionError("is of another network or time namespace")
    head = Head(*_LIVE.unpack_from(data, _AT_LIVE))
    if not _CELLS <= head.end <= details.st_size:
        raise RegionError("is damaged (it ends where it cannot)")
    return head


def head(fd: int) -> Head:
    """The part of the header that changes, as it is now."""
    return Head(*_LIVE.unpack(os.pread(fd, _LIVE.size, _AT_LIVE)))


def clear(fd: int) -> None:
    """Nothing is promised any more. The writer must be dead."""
    os.pwrite(fd, _LIVE.pack(0, 0, _CELLS, 0, 0, 0), _AT_LIVE)


# -- writing


class Writer:
    """The one that writes to ``fd``, made by `form`; it goes on with what is there (`left`).

    Nothing here raises for want of room: what cannot be kept is not left behind in an older form either, ``full`` is called (once)
    with the reason, and `Left.lost` counts.
    """

    def __init__(self, fd: int, full: Callable[[str], None]) -> None:
        self._fd = fd
        self._full = full
        self._said_full = False
        self._size = os.fstat(fd).st_size
        self._map()
        self._cells: dict[str, tuple[int, int]] = {}
        self._free: dict[int, list[int]] = {}
        self._early: dict[str, int] = {}
        self._number = 0
        self._end = _CELLS
        self._lost = 0
        self.left = self._take_over()
        self._words[_PID], self._words[_STARTED] = os.getpid(), started(os.getpid())

    def put(self, key: str, value: bytes) -> None:
        """Keep ``value`` under ``key`` in place of an older one. Raises ValueError for more than `MAX_VALUE` octets."""
        name = key.encode()
        if len(value) > MAX_VALUE or len(name) > MAX_VALUE:
            raise ValueError(f"a promise of {len(name) + len(value)} octets is longer than {MAX_VALUE}")
        old = self._cells.get(key)
        length = -(-(_CELL.size + len(name) + len(value)) // _UNIT) * _UNIT
        at = self._room(length)
        if at < 0:
            self.drop(key)
            self._lost += 1
            self._words[_LOST] = self._lost
            return
        words, halves, word, half = self._words, self._halves, at // 8, at // 4
        renewed = self._early.pop(key, 0) if old is None else words[old[0] // 8 + _RENEWED]
        self._number += 1
        body = name + value
        checksum = _checksum(self._number, len(name), len(value), body)
        # The number comes last: until it is there this cell is free to every reader.
        halves[half + _CHECKSUM_HALF] = checksum
        halves[half + _KEY_HALF], halves[half + _VALUE_HALF] = len(name), len(value)
        words[word + _RENEWED] = renewed
        self._memory[at + _CELL.size : at + _CELL.size + len(body)] = body
        words[word + _NUMBER] = self._number
        self._cells[key] = (at, length)
        if old is not None:
            self._release(*old)

    def drop(self, key: str) -> None:
        """Forget ``key``."""
        self._early.pop(key, None)
        old = self._cells.pop(key, None)
        if old is not None:
            self._release(*old)

    def renew(self, key: str, now_us: int) -> None:
        """What is promised under ``key``, or will be in a moment, was just made true again. Two stores, no system call."""
        at = self._cells.get(key)
        if at is None:
            self._early[key] = now_us
        else:
            self._words[at[0] // 8 + _RENEWED] = now_us

    def alive(self, now_us: int) -> None:
        """The loop turns."""
        # In this order: whoever dies in between seems to have slept for less, not more.
        self._words[_ALIVE_BOOTTIME] = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
        self._words[_ALIVE] = now_us

    def _take_over(self) -> Left:
        """Index the cells that are there, and free those that are superseded or damaged."""
        data = self._memory
        head = Head(*_LIVE.unpack_from(data, _AT_LIVE))
        left = Left(lost=head.lost)
        slept = 0
        if head.alive_us:
            now, boottime = time.monotonic_ns() // 1000, time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
            slept = max(0, (boottime - now) - (head.alive_boottime_us - head.alive_us))
            left.alive_us = max(0, head.alive_us - slept)
        numbers: dict[str, int] = {}
        at = _CELLS
        while at < head.end:
            length, checksum, number, renewed, key_size, value_size = _CELL.unpack_from(data, at)
            if length < _CELL.size or length % _UNIT or at + length > head.end:
                left.damaged += 1  # nobody knows where the next one begins
                break
            body_end = at + _CELL.size + key_size + value_size
            if number and (
                body_end > at + length or not self._sound(at, checksum, number, key_size, value_size)
            ):
                left.damaged += 1
                self._release(at, length)
            elif not number:
                self._release(at, length)
            else:
                body = at + _CELL.size
                key = data[body : body + key_size].decode()
                self._number = max(self._number, number)
                if number < numbers.get(key, 0):
                    self._release(at, length)
                else:
                    if key in self._cells:
                        self._release(*self._cells[key])
                    numbers[key] = number
                    self._cells[key] = (at, length)
                    left.values[key] = data[body + key_size : body_end]
                    left.renewed[key] = max(0, renewed - slept)
            at += length
        self._end = at
        self._words[_END] = at
        return left

    def _sound(self, at: int, checksum: int, number: int, key_size: int, value_size: int) -> bool:
        body = self._memory[at + _CELL.size : at + _CELL.size + key_size + value_size]
        if checksum != _checksum(number, key_size, value_size, body):
            return False
        with contextlib.suppress(UnicodeDecodeError):
            body[:key_size].decode()
            return True
        return False

    def _room(self, length: int) -> int:
        """The place of a free cell; -1 where there is no room."""
        free = self._free.get(length)
        if free:
            return free.pop()
        at = self._end
        if at + length > self._size and not self._grow(at + length):
            return -1
        self._words[at // 8 + _NUMBER] = 0
        self._halves[at // 4 + _LENGTH_HALF] = length  # for good: cells are used again, and never cut
        self._end = at + length
        self._words[_END] = self._end
        return at

    def _grow(self, size: int) -> bool:
        size = _pages(max(size, min(self._size * 3 // 2, LIMIT)))
        try:
            if size > LIMIT:
                raise OSError(f"more than {LIMIT:,} octets")
            os.posix_fallocate(self._fd, 0, size)
        except OSError as error:
            if not self._said_full:
                self._said_full = True
                self._full(error.strerror or str(error))
            return False
        self._words.release()
        self._halves.release()
        self._memory.close()
        self._size = size
        self._map()
        return True

    def _map(self) -> None:
        self._memory = mmap.mmap(self._fd, self._size)
        self._words, self._halves = memoryview(self._memory).cast("Q"), memoryview(self._memory).cast("I")

    def _release(self, at: int, length: int) -> None:
        self._words[at // 8 + _NUMBER] = 0
        self._free.setdefault(length, []).append(at)


def started(pid: int) -> int:
    """When the process began, in clock ticks since the boot (proc(5), stat, field 22); 0: there is none, or it is dead already."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return 0 if fields[0] in "ZX" else int(fields[19])
    except (OSError, IndexError, ValueError):
        return 0


def _checksum(number: int, key_size: int, value_size: int, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(struct.pack("=QII", number, key_size, value_size)))


def _pages(size: int) -> int:
    return -(-size // mmap.PAGESIZE) * mmap.PAGESIZE


__all__ = ["LIMIT", "MAX_VALUE", "Head", "Left", "Place", "RegionError", "Writer", "check", "clear", "form"]
