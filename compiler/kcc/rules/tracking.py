"""Rules about what is watched, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator

from kcc.lower.scope import seconds
from kcc.rules.rule import Case
from kir.model import VrrpInstance

PRIORITY_MIN, PRIORITY_MAX = 1, 254
"""How low and how high weights can bring a priority: 0 and 255 mean something else (RFC 9568 section 5.2.4)."""


def slow_script(case: Case) -> None:
    """A check that may run longer than its interval: keepalived skips runs, so a failure is seen late."""
    for script in case.config.vrrp_scripts:
        if script.timeout_us > script.interval_us:
            late = script.timeout_us * script.fall
            case.say(
                "KC0608",
                f"`vrrp_script {script.name}` may run {seconds(script.timeout_us)}, but is due every "
                f"{seconds(script.interval_us)}",
                f"vrrp_script/{script.name}",
                "timeout_us",
                consequence=f"a run that hangs skips the next ones: its failure counts after up to {seconds(late)}",
                help=f"write a `timeout` of at most {seconds(script.interval_us)}",
                also=((f"vrrp_script/{script.name}", "interval_us", "the interval"),),
            )


def weight_beyond_range(case: Case) -> None:
    """Weights that lift a priority above 254 are cut there: two directors may then be equal, and the address decides."""
    for instance in case.config.vrrp_instances:
        if instance.owner:
            continue
        lift = 0
        biggest: tuple[int, str] | None = None
        for path, weight, reverse in _weighted(instance):
            gain = _gain(weight, reverse)
            lift += gain
            if gain and (biggest is None or gain > biggest[0]):
                biggest = (gain, path)
        top = instance.priority + lift
        if top > PRIORITY_MAX and biggest is not None:
            case.say(
                "KC0609",
                f"`{instance.name}`: weights lift priority {instance.priority} to {top}, above {PRIORITY_MAX}",
                biggest[1],
                consequence=f"the priority is cut to {PRIORITY_MAX}: part of the weight has no effect, "
                "and two directors may end up equal",
                help=f"lower the priority to {PRIORITY_MAX - lift} or less on all directors alike, or use negative weights"
                if lift < PRIORITY_MAX
                else "use smaller weights, or negative ones",
                also=((f"vrrp_instance/{instance.name}", "priority", "the priority"),),
            )


def _weighted(instance: VrrpInstance) -> Iterator[tuple[str, int, bool]]:
    """Path, weight and direction of what is up or down with a weight. (What a track file adds only its content says.)"""
    for kind, items in (
        ("track_interface", instance.track_interfaces),
        ("track_script", instance.track_scripts),
        ("track_process", instance.track_processes),
        ("track_bfd", instance.track_bfds),
    ):
        for item in items:
            if item.weight:
                yield f"vrrp_instance/{instance.name}/{kind}/{item.name}", item.weight, item.reverse


def weight_without_effect(case: Case) -> None:
    """A weight that takes from a priority which is at its end already, whatever the other checks say: it moves nothing."""
    for instance in case.config.vrrp_instances:
        if instance.owner:
            continue
        weighted = list(_weighted(instance))
        best = instance.priority + sum(_gain(w, r) for _, w, r in weighted)
        if best > PRIORITY_MIN or instance.track_files:
            continue
        for path, weight, _ in weighted:
            case.say(
                "KC0615",
                f"`{instance.name}`: weight {weight} has no effect, priority {instance.priority} cannot go lower",
                path,
                consequence="a failure changes nothing: who is master stays as it is",
                help="write a higher priority, on all directors alike, or `weight 0`: then a failure means FAULT",
                also=((f"vrrp_instance/{instance.name}", "priority", "the priority"),),
            )


def weight_of_one_member(case: Case) -> None:
    """The weight of a tracked process on one member of a sync group: keepalived takes it, and the group cannot follow.

    The other director's member would take over, but a member becomes master only when all of its group can, and those still hear
    their master. Scripts, files, interfaces and BFD sessions are refused there for this reason; processes are not.
    """
    groups = {g.name: g for g in case.config.vrrp_sync_groups}
    for instance in case.config.vrrp_instances:
        group = groups.get(instance.sync_group or "")
        if group is None or group.tracking_weight or instance.owner or len(group.members) < 2:
            continue
        for item in instance.track_processes:
            if not item.weight:
                continue
            case.say(
                "KC0616",
                f"`{instance.name}`: the weight {item.weight} of process `{item.name}` moves this member of `{group.name}` alone",
                f"vrrp_instance/{instance.name}/track_process/{item.name}",
                consequence="when the process fails nobody takes over: the other director's group waits for all its members",
                help="track it in the group, or write `weight 0`: then a failure takes the whole group to FAULT",
                also=((f"vrrp_sync_group/{group.name}", None, "its sync group"),),
            )


def _gain(weight: int, reverse: bool) -> int:
    """What a tracked object can add at most: a positive weight while it is up, a reversed negative one while it is down."""
    signed = -weight if reverse else weight
    return max(signed, 0)


def interface_tracked_twice(case: Case) -> None:
    """An interface that an instance and its sync group both track; its own interface an instance tracks anyway."""
    groups = {g.name: g for g in case.config.vrrp_sync_groups}
    for instance in case.config.vrrp_instances:
        group = groups.get(instance.sync_group or "")
        if group is None:
            continue
        own = {t.name for t in instance.track_interfaces}
        for item in group.track_interfaces:
            line = f"vrrp_sync_group/{group.name}/track_interface/{item.name}"
            if item.name in own:
                case.say(
                    "KC0610",
                    f"`{instance.name}` and its sync group `{group.name}` both track {item.name}",
                    f"vrrp_instance/{instance.name}/track_interface/{item.name}",
                    consequence="keepalived keeps one weight, the group's where both give one, and `keepalived -t` fails",
                    help="track it in the group only",
                    also=((line, None, "the group's line"),),
                )
            elif item.name == instance.interface and instance.track_primary:
                case.say(
                    "KC0610",
                    f"sync group `{group.name}` tracks {item.name}, the interface of its member `{instance.name}`",
                    line,
                    consequence="the member tracks it anyway: when it goes down, the whole group goes to FAULT; `keepalived -t` fails",
                    help=f"remove the line, or add `dont_track_primary` to `{instance.name}`",
                    also=((f"vrrp_instance/{instance.name}", "interface", "its interface"),),
                )
