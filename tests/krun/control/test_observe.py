"""What a plan is made from: health by the processes' word, tables by the kernel's; drift shows, a failed check does not."""

from __future__ import annotations

import os
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kir.model import Address, Config, RealServer, Service, SorryServer, VirtualServer, VrrpInstance
from kir.model.checkers import Endpoint, TcpCheck, Timing
from kir.plan.ipvs import desired_table
from kir.plan.plan import plan
from kir.state import AddressKey, DestKey, address_key
from krun.check.pool import Pool
from krun.control import observe
from krun.control.overlays import Overlay
from krun.kernel.door import KernelUnavailable


def check(port: int) -> TcpCheck:
    return TcpCheck(timing=Timing(), endpoint=Endpoint(address="127.0.0.1", port=port))


def virtual(weights: list[int], quorum: int = 1, sorry: bool = False, checks: int = 2) -> VirtualServer:
    return VirtualServer(
        name="tcp 10.0.0.1:80",
        services=(Service(family="inet", protocol="tcp", address="10.0.0.1", port=80),),
        real_servers=tuple(
            RealServer(
                address=f"192.168.0.{n + 1}",
                port=80,
                family="inet",
                weight=weight,
                checkers=tuple(check(8000 + k) for k in range(checks)),
            )
            for n, weight in enumerate(weights)
        ),
        quorum=quorum,
        sorry_server=SorryServer(address="192.168.9.9", port=80, family="inet") if sorry else None,
    )


def instance() -> VrrpInstance:
    return VrrpInstance(
        name="VI_1",
        interface="eth0",
        vrid=51,
        version=3,
        family="inet",
        initial_state="BACKUP",
        priority=100,
        advert_int_us=1_000_000,
        vips=(Address(address="203.0.113.1", prefix=24, device="eth0", family="inet"),),
    )


def state(
    pool: Pool | None, *, kernel: str = "memory", role: str = "MASTER", checks: int = 2
) -> dict[str, Any]:
    """The parts of a state document that are looked at."""
    servers = [] if pool is None else list(pool.servers.values())
    return {
        "parent": {"kernel": kernel},
        "processes": [
            {"name": name, "pid": os.getpid(), "answered": True, "problem": None}
            for name in ("vrrp", "check")
        ],
        "vrrp": [{"name": "VI_1", "state": role}],
        "virtual_servers": []
        if pool is None
        else [
            {
                "name": pool.virtual.name,
                "quorum": {"up": pool.quorum_up},
                "real_servers": [
                    {
                        "identity": server.real.identity,
                        "state": "up" if server.up else "down",
                        "effective_weight": server.weight,
                        "checkers": [
                            {"checker": f"TCP_CHECK {n}", "state": "down" if n in server.down else "up"}
                            for n in range(checks)
                        ],
                    }
                    for server in servers
                ],
            }
        ],
    }


healths = st.lists(
    st.tuples(st.integers(0, 20), st.sets(st.integers(0, 1)), st.integers(-10, 10)), max_size=5
)


def placed(server: VirtualServer, words: list[tuple[int, set[int], int]]) -> Pool:
    pool = Pool(server)
    for real, (_, down, delta) in zip(server.real_servers, words, strict=True):
        for position in (0, 1):
            pool.place(
                DestKey(real.address, real.port),
                position,
                position not in down,
                delta if position == 1 else 0,
            )
    pool.begin()
    return pool


@given(healths, st.integers(1, 30), st.booleans())
def test_whatever_the_health_the_same_configuration_needs_no_operation(
    words: list[tuple[int, set[int], int]], quorum: int, sorry: bool
) -> None:
    server = virtual([weight for weight, _, _ in words], quorum, sorry)
    pool = placed(server, words)
    config = Config(virtual_servers=(server,))
    seen = observe.sight(state(pool), config, config)
    assert seen.observed.table == desired_table(config, {server.name: pool.health()})
    assert plan(config, config, seen.observed).operations == []


@given(healths, st.lists(st.integers(0, 20), max_size=5))
def test_health_is_carried_to_new_weights(words: list[tuple[int, set[int], int]], weights: list[int]) -> None:
    """As the checker process does at a reload: `Pool.succeed` of pools placed alike."""
    old, new = virtual([weight for weight, _, _ in words]), virtual(weights)
    before = placed(old, words)
    after = Pool(new)
    for n, real in enumerate(new.real_servers):
        down, delta = (
            (words[n][1], before.servers[DestKey(real.address, 80)].weight - words[n][0])
            if n < len(words)
            else (set(), 0)
        )
        for position in (0, 1):
            after.place(
                DestKey(real.address, real.port),
                position,
                position not in down,
                delta if position == 0 else 0,
            )
    after.succeed(before)
    seen = observe.sight(state(before), Config(virtual_servers=(old,)), Config(virtual_servers=(new,)))
    assert seen.observed.health is not None
    assert seen.observed.health[new.name] == after.health()


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the kernel of this test holds; change it to make drift."""
    config = director()
    held: dict[str, Any] = {
        "table": desired_table(config),
        "addresses": {address_key(vip) for i in config.vrrp_instances for vip in i.vips},
    }
    monkeypatch.setattr(observe, "_ipvs", lambda _services: held["table"])
    monkeypatch.setattr(observe, "_addresses", lambda: held["addresses"])
    return held


def director() -> Config:
    return Config(vrrp_instances=(instance(),), virtual_servers=(virtual([1, 2, 3]),))


def planned(**more: Any) -> list[tuple[str, str]]:
    config = director()
    pool = Pool(config.virtual_servers[0])
    pool.begin()
    seen = observe.sight(state(pool, kernel="linux", **more), config, config)
    assert seen.unseen == []
    return [(o.op, o.target) for o in plan(config, config, seen.observed).operations]


def test_no_drift(kernel: dict[str, Any]) -> None:
    assert planned() == []


def test_what_somebody_deleted_or_changed_shows(kernel: dict[str, Any]) -> None:
    service = director().virtual_servers[0].services[0]
    dests = kernel["table"][service].dests
    gone, edited, _ = list(dests)
    del dests[gone]
    dests[edited] = msgspec.structs.replace(dests[edited], weight=0)
    kernel["addresses"] = set()
    assert sorted(planned()) == [
        ("ip.add_address", "203.0.113.1/24 dev eth0"),
        ("ipvs.add_dest", f"tcp 10.0.0.1:80 -> {gone}"),
        ("ipvs.edit_dest", f"tcp 10.0.0.1:80 -> {edited}"),
    ]


def test_what_others_have_there_is_left_alone(kernel: dict[str, Any]) -> None:
    config = director()
    other = Service(family="inet", protocol="tcp", address="10.9.9.9", port=80)
    kernel["table"][other] = kernel["table"][config.virtual_servers[0].services[0]]
    kernel["addresses"] = {*kernel["addresses"], AddressKey("eth0", "198.51.100.1", 24)}
    assert planned() == []


def test_a_backup_does_not_miss_its_addresses(kernel: dict[str, Any]) -> None:
    kernel["addresses"] = set()
    assert planned(role="BACKUP") == []


def test_what_cannot_be_seen_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_services: object) -> None:
        raise KernelUnavailable("no IPVS in this kernel")

    def deny() -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(observe, "_ipvs", refuse)
    monkeypatch.setattr(observe, "_addresses", deny)
    config = director()
    document = state(Pool(config.virtual_servers[0]), kernel="linux")
    document["processes"][1] |= {"answered": False, "problem": "no status: no answer within 2 s"}
    seen = observe.sight(document, config, config)
    assert seen.unseen == [
        "the check process did not answer: no status: no answer within 2 s",
        "addresses: Operation not permitted",
        "the IPVS table: no IPVS in this kernel",
    ]
    assert seen.observed.present is None


def test_an_overlay_is_no_drift_and_stays_over_a_new_weight(kernel: dict[str, Any]) -> None:
    config = director()
    server = config.virtual_servers[0]
    first = server.real_servers[0]
    hand = Overlay(
        virtual_server=server.name,
        service=server.services[0].identity,
        real_server=first.identity,
        weight=0,
        deadline_us=1,
        boot_id="",
        since=0.0,
        until=0.0,
        by="root",
    )
    pool = Pool(server)
    pool.overrule({DestKey(first.address, first.port): 0})
    pool.begin()
    kernel["table"] = desired_table(config, {server.name: pool.health()})
    document = state(pool, kernel="linux")
    seen = observe.sight(document, config, config, [hand])
    assert plan(config, config, seen.observed).operations == []
    heavier = msgspec.structs.replace(
        config,
        virtual_servers=(
            msgspec.structs.replace(
                server,
                real_servers=tuple(
                    msgspec.structs.replace(r, weight=r.weight + 10) for r in server.real_servers
                ),
            ),
        ),
    )
    seen = observe.sight(document, config, heavier, [hand])
    changed = [o.target for o in plan(config, heavier, seen.observed).operations if o.op == "ipvs.edit_dest"]
    assert len(changed) == 2
    assert not any(first.identity in target for target in changed)
