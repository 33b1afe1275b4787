"""Telling people and scripts what happened to a pool (keepalived.conf(5): ``notify_up``, ``notify_down``, ``quorum_up``, ``quorum_down``)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from kir.model import Config, RealServer, Script, VirtualServer
from krun.check.identity import subject
from krun.check.limit import LimitedLog
from krun.check.pool import News, Pool, QuorumGained, QuorumLost, ServerDown, ServerUp, WeightChanged
from krun.check.probes import ScriptRunner
from krun.control.events import event
from krun.notify.client import ScriptRun
from krun.notify.told import Told

log = logging.getLogger("krun.check")

TIMEOUT_US = 600_000_000
"""A notify script that has not ended after ten minutes is killed."""
PATIENCE_US = 60_000_000
"""How long one may still go on when the next of the same server waits."""
STOP_PATIENCE_US = 1_000_000
"""What scripts get that are run because the daemon stops."""

Reasons = Callable[[RealServer], str]


class Notices:
    """Logs news and runs the scripts for them. Scripts of one server (or of one quorum) run one after the other, in order, and one whose
    news are not true any more when its turn comes is left out. ``told``: what was told before, by a predecessor too.
    """

    def __init__(self, scripts: ScriptRunner, limited: LimitedLog, told: Told) -> None:
        self._scripts = scripts
        self._log = limited
        self._told = told
        self._pipes = False

    def follow(self, config: Config) -> None:
        """From now on this configuration counts."""
        settings = config.global_defs
        self._pipes = settings.notify_fifo is not None or settings.lvs_notify_fifo is not None

    def tell(self, virtual: VirtualServer, news: Iterable[News], reason: Reasons) -> None:
        """Log and run scripts; ``reason`` says why a server is down."""
        for item in news:
            self._say(virtual, item, reason)
            queue, word = self._subject(virtual, item)
            if queue and not self._told.again(queue, word):
                self._run(virtual, item, queue, word)

    def catch_up(self, virtual: VirtualServer, pool: Pool) -> None:
        """A predecessor may have died before it told anybody what it had found out."""
        items: list[News] = [ServerUp(s.real) if s.up else ServerDown(s.real) for s in pool.servers.values()]
        items.append(QuorumGained(0, 0) if pool.quorum_up else QuorumLost(0, 0))
        for item in items:
            queue, word = self._subject(virtual, item)
            if queue and self._told.last(queue) not in ("", word):
                self._run(virtual, item, queue, word)

    def farewell(self, virtual: VirtualServer, news: Iterable[News], done: Callable[[], None]) -> int:
        """Run the scripts of a stop (``omega``); ``done`` is called once for each. Returns how many there are."""
        count = 0
        for item in news:
            queue, word = self._subject(virtual, item)
            if queue and self._run(virtual, item, queue, word, done):
                count += 1
        return count

    def _subject(self, virtual: VirtualServer, item: News) -> tuple[str, str]:
        """What news are about, and what they say of it; empty where no script hears of it."""
        if script_of(virtual, item) is None and not (self._pipes and line_of(virtual, item)):
            return "", ""
        return about(virtual, item), "UP" if isinstance(item, (ServerUp, QuorumGained)) else "DOWN"

    def _run(
        self,
        virtual: VirtualServer,
        item: News,
        queue: str,
        word: str,
        done: Callable[[], None] | None = None,
    ) -> bool:
        """Whether there is a script whose end may be waited for."""
        script = script_of(virtual, item)
        number = self._told.number(queue)
        if self._pipes:
            self._scripts.line("lvs", line_of(virtual, item))
        if script is None:
            if done is None:
                self._told.tell(queue, number, word)
            return False
        server = item.server.identity if isinstance(item, (ServerUp, ServerDown)) else ""
        facts = [
            ("KRUN_KIND", "RS" if server else "VS"),
            ("KRUN_NAME", queue),
            ("KRUN_VIRTUAL_SERVER", virtual.name),
            ("KRUN_STATE", word),
            ("KRUN_BEFORE", self._told.last(queue)),
            ("KRUN_SEQUENCE", str(number)),
        ]
        if server:
            facts.append(("KRUN_REAL_SERVER", server))
        run = ScriptRun(
            script.argv,
            script.account,
            TIMEOUT_US if done is None else STOP_PATIENCE_US,
            f"notify script of {queue} ({word})",
            queue=queue,
            topic="state",
            sequence=number,
            patience_us=PATIENCE_US if done is None else STOP_PATIENCE_US,
            facts=tuple(facts),
        )
        if done is None:
            # Nobody waits for the result: so the script goes on even if this process should die.
            self._scripts.run(run, taken=partial(self._told.tell, queue, number, word))
        else:
            self._scripts.run(run, lambda _result: done())
        return True

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
    if item.removed:
        return logging.INFO, f"{virtual.name} removed"
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
    state = "up" if isinstance(item, QuorumGained) else "removed" if item.removed else "down"
    return event(
        "check.quorum",
        name,
        virtual_server=name,
        state=state,
        weight=item.weight,
        threshold=item.threshold,
    )


def script_of(virtual: VirtualServer, item: News) -> Script | None:
    """Which script an event runs."""
    if isinstance(item, ServerUp):
        return item.server.notify_up
    if isinstance(item, ServerDown):
        return item.server.notify_down
    if isinstance(item, QuorumGained):
        return virtual.quorum_up
    return virtual.quorum_down if isinstance(item, QuorumLost) else None


def about(virtual: VirtualServer, item: News) -> str:
    """Whom an event is about: the name of the queue that keeps the order of its scripts."""
    return subject(virtual, item.server) if isinstance(item, (ServerUp, ServerDown)) else virtual.name


def line_of(virtual: VirtualServer, item: News) -> str:
    """What the pipes get; empty for news that are not for them. keepalived 2.4 writes a NUL octet behind the line feed, 2.2 did not,
    its manual knows nothing of it, and neither does this.
    """
    service = virtual.services[0]
    group, _, named = virtual.name.partition(" ")
    if group == "group":
        text = f"[{named.rpartition(' ')[0] or named}]:0"
    elif service.fwmark:
        text = f"FWM {service.fwmark}"
    else:
        text = f"[{service.address}]:{service.protocol}:{service.port}"
    if isinstance(item, (ServerUp, ServerDown)):
        word = "UP" if isinstance(item, ServerUp) else "DOWN"
        kind = "none" if service.fwmark else service.protocol
        return f"RS [{item.server.address}]:{kind}:{item.server.port} {text} {word}\n"
    if isinstance(item, (QuorumGained, QuorumLost)):
        return f"VS {text} {'UP' if isinstance(item, QuorumGained) else 'DOWN'}\n"
    return ""
