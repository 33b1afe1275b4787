"""The VRRP process: the director's machine between a kernel and an event loop. Decides nothing by itself."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import Any, TypeVar

from kir.model import Config
from krun.kernel import open_kernel
from krun.kernel.door import (
    AddressesAndLinks,
    Announcer,
    Kernel,
    KernelEvent,
    LinkChanged,
)
from krun.kernel.promotion import Promotion, wanted
from krun.loop.books import Books, Entry
from krun.loop.clock import now_us
from krun.loop.descriptors import Budget, of_routers, provide
from krun.loop.pauses import Pause
from krun.loop.scheduler import NOTICE_US, scheduler_of
from krun.notify import used
from krun.notify.client import ScriptClient
from krun.notify.mail.about_vrrp import VrrpLetters
from krun.notify.mail.post import PostOffice
from krun.notify.told import Told
from krun.parent.context import ChildContext
from krun.parent.promises import PromiseWriter
from krun.record.ring import Ring
from krun.vrrp import reload, status, unsupported
from krun.vrrp.carrier import Carrier
from krun.vrrp.director import Director
from krun.vrrp.effects import Effect
from krun.vrrp.endpoint import Endpoint
from krun.vrrp.instance import Instance
from krun.vrrp.lookout import Lookout
from krun.vrrp.news import KernelNews
from krun.vrrp.promises import inherit
from krun.vrrp.recorded import RecordedDirector
from krun.vrrp.scripts import Checks, Notifier
from krun.vrrp.sockets import Sockets
from krun.vrrp.sources import own_addresses, sources

log = logging.getLogger("krun.vrrp")
T = TypeVar("T")

RETRY_S = 1.0
"""How often a socket that cannot be opened is tried again."""

NOTICE_LEAST_US = 20_000
"""Whatever the interval, a shorter pause is none: on a busy machine everybody waits so long."""


class VrrpChild:
    """All virtual routers of a director; the contract is `krun.parent.child.Child`."""

    def __init__(self, context: ChildContext) -> None:
        self._context = context
        self._recorded: RecordedDirector | None = None
        self._director = Director(context.config)
        self._promises = context.keeper or PromiseWriter()
        self._prepared: reload.ReloadPlan | None = None
        self._prepared_digest = ""
        self._retry: asyncio.TimerHandle | None = None
        self._running = False
        self._promotion = Promotion()

    # -- the contract

    async def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Learn interfaces and addresses, adopt what is ours, begin. Raises KernelUnavailable or OSError."""
        self._loop = loop
        self._scheduler = scheduler_of(loop)
        self._kernel: Kernel = open_kernel(self._context.kernel, self._context.config)
        self._rtnetlink: AddressesAndLinks = self._kernel.rtnetlink()
        self._lookout = Lookout(self._kernel.routing(), self._director, loop, self._disturbed)
        self._announcer: Announcer = self._kernel.announcer()
        self._sockets = Sockets(self._kernel, loop, self._received, self._socket_failed)
        self._client = ScriptClient(self._context.run_dir, loop)
        self._notifier = Notifier(self._client, Told(self._promises, self._context.promises))
        self._notifier.follow(self._context.config)
        self._post = PostOffice(loop, self._client)
        self._letters = VrrpLetters(self._post, self._promises, self._context.promises, self._faults)
        self._letters.follow(self._context.config)
        self._checks = Checks(self._client, loop, self._script_ended)
        config, problems = self._lookout.numbered(self._context.config)
        self._director = self._lookout.director = self._make_director(config)
        self._carrier = Carrier(
            self._director,
            self._rtnetlink,
            self._lookout,
            self._announcer,
            self._sockets,
            self._promises,
            self._notifier,
            self._letters,
            self._scheduler.breathe,
        )
        self._news = KernelNews(
            self._director, self._rtnetlink, self._carrier, loop, self._rearm, self._scheduler.breathe
        )
        self._rtnetlink.set_own(own_addresses(config))
        self._rtnetlink.subscribe(self._kernel_said)
        if self._rtnetlink.fileno() >= 0:
            loop.add_reader(self._rtnetlink.fileno(), self._rtnetlink.read_events, self._scheduler.breathe)
        for text in unsupported.warnings(config):
            log.warning("%s", text)
        director = self._director
        for name, link in self._rtnetlink.links().items():
            director.seen_link(name, link.up)
        director.broken = reload.problems(config)
        for owner, sentences in problems.items():
            if owner:
                director.broken.setdefault(owner, "; ".join(sentences))
            else:
                log.error("static routes and rules that cannot be: %s", "; ".join(sentences))
                director.static_problems = sentences
        self._budget = _sockets(config)
        self._running = True
        self._run(director.begin(self._rtnetlink.addresses(), self._lookout.look()))
        self._rtnetlink.read_events()  # the static addresses are there for those that send from them
        for name, source in self._all_sources(config).items():
            director.seen_source(name, source)
        now = now_us()
        heritage = inherit(
            config.vrrp_instances,
            self._context.promises,
            self._context.promised_at_us,
            now,
            self._context.renewed,
        )
        for text in heritage.void:
            log.warning("%s", text)
        self._run(director.start(now, self._rtnetlink.addresses(), heritage, _startup_delay(config)))
        for change in director.standing():
            if change.word != "MASTER":
                continue
            self._notifier.catch_up(change)
        self._lookout.watch()
        self._promote()
        self._client.programs(used.by_vrrp(config))
        self._checks.set(config.vrrp_scripts)
        director.between, director.advert_left = self._scheduler.breathe, self._advert_left
        self._scheduler.on_pause(self._slept)
        self._pace(config)
        self._rearm()

    def _make_director(self, config: Config) -> Director:
        context = self._context
        if not context.record:
            return Director(config)
        self._recorded = RecordedDirector(config, context.record, context.digest)
        return self._recorded

    def recorded(self) -> Ring | None:
        """What the director was told and what it decided."""
        return None if self._recorded is None else self._recorded.ring

    def prepare(self, config: Config, digest: str) -> dict[str, Any]:
        """Judge a configuration; returns the counts of what it would change. Raises ValueError."""
        config, problems = self._lookout.numbered(config)
        for owner, sentences in problems.items():
            raise ValueError(f"{f'vrrp_instance {owner}' if owner else 'static'}: {'; '.join(sentences)}")
        plan = reload.plan_reload(
            self._director.config, config, self._director.broken, breathe=self._scheduler.breathe
        )
        self._prepared, self._prepared_digest = plan, digest
        return {**plan.operations(), **reload.address_operations(self._director, plan)}

    def commit(self) -> dict[str, Any]:
        """Change to what was prepared."""
        plan, self._prepared = self._prepared, None
        if plan is None:
            raise ValueError("nothing was prepared")
        self._carrier.count_anew()
        config = plan.config
        self._budget = _sockets(config, self._budget)
        self._letters.follow(config)
        self._notifier.follow(config)
        before = self._director.standing()
        self._rtnetlink.set_own(own_addresses(config))
        around: dict[str, Any] = {
            "sources": self._all_sources(config),
            "present": self._rtnetlink.addresses(),
            "sight": self._lookout.look(config),
        }
        if self._recorded is not None:
            effects = self._recorded.reconfigure(plan, self._prepared_digest, now_us(), **around)
        else:
            effects = reload.reconfigure(self._director, plan, now_us(), **around)
        self._run(effects)
        self._carrier.forget_others()
        self._promote()
        if config.global_defs.fifo_states_on_reload:
            # Those that are new, or became another, have been told like every change.
            self._notifier.write_all(now for now in self._director.standing() if now in before)
        self._lookout.watch()
        self._client.programs(used.by_vrrp(config))
        self._checks.set(config.vrrp_scripts)
        for text in unsupported.warnings(config):
            log.warning("%s", text)
        self._pace(config)
        self._rearm()
        return {
            "operations": {**plan.operations(), **self._carrier.written},
            "failures": self._carrier.failures,
        }

    def abort(self) -> None:
        """Forget what was prepared."""
        self._prepared = None

    def status(self) -> dict[str, Any]:
        """See `krun.vrrp.status`."""
        document = status.document(self._director, now_us(), self._scheduler.breathe)
        for tracker in document["trackers"]:
            tracker["last"] = self._checks.said(tracker["name"])
        document["descriptors"] = self._budget._asdict()
        document["netlink_overruns"] = getattr(self._rtnetlink, "overruns", 0)
        document.update(self._carrier.document())
        if problems := self._promotion.problems():
            document["alarms"] = [*document.get("alarms", ()), *problems]
        return self._post.report(document)

    def books(self) -> Books:
        """What it owns (`krun.loop.books`)."""
        for part in (self._director, self._sockets, self._checks, self._client, self._post):
            yield from part.books()
        if self._prepared is not None:
            yield Entry("configuration", "prepared", self._prepared.config)

    def summary(self) -> dict[str, Any]:
        """How many instances are in which state."""
        return {"instances": Counter(i.state.role.name for i in self._director.instances.values())}

    async def stop(self) -> None:
        """Priority 0, VIPs off, STOP told."""
        if not self._running:
            return
        self._checks.stop()
        self._run(self._director.stop(now_us()))
        self._promotion.close()
        self._close()
        await self._post.close()

    def _promote(self) -> None:
        if self._context.kernel == "linux":
            self._promotion.follow(wanted(self._director.config))

    def abandon(self) -> None:
        """End without a word and leave everything as it is."""
        if self._running:
            self._running = False
            self._close()
            self._post.abandon()

    def _close(self) -> None:
        self._running = False
        self._news.closed = True
        self._scheduler.urgent_by(None, self._urgent)
        if self._retry is not None:
            self._retry.cancel()
        if self._rtnetlink.fileno() >= 0:
            self._loop.remove_reader(self._rtnetlink.fileno())
        self._sockets.close()
        self._rtnetlink.close()
        self._announcer.close()
        self._client.close()
        self._lookout.close()

    # -- what comes in

    def _received(self, at: Endpoint, pdu: bytes, source: str, destination: str, ttl: int) -> None:
        self._scheduler.breathe()
        effects = self._director.receive(at, pdu, source, destination, ttl, now_us())
        if effects:
            self._run(effects)
        self._rearm()

    # -- time

    def _urgent(self, nested: bool) -> None:
        """Adverts that are due leave; then, unless this is in the middle of something, whatever else is due."""
        now, director = now_us(), self._director
        at = director.next_advert()
        if at is not None and at <= now:
            for advert in director.advertise(now):
                self._carrier.transmit(advert, known=nested)
        if not nested and self._running:
            self._rearm()  # what follows may be long, and breathes
            if director.other_due(now):
                # Before a master counts as dead, what it has said meanwhile is heard.
                self._sockets.drain()
                self._run(director.tick(now_us()))
            self._carrier.announce_due()
        self._rearm()

    def _rearm(self) -> None:
        director = self._director
        at, paced = director.next_deadline(), self._carrier.next_announcement()
        if paced is not None and (at is None or paced < at):
            at = paced
        if self._running:
            self._scheduler.urgent_by(at, self._urgent, director.next_advert())

    def _slept(self, pause: Pause) -> None:
        """Before a word is said, and before one is heard, of what came in meanwhile: who is still what it was?"""
        if self._running:
            self._run(self._director.slept(pause.us, pause.unseen_us, now_us()))
            self._sockets.drain()
            self._rearm()

    def _advert_left(self, late_us: int, instance: Instance) -> None:
        self._scheduler.advert_left(late_us, instance.config.advert_int_us, instance.name)

    def _pace(self, config: Config) -> None:
        """How long a pause must be to matter: half of the shortest interval."""
        shortest = min((i.advert_int_us for i in config.vrrp_instances), default=NOTICE_US)
        self._scheduler.notice_us = max(NOTICE_LEAST_US, min(NOTICE_US, shortest // 2))

    def _run(self, effects: list[Effect]) -> None:
        self._carrier.run(effects)

    # -- what else comes in

    def _script_ended(self, name: str, success: bool) -> None:
        if self._running:
            self._run(self._director.script_ended(name, success, now_us()))
            self._rearm()

    def _socket_failed(self, at: Endpoint, problem: str | None) -> None:
        self._run(self._director.socket(at, problem, now_us()))
        if problem is not None and self._retry is None:
            self._retry = self._loop.call_later(RETRY_S, self._retry_sockets)

    def _retry_sockets(self) -> None:
        self._retry = None
        if self._sockets.retry():
            self._retry = self._loop.call_later(RETRY_S, self._retry_sockets)
        self._rearm()

    def _kernel_said(self, event: KernelEvent) -> None:
        if isinstance(event, LinkChanged) and not event.gone and event.link.name in self._promotion.devices:
            self._promote()
        self._news.heard(event)

    def _disturbed(self) -> None:
        self._news.disturbed()

    def _faults(self, instance: str) -> frozenset[str]:
        entry = self._director.instances.get(instance)
        return entry.state.faults if entry is not None else frozenset()

    def _all_sources(self, config: Config) -> dict[str, str | None]:
        return sources(self._rtnetlink, config)


def _sockets(config: Config, before: Budget | None = None) -> Budget:
    """See that all adverts have their sockets, and say so where they cannot; ``before``: what was said last."""
    budget = provide(of_routers(config))
    if budget.short and budget != before:
        log.error("%s", budget.words("some virtual routers will have no socket, and stay in FAULT"))
    return budget


def _startup_delay(config: Config) -> int:
    """``vrrp_startup_delay``, or what is left of ``vrrp_delay_after_boot``, whichever is longer."""
    settings = config.global_defs
    uptime = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
    return max(settings.startup_delay_us, settings.delay_after_boot_us - uptime, 0)
