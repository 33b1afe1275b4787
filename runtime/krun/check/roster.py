"""All pools and their checkers: made from a configuration, and carried over to the next one.

A reload is drafted first (`draft`), which changes nothing, then carried out (`Draft` → `Roster.take`). Who is who: virtual servers by
name, or renamed where that is provable; real servers by address and port; checkers by the question that they ask
(`krun.check.succession`). A draft says nothing of what the checkers found out, so it stays good until the configuration changes.

While a reload is judged and carried out nobody is checked, so what did not change is not looked into: a virtual server that is as it
was keeps its member; in another one, real servers that are as they were keep their place in the pool and their runners.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace

from kir.model import Checker, Config, RealServer, Service, VirtualServer
from kir.plan.check import plan_checkers
from kir.state import DestKey, IpvsTable
from krun.check import machine
from krun.check.pool import News, Pool, Server
from krun.check.runner import Runner, Workshop
from krun.check.succession import Origin, origins, predecessors, starts_up
from krun.loop.books import Books, Entry

Weights = Callable[[VirtualServer], Mapping[DestKey, int]]
"""Which weights an operator set by hand in a virtual server (`krun.control.overlays`)."""


def _no_weights(_virtual: VirtualServer) -> Mapping[DestKey, int]:
    return {}


@dataclass(slots=True)
class Member:
    """A virtual server at work: its pool and, by real server, its checkers in their order."""

    virtual: VirtualServer
    pool: Pool
    runners: dict[DestKey, list[Runner]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Successor:
    """A checker of a new configuration: ``runner`` is the one that goes on, None for a new one.

    ``known``: whose state a new one starts from, where the same is asked elsewhere; else ``origin`` says what it starts from.
    """

    origin: Origin
    runner: Runner | None = None
    known: Runner | None = None


@dataclass(slots=True)
class Transition:
    """One virtual server that differs between two configurations. ``old`` None: it is new. ``virtual`` None: it is gone.

    ``reals``: its real servers by key. ``changed``: those of them that are not as they were. ``successors``: for each of those whose
    checkers are not what they were either, its checkers; those of all others go on.
    """

    old: Member | None
    virtual: VirtualServer | None
    reals: dict[DestKey, RealServer] = field(default_factory=dict)
    changed: list[DestKey] = field(default_factory=list)
    successors: dict[DestKey, list[Successor]] = field(default_factory=dict)
    stopped: list[Runner] = field(default_factory=list)

    def was(self, key: DestKey) -> Server | None:
        """The real server of that address and port in the old pool."""
        return self.old.pool.servers.get(key) if self.old is not None else None


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


class _Elsewhere:
    """The checkers of a real server in other virtual servers. The index is made when it is first asked for: most reloads never do."""

    def __init__(self, members: Mapping[str, Member]) -> None:
        self._members = members
        self._index: dict[DestKey, list[tuple[Member, Runner]]] | None = None

    def __call__(self, key: DestKey, member: Member | None) -> list[Runner]:
        if self._index is None:
            self._index = {}
            for other in self._members.values():
                for place, runners in other.runners.items():
                    self._index.setdefault(place, []).extend((other, runner) for runner in runners)
        return [runner for other, runner in self._index.get(key, ()) if other is not member]


class Roster:
    """The members by name."""

    def __init__(self, workshop: Workshop, weights: Weights = _no_weights) -> None:
        self._workshop = workshop
        self.by_hand = weights
        self.members: dict[str, Member] = {}

    def populate(self, config: Config) -> None:
        """Make pools for ``config``; who checks them is hired later."""
        for virtual in config.virtual_servers:
            self.members[virtual.name] = Member(virtual, Pool(virtual))

    def hire(self) -> None:
        """Make the runners of all members; none is started."""
        for member in self.members.values():
            for key, server in member.pool.servers.items():
                real = server.real
                member.runners[key] = [
                    Runner(self._workshop, member.virtual, real, n, key=key)
                    for n in range(len(real.checkers))
                ]

    def place(self, member: Member) -> None:
        """Tell a member's pool what its checkers start from: new ones, where none is hired yet."""
        pool = member.pool
        for key, runners in member.runners.items():
            for runner in runners:
                pool.place(key, runner.position, runner.state.up, runner.state.delta)
        if not member.runners:
            for key, server in pool.servers.items():
                for position, checker in enumerate(server.real.checkers):
                    if checker.timing.alpha:
                        pool.place(key, position, up=False)
        pool.overrule(self.by_hand(member.virtual))

    def runners(self) -> list[Runner]:
        """All of them, in the order of the configuration."""
        return [r for m in self.members.values() for runners in m.runners.values() for r in runners]

    def books(self) -> Books:
        """What it owns (`krun.loop.books`)."""
        for name, member in self.members.items():
            yield Entry("virtual server", name, member)
            yield Entry("pool", name, member.pool)
            for key, server in member.pool.servers.items():
                yield Entry("real server", f"{name} -> {key}", server)
            for runners in member.runners.values():
                for runner in runners:
                    yield from runner.books()

    # Reload.

    def draft(self, config: Config) -> Draft:
        """What has to be done to become ``config``. Changes nothing."""
        draft = Draft(config)
        was = {name: member.virtual for name, member in self.members.items()}
        elsewhere = _Elsewhere(self.members)
        before = predecessors(self.members, config.virtual_servers, was)
        for virtual in config.virtual_servers:
            old = before.get(virtual.name)
            if old is None or (old.virtual is not virtual and old.virtual != virtual):
                draft.transitions.append(_transition(old, virtual, elsewhere))
        kept = {member.virtual.name for member in before.values()}
        for name, member in self.members.items():
            if name not in kept:
                gone = Transition(
                    member, None, stopped=[r for runners in member.runners.values() for r in runners]
                )
                draft.transitions.append(gone)
        draft.counts.update(_orders(draft.transitions))
        return draft

    def preview(self, transition: Transition) -> Pool | None:
        """The pool that a transition leads to, by what the checkers say now; None where the virtual server goes."""
        if transition.virtual is None:
            return None
        pool = _pool(transition, transition.virtual)
        for key, successors in transition.successors.items():
            real = transition.reals[key]
            for position, successor in enumerate(successors):
                checker = real.checkers[position]
                said = successor.runner if successor.runner is not None else successor.known
                if said is None:
                    pool.place(key, position, _starts_up(transition, key, successor, checker))
                else:
                    rules = machine.rules_of(checker, real.weight)
                    pool.place(key, position, said.state.up, said.state.delta if rules.dynamic else 0)
        pool.overrule(self.by_hand(transition.virtual))
        if transition.old is not None:
            pool.succeed(transition.old.pool)
        else:
            pool.begin()
        return pool

    def take(self, draft: Draft, announce: bool) -> Taken:
        """Become what ``draft`` says. New runners are made but not started. ``announce``: `krun.check.pool.Pool.begin`."""
        taken = Taken()
        for transition in draft.transitions:
            if transition.old is not None and transition.virtual is not None:
                # A name may go from one to another in the same step.
                self.members.pop(transition.old.virtual.name, None)
                if transition.old.virtual.name != transition.virtual.name:
                    taken.withdrawn.append(quorum_key(transition.old.virtual))
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
        member = Member(virtual, _pool(transition, virtual))
        old, runners = transition.old, member.runners
        renamed = old is not None and old.virtual.name != virtual.name
        for (key, server), real in zip(member.pool.servers.items(), transition.reals.values(), strict=True):
            successors = transition.successors.get(key)
            if successors is not None or old is None:
                found = [
                    self._succeed(transition, virtual, key, n, one, taken)
                    for n, one in enumerate(successors or ())
                ]
                runners[key] = found
                for runner in found:
                    server.say(runner.position, runner.state.up)
                    server.weigh(runner.position, runner.state.delta)
                continue
            server.real = real  # equal where it was there before: the old configuration is let go of
            runners[key] = going_on = old.runners[key]
            for runner in going_on:
                if renamed:
                    taken.withdrawn.append(runner.promise_key)
                    taken.moved.append(runner)
                runner.follow(virtual, real)
        self.members[virtual.name] = member
        member.pool.overrule(self.by_hand(virtual))
        news = member.pool.succeed(old.pool) if old is not None else member.pool.begin(announce=announce)
        taken.news.append((virtual, news))

    def _succeed(
        self,
        transition: Transition,
        virtual: VirtualServer,
        key: DestKey,
        position: int,
        successor: Successor,
        taken: Taken,
    ) -> Runner:
        """The runner that a checker of a real server goes on as, or a new one."""
        real, runner = transition.reals[key], successor.runner
        if runner is not None:
            promised = runner.promise_key
            runner.adapt(virtual, real, position)
            if runner.promise_key != promised:
                taken.withdrawn.append(promised)
                taken.moved.append(runner)
            return runner
        checker = real.checkers[position]
        rules = machine.rules_of(checker, real.weight)
        if successor.known is not None:
            state = machine.inherit(rules, successor.known.state, self._workshop.environment.clock())
        else:
            state = machine.initial(rules, _starts_up(transition, key, successor, checker))
        runner = Runner(self._workshop, virtual, real, position, state, key)
        taken.started.append(runner)
        if successor.known is not None:
            taken.moved.append(runner)
        return runner


def quorum_key(virtual: VirtualServer) -> str:
    """Under which key a pool's quorum is promised."""
    return f"{virtual.name}|quorum"


def _transition(
    old: Member | None,
    virtual: VirtualServer,
    elsewhere: Callable[[DestKey, Member | None], list[Runner]],
) -> Transition:
    reals = {DestKey(real.address, real.port): real for real in virtual.real_servers}
    transition = Transition(old, virtual, reals)
    for key, server in reals.items():
        was = transition.was(key)
        if was is not None and was.real == server:
            continue
        transition.changed.append(key)
        if was is None or was.real.checkers != server.checkers:
            transition.successors[key] = _successors(transition, key, server, elsewhere)
    if old is not None:
        for key, runners in old.runners.items():
            if key not in reals:
                transition.stopped.extend(runners)
    return transition


def _successors(
    transition: Transition,
    key: DestKey,
    server: RealServer,
    elsewhere: Callable[[DestKey, Member | None], list[Runner]],
) -> list[Successor]:
    """The checkers of a real server whose checkers are not what they were. Those that have none are added to ``transition.stopped``."""
    old = transition.old
    before = old.runners.get(key, []) if old is not None else []
    asked = [r.checker for r in before]
    others = elsewhere(key, old) if any(c not in asked for c in server.checkers) else []
    there = transition.was(key) is not None
    kept: set[int] = set()
    successors = []
    for origin, index in origins(asked, server.checkers, there, [r.checker for r in others]):
        runner = known = None
        if origin is Origin.GOES_ON and index is not None:
            runner = before[index]
            kept.add(index)
        elif origin is Origin.KNOWN and index is not None:
            known = others[index]
        successors.append(Successor(origin, runner, known))
    transition.stopped.extend(r for n, r in enumerate(before) if n not in kept)
    return successors


def _starts_up(transition: Transition, key: DestKey, successor: Successor, checker: Checker) -> bool:
    was = transition.was(key)
    return starts_up(successor.origin, was is not None and was.up, checker)


def _pool(transition: Transition, virtual: VirtualServer) -> Pool:
    """The pool that a transition leads to, before its new checkers are placed. What did not change is shared with the old one."""
    old = transition.old.pool.servers if transition.old is not None else {}
    servers = {key: old.get(key) or Server(real, key) for key, real in transition.reals.items()}
    for key in transition.changed:
        real, was = transition.reals[key], old.get(key)
        if was is not None:
            servers[key] = Server(real, key) if key in transition.successors else was.anew(real)
    return Pool(virtual, servers)


def _orders(transitions: Iterable[Transition]) -> Counter[str]:
    """How many checkers start, stop and change, in the words of the printed plan."""
    before, after = [], []
    for transition in transitions:
        old = transition.old.virtual if transition.old is not None else None
        new = transition.virtual
        if old is not None and new is not None:
            if not transition.successors and not transition.stopped:
                continue
            old = replace(old, real_servers=_others(old, transition))
            new = replace(new, real_servers=_others(new, transition))
        if old is not None:
            before.append(old)
        if new is not None:
            after.append(new)
    steps = plan_checkers(Config(virtual_servers=tuple(before)), Config(virtual_servers=tuple(after)))
    return Counter(order.op for order in steps)


def _others(virtual: VirtualServer, transition: Transition) -> tuple[RealServer, ...]:
    """The real servers of ``virtual`` but those whose checkers go on as they are."""
    successors, reals = transition.successors, transition.reals
    keys = (DestKey(real.address, real.port) for real in virtual.real_servers)
    return tuple(
        real
        for key, real in zip(keys, virtual.real_servers, strict=True)
        if key in successors or key not in reals
    )


def recall(roster: Roster, promises: Mapping[str, bytes]) -> int:
    """Give a predecessor's states to the runners that they belong to; how many were taken."""
    taken = 0
    if not promises:
        return taken
    for runner in roster.runners():
        value = promises.get(runner.promise_key)
        if value is not None and runner.recall(value):
            taken += 1
    return taken


def recognise(roster: Roster, table: IpvsTable, ours: Collection[Service]) -> None:
    """After all processes were killed nobody remembers which servers were down, but the kernel's ``table`` shows it: a server of one of
    ``ours``, the services that a predecessor created, that is not in use there was down. It stays out until its first good answer.
    """
    known = frozenset(ours)
    for member in roster.members.values():
        service = next((s for s in member.virtual.services if s in known and s in table), None)
        if service is None:
            continue
        dests = table[service].dests
        for key, runners in member.runners.items():
            if any(runner.state.ran for runner in runners):
                continue
            there = dests.get(key)
            real = member.pool.servers[key].real
            held = there is not None and there.weight == 0 and real.inhibit_on_failure and real.weight > 0
            if there is None or (held and key not in roster.by_hand(member.virtual)):
                for runner in runners:
                    runner.state = replace(runner.state, up=False)
