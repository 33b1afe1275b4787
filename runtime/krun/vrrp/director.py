"""All virtual routers of a director as one pure machine: packets, links, addresses and time in, effects out.

Nothing here opens a socket, reads a clock or writes a log: `krun.vrrp.process` runs it against a kernel, a simulator against a
virtual one. Every method that takes ``now`` (microseconds) returns the effects to carry out, in order.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable

import msgspec

from kir.model import Config, SyncGroup, VrrpScript
from kir.plan.operations import AddressOperation, DelAddress
from kir.state import AddressKey, address_key
from krun.vrrp import events, tracking
from krun.vrrp.alarms import Alarms
from krun.vrrp.effects import (
    AnnounceAddresses,
    ChangeAddresses,
    Effect,
    ForgetAnnouncements,
    Remember,
    Rewire,
    Say,
    TellOutside,
    Transmit,
)
from krun.vrrp.identity import Endpoint, endpoint
from krun.vrrp.instance import Instance
from krun.vrrp.intake import Intake
from krun.vrrp.ledger import Ledger
from krun.vrrp.machine import Role, step
from krun.vrrp.promises import TRACKER_PREFIX, Inheritance, role_promise, tracker_promise
from krun.vrrp.sync import Group, common_role, may_become_master

FLAPS, FLAP_WINDOW_US = 5, 10_000_000
"""How often in how long a VIP that others remove is put back before the instance gives way."""


class Director:
    """The composite. ``config``: what to run. Call `start` once, after the surroundings (`seen_link`, `seen_source`) are known."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.instances: dict[str, Instance] = {}
        self.groups: dict[str, Group] = {group.name: Group(group) for group in config.vrrp_sync_groups}
        self.scripts: dict[str, VrrpScript] = {script.name: script for script in config.vrrp_scripts}
        self.health: dict[str, tracking.ScriptHealth] = {
            script.name: tracking.initial_health(script) for script in config.vrrp_scripts
        }
        self.links: dict[str, bool] = {}
        self.sources: dict[str, str | None] = {}
        self.ledger = Ledger()
        self.broken: dict[str, str] = {}
        self.deaf: dict[Endpoint, str] = {}
        self.started = False
        self.not_before = 0
        self._effects: list[Effect] = []
        self._held_back: list[Effect] | None = None
        self.alarms = Alarms()
        self.intake = Intake(self.say)
        self.intake.log_unknown_vrids = config.global_defs.log_unknown_vrids
        for index, instance in enumerate(config.vrrp_instances):
            self.instances[instance.name] = Instance(instance, index)

    # -- what is known of the surroundings before the start

    def seen_link(self, device: str, up: bool | None) -> None:
        """An interface at start: up and running or not; None where it does not exist."""
        if up is None:
            self.links.pop(device, None)
        else:
            self.links[device] = up

    def seen_source(self, instance: str, source: str | None) -> None:
        """Where the adverts of an instance leave from at start."""
        self.sources[instance] = source

    # -- life

    def start(
        self,
        now: int,
        present: Collection[AddressKey] = (),
        inheritance: Inheritance | None = None,
        startup_delay_us: int = 0,
    ) -> list[Effect]:
        """Begin. ``present``: addresses that are on the interfaces now; of these, those of ours are adopted or removed."""
        inherited = inheritance or Inheritance({}, {})
        self.started = True
        self.not_before = now + startup_delay_us
        for name, up in inherited.trackers.items():
            if name in self.health:
                self.health[name] = tracking.rescaled(
                    self.scripts[name], tracking.ScriptHealth(up=up, counter=self.scripts[name].rise)
                )
        self.adopt(self.instances.values(), present)
        self.hold_back()
        self.start_instances(list(self.instances.values()), now, inherited)
        self.release_addresses()
        return self.take()

    def adopt(self, instances: Iterable[Instance], present: Collection[AddressKey]) -> None:
        """Book the addresses of ``instances`` that are there already as ours."""
        for instance in instances:
            for address in instance.addresses:
                key = address_key(address)
                if key in present:
                    self.ledger.have.setdefault(key, address)

    def start_instances(self, instances: list[Instance], now: int, inherited: Inheritance) -> None:
        for instance in instances:
            instance.primary = tracking.Debounced(self.links.get(instance.config.interface))
            instance.verdict = self.judge(instance)
        resuming = self._resuming(inherited)
        for instance in instances:
            verdict, config = instance.verdict, instance.config
            group = self.groups.get(config.sync_group or "")
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

    def _resuming(self, inherited: Inheritance) -> set[str]:
        """A group goes on as master as a whole or not at all."""
        resuming = {name for name in inherited.masters if name in self.instances}
        for group in self.groups.values():
            members = self.members(group)
            whole = all(m.name in resuming and not m.verdict.faults for m in members)
            if not whole:
                resuming.difference_update(m.name for m in members)
        return resuming

    def stop(self, now: int) -> list[Effect]:
        """Orderly end: priority 0, VIPs off, STOP told; groups after instances."""
        self.hold_back()
        for instance in self.instances.values():
            self.feed(instance, events.Shutdown(), now)
        for group in self.groups.values():
            self.tell_group(group, "STOP")
        self.release_addresses()
        self.alarms.clear()
        return self.take()

    # -- packets

    def receive(
        self, at: Endpoint, pdu: bytes, source: str, destination: str, ttl: int, now: int
    ) -> list[Effect]:
        """A packet that came in by the socket ``at``. Whatever it holds, the worst that it does is to be counted."""
        heard = self.intake.hear(at, pdu, source, destination, ttl)
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
        self._effects.append(Rewire())
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
            self.say(logging.INFO if after.up else logging.WARNING, name, f"script {word}")
            self._effects.append(Remember(TRACKER_PREFIX + name, tracker_promise(bool(after.up))))
            self.reconsider(self.instances.values(), now)
        return self.take()

    def address_gone(self, key: AddressKey, now: int) -> list[Effect]:
        """An address that we put there is gone without our doing. It is put back, unless that happens again and again."""
        self.ledger.lost(key)
        wanted = self.ledger.wanted(key)
        if wanted is None or not wanted.track:
            return []
        for name in self.ledger.holders(key):
            instance = self.instances[name]
            instance.counters.vips_lost += 1
            instance.flaps = [at for at in instance.flaps if now - at < FLAP_WINDOW_US]
            instance.flaps.append(now)
            if len(instance.flaps) > FLAPS:
                instance.flaps.clear()
                self.feed(instance, events.AddressesLost(wanted.address), now)
                continue
            self.say(logging.WARNING, name, f"{key} was removed by somebody else: put back")
            self.ledger.again(key)
            self._change_addresses()
            self._announce(instance, ((wanted.device, wanted.address),), 1)
        return self.take()

    def address_refused(self, operation: AddressOperation) -> None:
        """The kernel did not do it: what was to be added is not there, what was to be deleted still is."""
        key = address_key(operation.address)
        if isinstance(operation, DelAddress):
            self.ledger.have[key] = operation.address
        else:
            self.ledger.lost(key)

    def put_back(self, present: Collection[AddressKey], now: int) -> list[Effect]:
        """Compare what should be there with what is, after events were lost or a link came back."""
        for key in [key for key in self.ledger.have if key not in present]:
            self.ledger.lost(key)
            if self.ledger.wanted(key) is not None:
                self.ledger.again(key)
        self._change_addresses()
        return self.take()

    # -- what the shell needs to know

    def endpoints(self) -> dict[Endpoint, tuple[int, ...]]:
        """The sockets that are needed, and the VRIDs of each."""
        return {at: tuple(sorted(table)) for at, table in self.intake.routes.items()}

    # -- inside

    def take(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        return effects

    def feed(self, instance: Instance, event: events.Event, now: int) -> None:
        before = instance.state
        after, actions = step(instance.settings, before, event, now)
        if after is before and not actions:
            return
        instance.state = after
        if before.role is not after.role or before.master != after.master:
            instance.said.clear()
        for action in actions:
            self._act(instance, action, now)
        self.alarms.arm(instance)
        if before.role is not after.role:
            self._role_changed(instance, before.role, now)

    def _act(self, instance: Instance, action: events.Action, now: int) -> None:
        kind = type(action)
        if kind is events.SendAdvert:
            self._send(instance, action.priority)  # type: ignore[attr-defined]
            return
        match action:
            case events.AddVips():
                self.ledger.take(instance.name, instance.addresses)
                self._change_addresses()
            case events.RemoveVips():
                self.ledger.release(instance.name, instance.addresses)
                self._change_addresses()
            case events.Announce(rounds=rounds):
                self._announce(instance, tuple((a.device, a.address) for a in instance.addresses), rounds)
            case events.AnnounceSource():
                if instance.state.source is not None:
                    self._announce(instance, ((instance.config.interface, instance.state.source),), 1)
            case events.DropAnnouncements():
                self._effects.append(ForgetAnnouncements(instance.name))
                self._held_back = self._held_back and [
                    late
                    for late in self._held_back
                    if not (isinstance(late, AnnounceAddresses) and late.instance == instance.name)
                ]
            case events.Notify(word=word):
                config = instance.config
                if word == "MASTER_RX_LOWER_PRI" and config.notify.master_rx_lower_pri is None:
                    return
                self._late(TellOutside("INSTANCE", config.name, word, instance.state.speaks, config.notify))
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
                group = self.groups.get(instance.config.sync_group or "")
                for mate in self.members(group) if group is not None else ():
                    if mate is not instance:
                        self.feed(mate, events.AnnounceAgain(), now)

    def _send(self, instance: Instance, priority: int) -> None:
        at = instance.endpoint
        datagrams = instance.adverts(priority)
        if at is None or not datagrams:
            return
        instance.counters.advert_sent += 1
        if priority == 0:
            instance.counters.pri_zero_sent += 1
        self._effects.append(Transmit(instance.name, at, datagrams, priority == 0))

    def _announce(self, instance: Instance, targets: tuple[tuple[str, str], ...], rounds: int) -> None:
        if targets and rounds:
            garp = instance.config.garp
            spacing = garp.arp_interval_us if instance.config.family == "inet" else garp.na_interval_us
            self._late(AnnounceAddresses(instance.name, targets, rounds, spacing))

    def emit(self, effect: Effect) -> None:
        """One more effect."""
        self._effects.append(effect)

    def say(self, level: int, subject: str, text: str) -> None:
        self._effects.append(Say(level, subject, text))

    def _late(self, effect: Effect) -> None:
        """What makes sense only when the addresses are there."""
        (self._effects if self._held_back is None else self._held_back).append(effect)

    def hold_back(self) -> None:
        """From here to `_release_addresses` all address changes are one transaction."""
        self._held_back = []

    def release_addresses(self) -> None:
        late, self._held_back = self._held_back or [], None
        self._change_addresses()
        self._effects += late

    def _change_addresses(self) -> None:
        if self._held_back is None:
            operations = self.ledger.plan()
            if operations:
                self._effects.append(ChangeAddresses(operations))

    def route(self) -> None:
        routes: dict[Endpoint, dict[int, Instance]] = {}
        for instance in self.instances.values():
            at = instance.endpoint
            known = instance.config.interface in self.links and instance.name not in self.broken
            if at is not None and known:
                routes.setdefault(at, {})[instance.config.vrid] = instance
        if routes.keys() != self.intake.routes.keys():
            self._effects.append(Rewire())
        self.intake.routes = routes

    # -- tracking and groups

    def judge(self, instance: Instance) -> tracking.Verdict:
        group = self.groups.get(instance.config.sync_group or "")
        source = self.sources.get(instance.name)
        verdict = tracking.evaluate(
            instance.config,
            group.config if group is not None else None,
            self.links,
            self.health,
            primary_up=instance.primary.value,
            source=source,
        )
        more = [self.broken[instance.name]] if instance.name in self.broken else []
        if self.deaf and (at := endpoint(instance.config, source)) in self.deaf:
            more.append(self.deaf[at])
        return msgspec.structs.replace(verdict, faults=verdict.faults.union(more)) if more else verdict

    def members(self, group: Group) -> list[Instance]:
        return [self.instances[name] for name in group.config.members if name in self.instances]

    def group_faults(self, instance: Instance) -> frozenset[str]:
        group = self.groups.get(instance.config.sync_group or "")
        if group is None:
            return frozenset()
        faulty = [m.name for m in self.members(group) if m is not instance and m.verdict.faults]
        return frozenset(f"{name} of sync group {group.name} is in FAULT" for name in faulty)

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
                group = self.groups.get(instance.config.sync_group or "")
                for mate in self.members(group) if group is not None else ():
                    touched[mate.name] = mate
        self._route_if_needed(touched.values())
        groups: dict[str, Group] = {}
        for instance in touched.values():
            verdict, state = instance.verdict, instance.state
            if verdict.priority != state.priority:
                self.feed(instance, events.PriorityChanged(verdict.priority), now)
            faults = verdict.faults | self.group_faults(instance)
            if faults != state.faults or verdict.pending != state.pending:
                self.feed(instance, events.FaultsChanged(faults, verdict.pending), now)
            if instance.config.sync_group in self.groups:
                groups[instance.config.sync_group] = self.groups[instance.config.sync_group]
        for group in groups.values():
            self.settle(group)

    def _route_if_needed(self, touched: Iterable[Instance]) -> None:
        if any(True for _ in touched):
            self.route()

    def _wants_master(self, instance: Instance, now: int) -> None:
        group = self.groups.get(instance.config.sync_group or "")
        members = self.members(group) if group is not None else [instance]
        if group is not None:
            states = {member.name: member.state for member in members}
            if not may_become_master(group, instance.name, states):
                return
            previous, group.role = group.role, Role.MASTER
        for member in members:
            self.feed(member, events.GroupCommand("MASTER"), now)
        if group is not None and previous is not Role.MASTER:
            self.say(logging.INFO, group.name, "sync group enters MASTER state")
            self.tell_group(group, "MASTER")

    def _role_changed(self, instance: Instance, before: Role, now: int) -> None:
        role, config = instance.state.role, instance.config
        if role is Role.STOPPED:
            self._effects.append(Remember(config.name, None))
        elif role is Role.MASTER or before is Role.MASTER:
            self._effects.append(Remember(config.name, role_promise(config, role.name, instance.state.since)))
        group = self.groups.get(config.sync_group or "")
        if group is not None and before is Role.MASTER and role is Role.BACKUP and group.role is Role.MASTER:
            group.role = Role.BACKUP
            for member in self.members(group):
                self.feed(member, events.GroupCommand("BACKUP"), now)
            self.say(logging.INFO, group.name, "sync group enters BACKUP state")
            self.tell_group(group, "BACKUP")

    def settle(self, group: Group) -> None:
        """The group's role as its members stand, told if it is another one."""
        role = common_role([member.state for member in self.members(group)])
        if role is not group.role:
            group.role = role
            self.say(logging.INFO, group.name, f"sync group enters {role.name} state")
            self.tell_group(group, role.name)

    def tell_group(self, group: Group, word: str) -> None:
        self._late(TellOutside("GROUP", group.name, word, 0, group.config.notify))

    def group_of(self, name: str) -> SyncGroup | None:
        """The configuration of an instance's sync group."""
        group = self.groups.get(self.instances[name].config.sync_group or "")
        return group.config if group is not None else None
