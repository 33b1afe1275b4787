"""The parent's part in overlays: it checks who asks for what, keeps them in the store, ends them in time, and tells the checker process.

The checker process is told the whole list each time, and a new one is born with it: so there is no way for the two to disagree for
longer than a message takes, whoever is killed when.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from kir.model import Config
from krun.control import overlays
from krun.control.access import who
from krun.control.events import event
from krun.control.framing import Message
from krun.control.overlays import Overlay
from krun.control.server import Answer
from krun.loop.events import EventLoop, Handle
from krun.parent.boot import boot_id, boottime_us
from krun.parent.crew import Crew
from krun.parent.store import Store, StoreError

log = logging.getLogger("krun.parent")

LOOK_S = 5.0
"""How often the next end is looked at: loops count CLOCK_MONOTONIC, which stands still while the machine sleeps."""

APPLY_S = 10.0
"""How long the checker process may take to bring overlays into effect before the asker is told that it is late."""

CHECKER = "check"


class Overlays:
    """``config`` gives the configuration that runs."""

    def __init__(self, loop: EventLoop, crew: Crew, store: Store, config: Callable[[], Config]) -> None:
        self._loop = loop
        self._crew = crew
        self._store = store
        self._config = config
        self._look: Handle | None = None

    def start(self) -> None:
        """The loop is about to run: overlays end in time from now on."""
        self._watch()

    # -- requests

    def set(self, request: Message, answer: Answer) -> None:
        """``service``, ``server``, ``weight``, ``for_us``, ``reason``. Raises ValueError with words for the user."""
        new = overlays.make(
            self._config(),
            request,
            by=who(request.get("peer")),
            now_us=boottime_us(),
            boot=boot_id(),
            epoch=time.time(),
        )
        found, replaced = overlays.put(self._current(), new)
        self._keep(found)
        log.warning(
            "overlay on %s: %s until %s, by %s%s%s",
            new.target,
            new.words,
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(new.until)),
            new.by,
            f": {new.reason}" if new.reason else "",
            f" (before: {replaced.words}, by {replaced.by})" if replaced is not None else "",
            extra=event("overlay.set", new.target),
        )
        plain = overlays.encode((new,))[0]
        self._tell(answer, {"overlay": plain, "replaced": replaced is not None})

    def unset(self, request: Message, answer: Answer) -> None:
        """``service``, ``server`` (absent: all of the service's). Raises ValueError with words for the user."""
        server = request.get("server")
        found, gone = overlays.take_away(
            self._current(),
            self._config(),
            str(request.get("service", "")),
            None if server is None else str(server),
        )
        self._keep(found)
        by = who(request.get("peer"))
        for overlay in gone:
            log.warning(
                "overlay on %s (%s, by %s) taken away by %s",
                overlay.target,
                overlay.words,
                overlay.by,
                by,
                extra=event("overlay.unset", overlay.target),
            )
        self._tell(answer, {"removed": list(overlays.encode(gone))})

    def status(self) -> list[dict[str, Any]]:
        """For the state document."""
        return overlays.status(self._current(), self._config(), boottime_us(), boot_id())

    # -- keeping

    def _current(self) -> list[Overlay]:
        """Those that have not ended."""
        try:
            kept = overlays.decode(self._store.kept.overlays)
        except ValueError as error:
            log.error("overlays in the store that this release does not understand are given up: %s", error)
            self._store.update(overlays=())
            return []
        now, boot = boottime_us(), boot_id()
        return [overlay for overlay in kept if overlays.left_us(overlay, now, boot)]

    def _keep(self, found: Sequence[Overlay]) -> None:
        """Raises ValueError where an overlay would not survive: one that may be lost silently is none."""
        try:
            self._store.require(overlays=overlays.encode(found))
        except StoreError as error:
            raise ValueError(f"it cannot be kept, so nothing was changed: {error}") from None
        self._watch()

    def _tell(self, answer: Answer | None, reply: Message) -> None:
        """Give the checker process the list, and whoever asked what came of it."""
        slot = self._crew.slots.get(CHECKER)
        request: Message = {"op": "overlays", "overlays": list(self._store.kept.overlays)}

        def said(message: Message | None, why: str) -> None:
            if answer is None:
                return
            if message is not None and message.get("ok"):
                answer({"ok": True, **reply, "done": message.get("done") or {}})
                return
            reason = why if message is None else str(message.get("error"))
            warning = f"kept, but the checker process has not brought it into effect yet ({reason})"
            answer({"ok": True, **reply, "warning": warning})

        if slot is None or not slot.pid:
            said(None, "it does not run at the moment; it starts with it")
        else:
            slot.conversation.ask(request, APPLY_S, said)

    # -- time

    def _watch(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None
        current = self._current()
        if len(current) != len(self._store.kept.overlays):
            self._ended(current)
        if current:
            now, boot = boottime_us(), boot_id()
            left = min(overlays.left_us(overlay, now, boot) for overlay in current) / 1e6
            self._look = self._loop.call_later(min(left + 0.001, LOOK_S), self._watch)

    def _ended(self, current: Sequence[Overlay]) -> None:
        for overlay in overlays.decode(self._store.kept.overlays):
            if overlay not in current:
                log.warning(
                    "overlay on %s (%s, by %s) has ended",
                    overlay.target,
                    overlay.words,
                    overlay.by,
                    extra=event("overlay.ended", overlay.target),
                )
        self._store.update(overlays=overlays.encode(current))
        self._tell(None, {})
