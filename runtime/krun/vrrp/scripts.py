"""Scripts of the VRRP process: checks that are run again and again, and notifications in the order of what happened."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from kir.model import Config, Notify, Script, VrrpScript
from krun.loop.books import Books, Entry
from krun.loop.clock import now_us
from krun.notify.client import ScriptResult, ScriptRun
from krun.notify.reports import last_words
from krun.notify.told import Told
from krun.vrrp.effects import TellOutside

log = logging.getLogger("krun.vrrp")


class Runs(Protocol):
    """What is needed of `krun.notify.client.ScriptClient`."""

    def run(
        self,
        spec: ScriptRun,
        done: Callable[[ScriptResult], None] | None = None,
        *,
        taken: Callable[[], None] | None = None,
    ) -> int: ...

    def cancel(self, token: int) -> None: ...

    def line(self, channel: str, text: str) -> None: ...


class _Check:
    """A ``vrrp_script`` on its schedule: from start to start, whatever it takes."""

    def __init__(self, script: VrrpScript) -> None:
        self.script = script
        self.next_at = 0
        self.token: int | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.late_said = False
        self.last: ScriptResult | None = None


class Checks:
    """Runs the ``vrrp_script``s; ``ended`` hears each result as (name, success)."""

    def __init__(
        self, client: Runs, loop: asyncio.AbstractEventLoop, ended: Callable[[str, bool], None]
    ) -> None:
        self._client = client
        self._loop = loop
        self._ended = ended
        self._checks: dict[str, _Check] = {}

    def set(self, scripts: Iterable[VrrpScript]) -> None:
        """These and no others. One that did not change keeps its schedule."""
        wanted = {script.name: script for script in scripts}
        for name in [n for n, check in self._checks.items() if wanted.get(n) != check.script]:
            self._drop(self._checks.pop(name))
        for name, script in wanted.items():
            if name not in self._checks:
                check = self._checks[name] = _Check(script)
                check.next_at = now_us()
                self._begin(check)

    def books(self) -> Books:
        """What it owns (`krun.loop.books`)."""
        for name, check in self._checks.items():
            yield Entry("track script", name, check)

    def last(self, name: str) -> ScriptResult | None:
        """How the last run of a script ended."""
        check = self._checks.get(name)
        return check.last if check is not None else None

    def said(self, name: str) -> str | None:
        """The same in words, for the status; None: it has not run yet, or it only opens a file."""
        result = self.last(name)
        if result is None:
            return None
        how = {
            "exited": f"exit status {result.code}",
            "signaled": f"ended by signal {result.code}",
            "timeout": "killed, it took too long",
        }.get(result.status, f"{result.status}")
        return how + last_words(result.output)

    def stop(self) -> None:
        """No more runs; one that is under way is killed."""
        for check in self._checks.values():
            self._drop(check)
        self._checks.clear()

    def _drop(self, check: _Check) -> None:
        if check.timer is not None:
            check.timer.cancel()
        if check.token is not None:
            self._client.cancel(check.token)

    def _begin(self, check: _Check) -> None:
        script = check.script
        check.next_at += max(script.interval_us, 1000)
        now = now_us()
        if check.next_at <= now:  # the process slept: no catching up
            check.next_at = now + script.interval_us
        check.timer = self._loop.call_at(check.next_at / 1e6, self._begin, check)
        if script.open_file is not None:
            self._ended(script.name, _opens(script.open_file))
        elif check.token is not None:
            if not check.late_said:
                check.late_said = True
                log.warning(
                    "script %s still runs after its interval of %g s: skipped; give it a timeout or a longer interval",
                    script.name,
                    script.interval_us / 1e6,
                )
        else:
            run = ScriptRun(
                script.argv,
                script.account,
                script.timeout_us or None,
                f"track script {script.name}",
                facts=(("KRUN_KIND", "TRACK"), ("KRUN_NAME", script.name)),
            )
            # The callback comes later, from the loop, so the token is always set first.
            check.token = self._client.run(run, lambda result: self._done(check, result))

    def _done(self, check: _Check, result: ScriptResult) -> None:
        check.token = None
        if self._checks.get(check.script.name) is not check:
            return
        if result.status == "lost":
            return  # nobody knows; the next run will tell
        check.late_said = False
        check.last = result  # the script process logs what went wrong, with its last words
        self._ended(check.script.name, result.status == "exited" and result.code == 0)


def _opens(path: str) -> bool:
    """Whether a file can be opened for reading; a FIFO without a writer does not block us."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError:
        return False
    return True


NOTIFY_TIMEOUT_US = 600_000_000
"""A notify script that has not ended after ten minutes is killed."""
PATIENCE_US = 60_000_000
"""How long a notify script may still go on when one for a later state of the same subject waits."""
STOP_US = 1_000_000
"""The same for one of a stop, which may not take longer itself (keepalived gives it as much)."""


class Notifier:
    """Runs notify scripts: strictly one after the other for one instance or group, in the order of what happened.

    A state that is not true any more when its turn comes is left out. ``told``: what was told before, by a predecessor too.
    """

    def __init__(self, client: Runs, told: Told) -> None:
        self._client = client
        self._told = told
        self._pipes = False

    def follow(self, config: Config) -> None:
        """From now on this configuration counts."""
        settings = config.global_defs
        self._pipes = settings.notify_fifo is not None or settings.vrrp_notify_fifo is not None

    def write_all(self, changes: Iterable[TellOutside]) -> None:
        """All states to the pipes, new or not (``fifo_write_vrrp_states_on_reload``)."""
        if self._pipes:
            for change in changes:
                self._client.line("vrrp", line_of(change))

    def tell(self, change: TellOutside) -> None:
        """The script for the state first, then the generic one with its four arguments (keepalived.conf(5), ``notify``)."""
        subject = f"{change.kind} {change.name}"
        state = change.word not in _EVENTS
        ends = change.word in ("STOP", "DELETED")
        if state and self._told.again(subject, change.word):
            return  # the process before this one has told it already
        chosen = _chosen(change)
        if not chosen and not self._pipes:
            return
        number = self._told.number(subject) if state or chosen else 0
        if chosen:
            facts = (
                ("KRUN_KIND", change.kind),
                ("KRUN_NAME", change.name),
                ("KRUN_STATE", change.word),
                ("KRUN_PRIORITY", str(change.priority)),
                ("KRUN_BEFORE", self._told.last(subject)),
                ("KRUN_SEQUENCE", str(number)),
            )
            for n, (script, arguments) in enumerate(chosen, 1):
                run = ScriptRun(
                    (*script.argv, *arguments),
                    script.account,
                    STOP_US if change.word == "STOP" else NOTIFY_TIMEOUT_US,
                    f"notify script of {change.name} ({change.word})",
                    queue=f"notify {subject}",
                    topic="state" if state else change.word,
                    sequence=number,
                    patience_us=STOP_US if change.word == "STOP" else PATIENCE_US,
                    facts=facts,
                )
                if state and not ends and n == len(chosen):
                    self._client.run(run, taken=partial(self._told.tell, subject, number, change.word))
                else:
                    self._client.run(run)
        if self._pipes:
            self._client.line("vrrp", line_of(change))
            if state and not ends and not chosen:
                self._told.tell(subject, number, change.word)
        if ends:
            self._told.forget(subject)

    def catch_up(self, change: TellOutside) -> None:
        """What is so since a predecessor's time, which may have died before it told anybody."""
        subject = f"{change.kind} {change.name}"
        if self._told.last(subject) == change.word:
            self._told.again(subject, change.word)
        else:
            self.tell(change)


_EVENTS = frozenset({"MASTER_RX_LOWER_PRI", "MASTER_PRIORITY", "BACKUP_PRIORITY"})
"""Words that say what happened, and not what is so."""


def line_of(change: TellOutside) -> str:
    """What the pipes get: `INSTANCE "VI_1" MASTER 100` and a line feed."""
    return f'{change.kind} "{change.name}" {change.word} {change.priority}\n'


def _chosen(change: TellOutside) -> list[tuple[Script, tuple[str, ...]]]:
    notify: Notify = change.notify
    special = {
        "MASTER": notify.master,
        "BACKUP": notify.backup,
        "FAULT": notify.fault,
        "STOP": notify.stop,
        "DELETED": notify.deleted,
        "MASTER_RX_LOWER_PRI": notify.master_rx_lower_pri,
    }.get(change.word)
    chosen: list[tuple[Script, tuple[str, ...]]] = []
    if special is not None:
        chosen.append((special, ()))
    if notify.any is not None and change.word not in _EVENTS:
        chosen.append((notify.any, (change.kind, change.name, change.word, str(change.priority))))
    return chosen
