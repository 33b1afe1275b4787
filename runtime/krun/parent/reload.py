"""A reload is all or nothing: every process runs the same IR, by digest, or all run the old one.

Three steps. *Judge*: every process reads the new IR and says whether it can take it; nothing has changed yet. *Begin*: processes that
only the new IR needs are started, and must come up. *Change*: every process changes to it. A process that refuses, dies or says
nothing in time, in whichever step, sends all back to the old IR: those that had changed change back, the others forget it, new
ones end, and one that cannot even do that is replaced by a successor that runs the old IR from what the kernel holds. Until the last
process has changed, the old IR is what a successor gets; so a parent that is killed in the middle leaves no other truth behind.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kir.codec import Document
from kir.shelf import ShelfError
from krun.control.framing import Message
from krun.loop.events import EventLoop, Handle
from krun.parent.children import START_ORDER, STOP_ORDER
from krun.parent.handover import pack
from krun.parent.periods import Periods

if TYPE_CHECKING:
    from krun.parent.crew import Crew
    from krun.parent.shell import Make
    from krun.parent.slot import Slot

log = logging.getLogger("krun.parent")

RETIRING_S = 0.02
"""How often to look whether a process that is not needed any more has ended, where a new one of its kind is."""


@dataclass(slots=True)
class Outcome:
    """What came of it. ``operations``: how many of each kind; ``failures``: what the kernel refused. ``rolled_back``: some process had
    changed, or begun, and all were sent back. ``started`` and ``ended``: processes that only one of the two IRs needs.
    """

    applied: bool
    reason: str = ""
    operations: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    rolled_back: bool = False
    started: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)


class Transaction:
    """One reload, from the first question to the last answer.

    ``classes``: of the children that ``new`` needs and that do not run. ``seal`` is called when every process has changed, before the
    new IR becomes what successors run; the reason that it returns, where it is not empty, sends all back. ``dry``: ask, then call it
    off. ``drain_us``: how long servers that go may keep their connections. Tell it of children's changes (`child_changed`).
    """

    def __init__(
        self,
        loop: EventLoop,
        crew: Crew,
        old: Document,
        new: Document,
        classes: Mapping[str, Make],
        run_dir: Path,
        periods: Periods,
        seal: Callable[[], str],
        done: Callable[[Outcome], None],
        *,
        dry: bool = False,
        drain_us: int = 0,
    ) -> None:
        self._loop = loop
        self._crew = crew
        self._old = old
        self._new = new
        self._classes = classes
        self._run_dir = run_dir
        self._periods = periods
        self._seal = seal
        self._done = done
        self._dry = dry
        self._drain_us = drain_us
        self._slots = {name: slot for name, slot in crew.slots.items() if slot.pid}
        self._pids = {name: slot.pid for name, slot in self._slots.items()}
        self._waiting: set[str] = set()
        self._refusals: list[str] = []
        self._born: dict[str, Slot] = {}
        self._birth_limit: Handle | None = None
        self._committed: set[str] = set()
        self._busy: set[str] = set()
        self._outcome = Outcome(applied=False)
        self._over = False

    def begin(self) -> None:
        """Start. A child that has no process at the moment is not asked: it starts with what is agreed."""
        self._waiting = set(self._slots)
        if not self._waiting:
            self._judged()
            return
        for name in list(self._slots):
            self._ask_prepare(name, self._new, self._old, self._prepared)

    def call_off(self, reason: str) -> None:
        """krun stops: whatever is under way is for nobody any more. The children end in order, from whichever IR they run."""
        if not self._over:
            self._outcome.reason = reason
            self._finish()

    def child_changed(self, slot: Slot) -> None:
        """A child came up, or went into back-off."""
        if self._over or self._birth_limit is None or self._born.get(slot.name) is not slot:
            return
        if slot.state != "running":
            self._stillborn(slot.name, slot.problem or "it ended")
        elif all(born.state == "running" for born in self._born.values()):
            self._birth_limit.cancel()
            self._birth_limit = None
            self._change()

    # -- asking

    def _ask_prepare(
        self,
        name: str,
        document: Document,
        has: Document,
        answered: Callable[[str, Message | None, str], None],
    ) -> None:
        """Have the child, which runs ``has``, judge ``document``."""
        slot = self._slots[name]
        path = self._run_dir / f"next-{name}.ir"
        try:
            _write_private(path, pack(name, document.config, has.config))
        except (OSError, ShelfError) as error:
            words = error.strerror if isinstance(error, OSError) else None
            said_why = f"the new IR cannot be given to it: {path}: {words or error}"
            answered(name, {"ok": False, "error": said_why}, "")
            return
        slot.suspend_watch(True)

        def said(message: Message | None, why: str) -> None:
            slot.suspend_watch(False)
            path.unlink(missing_ok=True)
            if not self._over:
                answered(name, message, why)

        request: Message = {
            "op": "prepare",
            "path": str(path),
            "digest": document.digest,
            "has": has.digest,
            "drain_us": self._drain_us,
        }
        slot.conversation.ask(request, self._periods.prepare, said)

    def _ask_commit(self, name: str, answered: Callable[[str, Message | None, str], None]) -> None:
        slot = self._slots[name]
        slot.suspend_watch(True)

        def said(message: Message | None, why: str) -> None:
            slot.suspend_watch(False)
            if not self._over:
                answered(name, message, why)

        slot.conversation.ask({"op": "commit"}, self._periods.commit, said)

    def _same(self, name: str) -> bool:
        """Whether the process is still the one that was asked."""
        return self._crew.slots.get(name) is self._slots[name] and self._slots[name].pid == self._pids[name]

    # -- judge

    def _prepared(self, name: str, message: Message | None, why: str) -> None:
        if message is None:
            self._refusals.append(f"the {name} process gave no judgement: {why}")
        elif not message.get("ok"):
            self._refusals.append(f"{name}: {message.get('error', 'refused')}")
        else:
            self._outcome.operations.update(_counts(message))
        self._waiting.discard(name)
        if not self._waiting:
            self._judged()

    def _judged(self) -> None:
        if not self._refusals:
            self._refusals += [
                f"the {name} process was replaced meanwhile; try again"
                for name in self._slots
                if not self._same(name)
            ]
        if self._refusals or self._dry:
            self._abort()
            self._outcome.reason = "; ".join(self._refusals)
            self._finish()
            return
        self._outcome.operations.clear()
        if self._classes:
            self._give_birth()
        else:
            self._change()

    def _abort(self) -> None:
        for name, slot in self._slots.items():
            if self._same(name):
                slot.conversation.ask({"op": "abort"}, self._periods.status, lambda _message, _why: None)

    # -- begin

    def _give_birth(self) -> None:
        if self._over:
            return
        if self._crew.retiring(self._classes):
            self._loop.call_later(RETIRING_S, self._give_birth)  # a stop has a time limit of its own
            return
        limit = self._periods.start
        self._birth_limit = self._loop.call_later(limit, lambda: self._overdue(limit))
        for name in START_ORDER:
            if name in self._classes and not self._over:
                self._born[name] = self._crew.add(name, self._classes[name], self._new)

    def _overdue(self, limit: float) -> None:
        late = [name for name, slot in self._born.items() if slot.state != "running"]
        if self._birth_limit is not None and late:
            self._stillborn(late[0], f"it was not ready within {limit:g} s")

    def _stillborn(self, name: str, why: str) -> None:
        if self._birth_limit is not None:
            self._birth_limit.cancel()
            self._birth_limit = None
        self._roll_back(f"the {name} process, which only this IR needs, does not come up: {why}")

    # -- change

    def _change(self) -> None:
        self._waiting = set(self._slots)
        if not self._waiting:
            self._changed()
            return
        for name in list(self._slots):
            self._ask_commit(name, self._on_committed)

    def _on_committed(self, name: str, message: Message | None, why: str) -> None:
        if message is not None and message.get("ok"):
            self._committed.add(name)
            self._outcome.operations.update(_counts(message))
            self._outcome.failures += [str(failure) for failure in message.get("failures", ())]
            if message.get("busy"):
                self._busy.add(name)
        else:
            reason = why if message is None else str(message.get("error"))
            self._refusals.append(f"the {name} process did not change to it ({reason})")
        self._waiting.discard(name)
        if not self._waiting:
            self._changed()

    def _changed(self) -> None:
        self._refusals += [
            f"the {name} process changed to it and was then replaced"
            for name in self._committed
            if not self._same(name)
        ]
        self._refusals += [
            f"the {name} process, which only this IR needs, ended"
            for name, slot in self._born.items()
            if slot.state != "running"
        ]
        reason = "; ".join(self._refusals) or self._seal()
        if reason:
            self._roll_back(reason)
            return
        self._crew.adopt(self._new)
        for name, slot in self._crew.slots.items():
            if name not in self._slots and name not in self._born and slot.pid:
                slot.kill("it came up with the old IR while the others changed")
        # What still drains, say, is not cut short because nothing is left beside it; the next reload judges anew.
        kept = {*self._crew.need(self._new.config), *self._busy, *(("script",) if self._busy else ())}
        for name in [n for n in STOP_ORDER if n in self._crew.slots and n not in kept]:
            self._crew.retire(name)
            self._outcome.ended.append(name)
        self._outcome.started += self._born
        self._outcome.applied = True
        self._finish()

    # -- back

    def _roll_back(self, reason: str) -> None:
        log.error("%s: all processes go back to %s", reason, self._old.digest[:19])
        self._outcome.reason = f"{reason}; all processes went back to the old configuration"
        self._outcome.rolled_back = True
        self._outcome.operations.clear()
        self._outcome.failures.clear()
        for name in [n for n in STOP_ORDER if n in self._born]:
            if self._crew.slots.get(name) is self._born[name]:
                self._crew.retire(name)
        self._waiting = set(self._slots)
        if not self._waiting:
            self._finish()
        for name in list(self._slots):
            if name in self._committed and self._same(name):
                self._ask_prepare(name, self._old, self._new, self._on_ready_to_return)
                continue
            if self._same(name):
                if self._committed or self._refusals:
                    # It was told to change and did not say that it had: half changed, hung, or about to end.
                    self._slots[name].kill(
                        "it did not change to a new configuration, and the old one is what goes on"
                    )
                else:
                    self._slots[name].conversation.ask(
                        {"op": "abort"}, self._periods.status, lambda _message, _why: None
                    )
            self._returned(name)

    def _on_ready_to_return(self, name: str, message: Message | None, why: str) -> None:
        if message is not None and message.get("ok") and self._same(name):
            self._ask_commit(name, self._on_returned)
        else:
            self._on_returned(name, message, why)

    def _on_returned(self, name: str, message: Message | None, why: str) -> None:
        if message is None or not message.get("ok"):
            reason = why if message is None else str(message.get("error"))
            if self._same(name):
                self._slots[name].kill(f"it did not go back to the old configuration ({reason})")
        self._returned(name)

    def _returned(self, name: str) -> None:
        self._waiting.discard(name)
        if not self._waiting:
            self._finish()

    def _finish(self) -> None:
        if not self._over:
            self._over = True
            if self._birth_limit is not None:
                self._birth_limit.cancel()
                self._birth_limit = None
            self._done(self._outcome)


def _counts(message: Message) -> dict[str, int]:
    operations: dict[str, Any] = message.get("operations") or {}
    return {str(name): int(count) for name, count in operations.items()}


def _write_private(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
