"""Rules about what is watched, and what comes of it."""

from __future__ import annotations

from kcc.lower.scope import seconds
from kcc.rules.rule import Case

PRIORITY_MAX = 254
"""The highest priority that weights can reach: 255 is the owner's alone (RFC 9568 section 5.2.4)."""


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
        for kind, items in (
            ("track_interface", instance.track_interfaces),
            ("track_script", instance.track_scripts),
            ("track_process", instance.track_processes),
            ("track_bfd", instance.track_bfds),
        ):
            for item in items:
                gain = _gain(item.weight, item.reverse)
                lift += gain
                if gain and (biggest is None or gain > biggest[0]):
                    biggest = (gain, f"vrrp_instance/{instance.name}/{kind}/{item.name}")
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


def _gain(weight: int, reverse: bool) -> int:
    """What a tracked object can add at most: a positive weight while it is up, a reversed negative one while it is down."""
    signed = -weight if reverse else weight
    return max(signed, 0)


def interface_tracked_twice(case: Case) -> None:
    """An interface that an instance and its sync group both track counts twice."""
    groups = {g.name: g for g in case.config.vrrp_sync_groups}
    for instance in case.config.vrrp_instances:
        group = groups.get(instance.sync_group or "")
        if group is None:
            continue
        shared = {t.name for t in group.track_interfaces}
        for item in instance.track_interfaces:
            if item.name in shared:
                case.say(
                    "KC0610",
                    f"`{instance.name}` and its sync group `{group.name}` both track {item.name}",
                    f"vrrp_instance/{instance.name}/track_interface/{item.name}",
                    consequence="the interface counts twice; with different weights nobody can tell what it does",
                    help="track it in the group only",
                    also=(
                        (
                            f"vrrp_sync_group/{group.name}/track_interface/{item.name}",
                            None,
                            "the group's line",
                        ),
                    ),
                )
