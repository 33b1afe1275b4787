"""Wire labels: what peers see, what makes adverts refuse each other, and the order of a rollout that follows."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from kir.diff import diff, refusals
from kir.model import (
    Authentication,
    BfdInstance,
    Config,
    Hmac,
    HmacKey,
    Peer,
    Secret,
    Vmac,
    VrrpInstance,
)
from kir.plan.rollout import Member, rollout
from support.ir_samples import instance, vip

SECOND = 1_000_000


def password(word: str, kind: str = "PASS") -> Authentication:
    return Authentication(type=kind, password=Secret(secret=word))  # type: ignore[arg-type]


def hmac(*keys: int, active: int = 1, mode: str = "enforce", word: str = "a") -> Hmac:
    return Hmac(
        keys=tuple(HmacKey(id=k, secret=Secret(secret=f"{word}{k}" * 16)) for k in keys),
        active_key=active,
        mode=mode,  # type: ignore[arg-type]
    )


def change(before: dict[str, Any], after: dict[str, Any]) -> tuple[VrrpInstance, VrrpInstance]:
    return instance(**before), instance(**after)


V3 = {"version": 3}
UNICAST = {
    "version": 3,
    "unicast": True,
    "group": None,
    "source": "192.0.2.1",
    "peers": (Peer(address="192.0.2.2"),),
}

CASES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("interval v2", {}, {"advert_int_us": 2 * SECOND}, "breaking"),
    ("interval v3", V3, {**V3, "advert_int_us": 2 * SECOND}, "compatible"),
    ("password", {"authentication": password("a")}, {"authentication": password("b")}, "breaking"),
    ("nine characters", {"authentication": password("12345678a")}, {"authentication": password("12345678b")}, "local"),
    ("AH", {"authentication": password("a")}, {"authentication": password("a", "AH")}, "breaking"),
    ("vips v2", {}, {"vips": (vip(), vip("203.0.113.11"))}, "breaking"),
    ("vips v3", V3, {**V3, "vips": (vip(), vip("203.0.113.11"))}, "compatible"),
    ("prefix", {}, {"vips": (vip(prefix=32),)}, "local"),
    ("device", {}, {"vips": (vip(device="eth1"),)}, "local"),
    ("excluded", {}, {"excluded_vips": (vip("203.0.113.11"),)}, "local"),
    ("order", {"vips": (vip(), vip("203.0.113.11"))}, {"vips": (vip("203.0.113.11"), vip())}, "local"),
    ("vrid", {}, {"vrid": 60}, "breaking"),
    ("version", {}, V3, "breaking"),
    ("group", {}, {"group": "224.0.0.99"}, "breaking"),
    ("unicast", V3, UNICAST, "breaking"),
    ("unicast source", UNICAST, {**UNICAST, "source": "192.0.2.9"}, "breaking"),
    ("source", {}, {"source": "192.0.2.9"}, "compatible"),
    ("peers", UNICAST, {**UNICAST, "peers": (Peer(address="192.0.2.3"),)}, "compatible"),
    ("ttl", UNICAST, {**UNICAST, "unicast_ttl": 5}, "compatible"),
    ("priority", {}, {"priority": 90}, "compatible"),
    ("vmac", {}, {"vmac": Vmac(name="vrrp.51", mac="00:00:5e:00:01:33")}, "compatible"),
    ("checksum", V3, {**V3, "v3_checksum_as_v2": True}, "breaking"),
    ("old checksum", {**UNICAST, "old_unicast_checksum": "never"}, {**UNICAST, "old_unicast_checksum": "always"}, "breaking"),
    ("old checksum auto", UNICAST, {**UNICAST, "old_unicast_checksum": "always"}, "compatible"),
    ("hmac", V3, {**V3, "hmac": hmac(1)}, "breaking"),
    ("hmac receive-only", V3, {**V3, "hmac": hmac(1, mode="receive-only")}, "compatible"),
    ("hmac sent", {**V3, "hmac": hmac(1, mode="receive-only")}, {**V3, "hmac": hmac(1, mode="permissive")}, "compatible"),
    ("hmac enforced", {**V3, "hmac": hmac(1, mode="permissive")}, {**V3, "hmac": hmac(1)}, "compatible"),
    ("hmac too fast", {**V3, "hmac": hmac(1, mode="receive-only")}, {**V3, "hmac": hmac(1)}, "breaking"),
    ("hmac key added", {**V3, "hmac": hmac(1)}, {**V3, "hmac": hmac(1, 2)}, "compatible"),
    ("hmac key turned", {**V3, "hmac": hmac(1, 2)}, {**V3, "hmac": hmac(1, 2, active=2)}, "compatible"),
    ("hmac key unknown", {**V3, "hmac": hmac(1)}, {**V3, "hmac": hmac(1, 2, active=2)}, "breaking"),
    ("hmac key in use removed", {**V3, "hmac": hmac(1, 2)}, {**V3, "hmac": hmac(2, active=2)}, "breaking"),
    ("hmac key replaced", {**V3, "hmac": hmac(1)}, {**V3, "hmac": hmac(1, word="b")}, "breaking"),
    ("nopreempt", {}, {"nopreempt": True}, "local"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "wire"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_labels(before: dict[str, Any], after: dict[str, Any], wire: str) -> None:
    old, new = change(before, after)
    changes = diff(Config(vrrp_instances=(old,)), Config(vrrp_instances=(new,)))
    assert changes
    worst = max((c.wire for c in changes), key=("local", "compatible", "breaking").index)
    assert worst == wire
    assert all(c.reason for c in changes if c.wire != "local")
    refused = bool(refusals(old, new)) or bool(refusals(new, old))
    assert refused <= (wire == "breaking")


def test_what_older_releases_do_is_said() -> None:
    old, new = change(V3, {**V3, "vips": (vip(), vip("203.0.113.11"))})
    [found] = diff(Config(vrrp_instances=(old,)), Config(vrrp_instances=(new,)))
    assert "2.2.7 to 2.3.0 drop" in found.reason
    assert not refusals(old, new)
    assert "vips" in refusals(old, new, strict_lists=True)


def test_the_ends_of_a_bfd_session_agree_on_timers_and_need_each_other() -> None:
    def config(**more: Any) -> Config:
        return Config(
            bfd_instances=(BfdInstance(**{"name": "b", "neighbor": "192.0.2.7", "family": "inet", **more}),)
        )

    [timers] = diff(config(), config(min_rx_us=50_000))
    assert timers.wire == "compatible"
    [moved] = diff(config(), config(source="192.0.2.1"))
    assert moved.wire == "breaking"


def test_a_new_instance_is_heard() -> None:
    [come] = diff(Config(), Config(vrrp_instances=(instance(),)))
    [gone] = diff(Config(vrrp_instances=(instance(),)), Config())
    assert (come.action, come.wire) == ("add", "compatible")
    assert (gone.action, gone.wire) == ("remove", "compatible")


# --- rollout


def pair(before: dict[str, Any], after: dict[str, Any]) -> dict[int, Member]:
    """A master (0) and a backup (1)."""
    old, new = change({**before, "priority": 150}, {**after, "priority": 150})
    low, then = change({**before, "priority": 100}, {**after, "priority": 100})
    return {0: Member(old, new), 1: Member(low, then)}


def test_a_compatible_change_goes_in_any_order_backups_first() -> None:
    found = rollout([pair({}, {"nopreempt": True})], (0, 1))
    assert (found.order, found.free, found.clashes) == ((1, 0), True, ())


def test_what_each_refuses_goes_together() -> None:
    found = rollout([pair({}, {"advert_int_us": 2 * SECOND})], (0, 1))
    assert found.order is None
    assert found.together_us == 3 * SECOND + 2 * SECOND // 256
    assert {(c.master, c.second, c.fields) for c in found.clashes} == {
        (0, 1, ("advert_int_us",)),
    }


def test_a_sender_that_old_receivers_refuse_goes_last() -> None:
    """Who takes both checksums can be there first: the backups, then the master that sends the new one."""
    found = rollout([pair(V3, {**V3, "v3_checksum_as_v2": True})], (0, 1))
    assert (found.order, found.free) == ((1, 0), False)


def test_a_receiver_that_refuses_old_senders_goes_last() -> None:
    """The other way round: the master sends what all take, then the backups stop taking the old one."""
    found = rollout([pair({**V3, "v3_checksum_as_v2": True}, V3)], (0, 1))
    assert (found.order, found.free) == ((0, 1), False)


def test_hmac_in_three_steps_has_an_order_and_in_one_has_none() -> None:
    at_once = rollout([pair(V3, {**V3, "hmac": hmac(1)})], (0, 1))
    assert at_once.order is None
    assert at_once.hints
    steps: list[dict[str, Any]] = [
        V3,
        *({**V3, "hmac": hmac(1, mode=m)} for m in ("receive-only", "permissive", "enforce")),
    ]
    for before, after in itertools.pairwise(steps):
        assert rollout([pair(before, after)], (0, 1)).order is not None


def test_two_routers_with_masters_on_different_directors() -> None:
    """Each director is master of one and backup of the other: a change that wants backups first has no order for both."""
    one = pair(V3, {**V3, "v3_checksum_as_v2": True})
    other = {1: one[0], 0: one[1]}
    assert rollout([one], (0, 1)).order == (1, 0)
    assert rollout([one, other], (0, 1)).order is None


def test_three_directors_in_turn() -> None:
    old, new = V3, {**V3, "v3_checksum_as_v2": True}
    router = {
        d: Member(instance(**{**old, "priority": p}), instance(**{**new, "priority": p}))
        for d, p in enumerate((150, 120, 100))
    }
    found = rollout([router], (0, 1, 2))
    assert found.order is not None
    assert found.order[-1] == 0


def test_what_does_not_fit_when_all_is_done_is_said() -> None:
    old = instance(priority=150)
    router = {
        0: Member(old, instance(priority=150, vrid=51, advert_int_us=2 * SECOND)),
        1: Member(instance(priority=100), instance(priority=100)),
    }
    found = rollout([router], (0,))
    assert [(c.master, c.second) for c in found.lasting] == [(0, 1)]


def test_old_releases_refuse_other_lists_in_version_3() -> None:
    router = pair(V3, {**V3, "vips": (vip(), vip("203.0.113.11"))})
    assert rollout([router], (0, 1)).free
    strict = rollout([router], (0, 1), strict_lists=True)
    assert strict.order is None
    assert "virtual_ipaddress_excluded" in strict.hints[0]
