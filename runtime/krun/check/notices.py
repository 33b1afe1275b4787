"""Telling people and scripts what happened to a pool (keepalived.conf(5): ``notify_up``, ``notify_down``, ``quorum_up``, ``quorum_down``)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from kir.model import RealServer, Script, VirtualServer
from krun.check.identity import subject
from krun.check.limit import LimitedLog
from krun.check.pool import News, QuorumGained, QuorumLost, ServerDown, ServerUp, WeightChanged
from krun.check.probes import ScriptRunner
from krun.notify.client import ScriptRun

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

    def _say(self, virtual: VirtualServer, item: News, reason: Reasons) -> None:
        say = self._log
        if isinstance(item, ServerUp):
            if not item.initial:
                say(logging.INFO, "%s up", subject(virtual, item.server))
        elif isinstance(item, ServerDown):
            if item.removed:
                say(logging.INFO, "%s removed", subject(virtual, item.server))
            else:
                still = "still down" if item.confirmed else "down"
                say(logging.WARNING, "%s %s: %s", subject(virtual, item.server), still, reason(item.server))
        elif isinstance(item, WeightChanged):
            say(logging.INFO, "%s weight %d -> %d", subject(virtual, item.server), item.old, item.new)
        elif isinstance(item, QuorumGained):
            after = "; the sorry server leaves" if virtual.sorry_server is not None else ""
            if not item.initial:
                say(
                    logging.INFO,
                    "%s has its quorum: weight %d of %d%s",
                    virtual.name,
                    item.weight,
                    item.threshold,
                    after,
                )
        else:
            begins = "starts without its quorum" if item.initial else "lost its quorum"
            sorry = virtual.sorry_server
            after = f"; sorry server {sorry.identity} takes over" if sorry is not None else ""
            say(
                logging.WARNING,
                "%s %s: weight %d of %d%s",
                virtual.name,
                begins,
                item.weight,
                item.threshold,
                after,
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
