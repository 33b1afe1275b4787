"""What the checks of a process found and what the pools decided on it, remembered (`krun.record.ring`)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from kir.model import Config, VirtualServer
from kir.state import DestKey
from krun.check import machine
from krun.check.notices import event_of
from krun.check.outcome import Outcome
from krun.check.pool import News
from krun.check.roster import Roster
from krun.check.runner import Runner
from krun.loop.books import Books, Entry
from krun.record.ring import OUTPUT, Ring

RELOAD_WORTH = 8
"""A reload keeps a whole configuration in memory: as many of them as this fill the ring."""

LARGE = 5000
"""Checks. With more of them a reload forgets what was before it: the old configuration would stay in memory."""

Hands = list[tuple[str, list[tuple[DestKey, int]]]]
"""Weights that an operator set, by virtual server."""


class SavedPool(msgspec.Struct, frozen=True):
    """A virtual server's quorum, and the weights that an operator set; who is up follows from the checks."""

    name: str
    quorum_up: bool
    overlays: list[tuple[DestKey, int]]


class SavedChecks(msgspec.Struct, frozen=True):
    """All that pools and checks remember. ``checks``: by `krun.check.runner.Runner.promise_key`."""

    pools: list[SavedPool]
    checks: list[tuple[str, machine.State]]


INPUTS: dict[str, Any] = {
    "start": tuple[str],
    "due": tuple[str],
    "finished": tuple[str, Outcome],
    "suspend": tuple[str],
    "resume": tuple[str],
    "overlays": tuple[Hands],
    "reload": tuple[Hands],
}
"""What is told, and the types of what comes with it. Before all else of a ``reload`` comes its configuration; in a file, its number."""

DRAWN = "drawn"
"""An entry after an input: a number that was drawn for it."""

_KINDS: dict[type, str] = {
    machine.Start: "start",
    machine.Due: "due",
    machine.Suspend: "suspend",
    machine.Resume: "resume",
}


def save(roster: Roster) -> tuple[SavedChecks, int]:
    """Between two inputs; and what that is worth, in messages."""
    pools = [
        SavedPool(
            member.virtual.name,
            member.pool.quorum_up,
            [(key, s.overlay) for key, s in member.pool.servers.items() if s.overlay is not None],
        )
        for member in roster.members.values()
    ]
    checks = [(runner.told_as, runner.state) for runner in roster.runners()]
    return SavedChecks(pools, checks), 2 * len(checks) + len(pools)


class CheckRecorder:
    """Begins with what ``roster`` is; ``rng`` is what its machines draw from, `random` what they are to draw from instead."""

    def __init__(
        self,
        roster: Roster,
        config: Config,
        digest: str,
        limit: int,
        clock: Callable[[], int],
        rng: random.Random,
    ) -> None:
        self._roster = roster
        self._config, self._digest = config, digest
        self._clock = clock
        self.random = _Drawing(rng, self)
        self.ring = Ring(limit, self._snapshot, self._snapshot()[0])

    def _snapshot(self) -> tuple[Any, int]:
        saved, worth = save(self._roster)
        return (self._config, self._digest, saved), worth

    def books(self) -> Books:
        """What it owns (`krun.loop.books`)."""
        yield Entry("recording", "what the checks found", self.ring)

    # -- inputs

    def fed(self, runner: Runner, event: machine.Event, now: int) -> None:
        """An event is about to be given to a check's machine."""
        ring = self.ring
        ring.breathe()
        if type(event) is machine.Finished:
            entry: tuple[Any, ...] = ("finished", runner.told_as, event.outcome)
        else:
            entry = (_KINDS[type(event)], runner.told_as)
        ring.again(now, entry, entry)

    def overlays(self, weights: Iterable[tuple[VirtualServer, Mapping[DestKey, int]]]) -> None:
        """An operator's hand: these weights count, and no others."""
        self.ring.breathe()
        self.ring.once(self._clock(), ("overlays", _hands(weights)))

    def reload(
        self, config: Config, digest: str, weights: Iterable[tuple[VirtualServer, Mapping[DestKey, int]]]
    ) -> None:
        """Pools and checks are about to become those of ``config``."""
        self.ring.breathe()
        entry = ("reload", (config, digest), _hands(weights))
        self.ring.once(self._clock(), entry, self.ring.limit // RELOAD_WORTH)

    def reloaded(self, config: Config, digest: str, news: Iterable[tuple[VirtualServer, list[News]]]) -> None:
        """They have become that."""
        for virtual, items in news:
            self.news(virtual, items)
        large = sum(1 for _ in self._roster.runners()) > LARGE
        self._config, self._digest = config, digest
        if large:
            self.ring.forget()

    # -- outputs

    def acted(self, action: machine.Action) -> None:
        """What a machine wants, where that is more than to ask again."""
        decision = plain_action(action)
        if decision is not None:
            self.ring.once(self._clock(), (OUTPUT, decision))

    def news(self, virtual: VirtualServer, items: Iterable[News]) -> None:
        """What follows for a pool."""
        for item in items:
            self.ring.once(self._clock(), (OUTPUT, plain_news(virtual, item)))

    def drawn(self, number: int) -> None:
        self.ring.once(self._clock(), (DRAWN, number))


class _Drawing(random.Random):
    """Draws from another one, and tells what."""

    def __init__(self, rng: random.Random, recorder: CheckRecorder) -> None:
        super().__init__(0)
        self._rng = rng
        self._recorder = recorder

    def randrange(self, *limits: int) -> int:  # type: ignore[override]
        number = self._rng.randrange(*limits)
        self._recorder.drawn(number)
        return number


def _hands(weights: Iterable[tuple[VirtualServer, Mapping[DestKey, int]]]) -> Hands:
    return [(virtual.name, list(found.items())) for virtual, found in weights if found]


def plain_action(action: machine.Action) -> dict[str, Any] | None:
    """A decision of a check's machine as plain data; None for what only its timer is concerned with."""
    if isinstance(action, machine.Judged):
        return {
            "do": "Judged",
            "up": action.up,
            "changed": action.changed,
            "first": action.first,
            "reason": action.reason,
            "tries": action.tries,
        }
    if isinstance(action, machine.Weighed):
        return {"do": "Weighed", "delta": action.delta}
    if isinstance(action, machine.Noted):
        return {"do": "Noted", "text": action.text}
    return None


def plain_news(virtual: VirtualServer, item: News) -> dict[str, Any]:
    """News of a pool as plain data."""
    about = event_of(virtual, item)
    marks = {name: True for name in ("initial", "confirmed", "removed") if getattr(item, name, False)}
    return {
        "do": type(item).__name__,
        "subject": about["event_subject"],
        "data": about["event_data"],
        **marks,
    }
