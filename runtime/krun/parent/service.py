"""What the service manager hears of krun (sd_notify(3)): that it is ready, that it really supervises, and one line on how things are."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from krun.control.client import Reply
from krun.control.framing import Message
from krun.loop.events import EventLoop
from krun.parent import sdnotify
from krun.parent.crew import Crew
from krun.parent.slot import Slot

log = logging.getLogger("krun.parent")

LOOK_S = 5.0
"""How often the children are asked for the status line while nothing changes."""

SOON_S = 1.0
"""And how soon again when it did."""


class Service:
    """The parent's word to systemd; silent where nobody listens.

    ``digest``: of what runs. ``waiting``: whether a reload waits for its confirmation.
    """

    def __init__(
        self,
        loop: EventLoop,
        crew: Crew,
        digest: Callable[[], str],
        waiting: Callable[[], bool],
        timeout_s: float,
        look_s: float = LOOK_S,
    ) -> None:
        self._loop = loop
        self._crew = crew
        self._digest = digest
        self._waiting = waiting
        self._timeout_s = timeout_s
        self._look_s = look_s
        self._every_s = 0.0
        self._neglected = ""
        self._said = ""
        self._changed = True
        self._over = False

    def start(self) -> None:
        """The children are about to be forked."""
        if not sdnotify.wanted():
            return
        span = sdnotify.watchdog_s()
        if span:
            # Three in each span: one that is lost on a full socket, or late on a busy machine, is no death.
            self._every_s = span / 3
            self._live()
        self._loop.call_later(min(SOON_S, self._look_s), self._look)

    def ready(self) -> None:
        """The start is over, or a reload. The status line follows at once."""
        sdnotify.ready()
        self._ask()

    def stopping(self, longest_s: float) -> None:
        """The orderly stop begins; the watchdog is told until its end."""
        self._over = True
        sdnotify.stopping(longest_s)

    # -- watchdog

    def _live(self) -> None:
        """systemd hears that krun lives while its loop turns *and* every child is watched: one without the other is no supervision."""
        neglected = "; ".join(
            f"{slot.name}: {why}" for slot in self._crew.everyone if (why := slot.neglected)
        )
        if not neglected:
            sdnotify.notify("WATCHDOG=1")
        elif neglected != self._neglected:
            log.critical(
                "krun does not supervise as it should, so systemd's watchdog is not told: %s", neglected
            )
        self._neglected = neglected
        self._loop.call_later(self._every_s, self._live)

    # -- status line

    def _look(self) -> None:
        if not self._over:
            soon, self._changed = self._changed, False
            self._ask()
            self._loop.call_later(min(SOON_S, self._look_s) if soon else self._look_s, self._look)

    def _ask(self) -> None:
        if not sdnotify.wanted() or self._over:
            return
        said: dict[str, Mapping[str, Any]] = {}
        slots = list(self._crew.slots.values())
        left = {slot.name for slot in slots}

        def on_reply(slot: Slot) -> Reply:
            def answered(message: Message | None, _why: str) -> None:
                said[slot.name] = (message or {}).get("summary") or {}
                left.discard(slot.name)
                if not left:
                    self._say(line(said, {s.name: s.state for s in slots}, self._digest(), self._waiting()))

            return answered

        if not slots:
            self._say(line({}, {}, self._digest(), self._waiting()))
        for slot in slots:
            slot.conversation.ask({"op": "summary"}, self._timeout_s, on_reply(slot))

    def _say(self, words: str) -> None:
        if words != self._said and not self._over:
            self._said, self._changed = words, True
            sdnotify.notify(f"STATUS={words}")


def line(
    said: Mapping[str, Mapping[str, Any]], states: Mapping[str, str], digest: str, waiting: bool = False
) -> str:
    """``2 instances: 1 MASTER, 1 BACKUP; 30000/30000 servers up; ir sha256:abc…``. ``said``: the summary of each process, ``states``:
    what the parent knows of it.
    """
    parts = []
    roles = said.get("vrrp", {}).get("instances", {})
    if roles:
        count = sum(roles.values())
        each = ", ".join(f"{roles[role]} {role}" for role in sorted(roles, key=_weight))
        parts.append(f"{count} instance{'' if count == 1 else 's'}: {each}")
    check = said.get("check", {})
    if "servers" in check:
        parts.append(f"{check['up']}/{check['servers']} servers up")
    if check.get("without_quorum"):
        parts.append(f"{check['without_quorum']} virtual servers without quorum")
    parts += [
        f"{name} process {state}" for name, state in states.items() if state not in ("running", "stopping")
    ]
    parts += [
        f"{name} process does not answer"
        for name, state in states.items()
        if state == "running" and not said.get(name) and name != "script"
    ]
    if waiting:
        parts.append("waits for `krunctl confirm`")
    parts.append(f"ir {digest[:19]}")
    return "; ".join(parts)


def _weight(role: str) -> tuple[int, str]:
    order = ("MASTER", "BACKUP")
    return (order.index(role) if role in order else len(order), role)
