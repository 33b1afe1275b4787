"""CPU time and peak memory of whole processes, as the kernel accounts them."""

from __future__ import annotations

import os
import statistics
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    cpu_s: float
    peak_mb: float
    status: int


def run(argv: Sequence[str], *, user: int | None = None) -> Run:
    """Run ``argv`` to its end, output thrown away."""
    process = subprocess.Popen(
        argv,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        user=user,
        group=user,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Run(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode)


def compare(ours: Callable[[], Run], theirs: Callable[[], Run], times: int = 5) -> tuple[Run, Run, float]:
    """Both in turn, ``times`` times after a warm-up: the medians, and the median of the ratios pair by pair."""
    ours(), theirs()
    pairs = [(ours(), theirs()) for _ in range(times)]
    ratio = statistics.median(a.cpu_s / max(b.cpu_s, 1e-4) for a, b in pairs)

    def middle(runs: list[Run]) -> Run:
        return Run(
            statistics.median(r.cpu_s for r in runs),
            statistics.median(r.peak_mb for r in runs),
            runs[0].status,
        )

    return middle([a for a, _ in pairs]), middle([b for _, b in pairs]), ratio
