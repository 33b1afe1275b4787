"""The state document: what ``krunctl status --json`` prints, the tests read and exporters will be fed from.

Times are seconds since the epoch, durations say their unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

VERSION = 1
"""Raised when something changes its meaning or goes away; additions do not raise it."""


class Parent(msgspec.Struct, kw_only=True):
    """The supervising process."""

    pid: int
    release: str
    since: float
    run_dir: str
    kernel: str
    state: str


class Process(msgspec.Struct, kw_only=True):
    """A child. ``state``: starting, running, waiting (for its next start), stopping. ``answered`` False: this document lacks its part,
    ``problem`` says why. ``hello_age_s``: since its event loop last answered. ``pss_kb``: its share of memory (proc(5), Pss).
    """

    name: str
    pid: int
    state: str
    restarts: int
    since: float
    answered: bool
    problem: str | None = None
    hello_age_s: float | None = None
    pss_kb: int | None = None


class Ir(msgspec.Struct, kw_only=True):
    """The configuration that runs."""

    path: str
    digest: str
    version: str
    loaded_at: float


class LastReload(msgspec.Struct, kw_only=True):
    """``result``: ``done`` or ``refused``; ``operations``: how many of each kind were carried out, ``total`` their sum."""

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


class State(msgspec.Struct, kw_only=True):
    """The whole. The lists come from the children as they are; ``extra`` has what else they say, by process."""

    version: int = VERSION
    parent: Parent
    processes: list[Process]
    vrrp: list[dict[str, Any]] = []
    sync_groups: list[dict[str, Any]] = []
    trackers: list[dict[str, Any]] = []
    virtual_servers: list[dict[str, Any]] = []
    ir: Ir
    last_reload: LastReload | None = None
    extra: dict[str, dict[str, Any]] = {}


LISTS = ("vrrp", "sync_groups", "trackers", "virtual_servers")


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
