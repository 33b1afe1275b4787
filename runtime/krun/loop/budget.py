"""How long one callback may keep the event loop, and who took longer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

DEFAULT_US = {"vrrp": 20_000, "check": 100_000}
"""By process, in microseconds: two adverts at keepalived.conf(5)'s shortest interval, and what a health check may be late without
harm."""

ELSE_US = 250_000
"""Of the processes that nobody waits for."""

NAMES = 64
"""How many names are counted each by itself; what comes after them is `OTHER`."""

OTHER = "other"
SAID_EVERY_US = 10_000_000
"""At most one line for a name in this time."""

_SETTING = re.compile(r"(vrrp|check|script|metrics)=([0-9]{1,6})(ms|s)")


def parse(text: str) -> tuple[str, int]:
    """``vrrp=20ms`` as process and microseconds. Raises ValueError with words for the user."""
    match = _SETTING.fullmatch(text.strip())
    if match is None or not int(match[2]):
        raise ValueError(
            f"`{text}` is no budget: write a process (vrrp, check, script, metrics) and a time, as in vrrp=20ms"
        )
    return match[1], int(match[2]) * (1000 if match[3] == "ms" else 1_000_000)


def default_us(process: str) -> int:
    """The budget of a process for which none is given."""
    return DEFAULT_US.get(process, ELSE_US)


@dataclass(slots=True)
class Overrun:
    """All of one name. ``unsaid``: how many there were since the last line about it."""

    count: int = 0
    longest_us: int = 0
    unsaid: int = 0
    said_at_us: int | None = None


class Overruns:
    """Counts by name, and says when a line is due."""

    def __init__(self) -> None:
        self.by_name: dict[str, Overrun] = {}

    def add(self, name: str, us: int, now_us: int) -> int | None:
        """One more. Returns how many have not been said, this one included, where it is time for a line; else None."""
        found = self.by_name.get(name)
        if found is None:
            if len(self.by_name) >= NAMES:
                name = OTHER
            found = self.by_name.setdefault(name, Overrun())
        found.count += 1
        found.unsaid += 1
        found.longest_us = max(found.longest_us, us)
        if found.said_at_us is not None and now_us - found.said_at_us < SAID_EVERY_US:
            return None
        found.said_at_us = now_us
        unsaid, found.unsaid = found.unsaid, 0
        return unsaid

    def document(self) -> dict[str, dict[str, Any]]:
        """As in the state document."""
        return {name: {"count": one.count, "max_us": one.longest_us} for name, one in self.by_name.items()}
