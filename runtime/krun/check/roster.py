"""All pools and their checkers: made from a configuration, and carried over to the next one.

A reload is drafted first (`draft`), which changes nothing, then carried out (`Draft` → `Roster.take`). Who is who: virtual servers by
name, real servers by address and port, checkers by the question that they ask (`krun.check.identity.match`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from kir.model import Config, RealServer, VirtualServer
from kir.state import DestKey
from krun.check import machine
from krun.check.identity import label, match
from krun.check.pool import News, Pool
from krun.check.runner import Runner, Workshop


@dataclass(slots=True)
class Member:
    """A virtual server at work: its pool and, by real server, its checkers in their order."""

    virtual: VirtualServer
    pool: Pool
    runners: dict[DestKey, list[Runner]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Successor:
    """A checker of a new configuration: ``runner`` is the one that asks the same question today, None for a new one.

    ``up``: what a new one starts from.
    """

    server: RealServer
    position: int
    runner: Runner | None
    up: bool


@dataclass(slots=True)
class Transition:
    """One virtual server that differs between two configurations. ``old`` None: it is new. ``virtual`` None: it is gone."""

    old: Member | None
    virtual: VirtualServer | None
    successors: list[Successor] = field(default_factory=list)
    stopped: list[Runner] = field(default_factory=list)


@dataclass(slots=True)
class Draft:
    """What a reload will do: the virtual servers that differ, and how many checkers start, stop or change."""

    config: Config
    transitions: list[Transition] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Taken:
    """What a reload did: news by virtual server (old one where it is gone), runners to start, promises to withdraw."""

    news: list[tuple[VirtualServer, list[News]]] = field(default_factory=list)
    started: list[Runner] = field(default_factory=list)
    moved: list[Runner] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)


class Roster:
    """The members by name."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self.members: dict[str, Member] = {}

    def populate(self, config: Config) -> None:
        """Make pools and runners for ``config``; nothing is started."""
        for virtual in config.virtual_servers:
            member = Member(virtual, Pool(virtual))
            for server in virtual.real_servers:
                member.runners[DestKey(server.address, server.port)] = [
                    Runner(self._workshop, virtual, server, n) for n in range(len(server.checkers))
                ]
            self.members[virtual.name] = member

    def place(self, member: Member) -> None:
        """Tell a member's pool what its checkers start from."""
        for key, runners in member.runners.items():
            for runner in runners:
                member.pool.place(key, runner.position, runner.state.up, runner.state.delta)

    def runners(self) -> list[Runner]:
        """All of them, in the order of the configuration."""
        return [r for m in self.members.values() for runners in m.runners.values() for r in runners]

    # Reload.

    def draft(self, config: Config) -> Draft:
        """What has to be done to become ``config``. Changes nothing."""
        draft = Draft(config)
        names = set()
        for virtual in config.virtual_servers:
            names.add(virtual.name)
            old = self.members.get(virtual.name)
            if old is None or old.virtual != virtual:
                draft.transitions.append(_transition(old, virtual, draft.counts))
        for name, member in self.members.items():
            if name not in names:
                gone = Transition(
                    member, None, stopped=[r for runners in member.runners.values() for r in runners]
                )
                draft.counts["checker.stop"] += len(gone.stopped)
                draft.transitions.append(gone)
        return draft

    def preview(self, transition: Transition) -> Pool | None:
        """The pool that a transition leads to, by what the checkers say now; None where the virtual server goes."""
        if transition.virtual is None:
            return None
        pool = Pool(transition.virtual)
        for successor in transition.successors:
            key = DestKey(successor.server.address, successor.server.port)
            runner = successor.runner
            if runner is None:
                pool.place(key, successor.position, successor.up)
            else:
                rules = machine.rules_of(
                    successor.server.checkers[successor.position], successor.server.weight
                )
                delta = runner.state.delta if rules.dynamic else 0
                pool.place(key, successor.position, runner.state.up, delta)
        if transition.old is not None:
            pool.succeed(transition.old.pool)
        else:
            pool.begin()
        return pool

    def take(self, draft: Draft, announce: bool) -> Taken:
        """Become what ``draft`` says. New runners are made but not started. ``announce``: `krun.check.pool.Pool.begin`."""
        taken = Taken()
        for transition in draft.transitions:
            for runner in transition.stopped:
                runner.stop()
                taken.withdrawn.append(runner.promise_key)
            if transition.virtual is None:
                assert transition.old is not None
                del self.members[transition.old.virtual.name]
                taken.withdrawn.append(quorum_key(transition.old.virtual))
                taken.news.append((transition.old.virtual, transition.old.pool.farewell()))
                continue
            self._take_one(transition, transition.virtual, announce, taken)
        # Members stand in the order of the configuration, which is the order of every list that people see.
        order = {virtual.name: n for n, virtual in enumerate(draft.config.virtual_servers)}
        self.members = dict(sorted(self.members.items(), key=lambda item: order[item[0]]))
        return taken

    def _take_one(self, transition: Transition, virtual: VirtualServer, announce: bool, taken: Taken) -> None:
        member = Member(virtual, Pool(virtual))
        for server in virtual.real_servers:
            member.runners[DestKey(server.address, server.port)] = []
        for successor in transition.successors:
            runner = successor.runner
            if runner is None:
                rules = machine.rules_of(
                    successor.server.checkers[successor.position], successor.server.weight
                )
                state = machine.initial(rules, successor.up)
                runner = Runner(self._workshop, virtual, successor.server, successor.position, state)
                taken.started.append(runner)
            else:
                key = runner.promise_key
                runner.adapt(virtual, successor.server, successor.position)
                if runner.promise_key != key:
                    taken.withdrawn.append(key)
                    taken.moved.append(runner)
            member.runners[runner.key].append(runner)
        self.members[virtual.name] = member
        self.place(member)
        old = transition.old
        news = member.pool.succeed(old.pool) if old is not None else member.pool.begin(announce=announce)
        taken.news.append((virtual, news))


def quorum_key(virtual: VirtualServer) -> str:
    """Under which key a pool's quorum is promised."""
    return f"{virtual.name}|quorum"


def _transition(old: Member | None, virtual: VirtualServer, counts: Counter[str]) -> Transition:
    transition = Transition(old, virtual)
    keys = set()
    for server in virtual.real_servers:
        key = DestKey(server.address, server.port)
        keys.add(key)
        before: list[Runner] = old.runners.get(key, []) if old is not None else []
        server_was_up = old.pool.servers[key].up if old is not None and key in old.pool.servers else False
        matched = match([r.checker for r in before], server.checkers)
        for position, index in enumerate(matched):
            checker = server.checkers[position]
            runner = before[index] if index is not None else None
            transition.successors.append(
                Successor(server, position, runner, server_was_up or not checker.timing.alpha)
            )
            if runner is None:
                counts["checker.start"] += 1
            elif runner.checker != checker or runner.label != label(checker, position):
                counts["checker.update"] += 1
        kept = {index for index in matched if index is not None}
        transition.stopped.extend(r for n, r in enumerate(before) if n not in kept)
    if old is not None:
        for key, runners in old.runners.items():
            if key not in keys:
                transition.stopped.extend(runners)
    counts["checker.stop"] += len(transition.stopped)
    return transition


def recall(roster: Roster, promises: Mapping[str, bytes]) -> int:
    """Give a predecessor's states to the runners that they belong to; how many were taken."""
    taken = 0
    for runner in roster.runners():
        value = promises.get(runner.promise_key)
        if value is not None and runner.recall(value):
            taken += 1
    return taken
