"""Is a silent process stuck, or does it just not get the processor? Killing helps against the first only."""

from __future__ import annotations

import mmap
import time
from pathlib import Path

from krun.loop.clock import now_us
from krun.parent import alive


class Witness:
    """Watches a child from the moment of a question on. ``clock`` is its alive clock (`krun.parent.alive`)."""

    def __init__(self, pid: int, clock: mmap.mmap) -> None:
        self._pid = pid
        self._clock = clock
        self._asked_us = now_us()
        self._cpu_s = cpu_s(pid)

    def excused(self) -> bool:
        """True where its loop has turned since, or where it wants to run and was hardly let.

        A loop that spins has used the time; one that blocks in a system call does not want to run.
        """
        if alive.read(self._clock) > self._asked_us:
            return True
        waited_s = (now_us() - self._asked_us) / 1e6
        return state(self._pid) == "R" and cpu_s(self._pid) - self._cpu_s < waited_s / 2


def cpu_s(pid: int) -> float:
    """Processor time that the process has used (clock_getcpuclockid(3)); 0 where there is none."""
    try:
        return time.clock_gettime(
            (~pid << 3) | 2
        )  # linux/posix-timers.h: the CPU clock of a process, CPUCLOCK_SCHED
    except OSError:
        return 0.0


def state(pid: int) -> str:
    """proc(5), the third field of stat: ``R`` running or runnable, ``S`` sleeping, ``D``, ``T`` stopped, ``Z`` …; empty: no process."""
    try:
        return (
            Path(f"/proc/{pid}/stat")
            .read_text(encoding="utf-8", errors="replace")
            .rsplit(")", 1)[1]
            .split()[0]
        )
    except (OSError, IndexError):
        return ""
