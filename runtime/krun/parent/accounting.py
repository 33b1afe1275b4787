"""When a process looks at its memory, and what it says of it: `krun.loop.memory` between a loop and a log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from kir import onestep
from krun.control.client import Reply
from krun.control.events import event
from krun.control.framing import Message
from krun.control.server import Answer
from krun.loop.books import Books
from krun.loop.events import EventLoop
from krun.loop.memory import PATIENCE_S, Memory

if TYPE_CHECKING:
    from krun.parent.slot import Slot

log = logging.getLogger("krun.memory")

EVERY_S = 60.0
"""How often a process looks by itself."""

AGAIN_S = 2.0
"""After how long it looks again where it found what is in no book: what is on its way out has gone by then."""

SAID = 20
"""How many of the things that were left behind have a line of their own at one look."""


class Accounting:
    """``name``: of the process. ``books``: what it owns. Without ``debug`` only `answer` does anything."""

    def __init__(
        self,
        name: str,
        loop: EventLoop,
        books: Callable[[], Books],
        *,
        debug: bool,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._patience_s = patience_s
        self._name = name
        self._loop = loop
        self._books = books
        self._debug = debug
        self._memory: Memory | None = None

    def start(self) -> None:
        """Everything is in place: from here on it is counted."""
        if self._debug:
            self._memory = Memory(self._books, debug=True, patience_s=self._patience_s)
            self._loop.call_later(EVERY_S, self._minute)

    def reloaded(self) -> None:
        """A reload is done: say what it changed, soon."""
        if self._memory is not None:
            self._loop.call_later(0, lambda: self._look("through the reload"))

    def answer(self, request: Message, answer: Answer) -> None:
        """The report for ``krunctl memory``; ``types``: with the whole census."""
        memory = self._memory if self._memory is not None else Memory(self._books)
        told = memory.report(types=bool(request.get("types")))
        self._say_left(memory.fresh)
        answer({"ok": True, "memory": {"process": self._name, **told}})

    def _minute(self) -> None:
        self._look("in the last minute")
        self._loop.call_later(EVERY_S, self._minute)

    def _look(self, when: str) -> None:
        if self._memory is None:
            return
        told = self._memory.mark()
        words = [f"{kind} {count:+d}" for kind, count in told["changed"].items()]
        log.info(
            "memory: peak %d kB, %d objects; %s: %s%s%s",
            told["peak_kb"],
            told["objects"],
            when,
            ", ".join(words) or "no change",
            _owners("came", told["came"]),
            _owners("went", told["gone"]),
        )
        self._search(again=True)

    def _search(self, *, again: bool) -> None:
        assert self._memory is not None
        self._say_left(self._memory.search())
        if again and self._memory.suspects:
            self._loop.call_later(AGAIN_S, lambda: self._search(again=False))

    def _say_left(self, found: list[Any]) -> None:
        for left in found[:SAID]:
            about = event(
                "memory.left_behind",
                left.name,
                owner=left.kind,
                type=left.type,
                octets=left.octets,
                held_by="; ".join(left.held_by),
            )
            log.warning("memory: left behind: %s", left, extra=about)
        if len(found) > SAID:
            log.warning("memory: and %d more were left behind", len(found) - SAID)


class Gathering(Accounting):
    """The parent's: it asks all processes."""

    def gather(self, slots: Sequence[Slot], request: Message, timeout: float, answer: Answer) -> None:
        """Answer with the reports of this process and of ``slots``; one that says nothing for ``timeout`` seconds has its reason instead."""
        reports: list[Any] = []
        self.answer(request, lambda message: reports.append(message["memory"]))
        waiting = {slot.name for slot in slots}

        def finish() -> None:
            if not waiting:
                answer({"ok": True, "processes": reports})

        def on_reply(name: str) -> Reply:
            def said(message: Message | None, why: str) -> None:
                if message is not None and message.get("ok"):
                    reports.append(message["memory"])
                else:
                    problem = why if message is None else str(message.get("error"))
                    reports.append({"process": name, "problem": problem})
                waiting.discard(name)
                finish()

            return said

        question = {"op": "memory", "types": bool(request.get("types"))}
        finish()
        for slot in slots:
            slot.conversation.ask(question, timeout, on_reply(slot.name))

    def dump(self, slots: Sequence[Slot], folder: Path, timeout: float) -> None:
        """Write the same into ``folder``/krun-memory.json (SIGRTMAX)."""
        path = folder / "krun-memory.json"

        def write(message: Message) -> None:
            try:
                onestep.write(
                    path, msgspec.json.format(msgspec.json.encode(message["processes"]), indent=1) + b"\n"
                )
            except OSError as error:
                log.error("SIGRTMAX: %s: %s", path, error.strerror or error)
                return
            log.info("SIGRTMAX: the account of memory is in %s", path)

        self.gather(slots, {}, timeout, write)


def _owners(word: str, moved: dict[str, Any]) -> str:
    """``; came: checker 2 (…, …)``."""
    if not moved:
        return ""
    parts = [
        f"{kind} {found['count']} ({', '.join(found['names'][:3])}{', …' if found['count'] > 3 else ''})"
        for kind, found in moved.items()
    ]
    return f"; {word}: {', '.join(parts)}"
