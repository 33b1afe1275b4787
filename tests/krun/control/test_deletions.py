"""The limit on deletions: what is counted, and when it is too much."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kir.model import Address, Config, RealServer, Service, VirtualServer, VrrpInstance
from krun.control.deletions import Limit, as_json, deletions, judge, parse_limit


def pool(number: int, servers: int) -> VirtualServer:
    address = f"10.0.0.{number}"
    return VirtualServer(
        name=f"tcp {address}:80",
        services=(Service(family="inet", protocol="tcp", address=address, port=80),),
        real_servers=tuple(
            RealServer(address=f"192.168.{number}.{n + 1}", port=80, family="inet", weight=1)
            for n in range(servers)
        ),
    )


def instance(vips: int) -> VrrpInstance:
    return VrrpInstance(
        name="VI_1",
        interface="eth0",
        vrid=51,
        version=3,
        family="inet",
        initial_state="BACKUP",
        priority=100,
        advert_int_us=1_000_000,
        vips=tuple(
            Address(address=f"203.0.113.{n + 1}", prefix=32, device="eth0", family="inet")
            for n in range(vips)
        ),
    )


def director(servers: tuple[int, ...], vips: int = 2) -> Config:
    return Config(
        vrrp_instances=(instance(vips),), virtual_servers=tuple(pool(n, c) for n, c in enumerate(servers, 1))
    )


def counts(old: Config, new: Config) -> dict[str, tuple[int, int]]:
    return {kind.plural: (len(kind.deleted), kind.there) for kind in deletions(old, new) if kind.there}


def test_what_is_counted() -> None:
    assert counts(director((10, 5)), director((10, 5))) == {
        "services": (0, 2),
        "real servers": (0, 15),
        "VIPs": (0, 2),
    }
    assert counts(director((10, 5)), director((9,), 1)) == {
        "services": (1, 2),
        "real servers": (6, 15),
        "VIPs": (1, 2),
    }


def test_what_is_added_or_changed_is_no_deletion() -> None:
    old = director((2,))
    heavier = msgspec.structs.replace(
        old,
        virtual_servers=tuple(
            msgspec.structs.replace(
                v,
                scheduler="rr",
                real_servers=tuple(msgspec.structs.replace(r, weight=9) for r in v.real_servers),
            )
            for v in old.virtual_servers
        ),
    )
    assert judge(deletions(old, heavier), Limit(0, False)) == ""
    assert judge(deletions(old, director((2, 3, 4), 5)), Limit(0, True)) == ""


def test_a_vip_that_moves_to_another_instance_is_no_deletion() -> None:
    old = director((1,), 2)
    other = msgspec.structs.replace(instance(2), name="VI_2", vrid=52)
    assert counts(old, msgspec.structs.replace(old, vrrp_instances=(other,)))["VIPs"] == (0, 2)


def test_a_share_is_of_each_kind() -> None:
    old, new = director((30,), 2), director((29,), 1)
    kinds = deletions(old, new)
    assert judge(kinds, parse_limit("50%")) == ""
    words = judge(kinds, parse_limit("10%"))
    assert words == "it deletes 1 of 2 VIPs (50 %), and the limit is 10 %: 203.0.113.2/32 dev eth0"
    assert "1 of 30 real servers" in judge(kinds, parse_limit("3%"))
    assert "2 VIPs" not in judge(deletions(old, director((29,))), parse_limit("3%"))


def test_a_number_is_of_all_together() -> None:
    kinds = deletions(director((30,), 2), director((29,), 1))
    assert judge(kinds, parse_limit("2")) == ""
    words = judge(kinds, parse_limit("1"))
    assert "1 of 30 real servers (3.33 %), 1 of 2 VIPs (50 %), and the limit is 1" in words


def test_long_lists_are_cut_in_words_and_whole_in_the_report() -> None:
    kinds = deletions(director((30,)), director((5,)))
    assert judge(kinds, Limit(0, False)).endswith("and 15 more")
    assert len(as_json(kinds)["real servers"]["deleted"]) == 25


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 100))
def test_the_share_is_exact(there: int, left: int, percent: int) -> None:
    left = min(left, there)
    kinds = deletions(director((there, 1)), director((left, 1)))
    deleted, whole = there - left, there + 1
    assert bool(judge(kinds, Limit(percent, True))) == (deleted / whole > percent / 100 + 1e-12)


@pytest.mark.parametrize(
    ("text", "limit"), [("5", Limit(5, False)), (" 10% ", Limit(10, True)), ("0%", Limit(0, True))]
)
def test_limits_are_read(text: str, limit: Limit) -> None:
    assert parse_limit(text) == limit


@pytest.mark.parametrize("text", ["", "%", "-1", "1.5%", "101%", "ten", "9999999999", "٣"])
def test_nonsense_is_no_limit(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no limit|more than everything"):
        parse_limit(text)
