"""What a plan says of traffic: impacts, seconds and reasons, from the protocol's and the kernel's facts."""

from __future__ import annotations

from typing import Any

import pytest

from kir.diff import diff
from kir.model import (
    BfdCheck,
    BfdInstance,
    Config,
    Global,
    Ipvlan,
    Namespaces,
    Process,
    Route,
    SyncGroup,
    TrackedBfd,
    TrackedFile,
    TrackedScript,
    TrackFile,
    Vmac,
    VrrpScript,
)
from kir.plan.operations import Impact, Operation
from kir.plan.plan import Observed, plan
from kir.plan.timers import master_down_us, skew_us, start_us
from support.ir_samples import instance, real, vip, virtual

SECOND = 1_000_000


def one(old: dict[str, Any], new: dict[str, Any], **observed: Any) -> Operation:
    """The VRRP operation of the change of a single instance."""
    p = plan(
        Config(vrrp_instances=(instance(**old),)),
        Config(vrrp_instances=(instance(**new),)),
        Observed(**observed) if observed else None,
    )
    [found] = [o for o in p.operations if o.op.startswith("vrrp.")]
    return found


def test_timers_are_those_of_the_rfcs() -> None:
    v2 = instance(priority=100)
    assert skew_us(v2) == 156 * SECOND // 256  # RFC 3768: (256 - 100) / 256 s
    assert master_down_us(v2) == 3 * SECOND + 609_375
    v3 = instance(version=3, priority=100, advert_int_us=SECOND // 2)
    assert skew_us(v3) == 156 * (SECOND // 2) // 256  # RFC 9568: of the interval
    assert start_us(instance(initial_state="MASTER")) == SECOND + SECOND // 256
    assert start_us(instance(initial_state="MASTER", priority=255)) == 0


def test_a_restart_costs_the_master_down_interval() -> None:
    found = one({"priority": 100}, {"priority": 100, "vrid": 60})
    assert (found.op, found.impact) == ("vrrp.restart", Impact.FAILOVER)
    assert found.seconds == pytest.approx(3.609375)
    assert "VIP 203.0.113.10 unreachable up to 3.61 s" in found.reason


def test_a_stop_costs_the_skew_of_the_slowest_backup() -> None:
    p = plan(Config(vrrp_instances=(instance(),)), Config())
    [stop] = [o for o in p.operations if o.op == "vrrp.stop"]
    assert stop.seconds == pytest.approx(255 / 256)
    assert p.impact is Impact.OUTAGE  # nothing here names the address any more


def test_what_is_backup_here_costs_nothing_here() -> None:
    for after in ({"vrid": 60}, {"priority": 50}, {"accept": False}):
        assert one({}, after, masters=frozenset()).impact is Impact.HITLESS
    p = plan(Config(vrrp_instances=(instance(),)), Config(), Observed(masters=frozenset()))
    assert [(o.op, o.impact) for o in p.operations] == [("vrrp.stop", Impact.HITLESS)]


@pytest.mark.parametrize(
    ("old", "new", "impact", "words"),
    [
        ({"priority": 100}, {"priority": 150}, Impact.FAILOVER, "takes over from a master of priority 100 to 150"),
        ({"priority": 150}, {"priority": 100}, Impact.FAILOVER, "a backup of priority 100 to 150 takes over"),
        ({"priority": 100, "nopreempt": True}, {"priority": 150, "nopreempt": True}, Impact.HITLESS, "nopreempt"),
        ({"nopreempt": True}, {}, Impact.FAILOVER, "without nopreempt"),
        ({}, {"accept": False}, Impact.OUTAGE, "`accept` is off"),
        ({"priority": 255}, {"priority": 255, "accept": False}, Impact.HITLESS, "state and timers stay"),
        ({}, {"down_timer_adverts": 5}, Impact.HITLESS, "state and timers stay"),
        ({}, {"smtp_alert": True}, Impact.NONE, "stay"),
        ({}, {"advert_int_us": 2 * SECOND}, Impact.FAILOVER, "after 3.01 s to 4 s one of them is master too"),
        (
            {},
            {"track_scripts": (TrackedScript(name="chk", weight=20),)},
            Impact.FAILOVER,
            "priority 150 → 170 while all checks are well",
        ),
        ({}, {"track_scripts": (TrackedScript(name="chk", weight=-20),)}, Impact.HITLESS, "state and timers stay"),
        ({}, {"track_files": (TrackedFile(name="f", weight=1),)}, Impact.HITLESS, "state and timers stay"),
        (
            {},
            {"track_bfds": (TrackedBfd(name="b", weight=10, reverse=True),)},
            Impact.FAILOVER,
            "priority 150 → 140",
        ),
        ({}, {"vmac": Vmac(name="vrrp.51", mac="00:00:5e:00:01:33")}, Impact.FAILOVER, "another vmac"),
        ({}, {"ipvlan": Ipvlan(name="ipv.51")}, Impact.FAILOVER, "another ipvlan"),
    ],
)  # fmt: skip
def test_changes_of_an_instance(old: dict[str, Any], new: dict[str, Any], impact: Impact, words: str) -> None:
    found = one(old, new)
    assert found.impact is impact
    assert words in found.reason


def test_who_is_master_already_cannot_take_over() -> None:
    assert one({"priority": 100}, {"priority": 150}, masters={"VI_1"}).impact is Impact.HITLESS
    assert one({"priority": 150}, {"priority": 100}, masters={"VI_1"}).impact is Impact.FAILOVER


def test_a_sync_group_goes_with_its_member() -> None:
    def config(vrid: int) -> Config:
        return Config(
            vrrp_instances=(
                instance("A", sync_group="G", vrid=vrid, priority=200),
                instance("B", sync_group="G", vrid=52, priority=100, vips=(vip("203.0.113.20"),)),
            ),
            vrrp_sync_groups=(SyncGroup(name="G", members=("A", "B")),),
        )

    [restart] = [o for o in plan(config(51), config(60)).operations if o.op == "vrrp.restart"]
    assert "sync group G with it (B)" in restart.reason
    assert "203.0.113.20" in restart.reason
    assert restart.seconds == pytest.approx(3.609375)  # B waits longer than A


def test_a_weight_of_the_group_moves_its_members() -> None:
    def config(weight: int) -> Config:
        return Config(
            vrrp_scripts=(VrrpScript(name="chk", argv=("/bin/true",)),),
            vrrp_instances=(instance("A", sync_group="G"),),
            vrrp_sync_groups=(
                SyncGroup(
                    name="G", members=("A",), track_scripts=(TrackedScript(name="chk", weight=weight),)
                ),
            ),
        )

    [update] = plan(config(10), config(30)).operations
    assert (update.op, update.impact) == ("vrrp.update", Impact.FAILOVER)
    assert "160 → 180" in update.reason


def test_a_renamed_group_changes_nothing_and_another_one_leads() -> None:
    def config(group: str) -> Config:
        return Config(
            vrrp_instances=(
                instance("A", sync_group=group),
                instance("B", vrid=52, vips=(), sync_group="H"),
            ),
            vrrp_sync_groups=tuple(
                SyncGroup(
                    name=n, members=tuple(m for m in ("A", "B") if (m == "A") == (n == group) or group == "H")
                )
                for n in dict.fromkeys((group, "H"))
            ),
        )

    [update] = plan(config("G"), config("F")).operations
    assert (update.op, update.impact) == ("vrrp.update", Impact.HITLESS)
    joins = [o for o in plan(config("G"), config("H")).operations if o.target == "A"]
    assert [o.impact for o in joins] == [Impact.FAILOVER]
    assert "follows the state of sync group H" in joins[0].reason


def test_swapped_vrids_keep_both_routers() -> None:
    """Peers know no names: whoever has VRID 51 goes on as it."""
    a, b = vip("192.0.2.1"), vip("192.0.2.2")
    old = Config(vrrp_instances=(instance("A", vrid=51, vips=(a,)), instance("B", vrid=52, vips=(b,))))
    new = Config(vrrp_instances=(instance("A", vrid=52, vips=(a,)), instance("B", vrid=51, vips=(b,))))
    p = plan(old, new)
    assert sorted(o.op for o in p.operations) == ["vrrp.update", "vrrp.update"]


def test_an_address_of_an_instance_that_starts_anew_fails_over() -> None:
    old, new = (Config(vrrp_instances=(instance(vrid=v),)) for v in (51, 60))
    p = plan(old, new, Observed(masters={"VI_1"}))
    [gone] = [o for o in p.operations if o.op == "ip.del_address"]
    assert gone.impact is Impact.FAILOVER


def test_a_renamed_master_stays_master() -> None:
    p = plan(
        Config(vrrp_instances=(instance("A"),)),
        Config(vrrp_instances=(instance("B"),)),
        Observed(masters={"A"}),
    )
    assert [o.op for o in p.operations] == ["vrrp.update"]


def test_a_route_that_the_kernel_drops_with_an_address_comes_back() -> None:
    def config(label: str | None, **more: Any) -> Config:
        route = Route(family="inet", destination="10.9.0.0/16", device="eth0", source="203.0.113.10", **more)
        return Config(vrrp_instances=(instance(vips=(vip(label=label),), routes=(route,)),))

    def kernel(p: Any) -> list[str]:
        return [o.op for o in p.operations if o.op.startswith("ip.")]

    assert kernel(plan(config(None), config("eth0:1"))) == [
        "ip.del_address",
        "ip.add_address",
        "ip.add_route",
    ]
    assert kernel(plan(config(None), config(None, priority=5)))[0] == "ip.add_route"
    without = Config(vrrp_instances=(instance(vips=(vip(label="eth0:1"),)),))
    assert kernel(plan(config(None), without)) == ["ip.del_address", "ip.add_address"]


def test_secondary_addresses_are_warned_of() -> None:
    two = Config(vrrp_instances=(instance(vips=(vip(), vip("203.0.113.11"))),))
    [gone] = [
        o for o in plan(two, Config(vrrp_instances=(instance(),))).operations if o.op == "ip.del_address"
    ]
    assert "promote_secondaries" in gone.reason


def test_an_address_that_goes_under_a_draining_service_is_told() -> None:
    old = Config(vrrp_instances=(instance(vips=(vip("10.0.0.1"), vip())),), virtual_servers=(virtual(),))
    new = Config(vrrp_instances=(instance(),))
    for drain, told in ((0, False), (60 * SECOND, True)):
        [gone] = [o for o in plan(old, new, drain_us=drain).operations if o.op == "ip.del_address"]
        assert ("tcp 10.0.0.1:80 cannot drain" in gone.reason) == told


def test_interfaces_come_first_and_go_last() -> None:
    mac = "00:00:5e:00:01:33"
    with_link = Config(vrrp_instances=(instance(vmac=Vmac(name="vrrp.51", mac=mac)),))
    assert plan(Config(), with_link).operations[0].op == "link.add"
    assert plan(with_link, Config()).operations[-1].op == "link.del"
    grouped = Config(vrrp_instances=(instance(vmac=Vmac(name="vrrp.51", mac=mac, group=7)),))
    assert "link.edit" in [o.op for o in plan(with_link, grouped).operations]


def test_what_follows_a_bfd_session_that_starts_anew() -> None:
    def config(neighbor: str, tracked: bool, checked: bool) -> Config:
        return Config(
            bfd_instances=(BfdInstance(name="b", neighbor=neighbor, family="inet"),),
            vrrp_instances=(instance(track_bfds=(TrackedBfd(name="b"),) if tracked else ()),),
            virtual_servers=(virtual(real(checkers=(BfdCheck(bfd="b"),) if checked else ())),),
        )

    for tracked, checked, impact in (
        (True, True, Impact.FAILOVER),
        (False, True, Impact.DEGRADED),
        (False, False, Impact.HITLESS),
    ):
        [found] = plan(
            config("192.0.2.7", tracked, checked), config("192.0.2.8", tracked, checked)
        ).operations
        assert (found.op, found.impact) == ("bfd.restart", impact)


def test_settings_of_the_director() -> None:
    [free] = plan(Config(), Config(global_defs=Global(router_id="x"))).operations
    assert (free.op, free.impact) == ("daemon.update", Impact.NONE)
    moved = Config(global_defs=Global(namespaces=Namespaces(network="blue")))
    [fixed] = plan(Config(), moved).operations
    assert (fixed.op, fixed.impact) == ("daemon.restart", Impact.FAILOVER)
    assert fixed.detail() == {"fields": ["namespaces.network"]}
    assert "net_namespace cannot change" in fixed.reason


def test_what_a_setting_of_a_process_does_at_a_reload() -> None:
    def order(**settings: object) -> dict[str, object]:
        [found] = plan(Config(), Config(global_defs=Global(**settings))).operations  # type: ignore[arg-type]
        assert (found.op, found.impact) == ("daemon.update", Impact.NONE)
        return {**found.detail(), "reason": found.reason}

    assert order(vrrp_rt_priority=50)["replaces"] == order(vrrp_rt_priority=50)["later"] == []
    locked = order(vrrp_process=Process(no_swap=True))
    assert (locked["fields"], locked["replaces"]) == (["vrrp_process.no_swap"], ["vrrp"])
    assert "the vrrp process is replaced by its successor" in str(locked["reason"])
    [freed] = plan(Config(global_defs=Global(vrrp_process=Process(no_swap=True))), Config()).operations
    assert freed.detail()["replaces"] == []
    seeded = order(random_seed=7)
    assert seeded["later"] == ["random_seed"]
    assert "random_seed counts at the next start of a process" in str(seeded["reason"])


# --- renames


def test_a_renamed_script_is_one_change_though_others_name_it() -> None:
    def config(name: str) -> Config:
        return Config(
            vrrp_scripts=(VrrpScript(name=name, argv=("/bin/true",)),),
            vrrp_instances=(instance(track_scripts=(TrackedScript(name=name),)),),
        )

    assert [(c.action, c.path, c.old) for c in diff(config("a"), config("b"))] == [
        ("rename", ("vrrp_script", "b"), "a")
    ]


def test_renames_of_everything_that_has_a_name() -> None:
    def config(n: str) -> Config:
        return Config(
            vrrp_scripts=(VrrpScript(name=f"s{n}", argv=("/bin/true",)),),
            track_files=(TrackFile(name=f"f{n}", path="/run/x"),),
            bfd_instances=(BfdInstance(name=f"b{n}", neighbor="192.0.2.7", family="inet"),),
            vrrp_instances=(
                instance(
                    f"i{n}",
                    sync_group=f"g{n}",
                    track_scripts=(TrackedScript(name=f"s{n}"),),
                    track_files=(TrackedFile(name=f"f{n}"),),
                    track_bfds=(TrackedBfd(name=f"b{n}"),),
                ),
            ),
            vrrp_sync_groups=(SyncGroup(name=f"g{n}", members=(f"i{n}",)),),
            virtual_servers=(virtual(real(checkers=(BfdCheck(bfd=f"b{n}"),))),),
        )

    changes = diff(config("1"), config("2"))
    assert {c.action for c in changes} == {"rename"}
    assert {c.path[0] for c in changes} == {
        "vrrp_script",
        "track_file",
        "bfd_instance",
        "vrrp_instance",
        "vrrp_sync_group",
    }


def test_a_swap_of_names_is_told_as_it_is() -> None:
    a, b = BfdInstance(name="a", neighbor="192.0.2.7", family="inet"), BfdInstance(name="b", neighbor="192.0.2.8", family="inet")  # fmt: skip
    old = Config(bfd_instances=(a, b))
    new = Config(
        bfd_instances=(
            BfdInstance(name="a", neighbor="192.0.2.8", family="inet"),
            BfdInstance(name="b", neighbor="192.0.2.7", family="inet"),
        )
    )
    assert {c.action for c in diff(old, new)} == {"change"}
