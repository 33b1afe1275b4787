"""Reload: what did not change is not touched, what changed keeps its state, what is another router starts anew."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kir.model import Garp, Script, SyncGroup, TrackedScript, VrrpScript
from kir.state import address_key
from krun.vrrp.machine import Role
from krun.vrrp.reload import plan_reload, problems

from .make import config, router, vip
from .segment import Host, S, Segment

A, B = "192.0.2.1", "192.0.2.2"
ONE = router("ONE", priority=150, vips=("192.0.2.10/24",))
TWO = router("TWO", priority=150, vrid=52, vips=("192.0.2.20/24", "192.0.2.21/24"))
change = msgspec.structs.replace


def running(*instances: Any, **rest: Any) -> tuple[Segment, Host]:
    segment = Segment()
    host = segment.add("a", A, config(*instances, **rest))
    segment.run(20 * S)
    assert set(host.roles().values()) == {Role.MASTER}
    for seen in (host.sent, host.writes, host.told, host.announced):
        seen.clear()
    return segment, host


def key(text: str) -> Any:
    return address_key(vip(text))


def test_the_same_again_is_nothing() -> None:
    segment, host = running(ONE, TWO)
    before = {name: i.state for name, i in host.director.instances.items()}
    plan = segment.reload(host, config(ONE, TWO))
    assert plan.operations() == {}
    assert (host.sent, host.writes, host.told, host.announced) == ([], [], [], [])
    assert {name: i.state for name, i in host.director.instances.items()} == before


def test_an_unchanged_instance_is_not_touched_by_the_change_of_another() -> None:
    segment, host = running(ONE, TWO)
    state = host.director.instances["TWO"].state
    segment.reload(host, config(change(ONE, priority=120, advert_int_us=2 * S), TWO))
    assert host.director.instances["TWO"].state is state
    assert {instance for _, instance, _ in host.sent} == {"ONE"}
    times = []
    segment.run(10 * S)
    times = [at for at, instance, _ in host.sent if instance == "TWO"]
    assert times[0] == state.deadline
    assert {b - a for a, b in pairwise(times)} == {S}


@pytest.mark.parametrize(
    "fields",
    [
        {"priority": 120},
        {"nopreempt": True},
        {"garp": Garp(refresh_us=30 * S)},
        {"advert_int_us": 2 * S},
        {"down_timer_adverts": 5},
        {"vips": (vip("192.0.2.10/24"), vip("192.0.2.11/24"))},
        {"track_scripts": (TrackedScript(name="chk"),)},
        {"notify": change(ONE.notify, master=Script(argv=("/bin/true",)))},
    ],
)
def test_a_changed_master_stays_master(fields: dict[str, Any]) -> None:
    chk = VrrpScript(name="chk", argv=("/bin/true",))
    segment, host = running(ONE, scripts=(chk,))
    since = host.director.instances["ONE"].state.since
    plan = segment.reload(host, config(change(ONE, **fields), scripts=(chk,)))
    assert plan.updated == {"ONE": tuple(fields)}
    assert host.role("ONE") is Role.MASTER and host.director.instances["ONE"].state.since == since
    assert host.told == [] and 0 not in [priority for _, _, priority in host.sent]
    assert "ip.del_address" not in host.writes
    segment.run(10 * S)
    assert host.role("ONE") is Role.MASTER


def test_only_the_vip_that_differs_is_written() -> None:
    segment, host = running(TWO)
    new = change(TWO, vips=(vip("192.0.2.20/24"), vip("192.0.2.22/24")))
    segment.reload(host, config(new))
    assert host.writes == ["ip.add_address", "ip.del_address"]
    assert host.addresses == {key("192.0.2.20/24"), key("192.0.2.22/24")}
    assert (5, "192.0.2.22") in host.announced
    segment.run(2 * S)
    assert host.director.instances["TWO"].adverts(150)[0].pdu[12:16] == bytes([192, 0, 2, 22])


@pytest.mark.parametrize(
    "fields",
    [
        {"vrid": 99},
        {"interface": "eth1"},
        {"version": 3},
        {"group": "239.0.0.9"},
        {"unicast": True, "source": A},
    ],
)
def test_another_identity_on_the_wire_starts_as_backup(fields: dict[str, Any]) -> None:
    segment, host = running(ONE)
    plan = segment.reload(host, config(change(ONE, **fields)))
    assert plan.restarted == ["ONE"] and not plan.kept
    assert host.sent[0][1:] == ("ONE", 0)
    assert host.role("ONE") is Role.BACKUP
    assert host.addresses == set()
    segment.run(10 * S)
    assert host.role("ONE") is Role.MASTER and host.addresses == {key("192.0.2.10/24")}


def test_a_renamed_instance_is_the_same() -> None:
    segment, host = running(ONE, TWO)
    plan = segment.reload(host, config(change(ONE, name="UNO"), TWO))
    assert plan.kept == {"UNO": "ONE", "TWO": "TWO"} and plan.updated == {"UNO": ("name",)}
    assert host.role("UNO") is Role.MASTER and host.writes == [] and host.sent == []
    assert "UNO" in host.promises and "ONE" not in host.promises
    segment.stop(host)
    assert host.addresses == set()


def test_two_instances_that_swap_their_names() -> None:
    segment, host = running(ONE, TWO)
    segment.reload(host, config(change(ONE, name="TWO"), change(TWO, name="ONE")))
    assert host.writes == [] and host.sent == []
    assert set(host.promises) == {"ONE", "TWO"}
    segment.reload(host, config(change(ONE, name="TWO"), change(TWO, name="ONE", vips=())))
    assert host.addresses == {key("192.0.2.10/24")}


def test_a_vip_that_moves_is_never_removed() -> None:
    segment, host = running(ONE, TWO)
    one = change(ONE, vips=(vip("192.0.2.10/24"), vip("192.0.2.20/24")))
    two = change(TWO, vips=(vip("192.0.2.21/24"),))
    segment.reload(host, config(one, two))
    assert host.writes == []
    assert host.addresses == {key("192.0.2.10/24"), key("192.0.2.20/24"), key("192.0.2.21/24")}
    segment.reload(host, config(one))
    assert host.writes == ["ip.del_address"]
    assert host.addresses == {key("192.0.2.10/24"), key("192.0.2.20/24")}


def test_removed_and_added() -> None:
    segment, host = running(ONE)
    plan = segment.reload(host, config(TWO))
    assert (plan.stopped, plan.started) == (["ONE"], ["TWO"])
    assert plan.operations() == {"vrrp.start": 1, "vrrp.stop": 1}
    assert host.sent == [(segment.now, "ONE", 0)]
    assert ("ONE", "FAULT") in host.told and "ONE" not in host.promises
    segment.run(10 * S)
    assert host.roles() == {"TWO": Role.MASTER}


def test_a_master_whose_priority_falls_below_a_peers_yields_in_order() -> None:
    segment, host = running(ONE)
    segment.add("b", B, config(change(ONE, priority=140)))
    segment.run(5 * S)
    segment.reload(host, config(change(ONE, priority=100)))
    segment.run(10 * S)
    assert segment.masters("ONE") == ["b"]


def test_a_backup_keeps_following() -> None:
    segment, _ = running(ONE)
    b = segment.add("b", B, config(change(ONE, priority=100)))
    segment.run(5 * S)
    state = b.director.instances["ONE"].state
    segment.reload(b, config(change(ONE, priority=90)))
    after = b.director.instances["ONE"].state
    assert (after.role, after.master) == (Role.BACKUP, A)
    assert after.deadline is not None and state.deadline is not None
    assert after.deadline - state.deadline == pytest.approx(10 * S // 256, abs=1)


def test_results_of_scripts_stay_with_the_same_command() -> None:
    chk = VrrpScript(name="chk", argv=("/bin/a",), rise=2, fall=2)
    tracked = change(ONE, track_scripts=(TrackedScript(name="chk"),))
    segment = Segment()
    host = segment.add("a", A, config(tracked, scripts=(chk,)))
    segment.carry_out(host, host.director.script_ended("chk", True, segment.now))
    segment.run(5 * S)
    plan = segment.reload(host, config(tracked, scripts=(change(chk, rise=5, fall=7),)))
    assert plan.trackers_updated == {"chk": ("rise", "fall")}
    assert host.director.health["chk"].up is True and host.role("ONE") is Role.MASTER
    segment.reload(host, config(tracked, scripts=(change(chk, argv=("/bin/b",)),)))
    assert host.director.health["chk"].up is None and host.role("ONE") is Role.MASTER
    segment.carry_out(host, host.director.script_ended("chk", False, segment.now))
    assert host.role("ONE") is Role.FAULT


def test_a_group_that_is_dissolved_frees_its_members() -> None:
    segment = Segment()
    members = (change(ONE, sync_group="G"), change(TWO, interface="eth1", sync_group="G"))
    host = segment.add("a", A, config(*members, groups=(SyncGroup(name="G", members=("ONE", "TWO")),)))
    segment.run(10 * S)
    segment.carry_out(host, host.director.link("eth1", False, segment.now))
    assert set(host.roles().values()) == {Role.FAULT}
    segment.reload(host, config(ONE, change(TWO, interface="eth1")))
    segment.run(10 * S)
    assert host.roles() == {"ONE": Role.MASTER, "TWO": Role.FAULT}


def test_what_cannot_be_run_is_refused() -> None:
    with pytest.raises(ValueError, match="is taken by ONE"):
        plan_reload(config(ONE), config(ONE, change(TWO, vrid=51)))
    too_many = change(ONE, vips=tuple(vip(f"10.0.{n // 250}.{n % 250 + 1}/32") for n in range(256)))
    with pytest.raises(ValueError, match="255 at most"):
        plan_reload(config(ONE), config(too_many))
    assert list(problems(config(too_many, TWO))) == ["ONE"]


def test_at_start_only_the_one_that_cannot_be_run_is_down() -> None:
    segment = Segment()
    host = segment.add("a", A, config(ONE, change(TWO, vrid=51)))
    segment.run(10 * S)
    assert host.roles() == {"ONE": Role.MASTER, "TWO": Role.FAULT}
    peer = segment.add("b", B, config(change(ONE, priority=200)))
    segment.run(10 * S)
    assert (peer.role("ONE"), host.role("ONE")) == (Role.MASTER, Role.BACKUP)  # it still hears its adverts


POOL = [
    router(f"I{n}", vrid=10 + n, priority=priority, vips=tuple(vips), interface=device)
    for n, (priority, vips, device) in enumerate(
        [
            (100, ["192.0.2.10/24"], "eth0"),
            (150, ["192.0.2.10/24", "192.0.2.11/24"], "eth0"),
            (200, ["192.0.2.12/24"], "eth0"),
            (90, ["198.51.100.1/24"], "eth1"),
        ]
    )
]


@st.composite
def configs(draw: st.DrawFn) -> Any:
    chosen = draw(st.lists(st.sampled_from(POOL), unique_by=lambda i: i.name, max_size=4))
    made = []
    for instance in chosen:
        vips = draw(
            st.lists(st.sampled_from(["192.0.2.10/24", "192.0.2.11/24", "192.0.2.12/24"]), unique=True)
        )
        fields = {
            "priority": draw(st.sampled_from([50, 100, 254])),
            "vrid": instance.vrid + draw(st.sampled_from([0, 0, 0, 100])),
            "vips": tuple(vip(text) for text in vips),
        }
        made.append(change(instance, **fields))
    return config(*made)


@given(st.lists(configs(), min_size=2, max_size=5), st.integers(0, 5))
@settings(max_examples=150, deadline=None)
def test_any_way_leads_to_the_same_place(story: list[Any], wait: int) -> None:
    """After any sequence of reloads the addresses are those of the masters; reloading the last again writes nothing; and an
    address that both sides of a reload hold is not written at all (the segment checks that nothing is added or removed twice)."""
    segment = Segment()
    host = segment.add("a", A, story[0])
    for step in story[1:]:
        segment.run(wait * S)
        held = set(host.addresses)
        host.writes.clear()
        segment.reload(host, step)
        assert len(host.writes) == len(held ^ host.addresses)
    expected = {
        address_key(address)
        for instance in host.director.instances.values()
        if instance.state.role is Role.MASTER
        for address in instance.addresses
    }
    assert host.addresses == expected
    host.writes.clear()
    host.sent.clear()
    segment.reload(host, story[-1])
    assert host.writes == [] and host.sent == []
    segment.run(10 * S)
    assert set(host.roles().values()) <= {Role.MASTER}
    segment.stop(host)
    assert host.addresses == set()


def test_only_a_new_address_is_announced_and_once_more_after_the_delay() -> None:
    segment, host = running(TWO)
    began = segment.now
    new = change(TWO, vips=(*TWO.vips, vip("192.0.2.22/24")))
    segment.reload(host, config(new))
    assert host.announced == [(5, "192.0.2.22")]
    segment.run(2 * S)
    newer = change(new, vips=(*new.vips, vip("192.0.2.23/24")))
    segment.reload(host, config(newer))
    assert host.announced[1:] == [(5, "192.0.2.23")]
    segment.run(began + 5 * S - segment.now)
    assert host.announced[2:] == [(5, "192.0.2.22")]
    # What is gone by then is not announced.
    segment.reload(host, config(new))
    segment.run(10 * S)
    assert host.announced[3:] == []


def test_an_address_that_moves_is_not_announced() -> None:
    segment, host = running(ONE, TWO)
    moved = (change(ONE, vips=(*ONE.vips, TWO.vips[0])), change(TWO, vips=TWO.vips[1:]))
    segment.reload(host, config(*moved))
    segment.run(10 * S)
    assert host.announced == [] and host.writes == []


def test_the_late_announcements_of_a_takeover_stay_where_they_are() -> None:
    segment = Segment()
    host = segment.add("a", A, config(TWO))
    segment.run(4 * S)
    state = host.director.instances["TWO"].state
    assert host.role("TWO") is Role.MASTER and state.garp_second_at is not None
    host.announced.clear()
    segment.reload(host, config(change(TWO, vips=(*TWO.vips, vip("192.0.2.22/24")))))
    assert host.director.instances["TWO"].state.garp_second_at == state.garp_second_at
    segment.run(state.garp_second_at - segment.now)
    assert host.announced == [(5, "192.0.2.22"), (5, "192.0.2.20"), (5, "192.0.2.21"), (5, "192.0.2.22")]


def test_refreshes_go_on_in_their_rhythm() -> None:
    garp = Garp(refresh_us=7 * S, refresh_repeat=2)
    segment = Segment()
    host = segment.add("a", A, config(change(ONE, garp=garp)))
    segment.run(20 * S)
    due = host.director.instances["ONE"].state.garp_refresh_at
    assert due is not None
    segment.reload(host, config(change(ONE, garp=garp, priority=140)))
    assert host.director.instances["ONE"].state.garp_refresh_at == due
    other = change(ONE, garp=change(garp, refresh_us=3 * S))
    segment.reload(host, config(other))
    assert host.director.instances["ONE"].state.garp_refresh_at == segment.now + 3 * S
    segment.reload(host, config(ONE))
    assert host.director.instances["ONE"].state.garp_refresh_at is None


def test_an_address_that_is_there_already_is_not_written() -> None:
    segment, host = running(ONE)
    host.addresses |= {key("192.0.2.11/24"), key("192.0.2.12/24")}
    more = change(ONE, vips=(*ONE.vips, vip("192.0.2.11/24")))
    segment.reload(host, config(more, static_addresses=(vip("192.0.2.12/24"),)))
    assert host.writes == [] and (5, "192.0.2.11") in host.announced
    segment.reload(host, config(ONE))
    assert sorted(host.writes) == ["ip.del_address"] * 2


def test_a_new_interval_comes_with_the_new_priority() -> None:
    segment, host = running(ONE)
    segment.reload(host, config(change(ONE, priority=99, advert_int_us=2 * S)))
    assert [priority for _, _, priority in host.sent] == [99]


def test_a_preempt_delay_that_runs_is_counted_from_its_begin() -> None:
    slow = change(ONE, preempt_delay_us=20 * S)
    segment = Segment()
    segment.add("b", B, config(change(ONE, priority=100)))
    segment.run(5 * S)
    host = segment.add("a", A, config(slow))
    segment.run(3 * S)
    due = host.director.instances["ONE"].state.preempt_at
    assert due is not None
    for fields, expected in (
        ({"priority": 140}, due),
        ({"preempt_delay_us": 10 * S}, due - 10 * S),
        ({"preempt_delay_us": 30 * S}, due + 10 * S),
    ):
        segment.reload(host, config(change(slow, **fields)))
        assert host.director.instances["ONE"].state.preempt_at == expected
    segment.reload(host, config(ONE))
    segment.run(5 * S)
    assert segment.masters("ONE") == ["a"]


def test_of_two_that_are_the_same_on_the_wire_the_name_says_who_goes_on() -> None:
    """The second never ran, since its VRID was taken; the first must not end in its place."""
    segment = Segment()
    host = segment.add("a", A, config(ONE, change(TWO, vrid=51)))
    segment.run(10 * S)
    host.sent.clear()
    host.writes.clear()
    plan = segment.reload(host, config(ONE))
    assert (plan.kept, plan.stopped) == ({"ONE": "ONE"}, ["TWO"])
    assert host.writes == [] and host.sent == [] and host.role("ONE") is Role.MASTER


def test_who_comes_together_as_a_group_is_master_together() -> None:
    segment = Segment()
    segment.add("b", B, config(change(TWO, priority=200), change(ONE, priority=100)))
    host = segment.add("a", A, config(ONE, TWO))
    segment.run(10 * S)
    assert host.roles() == {"ONE": Role.MASTER, "TWO": Role.BACKUP}
    group = SyncGroup(name="G", members=("ONE", "TWO"))
    together = config(change(ONE, sync_group="G"), change(TWO, sync_group="G"), groups=(group,))
    segment.reload(host, together)
    assert set(host.roles().values()) == {Role.BACKUP} and host.addresses == set()
    segment.run(10 * S)
    assert segment.masters("ONE") == segment.masters("TWO") == ["b"]


def test_a_new_member_does_not_pull_a_group_down() -> None:
    """It has heard nobody yet: it will be master with the others in its time."""
    segment = Segment()
    group = SyncGroup(name="G", members=("ONE",))
    host = segment.add("a", A, config(change(ONE, sync_group="G"), groups=(group,)))
    segment.run(10 * S)
    wider = SyncGroup(name="G", members=("ONE", "TWO"))
    both = config(change(ONE, sync_group="G"), change(TWO, sync_group="G"), groups=(wider,))
    host.sent.clear()
    segment.reload(host, both)
    assert host.role("ONE") is Role.MASTER and host.sent == []
    segment.run(10 * S)
    assert set(host.roles().values()) == {Role.MASTER}


def test_what_did_not_run_before_is_looked_at_again() -> None:
    too_many = change(ONE, vips=tuple(vip(f"10.0.{n // 250}.{n % 250 + 1}/32") for n in range(256)))
    segment = Segment()
    host = segment.add("a", A, config(too_many, TWO))
    segment.run(10 * S)
    assert host.roles() == {"ONE": Role.FAULT, "TWO": Role.MASTER}
    with pytest.raises(ValueError, match="255 at most"):
        plan_reload(host.config, config(too_many, TWO), host.director.broken)
    segment.reload(host, config(ONE, TWO))
    segment.run(10 * S)
    assert set(host.roles().values()) == {Role.MASTER}
