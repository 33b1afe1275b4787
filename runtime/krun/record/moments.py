"""What a replay finds: one input after the other, with what was decided then and what is decided now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Decision = dict[str, Any]

STEADY = "steady"
"""An input that says what the one before it of its kind said, and changes nothing but a timer."""


@dataclass(slots=True)
class Moment:
    """``at``: microseconds of CLOCK_MONOTONIC. ``kind``: of the input. ``subject``: what it is about (an instance, a server), empty:
    all. ``text``: the input in words. ``what``: as data. ``decided``: now, by the machines of this release; ``recorded``: then; None where
    the file ends before it was written. ``said``: what was decided, in words. ``about``: all subjects that ``said`` names. ``steady``: see `STEADY`.
    """

    at: int
    process: str
    kind: str
    subject: str
    text: str
    what: Any = None
    decided: list[Decision] = field(default_factory=list)
    recorded: list[Decision] | None = None
    said: list[str] = field(default_factory=list)
    about: frozenset[str] = frozenset()
    steady: bool = False

    @property
    def differs(self) -> bool:
        """Whether it was decided otherwise."""
        return self.recorded is not None and self.recorded != self.decided


class ReplayError(Exception):
    """A recording that cannot be replayed: it does not fit together, or this release does not know what is in it."""
