"""Orders to the daemon itself: settings of the director that it takes while it runs, and those that it does not."""

from __future__ import annotations

from kir.model import Config
from kir.plan.operations import DaemonOperation, DaemonRestart, DaemonUpdate, Impact

FIXED = frozenset(
    {
        "instance",
        "use_pid_dir",
        "namespaces",
        "files.tmp_config_dir",
        "disable_local_igmp",
        "nftables.table",
        "nftables_ipvs.table",
    }
)
"""What a running daemon keeps: keepalived refuses a reload that changes one of these."""

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
    fixed = tuple(f for f in fields if f in FIXED or f.split(".")[0] in FIXED)
    free = tuple(f for f in fields if f not in fixed)
    steps: list[DaemonOperation] = []
    if fixed:
        steps.append(
            DaemonRestart(
                fields=fixed,
                impact=Impact.FAILOVER,
                reason=f"{', '.join(fixed)} cannot change while the daemon runs: it must be stopped and started, and other "
                "directors take over meanwhile",
            )
        )
    if free:
        steps.append(DaemonUpdate(fields=free, reason="settings of the director; no connection is touched"))
    return steps


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
