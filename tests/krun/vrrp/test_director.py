"""Whole directors on a virtual segment: elections, groups, tracking, adoption, promises."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kir.model import Authentication, Garp, Peer, Secret, SyncGroup, TrackedScript, VrrpScript
from kir.state import AddressKey, address_key
from krun.vrrp.drift import FLAPS
from krun.vrrp.machine import Role
from krun.vrrp.packet import Packet, build
from krun.vrrp.promises import Inheritance, inherit

from .make import config, router, vip
from .segment import S, Segment

A, B, C = "192.0.2.1", "192.0.2.2", "192.0.2.3"
VIP = address_key(vip("192.0.2.10/24"))
DOWN = 3_609_375


def pair(**fields: Any) -> tuple[Segment, Any, Any]:
    segment = Segment()
    a = segment.add("a", A, config(router(**{"priority": 150, **fields})))
    b = segment.add("b", B, config(router(**fields)))
    return segment, a, b


def test_the_better_one_becomes_master_and_alone_has_the_vip() -> None:
    segment, a, b = pair()
    segment.run(5 * S)
    assert (a.role(), b.role()) == (Role.MASTER, Role.BACKUP)
    assert (a.addresses, b.addresses) == ({VIP}, set())
    assert a.told == [("VI_1", "BACKUP"), ("VI_1", "MASTER")]
    assert a.announced == [(5, "192.0.2.10")]
    assert b.director.instances["VI_1"].state.master == A


def test_takeover_after_a_sudden_death_and_give_back() -> None:
    segment, a, b = pair()
    segment.run(10 * S)
    last = max(at for at, _, _ in a.sent)
    segment.kill(a)
    segment.run(5 * S)
    first = min(at for at, _, _ in b.sent)
    assert last + DOWN <= first <= last + DOWN + 1000
    back = segment.add("a", A, a.config, leftover={VIP})
    assert back.addresses == set()  # what the dead one left is taken away first
    segment.run(5 * S)
    assert segment.masters() == ["a"] and back.addresses == {VIP} and b.addresses == set()


def test_an_orderly_stop_hands_over_in_the_skew_time() -> None:
    segment, a, b = pair()
    segment.run(10 * S)
    segment.stop(a)
    assert a.sent[-1][2] == 0 and a.addresses == set() and a.told[-1] == ("VI_1", "STOP")
    stopped = segment.now
    segment.run(2 * S)
    assert segment.masters() == ["b"]
    assert min(at for at, _, _ in b.sent) - stopped == pytest.approx(609_375, abs=1000)


@pytest.mark.parametrize(
    "fields",
    [
        {"version": 3, "advert_int_us": 300_000},
        {"version": 3, "v3_checksum_as_v2": True},
        {"authentication": Authentication(type="PASS", password=Secret(secret="abc"))},
        {"group": "239.0.0.7"},
    ],
)
def test_pairs_of_every_kind_agree(fields: dict[str, Any]) -> None:
    segment, _, b = pair(**fields)
    segment.run(10 * S)
    assert segment.masters() == ["a"]
    assert b.director.instances["VI_1"].counters.advert_rcvd > 3


def test_unicast() -> None:
    segment = Segment()
    fields: dict[str, Any] = {"version": 3, "unicast": True}
    a = segment.add(
        "a", A, config(router(priority=150, source=A, peers=(Peer(address=B), Peer(address=C)), **fields))
    )
    segment.add("b", B, config(router(source=B, peers=(Peer(address=A), Peer(address=C)), **fields)))
    c = segment.add(
        "c", C, config(router(source=C, priority=90, peers=(Peer(address=A), Peer(address=B)), **fields))
    )
    segment.run(10 * S)
    assert segment.masters() == ["a"]
    segment.kill(a)
    segment.run(5 * S)
    assert segment.masters() == ["b"]
    assert c.director.instances["VI_1"].state.master == B


def test_equal_priority_the_higher_address_wins() -> None:
    segment = Segment()
    for name, source in (("a", A), ("b", B), ("c", C)):
        segment.add(name, source, config(router()))
    segment.run(10 * S)
    assert segment.masters() == ["c"]


# -- bad packets change nothing but counters


@pytest.mark.parametrize(
    ("change", "counter"),
    [
        ({"ttl": 254}, "ip_ttl_err"),
        ({"pdu": b"\x21\x33\xff"}, "packet_len_err"),
        ({"flip": 6}, "checksum_err"),
        ({"priority": 255, "auth_type": 1}, "authtype_mismatch"),
        ({"vrid": 77}, None),
        ({"version": 3, "auth_data": b"", "interval": 100}, "version_err"),
    ],
)
def test_bad_packets_are_counted_and_nothing_else(change: dict[str, Any], counter: str | None) -> None:
    segment, _, b = pair()
    segment.run(10 * S)
    instance = b.director.instances["VI_1"]
    fields: dict[str, Any] = {
        "version": 2, "vrid": 51, "priority": 255, "interval": 1, "addresses": (b"\xc0\x00\x02\x0a",), "auth_data": bytes(8),
    }  # fmt: skip
    rest = dict(change)
    ttl, flip, pdu = rest.pop("ttl", 255), rest.pop("flip", None), rest.pop("pdu", None)
    pdu = pdu or build(Packet(**{**fields, **rest}), "inet", None)
    if flip is not None:
        pdu = pdu[:flip] + bytes([pdu[flip] ^ 1]) + pdu[flip + 1 :]
    before, state = instance.counters.as_dict(), instance.state
    (at,) = b.director.endpoints()
    said: list[str] = []
    for _ in range(100):
        for effect in b.director.receive(at, pdu, "192.0.2.66", "224.0.0.18", ttl, segment.now):
            said.append(type(effect).__name__)
    assert instance.state is state
    changed = {k: v - before[k] for k, v in instance.counters.as_dict().items() if v != before[k]}
    if counter is None:
        assert changed == {} and b.director.intake.unknown.total() == 100 and said == []
    else:
        assert changed == {counter: 100}
        assert said == ["Say"]  # a flood is one line


@given(st.binary(max_size=60), st.integers(0, 255))
@settings(max_examples=50)
def test_noise_is_survived(pdu: bytes, ttl: int) -> None:
    segment, _, b = pair()
    segment.run(5 * S)
    (at,) = b.director.endpoints()
    for destination in ("224.0.0.18", B, "not an address"):
        b.director.receive(at, pdu, "192.0.2.66", destination, ttl, segment.now)
    segment.run(5 * S)
    assert segment.masters() == ["a"]


def test_unknown_vrids_are_bounded() -> None:
    segment, a, _ = pair()
    (at,) = a.director.endpoints()
    for vrid in range(256):
        for source in range(20):
            a.director.receive(at, bytes([0x21, vrid, source]) + bytes(17), B, "224.0.0.18", 255, segment.now)
    assert len(a.director.intake.unknown) <= 1025


# -- tracking, groups


CHK = VrrpScript(name="chk", argv=("/bin/true",), rise=1, fall=1)


def test_a_failing_script_moves_the_vip() -> None:
    segment = Segment()
    tracked = router(priority=150, track_scripts=(TrackedScript(name="chk", weight=-60),))
    a = segment.add("a", A, config(tracked, scripts=(CHK,)))
    segment.add("b", B, config(router()))
    segment.run(5 * S)
    segment.carry_out(a, a.director.script_ended("chk", True, segment.now))
    segment.run(5 * S)
    assert segment.masters() == ["a"]
    segment.carry_out(a, a.director.script_ended("chk", False, segment.now))
    segment.run(5 * S)
    assert segment.masters() == ["b"]
    segment.carry_out(a, a.director.script_ended("chk", True, segment.now))
    segment.run(5 * S)
    assert segment.masters() == ["a"]


def test_a_link_that_falls_and_comes_back() -> None:
    segment, a, _ = pair(nopreempt=True)
    segment.run(5 * S)
    segment.carry_out(a, a.director.link("eth0", False, segment.now))
    assert a.role() is Role.FAULT and a.addresses == set() and a.told[-1] == ("VI_1", "FAULT")
    segment.run(5 * S)
    assert segment.masters() == ["b"]
    segment.carry_out(a, a.director.link("eth0", True, segment.now))
    segment.run(10 * S)
    assert segment.masters() == ["b"] and a.role() is Role.BACKUP  # nopreempt


def test_a_link_that_flaps_within_its_delay_does_not_matter() -> None:
    segment, a, _ = pair(interface_down_delay_us=2 * S)
    segment.run(5 * S)
    for _ in range(5):
        segment.carry_out(a, a.director.link("eth0", False, segment.now))
        segment.run(S)
        segment.carry_out(a, a.director.link("eth0", True, segment.now))
        segment.run(S)
    assert segment.masters() == ["a"] and ("VI_1", "FAULT") not in a.told
    segment.carry_out(a, a.director.link("eth0", False, segment.now))
    segment.run(3 * S)
    assert a.role() is Role.FAULT


def test_no_source_address_is_a_fault_with_a_last_word() -> None:
    segment, a, _ = pair()
    segment.run(5 * S)
    segment.carry_out(a, a.director.source("VI_1", None, segment.now))
    assert a.role() is Role.FAULT and a.sent[-1][2] == 0
    segment.carry_out(a, a.director.source("VI_1", A, segment.now))
    segment.run(5 * S)
    assert segment.masters() == ["a"]


def test_who_cannot_hear_is_not_master() -> None:
    segment, a, _ = pair()
    (at,) = a.director.endpoints()
    segment.carry_out(
        a, a.director.socket(at, "cannot open the VRRP socket: Operation not permitted", segment.now)
    )
    segment.run(5 * S)
    assert a.role() is Role.FAULT and segment.masters() == ["b"]
    segment.carry_out(a, a.director.socket(at, None, segment.now))
    segment.run(5 * S)
    assert segment.masters() == ["a"]


def grouped(**fields: Any) -> tuple[Segment, Any, Any]:
    segment = Segment()
    group = (SyncGroup(name="G", members=("VI_1", "VI_2")),)
    hosts = []
    for name, source, priority in (("a", A, 150), ("b", B, 100)):
        one = router("VI_1", priority=priority, sync_group="G", **fields)
        two = router(
            "VI_2",
            priority=priority,
            vrid=52,
            interface="eth1",
            sync_group="G",
            vips=("198.51.100.10/24",),
            **fields,
        )
        hosts.append(segment.add(name, source, config(one, two, groups=group)))
    return segment, hosts[0], hosts[1]


def test_a_group_moves_as_one() -> None:
    segment, a, b = grouped()
    segment.run(10 * S)
    assert set(a.roles().values()) == {Role.MASTER} and set(b.roles().values()) == {Role.BACKUP}
    assert ("G", "MASTER") in a.told and a.told.count(("G", "MASTER")) == 1
    segment.carry_out(a, a.director.link("eth1", False, segment.now))
    assert set(a.roles().values()) == {Role.FAULT}
    assert a.told[-1] == ("G", "FAULT")
    assert [priority for _, _, priority in a.sent[-2:]] == [0, 0]
    segment.run(5 * S)
    assert set(b.roles().values()) == {Role.MASTER}
    segment.carry_out(a, a.director.link("eth1", True, segment.now))
    segment.run(10 * S)
    assert set(a.roles().values()) == {Role.MASTER} and set(b.roles().values()) == {Role.BACKUP}


def test_a_member_that_must_yield_takes_its_group_along() -> None:
    segment, a, _ = grouped()
    segment.run(10 * S)
    best = segment.add("c", C, config(router("VI_1", priority=200)))
    segment.run(2 * S)
    told = len(a.told)
    segment.run(5 * S)
    assert best.role() is Role.MASTER
    assert set(a.roles().values()) == {Role.BACKUP}
    assert a.director.groups["G"].role is Role.BACKUP
    assert a.told[told:] == [("VI_1", "BACKUP"), ("VI_2", "BACKUP"), ("G", "BACKUP")]
    assert a.sent[-1][2] != 0  # no farewell: the one that is better speaks for itself
    segment.run(10 * S)
    # VI_2's timer runs out again and again, but VI_1 hears a better one: neither becomes master alone.
    assert set(a.roles().values()) == {Role.BACKUP}


def test_a_group_never_stands_half() -> None:
    segment, a, b = grouped()
    halves: list[int] = []

    def watch() -> None:
        for host in (a, b):
            if len(set(host.roles().values())) > 1:
                halves.append(segment.now)

    segment.run(10 * S, watch)
    segment.kill(a)
    segment.run(10 * S, watch)
    # Inside one start the members' states follow one another; never at two different times.
    assert len(set(halves)) == 0, halves


# -- addresses


def test_addresses_removed_by_others_are_put_back_until_it_is_hopeless() -> None:
    segment, a, _ = pair(preempt_delay_us=0)
    segment.run(5 * S)
    for n in range(FLAPS):
        a.addresses.discard(VIP)
        segment.carry_out(a, a.director.address_gone(VIP, segment.now))
        assert a.addresses == {VIP}, n
        assert a.role() is Role.MASTER
    a.addresses.discard(VIP)
    segment.carry_out(a, a.director.address_gone(VIP, segment.now))
    assert a.role() is Role.BACKUP and a.sent[-1][2] == 0 and a.addresses == set()
    assert a.director.instances["VI_1"].counters.vips_lost == FLAPS + 1
    segment.run(5 * S)
    assert len(segment.masters()) == 1


def test_an_untracked_address_is_not_put_back() -> None:
    segment = Segment()
    one = router(excluded_vips=(vip("192.0.2.11/32", track=False),))
    a = segment.add("a", A, config(one))
    segment.run(5 * S)
    key = address_key(one.excluded_vips[0])
    a.addresses.remove(key)
    segment.carry_out(a, a.director.address_gone(key, segment.now))
    assert key not in a.addresses and a.role() is Role.MASTER


def test_start_touches_no_foreign_address() -> None:
    segment = Segment()
    foreign = AddressKey("eth0", "192.0.2.1", 24)
    a = segment.add("a", A, config(router()), leftover={foreign, VIP})
    assert a.addresses == {foreign}
    assert a.writes == ["ip.del_address"]


# -- promises


def test_a_successor_in_time_goes_on_unseen() -> None:
    segment, a, b = pair()
    segment.run(10 * S)
    segment.kill(a)
    died = segment.now
    segment.run(S)
    heritage = inherit(a.config.vrrp_instances, a.promises, died, segment.now)
    assert set(heritage.masters) == {"VI_1"}
    a2 = segment.add("a", A, a.config, heritage, leftover=set(a.addresses))
    assert a2.role() is Role.MASTER and a2.sent[0][2] == 150 and a2.writes == [] and a2.told == []
    segment.run(10 * S)
    assert segment.masters() == ["a"] and b.told == [("VI_1", "BACKUP")]
    assert a2.announced == [(1, "192.0.2.10")]


def test_a_late_or_changed_successor_is_backup() -> None:
    segment, a, _ = pair()
    segment.run(10 * S)
    configs, now = a.config.vrrp_instances, segment.now
    assert inherit(configs, a.promises, now - 3_003_000, now).masters
    assert not inherit(configs, a.promises, now - 3_004_000, now).masters
    assert not inherit(configs, a.promises, now + 1, now).masters
    assert not inherit((router(priority=150, vrid=52),), a.promises, now, now).masters
    assert not inherit(configs, {"VI_1": b"nonsense"}, now, now).masters
    assert not inherit(configs, {}, now, now).masters


def test_a_role_counts_by_the_last_advert_of_its_own_instance() -> None:
    """Whose loop was alive all along, but whose adverts did not go out, has been succeeded by now."""
    segment, a, _ = grouped()
    segment.run(10 * S)
    configs, now = a.config.vrrp_instances, segment.now
    fresh, stale = now - 3_003_000, now - 3_004_000
    both = inherit(configs, a.promises, now, now, {"VI_1": fresh, "VI_2": fresh})
    assert set(both.masters) == {"VI_1", "VI_2"} and not both.void
    for last, words in ((stale, "3.004 s ago"), (0, "never went out")):
        one = inherit(configs, a.promises, now, now, {"VI_1": fresh, "VI_2": last})
        assert set(one.masters) == {"VI_1"} and one.others == {"VI_2"}
        assert len(one.void) == 1 and words in one.void[0]
    again = segment.add("a", A, a.config, one, leftover=set(a.addresses))
    assert set(again.roles().values()) == {Role.BACKUP}, "half a group does not go on"


def test_a_stop_withdraws_the_promise() -> None:
    segment, a, _ = pair()
    segment.run(10 * S)
    segment.stop(a)
    assert a.promises == {}


def test_half_a_group_does_not_go_on() -> None:
    segment, a, _ = grouped()
    segment.run(10 * S)
    half = Inheritance({"VI_1": segment.now}, {}, frozenset({"VI_2"}))
    again = segment.add("a", A, a.config, half, leftover=set(a.addresses))
    assert set(again.roles().values()) == {Role.BACKUP}


def test_a_group_goes_on_without_one_that_has_never_been_master() -> None:
    """A reload brought it into the group just before the end."""
    segment, a, _ = grouped()
    segment.run(10 * S)
    again = segment.add("a", A, a.config, Inheritance({"VI_1": segment.now}, {}), leftover=set(a.addresses))
    assert again.roles() == {"VI_1": Role.MASTER, "VI_2": Role.BACKUP}
    segment.run(10 * S)
    assert set(again.roles().values()) == {Role.MASTER}


def test_a_successor_knows_the_verdict_of_scripts() -> None:
    segment = Segment()
    tracked = router(track_scripts=(TrackedScript(name="chk"),))
    a = segment.add("a", A, config(tracked, scripts=(CHK,)))
    assert a.role() is Role.FAULT
    segment.carry_out(a, a.director.script_ended("chk", True, segment.now))
    segment.run(5 * S)
    assert a.role() is Role.MASTER
    heritage = inherit(a.config.vrrp_instances, a.promises, segment.now, segment.now)
    again = segment.add("a", A, a.config, heritage, leftover=set(a.addresses))
    assert again.role() is Role.MASTER


# -- many at once


def test_the_adverts_of_many_instances_are_spread() -> None:
    segment = Segment()
    quiet = Garp(repeat=0, delay_us=0)
    many = [router(f"VI_{n}", vrid=n, vips=(f"10.0.0.{n}/32",), garp=quiet) for n in range(1, 101)]
    a = segment.add("a", A, config(*many))
    segment.run(10 * S)
    assert len(segment.masters("VI_1")) == 1
    recent = sorted(at for at, _, _ in a.sent if at > segment.now - S)
    assert len(recent) == 100
    gaps = [second - first for first, second in pairwise(recent)]
    assert max(gaps) < 50_000
    # On slots that several share: a wake-up costs more than an advert.
    assert 20 < len(set(recent)) <= 51
    assert max(recent.count(at) for at in set(recent)) <= 10
    for name in ("VI_7", "VI_93"):
        times = [at for at, instance, _ in a.sent if instance == name][1:]
        assert {second - first for first, second in pairwise(times)} == {S}
