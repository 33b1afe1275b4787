"""What scripts inherit: nothing of what makes the daemon quick or important, and limits that keep one that runs wild from the rest.

Scripts inherit from the script process, so it gives these to itself when it starts. What the VRRP or the checker process is given
(real-time scheduling, locked memory, more descriptors) never comes here: each of them is forked from the parent, and so is this one.
"""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path

OPEN_FILES = 1024
PROCESSES = 1024
"""Of one user, all counted (setrlimit(2)): what stops a fork bomb. The kernel does not hold it against root."""
LOCKED_MEMORY = 8 * 1024 * 1024

LIMITS: tuple[tuple[int, int], ...] = (
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_NOFILE, OPEN_FILES),
    (resource.RLIMIT_MEMLOCK, LOCKED_MEMORY),
    (resource.RLIMIT_RTPRIO, 0),
    (resource.RLIMIT_NICE, 0),
)
"""Soft limits; the hard ones stay, so that a script may raise them again as far as the administrator allows krun."""


def apply() -> None:
    """Give this process what scripts are to inherit. What it may not change it keeps."""
    limits = [*LIMITS]
    if os.geteuid() == 0:  # of any other user the daemon's own processes, and everybody else's, would count
        limits.append((resource.RLIMIT_NPROC, PROCESSES))
    for which, wanted in limits:
        with contextlib.suppress(ValueError, OSError):
            hard = resource.getrlimit(which)[1]
            resource.setrlimit(which, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    with contextlib.suppress(OSError, ValueError):
        hard = resource.getrlimit(resource.RLIMIT_RTTIME)[1]
        resource.setrlimit(resource.RLIMIT_RTTIME, (hard, hard))
    with contextlib.suppress(OSError):
        if os.sched_getscheduler(0) != os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        if os.getpriority(os.PRIO_PROCESS, 0) < 0:
            os.setpriority(os.PRIO_PROCESS, 0, 0)
    score = Path("/proc/self/oom_score_adj")
    with contextlib.suppress(OSError, ValueError):
        if int(score.read_text()) < 0:  # the daemon may be the last to be killed for memory; a script may not
            score.write_text("0")
