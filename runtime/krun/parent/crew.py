"""All children of this parent: born, reaped, retired, stopped in order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from kir.codec import Document
from kir.model import Config
from krun.loop.books import Books
from krun.loop.reactor import Reactor
from krun.parent.children import STOP_ORDER, maker, needed
from krun.parent.handover import part
from krun.parent.legacy import Heir
from krun.parent.periods import Periods
from krun.parent.shell import Make
from krun.parent.slot import Settings, Slot

ASIDE_STOP_S = 1.0
"""What a process beside the configuration gets to stop, when all others have."""

SCRIPT_STOP_S = 2.5
"""What the script process gets to stop, at least, when something ran after all others had ended."""


class Crew:
    """``make`` finds the class of a child by name, ``need`` the names of those that a configuration needs, in the order of their start.

    ``changed`` is called whenever a child's state changes to ``running``, ``waiting`` or ``ended``. ``aside``: processes that run no
    configuration (metrics): watched like the others, without a part in starts and reloads.
    """

    def __init__(
        self,
        loop: Reactor,
        settings: Settings,
        periods: Periods,
        changed: Callable[[Slot], None],
        *,
        make: Callable[[str], Make] = maker,
        need: Callable[[Config], tuple[str, ...]] = needed,
    ) -> None:
        self.slots: dict[str, Slot] = {}
        self.aside: dict[str, Slot] = {}
        self.make = make
        self.need = need
        self._loop = loop
        self._settings = settings
        self._periods = periods
        self._changed = changed
        self._retired: list[Slot] = []
        self.strangers: dict[int, Callable[[int], None]] = {}
        """Who hears of the end of a process that is no child, by its pid."""
        self._stop_at = 0.0
        self._ended: Callable[[], None] | None = None
        self._last: Callable[[Callable[[], None]], None] | None = None

    def add(self, name: str, make: Make, document: Document, heir: Heir | None = None) -> Slot:
        """Fork the child ``name`` to run its part of ``document``; in place of ``heir``, where there is one."""
        slot = Slot(name, make, self._loop, self._settings, self._periods, self._changed)
        self.slots[name] = slot
        if heir is None:
            slot.start(part(name, document.config), document.digest)
        else:
            slot.succeed(part(name, document.config), document.digest, heir)
        return slot

    def add_aside(self, name: str, make: Make) -> None:
        """Fork a process that runs no configuration."""
        slot = Slot(name, make, self._loop, self._settings, self._periods, lambda _slot: None)
        self.aside[name] = slot
        slot.start(Config(), "")

    @property
    def everyone(self) -> list[Slot]:
        """Those that have something to say: all but the retired."""
        return [*self.slots.values(), *self.aside.values()]

    def books(self) -> Books:
        """What it owns (`krun.loop.books`)."""
        for slot in (*self.everyone, *self._retired):
            yield from slot.books()

    def adopt(self, document: Document) -> None:
        """From now on ``document`` is what successors run."""
        for slot in self.slots.values():
            slot.adopt(part(slot.name, document.config), document.digest)

    @property
    def restarts(self) -> int:
        """How often children were started again."""
        return sum(slot.restarts for slot in (*self.everyone, *self._retired))

    def retiring(self, names: Iterable[str]) -> bool:
        """Whether a process of one of these names still stops: what it removes is not to be added by another at the same time."""
        stopping = {slot.name for slot in self._retired}
        return any(name in stopping for name in names)

    def reap(self) -> None:
        """Every child that ended or was stopped, also orphans that were handed to us as process 1 of a container."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return
            if not pid:
                return
            slot = next((s for s in (*self.everyone, *self._retired) if s.pid == pid), None)
            if slot is None:
                if not os.WIFSTOPPED(status) and (heard := self.strangers.pop(pid, None)) is not None:
                    heard(status)
                continue
            if os.WIFSTOPPED(status):
                slot.suspended_by_signal()
            else:
                slot.reaped(status)

    def retire(self, name: str) -> None:
        """Stop a child that is not needed any more."""
        slot = self.slots.pop(name)
        self._retired.append(slot)

        def gone() -> None:
            self._retired.remove(slot)
            if slot.name not in self.slots:
                self._settings.run_dir.child_socket(slot.name).unlink(missing_ok=True)

        slot.stop(self._periods.stop, gone)

    def stop(
        self,
        ended: Callable[[], None],
        within_s: float | None = None,
        last: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        """Stop all in order, within ``within_s`` seconds; ``ended`` is called when no process is left. ``last`` is called when only the
        script process is left that runs a configuration, and calls what it is given when that may end too.
        """
        self._ended = ended
        self._last = last
        self._stop_at = self._loop.time() + (self._periods.stop if within_s is None else within_s)
        self._stop_next()

    def _after_last(self) -> None:
        self._stop_at = max(self._stop_at, self._loop.time() + SCRIPT_STOP_S)
        self._stop_next()

    def _stop_next(self) -> None:
        """One after the other, so that VIPs are gone before the services behind them and scripts go last. Each may use most of
        the time that is left, the last one all of it."""
        left = [name for name in STOP_ORDER if name in self.slots]
        left += [name for name in self.slots if name not in left]
        if left == ["script"] and self._last is not None:
            if self._retired:
                self._loop.call_later(0.01, self._stop_next)
                return
            last, self._last = self._last, None
            last(self._after_last)
            return
        if not left:
            if self._retired:
                self._loop.call_later(0.01, self._stop_next)  # their own time limit runs
            elif self.aside:
                self._stop_aside(next(iter(self.aside)))
            elif self._ended is not None:
                self._ended()
            return
        slot = self.slots[left[0]]
        remaining = max(0.1, self._stop_at - self._loop.time())
        budget = remaining if len(left) == 1 else remaining * 0.6

        def stopped() -> None:
            del self.slots[slot.name]
            self._stop_next()

        slot.stop(budget, stopped)

    def _stop_aside(self, name: str) -> None:
        def stopped() -> None:
            del self.aside[name]
            self._stop_next()

        self.aside[name].stop(ASIDE_STOP_S, stopped)
