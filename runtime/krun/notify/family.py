"""All processes that a script has started and that are still its own: its session, its process group, and whoever descends from them.

A script may give its children process groups of their own (a shell with job control does), so a signal to one group does not reach
them all. What has a session of its own and no living ancestor in the script's is a daemon (daemon(7)), which the script started on
purpose: it is not found here, and lives on.
"""

from __future__ import annotations

import contextlib
import os
import signal

PASSES = 50
"""How often the processes are looked for until none is left: somebody may fork faster than one look takes."""

Family = dict[int, int]
"""Process ids and their start times in clock ticks since the boot: both together name a process for good (proc(5), stat)."""


def began_at(pid: int) -> int | None:
    """When a process began, in clock ticks since the boot; None where there is none, or only what is left to be reaped."""
    found = _stat(pid)
    return None if found is None else found[3]


def family(leader: int) -> Family:
    """Of the script whose first process is, or was, ``leader``, which leads a session and a process group of that number."""
    everyone = {pid: found for pid in _pids() if (found := _stat(pid)) is not None}
    ours = {pid for pid, (_, group, session, _) in everyone.items() if leader in (pid, group, session)}
    children: dict[int, list[int]] = {}
    for pid, (parent, *_) in everyone.items():
        children.setdefault(parent, []).append(pid)
    todo = list(ours)
    while todo:
        for child in children.get(todo.pop(), ()):
            if child not in ours:
                ours.add(child)
                todo.append(child)
    return {pid: everyone[pid][3] for pid in ours}


def tell(known: Family, number: signal.Signals) -> None:
    """Send a signal to each that is still the process that it was."""
    for pid, began in known.items():
        try:
            handle = os.pidfd_open(pid)
        except OSError:
            continue
        try:
            # Only now is the number certain to stay: it may have been given to somebody else before.
            if began_at(pid) == began:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


def end(leader: int, known: Family) -> None:
    """SIGKILL to all of them, to those in ``known``, and to what they start meanwhile."""
    found = {**known, **family(leader)}
    told: set[int] = set()
    for _ in range(PASSES):
        tell(found, signal.SIGKILL)
        told |= found.keys()
        found = {pid: began for pid, began in family(leader).items() if pid not in told}
        if not found:
            return


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208


def _stat(pid: int) -> tuple[int, int, int, int] | None:
    """Parent, process group, session and start of a process that lives."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    if len(fields) < 20 or fields[0] in (b"Z", b"X"):
        return None
    return int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19])
