"""Orders to the VRRP process: which instances start, stop, change under way, or start anew."""

from __future__ import annotations

from kir.diff import BREAKING_V2, renames, wire_identity
from kir.model import Config, VrrpInstance
from kir.plan.operations import Impact, VrrpOperation, VrrpRestart, VrrpStart, VrrpStop, VrrpUpdate


def skew_us(instance: VrrpInstance) -> int:
    """Skew_Time in microseconds (RFC 3768 section 6.1; RFC 9568 section 6.1: scaled by the interval)."""
    interval = 1_000_000 if instance.version == 2 else instance.advert_int_us
    return (256 - instance.priority) * interval // 256


def master_down_us(instance: VrrpInstance) -> int:
    """Master_Down_Interval in microseconds: how long a backup waits for a silent master."""
    return instance.down_timer_adverts * instance.advert_int_us + skew_us(instance)


def pairs(old: Config, new: Config) -> list[tuple[VrrpInstance | None, VrrpInstance | None]]:
    """Which instance of ``old`` goes on as which of ``new``: by name, else by a provable rename."""
    before = {i.name: i for i in old.vrrp_instances}
    after = {i.name: i for i in new.vrrp_instances}
    renamed = dict(renames(before, after))
    found: list[tuple[VrrpInstance | None, VrrpInstance | None]] = []
    for name, instance in before.items():
        found.append((instance, after.get(renamed.get(name, name))))
    taken = {b.name for _, b in found if b is not None}
    found.extend((None, i) for i in new.vrrp_instances if i.name not in taken)
    return found


def changed_fields(old: VrrpInstance, new: VrrpInstance) -> tuple[str, ...]:
    """Names of the fields that differ, in the order of the model; the name itself does not count."""
    names = (f for f in VrrpInstance.__struct_fields__ if f != "name")
    return tuple(f for f in names if getattr(old, f) != getattr(new, f))


def plan_instances(old: Config, new: Config) -> list[VrrpOperation]:
    """One order for each instance that differs; none for the others."""
    steps: list[VrrpOperation] = []
    for before, after in pairs(old, new):
        if before is None and after is not None:
            steps.append(
                VrrpStart(
                    instance=after.name, impact=Impact.HITLESS, reason="a new instance starts as backup"
                )
            )
        elif after is None and before is not None:
            steps.append(
                VrrpStop(
                    instance=before.name,
                    impact=Impact.FAILOVER,
                    seconds=skew_us(before) / 1e6,
                    reason="priority 0 is sent; a peer takes over after its skew time, without one the addresses are gone",
                )
            )
        elif before is not None and after is not None:
            step = _changed(before, after)
            if step is not None:
                steps.append(step)
    order = (VrrpStart, VrrpUpdate, VrrpRestart, VrrpStop)
    return sorted(steps, key=lambda s: order.index(type(s)))


def _changed(old: VrrpInstance, new: VrrpInstance) -> VrrpOperation | None:
    fields = changed_fields(old, new)
    if not fields and old.name == new.name:
        return None
    if wire_identity(old) != wire_identity(new):
        return VrrpRestart(
            instance=new.name,
            fields=fields,
            impact=Impact.FAILOVER,
            seconds=master_down_us(new) / 1e6,
            reason="another virtual router to its peers: starts anew as backup",
        )
    impact, seconds, reason = Impact.HITLESS, None, "state and timers stay"
    # How long a peer that still has the old configuration waits before it takes over.
    down = master_down_us(old) / 1e6
    if "authentication" in fields or ("advert_int_us" in fields and new.version == 2):
        why = "authentication" if "authentication" in fields else BREAKING_V2["advert_int_us"]
        impact, seconds = Impact.FAILOVER, down
        reason = f"peers that still have the old value refuse its adverts: {why}"
    elif "vips" in fields and new.version == 2:
        impact, seconds = Impact.FAILOVER, down
        reason = "version 2 peers may refuse adverts until they have the same addresses"
    elif "priority" in fields:
        impact, reason = Impact.FAILOVER, "may change who is master"
    elif set(fields) <= {"sync_group"} and old.name != new.name:
        reason = "renamed; state and timers stay"
    return VrrpUpdate(instance=new.name, fields=fields, impact=impact, seconds=seconds, reason=reason)
