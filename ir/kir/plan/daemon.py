"""Orders to the daemon itself: what of its settings it takes while it runs, what a process has to be replaced for, what counts from the
next start on, and what it refuses to change."""

from __future__ import annotations

from kir.model import Config, Global
from kir.plan.operations import DaemonOperation, DaemonRestart, DaemonUpdate, Impact

FIXED: dict[str, str] = {
    "instance": "instance",
    "namespaces.network": "net_namespace",
    "namespaces.ipvs": "net_namespace_ipvs",
    "disable_local_igmp": "disable_local_igmp",
    "nftables.table": "nftables",
    "nftables_ipvs.table": "nftables_ipvs",
}
"""What a running daemon keeps, by field, and the keyword for it: keepalived and krun refuse a reload that changes one of these."""

LATER: dict[str, str] = {
    "startup_script": "at the next start of krun",
    "startup_script_timeout_us": "at the next start of krun",
    "random_seed": "at the next start of a process",
}
"""What is read once, and when that is again."""

PROCESSES: dict[str, str] = {"vrrp_process": "vrrp", "checker_process": "check", "bfd_process": "bfd"}
"""The settings of a process, and its name in krun."""

OUTSIDE = (
    "tls",
    "linkbeat_interfaces",
    "interface_delays",
    "garp_groups",
    "track_groups",
)
"""Lists and parts of `Config` that are settings too, beside ``global_defs``."""


def plan_daemon(old: Config, new: Config) -> list[DaemonOperation]:
    """At most one order of each kind."""
    fields = [
        *_differing(old.global_defs, new.global_defs, ""),
        *(name for name in OUTSIDE if getattr(old, name) != getattr(new, name)),
    ]
    fixed = tuple(f for f in fields if f in FIXED)
    free = tuple(f for f in fields if f not in FIXED)
    steps: list[DaemonOperation] = []
    if fixed:
        keywords = tuple(FIXED[field] for field in fixed)
        steps.append(
            DaemonRestart(
                fields=fixed,
                keywords=keywords,
                impact=Impact.FAILOVER,
                reason=f"{', '.join(keywords)} cannot change while the daemon runs, and a reload with it is refused: it must be "
                "stopped and started, and other directors take over meanwhile",
            )
        )
    if free:
        replaced = replaced_processes(old.global_defs, new.global_defs)
        later = tuple(f for f in free if f in LATER)
        reasons = ["settings of the director; no connection is touched"]
        if replaced:
            reasons.append(
                f"the {' and '.join(replaced)} process is replaced by its successor, which goes on in its role: locking its memory needs "
                "a privilege that it gave up when it started"
            )
        reasons += [f"{field} counts {LATER[field]}" for field in later]
        steps.append(DaemonUpdate(fields=free, replaces=replaced, later=later, reason="; ".join(reasons)))
    return steps


def replaced_processes(old: Global, new: Global) -> tuple[str, ...]:
    """The processes that a successor has to take over from, for they cannot get what ``new`` wants of them: locked memory."""
    return tuple(
        name
        for field, name in PROCESSES.items()
        if getattr(new, field).no_swap and not getattr(old, field).no_swap
    )


def _differing(old: object, new: object, prefix: str) -> list[str]:
    """Paths of the fields that differ, into parts that both sides have."""
    found: list[str] = []
    for name in new.__struct_fields__:  # type: ignore[attr-defined]
        a, b = getattr(old, name), getattr(new, name)
        if a == b:
            continue
        if a is not None and type(a) is type(b) and hasattr(a, "__struct_fields__") and not prefix:
            found += _differing(a, b, f"{name}.")
        else:
            found.append(f"{prefix}{name}")
    return found
