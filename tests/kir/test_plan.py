"""Plans: correct, minimal, safe at every step, and the same for the same input."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kir.canonical import canonical, digest
from kir.diff import diff
from kir.model import Address, Authentication, Config, Secret
from kir.plan.addresses import IN_PLACE, desired_addresses, differing, plan_addresses
from kir.plan.ipvs import (
    PoolHealth,
    ServerHealth,
    desired_dests,
    desired_table,
    new_services,
    plan_table,
)
from kir.plan.operations import (
    AddAddress,
    AddDest,
    AddressOperation,
    AddService,
    DelAddress,
    DelDest,
    DelService,
    EditDest,
    EditService,
    Impact,
    IpvsOperation,
    Operation,
    ReplaceAddress,
)
from kir.plan.plan import Observed, plan
from kir.state import AddressTable, DestKey, IpvsTable, ServiceEntry, address_key
from support.ir_samples import full, instance, real, service, vip, virtual
from support.ir_strategies import configs


def apply_ipvs(table: IpvsTable, operations: Sequence[IpvsOperation]) -> IpvsTable:
    """What a kernel does, refusals included."""
    table = copy.deepcopy(table)
    for o in operations:
        if isinstance(o, AddService):
            assert o.service not in table, "EEXIST"
            table[o.service] = ServiceEntry(o.params)
        elif isinstance(o, EditService):
            table[o.service].params = o.params
        elif isinstance(o, DelService):
            del table[o.service]
        elif isinstance(o, AddDest):
            assert o.dest not in table[o.service].dests, "EEXIST"
            table[o.service].dests[o.dest] = o.params
        elif isinstance(o, EditDest):
            assert o.dest in table[o.service].dests, "ENOENT"
            table[o.service].dests[o.dest] = o.params
        elif isinstance(o, DelDest):
            del table[o.service].dests[o.dest]
    return table


def apply_addresses(table: AddressTable, operations: Sequence[AddressOperation]) -> AddressTable:
    table = dict(table)
    for o in operations:
        key = address_key(o.address)
        if isinstance(o, AddAddress):
            assert key not in table, "EEXIST"
            table[key] = o.address
        elif isinstance(o, ReplaceAddress):
            assert differing(table[key], o.address) <= IN_PLACE[o.address.family]
            table[key] = o.address
        elif isinstance(o, DelAddress):
            del table[key]
    return table


def same_addresses(a: AddressTable, b: AddressTable) -> bool:
    return a.keys() == b.keys() and not any(differing(a[k], b[k]) for k in a)


def objects_that_differ(have: IpvsTable, want: IpvsTable) -> int:
    """Kernel objects that differ; a removed service counts once, with all its servers."""
    count = 0
    for s in have.keys() | want.keys():
        a, b = have.get(s), want.get(s)
        if a is None or b is None:
            count += 1 + (len(b.dests) if b else 0)
            continue
        count += a.params != b.params
        count += sum(a.dests.get(d) != b.dests.get(d) for d in a.dests.keys() | b.dests.keys())
    return count


@given(configs(), configs())
def test_applying_the_plan_to_the_old_state_gives_the_new_one(old: Config, new: Config) -> None:
    p = plan(old, new)
    ipvs = [o for o in p.operations if isinstance(o, IpvsOperation)]
    assert apply_ipvs(desired_table(old), ipvs) == desired_table(new)
    ip = [o for o in p.operations if isinstance(o, AddressOperation)]
    assert same_addresses(apply_addresses(desired_addresses(old), ip), desired_addresses(new))


@given(configs(), configs())
def test_no_operation_is_too_many(old: Config, new: Config) -> None:
    have, want = desired_table(old), desired_table(new)
    steps = plan_table(have, want)
    assert len(steps) == objects_that_differ(have, want)


@given(configs(), configs(), st.integers(1, 9))
def test_new_services_in_batches_are_the_beginning_of_the_plan(old: Config, new: Config, batch: int) -> None:
    have, want = desired_table(old), desired_table(new)
    batches = list(new_services(have, want, batch))
    steps = [step for steps in batches for step in steps]
    assert steps == plan_table(have, want)[: len(steps)]
    assert apply_ipvs({}, steps) == {service: want[service] for service in want if service not in have}
    assert all(len(steps) >= batch for steps in batches[:-1])


@given(configs(), configs())
def test_no_operation_can_be_left_out(old: Config, new: Config) -> None:
    have, want = desired_table(old), desired_table(new)
    steps = plan_table(have, want)
    for n in range(len(steps)):
        rest = steps[:n] + steps[n + 1 :]
        try:
            result = apply_ipvs(have, rest)
        except (AssertionError, KeyError):
            continue
        assert result != want


@given(configs(), configs())
def test_at_every_step_what_stays_usable_is_usable(old: Config, new: Config) -> None:
    have, want = desired_table(old), desired_table(new)
    steps = plan_table(have, want)

    def usable(table: IpvsTable, s: object) -> bool:
        entry = table.get(s)  # type: ignore[call-overload]
        return entry is not None and any(d.weight > 0 for d in entry.dests.values())

    keep = [s for s in have if usable(have, s) and usable(want, s)]
    for n in range(len(steps) + 1):
        at = apply_ipvs(have, steps[:n])
        assert all(usable(at, s) for s in keep)


@given(configs(), configs())
def test_an_address_that_stays_is_never_absent(old: Config, new: Config) -> None:
    have, want = desired_addresses(old), desired_addresses(new)
    stays = {k for k in have if k in want and differing(have[k], want[k]) <= IN_PLACE[want[k].family]}
    steps = plan_addresses(have, want)
    for n in range(len(steps) + 1):
        assert stays <= apply_addresses(have, steps[:n]).keys()


@given(configs())
def test_equal_configurations_need_nothing(config: Config) -> None:
    p = plan(config, canonical(config))
    assert not p.operations
    assert p.impact is Impact.NONE
    assert not diff(config, config)


@given(configs(), configs())
def test_changes_exactly_where_the_digests_differ(old: Config, new: Config) -> None:
    assert bool(diff(canonical(old), canonical(new))) == (digest(old) != digest(new))


@given(configs(), configs())
def test_plans_are_deterministic_and_plain(old: Config, new: Config) -> None:
    first, second = plan(old, new), plan(old, new)
    assert first == second
    for o in first.operations:
        assert o.target
        msgspec.json.encode(o.detail())


@given(configs(), configs(), st.randoms())
def test_drift_is_repaired_and_strangers_are_left_alone(old: Config, new: Config, rng: object) -> None:
    table = desired_table(old)
    stranger = service("198.51.100.1")
    for s in list(table):
        if rng.random() < 0.3:  # type: ignore[attr-defined]
            del table[s]
        elif table[s].dests and rng.random() < 0.5:  # type: ignore[attr-defined]
            table[s].dests.popitem()
    table[stranger] = desired_table(Config(virtual_servers=(virtual(at=stranger),)))[stranger]
    steps = [o for o in plan(old, new, Observed(table=table)).operations if isinstance(o, IpvsOperation)]
    result = apply_ipvs(table, steps)
    assert result.pop(stranger)
    assert result == desired_table(new)


def _ops(steps: Sequence[Operation]) -> list[str]:
    return [o.op for o in steps]


def _change(config: Config, **fields: object) -> Config:
    return msgspec.structs.replace(config, **fields)


def test_one_weight_is_one_write() -> None:
    old = canonical(full())
    server = old.virtual_servers[-1]
    reals = (msgspec.structs.replace(server.real_servers[0], weight=7), *server.real_servers[1:])
    new = _change(
        old, virtual_servers=(*old.virtual_servers[:-1], msgspec.structs.replace(server, real_servers=reals))
    )
    p = plan(old, new)
    assert [(c.path, c.old, c.new) for c in p.changes] == [
        (
            ("virtual_server", server.name, "real_server", reals[0].identity, "weight"),
            server.real_servers[0].weight,
            7,
        )
    ]
    assert _ops(p.operations) == ["ipvs.edit_dest"]
    assert p.impact is Impact.HITLESS


def test_a_vip_that_moves_between_instances_is_no_operation() -> None:
    a, b = vip("192.0.2.1"), vip("192.0.2.2")
    old = Config(vrrp_instances=(instance("A", vips=(a,)), instance("B", vrid=52, vips=(b,))))
    new = Config(vrrp_instances=(instance("A", vips=(b,)), instance("B", vrid=52, vips=(a,))))
    assert _ops(plan(old, new).operations) == ["vrrp.update", "vrrp.update"]


def test_a_renamed_instance_keeps_running() -> None:
    p = plan(Config(vrrp_instances=(instance("A"),)), Config(vrrp_instances=(instance("B"),)))
    assert [(c.action, c.path, c.old) for c in p.changes] == [("rename", ("vrrp_instance", "B"), "A")]
    assert _ops(p.operations) == ["vrrp.update"]
    assert p.impact is Impact.HITLESS


def test_an_ambiguous_rename_is_none() -> None:
    old = Config(vrrp_instances=(instance("A"),))
    new = Config(vrrp_instances=(instance("B"), instance("C")))
    assert {c.action for c in diff(old, new)} == {"add", "remove"}


@pytest.mark.parametrize(
    ("fields", "wire", "impact"),
    [
        ({"advert_int_us": 2_000_000}, "breaking", Impact.FAILOVER),
        ({"vips": (vip(), vip("203.0.113.11"))}, "breaking", Impact.FAILOVER),
        ({"priority": 90}, "compatible", Impact.FAILOVER),
        ({"nopreempt": True}, "local", Impact.HITLESS),
        ({"vrid": 60}, "breaking", Impact.FAILOVER),
        (
            {"authentication": Authentication(type="PASS", password=Secret(secret="x"))},
            "breaking",
            Impact.FAILOVER,
        ),
    ],
)
def test_wire_and_impact_of_version_2(fields: dict[str, object], wire: str, impact: Impact) -> None:
    p = plan(Config(vrrp_instances=(instance(),)), Config(vrrp_instances=(instance(**fields),)))
    assert p.wire == wire
    assert p.impact is impact


def test_a_new_interval_of_version_3_is_learned_by_peers() -> None:
    p = plan(
        Config(vrrp_instances=(instance(version=3),)),
        Config(vrrp_instances=(instance(version=3, advert_int_us=2_000_000),)),
    )
    assert p.wire == "compatible"
    assert p.impact is Impact.HITLESS


def test_secrets_are_masked_and_still_a_change() -> None:
    def with_password(word: str) -> Config:
        return Config(
            vrrp_instances=(
                instance(authentication=Authentication(type="PASS", password=Secret(secret=word))),
            )
        )

    [change] = diff(with_password("hunter2"), with_password("hunter3"))
    assert "hunter" not in repr(change)
    assert change.old != change.new
    assert "hunter" not in repr(plan(with_password("hunter2"), with_password("hunter3")))


@pytest.mark.parametrize(
    ("up", "quorum_up", "inhibit", "sorry_inhibit", "expected"),
    [
        ((True, True), True, False, False, {"1": 1, "2": 1}),
        ((True, False), True, False, False, {"1": 1}),
        ((True, False), True, True, False, {"1": 1, "2": 0}),
        ((True, False), False, False, False, {"9": 1}),
        ((True, False), False, True, False, {"1": 0, "2": 0, "9": 1}),
        ((True, True), True, False, True, {"1": 1, "2": 1, "9": 0}),
        ((False, False), False, False, True, {"9": 1}),
    ],
)
def test_what_ipvs_should_hold(
    up: tuple[bool, bool], quorum_up: bool, inhibit: bool, sorry_inhibit: bool, expected: dict[str, int]
) -> None:
    from kir.model import SorryServer

    server = virtual(
        real("10.0.0.1", inhibit_on_failure=inhibit),
        real("10.0.0.2", inhibit_on_failure=inhibit),
        sorry_server=SorryServer(address="10.0.0.9", port=80, family="inet", inhibit=sorry_inhibit),
    )
    health = PoolHealth(
        {DestKey(f"10.0.0.{n + 1}", 80): ServerHealth(u, 1) for n, u in enumerate(up)}, quorum_up
    )
    dests = desired_dests(server, health)
    assert {k.address.rpartition(".")[2]: p.weight for k, p in dests.items()} == expected


def test_without_a_sorry_server_a_lost_quorum_changes_nothing() -> None:
    server = virtual(real("10.0.0.1"), real("10.0.0.2"), quorum=2)
    health = PoolHealth({DestKey("10.0.0.2", 80): ServerHealth(False, 1)}, False)
    assert [k.address for k in desired_dests(server, health)] == ["10.0.0.1"]


def test_an_edit_in_place_is_used_where_the_kernel_has_one() -> None:
    def config(a: Address) -> Config:
        return Config(vrrp_instances=(instance(vips=(a,)),))

    p = plan(config(vip()), config(vip(preferred_lft_s=0)))
    assert "ip.replace_address" in _ops(p.operations)
    p = plan(config(vip()), config(vip(label="eth0:1")))
    assert [o for o in _ops(p.operations) if o.startswith("ip.")] == ["ip.del_address", "ip.add_address"]


@settings(max_examples=25)
@given(configs(), configs())
def test_counts_are_of_the_operations(old: Config, new: Config) -> None:
    p = plan(old, new)
    assert sum(p.counts().values()) == len(p.operations)
