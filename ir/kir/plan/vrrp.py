"""Orders to the VRRP process: which instances start, stop, change under way, or start anew; and what that does to the VIPs."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from kir.diff.labels import breaking
from kir.diff.match import all_renames, wire_identity
from kir.diff.wire import CHECKS
from kir.model import Config, SyncGroup, VrrpInstance
from kir.plan.election import TRACKING, groups_by_name, priority_while_well
from kir.plan.operations import Impact, VrrpOperation, VrrpRestart, VrrpStart, VrrpStop, VrrpUpdate
from kir.plan.timers import QUICKEST, SLOWEST, master_down_us, seconds, skew_us, start_us, text

Effect = tuple[Impact, int | None, str]
"""Impact, microseconds at most where they can be told, and the reason."""

SILENT = frozenset(
    {
        "name",
        "initial_state",
        "notify",
        "notify_priority_changes",
        "notify_deleted",
        "smtp_alert",
        "rx_buffer_size",
        "timer_expired_backup",
    }
)
"""Fields of an instance that change nothing for traffic or peers."""

IDENTITY = ("vrid", "family", "interface", "version", "unicast", "group", "source")
"""The fields that make up the identity on the wire (`kir.diff.wire_identity`)."""

RESTARTING = ("vmac", "ipvlan", "vrf")
"""Fields beyond the identity on the wire that may mean another interface: then the instance starts anew."""


@dataclass(frozen=True, slots=True)
class _Case:
    """``renamed``: old → new name of sync groups that are the same. ``masters``: the instances that are master here, None where that is
    not known.
    """

    old: Mapping[str, SyncGroup]
    new: Mapping[str, SyncGroup]
    configs: Mapping[str, VrrpInstance]
    renamed: Mapping[str, str]
    masters: Container[str] | None

    def backup(self, name: str) -> bool:
        """Whether it is known to be no master here."""
        return self.masters is not None and name not in self.masters

    def master(self, name: str) -> bool:
        """Whether it is known to be master here."""
        return self.masters is not None and name in self.masters


def pairs(old: Config, new: Config) -> list[tuple[VrrpInstance | None, VrrpInstance | None]]:
    """Which instance of ``old`` goes on as which of ``new``: by what it is on the wire (peers know no names), else by name."""
    by_name = {i.name: i for i in new.vrrp_instances}
    found: list[tuple[VrrpInstance | None, VrrpInstance | None]] = []
    moved: list[VrrpInstance] = []
    for instance in old.vrrp_instances:
        same = by_name.get(instance.name)
        if same is not None and wire_identity(same) == wire_identity(instance):
            found.append((instance, same))
        else:
            moved.append(instance)
    taken = {after.name for _, after in found if after is not None}
    wires = {wire_identity(i): i for i in new.vrrp_instances if i.name not in taken}
    left: list[VrrpInstance] = []
    for instance in moved:
        same = wires.pop(wire_identity(instance), None)
        if same is None:
            left.append(instance)
        else:
            taken.add(same.name)
            found.append((instance, same))
    named = {i.name: i for i in new.vrrp_instances if i.name not in taken}
    found.extend((i, named.pop(i.name, None)) for i in left)
    found.extend((None, i) for i in named.values())
    return found


def changed_fields(old: VrrpInstance, new: VrrpInstance) -> tuple[str, ...]:
    """Names of the fields that differ, in the order of the model; the name itself does not count."""
    names = (f for f in VrrpInstance.__struct_fields__ if f != "name")
    return tuple(f for f in names if getattr(old, f) != getattr(new, f))


def plan_instances(old: Config, new: Config, masters: Container[str] | None = None) -> list[VrrpOperation]:
    """One order for each instance that differs; none for the others. ``masters``: instances of ``old`` that are master here, None:
    not known.
    """
    if old.vrrp_instances == new.vrrp_instances and old.vrrp_sync_groups == new.vrrp_sync_groups:
        return []
    case = _Case(
        groups_by_name(old.vrrp_sync_groups),
        groups_by_name(new.vrrp_sync_groups),
        {i.name: i for i in new.vrrp_instances},
        all_renames(old, new)[0].get("vrrp_sync_groups", {}),
        masters,
    )
    steps: list[VrrpOperation] = []
    for before, after in pairs(old, new):
        if before is None and after is not None:
            steps.append(_start(after))
        elif after is None and before is not None:
            steps.append(_stop(before, case))
        elif before is not None and after is not None:
            step = _changed(before, after, case)
            if step is not None:
                steps.append(step)
    order = (VrrpStart, VrrpUpdate, VrrpRestart, VrrpStop)
    return sorted(steps, key=lambda s: order.index(type(s)))


def addresses_of(instance: VrrpInstance) -> str:
    """``VIP 10.0.0.1``, ``VIPs 10.0.0.1, 10.0.0.2 and 3 more``."""
    found = [a.address for a in (*instance.vips, *instance.excluded_vips)]
    if not found:
        return "its role"
    if len(found) == 1:
        return f"VIP {found[0]}"
    more = f" and {len(found) - 2} more" if len(found) > 2 else ""
    return f"VIPs {', '.join(found[:2])}{more}"


def _start(instance: VrrpInstance) -> VrrpStart:
    wait = start_us(instance)
    soon = f"within {text(wait)}" if wait else "at once"
    return VrrpStart(
        instance=instance.name,
        impact=Impact.HITLESS,
        reason=f"a new instance starts as backup; where it hears no master it takes its addresses {soon}",
    )


def _stop(instance: VrrpInstance, case: _Case) -> VrrpStop:
    if case.backup(instance.name):
        return VrrpStop(instance=instance.name, impact=Impact.HITLESS, reason="it is backup here")
    wait = skew_us(instance, SLOWEST)
    return VrrpStop(
        instance=instance.name,
        impact=Impact.FAILOVER,
        seconds=seconds(wait),
        reason=f"sends priority 0: a backup holds {addresses_of(instance)} within {text(wait)}; without one nobody does",
    )


def _restart(old: VrrpInstance, new: VrrpInstance, fields: tuple[str, ...], case: _Case) -> VrrpRestart:
    why = [f for f in (*IDENTITY, *RESTARTING) if f in fields]
    cause = f"another {', '.join(why)}: starts anew as backup"
    if case.backup(old.name):
        return VrrpRestart(
            instance=new.name, fields=fields, impact=Impact.HITLESS, reason=f"{cause}; it is backup here"
        )
    wait, others = start_us(new), _others(new, case)
    if others:
        wait = max(wait, *(master_down_us(i) for i in others))
        names = ", ".join(i.name for i in others)
        cause += f", and sync group {new.sync_group} with it ({names})"
    held = [i for i in (new, *others) if i.vips or i.excluded_vips]
    whose = ", ".join(addresses_of(i) for i in held[:3]) + (", …" if len(held) > 3 else "")
    return VrrpRestart(
        instance=new.name,
        fields=fields,
        impact=Impact.FAILOVER,
        seconds=seconds(wait),
        reason=f"{cause}: {whose} unreachable up to {text(wait)}" if held else cause,
    )


def _others(instance: VrrpInstance, case: _Case) -> list[VrrpInstance]:
    """The other members of its sync group: they follow it."""
    group = case.new.get(instance.sync_group or "")
    names = group.members if group is not None else ()
    return [case.configs[n] for n in names if n != instance.name and n in case.configs]


def _changed(old: VrrpInstance, new: VrrpInstance, case: _Case) -> VrrpOperation | None:
    fields = changed_fields(old, new)
    groups = case.old.get(old.sync_group or ""), case.new.get(new.sync_group or "")
    if not fields and old.name == new.name and groups[0] == groups[1]:
        return None
    if wire_identity(old) != wire_identity(new) or _interface(old) != _interface(new):
        return _restart(old, new, fields, case)
    if groups[0] != groups[1] and "sync_group" not in fields:
        fields += ("sync_group",)
    effects = list(_effects(old, new, fields, case))
    if effects:
        worst = max(effect[0] for effect in effects)
        shown = [effect for effect in effects if effect[0] is worst]
        longest = max((us for _, us, _ in shown if us is not None), default=None)
        return VrrpUpdate(
            instance=new.name,
            fields=fields,
            impact=worst,
            seconds=seconds(longest) if longest is not None else None,
            reason="; ".join(dict.fromkeys(why for _, _, why in shown)),
        )
    if set(fields) <= SILENT:
        why = "state, timers and adverts stay"
        return VrrpUpdate(
            instance=new.name,
            fields=fields,
            impact=Impact.HITLESS if not fields else Impact.NONE,
            reason=f"renamed from {old.name}; {why}" if not fields else why,
        )
    why = "state and timers stay"
    return VrrpUpdate(
        instance=new.name,
        fields=fields,
        impact=Impact.HITLESS,
        reason=f"renamed from {old.name}; {why}" if old.name != new.name else why,
    )


def _interface(instance: VrrpInstance) -> tuple[object, ...]:
    """Which interface it has its addresses on; its link group does not matter."""
    vmac, ipvlan = instance.vmac, instance.ipvlan
    return (
        (vmac.name, vmac.mac) if vmac is not None else None,
        msgspec.structs.replace(ipvlan, group=None) if ipvlan is not None else None,
        instance.vrf,
    )


def _effects(old: VrrpInstance, new: VrrpInstance, fields: tuple[str, ...], case: _Case) -> Iterable[Effect]:
    """What is worse than nothing about the change of an instance that goes on."""
    split = [f for f in fields if f in CHECKS and breaking(f, old, new) is not None]
    if split:
        yield _split(split, old, new, case)
    if (old.accept, old.owner) != (new.accept, new.owner) and _drops(new) and not _drops(old):
        yield (
            Impact.HITLESS if case.backup(old.name) else Impact.OUTAGE,
            None,
            f"packets to {addresses_of(new)} are dropped: `accept` is off, and it is not the address owner",
        )
    yield from _election(old, new, fields, case)
    joined = new.sync_group is not None and new.sync_group != old.sync_group
    if joined and case.renamed.get(old.sync_group or "") != new.sync_group:
        yield (
            Impact.FAILOVER if not case.backup(old.name) else Impact.HITLESS,
            None,
            f"it follows the state of sync group {new.sync_group} from now on",
        )


def _drops(instance: VrrpInstance) -> bool:
    return not instance.accept and not instance.owner


def _split(fields: list[str], old: VrrpInstance, new: VrrpInstance, case: _Case) -> Effect:
    """Adverts are refused between the old and the new configuration: how long that can last without a second master."""
    theirs = [f for f in fields if CHECKS[f](old, new) is not None]
    ours = [f for f in fields if CHECKS[f](new, old) is not None]
    if theirs and not case.backup(old.name):
        first, last = master_down_us(old, QUICKEST), master_down_us(old, SLOWEST)
        return (
            Impact.FAILOVER,
            None,
            f"peers with the old {_names(theirs)} drop its adverts: after {text(first)} to {text(last)} one of them is master too, "
            "until they change",
        )
    if ours and not case.master(old.name):
        return (
            Impact.FAILOVER,
            None,
            f"as a backup it drops the adverts of a master with the old {_names(ours)}: after {text(master_down_us(new))} it is "
            "master too, until that one changes",
        )
    if theirs:
        return Impact.HITLESS, None, "while it is backup, nobody misses its adverts"
    return Impact.HITLESS, None, "while it is master, it needs no adverts of others"


def _names(fields: list[str]) -> str:
    return ", ".join(f.removesuffix("_us") for f in fields)


def _election(old: VrrpInstance, new: VrrpInstance, fields: tuple[str, ...], case: _Case) -> Iterable[Effect]:
    """What may move the master: priorities, base or by tracking, and preemption."""
    tracked = any(f in fields for f in (*TRACKING, "sync_group"))
    before, after = priority_while_well(old, case.old), priority_while_well(new, case.new)
    if before != after and ("priority" in fields or tracked):
        what = f"priority {before} → {after}" + (" while all checks are well" if tracked else "")
        if after > before:
            if case.master(old.name):
                yield Impact.HITLESS, None, f"{what}: it is master already"
            elif new.nopreempt and not new.owner:
                yield Impact.HITLESS, None, f"{what}: with nopreempt it takes nothing over"
            else:
                yield (
                    Impact.FAILOVER,
                    None,
                    f"{what}: it takes over from a master of priority {_between(before, after)}",
                )
        elif case.backup(old.name):
            yield Impact.HITLESS, None, f"{what}: it is backup here"
        else:
            yield Impact.FAILOVER, None, f"{what}: a backup of priority {_between(after, before)} takes over"
    if "nopreempt" in fields and not new.nopreempt and not case.master(old.name):
        yield Impact.FAILOVER, None, "without nopreempt it takes over from a master of lower priority"


def _between(low: int, high: int) -> str:
    """The priorities of a peer for which an own priority of ``low`` or ``high`` makes the difference."""
    return f"{low}" if high - low == 1 else f"{low} to {high}"
