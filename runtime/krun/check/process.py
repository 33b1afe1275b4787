"""The checker process: runs the checks, keeps the pools, and writes what follows from them into IPVS."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kir.model import Config, VirtualServer
from kir.plan.operations import DelService, IpvsOperation
from kir.state import DestKey, IpvsTable
from krun.check import machine
from krun.check.consequences import QUORUM, Consequences, PromiseKeeper
from krun.check.draining import Draining
from krun.check.general import set_timeouts
from krun.check.hand import Hand
from krun.check.limit import LimitedLog, Slots, room, sockets
from krun.check.memo import Memo
from krun.check.notices import Notices, words_of
from krun.check.outlook import outlook
from krun.check.poller import Poller
from krun.check.pool import News, Pool
from krun.check.probes import Environment, ScriptRunner
from krun.check.recorded import CheckRecorder
from krun.check.roster import Draft, Roster, quorum_key, recall, recognise
from krun.check.runner import Runner, Workshop
from krun.check.schedule import Grid
from krun.check.status import member_status
from krun.check.suspend import AddressWatch
from krun.check.table import TableKeeper, Written
from krun.check.wanted import steps, wanted
from krun.kernel import open_kernel
from krun.kernel.door import Ipvs, Kernel
from krun.loop.books import Books, Entry
from krun.loop.clock import Steady, now_us
from krun.notify import used
from krun.notify.client import ScriptClient
from krun.notify.mail.about_checks import CheckLetters
from krun.notify.mail.post import PostOffice
from krun.notify.told import Told
from krun.parent.boot import boottime_us
from krun.parent.context import ChildContext
from krun.parent.promises import PromiseWriter
from krun.record.ring import Ring

log = logging.getLogger("krun.check")


class CheckChild:
    """`krun.parent.child.Child` for health checks and IPVS.

    ``kernel``, ``scripts``, ``promises``, ``memo``, the clocks and ``rng`` are the real ones unless given; ``boottime`` is CLOCK_BOOTTIME in
    microseconds, ``epoch`` seconds since the epoch.
    """

    def __init__(
        self,
        context: ChildContext,
        *,
        kernel: Kernel | None = None,
        scripts: ScriptRunner | None = None,
        promises: PromiseKeeper | None = None,
        memo: Memo | None = None,
        clock: Callable[[], int] = now_us,
        boottime: Callable[[], int] = boottime_us,
        epoch: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> None:
        self._context = context
        self._config = context.config
        self._kernel = kernel
        self._scripts = scripts
        self._client: ScriptClient | None = None
        self._clock = Steady(clock)
        self._rng = rng if rng is not None else random.Random(context.config.global_defs.random_seed)
        self._log = LimitedLog(log, clock=self._clock)
        self._promises: PromiseKeeper = promises or context.keeper or PromiseWriter()
        self._draft: Draft | None = None
        self._draft_digest = ""
        self._recorder: CheckRecorder | None = None
        self._ended = False
        self._watch: AddressWatch | None = None
        self._boottime = boottime
        self._epoch = epoch
        self._memo = memo if memo is not None else Memo(context.run_dir)

    # Start.

    async def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Adopt what is in the kernel, and begin to check. Raises `krun.kernel.door.KernelUnavailable`, OSError."""
        self._loop = loop
        self._kernel = (
            self._kernel if self._kernel is not None else open_kernel(self._context.kernel, self._config)
        )
        self._ipvs: Ipvs = self._kernel.ipvs()
        if self._scripts is None:
            self._scripts = self._client = ScriptClient(self._context.run_dir, loop)
        self._grid = Grid(loop, clock=self._clock)
        self._poller = Poller(loop)
        self._budget = sockets(self._config, log)
        self._slots = Slots(room(self._budget))
        self._workshop = Workshop(
            Environment(self._poller, self._grid, self._clock),
            self._scripts,
            self._slots,
            self,
            self._rng,
            self._log,
        )
        self._notices = Notices(self._scripts, self._log, Told(self._promises, self._context.promises))
        self._post = PostOffice(loop, self._scripts, clock=self._clock, epoch=self._epoch)
        self._letters = CheckLetters(self._post)
        self._letters.follow(self._config)
        self._notices.follow(self._config)
        self._hand = Hand(self._grid, self._clock, self._boottime, self._hand_moved)
        try:
            self._hand.set(self._context.overlays)
        except ValueError as error:
            log.error("overlays that this release does not understand are left out: %s", error)
        self._roster = Roster(self._workshop, self._hand.weights)
        audit_us = self._context.audit_us
        self._table = TableKeeper(
            self._ipvs,
            self._grid,
            self._clock,
            self._desired,
            self._log,
            record=self._record,
            audit_us=audit_us,
        )
        set_timeouts(self._ipvs, self._config, self._log)
        self._roster.populate(self._config)
        before = self._memo.load()
        # Where nobody was here before, the table does not wait for those who check.
        inherits = bool(self._context.promises or before.services)
        if inherits:
            self._roster.hire()
        known = recall(self._roster, self._context.promises)
        self._draining = Draining(
            before.drains,
            self._ipvs,
            self._table,
            self._grid,
            self._log,
            clock=self._clock,
            boottime=self._boottime,
            epoch=self._epoch,
            wanted=self._wanted,
            record=self._record,
        )
        self._follows = Consequences(
            loop,
            self._roster,
            self._table,
            lambda: self._draining.drains,
            self._promises,
            self._notices,
            self._letters,
        )
        table = self._ipvs.dump()
        recognise(self._roster, table, before.services)
        news = [(m.virtual, self._begin(m.virtual, m.pool)) for m in self._roster.members.values()]
        self._draining.settle(table)
        written = self._table.adopt(table, self._config.global_defs.lvs_flush, before.services)
        if not inherits:
            self._roster.hire()
        runners = self._roster.runners()
        log.info(
            "virtual servers: %d, checkers: %d (%d known from before); %s",
            len(self._roster.members),
            len(runners),
            known,
            _summary(written),
        )
        if self._table.foreign:
            log.info("services in the kernel that are not ours, left as they are: %d", self._table.foreign)
        self._draining.watch()
        self._follows.tell(news)
        for m in self._roster.members.values():
            self._notices.catch_up(m.virtual, m.pool)
        self._name_programs()
        self._record_from_here()
        self._follow_addresses()
        with self._clock.still():
            for runner in runners:
                runner.start()

    def _name_programs(self) -> None:
        if self._client is not None:
            self._client.programs(used.by_check(self._config))

    def _record_from_here(self) -> None:
        context = self._context
        if context.record:
            self._recorder = CheckRecorder(
                self._roster, self._config, context.digest, context.record, self._clock, self._rng
            )
            self._workshop.recorder, self._workshop.rng = self._recorder, self._recorder.random
            self._follows.recorder = self._recorder

    def recorded(self) -> Ring | None:
        """What the checks found and what was decided on it."""
        return None if self._recorder is None else self._recorder.ring

    def _begin(self, virtual: VirtualServer, pool: Pool) -> list[News]:
        member = self._roster.members[virtual.name]
        self._roster.place(member)
        said = self._context.promises.get(quorum_key(virtual))
        announce = self._config.global_defs.rs_init_notifies and said is None
        return pool.begin(None if said is None else said == QUORUM[True], announce)

    # ha_suspend.

    def _follow_addresses(self) -> None:
        assert self._kernel is not None
        wanted = any(m.virtual.ha_suspend for m in self._roster.members.values())
        if wanted and self._watch is None:
            self._watch = AddressWatch(self._kernel.rtnetlink(), self._addresses_changed)
            if self._watch.fileno() >= 0:
                self._loop.add_reader(self._watch.fileno(), self._watch.read)
        if self._watch is not None:
            self._addresses_changed()

    def _addresses_changed(self) -> None:
        assert self._watch is not None
        if self._ended:
            return
        for member in self._roster.members.values():
            rest = member.virtual.ha_suspend and not self._watch.present(member.virtual)
            changed = False
            for runners in member.runners.values():
                for runner in runners:
                    if runner.state.suspended != rest:
                        runner.suspend(rest)
                        changed = True
            if changed:
                text = "address gone, checks rest" if rest else "address here, checks run"
                self._log(logging.INFO, "%s: %s (ha_suspend)", member.virtual.name, text)

    # News from the checkers (`krun.check.runner.Listener`).

    def judged(self, runner: Runner, judged: machine.Judged) -> None:
        pool = self._roster.members[runner.virtual.name].pool
        news = pool.judged(runner.key, runner.position, judged.up, judged.first)
        if judged.changed and not news:
            # Another checker holds the server where it is; the log should know why it will not come up, or went down.
            text = "good again" if judged.up else judged.reason
            self._log(logging.INFO, "%s: %s: %s", runner.subject, runner.label, text)
        self._follows.note(runner.virtual, news)
        if judged.changed or (judged.first and not judged.up):
            self._letters.judged(runner, judged, pool.servers[runner.key].up, news)

    def weighed(self, runner: Runner, delta: int) -> None:
        pool = self._roster.members[runner.virtual.name].pool
        self._follows.note(runner.virtual, pool.weighed(runner.key, runner.position, delta))

    def remember(self, runner: Runner) -> None:
        self._promises.promise(runner.promise_key, runner.promise())

    def _wanted(self) -> IpvsTable:
        """What configuration, health and overlays ask for."""
        return wanted(member.pool for member in self._roster.members.values())

    def _desired(self) -> IpvsTable:
        """What the kernel should hold: that, and what still drains."""
        wanted, drains = self._wanted(), self._draining.drains
        return drains.keep(wanted, self._table.entries) if drains else wanted

    def _record(self) -> None:
        """Write down what a successor must know, before it is in the kernel."""
        services = sorted(self._table.owned, key=lambda service: service.identity)
        self._memo.save(tuple(services), self._draining.drains.all())

    # Overlays.

    def order(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What the parent asks for beyond the contract of all children: ``overlays``, the whole list, in `krun.control.overlays.Overlay`'s
        plain form. Raises ValueError.
        """
        if request.get("op") != "overlays":
            raise ValueError(f"unknown request {request.get('op')!r}")
        self._hand.set(request.get("overlays") or ())
        written, news = self._hand_moved()
        return {
            "operations": dict(sorted(written.counts.items())),
            "failures": written.failures,
            "news": [
                said[1]
                for virtual, items in news
                for item in items
                if (said := words_of(virtual, item, lambda _server: "")) is not None
            ],
        }

    def _hand_moved(self) -> tuple[Written, list[tuple[VirtualServer, list[News]]]]:
        """Overlays came, went or ended: write what follows from it."""
        if self._ended:
            return Written(), []
        news: list[tuple[VirtualServer, list[News]]] = []
        operations: list[IpvsOperation] = []
        if self._recorder is not None:
            self._recorder.overlays(self._hands(m.virtual for m in self._roster.members.values()))
        for member in self._roster.members.values():
            weights = self._hand.weights(member.virtual)
            if not weights and not any(s.overlay is not None for s in member.pool.servers.values()):
                continue
            items = member.pool.overruled(weights)
            operations.extend(self._follows.changes(member.virtual, member.pool))
            if items:
                news.append((member.virtual, items))
                if self._recorder is not None:
                    self._recorder.news(member.virtual, items)
        written = self._table.write(operations)
        self._follows.tell(news)
        return written, news

    def _hands(self, virtuals: Iterable[VirtualServer]) -> Iterable[tuple[VirtualServer, dict[DestKey, int]]]:
        return ((v, self._hand.weights(v)) for v in virtuals) if self._hand.overlays else ()

    # Reload.

    def prepare(self, config: Config, digest: str) -> dict[str, Any]:
        """Judge ``config``; counts of the operations that it needs by what is known now."""
        draft = self._roster.draft(config)
        counts = Counter(draft.counts)
        for operation in self._plan(draft, {id(t): self._roster.preview(t) for t in draft.transitions}):
            if operation.phase == "now":
                counts[operation.op] += 1
        self._draft, self._draft_digest = draft, digest
        return {name: count for name, count in sorted(counts.items()) if count}

    def commit(self) -> dict[str, Any]:
        """Carry out what was prepared: IPVS first, in one plan, then scripts, then new checks. What drains is deleted later."""
        draft, self._draft = self._draft, None
        if draft is None:
            raise ValueError("nothing is prepared")
        # Checkers may have spoken since, and may not have been heard yet: what is pending is settled in the old world first.
        self._follows.flush()
        # Between prepare and commit the checkers went on. The draft says who is who, not what they say: pools and plan are made anew.
        old = self._config
        self._config = draft.config
        if self._recorder is not None:
            hands = self._hands(draft.config.virtual_servers)
            self._recorder.reload(draft.config, self._draft_digest, hands)
        taken = self._roster.take(draft, draft.config.global_defs.rs_init_notifies)
        if self._recorder is not None:
            self._recorder.reloaded(draft.config, self._draft_digest, taken.news)
        pools = {
            id(t): self._roster.members[t.virtual.name].pool if t.virtual is not None else None
            for t in draft.transitions
        }
        plan = self._plan(draft, pools)
        self._draining.begin(plan, self._context.drain_us)
        written = self._table.write([o for o in plan if o.phase == "now"])
        self._draining.settle()
        self._draining.watch()
        self._table.forgive()
        self._hand.reloaded(old, self._config)
        self._follows.withdraw(taken.withdrawn)
        self._letters.follow(self._config)
        self._notices.follow(self._config)
        self._loop.call_soon(self._count_sockets)
        self._name_programs()
        self._follows.tell(taken.news)
        for virtual, items in taken.news:
            self._letters.reloaded(virtual, items)
        with self._clock.still():
            for runner in taken.started:
                runner.start()
        for runner in taken.moved:
            self.remember(runner)
        self._follow_addresses()
        if draft.config.global_defs.lvs_timeouts != old.global_defs.lvs_timeouts:
            set_timeouts(self._ipvs, draft.config, self._log)
        counts = written.counts + draft.counts
        done: dict[str, Any] = {
            "operations": {name: count for name, count in sorted(counts.items()) if count},
            "failures": written.failures,
        }
        return {**done, "busy": True} if self._draining.drains else done

    def abort(self) -> None:
        self._draft = None

    def _plan(self, draft: Draft, pools: Mapping[int, Pool | None]) -> list[IpvsOperation]:
        return steps(draft, pools, self._table.entries, self._draining.drains, self._context.drain_us)

    def _count_sockets(self) -> None:
        """After a reload: see that its checks may have their sockets."""
        self._budget = sockets(self._config, log, self._budget)
        self._slots.limit = room(self._budget)

    # State.

    def status(self) -> dict[str, Any]:
        connections = self._draining.connections()
        now = self._clock()
        document = {
            "virtual_servers": [member_status(m, now, connections) for m in self._roster.members.values()],
            "drains": self._draining.status(connections),
            "alarms": [
                f"IPVS: {words}, again and again: left alone until the next reload"
                for words in self._table.drift.words()
            ]
            + (
                [f"{self._memo.problem}: drains and ownership do not survive a kill"]
                if self._memo.problem
                else []
            ),
            "ipvs": self._table.status(),
            "checks": {
                "under_way": self._slots.held,
                "waiting": self._slots.waiting,
                "limit": self._slots.limit,
                "descriptors": self._budget._asdict(),
                "log_lines_left_out": self._log.left_out,
            },
        }
        return self._post.report(document)

    def books(self) -> Books:
        """What it owns (`krun.loop.books`)."""
        yield from self._roster.books()
        yield from self._recorder.books() if self._recorder is not None else ()
        yield from self._post.books()
        yield from self._client.books() if self._client is not None else ()
        yield from (Entry("drain", drain.target, drain) for drain in self._draining.drains.all())
        yield Entry("book", "IPVS", self._table)
        yield Entry("configuration", "that is checked", self._config)
        if self._draft is not None:
            yield Entry("configuration", "prepared", self._draft.config)

    def summary(self) -> dict[str, Any]:
        """How many real servers there are, how many are up, and how many virtual servers have lost their quorum."""
        pools = [member.pool for member in self._roster.members.values()]
        return {
            "servers": sum(len(pool.servers) for pool in pools),
            "up": sum(server.up for pool in pools for server in pool.servers.values()),
            "without_quorum": sum(not pool.quorum_up for pool in pools),
        }

    def outlook(self) -> dict[str, Any]:
        """The part of the state document that a plan is made from (`krun.check.outlook`)."""
        drains = self._draining.status(self._draining.connections()) if self._draining.drains else []
        return outlook(self._roster.members.values(), self._table.differing(), drains, self._clock())

    # End.

    async def stop(self) -> None:
        """Remove our services, with all their servers; ``omega`` runs the scripts of a going-down."""
        if self._ended:
            return
        self._halt()
        if self._draining.drains:
            log.warning("this process stops: %d drains are cut short", len(self._draining.drains))
        flush_all = self._config.global_defs.lvs_flush_on_stop == "all"
        try:
            table = self._ipvs.dump() if flush_all else self._table.entries
        except OSError as error:
            log.error("cannot read the IPVS table to clear it: %s", error)
            table = self._table.entries
        written = self._table.write(
            [
                DelService(service=service, dests=len(entry.dests), reason="the daemon stops")
                for service, entry in table.items()
            ]
        )
        if not written.failures:
            self._memo.forget()
        log.info("stopping: %s", _summary(written))
        leaving = [(m.virtual, m.pool.farewell()) for m in self._roster.members.values() if m.virtual.omega]
        for virtual, news in leaving:
            self._letters.farewell(virtual, news)
        await self._notices.last_words(leaving)
        await self._post.close()
        self._close()

    def abandon(self) -> None:
        """The parent is gone: everything in the kernel stays for the next one."""
        if not self._ended:
            self._halt()
            self._post.abandon()
            self._close()

    def _halt(self) -> None:
        self._ended = True
        self._follows.end()
        self._table.close()
        self._hand.close()
        self._draining.close()
        for runner in self._roster.runners():
            runner.stop()
        if self._watch is not None and self._watch.fileno() >= 0:
            self._loop.remove_reader(self._watch.fileno())
        self._grid.close()
        self._poller.close()

    def _close(self) -> None:
        if self._client is not None:
            self._client.close()
        self._ipvs.close()


def _summary(written: Written) -> str:
    """What was written, in a line."""
    done = ", ".join(f"{name} {count}" for name, count in sorted(written.counts.items())) or "nothing written"
    return f"{done}; {len(written.failures)} refused" if written.failures else done
