"""A recording of a checker process run again: the same results of checks to the machines and pools of this release."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from kir.state import DestKey
from krun.check import machine
from krun.check.limit import LimitedLog, Slots
from krun.check.outcome import Outcome
from krun.check.pool import News
from krun.check.probes import Environment
from krun.check.recorded import DRAWN, INPUTS, SavedChecks, plain_action, plain_news
from krun.check.roster import Roster
from krun.check.runner import Runner, Workshop
from krun.record import decisions
from krun.record.file import LoadedPart, Section
from krun.record.moments import Decision, Moment, ReplayError
from krun.record.ring import OUTPUT

_NO_LOG = logging.getLogger("krun.replay")
_NO_LOG.disabled = True


def replay(section: Section) -> Iterator[Moment]:
    """All of ``section``, in order. Raises `ReplayError`, and for a broken file whatever that leads to."""
    player = Player(section)
    for part in section.parts:
        yield from player.part(part)


class _Quiet:
    """In the place of everything that a runner needs and a replay has not: alarms, probes, a log."""

    def at(self, _at_us: int, _callback: Callable[[], None]) -> _Quiet:
        return self

    def cancel(self) -> None: ...

    def start(self) -> None: ...

    def judged(self, _runner: Runner, _judged: machine.Judged) -> None: ...

    def weighed(self, _runner: Runner, _delta: int) -> None: ...

    def remember(self, _runner: Runner) -> None: ...


class _Drawn(random.Random):
    """Gives what was drawn then."""

    def __init__(self) -> None:
        super().__init__(0)
        self.numbers: list[int] = []

    def randrange(self, *_limits: int) -> int:  # type: ignore[override]
        return self.numbers.pop(0) if self.numbers else 0


class Player:
    """``roster``: pools and checks as far as it was played."""

    def __init__(self, section: Section) -> None:
        self._section = section
        self.roster: Roster | None = None
        self._runners: dict[str, Runner] = {}
        self._now = 0
        self._drawn = _Drawn()
        self._astray = False
        self._hands: Mapping[str, Mapping[DestKey, int]] = {}
        self._steady: dict[str, Outcome] = {}

    def part(self, part: LoadedPart) -> Iterator[Moment]:
        """Run one part. Raises what a broken file leads to."""
        if self.roster is None or self._astray:
            self._restore(part)
        waiting: tuple[int, int] | None = None
        then: list[Decision] = []
        inputs: dict[int, tuple[str, Sequence[Any]]] = {}
        for at, place in part.steps:
            entry = part.entries[place]
            if entry[0] == OUTPUT:
                then.append(entry[1])
            elif entry[0] == DRAWN:
                self._drawn.numbers.append(int(entry[1]))
            else:
                if waiting is not None:
                    yield self._moment(*waiting, inputs, part, then)
                waiting, then = (at, place), []
                self._drawn.numbers.clear()
        if waiting is not None:
            yield self._moment(*waiting, inputs, part, then)

    def _restore(self, part: LoadedPart) -> None:
        quiet: Any = _Quiet()
        workshop = Workshop(
            Environment(quiet, quiet, lambda: self._now),
            quiet,
            Slots(1 << 30),
            quiet,
            self._drawn,
            LimitedLog(_NO_LOG),
            lambda *_what: quiet,
        )
        roster = self.roster = Roster(workshop, lambda virtual: self._hands.get(virtual.name, {}))
        roster.populate(self._section.config(part.config))
        roster.hire()
        saved = msgspec.json.decode(part.state, type=SavedChecks)
        self._find()
        if self._runners.keys() != {name for name, _ in saved.checks}:
            raise ValueError("the recorded state has other checks than its configuration")
        for name, state in saved.checks:
            self._runners[name].state = state
        self._hands = {pool.name: dict(pool.overlays) for pool in saved.pools}
        for pool in saved.pools:
            member = roster.members[pool.name]
            roster.place(member)
            member.pool.begin(pool.quorum_up)
            member.pool.quorum_up = pool.quorum_up
        self._astray = False
        self._steady.clear()

    def _find(self) -> None:
        assert self.roster is not None
        self._runners = {runner.told_as: runner for runner in self.roster.runners()}

    def _moment(
        self,
        at: int,
        place: int,
        inputs: dict[int, tuple[str, Sequence[Any]]],
        part: LoadedPart,
        then: list[Decision],
    ) -> Moment:
        told = inputs.get(place)
        if told is None:
            told = inputs[place] = self._input(part.entries[place])
        kind, what = told
        self._now = at
        moment = Moment(at, "check", kind, "", "", what, recorded=then)
        if kind == "reload":
            moment.decided = self._reload(what)
        elif kind == "overlays":
            moment.decided = self._overlays(what)
            moment.steady = not moment.decided
        else:
            moment.decided = self._feed(moment, self._runners[what[0]], kind, what)
        moment.decided = [decisions.plain(d) for d in moment.decided]
        _describe(moment)
        if kind == "reload":
            moment.text = f"reload to {self._section.configs[what[0]][0][:19]}…"
        if moment.differs:
            self._astray = True
            moment.steady = False
        return moment

    def _input(self, entry: list[Any]) -> tuple[str, Sequence[Any]]:
        kind, *what = entry
        if kind not in INPUTS:
            raise ReplayError(
                f"an input {kind!r}, which this release does not know: use the krunctl of the release that recorded it"
            )
        if kind == "reload":
            return kind, (what[0], *msgspec.convert(what[1:], INPUTS[kind]))
        return kind, msgspec.convert(what, INPUTS[kind])

    def _feed(self, moment: Moment, runner: Runner, kind: str, what: Sequence[Any]) -> list[Decision]:
        assert self.roster is not None
        event = machine.Finished(what[1]) if kind == "finished" else _EVENTS[kind]()
        runner.state, actions = machine.step(runner.rules, runner.state, event, moment.at, self._drawn)
        pool = self.roster.members[runner.virtual.name].pool
        decided: list[Decision] = []
        for action in actions:
            plain = plain_action(action)
            if plain is not None:
                decided.append(plain)
            news: list[News] = []
            if isinstance(action, machine.Judged):
                news = pool.judged(runner.key, runner.position, action.up, action.first)
            elif isinstance(action, machine.Weighed):
                news = pool.weighed(runner.key, runner.position, action.delta)
            decided += [plain_news(runner.virtual, item) for item in news]
        moment.subject, moment.text = runner.subject, f"{runner.label} {_words(event)}"
        moment.about = frozenset(
            (runner.virtual.name, runner.server.identity, runner.subject, runner.promise_key)
        )
        if kind == "finished":
            moment.steady = not decided and self._steady.get(what[0]) == what[1]
            self._steady[what[0]] = what[1]
        else:
            moment.steady = not decided and kind == "due"
        return decided

    def _overlays(self, what: Sequence[Any]) -> list[Decision]:
        assert self.roster is not None
        self._hands = {name: dict(weights) for name, weights in what[0]}
        decided: list[Decision] = []
        for member in self.roster.members.values():
            weights = self._hands.get(member.virtual.name, {})
            if weights or any(s.overlay is not None for s in member.pool.servers.values()):
                decided += [plain_news(member.virtual, item) for item in member.pool.overruled(weights)]
        return decided

    def _reload(self, what: Sequence[Any]) -> list[Decision]:
        assert self.roster is not None
        config = self._section.config(what[0])
        self._hands = {name: dict(weights) for name, weights in what[1]}
        taken = self.roster.take(self.roster.draft(config), config.global_defs.rs_init_notifies)
        self._find()
        return [plain_news(virtual, item) for virtual, items in taken.news for item in items]


def _words(event: machine.Event) -> str:
    if isinstance(event, machine.Finished):
        outcome = event.outcome
        weight = "" if outcome.weight is None else f", weight {outcome.weight}"
        return outcome.verdict + (f": {outcome.reason}" if outcome.reason else "") + weight
    return _EVENT_WORDS[type(event)]


_EVENTS: dict[str, Callable[[], machine.Event]] = {
    "start": machine.Start,
    "due": machine.Due,
    "suspend": machine.Suspend,
    "resume": machine.Resume,
}
_EVENT_WORDS: dict[type, str] = {
    machine.Start: "begins",
    machine.Due: "is asked",
    machine.Suspend: "rests: the address is not here",
    machine.Resume: "goes on: the address is here",
}


def _describe(moment: Moment) -> None:
    if moment.kind == "reload":
        moment.text = "reload"
    elif moment.kind == "overlays":
        moment.text = "by hand: " + (
            ", ".join(
                f"{name} -> {key} weight {weight}" for name, found in moment.what[0] for key, weight in found
            )
            or "nothing any more"
        )
    about = set(moment.about)
    for decision in moment.decided:
        words = words_of(decision)
        if words:
            moment.said.append(words)
        if "subject" in decision:
            about |= {decision["subject"], decision["data"].get("virtual_server", "")}
            about.add(decision["data"].get("real_server") or "")
    moment.about = frozenset(about - {""})


def words_of(decision: Decision) -> str:
    """A decision in words; empty where it is told by another one."""
    do, data = decision["do"], decision.get("data", {})
    if do == "Noted":
        return str(decision["text"])
    if do == "Judged":
        first = ", the first word" if decision["first"] else ""
        return f"the check says {'up' if decision['up'] else 'down'}{first}"
    if do == "Weighed":
        return f"the check adds {decision['delta']:+d} to the weight"
    initial = " at the start" if decision.get("initial") else ""
    if do in ("ServerUp", "ServerDown"):
        still = "still " if decision.get("confirmed") else ""
        return f"{decision['subject']} {still}{data['state']}{initial}"
    if do == "WeightChanged":
        return f"{decision['subject']} weight {data['old']} -> {data['new']}"
    what = (
        "removed"
        if decision.get("removed")
        else "has its quorum"
        if do == "QuorumGained"
        else "lost its quorum"
    )
    return f"{decision['subject']} {what}{initial}: weight {data['weight']} of {data['threshold']}"
