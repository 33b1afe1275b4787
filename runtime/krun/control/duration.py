"""Times as people write and read them."""

from __future__ import annotations

import re
import time

_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_TIME = re.compile(r"(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?")


def parse_us(text: str) -> int:
    """``90``, ``90s``, ``5m``, ``1h30m``, ``2d`` in microseconds. Raises ValueError with words for the user."""
    words = text.strip()
    if words.isdecimal() and len(words) < 12:
        seconds = int(words)
    else:
        match = _TIME.fullmatch(words)
        if match is None or not words or len(words) > 40:
            raise ValueError(f"`{text}` is no time: write 90s, 5m, 1h30m or 2d")
        seconds = sum(
            int(number or 0) * unit for number, unit in zip(match.groups(), _UNITS.values(), strict=True)
        )
    if seconds == 0:
        raise ValueError(f"`{text}` is no time at all: give one second or more")
    return seconds * 1_000_000


def clock(seconds: float) -> str:
    """A moment (seconds since the epoch) in local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def span(seconds: float) -> str:
    """``42s``, ``3m 12s``, ``5h 2m``, ``12d 4h``."""
    whole = max(0, int(seconds))
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m {whole % 60}s" if minutes else f"{whole}s"
