"""The hello: a question that only a turning event loop can answer."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol

from krun.control.client import TIMED_OUT, Reply
from krun.control.framing import Message
from krun.loop.events import EventLoop, Handle


class Asker(Protocol):
    """Sends a request to the child: `krun.control.client.Conversation.ask`."""

    def __call__(self, request: Message, timeout: float, reply: Reply, /) -> None: ...


class Evidence(Protocol):
    """What was seen of the child since the question: `krun.parent.witness.Witness`."""

    def excused(self) -> bool: ...


CHANCES = 20
"""How often in a row silence can be excused."""


class Watchdog:
    """Says hello to one child every ``period`` seconds and expects its nonce back within ``grace``.

    ``stuck`` is called, once, with the reason when it does not come. ``witness`` is called with each question; where its
    evidence excuses the silence (the machine stood still, or has no time for the child) the question is asked again. While `suspended` (a reload's phase, which
    has a time limit of its own) nothing is asked and nothing held against the child.
    """

    def __init__(
        self,
        loop: EventLoop,
        ask: Asker,
        *,
        period: float,
        grace: float,
        stuck: Callable[[str], None],
        witness: Callable[[], Evidence],
    ) -> None:
        self._loop = loop
        self._ask = ask
        self._period = period
        self._grace = grace
        self._stuck = stuck
        self._witness = witness
        self._excuses = 0
        self._timer: Handle | None = None
        self._round = 0
        self._over = False
        self.suspended = False
        self.last_answer: float | None = None
        """When the child last answered (the loop's time)."""
        self.turned_at = loop.time()
        """When something last happened here: a question, an answer, a verdict."""

    def start(self, grace: float) -> None:
        """Say the first hello; ``grace`` is for that one alone: the child is still starting."""
        self._hello(grace)

    def pace(self, period: float, grace: float) -> None:
        """From the next hello on."""
        self._period = period
        self._grace = grace

    def idle_too_long(self, least: float) -> float:
        """How many seconds nothing has happened, where that is more than it could be while the child is watched (and than ``least``);
        else 0.
        """
        idle = self._loop.time() - self.turned_at
        return idle if idle > max(least, 2 * (self._period + self._grace)) else 0.0

    def cancel(self) -> None:
        """The child is ending, or gone."""
        self._over = True
        if self._timer is not None:
            self._timer.cancel()

    def _next(self) -> None:
        if not self._over:
            self._timer = self._loop.call_later(self._period, lambda: self._hello(self._grace))

    def _hello(self, grace: float, last_chance: bool = False) -> None:
        if self._over:
            return
        self.turned_at = self._loop.time()
        if self.suspended:
            self._next()
            return
        self._round += 1
        nonce = os.urandom(8).hex()
        number = self._round
        evidence = self._witness()

        def answered(message: Message | None, why: str) -> None:
            if self._over or number != self._round:
                return
            self.turned_at = self._loop.time()
            if message is not None and message.get("nonce") == nonce:
                self.last_answer = self._loop.time()
                self._excuses = 0
                self._next()
            elif self.suspended:
                self._next()
            elif (
                message is None
                and why.startswith(TIMED_OUT)
                and self._excuses < CHANCES
                and evidence.excused()
            ):
                self._excuses += 1
                self._hello(grace)
            elif message is None and not why.startswith(TIMED_OUT) and not last_chance:
                # The connection broke: most likely it is ending, and is reaped before this time is over.
                self._timer = self._loop.call_later(grace, lambda: self._hello(grace, last_chance=True))
            else:
                self._over = True
                self._stuck(why if message is None else "it answered hello with another nonce")

        self._ask({"op": "hello", "nonce": nonce}, grace, answered)
