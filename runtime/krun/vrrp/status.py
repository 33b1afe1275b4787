"""The VRRP process's part of the state document, plain JSON."""

from __future__ import annotations

import time
from typing import Any

from krun.vrrp.director import Director
from krun.vrrp.instance import Instance
from krun.vrrp.machine import Role


def document(director: Director, now_us: int) -> dict[str, Any]:
    """``vrrp``, ``sync_groups`` and ``trackers`` as they are at ``now_us``; times are seconds since the epoch."""
    offset = time.time() - now_us / 1e6
    return {
        "vrrp": [_instance(director, instance, offset) for instance in director.instances.values()],
        "sync_groups": [
            {"name": group.name, "state": group.role.name, "members": list(group.config.members)}
            for group in director.groups.values()
        ],
        "trackers": [
            {
                "kind": "script",
                "name": name,
                "state": {None: "undecided", True: "up", False: "down"}[health.up],
                "counter": health.counter,
                "rise": director.scripts[name].rise,
                "fall": director.scripts[name].fall,
            }
            for name, health in director.health.items()
        ],
        "unknown_vrids": [
            {"socket": at, "vrid": vrid, "count": count}
            for (at, vrid), count in director.intake.unknown.items()
        ],
    }


def _instance(director: Director, instance: Instance, offset: float) -> dict[str, Any]:
    config, state = instance.config, instance.state
    held = director.ledger.held.get(config.name, {})
    return {
        "name": config.name,
        "interface": config.interface,
        "vrid": config.vrid,
        "version": config.version,
        "family": config.family,
        "state": state.role.name,
        "priority": config.priority,
        "effective_priority": state.speaks,
        "master": state.source if state.role is Role.MASTER else state.master,
        "master_priority": state.speaks if state.role is Role.MASTER else state.master_priority,
        "master_advert_int_us": state.interval_us,
        "source": state.source,
        "since": round(state.since / 1e6 + offset, 6),
        "vips": [str(key) for key in held if key in director.ledger.have],
        "faults": sorted(state.faults | state.pending),
        "sync_group": config.sync_group,
        "counters": instance.counters.as_dict(),
    }
