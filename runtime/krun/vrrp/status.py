"""The VRRP process's part of the state document, plain JSON."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any

from krun.vrrp.book import STATIC, Book
from krun.vrrp.director import Director
from krun.vrrp.explain import explanation
from krun.vrrp.instance import Instance
from krun.vrrp.machine import Role


def document(director: Director, now_us: int, breathe: Callable[[], object] = lambda: None) -> dict[str, Any]:
    """``vrrp``, ``sync_groups``, ``trackers`` and ``static`` as they are at ``now_us``; times are seconds since the epoch.

    ``breathe`` is called between two instances. An address, route or rule is ``present`` when the kernel has it; ``problem`` says why it is not where it should be.
    """
    offset = time.time() - now_us / 1e6
    instances = []
    for instance in director.instances.values():
        breathe()
        instances.append(
            _instance(director, instance, offset) | explanation(director, instance, now_us, offset)
        )
    return {
        "vrrp": instances,
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
        "static": {
            "addresses": _things(director.ledger, STATIC, director.given_up),
            "routes": _things(director.routing.routes, STATIC, director.given_up),
            "rules": _things(director.routing.rules, STATIC, director.given_up),
            "problems": list(director.static_problems),
        },
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
        "routes": _things(director.routing.routes, config.name),
        "rules": _things(director.routing.rules, config.name),
        "faults": sorted(state.faults | state.pending),
        "sync_group": config.sync_group,
        "counters": instance.counters.as_dict(),
    }


def _things(book: Book[Any, Any], holder: str, given_up: Collection[object] = ()) -> list[dict[str, Any]]:
    """What a holder wants, whether it is there, and what is in the way."""
    found: list[dict[str, Any]] = []
    for key, thing in book.held.get(holder, {}).items():
        line: dict[str, Any] = {"name": thing.identity, "present": key in book.have}
        problem = book.problems.get(key)
        if key in given_up:
            problem = "others keep removing it: left alone until the next reload"
        elif problem is None and not line["present"]:
            problem = "removed by somebody else" if key in book.left else "not there yet"
        if problem is not None:
            line["problem"] = problem
        found.append(line)
    return found
