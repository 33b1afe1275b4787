"""Orders about tracked objects."""

from __future__ import annotations

from kir.model import Config
from kir.plan.operations import TrackerOperation, TrackerStart, TrackerStop, TrackerUpdate


def plan_trackers(old: Config, new: Config) -> list[TrackerOperation]:
    """Orders about ``vrrp_script``s."""
    before = {s.name: s for s in old.vrrp_scripts}
    after = {s.name: s for s in new.vrrp_scripts}
    steps: list[TrackerOperation] = [
        TrackerStart(tracker=n, reason="runs from now on") for n in after if n not in before
    ]
    for name, script in before.items():
        now = after.get(name)
        if now is not None and now != script:
            fields = tuple(f for f in script.__struct_fields__ if getattr(script, f) != getattr(now, f))
            steps.append(TrackerUpdate(tracker=name, fields=fields, reason="its result is judged anew"))
    steps.extend(TrackerStop(tracker=n, reason="no longer run") for n in before if n not in after)
    return steps
