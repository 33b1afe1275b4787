"""The arithmetic of checks against trying every combination of outcomes one by one."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from kcc.cluster.arithmetic import Check, checks_of, contributions, decides, limited, priorities, sums
from kir.model import (
    SyncGroup,
    TrackedBfd,
    TrackedFile,
    TrackedInterface,
    TrackedProcess,
    TrackedScript,
    VrrpInstance,
)
from krun.vrrp.tracking import ScriptHealth, evaluate


def router(priority: int, scripts: tuple[TrackedScript, ...] = (), **more: object) -> VrrpInstance:
    return VrrpInstance(
        name="VI_1",
        interface="eth0",
        vrid=51,
        version=2,
        family="inet",
        initial_state="BACKUP",
        priority=priority,
        advert_int_us=1_000_000,
        track_scripts=scripts,
        **more,  # type: ignore[arg-type]
    )


weights = st.integers(-253, 253).filter(bool)
lines = st.lists(st.tuples(weights, st.booleans()), max_size=4).map(
    lambda items: tuple(TrackedScript(name=f"s{n}", weight=w, reverse=r) for n, (w, r) in enumerate(items))
)


def by_hand(instance: VrrpInstance, outcome: dict[str, bool]) -> int:
    """keepalived.conf(5), word by word."""
    if instance.priority == 255:
        return 255
    total = instance.priority
    for item in instance.track_scripts:
        up = outcome[item.name]
        if (item.weight > 0) == up:
            total += -item.weight if item.reverse else item.weight
    return max(1, min(254, total))


def outcomes(instance: VrrpInstance) -> list[dict[str, bool]]:
    names = [s.name for s in instance.track_scripts]
    return [dict(zip(names, values, strict=True)) for values in product((True, False), repeat=len(names))]


@given(st.integers(1, 255), lines)
def test_priorities_are_those_of_all_outcomes(priority: int, scripts: tuple[TrackedScript, ...]) -> None:
    instance = router(priority, scripts)
    reached = priorities(instance, checks_of(instance, None).values())
    assert reached == {by_hand(instance, o) for o in outcomes(instance)}


@given(st.integers(1, 254), lines.filter(bool), st.integers(1, 255), lines)
@settings(max_examples=200)
def test_decides_is_what_trying_everything_finds(
    priority: int, mine: tuple[TrackedScript, ...], other: int, theirs: tuple[TrackedScript, ...]
) -> None:
    here, there = router(priority, mine), router(other, theirs)
    checks = checks_of(here, None)
    first = checks["track_script", "s0"]
    rest = [c for c in checks.values() if c.name != "s0"]
    found = decides(here, first, rest, [priorities(there, checks_of(there, None).values())])
    tried = False
    for others in (o for o in outcomes(here) if o["s0"]):
        for rival in outcomes(there):
            up, down = by_hand(here, {**others, "s0": True}), by_hand(here, {**others, "s0": False})
            peer = by_hand(there, rival)
            tried = tried or min(up, down) < peer <= max(up, down)
    assert found == tried


@given(st.integers(1, 255), lines)
@settings(max_examples=50)
def test_priorities_are_those_of_the_runtime(priority: int, scripts: tuple[TrackedScript, ...]) -> None:
    instance = router(priority, scripts)
    seen = set()
    for outcome in outcomes(instance):
        health = {name: ScriptHealth(up=up) for name, up in outcome.items()}
        verdict = evaluate(instance, None, {"eth0": True}, health, primary_up=True, source="203.0.113.1")
        seen.add(verdict.priority)
    assert priorities(instance, checks_of(instance, None).values()) == seen


def test_many_checks_are_no_burden() -> None:
    checks = [Check("track_script", f"s{n}", 0, -(n % 40) - 1) for n in range(200)]
    assert len(sums(checks)) <= 200 * 40 + 1


def test_the_signs() -> None:
    assert contributions(20, False) == (20, 0)
    assert contributions(-20, False) == (0, -20)
    assert contributions(20, True) == (-20, 0)
    assert contributions(-20, True) == (0, 20)
    assert [limited(n) for n in (-5, 0, 1, 254, 255, 300)] == [1, 1, 1, 254, 254, 254]


def test_what_instance_and_group_both_watch_counts_twice() -> None:
    instance = router(
        100, (TrackedScript(name="s", weight=-10),), track_interfaces=(TrackedInterface(name="eth1"),)
    )
    group = SyncGroup(name="G", members=("VI_1",), track_scripts=(TrackedScript(name="s", weight=-5),))
    assert checks_of(instance, group) == {("track_script", "s"): Check("track_script", "s", 0, -15)}


def test_an_owner_is_moved_by_nothing() -> None:
    owner = router(255, (TrackedScript(name="s", weight=-100),))
    check = checks_of(owner, None)["track_script", "s"]
    assert priorities(owner, [check]) == {255}
    assert not decides(owner, check, [], [{200}])


def test_a_file_can_add_any_multiple_of_its_weight() -> None:
    instance = router(100, track_files=(TrackedFile(name="load", weight=50),))
    reached = priorities(instance, checks_of(instance, None).values())
    assert {1, 50, 100, 150, 200, 250, 254} <= reached
    assert 101 not in reached
    fine = router(100, track_files=(TrackedFile(name="load", weight=-1),))
    assert priorities(fine, checks_of(fine, None).values()) == set(range(1, 255))


@given(st.integers(1, 254), st.integers(-254, 254), st.booleans(), st.integers(-300, 300))
def test_what_a_file_adds_is_among_them(priority: int, weight: int, reverse: bool, number: int) -> None:
    """keepalived.conf(5), ``track_file``: number times weight; from ±254 on it is a fault, or cut."""
    instance = router(priority, track_files=(TrackedFile(name="load", weight=weight, reverse=reverse),))
    added = number * weight * (-1 if reverse else 1)
    if weight and abs(weight) < 254 and added > -254:
        assert limited(priority + min(added, 253)) in priorities(instance, checks_of(instance, None).values())


def test_processes_and_sessions_count_like_scripts() -> None:
    instance = router(
        100,
        track_processes=(TrackedProcess(name="web", weight=-20), TrackedProcess(name="db", weight=-254)),
        track_bfds=(TrackedBfd(name="up", weight=30),),
    )
    assert priorities(instance, checks_of(instance, None).values()) == {80, 100, 110, 130}
