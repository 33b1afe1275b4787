"""Which boot this is, and the clock that runs through all of it, sleep included."""

from __future__ import annotations

import time
from pathlib import Path


def boottime_us() -> int:
    """CLOCK_BOOTTIME in microseconds (clock_gettime(2)): as CLOCK_MONOTONIC, and it goes on while the machine is suspended."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


def boot_id() -> str:
    """Another one after each boot (random(4), /proc/sys/kernel/random/boot_id); empty where it cannot be read."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
