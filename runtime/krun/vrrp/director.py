"""All virtual routers of a director as one pure machine: packets, links, addresses and time in, effects out.

What is known is in `krun.vrrp.surroundings`, what follows from what in `krun.vrrp.steps`, what is wanted done in `krun.vrrp.outbox`. Nothing
opens a socket, reads a clock or writes a log: `krun.vrrp.process` runs it against a kernel, a simulator against a virtual one. Every
method that takes ``now`` (microseconds) returns the effects to carry out, in order.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from kir.model import Config
from kir.state import AddressKey, AddressTable
from krun.loop.books import Books, Entry
from krun.vrrp import events, tracking
from krun.vrrp.book import STATIC
from krun.vrrp.drift import Drift
from krun.vrrp.effects import Effect, Remember, Rewire, TellOutside, Transmit
from krun.vrrp.endpoint import Endpoint
from krun.vrrp.instance import Instance
from krun.vrrp.machine import Role, step
from krun.vrrp.outbox import transmission
from krun.vrrp.promises import TRACKER_PREFIX, Inheritance, tracker_promise
from krun.vrrp.routing import Sight
from krun.vrrp.steps import Steps

_ADVERT_DUE = events.AdvertDue()


class Director(Steps):
    """The composite. ``config``: what to run. Call `start` once, after the surroundings (`seen_link`, `seen_source`) are known."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.not_before = 0
        self.begun = False
        self.drift = Drift(self, self.outbox)

    # -- life

    def begin(self, present: Collection[AddressKey] = (), sight: Sight | None = None) -> list[Effect]:
        """Before the start: see `krun.vrrp.drift.Drift.begin`."""
        self.begun = True
        self.drift.begin(present, sight)
        return self.take()

    def start(
        self,
        now: int,
        present: Collection[AddressKey] = (),
        inheritance: Inheritance | None = None,
        startup_delay_us: int = 0,
    ) -> list[Effect]:
        """The instances begin, after `begin`. ``present``: addresses that are on the interfaces now; of these, those of ours are adopted
        or removed."""
        inherited = inheritance or Inheritance({}, {})
        early = [] if self.begun else self.begin(present)
        self.started = True
        self.not_before = now + startup_delay_us
        for name, up in inherited.trackers.items():
            if name in self.health:
                self.health[name] = tracking.rescaled(
                    self.scripts[name], tracking.ScriptHealth(up=up, counter=self.scripts[name].rise)
                )
        self.hold_back()
        self.start_instances(list(self.instances.values()), now, inherited)
        self.release_addresses()
        return early + self.take()

    def start_instances(self, instances: list[Instance], now: int, inherited: Inheritance) -> None:
        for instance in instances:
            instance.primary = tracking.Debounced(self.links.get(instance.config.interface))
            instance.verdict = self.judge(instance)
        resuming = self.resuming(inherited)
        for instance in instances:
            verdict, config = instance.verdict, instance.config
            group = self.group_with(instance)
            faults = verdict.faults | self.group_faults(instance)
            mates = [instance] if group is None else self.members(group)
            owner_at_once = all(
                mate.config.owner and mate.config.initial_state == "MASTER" and not mate.verdict.faults
                for mate in mates
            )
            resume = inherited.masters.get(config.name) if config.name in resuming and not faults else None
            if resume is not None and group is not None:
                group.role = Role.MASTER
            self.feed(
                instance,
                events.Start(
                    priority=verdict.priority,
                    source=self.sources.get(config.name),
                    faults=faults,
                    pending=verdict.pending,
                    not_before=self.not_before,
                    owner_at_once=owner_at_once,
                    resume_since=resume,
                ),
                now,
            )
        for group in self.groups.values():
            if group.role is Role.INIT:
                self.settle(group)
        self.route()

    def stop(self, now: int) -> list[Effect]:
        """Orderly end: priority 0, VIPs off, STOP told; groups after instances."""
        self.hold_back()
        for instance in self.instances.values():
            self.feed(instance, events.Shutdown(), now)
        for group in self.groups.values():
            self.tell_group(group, "STOP")
        self.ledger.release(STATIC)
        self.routing.release(STATIC, (), ())
        self.release_addresses()
        self.alarms.clear()
        self.adverts.clear()
        return self.take()

    # -- packets

    def receive(
        self, at: Endpoint, pdu: bytes, source: str, destination: str, ttl: int, now: int
    ) -> list[Effect]:
        """A packet that came in by the socket ``at``. Whatever it holds, the worst that it does is to be counted."""
        heard = self.intake.hear(at, pdu, source, destination, ttl, now)
        if heard is not None:
            self.feed(*heard, now)
        return self.take()

    # -- time

    def next_deadline(self) -> int | None:
        """When `tick` has something to do; it may turn out to be nothing."""
        advert, other = self.adverts.next(), self.alarms.next()
        return other if advert is None or (other is not None and other < advert) else advert

    def next_advert(self) -> int | None:
        """When `advertise` has something to do."""
        return self.adverts.next()

    def other_due(self, now: int) -> bool:
        """Whether `tick` has something to do beside adverts."""
        at = self.alarms.next()
        return at is not None and at <= now

    def advertise(self, now: int) -> list[Transmit]:
        """The adverts that are due, and nothing else: this may come in the middle of anything (`breathe`). Who was silent for too long is
        left to `tick`."""
        adverts: list[Transmit] = []
        for instance in self.adverts.due(now):
            before = instance.state
            after, actions = step(instance.settings, before, _ADVERT_DUE, now)
            due = before.advert_at
            if actions and due is not None:
                instance.state = after
                advert = transmission(instance, after.speaks)
                if advert is not None:
                    adverts.append(advert)
                self.advert_left(now - due, instance)
            elif due is not None and due <= now:
                self.alarms.arm_at(instance, due)
                continue
            self.adverts.arm(instance)
        return adverts

    def tick(self, now: int) -> list[Effect]:
        """Do all that is due."""
        for instance in self.adverts.due(now):
            self.feed(instance, events.Tick(), now)
            self.adverts.arm(instance)
        for instance in self.alarms.due(now):
            held = instance.primary
            if held.at is not None and now >= held.at:
                instance.primary = tracking.debounce_due(held, now)
                self.reconsider((instance,), now)
            wake = instance.state.wake
            if wake is not None and wake <= now:
                self.feed(instance, events.Tick(), now)
            self.arm(instance)
            self.breathe()
        return self.take()

    def slept(self, us: int, unseen_us: int, now: int) -> list[Effect]:
        """Nothing ran here for ``us`` microseconds, of which the clock did not count ``unseen_us``. Before anything else is told."""
        event = events.Slept(us, unseen_us)
        self.hold_back()
        for instance in self.instances.values():
            self.feed(instance, event, now)
        self.release_addresses()
        return self.take()

    # -- surroundings

    def link(self, device: str, up: bool | None, now: int) -> list[Effect]:
        """An interface changed: up and running, down, or gone (None)."""
        if self.links.get(device) is up:
            return []
        self.seen_link(device, up)
        for instance in self.instances.values():
            config = instance.config
            if config.interface == device:
                instance.primary = tracking.debounce(
                    instance.primary,
                    up,
                    now,
                    up_delay_us=config.interface_up_delay_us,
                    down_delay_us=config.interface_down_delay_us,
                )
                self.arm(instance)
        self.reconsider(self.instances.values(), now)
        return self.take()

    def source(self, instance: str, address: str | None, now: int) -> list[Effect]:
        """The adverts of an instance leave from ``address`` now; None: there is none."""
        entry = self.instances[instance]
        if self.sources.get(instance) == address:
            return []
        self.sources[instance] = address
        if address is None:
            # The last words still leave from the old address.
            self.reconsider((entry,), now)
        entry.forget()
        self.feed(entry, events.SourceChanged(address), now)
        entry.forget()
        self.route()
        self.outbox.emit(Rewire())
        if address is not None:
            self.reconsider((entry,), now)
        return self.take()

    def socket(self, at: Endpoint, problem: str | None, now: int) -> list[Effect]:
        """The socket of an endpoint cannot be opened (``problem`` says why), or works again (None). Who hears nobody must not
        believe to be alone."""
        if problem is None:
            self.deaf.pop(at, None)
        else:
            self.deaf[at] = problem
        self.reconsider(self.instances.values(), now)
        return self.take()

    def script_ended(self, name: str, success: bool, now: int) -> list[Effect]:
        """A ``vrrp_script`` gave a result."""
        script = self.scripts.get(name)
        if script is None:
            return []
        before = self.health[name]
        after = self.health[name] = tracking.script_ended(script, before, success)
        if before.up != after.up:
            word = "succeeds" if after.up else "fails"
            self.say(
                logging.INFO if after.up else logging.WARNING,
                name,
                f"script {word}",
                "vrrp.track",
                state="up" if after.up else "down",
            )
            self.outbox.emit(Remember(TRACKER_PREFIX + name, tracker_promise(bool(after.up))))
            self.reconsider(self.instances.values(), now)
        return self.take()

    def address_gone(self, key: AddressKey, now: int) -> list[Effect]:
        """An address that we put there is gone without our doing. It is put back, unless that happens again and again."""
        given_up = len(self.given_up)
        for instance in self.drift.address_gone(key, now):
            self.feed(instance, events.AddressesLost(key.address), now)
        self._reconsider_given_up(given_up, now)
        return self.take()

    def renamed(
        self, names: Mapping[str, str], held: AddressTable, present: Collection[AddressKey]
    ) -> list[Effect]:
        """Interfaces have other names: see `krun.vrrp.drift.Drift.renamed`. The loss of the old names comes before (`link`)."""
        self.drift.renamed(names, held, present)
        return self.take()

    def routing_seen(self, sight: Sight, now: int, *, blame: bool) -> list[Effect]:
        """What of our routes and rules the kernel has. ``blame``: because somebody was seen to delete or replace some."""
        given_up = len(self.given_up)
        for instance, what in self.drift.look(sight, now, blame=blame):
            self.feed(instance, events.AddressesLost(what), now)
        self._reconsider_given_up(given_up, now)
        return self.take()

    def _reconsider_given_up(self, before: int, now: int) -> None:
        if len(self.given_up) != before:
            self.reconsider(self.instances.values(), now)

    def put_back(self, present: Collection[AddressKey], now: int) -> list[Effect]:
        """Compare what should be there with what is, after events were lost or a link came back."""
        given_up = len(self.given_up)
        self.drift.put_back(present)
        self._reconsider_given_up(given_up, now)
        return self.take()

    # -- what the shell needs to know

    def endpoints(self) -> dict[Endpoint, tuple[int, ...]]:
        """The sockets that are needed, and the VRIDs of each."""
        return {at: tuple(sorted(table)) for at, table in self.intake.routes.items()}

    def books(self) -> Books:
        """What it owns (`krun.loop.books`)."""
        for instance in self.instances.values():
            yield Entry("instance", instance.name, instance)
        for group in self.groups.values():
            yield Entry("sync group", group.name, group)
        yield Entry("book", "addresses", self.ledger)
        yield Entry("book", "routes", self.routing.routes)
        yield Entry("book", "rules", self.routing.rules)
        yield Entry("configuration", "that the director runs", self.config)

    def standing(self) -> list[TellOutside]:
        """What the outside should have been told of everybody: instances, then groups."""
        instances = [
            TellOutside("INSTANCE", i.name, i.state.role.name, i.state.speaks, i.config.notify)
            for i in self.instances.values()
        ]
        groups = [TellOutside("GROUP", g.name, g.role.name, 0, g.config.notify) for g in self.groups.values()]
        return instances + groups
