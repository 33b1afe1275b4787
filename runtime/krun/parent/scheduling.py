"""How the kernel schedules the children: nice value, real time, processors, all set by the parent and from outside.

So no child needs CAP_SYS_NICE, a successor has the settings from its first moment on, a reload changes them under a running
process, and what a reload takes away goes back to what krun itself was started with. Real time is SCHED_RR (sched(7)), and what a child
might fork would not inherit it (SCHED_RESET_ON_FORK), as with keepalived.

A child that ran for its RLIMIT_RTTIME without a pause gets SIGXCPU, leaves real time by itself (`krun.parent.lateness`), and is put back
when its event loop has turned: a large reload is not worth the rest of the host, and it is no reason to die.
"""

from __future__ import annotations

import contextlib
import os
import resource
from dataclasses import dataclass

from kir.model import Config

UNSAID_RTTIME_US = 10_000
"""keepalived's default. The IR has it where nobody said anything, so that value is taken for no value."""

RTTIME_US = 1_000_000
"""How long a child may run in real time without a pause where the configuration does not say: a krun does more than keepalived in one go."""


@dataclass(frozen=True, slots=True)
class Scheduling:
    """What a configuration says about one process. ``nice`` 0 and ``real_time`` 0: as krun was started; ``cpus`` empty: likewise.

    ``auto_most``: how far a process that the scheduler kept waiting for ``auto_delay_us`` is raised, a step each time; 0: not.
    """

    nice: int = 0
    real_time: int = 0
    rttime_us: int = RTTIME_US
    cpus: tuple[int, ...] = ()
    auto_most: int = 0
    auto_delay_us: int = 1_000_000


def wanted(name: str, config: Config) -> Scheduling:
    """What ``config`` says about the child ``name``; keepalived's keywords know the VRRP, the checker and the BFD process."""
    g = config.global_defs
    if name == "vrrp":
        nice, real_time, process = g.vrrp_priority, g.vrrp_rt_priority, g.vrrp_process
    elif name == "check":
        nice, real_time, process = g.checker_priority, g.checker_rt_priority, g.checker_process
    elif name == "bfd":
        nice, real_time, process = g.bfd_priority, g.bfd_rt_priority, g.bfd_process
    else:
        return Scheduling()
    return Scheduling(
        nice=nice,
        real_time=real_time,
        rttime_us=RTTIME_US if process.rttime_us == UNSAID_RTTIME_US else process.rttime_us,
        cpus=process.cpus,
        auto_most=g.max_auto_priority,
        auto_delay_us=g.min_auto_priority_delay_us,
    )


@dataclass(frozen=True, slots=True)
class Base:
    """How krun itself was started: what its children have where nothing else is said, and go back to."""

    nice: int
    policy: int
    real_time: int
    cpus: frozenset[int]
    rttime: tuple[int, int]

    @classmethod
    def here(cls) -> Base:
        """Of this process."""
        return cls(
            nice=os.getpriority(os.PRIO_PROCESS, 0),
            policy=os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK,
            real_time=os.sched_getparam(0).sched_priority,
            cpus=frozenset(os.sched_getaffinity(0)),
            rttime=resource.getrlimit(resource.RLIMIT_RTTIME),
        )


def apply(pid: int, of: Scheduling, base: Base, raised: int = 0) -> list[str]:
    """Make it so for process ``pid``, whatever it had; returns, in words, what the kernel did not let through.

    ``raised``: the real-time priority to which it was raised for being late. A process that is gone is no problem of this function.
    """
    problems: list[str] = []
    for step in (_cpus, _limit, _nice, _policy):
        try:
            said = step(pid, of, base, raised)
        except ProcessLookupError:
            return []
        if said:
            problems.append(said)
    return problems


def _cpus(pid: int, of: Scheduling, base: Base, _raised: int) -> str:
    try:
        os.sched_setaffinity(pid, of.cpus or base.cpus)
    except ProcessLookupError:
        raise
    except OSError as error:
        return f"it cannot be bound to CPU {_list(of.cpus)}: {_why_cpus(error)}"
    missing = set(of.cpus) - os.sched_getaffinity(pid)
    return f"it is not bound to CPU {_list(sorted(missing))}: not there, or not for krun" if missing else ""


def _limit(pid: int, of: Scheduling, base: Base, _raised: int) -> str:
    soft, hard = base.rttime
    in_time = of.real_time or of.auto_most > 0
    with contextlib.suppress(PermissionError, ValueError):  # a lower hard limit that krun itself was given
        resource.prlimit(pid, resource.RLIMIT_RTTIME, (_least(of.rttime_us, hard) if in_time else soft, hard))
    return ""


def _least(value: int, hard: int) -> int:
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


def _nice(pid: int, of: Scheduling, base: Base, _raised: int) -> str:
    value = of.nice or base.nice
    if os.getpriority(os.PRIO_PROCESS, pid) == value:
        return ""
    try:
        os.setpriority(os.PRIO_PROCESS, pid, value)
    except PermissionError:
        return f"it does not get the nice value {value}: that needs CAP_SYS_NICE"
    return ""


def _policy(pid: int, of: Scheduling, base: Base, raised: int) -> str:
    priority = max(of.real_time, raised)
    policy, level = (os.SCHED_RR, priority) if priority else (base.policy, base.real_time)
    flags = os.SCHED_RESET_ON_FORK if priority else 0
    if (os.sched_getscheduler(pid), os.sched_getparam(pid).sched_priority) == (policy | flags, level):
        return ""
    try:
        os.sched_setscheduler(pid, policy | flags, os.sched_param(level))
    except PermissionError:
        if not priority:  # leaving real time is allowed, forgetting SCHED_RESET_ON_FORK is not
            with contextlib.suppress(PermissionError):
                os.sched_setscheduler(pid, policy | os.SCHED_RESET_ON_FORK, os.sched_param(level))
                return ""
        return (
            f"it does not run in real time (SCHED_RR {priority}): that needs CAP_SYS_NICE, and a control group that has "
            "time for it (cpu.rt_runtime_us)"
        )
    return ""


def _why_cpus(error: OSError) -> str:
    return "there is none of them here" if isinstance(error, OSError) and error.errno == 22 else str(error)


def _list(cpus: tuple[int, ...] | list[int]) -> str:
    return ", ".join(map(str, cpus))


@dataclass(frozen=True, slots=True)
class Seen:
    """How the kernel schedules a process now."""

    policy: str
    priority: int
    nice: int
    cpus: list[int]


_POLICIES = {
    os.SCHED_OTHER: "other",
    os.SCHED_FIFO: "fifo",
    os.SCHED_RR: "rr",
    os.SCHED_BATCH: "batch",
    os.SCHED_IDLE: "idle",
}


def seen(pid: int) -> Seen | None:
    """Of process ``pid``; None where there is none."""
    try:
        policy = os.sched_getscheduler(pid) & ~os.SCHED_RESET_ON_FORK
        return Seen(
            policy=_POLICIES.get(policy, str(policy)),
            priority=os.sched_getparam(pid).sched_priority,
            nice=os.getpriority(os.PRIO_PROCESS, pid),
            cpus=sorted(os.sched_getaffinity(pid)),
        )
    except OSError:
        return None
