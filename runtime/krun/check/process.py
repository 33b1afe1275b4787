"""The checker process: runs the checks, keeps the pools, and writes what follows from them into IPVS."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from kir.model import Config, RealServer, VirtualServer
from kir.plan.ipvs import desired_dests, desired_table, plan_entry, plan_table, service_params
from kir.plan.operations import DelService, IpvsOperation
from kir.state import DestKey, IpvsTable, ServiceEntry
from krun.check import machine
from krun.check.limit import LimitedLog, Slots, file_limit
from krun.check.notices import STOP_PATIENCE_US, Notices
from krun.check.poller import Poller
from krun.check.pool import News, Pool
from krun.check.probes import Environment, ScriptRunner
from krun.check.roster import Draft, Roster, quorum_key, recall
from krun.check.runner import Runner, Workshop
from krun.check.schedule import Grid
from krun.check.status import member_status
from krun.check.suspend import AddressWatch
from krun.check.table import TableKeeper, Written
from krun.kernel import open_kernel
from krun.kernel.door import Ipvs, Kernel
from krun.loop.clock import now_us
from krun.notify.client import ScriptClient
from krun.parent.context import ChildContext
from krun.parent.promises import PromiseSender

log = logging.getLogger("krun.check")

QUORUM = {True: b"up", False: b"down"}


class PromiseKeeper(Protocol):
    """What this process needs of `krun.parent.promises.PromiseSender`."""

    def promise(self, key: str, value: bytes) -> None: ...

    def withdraw(self, key: str) -> None: ...


class CheckChild:
    """`krun.parent.child.Child` for health checks and IPVS.

    ``kernel``, ``scripts``, ``promises``, ``clock`` and ``rng`` are the real ones unless given.
    """

    def __init__(
        self,
        context: ChildContext,
        *,
        kernel: Kernel | None = None,
        scripts: ScriptRunner | None = None,
        promises: PromiseKeeper | None = None,
        clock: Callable[[], int] = now_us,
        rng: random.Random | None = None,
    ) -> None:
        self._context = context
        self._config = context.config
        self._kernel = kernel
        self._scripts = scripts
        self._client: ScriptClient | None = None
        self._clock = clock
        self._rng = rng if rng is not None else random.Random()
        self._log = LimitedLog(log, clock=clock)
        self._promises: PromiseKeeper = promises if promises is not None else PromiseSender(context.channel)
        self._pending: dict[str, list[News]] = {}
        self._flush_planned = False
        self._draft: Draft | None = None
        self._ended = False
        self._watch: AddressWatch | None = None

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
        self._slots = Slots(file_limit())
        self._workshop = Workshop(
            Environment(self._poller, self._grid, self._clock),
            self._scripts,
            self._slots,
            self,
            self._rng,
            self._log,
        )
        self._notices = Notices(self._scripts, self._log)
        self._roster = Roster(self._workshop)
        self._table = TableKeeper(self._ipvs, self._grid, self._clock, self._desired, self._log)
        self._admit_gaps(self._config)
        self._set_timeouts(self._config)
        self._roster.populate(self._config)
        known = recall(self._roster, self._context.promises)
        news = [(m.virtual, self._begin(m.virtual, m.pool)) for m in self._roster.members.values()]
        written = self._table.adopt(self._config.global_defs.lvs_flush)
        runners = self._roster.runners()
        log.info(
            "virtual servers: %d, checkers: %d (%d known from before); %s",
            len(self._roster.members),
            len(runners),
            known,
            _summary(written),
        )
        self._tell(news)
        self._follow_addresses()
        for runner in runners:
            runner.start()

    def _begin(self, virtual: VirtualServer, pool: Pool) -> list[News]:
        member = self._roster.members[virtual.name]
        self._roster.place(member)
        said = self._context.promises.get(quorum_key(virtual))
        announce = self._config.global_defs.rs_init_notifies and said is None
        return pool.begin(None if said is None else said == QUORUM[True], announce)

    def _set_timeouts(self, config: Config) -> None:
        timeouts = config.global_defs.lvs_timeouts
        if (timeouts.tcp_s, timeouts.tcpfin_s, timeouts.udp_s) == (None, None, None):
            return
        try:
            self._ipvs.set_timeouts(timeouts.tcp_s, timeouts.tcpfin_s, timeouts.udp_s)
        except OSError as error:
            self._log(logging.ERROR, "cannot set the IPVS timeouts: %s", error)

    def _admit_gaps(self, config: Config) -> None:
        """Say what this process is asked for and does not do."""
        general = config.global_defs
        if general.notify_fifo is not None or general.lvs_notify_fifo is not None:
            log.warning("notify_fifo, lvs_notify_fifo: not written by this release")
        if general.smtp_server is not None and general.notification_emails:
            wanted = [v.name for v in config.virtual_servers if v.smtp_alert]
            wanted += [r.identity for v in config.virtual_servers for r in v.real_servers if r.smtp_alert]
            if wanted:
                log.warning("smtp_alert (%s …): this release sends no mail about checks", wanted[0])
        if self._context.drain_us:
            log.warning("draining is not done by this release: removed servers go at once")

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
        self._note(runner.virtual, news)

    def weighed(self, runner: Runner, delta: int) -> None:
        pool = self._roster.members[runner.virtual.name].pool
        self._note(runner.virtual, pool.weighed(runner.key, runner.position, delta))

    def remember(self, runner: Runner) -> None:
        self._promises.promise(runner.promise_key, runner.promise())

    def _note(self, virtual: VirtualServer, news: list[News]) -> None:
        """Collect news; the table is written once for all that happened in this turn of the loop."""
        if not news:
            return
        self._pending.setdefault(virtual.name, []).extend(news)
        if not self._flush_planned:
            self._flush_planned = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_planned = False
        if self._ended:
            return
        pending, self._pending = self._pending, {}
        members = [self._roster.members[name] for name in pending if name in self._roster.members]
        operations: list[IpvsOperation] = []
        for member in members:
            operations.extend(self._changes(member.virtual, member.pool))
        self._table.write(operations)
        self._tell([(member.virtual, pending[member.virtual.name]) for member in members])

    def _changes(self, virtual: VirtualServer, pool: Pool) -> Iterable[IpvsOperation]:
        dests = desired_dests(virtual, pool.health())
        for service in virtual.services:
            have = self._table.entries.get(service)
            # A service that the kernel refused is tried again, as a whole, by the audit.
            if have is not None:
                yield from plan_entry(service, have, ServiceEntry(service_params(virtual, service), dests))

    def _tell(self, news: Iterable[tuple[VirtualServer, list[News]]]) -> None:
        for virtual, items in news:
            member = self._roster.members.get(virtual.name)
            if member is not None:
                said = QUORUM[member.pool.quorum_up]
                self._promises.promise(quorum_key(virtual), said)
            if items:
                self._notices.tell(virtual, items, lambda server, v=virtual: self._reason(v, server))  # type: ignore[misc]

    def _reason(self, virtual: VirtualServer, server: RealServer) -> str:
        member = self._roster.members.get(virtual.name)
        runners = member.runners.get(DestKey(server.address, server.port), []) if member is not None else []
        down = [r for r in runners if not r.state.up]
        return (
            "; ".join(f"{r.label.rsplit(' ', 1)[0]}: {r.state.reason or 'no success yet'}" for r in down)
            or "no reason left"
        )

    def _desired(self) -> IpvsTable:
        return desired_table(self._config, {n: m.pool.health() for n, m in self._roster.members.items()})

    # Reload.

    def prepare(self, config: Config, digest: str) -> dict[str, Any]:
        """Judge ``config``; counts of the operations that it needs by what is known now."""
        draft = self._roster.draft(config)
        counts = Counter(draft.counts)
        for operation in self._plan(draft, {id(t): self._roster.preview(t) for t in draft.transitions}):
            counts[operation.op] += 1
        self._draft = draft
        return {name: count for name, count in sorted(counts.items()) if count}

    def commit(self) -> dict[str, Any]:
        """Carry out what was prepared: IPVS first, in one plan, then scripts, then new checks."""
        draft, self._draft = self._draft, None
        if draft is None:
            raise ValueError("nothing is prepared")
        # Checkers may have spoken since, and may not have been heard yet: what is pending is settled in the old world first.
        if self._pending:
            self._flush()
        # Between prepare and commit the checkers went on: the draft is made anew from the same configuration.
        draft = self._roster.draft(draft.config)
        old = self._config
        self._config = draft.config
        taken = self._roster.take(draft, draft.config.global_defs.rs_init_notifies)
        pools = {
            id(t): self._roster.members[t.virtual.name].pool if t.virtual is not None else None
            for t in draft.transitions
        }
        written = self._table.write(self._plan(draft, pools))
        for key in taken.withdrawn:
            self._promises.withdraw(key)
        self._tell(taken.news)
        for runner in taken.started:
            runner.start()
        for runner in taken.moved:
            self.remember(runner)
        self._follow_addresses()
        if draft.config.global_defs.lvs_timeouts != old.global_defs.lvs_timeouts:
            self._set_timeouts(draft.config)
        if draft.config.global_defs != old.global_defs:
            self._admit_gaps(draft.config)
        counts = written.counts + draft.counts
        return {
            "operations": {name: count for name, count in sorted(counts.items()) if count},
            "failures": written.failures,
        }

    def abort(self) -> None:
        self._draft = None

    def _plan(self, draft: Draft, pools: dict[int, Pool | None]) -> list[IpvsOperation]:
        """The operations for the virtual servers that differ; the others are not even looked at."""
        have: IpvsTable = {}
        want: IpvsTable = {}
        for transition in draft.transitions:
            for service in transition.old.virtual.services if transition.old is not None else ():
                entry = self._table.entries.get(service)
                if entry is not None:
                    have[service] = entry
            pool = pools[id(transition)]
            if pool is None:
                continue
            dests = desired_dests(pool.virtual, pool.health())
            for service in pool.virtual.services:
                entry = self._table.entries.get(service)
                if entry is not None:
                    have[service] = entry
                want[service] = ServiceEntry(service_params(pool.virtual, service), dests)
        return plan_table(have, want)

    # State.

    def status(self) -> dict[str, Any]:
        try:
            connections = self._ipvs.connections()
        except OSError:
            connections = {}
        now = self._clock()
        return {
            "virtual_servers": [member_status(m, now, connections) for m in self._roster.members.values()],
            "ipvs": {
                "writes": self._table.writes,
                "services": len(self._table.entries),
                "refused": self._table.refused,
                "repairs": self._table.repairs,
            },
            "checks": {
                "under_way": self._slots.held,
                "waiting": self._slots.waiting,
                "limit": self._slots.limit,
                "log_lines_left_out": self._log.left_out,
            },
        }

    # End.

    async def stop(self) -> None:
        """Remove our services, with all their servers; ``omega`` runs the scripts of a going-down."""
        if self._ended:
            return
        self._halt()
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
        log.info("stopping: %s", _summary(written))
        await self._say_farewell()
        self._close()

    async def _say_farewell(self) -> None:
        """Scripts of virtual servers with ``omega``, waited for as long as they may take."""
        left = 0
        done = asyncio.Event()

        def one_done() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                done.set()

        for member in self._roster.members.values():
            if member.virtual.omega:
                left += self._notices.farewell(member.virtual, member.pool.farewell(), one_done)
        if left > 0:
            try:
                await asyncio.wait_for(done.wait(), STOP_PATIENCE_US / 1e6 + 0.5)
            except TimeoutError:
                log.warning("%d notify scripts had not ended at the stop", left)

    def abandon(self) -> None:
        """The parent is gone: everything in the kernel stays for the next one."""
        if not self._ended:
            self._halt()
            self._close()

    def _halt(self) -> None:
        self._ended = True
        self._table.close()
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
