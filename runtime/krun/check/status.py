"""The checker process's part of the state document, plain JSON."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from krun.check.pool import Server
from krun.check.roster import Member
from krun.check.runner import Runner

Connections = Mapping[tuple[str, str], int]


def member_status(member: Member, now_us: int, connections: Connections) -> dict[str, Any]:
    """A virtual server: services, quorum, sorry server, real servers. Times are seconds since the epoch."""
    virtual, pool = member.virtual, member.pool
    sorry = virtual.sorry_server
    services = [service.identity for service in virtual.services]
    return {
        "name": virtual.name,
        "services": services,
        "scheduler": virtual.scheduler,
        "quorum": {
            "up": pool.quorum_up,
            "weight": pool.weight,
            "needed": virtual.quorum,
            "hysteresis": virtual.hysteresis,
        },
        "sorry_server": None
        if sorry is None
        else {"identity": sorry.identity, "active": pool.sorry_active, "inhibit": sorry.inhibit},
        "real_servers": [
            _server(server, member.runners.get(key, []), now_us)
            | {
                "in_use": server.up and not pool.sorry_active,
                "connections": sum(connections.get((s, server.real.identity), 0) for s in services)
                if connections
                else None,
            }
            for key, server in pool.servers.items()
        ],
    }


def _server(server: Server, runners: list[Runner], now_us: int) -> dict[str, Any]:
    return {
        "identity": server.real.identity,
        "state": "up" if server.up else "down",
        "weight": server.real.weight,
        "effective_weight": server.weight,
        "overlay": server.overlay,
        "dynamic": sum(server.deltas.values()),
        "forwarding": server.real.forwarding.method,
        "inhibit_on_failure": server.real.inhibit_on_failure,
        "checkers": [_checker(runner, now_us) for runner in runners],
    }


def _checker(runner: Runner, now_us: int) -> dict[str, Any]:
    state = runner.state
    return {
        "checker": runner.label,
        "state": "up" if state.up else "down",
        "known": state.ran,
        "suspended": state.suspended,
        "since": _epoch(state.since_us, now_us),
        "last_result": state.verdict,
        "reason": state.reason,
        "at": _epoch(state.finished_us, now_us),
        "failures": state.failures if state.ran else 0,
        "retry": runner.rules.retry,
        "runs": state.runs,
        "failed_runs": state.failed_runs,
        "next_in_s": None if state.due_us is None else round(max(state.due_us - now_us, 0) / 1e6, 3),
    }


def _epoch(at_us: int, now_us: int) -> float | None:
    """CLOCK_MONOTONIC microseconds as seconds since the epoch; None for never."""
    return round(time.time() - (now_us - at_us) / 1e6, 3) if at_us else None
