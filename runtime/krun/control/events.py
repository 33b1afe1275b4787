"""What happens, for those who watch: the last events of each process, in memory, bounded; ``krunctl events`` shows and follows them.

An event is a log line that says what kind of thing it is about: ``log.warning("…", extra=event("reload.refused", path))``. Lines
without that are events of the kind of their logger: ``vrrp``, ``check``, ``notify``, ``parent``.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from typing import Any

import msgspec

from krun.logs import kind_of, share_limit

SIZE = 1000
"""How many events a process remembers."""

TEXT = 1000
"""The longest text of an event, in characters; and the longest subject, and value in its data."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """``number`` counts the events of one process from 1. ``at``: seconds since the epoch. ``level``: as in the log. ``subject``: what
    it is about (a process, a file, an instance), empty where nobody said. ``data``: what a program wants to know of it, by the kind
    (`docs/operations.md` lists both).
    """

    number: int
    at: float
    process: str
    pid: int
    level: str
    kind: str
    subject: str
    text: str
    data: dict[str, Any] = {}


def event(kind: str, subject: str = "", **data: str | float | None) -> dict[str, Any]:
    """For ``extra`` of a log call."""
    return {"event_kind": kind, "event_subject": subject, "event_data": data}


class Ring(logging.Handler):
    """The last events of this process. Hangs at the root logger."""

    def __init__(self, process: str, size: int = SIZE) -> None:
        super().__init__(logging.INFO)
        self.process = process
        self.pid = os.getpid()
        self.number = 0
        self._events: deque[Event] = deque(maxlen=size)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()[:TEXT]
        except (TypeError, ValueError) as error:
            text = f"a log line that cannot be put together: {error}"
        self.number += 1
        self._events.append(
            Event(
                number=self.number,
                at=round(record.created, 6),
                process=self.process,
                pid=self.pid,
                level=record.levelname.lower(),
                kind=kind_of(record),
                subject=str(getattr(record, "event_subject", ""))[:TEXT],
                text=text,
                data=_short(getattr(record, "event_data", None)),
            )
        )

    def since(self, number: int) -> list[Event]:
        """The events after ``number``, as far as they are remembered."""
        return [event for event in self._events if event.number > number]


def _short(data: dict[str, Any] | None) -> dict[str, Any]:
    return {k: v[:TEXT] if isinstance(v, str) else v for k, v in data.items()} if data else {}


def remember(process: str) -> Ring:
    """Begin to remember, in place of what another process remembered before the fork."""
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, Ring):
            root.removeHandler(handler)
    ring = Ring(process)
    root.addHandler(ring)
    share_limit(ring)
    return ring


def after(ring: Ring, request: object) -> list[Event]:
    """What of ``ring`` a request wants that names the last number it has, by ``process.pid``; all where it does not know this one."""
    known = request if isinstance(request, dict) else {}
    last = known.get(f"{ring.process}.{ring.pid}", 0)
    return ring.since(last if isinstance(last, int) and not isinstance(last, bool) else 0)
