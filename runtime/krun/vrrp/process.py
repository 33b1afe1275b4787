"""The VRRP process: the director's machine between a kernel and an event loop. Decides nothing by itself."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any, TypeVar

from kir.model import Config
from kir.plan.operations import AddressOperation, DelAddress, Operation
from kir.plan.route_operations import RoutingOperation
from kir.state import AddressKey, address_key
from krun.control.events import event as typed
from krun.kernel import open_kernel
from krun.kernel.door import (
    AddressChanged,
    AddressesAndLinks,
    Announcer,
    Failure,
    Kernel,
    KernelEvent,
    LinkChanged,
    Resynchronised,
)
from krun.kernel.promotion import Promotion, wanted
from krun.loop.books import Books, Entry
from krun.loop.clock import now_us
from krun.loop.limited import LimitedLog
from krun.notify import used
from krun.notify.client import ScriptClient
from krun.notify.mail.about_vrrp import VrrpLetters
from krun.notify.mail.post import PostOffice
from krun.notify.told import Told
from krun.parent.context import ChildContext
from krun.parent.promises import PromiseWriter
from krun.record.ring import Ring
from krun.vrrp import reload, status, unsupported
from krun.vrrp.announcements import Batch, Pacer
from krun.vrrp.director import Director
from krun.vrrp.effects import (
    AnnounceAddresses,
    ChangeAddresses,
    ChangeRouting,
    Effect,
    ForgetAnnouncements,
    Remember,
    Rewire,
    Say,
    TellOutside,
    Transmit,
)
from krun.vrrp.endpoint import Endpoint
from krun.vrrp.lookout import Lookout
from krun.vrrp.promises import inherit
from krun.vrrp.recorded import RecordedDirector
from krun.vrrp.scripts import Checks, Notifier
from krun.vrrp.sockets import Sockets
from krun.vrrp.sources import may_be_source, own_addresses, sources

log = logging.getLogger("krun.vrrp")
T = TypeVar("T")

RETRY_S = 1.0
"""How often a socket that cannot be opened is tried again."""


class VrrpChild:
    """All virtual routers of a director; the contract is `krun.parent.child.Child`."""

    def __init__(self, context: ChildContext) -> None:
        self._context = context
        self._recorded: RecordedDirector | None = None
        self._director = Director(context.config)
        self._pacer = Pacer()
        self._promises = context.keeper or PromiseWriter()
        self._prepared: reload.ReloadPlan | None = None
        self._prepared_digest = ""
        self._events: list[KernelEvent] = []
        self._events_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0
        self._retry: asyncio.TimerHandle | None = None
        self._running = False
        self._promotion = Promotion()
        self._say = LimitedLog(
            log, what="virtual routers"
        )  # a peer decides how often there is something to say
        self._failures: list[str] = []
        self._written: Counter[str] = Counter()
        self._mute: dict[str, int] = {}
        self._added: set[AddressKey] = set()

    # -- the contract

    async def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Learn interfaces and addresses, adopt what is ours, begin. Raises KernelUnavailable or OSError."""
        self._loop = loop
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
        self._rtnetlink.set_own(own_addresses(config))
        self._rtnetlink.subscribe(self._kernel_event)
        if self._rtnetlink.fileno() >= 0:
            loop.add_reader(self._rtnetlink.fileno(), self._rtnetlink.read_events)
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
        plan = reload.plan_reload(self._director.config, config, self._director.broken)
        self._prepared, self._prepared_digest = plan, digest
        return {**plan.operations(), **reload.address_operations(self._director, plan)}

    def commit(self) -> dict[str, Any]:
        """Change to what was prepared."""
        plan, self._prepared = self._prepared, None
        if plan is None:
            raise ValueError("nothing was prepared")
        self._failures, self._written = [], Counter()
        config = plan.config
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
        self._promote()
        self._mute = {name: code for name, code in self._mute.items() if name in self._director.instances}
        if config.global_defs.fifo_states_on_reload:
            # Those that are new, or became another, have been told like every change.
            self._notifier.write_all(now for now in self._director.standing() if now in before)
        self._lookout.watch()
        self._client.programs(used.by_vrrp(config))
        self._checks.set(config.vrrp_scripts)
        for text in unsupported.warnings(config):
            log.warning("%s", text)
        self._rearm()
        return {"operations": {**plan.operations(), **self._written}, "failures": self._failures}

    def abort(self) -> None:
        """Forget what was prepared."""
        self._prepared = None

    def status(self) -> dict[str, Any]:
        """See `krun.vrrp.status`."""
        document = status.document(self._director, now_us())
        for tracker in document["trackers"]:
            tracker["last"] = self._checks.said(tracker["name"])
        document["netlink_overruns"] = getattr(self._rtnetlink, "overruns", 0)
        document["log_lines_left_out"] = self._say.left_out
        document["announcements"] = {"waiting": self._pacer.waiting, "dropped": self._pacer.dropped}
        if problems := self._promotion.problems():
            document["alarms"] = problems
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
        for timer in (self._timer, self._retry):
            if timer is not None:
                timer.cancel()
        if self._rtnetlink.fileno() >= 0:
            self._loop.remove_reader(self._rtnetlink.fileno())
        self._sockets.close()
        self._rtnetlink.close()
        self._announcer.close()
        self._client.close()
        self._lookout.close()

    # -- what comes in

    def _received(self, at: Endpoint, pdu: bytes, source: str, destination: str, ttl: int) -> None:
        effects = self._director.receive(at, pdu, source, destination, ttl, now_us())
        if effects:
            self._run(effects)
        self._rearm()

    def _tick(self) -> None:
        self._timer = None
        now = now_us()
        self._run(self._director.tick(now))
        self._send_announcements(self._pacer.due(now))
        self._rearm()

    def _rearm(self) -> None:
        """One timer for the earliest deadline. A timer that is early is left alone: it finds nothing to do and is set anew."""
        at = self._director.next_deadline()
        paced = self._pacer.next_deadline()
        if paced is not None and (at is None or paced < at):
            at = paced
        if at is None or not self._running:
            return
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_at(at / 1e6, self._tick)

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

    # -- the kernel's events

    def _kernel_event(self, event: KernelEvent) -> None:
        self._events.append(event)
        if not self._events_due:
            self._events_due = True
            self._loop.call_soon(self._kernel_events)

    def _kernel_events(self) -> None:
        """Everything that came in at once: links first, since an interface that goes down takes addresses with it."""
        self._events_due = False
        events, self._events = self._events, []
        if not self._running:
            return
        director = self._director
        resync = any(isinstance(event, Resynchronised) for event in events)
        renamed = _renamed(events)
        held = dict(director.ledger.have) if renamed else {}
        devices: set[str] = set()
        gone: list[AddressKey] = []
        for event in events:
            if isinstance(event, LinkChanged):
                link = event.link
                if not event.gone and link.name in self._promotion.devices:
                    self._promote()
                devices.add(link.name)
                self._run(director.link(link.name, None if event.gone else link.up, now_us()))
            elif isinstance(event, AddressChanged):
                self._added.discard(event.key)
                if event.key in director.ledger.have:
                    if event.gone:
                        gone.append(event.key)
                elif may_be_source(event.key, director):
                    devices.add(event.key.device)
        if resync:
            self._added.clear()
            links = self._rtnetlink.links()
            for name in director.links.keys() - links.keys():
                self._run(director.link(name, None, now_us()))
            for name, link in links.items():
                if director.links.get(name) != link.up:
                    self._run(director.link(name, link.up, now_us()))
        present = self._rtnetlink.addresses()
        if renamed:
            self._run(director.renamed(renamed, held, present))
        if devices or resync:
            for name, source in self._all_sources(director.config).items():
                self._run(director.source(name, source, now_us()))
        for key in gone:
            # What we removed and added again ourselves is there by now.
            if key not in present and key in director.ledger.have:
                self._run(director.address_gone(key, now_us()))
        if resync or devices:
            # What we have just written is there, though the kernel's word of it has not been read yet.
            written = self._added & director.ledger.have.keys()
            self._run(director.put_back({*present, *written}, now_us()))
        touched = devices | {key.device for key in gone}
        if resync or (touched and director.routing.depends_on(touched)):
            self._look_again(blame=False)
        self._rearm()

    def _disturbed(self) -> None:
        """Somebody was seen at work on routes or rules. Links first: what a link took along is nobody's fault."""
        if not self._running:
            return
        self._rtnetlink.read_events()
        self._kernel_events()
        self._look_again(blame=True)
        self._rearm()

    def _look_again(self, *, blame: bool) -> None:
        if self._running and not self._director.routing.idle:
            sight = self._lookout.look()
            if sight is not None:
                self._run(self._director.routing_seen(sight, now_us(), blame=blame))

    def _faults(self, instance: str) -> frozenset[str]:
        entry = self._director.instances.get(instance)
        return entry.state.faults if entry is not None else frozenset()

    def _all_sources(self, config: Config) -> dict[str, str | None]:
        return sources(self._rtnetlink, config)

    # -- what goes out

    def _run(self, effects: list[Effect]) -> None:
        cut = False
        for effect in effects:
            kind = type(effect)
            if kind is Transmit:
                self._transmit(effect)  # type: ignore[arg-type]
                continue
            match effect:
                case ChangeAddresses():
                    self._change_addresses(effect)
                    cut = cut or any(isinstance(o, DelAddress) for o in effect.operations)
                case ChangeRouting():
                    self._change_routing(effect)
                case AnnounceAddresses():
                    self._send_announcements(
                        self._pacer.add(
                            effect.instance, effect.targets, effect.rounds, effect.spacing_us, now_us()
                        )
                    )
                case ForgetAnnouncements(instance=instance):
                    self._pacer.forget(instance)
                case TellOutside():
                    self._notifier.tell(effect)
                    self._letters.tell(effect)
                case Remember(key=key, value=value):
                    if value is None:
                        self._promises.withdraw(key)
                    else:
                        self._promises.promise(key, value)
                case Say(level=level, subject=subject, text=text, kind=kind_of, data=data):
                    self._say(level, "(%s) %s", subject, text, about=typed(kind_of, subject, **data))
                case Rewire():
                    self._sockets.want(self._director.endpoints())
        if cut:
            self._look_again(
                blame=False
            )  # the kernel removes with an address the routes that need it, and says nothing

    def _transmit(self, effect: Transmit) -> None:
        # Last words go by a socket that is there, or nowhere: its interface may be gone.
        sock = self._sockets.known(effect.endpoint) if effect.farewell else self._sockets.get(effect.endpoint)
        if sock is None:
            return
        for datagram in effect.datagrams:
            try:
                sock.send(datagram.pdu, datagram.source, datagram.destination, datagram.ttl)
            except OSError as error:
                if not effect.farewell:
                    self._not_sent(effect.instance, datagram.destination, error)
            else:
                if not effect.farewell:
                    self._promises.renew(effect.instance, now_us())
                if self._mute:
                    self._mute.pop(effect.instance, None)

    def _not_sent(self, instance: str, destination: str, error: OSError) -> None:
        """Said once for each kind of error, until an advert of the instance goes out again."""
        entry = self._director.instances.get(instance)
        if entry is not None:
            entry.counters.send_err += 1
        if self._mute.get(instance) != error.errno:
            self._mute[instance] = error.errno or 0
            log.error("(%s) cannot send adverts to %s: %s", instance, destination, error.strerror or error)

    def _change_addresses(self, effect: ChangeAddresses) -> None:
        self._count(effect.operations)
        failures = self._rtnetlink.apply_addresses(effect.operations)
        if self._recorded is not None:
            self._recorded.addresses_done(_words_of(failures, AddressOperation), now_us())
        for failure in failures:
            operation = failure.operation
            self._refused(
                failure,
                news=not isinstance(operation, AddressOperation)
                or self._director.ledger.not_done(operation, failure.message),
            )
        for operation in effect.operations:
            if isinstance(operation, DelAddress):
                self._added.discard(address_key(operation.address))
            else:
                self._added.add(address_key(operation.address))
        self._director.ledger.accepted()

    def _change_routing(self, effect: ChangeRouting) -> None:
        self._count(effect.operations)
        failures = self._lookout.apply(effect.operations)
        if self._recorded is not None:
            self._recorded.routing_done(_words_of(failures, RoutingOperation), now_us())
        for failure in failures:
            operation = failure.operation
            self._refused(
                failure,
                news=not isinstance(operation, RoutingOperation)
                or self._director.routing.not_done(operation, failure.message),
            )
        self._director.routing.accepted()

    def _count(self, operations: Iterable[Operation]) -> None:
        for operation in operations:
            self._written[operation.op] += 1

    def _refused(self, failure: Failure, *, news: bool) -> None:
        self._failures.append(failure.message)
        if news:
            log.error("%s: %s", failure.operation.target, failure.message)

    def _send_announcements(self, batches: list[Batch]) -> None:
        failed: set[str] = set()
        for device, addresses in batches:
            if device in failed:
                continue
            try:
                self._announcer.announce(device, addresses)
            except OSError as error:
                failed.add(device)
                log.warning("%s: cannot announce addresses: %s", device, error.strerror or error)


def _words_of(failures: Iterable[Failure], kind: type[T]) -> list[tuple[T, str]]:
    return [(f.operation, f.message) for f in failures if isinstance(f.operation, kind)]


def _renamed(events: Iterable[KernelEvent]) -> dict[str, str]:
    """Old → new name of interfaces that have another one now."""
    links = [event for event in events if isinstance(event, LinkChanged)]
    gone = {event.link.index: event.link.name for event in links if event.gone}
    there = {event.link.index: event.link.name for event in links if not event.gone}
    return {name: there[index] for index, name in gone.items() if there.get(index, name) != name}


def _startup_delay(config: Config) -> int:
    """``vrrp_startup_delay``, or what is left of ``vrrp_delay_after_boot``, whichever is longer."""
    settings = config.global_defs
    uptime = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
    return max(settings.startup_delay_us, settings.delay_after_boot_us - uptime, 0)
