"""From one configuration to the next with as little as possible: what a reload changes, and the change itself.

Instances are matched by their identity on the wire first, as peers see them, and not by name (keepalived does the same): a renamed
instance keeps its state. An instance that did not change is not touched at all: no write, no packet, its timers run on.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import msgspec

from kir.diff import WireIdentity, wire_identity
from kir.model import Config, SyncGroup, VrrpInstance
from kir.plan.addresses import plan_addresses
from kir.plan.operations import Operation
from kir.plan.routes import desired_routes, plan_routes
from kir.plan.rules import desired_rules, plan_rules
from kir.state import AddressKey, AddressTable, address_key
from krun.vrrp import events, tracking
from krun.vrrp.director import Director
from krun.vrrp.effects import Effect, Remember, Rewire
from krun.vrrp.instance import Instance
from krun.vrrp.machine import Role
from krun.vrrp.promises import TRACKER_PREFIX, Inheritance, role_promise
from krun.vrrp.routing import Sight
from krun.vrrp.sync import Group, common_role


@dataclass(slots=True)
class ReloadPlan:
    """What is to be done. Names are those of the new configuration, except in ``stopped``.

    ``kept``: new name → old name of every instance that goes on; of these ``updated`` changes the named fields. ``restarted``: same
    name, another identity on the wire: the old one ends, a new one starts as BACKUP. Trackers likewise.
    """

    config: Config
    kept: dict[str, str] = field(default_factory=dict)
    updated: dict[str, tuple[str, ...]] = field(default_factory=dict)
    restarted: list[str] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    trackers_started: list[str] = field(default_factory=list)
    trackers_stopped: list[str] = field(default_factory=list)
    trackers_updated: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def operations(self) -> dict[str, int]:
        """Operation counts by name, without those on addresses."""
        counts = {
            "vrrp.start": len(self.started),
            "vrrp.stop": len(self.stopped),
            "vrrp.update": len(self.updated),
            "vrrp.restart": len(self.restarted),
            "tracker.start": len(self.trackers_started),
            "tracker.stop": len(self.trackers_stopped),
            "tracker.update": len(self.trackers_updated),
        }
        return {name: count for name, count in counts.items() if count}


Breathe = Callable[[], None]


def _go_on() -> None:
    """Nobody waits."""


def changed_fields(old: msgspec.Struct, new: msgspec.Struct) -> tuple[str, ...]:
    """The fields in which two structs of one type differ."""
    if old == new:
        return ()
    return tuple(name for name in new.__struct_fields__ if getattr(old, name) != getattr(new, name))


def problems(
    config: Config, known: Mapping[str, VrrpInstance] | None = None, breathe: Breathe = _go_on
) -> dict[str, str]:
    """What cannot be run, by instance: adverts that cannot be built, a VRID that is taken. ``known``: instances that run; where one
    is the same its adverts are not built again, since a reload must not keep the others from sending theirs.
    """
    known = known or {}
    found: dict[str, str] = {}
    seen: dict[tuple[object, ...], str] = {}
    for instance in config.vrrp_instances:
        breathe()
        if known.get(instance.name) != instance and (trouble := _unbuildable(instance)):
            found[instance.name] = trouble
        wire = wire_identity(instance)
        # One VRID is one router on a link and family, whatever else differs (RFC 9568 section 5.2.3).
        key = (wire.interface, wire.family, wire.vrid, wire.group, wire.source)
        if key in seen:
            taken = f"virtual_router_id {wire.vrid} on {wire.interface} is taken by {seen[key]}"
            found[instance.name] = f"{taken}: give it another one"
        seen.setdefault(key, instance.name)
    return found


def _unbuildable(instance: VrrpInstance) -> str:
    """Why the adverts of an instance cannot be built; empty where they can."""
    probe = Instance(instance, 0)
    own = "192.0.2.1" if instance.family == "inet" else "fe80::1"
    try:
        probe.state = msgspec.structs.replace(probe.state, source=own)
        probe.adverts(instance.priority)
    except (ValueError, OSError) as error:
        return str(error)
    return ""


def plan_reload(
    old: Config, new: Config, broken: Collection[str] = (), breathe: Breathe = _go_on
) -> ReloadPlan:
    """Compare two configurations. ``broken``: names of ``old`` that do not run. ``breathe`` is called between two pieces of the work.
    Raises ValueError where the new one cannot be run."""
    known = {config.name: config for config in old.vrrp_instances if config.name not in broken}
    for name, problem in problems(new, known, breathe).items():
        raise ValueError(f"vrrp_instance {name}: {problem}")
    plan = ReloadPlan(new)
    wires = {config.name: wire_identity(config) for config in new.vrrp_instances}
    by_wire: dict[WireIdentity, VrrpInstance] = {}
    for config in old.vrrp_instances:
        wire = wire_identity(config)
        # Two may be the same on the wire where the second is broken for that very reason: the name says which one goes on.
        if wire not in by_wire or wires.get(config.name) == wire:
            by_wire[wire] = config
    old_groups = _groups_by_member(old)
    new_groups = _groups_by_member(new)
    matched: set[str] = set()
    fresh: list[str] = []
    for config in new.vrrp_instances:
        before = by_wire.get(wires[config.name])
        if before is None:
            fresh.append(config.name)
            continue
        breathe()
        matched.add(before.name)
        plan.kept[config.name] = before.name
        fields = changed_fields(before, config)
        if old_groups.get(before.name) != new_groups.get(config.name) and "sync_group" not in fields:
            fields += ("sync_group",)
        if fields:
            plan.updated[config.name] = fields
    ended = {config.name for config in old.vrrp_instances} - matched
    plan.restarted = [name for name in fresh if name in ended]
    plan.started = [name for name in fresh if name not in ended]
    plan.stopped = [c.name for c in old.vrrp_instances if c.name in ended and c.name not in plan.restarted]
    _plan_trackers(plan, old, new)
    return plan


def _groups_by_member(config: Config) -> Mapping[str, SyncGroup]:
    return {member: group for group in config.vrrp_sync_groups for member in group.members}


def _plan_trackers(plan: ReloadPlan, old: Config, new: Config) -> None:
    before = {script.name: script for script in old.vrrp_scripts}
    after = {script.name: script for script in new.vrrp_scripts}
    plan.trackers_started = [name for name in after if name not in before]
    plan.trackers_stopped = [name for name in before if name not in after]
    for name, script in after.items():
        if name in before and (fields := changed_fields(before[name], script)):
            plan.trackers_updated[name] = fields


def address_operations(director: Director, plan: ReloadPlan) -> Counter[str]:
    """How many writes to addresses, routes and rules the plan means as things stand: an estimate for the first phase; the roles decide."""
    if plan.config == director.config:
        return Counter()
    masters = set()
    want: AddressTable = {address_key(a): a for a in plan.config.static_addresses}
    for config in plan.config.vrrp_instances:
        before = director.instances.get(plan.kept.get(config.name, ""))
        if before is not None and before.state.role is Role.MASTER:
            masters.add(config.name)
            want |= {address_key(a): a for a in (*config.vips, *config.excluded_vips)}
    operations: list[Operation] = [
        *plan_addresses(director.ledger.have, want),
        *plan_routes(director.routing.routes.have, desired_routes(plan.config, masters)),
        *plan_rules(director.routing.rules.have, desired_rules(plan.config, masters)),
    ]
    return Counter(operation.op for operation in operations)


def reconfigure(
    director: Director,
    plan: ReloadPlan,
    now: int,
    *,
    sources: Mapping[str, str | None],
    present: Collection[AddressKey] = (),
    sight: Sight | None = None,
) -> list[Effect]:
    """Carry the plan out. ``sources``: where the adverts of each new instance leave from. ``present``, ``sight``: the addresses, and
    the routes and rules of the new configuration, that are there already.

    First the ends (priority 0), then the changes, then the starts; all writes to addresses are one transaction after them, so that
    an address that moves from one instance to another stays where it is; announcements and notifications come last.
    """
    new = plan.config
    director.hold_back()
    old_instances = director.instances
    for name in (*plan.stopped, *plan.restarted):
        director.feed(old_instances[name], events.Shutdown(deleted=name in plan.stopped), now)
        director.breathe()
    _trackers(director, plan)
    director.config = new
    director.follow(new)
    director.broken = {}
    director.intake.log_unknown_vrids = new.global_defs.log_unknown_vrids
    director.sources = {config.name: sources.get(config.name) for config in new.vrrp_instances}
    instances: dict[str, Instance] = {}
    configs = {config.name: config for config in new.vrrp_instances}
    for index, config in enumerate(new.vrrp_instances):
        kept = plan.kept.get(config.name)
        instances[config.name] = old_instances[kept] if kept is not None else Instance(config, index)
    for name in (*plan.stopped, *plan.restarted):
        director.disarm(old_instances[name])
    director.instances = instances
    _groups(director, new)
    _rename(director, plan)
    for name, fields in plan.updated.items():
        _update(director, instances[name], configs[name], fields, now)
        director.breathe()
    fresh = [instances[name] for name in (*plan.restarted, *plan.started)]
    come = [i for i in instances.values() if i.state.role in (Role.INIT, Role.MASTER)]
    director.drift.adopt((a for instance in come for a in instance.addresses), present)
    director.drift.adopt(new.static_addresses, present)
    if sight is not None:
        director.routing.corrected(sight)
    director.drift.take_static()
    director.start_instances(fresh, now, Inheritance({}, {}))
    regrouped = {name for name, fields in plan.updated.items() if "sync_group" in fields}
    director.reconsider(instances.values(), now, always=regrouped)
    _agree(director, regrouped, now)
    for instance in instances.values():
        director.arm(instance)
    for group in director.groups.values():
        director.settle(group)
    director.release_addresses()
    director.drift.forget()
    director.alarms.sweep()
    director.adverts.sweep()
    return [*director.take(), Rewire()]


def _trackers(director: Director, plan: ReloadPlan) -> None:
    """Results stay with their script as long as it is the same command of the same user; others are excused until they have run."""
    health: dict[str, tracking.ScriptHealth] = {}
    for script in plan.config.vrrp_scripts:
        before = director.scripts.get(script.name)
        same = before is not None and (before.argv, before.open_file, before.account) == (
            script.argv,
            script.open_file,
            script.account,
        )
        if same:
            health[script.name] = tracking.rescaled(script, director.health[script.name])
        else:
            health[script.name] = tracking.initial_health(script, excused=True)
    for name in plan.trackers_stopped:
        director.emit(Remember(TRACKER_PREFIX + name, None))
    director.scripts = {script.name: script for script in plan.config.vrrp_scripts}
    director.health = health


def _groups(director: Director, new: Config) -> None:
    before = director.groups
    director.groups = {}
    for config in new.vrrp_sync_groups:
        group = Group(config)
        members = director.members(group)
        running = [member.state for member in members if member.state.role is not Role.INIT]
        known = before.get(config.name)
        group.role = known.role if known is not None else common_role(running) if running else Role.INIT
        director.groups[config.name] = group


def _agree(director: Director, regrouped: Collection[str], now: int) -> None:
    """Who comes together as a group changes state together: where one follows a master elsewhere, none stays master here."""
    for group in director.groups.values():
        members = director.members(group)
        if not any(member.name in regrouped for member in members):
            continue
        states = [member.state for member in members]
        if any(s.role is Role.BACKUP and s.master is not None and s.master != s.source for s in states):
            for member in members:
                director.feed(member, events.GroupCommand("BACKUP"), now)


def _rename(director: Director, plan: ReloadPlan) -> None:
    renames = {old: new for new, old in plan.kept.items() if old != new}
    # Two steps, since two instances may have swapped their names.
    for old in renames:
        director.outbox.rename(old, f"\0{old}")
    for old, new in renames.items():
        director.outbox.rename(f"\0{old}", new)
        director.emit(Remember(old, None))


def _update(
    director: Director, instance: Instance, config: VrrpInstance, fields: tuple[str, ...], now: int
) -> None:
    before = instance.config
    instance.configure(config)
    director.say(logging.INFO, config.name, f"reloaded with changed {', '.join(fields)}")
    if instance.state.role is Role.MASTER:
        # Before a new interval is told at once: that advert carries the new priority, too.
        priority = director.judge(instance).priority
        if priority != instance.state.priority:
            director.feed(instance, events.PriorityChanged(priority), now)
    have = director.ledger.have
    added = tuple((a.device, a.address) for a in instance.addresses if address_key(a) not in have)
    director.feed(instance, events.ConfigChanged(before, added), now)
    instance.primary = tracking.debounce(
        instance.primary,
        director.links.get(config.interface),
        now,
        up_delay_us=config.interface_up_delay_us,
        down_delay_us=config.interface_down_delay_us,
    )
    if instance.state.role is Role.MASTER and before.name != config.name:
        director.emit(Remember(config.name, role_promise(config, "MASTER", instance.state.since)))
