"""A reload in two phases: every child judges, then all take it, or none does."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from kir.model import Config
from krun.control.framing import Message
from krun.loop.events import EventLoop
from krun.parent.periods import Periods
from krun.parent.slot import Slot

log = logging.getLogger("krun.parent")


@dataclass(slots=True)
class Outcome:
    """What came of it. ``operations``: how many of each kind; ``failures``: what the kernel refused, or who did not answer."""

    applied: bool
    reason: str = ""
    operations: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def part(name: str, config: Config) -> Config:
    """What of ``config`` concerns the child ``name``: a VRRP process need not read 30,000 real servers."""
    if name == "vrrp":
        return msgspec.structs.replace(config, virtual_servers=())
    if name == "check":
        return msgspec.structs.replace(config, vrrp_scripts=(), vrrp_instances=(), vrrp_sync_groups=())
    return Config(global_defs=config.global_defs)


class Transaction:
    """One reload, from the first question to the last answer.

    ``slots``: the children that run. ``commit_point`` is called between the phases, when all have agreed: from there on
    the new configuration is the truth, and a child that dies comes back with it. ``dry``: ask, then call it off.
    """

    def __init__(
        self,
        loop: EventLoop,
        slots: Mapping[str, Slot],
        config: Config,
        digest: str,
        run_dir: Path,
        periods: Periods,
        commit_point: Callable[[], None],
        done: Callable[[Outcome], None],
        *,
        dry: bool = False,
    ) -> None:
        self._loop = loop
        self._all = slots
        self._slots = {name: slot for name, slot in slots.items() if slot.pid}
        self._pids = self._running()
        self._config = config
        self._digest = digest
        self._run_dir = run_dir
        self._periods = periods
        self._commit_point = commit_point
        self._done = done
        self._dry = dry
        self._waiting: set[str] = set()
        self._refusals: list[str] = []
        self._outcome = Outcome(applied=False)

    def begin(self) -> None:
        """First phase: ask all. A child that has no process at the moment is not asked: it starts with what is agreed."""
        self._waiting = set(self._slots)
        if not self._waiting:
            self._judged()
            return
        for name, slot in self._slots.items():
            path = self._run_dir / f"next-{name}.ir"
            try:
                _write_private(path, msgspec.msgpack.encode(part(name, self._config)))
            except OSError as error:
                self._prepared(name, None, f"{path}: {error.strerror or error}")
                continue
            slot.suspend_watch(True)
            request: Message = {"op": "prepare", "path": str(path), "digest": self._digest}
            slot.conversation.ask(request, self._periods.prepare, self._on_prepared(name))

    def _on_prepared(self, name: str) -> Callable[[Message | None, str], None]:
        return lambda message, why: self._prepared(name, message, why)

    def _prepared(self, name: str, message: Message | None, why: str) -> None:
        self._slots[name].suspend_watch(False)
        (self._run_dir / f"next-{name}.ir").unlink(missing_ok=True)
        if message is None:
            self._refusals.append(f"the {name} process gave no judgement: {why}")
        elif not message.get("ok"):
            self._refusals.append(f"{name}: {message.get('error', 'refused')}")
        else:
            self._outcome.operations.update(_counts(message))
        self._waiting.discard(name)
        if not self._waiting:
            self._judged()

    def _running(self) -> dict[str, int]:
        return {name: slot.pid for name, slot in self._all.items() if slot.pid}

    def _judged(self) -> None:
        if not self._refusals and self._running() != self._pids:
            self._refusals.append("a process was restarted meanwhile; try again")
        if self._refusals or self._dry:
            for slot in self._slots.values():
                slot.conversation.ask({"op": "abort"}, self._periods.status, lambda _message, _why: None)
            self._outcome.reason = "; ".join(self._refusals)
            self._done(self._outcome)
            return
        self._commit_point()
        self._outcome.operations.clear()
        self._waiting = set(self._slots)
        if not self._waiting:
            self._finished()
            return
        for name, slot in self._slots.items():
            slot.suspend_watch(True)
            slot.conversation.ask({"op": "commit"}, self._periods.commit, self._on_committed(name))

    def _on_committed(self, name: str) -> Callable[[Message | None, str], None]:
        return lambda message, why: self._committed(name, message, why)

    def _committed(self, name: str, message: Message | None, why: str) -> None:
        slot = self._slots[name]
        slot.suspend_watch(False)
        if message is None or not message.get("ok"):
            reason = why if message is None else str(message.get("error"))
            self._outcome.failures.append(
                f"the {name} process did not finish the change ({reason}); its successor brings it about from what the kernel holds"
            )
            if message is None and slot.pid == self._pids[name]:
                slot.kill("it did not finish a reload in time")
        else:
            self._outcome.operations.update(_counts(message))
            self._outcome.failures += [str(failure) for failure in message.get("failures", ())]
        self._waiting.discard(name)
        if not self._waiting:
            self._finished()

    def _finished(self) -> None:
        self._outcome.applied = True
        self._done(self._outcome)


def _counts(message: Message) -> dict[str, int]:
    operations: dict[str, Any] = message.get("operations") or {}
    return {str(name): int(count) for name, count in operations.items()}


def _write_private(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
