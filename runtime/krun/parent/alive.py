"""The last time a child's loop was seen turning, in shared memory: it outlives the child."""

from __future__ import annotations

import mmap
import struct

_CLOCK = struct.Struct("=Q")


def shared() -> mmap.mmap:
    """Anonymous memory that a fork shares."""
    return mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)


def write(memory: mmap.mmap, now_us: int) -> None:
    """Write the clock (CLOCK_MONOTONIC, microseconds) in one aligned store: `struct.pack_into` would clear its place first."""
    memoryview(memory).cast("Q")[0] = now_us


def read(memory: mmap.mmap) -> int:
    """The clock as last written; 0: never."""
    value: int = _CLOCK.unpack_from(memory, 0)[0]
    return value
