"""The state machine of one virtual router, row by row, with the rule that each row comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kir.model import Garp, VrrpInstance
from krun.vrrp import events as e
from krun.vrrp.machine import TRANSITIONS, Role, Settings, State, step
from krun.vrrp.packet import pack_address
from krun.vrrp.timers import master_down_us, skew_us

from .make import router

S = 1_000_000
US, LOW, HIGH = "192.0.2.5", "192.0.2.1", "192.0.2.9"
QUIET = Garp(repeat=0, delay_us=0, lower_prio_repeat=0)


@dataclass
class Router:
    """A machine with a clock that the test turns."""

    config: VrrpInstance
    grouped: bool = False
    now: int = 1000 * S
    phase: int = 0
    state: State = field(default_factory=State)
    actions: tuple[e.Action, ...] = ()

    def feed(self, event: e.Event) -> tuple[e.Action, ...]:
        settings = Settings(self.config, self.grouped, self.phase)
        self.state, self.actions = step(settings, self.state, event, self.now)
        return self.actions

    def start(self, **fields: Any) -> tuple[e.Action, ...]:
        base: dict[str, Any] = {"priority": self.config.priority, "source": US}
        return self.feed(e.Start(**{**base, **fields}))

    def expire(self) -> tuple[e.Action, ...]:
        assert self.state.wake is not None
        self.now = self.state.wake
        return self.feed(e.Tick())

    def hear(self, priority: int, source: str = HIGH, interval_us: int | None = None) -> tuple[e.Action, ...]:
        interval = self.config.advert_int_us if interval_us is None else interval_us
        return self.feed(e.AdvertReceived(priority, interval, source, pack_address(source)))

    @property
    def left(self) -> int | None:
        return None if self.state.deadline is None else self.state.deadline - self.now


def kinds(actions: tuple[e.Action, ...]) -> list[str]:
    """The actions by name, without log lines and counters."""
    return [type(a).__name__ for a in actions if not isinstance(a, e.Log | e.Count)]


def backup(**fields: Any) -> Router:
    made = Router(router(**fields))
    made.start()
    assert made.state.role is Role.BACKUP
    return made


def master(**fields: Any) -> Router:
    made = backup(**fields)
    made.expire()
    assert made.state.role is Role.MASTER
    return made


# -- timers: RFC 3768 section 6.1, RFC 9568 section 6.1


@pytest.mark.parametrize(
    ("version", "priority", "interval", "skew", "down"),
    [
        (2, 100, S, 609_375, 3_609_375),
        (2, 255, S, 3_906, 3_003_906),
        (2, 100, 5 * S, 609_375, 15_609_375),
        (3, 100, S, 609_375, 3_609_375),
        (3, 200, 300_000, 65_625, 965_625),
        (3, 254, 40_950_000, 319_921, 123_169_921),
    ],
)
def test_intervals(version: Any, priority: int, interval: int, skew: int, down: int) -> None:
    config = router(version=version, advert_int_us=interval)
    assert skew_us(version, priority, interval) == skew
    assert master_down_us(config, priority, interval) == down


def test_down_timer_adverts_replaces_the_three() -> None:
    assert master_down_us(router(down_timer_adverts=2), 100, S) == 2 * S + 609_375


@given(st.sampled_from([2, 3]), st.integers(1, 254), st.integers(10_000, 40_950_000))
def test_the_better_one_is_always_the_first(version: Any, priority: int, interval: int) -> None:
    config = router(version=version, advert_int_us=interval)
    better, worse = (master_down_us(config, p, interval) for p in (priority + 1, priority))
    assert 3 * interval < better < worse <= 3 * interval + (S if version == 2 else interval)


# -- start: RFC 9568 section 6.4.1


def test_starts_as_backup_and_takes_leftovers_away() -> None:
    one = Router(router())
    assert kinds(one.start()) == ["RemoveVips", "Notify"]
    assert one.left == 3_609_375


def test_state_master_waits_one_interval_only() -> None:
    one = Router(router(initial_state="MASTER"))
    one.start()
    assert (one.state.role, one.left) == (Role.BACKUP, S + 3_906)


def test_owner_is_master_at_once() -> None:
    one = Router(router(priority=255, initial_state="MASTER"))
    assert kinds(one.start(owner_at_once=True)) == []
    assert one.left == 0
    assert kinds(one.expire())[:2] == ["SendAdvert", "AddVips"]


def test_startup_delay_moves_all_timers() -> None:
    one = Router(router())
    one.start(not_before=one.now + 10 * S)
    assert one.left == 10 * S + 3_609_375
    one.hear(150)
    assert one.left == 10 * S + 3_609_375


def test_faulty_from_the_start() -> None:
    one = Router(router())
    assert kinds(one.start(faults=frozenset({"interface eth0 is down"}))) == ["RemoveVips", "Notify"]
    assert (one.state.role, one.state.wake) == (Role.FAULT, None)


def test_waits_in_silence_for_a_first_script_result() -> None:
    one = Router(router())
    assert kinds(one.start(pending=frozenset({"chk"}))) == ["RemoveVips"]
    assert one.state.role is Role.FAULT
    assert kinds(one.feed(e.FaultsChanged(frozenset()))) == ["Notify"]
    assert (one.state.role, one.left) == (Role.BACKUP, 3_609_375)


def test_a_successor_goes_on_as_master() -> None:
    one = Router(router())
    actions = one.start(resume_since=990 * S)
    assert kinds(actions) == ["SendAdvert", "AddVips", "Announce"]
    assert e.Announce(1) in actions
    assert (one.state.role, one.state.since, one.left) == (Role.MASTER, 990 * S, S)


def test_a_faulty_successor_does_not() -> None:
    one = Router(router())
    one.start(resume_since=990 * S, faults=frozenset({"x"}))
    assert one.state.role is Role.FAULT


# -- backup: RFC 9568 section 6.4.2


def test_becomes_master_in_this_order() -> None:
    one = backup()
    actions = one.expire()
    assert kinds(actions) == ["SendAdvert", "AddVips", "Announce", "Notify"]
    assert actions[0] == e.SendAdvert(100)
    assert e.Announce(5) in actions and e.Notify("MASTER") in actions and e.Count("become_master") in actions
    assert one.left == S
    assert one.state.garp_second_at == one.now + 5 * S


def test_an_early_tick_changes_nothing() -> None:
    one = backup()
    before = one.state
    one.now += S
    assert one.feed(e.Tick()) == () and one.state is before


@pytest.mark.parametrize("priority", [100, 101, 255])
def test_better_or_equal_restarts_the_timer(priority: int) -> None:
    one = backup()
    one.now += 2 * S
    assert kinds(one.hear(priority)) == []
    assert (one.left, one.state.master, one.state.master_priority) == (3_609_375, HIGH, priority)


def test_lower_does_not_restart_the_timer() -> None:
    one = backup()
    one.now += 2 * S
    one.hear(99)
    assert (one.left, one.state.master) == (1_609_375, None)


def test_lower_is_respected_with_nopreempt() -> None:
    one = backup(nopreempt=True)
    one.now += 2 * S
    one.hear(99)
    assert (one.left, one.state.master) == (3_609_375, HIGH)


def test_preempt_delay_runs_from_the_first_lower_advert() -> None:
    one = backup(preempt_delay_us=10 * S)
    one.hear(99)
    assert one.left == 3_609_375
    for _ in range(9):
        one.now += S
        one.hear(99)
        assert one.left == 3_609_375
    one.now += S
    one.hear(99)
    assert one.left == 2_609_375  # the delay is over: no longer restarted


def test_preempt_delay_is_cancelled_by_a_better_one() -> None:
    one = backup(preempt_delay_us=10 * S)
    one.hear(99)
    one.now += 9 * S
    one.hear(150)
    assert one.state.preempt_at is None
    one.now += 2 * S
    one.hear(99)
    assert one.left == 3_609_375


def test_priority_0_leaves_only_the_skew() -> None:
    one = backup()
    one.hear(150)
    one.hear(0)
    assert one.left == 609_375


def test_version_3_learns_the_interval() -> None:
    one = backup(version=3)
    one.hear(150, interval_us=300_000)
    assert (one.state.interval_us, one.left) == (300_000, 3 * 300_000 + 182_812)
    one.expire()
    assert (one.state.interval_us, one.left) == (S, S)  # a master keeps its own


def test_priority_change_moves_the_running_timer() -> None:
    one = backup()
    one.now += S
    one.feed(e.PriorityChanged(110))
    assert one.left == pytest.approx(2_609_375 - 10 * S // 256, abs=1)
    one.feed(e.PriorityChanged(100))
    assert one.left == pytest.approx(2_609_375, abs=1)


# -- master: RFC 9568 section 6.4.3


def test_advertises_on_a_grid_without_drift() -> None:
    one = master(garp=QUIET)
    first = one.state.deadline
    assert first is not None
    for n in range(1, 20):
        assert one.state.deadline is not None
        one.now = one.state.deadline + 700  # always a little late
        assert kinds(one.feed(e.Tick())) == ["SendAdvert"]
        assert one.state.deadline == first + n * S


def test_no_burst_after_a_short_sleep() -> None:
    one = master(garp=QUIET)
    one.now += 3 * S
    assert kinds(one.feed(e.Tick())) == ["SendAdvert"]
    assert one.left == S


@pytest.mark.parametrize(("version", "silent"), [(2, 3_003_906), (3, 3_003_906)])
def test_who_was_silent_for_too_long_listens_before_it_speaks(version: int, silent: int) -> None:
    """As long as the quickest peer's Master_Down_Interval (priority 255) after the last advert, to the microsecond."""
    one = master(version=version, garp=QUIET)
    spoke = one.now
    one.now = spoke + silent - 1
    assert one.feed(e.AdvertDue()) == (e.SendAdvert(100),)
    one.now += silent
    assert one.feed(e.AdvertDue()) == (), "what may come in the middle of something else has no consequences"
    assert one.state.role is Role.MASTER
    assert kinds(one.feed(e.Tick())) == ["DropAnnouncements", "RemoveVips", "Notify"]
    assert (one.state.role, one.left) == (Role.BACKUP, 3_609_375)
    one.expire()
    assert one.state.role is Role.MASTER, "nobody else was there"


def test_a_pause_is_judged_before_anything_is_said() -> None:
    one = master(garp=QUIET)
    one.now += 3_000_000
    assert one.feed(e.Slept(2_900_000)) == ()
    assert one.state.role is Role.MASTER
    one.now += 10_000
    said = one.feed(e.Slept(3_010_000))
    assert kinds(said) == ["DropAnnouncements", "RemoveVips", "Notify"] and one.state.role is Role.BACKUP
    assert one.feed(e.Slept(3_010_000)) == ()


def test_a_suspended_machine_was_silent_although_its_clock_stood_still() -> None:
    one = master(garp=QUIET)
    one.now += 100_000
    one.feed(e.Slept(2_800_000, unseen_us=2_800_000))
    assert one.state.role is Role.MASTER
    one.feed(e.Slept(2_910_000, unseen_us=2_910_000))
    assert one.state.role is Role.BACKUP


def test_an_owner_that_slept_listens_too_and_is_master_again() -> None:
    one = master(priority=255, initial_state="MASTER", garp=QUIET)
    one.now += 20 * S
    one.feed(e.Slept(20 * S))
    assert one.state.role is Role.BACKUP
    assert one.hear(200) and one.state.role is Role.BACKUP, "whoever took over is lower"
    one.expire()
    assert one.state.role is Role.MASTER


def test_nobody_to_make_room_for() -> None:
    """Unicast without a peer: nobody can have taken over."""
    one = master(unicast=True, peers=(), garp=QUIET)
    one.now += 20 * S
    assert one.feed(e.Slept(20 * S)) == () and one.state.role is Role.MASTER
    assert kinds(one.feed(e.Tick())) == ["SendAdvert"]


def test_a_backup_does_not_count_the_time_asleep() -> None:
    one = Router(router())
    one.start()
    one.hear(200)
    down = one.left
    one.now += 2 * S
    left = one.left
    one.now += 5 * S
    assert one.feed(e.Slept(5 * S)) == ()
    assert one.left == left, "what was left when it fell asleep"
    one.feed(e.Slept(60 * S, unseen_us=60 * S))
    assert one.left == left, "the clock did not count it"
    one.feed(e.Slept(60 * S))
    assert one.left == down, "never more than a whole interval"


def test_answering_counts_as_speaking() -> None:
    one = master(garp=QUIET)
    one.now += 900_000
    one.hear(0)
    one.now += 3_000_000
    assert one.feed(e.Slept(3 * S)) == () and one.state.role is Role.MASTER


def test_phase_shortens_the_first_interval_only() -> None:
    one = Router(router(garp=QUIET), phase=500)
    one.start()
    one.expire()
    assert 480_000 < one.left <= 500_000
    assert (one.now + one.left) % 20_000 == 0
    one.expire()
    assert one.left == S


def test_timer_expired_backup_steps_back_when_a_peer_must_be_master() -> None:
    one = master(nopreempt=True, timer_expired_backup=150)
    one.now += 3_420_000
    assert "RemoveVips" in kinds(one.feed(e.Tick()))
    assert one.state.role is Role.BACKUP


def test_priority_0_is_answered_at_once() -> None:
    one = master()
    one.now += 300_000
    assert one.hear(0) == (e.SendAdvert(100),)
    assert (one.state.role, one.left) == (Role.MASTER, S)


@pytest.mark.parametrize(("priority", "source"), [(101, LOW), (255, LOW), (100, HIGH)])
def test_gives_way_to_a_better_one(priority: int, source: str) -> None:
    one = master()
    assert kinds(one.hear(priority, source)) == ["DropAnnouncements", "RemoveVips", "Notify"]
    assert (one.state.role, one.left, one.state.master) == (Role.BACKUP, 3_609_375, source)
    assert one.state.garp_second_at is None


def test_may_say_a_last_word_to_a_better_one() -> None:
    one = master(higher_prio_send_advert=True)
    assert kinds(one.hear(150)) == ["SendAdvert", "DropAnnouncements", "RemoveVips", "Notify"]


@pytest.mark.parametrize(("priority", "source"), [(99, HIGH), (100, LOW)])
def test_asserts_itself_against_a_lower_one(priority: int, source: str) -> None:
    one = master()
    assert kinds(one.hear(priority, source)) == ["SendAdvert", "Announce", "LowerHeard", "Notify"]
    assert one.state.role is Role.MASTER
    assert one.state.garp_lower_at == one.now + 5 * S


def test_a_flood_of_lower_adverts_causes_one_burst_a_delay() -> None:
    one = master()
    bursts = 0
    for _ in range(100):
        one.now += 10_000
        bursts += kinds(one.hear(50)).count("Announce")
    assert bursts == 1


def test_lower_prio_no_advert() -> None:
    one = master(lower_prio_no_advert=True, garp=QUIET)
    assert kinds(one.hear(50)) == ["Notify"]


def test_own_address_and_priority_only_warns() -> None:
    one = master()
    assert kinds(one.hear(100, US)) == []
    assert one.state.role is Role.MASTER


def test_bursts_and_refreshes() -> None:
    garp = Garp(delay_us=5 * S, repeat=3, refresh_us=10 * S, refresh_repeat=2)
    one = backup(garp=garp)
    one.expire()
    begin = one.now
    seen = []
    while one.now < begin + 40 * S:
        seen += [((one.now - begin) // S, a.rounds) for a in one.expire() if isinstance(a, e.Announce)]
    assert seen == [(5, 3), (15, 2), (25, 2), (35, 2)]


def test_two_owners() -> None:
    one = Router(router(priority=255, initial_state="MASTER"))
    one.start(owner_at_once=True)
    one.expire()
    assert kinds(one.hear(255, LOW)) == ["SendAdvert", "SendAdvert"]
    one.now += S
    one.hear(255, LOW)
    while one.state.conflict_at is not None:
        one.expire()
    assert one.state.speaks == 254
    one.hear(255, LOW)
    assert (one.state.role, one.state.speaks) == (Role.BACKUP, 254)
    one.expire()
    assert (one.state.role, one.state.speaks) == (Role.MASTER, 255)


def test_the_owner_with_the_lower_address_gives_way() -> None:
    one = Router(router(priority=255, initial_state="MASTER"))
    one.start(owner_at_once=True)
    one.expire()
    one.hear(255, HIGH)
    assert one.state.role is Role.BACKUP


def test_a_master_keeps_its_role_when_its_priority_falls() -> None:
    one = master()
    one.feed(e.PriorityChanged(10))
    assert one.state.role is Role.MASTER
    assert one.expire()[0] == e.SendAdvert(10)


# -- keepalived's own: FAULT, groups, reload, lost addresses


def test_fault_says_priority_0_first() -> None:
    one = master()
    actions = one.feed(e.FaultsChanged(frozenset({"interface eth0 is down"})))
    assert kinds(actions) == ["SendAdvert", "DropAnnouncements", "RemoveVips", "Notify"]
    assert actions[0] == e.SendAdvert(0)
    assert one.hear(10) == () and one.state.wake is None


def test_every_fault_must_go_before_it_comes_back() -> None:
    one = master()
    one.feed(e.FaultsChanged(frozenset({"a", "b"})))
    assert one.feed(e.FaultsChanged(frozenset({"b"}))) == ()
    assert one.state.role is Role.FAULT
    assert kinds(one.feed(e.FaultsChanged(frozenset()))) == ["Notify"]
    assert (one.state.role, one.left) == (Role.BACKUP, 3_609_375)


def test_a_unicast_instance_tells_its_peers_where_it_is() -> None:
    one = backup(unicast=True, version=3)
    one.feed(e.FaultsChanged(frozenset({"a"})))
    assert kinds(one.feed(e.FaultsChanged(frozenset()))) == ["AnnounceSource", "Notify"]


def test_a_member_asks_its_group() -> None:
    one = Router(router(), grouped=True)
    one.start()
    assert kinds(one.expire()) == ["WantMaster"]
    assert one.state.wanted and one.state.role is Role.BACKUP and one.left == 3_609_375
    one.feed(e.GroupCommand("MASTER"))
    assert one.state.role is Role.MASTER
    one.feed(e.GroupCommand("BACKUP"))
    assert (one.state.role, one.left) == (Role.BACKUP, 3_609_375)


def test_a_member_that_hears_a_master_wants_no_more() -> None:
    one = Router(router(), grouped=True)
    one.start()
    one.expire()
    one.hear(150)
    assert not one.state.wanted


def test_lost_addresses() -> None:
    one = master()
    actions = one.feed(e.AddressesLost("192.0.2.10"))
    assert actions[0] == e.SendAdvert(0)
    assert (one.state.role, one.left) == (Role.BACKUP, 609_375)


@pytest.mark.parametrize(
    ("role", "deleted", "told", "expected"),
    [
        ("MASTER", False, False, ["SendAdvert", "DropAnnouncements", "RemoveVips", "Notify:STOP"]),
        ("MASTER", True, True, ["SendAdvert", "DropAnnouncements", "RemoveVips", "Notify:DELETED"]),
        ("MASTER", True, False, ["SendAdvert", "DropAnnouncements", "RemoveVips", "Notify:FAULT"]),
        ("BACKUP", False, False, ["Notify:STOP"]),
        ("FAULT", True, False, []),
    ],
)
def test_shutdown(role: str, deleted: bool, told: bool, expected: list[str]) -> None:
    one = master(notify_deleted=told) if role == "MASTER" else backup(notify_deleted=told)
    if role == "FAULT":
        one.feed(e.FaultsChanged(frozenset({"a"})))
    actions = one.feed(e.Shutdown(deleted=deleted))
    words = [
        f"Notify:{a.word}" if isinstance(a, e.Notify) else type(a).__name__
        for a in actions
        if not isinstance(a, e.Log | e.Count)
    ]
    assert words == expected
    assert one.state.role is Role.STOPPED and one.state.wake is None
    assert one.hear(10) == () and one.feed(e.Tick()) == ()


def reload(one: Router, **fields: Any) -> tuple[e.Action, ...]:
    old = one.config
    one.config = msgspec.structs.replace(old, **fields)
    return one.feed(e.ConfigChanged(old, fields.pop("vips_added", False)))


def test_reload_of_a_master_keeps_grid_and_role() -> None:
    one = master()
    before = one.state.deadline
    one.now += 300_000
    assert kinds(reload(one, nopreempt=True)) == ["AddVips"]
    assert (one.state.role, one.state.deadline) == (Role.MASTER, before)


def test_a_new_interval_is_told_at_once() -> None:
    one = master()
    one.now += 300_000
    assert kinds(reload(one, advert_int_us=5 * S)) == ["SendAdvert", "AddVips"]
    assert one.left == 5 * S


def test_reload_of_a_backup_moves_its_timer() -> None:
    one = backup()
    one.now += S
    reload(one, down_timer_adverts=5)
    assert one.left == 2_609_375 + 2 * S


# -- whatever happens

EVENTS = st.one_of(
    st.just(e.Tick()),
    st.builds(
        lambda p, i, s: e.AdvertReceived(p, i, s, pack_address(s)),
        st.sampled_from([0, 1, 99, 100, 101, 254, 255]),
        st.sampled_from([10_000, S, 40_950_000]),
        st.sampled_from([LOW, US, HIGH]),
    ),
    st.builds(e.PriorityChanged, st.integers(1, 254)),
    st.builds(e.FaultsChanged, st.frozensets(st.sampled_from("ab")), st.frozensets(st.just("p"))),
    st.builds(e.SourceChanged, st.sampled_from([None, US, HIGH])),
    st.builds(e.GroupCommand, st.sampled_from(["MASTER", "BACKUP"])),
    st.just(e.AnnounceAgain()),
    st.just(e.AddressesLost("192.0.2.10")),
    st.builds(e.Shutdown, st.booleans()),
)


@given(
    st.fixed_dictionaries(
        {
            "version": st.sampled_from([2, 3]),
            "priority": st.sampled_from([1, 100, 255]),
            "nopreempt": st.booleans(),
            "preempt_delay_us": st.sampled_from([0, 5 * S]),
            "timer_expired_backup": st.sampled_from([None, 150]),
        }
    ),
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 8 * S), EVENTS), max_size=40),
)
def test_whatever_happens(fields: dict[str, Any], grouped: bool, story: list[tuple[int, e.Event]]) -> None:
    """A timer is armed in BACKUP and MASTER and nowhere else; VIPs come and go with MASTER; every change of role is told once."""
    one = Router(router(**fields), grouped)
    one.start()
    has_vips = False
    for wait, event in story:
        one.now += wait
        before = one.state.role
        actions = one.feed(event)
        for action in actions:
            if isinstance(action, e.AddVips):
                has_vips = True
            elif isinstance(action, e.RemoveVips):
                has_vips = False
        role = one.state.role
        assert has_vips == (role is Role.MASTER)
        assert (one.state.deadline is not None) == (role in (Role.BACKUP, Role.MASTER))
        notices = [a for a in actions if isinstance(a, e.Notify) and a.word != "MASTER_RX_LOWER_PRI"]
        if role is not before and role is not Role.STOPPED:
            assert [n.word for n in notices] == [role.name]
        if one.state.wake is not None and isinstance(event, e.Tick):
            assert one.state.wake > one.now


def test_the_table_has_each_pair_once_and_handles_every_event() -> None:
    pairs = [(row.role, row.event) for row in TRANSITIONS]
    assert len(set(pairs)) == len(pairs)
    assert all(row.section for row in TRANSITIONS)
    assert {row.event for row in TRANSITIONS} == set(e.Event.__subclasses__())
