"""All virtual routers of a director as one pure machine: packets, links, addresses and time in, effects out.

What is known is in `krun.vrrp.surroundings`, what is wanted done in `krun.vrrp.outbox`; here the one follows from the other. Nothing
opens a socket, reads a clock or writes a log: `krun.vrrp.process` runs it against a kernel, a simulator against a virtual one. Every
method that takes ``now`` (microseconds) returns the effects to carry out, in order.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping

from kir.model import Config
from kir.state import AddressKey, AddressTable
from krun.loop.books import Books, Entry
from krun.vrrp import events, tracking
from krun.vrrp.alarms import Alarms
from krun.vrrp.book import STATIC
from krun.vrrp.drift import Drift
from krun.vrrp.effects import Effect, Remember, Rewire, TellOutside
from krun.vrrp.endpoint import Endpoint
from krun.vrrp.instance import Instance
from krun.vrrp.intake import Intake
from krun.vrrp.machine import Role, step
from krun.vrrp.outbox import Outbox
from krun.vrrp.promises import TRACKER_PREFIX, Inheritance, role_promise, tracker_promise
from krun.vrrp.routing import Sight
from krun.vrrp.state import State
from krun.vrrp.surroundings import Surroundings
from krun.vrrp.sync import Group, common_role, may_become_master


class Director(Surroundings):
    """The composite. ``config``: what to run. Call `start` once, after the surroundings (`seen_link`, `seen_source`) are known."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.started = False
        self.not_before = 0
        self.outbox = Outbox()
        self.ledger = self.outbox.ledger
        self.routing = self.outbox.routing
        self.drift = Drift(self, self.outbox)
        self.begun = False
        self.alarms = Alarms()
        self.intake = Intake(self.outbox.say)
        self.intake.log_unknown_vrids = config.global_defs.log_unknown_vrids

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
        return self.alarms.next()

    def tick(self, now: int) -> list[Effect]:
        """Do all that is due."""
        for instance in self.alarms.due(now):
            held = instance.primary
            if held.at is not None and now >= held.at:
                instance.primary = tracking.debounce_due(held, now)
                self.reconsider((instance,), now)
            wake = instance.state.wake
            if wake is not None and wake <= now:
                self.feed(instance, events.Tick(), now)
            self.alarms.arm(instance)
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
                self.alarms.arm(instance)
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

    @property
    def has_pipes(self) -> bool:
        """Whether there is a pipe for what happens here."""
        settings = self.config.global_defs
        return settings.notify_fifo is not None or settings.vrrp_notify_fifo is not None

    # -- inside

    def standing(self) -> list[TellOutside]:
        """What the outside should have been told of everybody: instances, then groups."""
        instances = [
            TellOutside("INSTANCE", i.name, i.state.role.name, i.state.speaks, i.config.notify)
            for i in self.instances.values()
        ]
        groups = [TellOutside("GROUP", g.name, g.role.name, 0, g.config.notify) for g in self.groups.values()]
        return instances + groups

    def take(self) -> list[Effect]:
        """All effects since the last call."""
        return self.outbox.take()

    def emit(self, effect: Effect) -> None:
        """One more effect."""
        self.outbox.emit(effect)

    def say(self, level: int, subject: str, text: str, kind: str = "vrrp", **data: str | int | None) -> None:
        """A line for the log, and an event of that ``kind``."""
        self.outbox.say(level, subject, text, kind, **data)

    def hold_back(self) -> None:
        """From here to `release_addresses` all address changes are one transaction."""
        self.outbox.hold_back()

    def release_addresses(self) -> None:
        """The transaction is complete."""
        self.outbox.release_addresses()

    def feed(self, instance: Instance, event: events.Event, now: int) -> None:
        before = instance.state
        after, actions = step(instance.settings, before, event, now)
        if after is before and not actions:
            return
        instance.state = after
        if before.role is not after.role or before.master != after.master:
            instance.said.clear()
        for action in actions:
            if type(action) is events.Log and before.role is not after.role and action.once is None:
                self._say_state(instance, before.role, after, action)
            else:
                self._act(instance, action, now)
        self.alarms.arm(instance)
        if before.role is not after.role:
            self._role_changed(instance, before.role, now)

    def _say_state(self, instance: Instance, before: Role, after: State, said: events.Log) -> None:
        # Whoever was master still remembers itself as the one that it followed.
        others = after.master if after.master != after.source else None
        self.say(
            said.level,
            instance.name,
            said.text,
            "vrrp.state",
            before=before.name,
            state=after.role.name,
            priority=after.speaks,
            master=after.source if after.role is Role.MASTER else others,
        )

    def _act(self, instance: Instance, action: events.Action, now: int) -> None:
        kind = type(action)
        if kind is events.SendAdvert:
            self.outbox.transmit(instance, action.priority)  # type: ignore[attr-defined]
            return
        match action:
            case events.AddVips():
                self.outbox.take_all(instance)
            case events.RemoveVips():
                self.outbox.release_all(instance)
            case events.Announce(rounds=rounds, targets=targets):
                held = tuple((a.device, a.address) for a in instance.addresses)
                if targets is not None:
                    some = frozenset(targets)
                    held = tuple(target for target in held if target in some)
                self.outbox.announce(instance, held, rounds)
            case events.AnnounceSource():
                if instance.state.source is not None:
                    self.outbox.announce(instance, ((instance.config.interface, instance.state.source),), 1)
            case events.DropAnnouncements():
                self.outbox.forget_announcements(instance.name)
            case events.Notify(word=word):
                config = instance.config
                if (
                    word == "MASTER_RX_LOWER_PRI"
                    and config.notify.master_rx_lower_pri is None
                    and not self.has_pipes
                ):
                    return
                self.outbox.tell("INSTANCE", config.name, word, instance.state.speaks, config.notify)
            case events.Count(name=name):
                instance.counters.count(name)
            case events.Log(level=level, text=text, once=once):
                if once is None:
                    self.say(level, instance.name, text)
                else:
                    self.intake.once(instance, level, text, once)
            case events.WantMaster():
                self._wants_master(instance, now)
            case events.LowerHeard():
                group = self.group_with(instance)
                for mate in self.members(group) if group is not None else ():
                    if mate is not instance:
                        self.feed(mate, events.AnnounceAgain(), now)

    def route(self) -> None:
        routes: dict[Endpoint, dict[int, Instance]] = {}
        for instance in self.instances.values():
            at = instance.endpoint
            known = instance.config.interface in self.links and instance.name not in self.broken
            if at is not None and known:
                routes.setdefault(at, {})[instance.config.vrid] = instance
        if routes.keys() != self.intake.routes.keys():
            self.outbox.emit(Rewire())
        self.intake.routes = routes

    # -- tracking and groups

    def reconsider(self, instances: Iterable[Instance], now: int, always: Collection[str] = ()) -> None:
        """Tracked objects changed: who has another priority, who falls, who may come back.

        ``always``: names of instances whose group changed, which are looked at in any case.
        """
        if not self.started:
            return
        touched: dict[str, Instance] = {}
        for instance in tuple(instances):
            verdict = self.judge(instance)
            if verdict != instance.verdict or instance.name in always:
                instance.verdict = verdict
                touched[instance.name] = instance
                group = self.group_with(instance)
                for mate in self.members(group) if group is not None else ():
                    touched[mate.name] = mate
        if touched:
            self.route()
        groups: dict[str, Group] = {}
        for instance in touched.values():
            verdict, state = instance.verdict, instance.state
            if verdict.priority != state.priority:
                self.feed(instance, events.PriorityChanged(verdict.priority), now)
                if instance.config.notify_priority_changes and self.has_pipes:
                    word = f"{'MASTER' if instance.state.role is Role.MASTER else 'BACKUP'}_PRIORITY"
                    config = instance.config
                    self.outbox.tell("INSTANCE", config.name, word, instance.state.speaks, config.notify)
            faults = verdict.faults | self.group_faults(instance)
            if faults != state.faults or verdict.pending != state.pending:
                self.feed(instance, events.FaultsChanged(faults, verdict.pending), now)
            if instance.config.sync_group in self.groups:
                groups[instance.config.sync_group] = self.groups[instance.config.sync_group]
        for group in groups.values():
            self.settle(group)

    def _wants_master(self, instance: Instance, now: int) -> None:
        group = self.group_with(instance)
        members = self.members(group) if group is not None else [instance]
        if group is not None:
            states = {member.name: member.state for member in members}
            if not may_become_master(group, instance.name, states):
                return
            previous, group.role = group.role, Role.MASTER
        for member in members:
            self.feed(member, events.GroupCommand("MASTER"), now)
        if group is not None and previous is not Role.MASTER:
            self.say(logging.INFO, group.name, "sync group enters MASTER state", "vrrp.group", state="MASTER")
            self.tell_group(group, "MASTER")

    def _role_changed(self, instance: Instance, before: Role, now: int) -> None:
        role, config = instance.state.role, instance.config
        if role is Role.STOPPED:
            self.outbox.emit(Remember(config.name, None))
        elif role is Role.MASTER or before is Role.MASTER:
            self.outbox.emit(Remember(config.name, role_promise(config, role.name, instance.state.since)))
        group = self.group_with(instance)
        if group is not None and before is Role.MASTER and role is Role.BACKUP and group.role is Role.MASTER:
            group.role = Role.BACKUP
            for member in self.members(group):
                self.feed(member, events.GroupCommand("BACKUP"), now)
            self.say(logging.INFO, group.name, "sync group enters BACKUP state", "vrrp.group", state="BACKUP")
            self.tell_group(group, "BACKUP")

    def settle(self, group: Group) -> None:
        """The group's role as its members stand, told if it is another one."""
        role = common_role([member.state for member in self.members(group)])
        if role is not group.role:
            group.role = role
            self.say(
                logging.INFO,
                group.name,
                f"sync group enters {role.name} state",
                "vrrp.group",
                state=role.name,
            )
            self.tell_group(group, role.name)

    def tell_group(self, group: Group, word: str) -> None:
        self.outbox.tell("GROUP", group.name, word, 0, group.config.notify)
