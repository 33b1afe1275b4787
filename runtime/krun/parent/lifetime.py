"""From the first child to the last: what comes before the children, and what comes after them."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Sequence

from kir.codec import Document
from kir.model import Config
from krun.loop.events import EventLoop
from krun.parent import sdnotify
from krun.parent.crew import Crew
from krun.parent.hooks import PATIENCE_S, Hook
from krun.parent.legacy import Heir
from krun.parent.periods import Periods
from krun.parent.slot import Settings, Slot

log = logging.getLogger("krun.parent")

UNSAID_WAIT_US = 5_000_000
"""The default of ``child_wait_time``: then krun's own time for a stop counts, which is the same unless somebody is in a hurry."""


class Lifetime:
    """``config`` gives what runs at the moment."""

    def __init__(
        self,
        loop: EventLoop,
        crew: Crew,
        settings: Settings,
        periods: Periods,
        config: Callable[[], Config],
    ) -> None:
        self._loop = loop
        self._crew = crew
        self._run_dir = settings.run_dir.path
        self._periods = periods
        self._config = config
        self._waits: Callable[[], None] | None = None
        self._hook: Hook | None = None
        self._heirs: dict[str, Heir] = {}

    @property
    def starting(self) -> bool:
        """The startup script is not over: the children do not run yet."""
        return self._waits is not None

    def begin(
        self,
        names: Sequence[str],
        document: Document,
        started: Callable[[], None],
        *,
        heirs: dict[str, Heir] | None = None,
        going_on: bool = False,
    ) -> None:
        """Fork the children ``names``, after the startup script where there is one; then call ``started``.

        ``heirs``: those that are to be succeeded rather than begun; they are taken out of it. ``going_on``: krun was there a moment ago,
        and its adverts are waited for: this is no start, and has no script.
        """
        self._heirs = {} if heirs is None else heirs
        script = document.config.global_defs.startup_script

        def others() -> None:
            self._waits, self._hook = None, None
            for name in names:
                if name not in self._crew.slots:
                    self._fork(name, document)
            started()

        if script is not None and going_on:
            log.info("startup script not run: krun goes on where it was a moment ago")
            script = None
        if script is None:
            others()
            return
        self._waits = others
        self._fork("script", document)

    def _fork(self, name: str, document: Document) -> None:
        """As soon as its modules are there: what the next one needs is not to keep an instance from its adverts."""
        make = self._crew.make(name)
        gc.freeze()  # children share these pages; a collection in one of them would copy them
        self._crew.add(name, make, document, self._heirs.pop(name, None))

    def child_changed(self, slot: Slot) -> None:
        """A child came up, or went into back-off."""
        if self._waits is None or self._hook is not None or slot.name != "script":
            return
        settings = self._config().global_defs
        if slot.state != "running" or settings.startup_script is None:
            log.error("startup script not run: there is no script process (%s)", slot.problem)
            self._waits()
            return
        self._hook = Hook(
            self._loop,
            self._run_dir,
            "startup script",
            settings.startup_script,
            settings.startup_script_timeout_us,
            self._waits,
        )
        _extend(settings.startup_script_timeout_us)

    def wait_s(self) -> float:
        """How long the children may take to stop, all together."""
        said = self._config().global_defs.child_wait_time_us
        return self._periods.stop if said == UNSAID_WAIT_US else said / 1e6

    def stop(self, ended: Callable[[], None]) -> None:
        """Stop all children, run the shutdown script, and call ``ended`` when no process is left."""
        if self._hook is not None:
            self._hook.cancel()  # with it the startup script
        self._waits, self._hook = None, None
        self._crew.stop(ended, self.wait_s(), self._shut_down)

    def _shut_down(self, done: Callable[[], None]) -> None:
        """The last child but the script process is gone."""
        settings = self._config().global_defs
        script = settings.shutdown_script
        if script is None:
            done()
            return
        timeout_us = settings.shutdown_script_timeout_us
        _extend(timeout_us)
        self._hook = Hook(self._loop, self._run_dir, "shutdown script", script, timeout_us, done)


def _extend(timeout_us: int) -> None:
    """Tell the service manager (sd_notify(3)) that this takes as long as the configuration allows."""
    sdnotify.notify(f"EXTEND_TIMEOUT_USEC={timeout_us + int((PATIENCE_S + 5.0) * 1e6)}")
