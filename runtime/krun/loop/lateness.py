"""How late things were: a histogram with fixed buckets, cheap enough for every timer of a process."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

BOUNDS_US = (
    500,
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
)
"""Upper bounds of the buckets in microseconds, each included; what is longer falls into one more. An epoll(7) wait is rounded up to a
millisecond, so that half of all timers of a healthy process are in the first two."""


class Histogram:
    """Counts since the start of the process, and, for eyes, the same since `mark`: the last reload."""

    __slots__ = ("_before", "counts", "longest_us", "sum_us")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_US) + 1)
        self.sum_us = 0
        self.longest_us = 0
        """Since `mark`."""
        self._before = self.counts[:]

    def add(self, us: int) -> None:
        """One more; a negative one counts as 0."""
        if us < 0:
            us = 0
        self.counts[bisect_left(BOUNDS_US, us)] += 1
        self.sum_us += us
        if us > self.longest_us:
            self.longest_us = us

    def mark(self) -> None:
        """Here begins what `quantile_us` and `longest_us` are about."""
        self._before = self.counts[:]
        self.longest_us = 0

    @property
    def count(self) -> int:
        """How many in all."""
        return sum(self.counts)

    def quantile_us(self, share: float) -> int | None:
        """The upper bound of the bucket in which ``share`` (0 to 1) of all since `mark` are, or the longest where that is less; None
        where there were none."""
        recent = [now - then for now, then in zip(self.counts, self._before, strict=True)]
        total = sum(recent)
        if not total:
            return None
        seen, need = 0, share * total
        for number, bound in zip(recent, BOUNDS_US, strict=False):
            seen += number
            if seen >= need:
                return min(bound, self.longest_us)
        return self.longest_us

    def document(self) -> dict[str, Any]:
        """As in the state document (`krun.control.state.Lateness`)."""
        return {
            "count": self.count,
            "sum_us": self.sum_us,
            "max_us": self.longest_us,
            "p99_us": self.quantile_us(0.99),
            "buckets": self.counts[:],
        }
