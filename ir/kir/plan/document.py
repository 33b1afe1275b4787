"""A plan as plain JSON, the contract that scripts read: of ``kcc diff`` and of ``krunctl plan``."""

from __future__ import annotations

from typing import Any

from kir.plan.plan import Plan


def plan_object(old: dict[str, Any] | None, new: dict[str, Any] | None, plan: Plan) -> dict[str, Any]:
    """One plan. ``old`` and ``new`` say which file and which digest; None: there is none."""
    return {
        "version": 1,
        "old": old,
        "new": new,
        "impact": plan.impact.word,
        "wire": plan.wire,
        "drain_us": plan.drain_us,
        "changes": [
            {
                "action": c.action,
                "path": list(c.path),
                "old": c.old,
                "new": c.new,
                "wire": c.wire,
                "reason": c.reason or None,
            }
            for c in plan.changes
        ],
        "operations": [
            {
                "op": o.op,
                "target": o.target,
                "impact": o.impact.word,
                "seconds": o.seconds,
                "reason": o.reason or None,
                "phase": o.phase,
                "connections": o.connections,
                "sysctls": list(o.sysctls),
                "detail": o.detail(),
            }
            for o in plan.operations
        ],
        "summary": plan.counts(),
    }
