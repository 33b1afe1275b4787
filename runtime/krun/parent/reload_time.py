"""A reload at a time of day that a file says (``reload_time_file``), watched by inotify(7) while krun runs."""

from __future__ import annotations

import contextlib
import ctypes
import datetime as dt
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path

from krun.loop.events import EventLoop, Handle

log = logging.getLogger("krun.parent")

LOOK_AGAIN_S = 30.0
"""How long to sleep at most: a clock that is set meanwhile is noticed then."""

_TIME = re.compile(r"(?:(\d{2}|\d{4})-(\d\d?)-(\d\d?)\s+)?(\d\d?):(\d\d):(\d\d)\s*(Z?)")
_IN_CLOSE_WRITE, _IN_MOVED_FROM, _IN_MOVED_TO, _IN_DELETE = 0x8, 0x40, 0x80, 0x200  # linux/inotify.h
_EVENTS = _IN_CLOSE_WRITE | _IN_MOVED_FROM | _IN_MOVED_TO | _IN_DELETE


def parse(text: str, now: dt.datetime) -> tuple[dt.datetime, bool] | None:
    """When, and whether with a date: ``HH:MM:SS``, ``YY-MM-DD HH:MM:SS`` or ``YYYY-MM-DD HH:MM:SS``, with ``Z`` in UTC, else in the host's
    time. A time of day that has passed is that of tomorrow, a date that has passed is None. ``now`` has a time zone. Raises ValueError.
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise ValueError("neither HH:MM:SS nor YYYY-MM-DD HH:MM:SS, with or without Z")
    year, month, day, *clock, utc = found.groups()
    zone = dt.UTC if utc else None
    today = now.astimezone(zone)
    hour, minute, second = (int(part) for part in clock)
    if year is None:
        when = dt.datetime.combine(today.date(), dt.time(hour, minute, second))
        when = when.replace(tzinfo=zone) if zone else when.astimezone()
        if when <= now:
            later = today.date() + dt.timedelta(days=1)
            when = dt.datetime.combine(later, dt.time(hour, minute, second))
            when = when.replace(tzinfo=zone) if zone else when.astimezone()
        return when, False
    full = int(year) + (2000 if len(year) == 2 else 0)
    when = dt.datetime(full, int(month), int(day), hour, minute, second, tzinfo=zone)
    when = when if zone else when.astimezone()
    return (when, True) if when > now else None


class ReloadTime:
    """Calls ``reload`` at the time that the file of `watch` says. It may come, change and go at any time."""

    def __init__(self, loop: EventLoop, reload: Callable[[], None]) -> None:
        self._loop = loop
        self._reload = reload
        self._path: Path | None = None
        self._repeat = False
        self._inotify = -1
        self._timer: Handle | None = None
        self._when: dt.datetime | None = None
        self._dated = False

    def watch(self, path: str | None, repeat: bool) -> None:
        """From now on this file; None: none. ``repeat``: a time of day without a date counts every day."""
        self._repeat = repeat
        wanted = None if path is None else Path(path)
        if wanted == self._path:
            return
        self.close()
        self._path = wanted
        if wanted is None:
            return
        libc = ctypes.CDLL(None, use_errno=True)
        self._inotify = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        folder = os.fsencode(wanted.parent)
        if self._inotify < 0 or libc.inotify_add_watch(self._inotify, folder, _EVENTS) < 0:
            number = ctypes.get_errno()
            log.error("reload_time_file %s cannot be watched: %s", wanted, os.strerror(number))
            self._stop_watching()
            return
        self._loop.add_reader(self._inotify, self._changed)
        self._read()

    def close(self) -> None:
        """Watch nothing."""
        self._stop_watching()
        self._set(None, False)
        self._path = None

    def _stop_watching(self) -> None:
        if self._inotify >= 0:
            self._loop.remove_reader(self._inotify)
            os.close(self._inotify)
            self._inotify = -1

    def _changed(self) -> None:
        concerned = False
        name = os.fsencode(self._path.name) if self._path is not None else b""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._inotify, 65536):
                at = 0
                while at + 16 <= len(data):
                    length = int.from_bytes(data[at + 12 : at + 16], "little")
                    concerned |= data[at + 16 : at + 16 + length].rstrip(b"\0") == name
                    at += 16 + length
        if concerned:
            self._read()

    def _read(self) -> None:
        assert self._path is not None
        try:
            text = self._path.read_text(encoding="ascii")[:200]
        except FileNotFoundError:
            self._set(None, False)
            return
        except (OSError, ValueError) as error:
            log.error("reload_time_file %s: %s", self._path, getattr(error, "strerror", None) or error)
            self._set(None, False)
            return
        try:
            found = parse(text, dt.datetime.now(dt.UTC))
        except ValueError as error:
            log.error("reload_time_file %s: %r: %s", self._path, text.strip(), error)
            found = None
        else:
            if found is None:
                log.warning("reload_time_file %s: %s has passed already", self._path, text.strip())
        self._set(*(found or (None, False)))

    def _set(self, when: dt.datetime | None, dated: bool) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if when is not None and when != self._when:
            log.info("the next reload is at %s, says %s", when.isoformat(sep=" "), self._path)
        self._when, self._dated = when, dated
        if when is not None:
            self._sleep()

    def _sleep(self) -> None:
        assert self._when is not None
        left = (self._when - dt.datetime.now(dt.UTC)).total_seconds()
        if left > 0:
            self._timer = self._loop.call_later(min(left, LOOK_AGAIN_S), self._sleep)
            return
        self._timer = None
        if self._repeat and not self._dated:
            self._read()  # the same time of tomorrow
        elif self._path is not None:
            self._when = None
            with contextlib.suppress(OSError):
                self._path.unlink()
        self._reload()
