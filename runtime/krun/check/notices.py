"""Telling people and scripts what happened to a pool (keepalived.conf(5): ``notify_up``, ``notify_down``, ``quorum_up``, ``quorum_down``)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from kir.model import RealServer, Script, VirtualServer
from krun.check.identity import subject
from krun.check.limit import LimitedLog
from krun.check.pool import News, QuorumGained, QuorumLost, ServerDown, ServerUp, WeightChanged
from krun.check.probes import ScriptRunner
from krun.control.events import event
from krun.notify.client import ScriptRun

log = logging.getLogger("krun.check")

PATIENCE_US = 600_000_000
"""A notify script that has not ended after ten minutes is killed: those of the same server wait behind it."""
STOP_PATIENCE_US = 1_000_000
"""What scripts get that are run because the daemon stops."""

Reasons = Callable[[RealServer], str]


class Notices:
    """Logs news and runs the scripts for them. Scripts of one server (or of one quorum) run one after the other, in order."""

    def __init__(self, scripts: ScriptRunner, limited: LimitedLog) -> None:
        self._scripts = scripts
        self._log = limited

    def tell(self, virtual: VirtualServer, news: Iterable[News], reason: Reasons) -> None:
        """Log and run scripts; ``reason`` says why a server is down."""
        for item in news:
            self._say(virtual, item, reason)
            found = script_of(virtual, item)
            if found is not None:
                script, queue = found
                # Nobody waits for the result: so the script goes on even if this process should die.
                self._scripts.run(
                    ScriptRun(script.argv, script.account, PATIENCE_US, f"{queue}: {script.argv[0]}", queue)
                )

    def farewell(self, virtual: VirtualServer, news: Iterable[News], done: Callable[[], None]) -> int:
        """Run the scripts of a stop (``omega``); ``done`` is called once for each. Returns how many there are."""
        count = 0
        for item in news:
            found = script_of(virtual, item)
            if found is None:
                continue
            script, queue = found
            spec = ScriptRun(
                script.argv, script.account, STOP_PATIENCE_US, f"{queue}: {script.argv[0]}", queue
            )
            self._scripts.run(spec, lambda _result: done())
            count += 1
        return count

    async def last_words(self, leaving: Iterable[tuple[VirtualServer, list[News]]]) -> None:
        """The scripts of a stop, waited for as long as they may take."""
        left = 0
        done = asyncio.Event()

        def one_done() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                done.set()

        for virtual, news in leaving:
            left += self.farewell(virtual, news, one_done)
        if left > 0:
            try:
                await asyncio.wait_for(done.wait(), STOP_PATIENCE_US / 1e6 + 0.5)
            except TimeoutError:
                log.warning("%d notify scripts had not ended at the stop", left)

    def _say(self, virtual: VirtualServer, item: News, reason: Reasons) -> None:
        said = words_of(virtual, item, reason)
        if said is not None:
            self._log(said[0], "%s", said[1], about=event_of(virtual, item))


def words_of(virtual: VirtualServer, item: News, reason: Reasons) -> tuple[int, str] | None:
    """Log level and line for an event; None for one that is no news to a reader."""
    if isinstance(item, ServerUp):
        return None if item.initial else (logging.INFO, f"{subject(virtual, item.server)} up")
    if isinstance(item, ServerDown):
        if item.removed:
            return logging.INFO, f"{subject(virtual, item.server)} removed"
        still = "still down" if item.confirmed else "down"
        return logging.WARNING, f"{subject(virtual, item.server)} {still}: {reason(item.server)}"
    if isinstance(item, WeightChanged):
        return logging.INFO, f"{subject(virtual, item.server)} weight {item.old} -> {item.new}"
    sorry = virtual.sorry_server
    if isinstance(item, QuorumGained):
        after = "; the sorry server leaves" if sorry is not None else ""
        text = f"{virtual.name} has its quorum: weight {item.weight} of {item.threshold}{after}"
        return None if item.initial else (logging.INFO, text)
    begins = "starts without its quorum" if item.initial else "lost its quorum"
    after = f"; sorry server {sorry.identity} takes over" if sorry is not None else ""
    return logging.WARNING, f"{virtual.name} {begins}: weight {item.weight} of {item.threshold}{after}"


def event_of(virtual: VirtualServer, item: News) -> dict[str, Any]:
    """The typed event of news: ``check.server``, ``check.weight`` or ``check.quorum``."""
    name = virtual.name
    if isinstance(item, (ServerUp, ServerDown)):
        about, server = subject(virtual, item.server), item.server.identity
        up = isinstance(item, ServerUp)
        state = "up" if up else "removed" if isinstance(item, ServerDown) and item.removed else "down"
        return event("check.server", about, virtual_server=name, real_server=server, state=state)
    if isinstance(item, WeightChanged):
        about, server = subject(virtual, item.server), item.server.identity
        return event(
            "check.weight", about, virtual_server=name, real_server=server, old=item.old, new=item.new
        )
    state = "up" if isinstance(item, QuorumGained) else "down"
    return event(
        "check.quorum",
        name,
        virtual_server=name,
        state=state,
        weight=item.weight,
        threshold=item.threshold,
    )


def script_of(virtual: VirtualServer, item: News) -> tuple[Script, str] | None:
    """Which script an event runs, and the name of the queue that keeps its order."""
    if isinstance(item, (ServerUp, ServerDown)):
        script = item.server.notify_up if isinstance(item, ServerUp) else item.server.notify_down
        queue = subject(virtual, item.server)
    elif isinstance(item, (QuorumGained, QuorumLost)):
        script = virtual.quorum_up if isinstance(item, QuorumGained) else virtual.quorum_down
        queue = virtual.name
    else:
        return None
    return (script, queue) if script is not None else None
