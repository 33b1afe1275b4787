"""Processes under test: started as process groups, logged to files, killed as a whole, never left behind.

Every process gets ``KRUN_LAB_OWNER=PID:START`` in its environment, the identity of the test run that
started it. :func:`sweep` ends processes whose owner is dead, so that a run that was killed costs the
next one nothing; two runs side by side leave each other alone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

__all__ = ["OWNER_VARIABLE", "LabTimeoutError", "Process", "identity", "sweep", "wait_for"]

T = TypeVar("T")

#: Marks every process of the lab; the value is ``PID:START`` (start in clock ticks since boot, proc(5)).
OWNER_VARIABLE = "KRUN_LAB_OWNER"


class LabTimeoutError(AssertionError):
    """Something that a test waited for did not happen in time."""


def wait_for(what: str, probe: Callable[[], T | None], timeout: float = 10.0, interval: float = 0.02) -> T:
    """Call ``probe`` every ``interval`` seconds until it returns something true, and return that.

    Raises :class:`LabTimeoutError`, with ``what`` and the last value seen, after ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        last = probe()
        if last:
            return last
        if time.monotonic() >= deadline:
            raise LabTimeoutError(f"waited {timeout:g} s for {what}; last seen: {last!r}")
        time.sleep(interval)


class Process:
    """A program under test: leader of its own process group, stdout and stderr appended to ``log``."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.argv = list(argv)
        self.log = log
        environment = dict(os.environ if env is None else env)
        environment[OWNER_VARIABLE] = identity()
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=cwd,
                start_new_session=True,
            )
        self.pid = self._popen.pid

    def running(self) -> bool:
        """True while the leader has not ended."""
        return self._popen.poll() is None

    @property
    def returncode(self) -> int | None:
        """Exit status of the leader (negative: the signal that killed it), or None while it runs."""
        return self._popen.poll()

    def output(self) -> str:
        """What it has written so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def tail(self, lines: int = 30) -> str:
        """The last lines of its output, for messages."""
        return "\n".join(self.output().splitlines()[-lines:])

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the leader only, as a service manager with KillMode=mixed does."""
        self._popen.send_signal(number)

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to every process of the group, as Ctrl-C does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def kill(self) -> float:
        """kill -9 of the leader and its whole family; returns the time (since the epoch) it began.

        Children in process groups or sessions of their own are among them. All are stopped before the
        first one is killed, the leader first: no parent can replace a child, and no child can notice
        that its parent is gone and put things in order.
        """
        doomed = [self.pid]
        when = time.time()
        while True:
            for pid in doomed:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            born = [pid for pid in family(self.pid) if pid not in doomed]
            if not born:
                break
            doomed += born
        for pid in doomed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._popen.wait()
        return when

    def stop(self, timeout: float = 10.0) -> int:
        """SIGTERM to the leader, wait for its end, and return its exit status.

        Raises :class:`LabTimeoutError`, after killing everything, when it has not ended in ``timeout`` seconds.
        """
        if self.running():
            self.send(signal.SIGTERM)
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            tail = self.tail()
            self.kill()
            raise LabTimeoutError(f"{self.argv[0]} still ran {timeout:g} s after SIGTERM:\n{tail}") from None


def family(leader: int) -> list[int]:
    """The pids, ``leader`` not among them, of its descendants and of every process of its session."""
    parents: dict[int, int] = {}
    found: set[int] = set()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                stat = Path(entry.path, "stat").read_text()
                # proc(5): PID (COMM) STATE PPID PGRP SESSION …; COMM may hold blanks and brackets.
                fields = stat.rpartition(")")[2].split()
                if fields[0] != "Z":
                    parents[int(entry.name)] = int(fields[1])
                    if int(fields[3]) == leader:
                        found.add(int(entry.name))
    for pid in parents:
        line = [pid]
        while line[-1] in parents and line[-1] != leader:
            line.append(parents[line[-1]])
        if line[-1] == leader:
            found.update(line)
    return sorted(found - {leader})


def _start_time(pid: int) -> str | None:
    """Start of a process in clock ticks since boot (field 22 of proc(5)), or None when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]


def identity() -> str:
    """The value of :data:`OWNER_VARIABLE` for processes that this run starts."""
    return f"{os.getpid()}:{_start_time(os.getpid())}"


_sweeping = threading.Lock()


def sweep() -> None:
    """End processes of test runs that are dead. Does its work once per run; cheap afterwards."""
    with _sweeping:
        _sweep_once()


@cache
def _sweep_once() -> None:
    marker = f"{OWNER_VARIABLE}=".encode()
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError):
            for item in Path(entry.path, "environ").read_bytes().split(b"\0"):
                if item.startswith(marker):
                    owner, _, start = item[len(marker) :].decode().partition(":")
                    if _start_time(int(owner)) != start:
                        os.kill(int(entry.name), signal.SIGKILL)
