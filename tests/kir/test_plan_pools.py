"""Every change of a small pool, one by one: the way from each state of two servers to each other one is safe at every step."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from kir.model import Forwarding, SorryServer
from kir.plan.ipvs import PoolHealth, ServerHealth, desired_entry
from kir.plan.operations import (
    AddDest,
    DelDest,
    DelService,
    EditDest,
    EditService,
    Impact,
    IpvsOperation,
)
from kir.plan.pool import NODEST, QUIESCENT, plan_entry, usable
from kir.state import DestKey, DestParams, ServiceEntry, ServiceParams
from support.ir_samples import real, service, virtual

AT = service()
A, B = DestKey("10.0.0.1", 80), DestKey("10.0.0.2", 80)
PLAIN = ServiceParams(scheduler="rr")
STATES = (None, *(DestParams(weight=w, upper_threshold=u) for w in (0, 1, 2) for u in (0, 5, 9)))
MINUTE = 60_000_000


def entries() -> Iterator[ServiceEntry]:
    for a, b in itertools.product(STATES, STATES):
        yield ServiceEntry(PLAIN, {k: p for k, p in ((A, a), (B, b)) if p is not None})


def run(entry: ServiceEntry, step: IpvsOperation) -> ServiceEntry:
    dests = dict(entry.dests)
    if isinstance(step, AddDest):
        assert step.dest not in dests
        dests[step.dest] = step.params
    elif isinstance(step, EditDest):
        assert dests[step.dest] == step.old != step.params
        dests[step.dest] = step.params
    elif isinstance(step, DelDest):
        del dests[step.dest]
    else:
        assert isinstance(step, EditService)
        return ServiceEntry(step.params, dests)
    return ServiceEntry(entry.params, dests)


def tightened(have: ServiceEntry, want: ServiceEntry) -> set[DestKey]:
    """Servers that may be overloaded the moment they get their new threshold."""
    return {
        d
        for d, p in want.dests.items()
        if d in have.dests
        and p.upper_threshold
        and p.upper_threshold < (have.dests[d].upper_threshold or 1 << 32)
    }


@pytest.mark.parametrize("drain", [0, MINUTE])
def test_a_service_that_stays_usable_is_usable_at_every_step(drain: int) -> None:
    for have, want in itertools.product(entries(), entries()):
        at = have
        for step in plan_entry(AT, have, want, drain):
            at = run(at, step)
            if usable(have.dests) and usable(want.dests):
                assert usable(at.dests), (have, want, step)
        assert at.dests == want.dests


def test_a_server_that_may_be_overloaded_is_not_left_alone() -> None:
    for have, want in itertools.product(entries(), entries()):
        tight = tightened(have, want)
        free_at_end = any(p.weight and d not in tight for d, p in want.dests.items())
        if not (usable(have.dests) and free_at_end):
            continue
        at = have
        for step in plan_entry(AT, have, want):
            at = run(at, step)
            assert any(p.weight and not (d in tight and p == want.dests[d]) for d, p in at.dests.items()), (
                have,
                want,
                step,
            )


def test_one_write_for_each_server_that_differs() -> None:
    for have, want in itertools.product(entries(), entries()):
        differs = sum(have.dests.get(d) != want.dests.get(d) for d in (A, B))
        assert len(plan_entry(AT, have, want)) == differs


def test_an_impact_is_an_outage_exactly_where_nobody_is_left() -> None:
    for have, want in itertools.product(entries(), entries()):
        steps = plan_entry(AT, have, want)
        worst = max((s.impact for s in steps), default=Impact.NONE)
        ends = usable(have.dests) and not usable(want.dests)
        assert (worst is Impact.OUTAGE) == ends, (have, want)


def test_a_drain_cuts_nothing_and_waits_only_for_what_goes() -> None:
    for have, want in itertools.product(entries(), entries()):
        steps = plan_entry(AT, have, want, MINUTE)
        waiting = [s for s in steps if s.phase == "after_drain"]
        assert {s.dest for s in waiting if isinstance(s, DelDest)} == have.dests.keys() - want.dests.keys()
        assert not any(s.connections == "cut" for s in steps)
        at = have
        for step in steps[: len(steps) - len(waiting)]:
            at = run(at, step)
        assert all(at.dests[d].weight == 0 for d in have.dests.keys() - want.dests.keys())


def test_the_sorry_server_and_the_pool_change_places_without_a_gap() -> None:
    server = virtual(
        real("10.0.0.1"),
        real("10.0.0.2"),
        sorry_server=SorryServer(address="10.0.0.9", port=80, family="inet"),
    )
    up = PoolHealth({}, True)
    down = PoolHealth({DestKey("10.0.0.1", 80): ServerHealth(False, 1)}, False)
    for a, b in ((up, down), (down, up)):
        at, want = desired_entry(server, AT, a), desired_entry(server, AT, b)
        steps = plan_entry(AT, at, want)
        assert isinstance(steps[0], AddDest)
        for step in steps:
            at = run(at, step)
            assert usable(at.dests)
        assert at.dests == want.dests


def test_the_only_server_is_replaced_without_a_gap() -> None:
    have = ServiceEntry(PLAIN, {A: DestParams(weight=1)})
    want = ServiceEntry(PLAIN, {B: DestParams(weight=1)})
    assert [s.op for s in plan_entry(AT, have, want)] == ["ipvs.add_dest", "ipvs.del_dest"]
    assert [(s.op, s.phase) for s in plan_entry(AT, have, want, MINUTE)] == [
        ("ipvs.add_dest", "now"),
        ("ipvs.edit_dest", "now"),
        ("ipvs.del_dest", "after_drain"),
    ]


def test_a_drained_service_goes_at_the_end_with_its_servers() -> None:
    have = ServiceEntry(PLAIN, {A: DestParams(weight=1), B: DestParams(weight=0)})
    steps = plan_entry(AT, have, None, MINUTE)
    assert [(s.op, s.phase, s.impact) for s in steps] == [
        ("ipvs.edit_dest", "now", Impact.OUTAGE),
        ("ipvs.del_service", "after_drain", Impact.HITLESS),
    ]
    [gone] = plan_entry(AT, have, None)
    assert isinstance(gone, DelService)
    assert (gone.connections, gone.sysctls) == ("cut", (NODEST,))


def test_the_setting_that_decides_is_named() -> None:
    have = ServiceEntry(PLAIN, {A: DestParams(weight=1), B: DestParams(weight=1)})
    want = ServiceEntry(PLAIN, {A: DestParams(weight=1)})
    [gone] = plan_entry(AT, have, want)
    assert gone.sysctls == ("net.ipv4.vs.expire_nodest_conn",)
    assert gone.connections == "cut"
    sticky = ServiceParams(scheduler="rr", timeout_s=300)
    down = {A: DestParams(weight=1), B: DestParams(weight=0)}
    [edit] = plan_entry(AT, ServiceEntry(sticky, have.dests), ServiceEntry(sticky, down))
    assert QUIESCENT in edit.sysctls
    assert "expire_quiescent_template" in edit.reason
    assert edit.connections == "kept"
    single = ServiceParams(scheduler="rr", flags=("ops",))
    [gone] = plan_entry(AT, ServiceEntry(single, have.dests), ServiceEntry(single, want.dests), MINUTE)
    assert (gone.phase, gone.impact, gone.sysctls) == ("now", Impact.HITLESS, ())


def test_another_forwarding_is_an_edit() -> None:
    have = ServiceEntry(PLAIN, {A: DestParams(weight=1)})
    want = ServiceEntry(PLAIN, {A: DestParams(weight=1, forwarding=Forwarding(method="DR"))})
    [edit] = plan_entry(AT, have, want)
    assert (edit.op, edit.impact, edit.connections) == ("ipvs.edit_dest", Impact.HITLESS, "kept")
