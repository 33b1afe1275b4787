"""The state document: what ``krunctl status --json`` prints, the tests read and exporters will be fed from.

Times are seconds since the epoch, durations say their unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

VERSION = 1
"""Raised when something changes its meaning or goes away; additions do not raise it."""


class Parent(msgspec.Struct, kw_only=True):
    """The supervising process. ``log``: see `Process`. ``instance`` and ``net_namespace``: as configured, None where they are not."""

    pid: int
    release: str
    since: float
    run_dir: str
    kernel: str
    state: str
    log: dict[str, Any] = {}
    instance: str | None = None
    net_namespace: str | None = None


class Lateness(msgspec.Struct, kw_only=True):
    """How late, or how long, things were. ``buckets``: how many in each of `Loop.bounds_us`, and how many were more, since the start of the
    process, as ``count`` and ``sum_us``. ``max_us`` and ``p99_us`` (by the buckets) since the last reload.
    """

    count: int
    sum_us: int
    max_us: int
    p99_us: int | None
    buckets: list[int]


class Overrun(msgspec.Struct, kw_only=True):
    """Callbacks of one name that took longer than the budget: how often, and the longest."""

    count: int
    max_us: int


class Paused(msgspec.Struct, kw_only=True):
    """Times at which nothing ran in this process although it was wanted: stopped, suspended, starved."""

    count: int
    total_us: int
    longest_us: int
    last_at: float | None


class Garbage(msgspec.Struct, kw_only=True):
    """Python's garbage collector. ``frozen``: containers that it need not look at. ``skipped``: loads after which it had no time to look once."""

    frozen: int
    skipped: int
    pauses: Lateness


class Loop(msgspec.Struct, kw_only=True):
    """The event loop of a child. ``lateness``: of ``timer``s, and of ``advert``s in the VRRP process. ``overruns``: by callback."""

    bounds_us: list[int]
    lateness: dict[str, Lateness]
    budget_us: int
    overruns: dict[str, Overrun]
    pauses: Paused
    gc: Garbage


def loop_of(message: Mapping[str, Any] | None) -> Loop | None:
    """What a child said of its event loop; None where it did not, or in another way."""
    try:
        return msgspec.convert((message or {}).get("loop"), Loop | None)
    except msgspec.ValidationError:
        return None


RESTART_REASONS = ("exited", "killed", "stuck", "broken", "stopped", "reload", "fork")
"""Why a child was started again: it ended by itself; somebody killed it, or it crashed; its event loop did not answer; its connection
broke; it was stopped by a signal again and again; it could not follow a reload, or end in time; it could not be started.
"""


class Scheduling(msgspec.Struct, kw_only=True):
    """How the kernel schedules a process (sched(7)): ``policy`` ``other``, ``rr``, ``fifo``, ``batch`` or ``idle``, its real-time
    ``priority`` (0: none), its ``nice`` value and the ``cpus`` that it may run on.
    """

    policy: str
    priority: int
    nice: int
    cpus: list[int]


class Process(msgspec.Struct, kw_only=True):
    """A child. ``state``: starting, running, waiting (for its next start), stopping. ``answered`` False: this document lacks its part,
    ``problem`` says why. ``digest``: of the IR that it runs, by its own word. ``hello_age_s``: since its event loop last answered.
    ``pss_kb``: its share of memory (proc(5), Pss). ``reasons``: how many of the restarts were for which of `RESTART_REASONS`.
    ``log``: lines that it ``suppressed``, by kind, ``dropped`` since nobody read them, and has ``waiting`` (`krun.logs.counts`).
    """

    name: str
    pid: int
    state: str
    restarts: int
    since: float
    answered: bool
    problem: str | None = None
    digest: str | None = None
    hello_age_s: float | None = None
    pss_kb: int | None = None
    loop: Loop | None = None
    log: dict[str, Any] = {}
    reasons: dict[str, int] = {}
    scheduling: Scheduling | None = None


class Ir(msgspec.Struct, kw_only=True):
    """The configuration that runs. ``source``: ``file``, as ``path`` had it when it was read; ``kept``, a copy that krun kept: after an
    undo, a confirmation that did not come, or a krun that was killed. ``kept``: where that copy is, itself an IR; None where it could
    not be stored.
    """

    path: str
    digest: str
    version: str
    loaded_at: float
    source: str = "file"
    kept: str | None = None


class Waiting(msgspec.Struct, kw_only=True):
    """A reload that waits for ``krunctl confirm``: until when, how long that still is, and what comes back if nobody confirms."""

    deadline: float
    left_s: float
    within_s: float
    requested_by: str
    back_to: str
    back_to_path: str


class Before(msgspec.Struct, kw_only=True):
    """What ``krunctl undo`` would bring back."""

    digest: str
    path: str
    loaded_at: float


class Stored(msgspec.Struct, kw_only=True):
    """The store of the run directory. ``problem`` None: all that must survive this process is written."""

    file: str
    problem: str | None
    writes: int
    failures: int
    overlays: int


class Promised(msgspec.Struct, kw_only=True):
    """What the process ``name`` promised to the outside, for a successor. ``file``: where it outlives krun itself; None, with the reason
    in ``problem``: it does not. ``age_s``: since its loop was last alive. ``octets`` in use; ``lost``: promises for which there was no
    room. ``inherited_age_s``: how old what an earlier krun had left was when this one took it over; None: there was nothing, or, with the
    reason in ``void``, nothing that counts.
    """

    name: str
    file: str | None
    problem: str | None
    octets: int
    lost: int
    age_s: float | None = None
    inherited_age_s: float | None = None
    void: str | None = None


class LastReload(msgspec.Struct, kw_only=True):
    """``result``: ``done``, ``refused`` (nothing was touched), ``rolled back`` (some process had taken it, all were sent back) or
    ``planned``. ``operations``: how many of each kind were carried out, ``total`` their sum. ``confirm_by``: until when it wants a
    confirmation. ``limit``: what was deleted where that was more than allowed, by kind of object. ``started`` and ``ended``: processes that
    only one of the two IRs needs; what these do when they start and stop is not in ``operations``.
    """

    result: str
    at: float
    requested_by: str
    path: str
    digest: str | None
    duration_us: int
    operations: dict[str, int]
    total: int
    failures: list[str]
    reason: str | None = None
    confirm_by: float | None = None
    limit: dict[str, dict[str, Any]] | None = None
    started: list[str] = []
    ended: list[str] = []


class State(msgspec.Struct, kw_only=True):
    """The whole. The lists come from the children as they are; ``extra`` has what else they say, by process.

    ``overlays``: an operator's hand on real servers (`krun.control.overlays.status`). ``drains``: servers and services on their way out
    (`krun.check.drain.Drains.status`). ``alarms``: what somebody has to look at, in words. ``counters``: of this run directory's krun, over its restarts, as long as the
    machine runs: ``reloads_done``, ``reloads_refused``, ``reloads_rolled_back``, ``reloads_returned`` (nobody confirmed),
    ``reloads_undone``, ``reloads_confirmed``; and of this process: ``restarts`` of children. ``control``: of the control socket
    (`krun.control.server.ControlServer.status`).
    """

    version: int = VERSION
    parent: Parent
    processes: list[Process]
    vrrp: list[dict[str, Any]] = []
    sync_groups: list[dict[str, Any]] = []
    trackers: list[dict[str, Any]] = []
    virtual_servers: list[dict[str, Any]] = []
    ir: Ir
    last_reload: LastReload | None = None
    confirm: Waiting | None = None
    undo: Before | None = None
    store: Stored | None = None
    promises: list[Promised] = []
    overlays: list[dict[str, Any]] = []
    drains: list[dict[str, Any]] = []
    alarms: list[str] = []
    counters: dict[str, int] = {}
    control: dict[str, int] = {}
    extra: dict[str, dict[str, Any]] = {}


LISTS = ("vrrp", "sync_groups", "trackers", "virtual_servers", "drains", "alarms")


def take(state: State, name: str, said: Mapping[str, Any]) -> None:
    """Put the part that child ``name`` said into the document."""
    rest: dict[str, Any] = {}
    for key, value in said.items():
        if key in LISTS and isinstance(value, list):
            getattr(state, key).extend(value)
        else:
            rest[key] = value
    if rest:
        state.extra[name] = rest


def pss_kb(pid: int) -> int | None:
    """Proportional set size of a process in kB (proc(5), smaps_rollup); None where it cannot be read."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:  # noqa: PTH123
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1])
    except (OSError, ValueError):
        pass
    return None
