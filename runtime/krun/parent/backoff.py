"""How long to wait before a dead child is replaced."""

from __future__ import annotations

LONGEST_S = 60
YOUNG_S = 2.0


class Backoff:
    """0, 1, 2, 4, 8, 16, 32, 60, 60, … seconds for deaths in infancy; 0 for any other, which also starts the count anew.

    A child dies in infancy when it lived less than ``young_s`` or had not said that it is ready. It never gives up.
    ``unit_s`` scales the delays (tests).
    """

    def __init__(self, young_s: float = YOUNG_S, unit_s: float = 1.0) -> None:
        self.young_s = young_s
        self.unit_s = unit_s
        self.infant_deaths = 0

    def died(self, lived_s: float, was_ready: bool) -> float:
        """The delay before the next start, in seconds."""
        if was_ready and lived_s >= self.young_s:
            self.infant_deaths = 0
            return 0.0
        self.infant_deaths += 1
        if self.infant_deaths == 1:
            return 0.0
        return min(1 << min(self.infant_deaths - 2, 16), LONGEST_S) * self.unit_s

    @property
    def alarming(self) -> bool:
        """The longest delay is reached: somebody has to look."""
        return self.infant_deaths >= 8

    def reset(self) -> None:
        """A new configuration may have cured it."""
        self.infant_deaths = 0
