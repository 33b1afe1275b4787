"""Effective priority, script counters, debounced interfaces, sync groups."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kir.model import SyncGroup, TrackedInterface, TrackedScript, VrrpScript
from krun.vrrp import tracking
from krun.vrrp.machine import Role, State
from krun.vrrp.sync import Group, common_role, may_become_master

from .make import router, vip

LINKS = {"eth0": True, "eth1": True}


@pytest.mark.parametrize(
    ("weight", "reverse", "up", "adds"),
    [
        (10, False, True, 10),
        (10, False, False, 0),
        (-10, False, True, 0),
        (-10, False, False, -10),
        (10, True, True, -10),
        (10, True, False, 0),
        (-10, True, True, 0),
        (-10, True, False, 10),
        (10, False, None, 0),
        (-10, False, None, 0),
    ],
)
def test_what_an_object_adds(weight: int, reverse: bool, up: bool | None, adds: int) -> None:
    assert tracking.contribution(weight, reverse, up) == adds


def script(name: str = "chk", **fields: object) -> VrrpScript:
    return VrrpScript(name=name, argv=("/bin/true",), **fields)  # type: ignore[arg-type]


def judge(config, links=None, scripts=None, group=None, primary=True, source="192.0.2.1"):  # type: ignore[no-untyped-def]
    return tracking.evaluate(
        config, group, LINKS if links is None else links, scripts or {}, primary_up=primary, source=source
    )


def test_weights_add_up_within_1_to_254() -> None:
    up, down = tracking.ScriptHealth(up=True), tracking.ScriptHealth(up=False)
    config = router(
        track_scripts=(TrackedScript(name="a", weight=100), TrackedScript(name="b", weight=-250)),
        track_interfaces=(TrackedInterface(name="eth1", weight=100),),
    )
    assert judge(config, scripts={"a": up, "b": up}).priority == 254
    assert judge(config, scripts={"a": down, "b": up}).priority == 200
    assert judge(config, {"eth0": True, "eth1": False}, {"a": down, "b": down}).priority == 1
    assert (
        judge(router(priority=255, track_scripts=config.track_scripts), scripts={"a": up, "b": down}).priority
        == 255
    )


@pytest.mark.parametrize(
    ("config", "links", "primary", "source", "words"),
    [
        (router(), LINKS, False, "192.0.2.1", "interface eth0 is down"),
        (router(), LINKS, None, None, "interface eth0 does not exist"),
        (router(track_primary=False), LINKS, None, None, "interface eth0 does not exist"),
        (router(), LINKS, True, None, "has no IPv4 address"),
        (router(source="192.0.2.7", track_source=True), LINKS, True, None, "source address 192.0.2.7"),
        (router(unicast=True, fault_no_peer=True), LINKS, True, "192.0.2.1", "no unicast peer"),
        (router(track_interfaces=(TrackedInterface(name="eth1"),)), {"eth0": True, "eth1": False}, True, "192.0.2.1", "eth1 is down"),
        (router(track_interfaces=(TrackedInterface(name="eth9"),)), LINKS, True, "192.0.2.1", "eth9 is missing"),
        (router(track_interfaces=(TrackedInterface(name="eth1", reverse=True),)), LINKS, True, "192.0.2.1", "eth1 is up"),
        (router(excluded_vips=(vip("192.0.2.77/32", "eth9"),)), LINKS, True, "192.0.2.1", "eth9 of a VIP"),
    ],
)  # fmt: skip
def test_faults(config, links, primary, source, words) -> None:  # type: ignore[no-untyped-def]
    verdict = judge(config, links, primary=primary, source=source)
    assert any(words in fault for fault in verdict.faults), verdict.faults


def test_no_fault_without_reason() -> None:
    assert judge(router()) == tracking.Verdict(100)
    assert not judge(router(track_primary=False), primary=False).faults
    assert not judge(router(excluded_vips=(vip("192.0.2.77/32", "eth9", track=False),))).faults


def test_scripts_of_weight_0() -> None:
    config = router(track_scripts=(TrackedScript(name="chk"),))
    assert judge(config).pending and not judge(config).faults
    assert judge(config, scripts={"chk": tracking.ScriptHealth(up=False)}).faults
    assert judge(config, scripts={"chk": tracking.ScriptHealth(up=True)}) == tracking.Verdict(100)
    assert judge(config, scripts={"chk": tracking.ScriptHealth(excused=True)}) == tracking.Verdict(100)
    reverse = router(track_scripts=(TrackedScript(name="chk", reverse=True),))
    assert judge(reverse, scripts={"chk": tracking.ScriptHealth(up=True)}).faults


def test_group_trackers_hold_for_every_member() -> None:
    group = SyncGroup(name="G", members=("VI_1",), track_interfaces=(TrackedInterface(name="eth1"),))
    assert judge(router(), {"eth0": True}, group=group).faults


def run(one: VrrpScript, results: str, health: tracking.ScriptHealth | None = None) -> list[bool | None]:
    health = tracking.initial_health(one) if health is None else health
    seen = []
    for result in results:
        health = tracking.script_ended(one, health, result == "+")
        seen.append(health.up)
    return seen


def test_the_first_result_decides_alone() -> None:
    assert run(script(rise=3, fall=3), "+") == [True]
    assert run(script(rise=3, fall=3), "-") == [False]


def test_init_fail_needs_rise_successes() -> None:
    assert run(script(rise=3, init_fail=True), "+++") == [False, False, True]


def test_rise_and_fall() -> None:
    one = script(rise=2, fall=3)
    assert run(one, "+--+---+-++") == [
        True, True, True, True, True, True, False, False, False, False, True,
    ]  # fmt: skip


@given(st.integers(1, 10), st.integers(1, 10), st.text("+-", max_size=60))
def test_script_counter_against_runs_of_equal_results(rise: int, fall: int, results: str) -> None:
    """The oracle counts equal results in a row; the machine has one counter."""
    verdict: bool | None = None
    same, last = 0, ""
    expected = []
    for result in results:
        same = same + 1 if result == last else 1
        last = result
        if verdict is None:
            verdict, same = result == "+", rise + fall
        elif result == "+" and same >= rise:
            verdict = True
        elif result == "-" and same >= fall:
            verdict = False
        expected.append(verdict)
    assert run(script(rise=rise, fall=fall), results) == expected


@given(st.booleans(), st.integers(0, 20), st.integers(1, 10), st.integers(1, 10))
def test_rescaling_keeps_the_verdict(up: bool, counter: int, rise: int, fall: int) -> None:
    one = script(rise=rise, fall=fall)
    health = tracking.rescaled(one, tracking.ScriptHealth(up=up, counter=counter))
    assert health.up is up
    assert (health.counter >= rise) is up


def test_debounce() -> None:
    delays = {"up_delay_us": 500, "down_delay_us": 1000}
    held = tracking.debounce(tracking.Debounced(True), False, 0, **delays)
    assert (held.value, held.at) == (True, 1000)
    assert tracking.debounce(held, False, 400, **delays) is held
    assert tracking.debounce_due(held, 999) is held
    assert tracking.debounce_due(held, 1000) == tracking.Debounced(False)
    assert tracking.debounce(held, True, 500, **delays) == tracking.Debounced(True)  # it came back in time
    assert tracking.debounce(held, None, 500, **delays) == tracking.Debounced(None)  # gone is gone
    assert tracking.debounce(tracking.Debounced(False), True, 0, **delays).at == 500


def test_groups() -> None:
    group = Group(SyncGroup(name="G", members=("a", "b")), Role.BACKUP)
    wants = State(role=Role.BACKUP, wanted=True)
    rests = State(role=Role.BACKUP)
    assert may_become_master(group, "a", {"a": wants, "b": wants})
    assert not may_become_master(group, "a", {"a": wants, "b": rests})
    group.role = Role.MASTER
    assert may_become_master(group, "a", {"a": wants, "b": rests})
    group.role = Role.FAULT
    assert not may_become_master(group, "a", {"a": wants, "b": wants})
    faulty = State(role=Role.FAULT, faults=frozenset({"x"}))
    assert common_role([State(role=Role.MASTER), faulty]) is Role.FAULT
    assert common_role([State(role=Role.MASTER), rests]) is Role.MASTER
    assert common_role([rests, rests]) is Role.BACKUP
