"""A logger that cannot be made to flood: what a peer, a server or a script can set off has so many lines a second and no more."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from krun import logs
from krun.loop.clock import now_us

PER_SECOND = 50
"""Lines a second in the long run."""

BURST = 500
"""Lines that may come at once."""


class LimitedLog:
    """Lets ``burst`` lines through at once and ``per_second`` in the long run, and says how many it left out. ``what``: what the lines are
    about, for that sentence.

    A thing of thousands that fails at once must not fill the journal; the state document tells the rest.
    """

    def __init__(
        self,
        logger: logging.Logger,
        per_second: int = PER_SECOND,
        burst: int = BURST,
        clock: Callable[[], int] = now_us,
        what: str = "checks",
    ) -> None:
        self._logger = logger
        self._rate = per_second
        self._burst = burst
        self._clock = clock
        self._what = what
        self._tokens = float(burst)
        self._then = clock()
        self._unsaid = 0
        self.left_out = 0
        """How many lines were left out since the start."""

    def __call__(
        self, level: int, text: str, *arguments: object, about: Mapping[str, Any] | None = None
    ) -> None:
        """``about``: what kind of event it is (`krun.control.events.event`)."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._then) * self._rate / 1e6)
        self._then = now
        if self._tokens < 1:
            self._unsaid += 1
            self.left_out += 1
            logs.left_out(str((about or {}).get("event_kind") or self._logger.name.removeprefix("krun.")))
            return
        self._tokens -= 1
        if self._unsaid:
            self._logger.warning(
                "%d messages about %s were left out: more than %d a second",
                self._unsaid,
                self._what,
                self._rate,
            )
            self._unsaid = 0
        self._logger.log(level, text, *arguments, extra=about)
