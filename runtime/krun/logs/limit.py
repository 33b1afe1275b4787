"""Floods: the first lines of a kind, then one line a minute that says how many more there were.

Lines are alike that have the same kind, subject and words; numbers in them do not count. RFC 9568 section 7.1 asks for such a limit
where adverts are discarded. What must be known each time passes always: see `ALWAYS`.
"""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from krun.logs.formats import data_of, kind_of, subject_of

FIRST = 10
"""Lines of a kind that pass in a period, after a period that was quiet."""

PERIOD_S = 60.0

MOST = 2000
"""How many kinds are told apart. One more shares a place with the others that came too late."""

ALWAYS = (
    "vrrp.state", "vrrp.group", "vrrp.left_alone", "check.quorum", "ipvs.left_alone",
    "reload.", "krun.", "process.", "overlay.", "log.",
)  # fmt: skip
"""Kinds, or beginnings of kinds, of which nothing is ever left out; so it is with whatever is critical."""

_NUMBER = re.compile(r"[0-9]+")

Key = tuple[str, str, str]


@dataclass(slots=True)
class _Flood:
    began: float
    room: int
    passed: int = 0
    held: int = 0
    last: str = ""
    level: int = logging.INFO
    logger: str = ""


class Limiter(logging.Filter):
    """A filter for every handler of a process; they all get the same verdict. ``suppressed``: by kind, what was left out since the start.

    ``clock``: seconds. `tick` writes the lines that sum up; somebody calls it every now and then.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.suppressed: Counter[str] = Counter()
        self._clock = clock
        self._floods: dict[Key, _Flood] = {}
        self._look_at = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        verdict = getattr(record, "krun_passes", None)
        if verdict is None:
            verdict = record.krun_passes = self._passes(record)
        return bool(verdict)

    def _passes(self, record: logging.LogRecord) -> bool:
        kind = kind_of(record)
        if record.levelno >= logging.CRITICAL or kind.startswith(ALWAYS) or record.levelno <= logging.DEBUG:
            return True
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            return True
        subject = subject_of(record)
        key = (
            kind,
            subject,
            str(sorted(data_of(record))) if subject and "." in kind else _NUMBER.sub("#", text),
        )
        now = self._clock()
        flood = self._floods.get(key)
        if flood is None:
            if len(self._floods) >= MOST:
                key = ("log", "", "others")
            flood = self._floods.setdefault(key, _Flood(now, FIRST))
        elif now - flood.began >= PERIOD_S:
            self._turn(key, flood, now)
            flood = self._floods.setdefault(key, flood)
        if flood.passed < flood.room:
            flood.passed += 1
            return True
        flood.held += 1
        flood.last, flood.level, flood.logger = text, max(record.levelno, logging.INFO), record.name
        self.suppressed[kind] += 1
        return False

    def tick(self) -> None:
        """Sum up what was left out in periods that are over, and forget what is quiet."""
        now = self._clock()
        if now < self._look_at:
            return
        self._look_at = now + 1
        for key, flood in list(self._floods.items()):
            if now - flood.began >= PERIOD_S:
                self._turn(key, flood, now)

    def finish(self) -> None:
        """The process ends: sum up now."""
        for key, flood in list(self._floods.items()):
            self._turn(key, flood, self._clock())

    def _turn(self, key: Key, flood: _Flood, now: float) -> None:
        """A period is over. While it goes on, one line and one sum a period are enough."""
        held, lasted = flood.held, now - flood.began
        if not held:
            self._floods.pop(key, None)
            flood.began, flood.room, flood.passed = now, FIRST, 0
            return
        flood.began, flood.room, flood.passed, flood.held = now, 1, 0, 0
        kind, subject, _ = key
        logging.getLogger(flood.logger).log(
            flood.level,
            "… and %s more like it in %.0f s, the last: %s",
            f"{held:,}",
            lasted,
            flood.last,
            extra={
                "event_kind": "log.suppressed",
                "event_subject": subject,
                "event_data": {"of": kind, "count": held, "seconds": round(lasted)},
            },
        )
