"""From what the checkers find out to what follows from it: writes to IPVS, then scripts, letters and promises.

News is collected; the table is written once for all that happened in one turn of the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from kir.model import RealServer, VirtualServer
from kir.plan.ipvs import plan_entry, service_params
from kir.plan.operations import IpvsOperation
from kir.state import DestKey, ServiceEntry
from krun.check.drain import Drains
from krun.check.notices import Notices
from krun.check.pool import News, Pool
from krun.check.recorded import CheckRecorder
from krun.check.roster import Member, Roster, quorum_key
from krun.check.table import TableKeeper
from krun.notify.mail.about_checks import CheckLetters

QUORUM = {True: b"up", False: b"down"}
"""How a pool's quorum is promised."""


class PromiseKeeper(Protocol):
    """What this process needs of `krun.parent.promises.PromiseWriter`."""

    def promise(self, key: str, value: bytes) -> None: ...

    def withdraw(self, key: str) -> None: ...


class Consequences:
    """``drains`` gives what is on its way out at this moment. After `end` nothing is collected or written any more."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        roster: Roster,
        table: TableKeeper,
        drains: Callable[[], Drains],
        promises: PromiseKeeper,
        notices: Notices,
        letters: CheckLetters,
    ) -> None:
        self._loop = loop
        self._roster = roster
        self._table = table
        self._drains = drains
        self._promises = promises
        self._notices = notices
        self._letters = letters
        self._pending: dict[str, list[News]] = {}
        self._planned = False
        self._ended = False
        self._said: dict[str, bool] = {}
        self.recorder: CheckRecorder | None = None

    def note(self, virtual: VirtualServer, news: list[News]) -> None:
        """Collect news of a virtual server."""
        if not news:
            return
        if self.recorder is not None:
            self.recorder.news(virtual, news)
        self._pending.setdefault(virtual.name, []).extend(news)
        if not self._planned:
            self._planned = True
            self._loop.call_soon(self._due)

    def _due(self) -> None:
        self._planned = False
        self.flush()

    def flush(self) -> None:
        """Write and tell what was collected."""
        if self._ended or not self._pending:
            return
        pending, self._pending = self._pending, {}
        members = [self._roster.members[name] for name in pending if name in self._roster.members]
        operations: list[IpvsOperation] = []
        for member in members:
            operations.extend(self.changes(member.virtual, member.pool))
        self._table.write(operations)
        self.tell([(member.virtual, pending[member.virtual.name]) for member in members])

    def changes(self, virtual: VirtualServer, pool: Pool) -> Iterable[IpvsOperation]:
        """What has to be written for a pool that is another than the kernel's table has it."""
        dests, drains = pool.dests(), self._drains()
        for service in virtual.services:
            have = self._table.entries.get(service)
            # A service that the kernel refused is tried again, as a whole, by the audit.
            if have is None:
                continue
            want = ServiceEntry(service_params(virtual, service), dests)
            if drains:
                want = drains.keep({service: want}, {service: have})[service]
            yield from plan_entry(service, have, want)

    def tell(self, news: Iterable[tuple[VirtualServer, list[News]]]) -> None:
        """Scripts, letters, and what a successor has to know of the quorums."""
        for virtual, items in news:
            member = self._roster.members.get(virtual.name)
            if member is not None:
                self._promise_quorum(member)
            if items:
                self._letters.tell(virtual, items, removed=member is None)
                self._notices.tell(virtual, items, lambda server, v=virtual: self._reason(v, server))  # type: ignore[misc]

    def withdraw(self, keys: Iterable[str]) -> None:
        """These promises are for nobody any more."""
        for key in keys:
            self._said.pop(key, None)
            self._promises.withdraw(key)

    def end(self) -> None:
        """Whatever is still collected is for nobody."""
        self._ended = True

    def _promise_quorum(self, member: Member) -> None:
        """Tell a successor of a pool's quorum, where that is anything new."""
        key, said = quorum_key(member.virtual), member.pool.quorum_up
        if self._said.get(key) is not said:
            self._said[key] = said
            self._promises.promise(key, QUORUM[said])

    def _reason(self, virtual: VirtualServer, server: RealServer) -> str:
        member = self._roster.members.get(virtual.name)
        runners = member.runners.get(DestKey(server.address, server.port), []) if member is not None else []
        down = [r for r in runners if not r.state.up]
        return (
            "; ".join(f"{r.label.rsplit(' ', 1)[0]}: {r.state.reason or 'no success yet'}" for r in down)
            or "no reason left"
        )
