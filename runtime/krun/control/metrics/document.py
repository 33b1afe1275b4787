"""A state document as one text."""

from __future__ import annotations

from typing import Any

from krun.control.metrics import daemon, director, exporter, logs, loops
from krun.control.metrics.family import Family, text


def render(state: dict[str, Any]) -> str:
    """``state``: as `krun.control.state.State` is on the wire. Families that have no sample are left out."""
    up = Family("krun_up", "gauge", "Whether krun answers")
    up.add(1)
    return text(
        (
            up,
            *exporter.families(state),
            *daemon.families(state),
            *loops.families(state),
            *logs.families(state),
            *director.families(state),
        )
    )


def unreachable() -> str:
    """What is known of a krun that does not answer."""
    families = []
    for name in ("krun_up", "keepalived_up"):
        family = Family(name, "gauge", "Whether krun answers")
        family.add(0)
        families.append(family)
    return text(families)
