"""Letters that wait: which goes next and when, what becomes of one that was not taken. Pure: time comes in, nothing is sent here.

What belongs to a letter (its recipients' mailbox is full, a grey list) makes that letter wait, twice as long each time. What belongs to
the server (it cannot be reached, it talks nonsense) makes all wait, and then one goes ahead to see.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from krun.notify.mail.addresses import Mailbox
from krun.notify.mail.letter import Alert
from krun.notify.mail.session import Outcome, Refusal

LIMIT = 1000
"""The most letters that wait: the oldest goes when one more comes."""
AT_ONCE = 4
"""Connections at the same time."""
FIRST_PAUSE_US = 1_000_000
LONGEST_PAUSE_US = 60_000_000
PATIENCE_US = 30 * 60 * 1_000_000
"""A letter older than this is given up when it fails: nobody wants to hear in the evening what was down in the morning."""
SAY_US = 10_000_000
"""How often at most it is said that letters are dropped."""

Say = Callable[[int, str], None]


@dataclass(slots=True, eq=False)
class Waiting:
    """A letter on its way. ``to``: who is still to get it. ``since`` and ``not_before``: microseconds of the caller's clock."""

    alert: Alert
    to: tuple[Mailbox, ...]
    since: int
    attempts: int = 0
    not_before: int = 0


@dataclass(slots=True)
class Counts:
    """Since the start of the process. ``sent``: letters that all or some recipients got; ``failed``: letters with a recipient that was
    refused or given up; ``dropped``: never tried to the end, for want of room or time; ``retries``: further attempts.
    """

    sent: int = 0
    failed: int = 0
    dropped: int = 0
    retries: int = 0


class Queue:
    """``say`` gets log lines: level and text."""

    def __init__(self, say: Say, limit: int = LIMIT, at_once: int = AT_ONCE) -> None:
        self.counts = Counts()
        self.under_way: set[Waiting] = set()
        self.problem = ""
        self._say = say
        self._limit = limit
        self._at_once = at_once
        self._letters: deque[Waiting] = deque()
        self._pause_until = 0
        self._failures = 0
        self._dropped_said: int | None = None
        self._dropped_before = 0

    def __len__(self) -> int:
        """How many wait, without those under way."""
        return len(self._letters)

    def all(self) -> list[Waiting]:
        """Those that wait, and those under way."""
        return [*self._letters, *self.under_way]

    def add(self, alert: Alert, to: tuple[Mailbox, ...], now: int) -> None:
        """One more letter."""
        self._letters.append(Waiting(alert, to, now))
        self._shorten(now)

    def next(self, now: int) -> Waiting | None:
        """The letter to send now, from here on under way; None: nothing to do until `wake`, or until one under way has `ended`."""
        if now < self._pause_until or len(self.under_way) >= self._room:
            return None
        for letter in self._letters:
            if letter.not_before <= now:
                self._letters.remove(letter)
                self.under_way.add(letter)
                if letter.attempts:
                    self.counts.retries += 1
                letter.attempts += 1
                return letter
        return None

    def wake(self) -> int | None:
        """When `next` may have something; None: not before one under way has ended, or another comes."""
        if not self._letters or len(self.under_way) >= self._room:
            return None
        return max(self._pause_until, min(letter.not_before for letter in self._letters))

    def ended(self, letter: Waiting, outcome: Outcome, now: int) -> None:
        """What became of a letter under way."""
        self.under_way.discard(letter)
        subject = letter.alert.subject
        if outcome.broken:
            self.server_failed(outcome.broken, now)
        else:
            self.server_works()
        if outcome.delivered:
            self.counts.sent += 1
        failed = bool(outcome.refused)
        if outcome.refused:
            self._say(logging.ERROR, f"mail `{subject}` refused for {_names(outcome.refused)}")
        if outcome.later:
            again = {refusal.recipient for refusal in outcome.later}
            letter.to = tuple(one for one in letter.to if one.address in again)
            if now - letter.since >= PATIENCE_US:
                failed = True
                self._say(
                    logging.ERROR,
                    f"mail `{subject}` given up after {letter.attempts} attempts: {outcome.later[0].why}",
                )
            else:
                if not outcome.broken:
                    letter.not_before = now + _pause(letter.attempts)
                    if letter.attempts == 1:
                        why = _names(outcome.later)
                        self._say(logging.WARNING, f"mail `{subject}` is tried again for {why}")
                self._letters.appendleft(letter)
                self._shorten(now)
        self.counts.failed += failed

    def server_failed(self, why: str, now: int) -> None:
        """The server cannot be used: all wait. Failures of connections that were open together count as one."""
        if now >= self._pause_until:
            self._failures += 1
            self._pause_until = now + _pause(self._failures)
        if not self.problem:
            self._say(logging.WARNING, f"mail waits: {why}; tried again")
        self.problem = why
        old = [letter for letter in self._letters if now - letter.since >= PATIENCE_US]
        if old:
            self.counts.failed += len(old)
            self._letters = deque(letter for letter in self._letters if now - letter.since < PATIENCE_US)
            self._say(
                logging.ERROR, f"{len(old)} mails given up after {PATIENCE_US // 60_000_000} min: {why}"
            )

    def server_works(self) -> None:
        """Nothing is in the way any more."""
        if self._failures:
            self._say(logging.INFO, f"mail goes again; {len(self._letters)} waited")
        self._failures = 0
        self._pause_until = 0
        self.problem = ""

    def forget(self, why: str) -> None:
        """Nobody will send what waits."""
        if self._letters:
            self._say(logging.WARNING, f"{len(self._letters)} mails not sent: {why}")
        self.counts.dropped += len(self._letters)
        self._dropped_before += len(self._letters)
        self._letters.clear()

    def hurry(self) -> None:
        """No more pauses: this is the last chance."""
        self._pause_until = 0
        self._failures = 0
        for letter in self._letters:
            letter.not_before = 0

    @property
    def _room(self) -> int:
        return self._at_once if not self._failures else 1

    def _shorten(self, now: int) -> None:
        """Drop the oldest where there are too many; said now and then, with how many it were."""
        while len(self._letters) > self._limit:
            self._letters.popleft()  # those that wait for another attempt are put in front, so this is the oldest
            self.counts.dropped += 1
        new = self.counts.dropped - self._dropped_before
        if new and (self._dropped_said is None or now - self._dropped_said >= SAY_US):
            self._dropped_said, self._dropped_before = now, self.counts.dropped
            self._say(logging.ERROR, f"more than {self._limit} mails wait: {new} of the oldest dropped")


def _names(refusals: tuple[Refusal, ...]) -> str:
    """One line a letter, however many recipients it has."""
    shown = "; ".join(f"{refusal.recipient}: {refusal.why}" for refusal in refusals[:3])
    return shown if len(refusals) <= 3 else f"{shown}; and {len(refusals) - 3} more"


def _pause(attempts: int) -> int:
    return int(min(FIRST_PAUSE_US << min(attempts - 1, 20), LONGEST_PAUSE_US))
