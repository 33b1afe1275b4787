"""A plan is made from what differs and what is not plain: it is the plan that a look at everything would give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kir import again, codec
from kir.canonical import canonical
from kir.model import Config, RealServer, Service, VirtualServer
from kir.model.checkers import Endpoint, TcpCheck, Timing
from kir.plan.ipvs import desired_table
from kir.plan.plan import plan
from kir.state import DestKey, IpvsTable
from krun.check.outlook import plain
from krun.check.pool import Pool
from krun.control import observe, planning
from krun.parent.handover import differing

numbers = st.integers(0, 3)


def check(port: int, alpha: bool) -> TcpCheck:
    return TcpCheck(timing=Timing(alpha=alpha), endpoint=Endpoint(address="127.0.0.1", port=port))


@st.composite
def virtuals(draw: st.DrawFn, number: int) -> VirtualServer:
    """A virtual server of few words, so that the same real server, and the same question, comes up in several."""
    places = draw(st.lists(numbers, unique=True, min_size=1, max_size=3))
    return VirtualServer(
        name=f"tcp 10.0.0.{number}:80",
        services=(Service(family="inet", protocol="tcp", address=f"10.0.0.{number}", port=80),),
        quorum=draw(st.integers(1, 3)),
        hysteresis=draw(st.integers(0, 1)),
        real_servers=tuple(
            RealServer(
                address=f"192.168.0.{place}",
                port=80,
                family="inet",
                weight=draw(numbers),
                checkers=tuple(
                    check(port, draw(st.booleans()))
                    for port in draw(st.lists(st.integers(8000, 8001), unique=True, max_size=2))
                ),
            )
            for place in places
        ),
    )


@st.composite
def directors(draw: st.DrawFn) -> tuple[Config, Config, dict[str, Pool], IpvsTable]:
    """What runs, what is planned, the pools, and what the kernel holds: what it should, but for some."""
    old = [draw(virtuals(n)) for n in range(draw(st.integers(1, 5)))]
    new = [draw(virtuals(n)) if draw(numbers) == 0 else v for n, v in enumerate(old) if draw(numbers)]
    if draw(st.booleans()):
        new.append(draw(virtuals(9)))
    before, after = (canonical(Config(virtual_servers=tuple(v))) for v in (old, new))
    pools = {}
    for virtual in before.virtual_servers:
        pool = pools[virtual.name] = Pool(virtual)
        for key, server in pool.servers.items():
            for position, _ in enumerate(server.real.checkers):
                pool.place(key, position, draw(numbers) != 0, draw(st.sampled_from((0, 0, 0, 2))))
        pool.begin(draw(st.sampled_from((None, None, True, False))))
    table = desired_table(before, {name: pool.health() for name, pool in pools.items()})
    for service, entry in list(table.items()):
        if draw(numbers) == 0:
            entry.dests.pop(draw(st.sampled_from(sorted(entry.dests) or [DestKey("", 0)])), None)
        if draw(numbers) == 0 and draw(numbers) == 0:
            del table[service]
    return before, after, pools, table


def said(pool: Pool) -> dict[str, Any]:
    return {
        "name": pool.virtual.name,
        "quorum": {"up": pool.quorum_up},
        "real_servers": [
            {
                "identity": server.real.identity,
                "state": "up" if server.up else "down",
                "effective_weight": server.weight,
                "dynamic": sum(server.deltas.values()),
                "checkers": [
                    {"state": "down" if n in server.down else "up"} for n in range(len(server.real.checkers))
                ],
            }
            for server in pool.servers.values()
        ],
    }


@given(directors())
def test_what_is_left_out_would_have_added_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    director: tuple[Config, Config, dict[str, Pool], IpvsTable],
) -> None:
    old, new, pools, table = director
    folder = tmp_path_factory.mktemp("plan")
    kept, path = folder / "kept.json", folder / "new.json"
    kept.write_bytes(b"".join(again.dump(codec.document(old))))
    codec.write(codec.document(new), path)
    wanted = desired_table(old, {name: pool.health() for name, pool in pools.items()})
    drift = [v.name for v in old.virtual_servers if any(table.get(s) != wanted[s] for s in v.services)]
    everything: dict[str, Any] = {
        "parent": {"kernel": "linux"},
        "processes": [{"name": "check", "pid": 1, "answered": True, "problem": None}],
        "vrrp": [],
        "virtual_servers": [said(pool) for pool in pools.values()],
    }
    little = everything | {
        "virtual_servers": [said(pool) for pool in pools.values() if not plain(pool)],
        "extra": {"check": {"drift": drift}},
    }
    answer = {"differ": differing(new, old)}
    some_old, some_new = planning._documents(kept, path, answer, little)
    plans = []
    for state, before, after in ((everything, old, new), (little, some_old.config, some_new.config)):
        names = {s for config in (before, after) for v in config.virtual_servers for s in v.services}
        seen = observe.sight(state | {"parent": {"kernel": "memory"}}, before, after)
        observed = observe.Observed(
            table={s: e for s, e in table.items() if s in names}, health=seen.observed.health
        )
        plans.append(plan(before, after, observed))
    whole, part = plans
    assert part.operations == whole.operations
    assert part.changes == whole.changes


def test_a_checker_process_that_says_nothing_is_no_reason_to_leave_anything_out(tmp_path: Path) -> None:
    config = canonical(Config(virtual_servers=(VirtualServer(name="group A tcp", services=()),)))
    kept, path = tmp_path / "kept.json", tmp_path / "new.json"
    kept.write_bytes(b"".join(again.dump(codec.document(config))))
    codec.write(codec.document(config), path)
    state: dict[str, Any] = {
        "processes": [{"name": "check", "answered": False}],
        "virtual_servers": [],
        "extra": {},
    }
    for differ, count in (({"differ": []}, 1), ({}, 1)):
        old, new = planning._documents(kept, path, differ, state)
        assert len(old.config.virtual_servers) == len(new.config.virtual_servers) == count
    old, new = planning._documents(kept, path, {"differ": []}, state | {"extra": {"check": {"drift": []}}})
    assert not old.config.virtual_servers and not new.config.virtual_servers
