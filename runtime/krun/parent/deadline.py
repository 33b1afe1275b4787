"""The deadline of a reload that wants a confirmation: when it has passed, the way back is asked for until it has worked."""

from __future__ import annotations

from collections.abc import Callable

from krun.loop.events import EventLoop, Handle
from krun.parent.boot import boot_id, boottime_us
from krun.parent.store import Store

LOOK_S = 5.0
"""How often it is looked at: loops count CLOCK_MONOTONIC, which stands still while the machine sleeps."""

AGAIN_S = (1.0, 2.0, 5.0, 10.0, 30.0)
"""After how long a way back that did not work is tried again."""


class Deadline:
    """``due`` is called when the deadline in ``store`` has passed, and again some time after each `failed`."""

    def __init__(self, loop: EventLoop, store: Store, due: Callable[[], None]) -> None:
        self._loop = loop
        self._store = store
        self._due = due
        self._timer: Handle | None = None
        self._asked = False
        self.failures = 0
        """How often the way back did not work."""

    @property
    def passed(self) -> bool:
        """Somebody should have confirmed and has not."""
        confirm = self._store.kept.confirm
        return confirm is not None and not confirm.left_us(boottime_us(), boot_id())

    def watch(self) -> None:
        """Look at the store again: what waits there may have changed."""
        self.cancel()
        confirm = self._store.kept.confirm
        if confirm is None:
            self.failures = 0
            return
        left = confirm.left_us(boottime_us(), boot_id()) / 1e6
        if left:
            self._timer = self._loop.call_later(min(left, LOOK_S), self.watch)
        elif self.failures:
            delay = AGAIN_S[min(self.failures, len(AGAIN_S)) - 1]
            self._timer = self._loop.call_later(delay, self._ask)
        else:
            self._ask()

    def settled(self) -> None:
        """The way back worked, or is no longer wanted."""
        self._asked = False
        self.failures = 0

    def failed(self) -> None:
        """The way back did not work: `watch` will ask for it again."""
        self._asked = False
        self.failures += 1

    def cancel(self) -> None:
        """No more timers."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ask(self) -> None:
        if self.passed and not self._asked:
            self._asked = True
            self._due()
