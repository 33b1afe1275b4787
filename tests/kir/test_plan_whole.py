"""Whole plans over every object of the IR: they lead to the new state, with no write too many, safely at every step.

The configurations are grown from the types of the model; the kernel is `support.plan_kernel`.
"""

from __future__ import annotations

from random import Random

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kir.diff import WIRES, diff
from kir.model import Config, Service, VrrpInstance
from kir.plan.addresses import IN_PLACE, desired_addresses, differing
from kir.plan.ipvs import desired_table
from kir.plan.links import desired_links
from kir.plan.operations import (
    AddressOperation,
    DelAddress,
    DelDest,
    DelService,
    EditDest,
    Impact,
    IpvsOperation,
    LinkOperation,
    Operation,
)
from kir.plan.plan import Observed, Plan, plan
from kir.plan.pool import usable
from kir.plan.route_operations import DelRoute
from kir.plan.routes import desired_routes
from kir.plan.rules import desired_rules
from kir.plan.vrrp import pairs as instance_pairs
from kir.route_state import route_key
from kir.state import IpvsTable, ServiceEntry, address_key
from support.grown_configs import Grower, pairs
from support.ir_samples import service, virtual
from support.plan_kernel import Kernel, PlanKernel

PAIRS = pairs()
MINUTE = 60_000_000


def state(config: Config, masters: frozenset[str] | None = None) -> PlanKernel:
    return PlanKernel(
        desired_table(config),
        desired_addresses(config, masters),
        desired_routes(config, masters),
        desired_rules(config, masters),
        desired_links(config),
    )


def writes(p: Plan) -> list[Operation]:
    return [o for o in p.operations if isinstance(o, Kernel)]


@settings(max_examples=200)
@given(PAIRS)
def test_applying_the_plan_to_the_old_state_gives_the_new_one(pair: tuple[Config, Config]) -> None:
    old, new = pair
    assert state(old).run(writes(plan(old, new))).differences(state(new)) == []


@settings(max_examples=100)
@given(PAIRS, st.sets(st.sampled_from("ABC")))
def test_the_same_with_only_some_masters(pair: tuple[Config, Config], masters: set[str]) -> None:
    old, new = pair
    here = frozenset(masters)
    p = plan(old, new, Observed(masters=here))
    going_on = frozenset(
        after.name
        for before, after in instance_pairs(old, new)
        if before is not None
        and after is not None
        and before.name in here
        and (before.vrid, before.interface, before.version, before.unicast)
        == (after.vrid, after.interface, after.version, after.unicast)
        and (not before.unicast or before.source == after.source)
    )
    assert state(old, here).run(writes(p)).differences(state(new, going_on)) == []


@settings(max_examples=60)
@given(PAIRS)
def test_no_write_can_be_left_out(pair: tuple[Config, Config]) -> None:
    old, new = pair
    steps = writes(plan(old, new))
    gone = {o.address.address for o in steps if isinstance(o, DelAddress)}
    for n, left_out in enumerate(steps):
        if isinstance(left_out, DelRoute) and left_out.route.source in gone:
            continue  # the kernel drops it with its address: it is taken away before, in the reverse order of its coming
        try:
            result = state(old).run(steps[:n] + steps[n + 1 :])
        except (AssertionError, KeyError, StopIteration):
            continue  # a later step is refused
        assert result.differences(state(new)), left_out


@settings(max_examples=100)
@given(PAIRS)
def test_as_many_writes_as_objects_differ(pair: tuple[Config, Config]) -> None:
    """A removed service counts once with its servers, an address that cannot be changed in place twice."""
    old, new = pair
    steps = writes(plan(old, new))
    have, want = desired_table(old), desired_table(new)
    count = 0
    for s in have.keys() | want.keys():
        a, b = have.get(s), want.get(s)
        if a is None or b is None:
            count += 1 + (len(b.dests) if b else 0)
        else:
            count += (a.params != b.params) + sum(
                a.dests.get(d) != b.dests.get(d) for d in a.dests.keys() | b.dests.keys()
            )
    assert sum(isinstance(o, IpvsOperation) for o in steps) == count
    before, after = desired_addresses(old), desired_addresses(new)
    count = len(before.keys() ^ after.keys())
    for key in before.keys() & after.keys():
        changes = differing(before[key], after[key])
        count += 0 if not changes else 1 if changes <= IN_PLACE[after[key].family] else 2
    assert sum(isinstance(o, AddressOperation) for o in steps) == count


@settings(max_examples=100)
@given(PAIRS, st.sampled_from((0, MINUTE)))
def test_what_stays_is_there_at_every_step(pair: tuple[Config, Config], drain: int) -> None:
    """No service that has a usable server before and after is without one; no VIP that stays is absent."""
    old, new = pair
    steps = writes(plan(old, new, drain_us=drain))
    have, want = desired_table(old), desired_table(new)
    services = [s for s in have if s in want and usable(have[s].dests) and usable(want[s].dests)]
    before, after = desired_addresses(old), desired_addresses(new)
    stays = {k for k in before if k in after and differing(before[k], after[k]) <= IN_PLACE[after[k].family]}
    at = state(old)
    for step in steps:
        at.run([step])
        assert all(usable(at.table[s].dests) for s in services)
        assert stays <= at.addresses.keys()


@settings(max_examples=100)
@given(PAIRS)
def test_a_new_threshold_never_leaves_a_service_to_an_overloaded_server(pair: tuple[Config, Config]) -> None:
    """A server whose threshold is lowered may take nobody at once: until then another one must be there, as before and after."""
    old, new = pair
    have, want = desired_table(old), desired_table(new)

    def free(entry: ServiceEntry, tight: set[object]) -> bool:
        return any(p.weight > 0 and d not in tight for d, p in entry.dests.items())

    for s in have.keys() & want.keys():
        tight: set[object] = {
            d
            for d, p in want[s].dests.items()
            if d in have[s].dests
            and p.upper_threshold
            and p.upper_threshold < (have[s].dests[d].upper_threshold or 1 << 40)
        }
        if not (usable(have[s].dests) and free(want[s], tight)):
            continue
        at = state(old)
        for step in (o for o in writes(plan(old, new)) if isinstance(o, IpvsOperation) and o.service == s):
            at.run([step])
            done = {d for d in tight if at.table[s].dests.get(d) == want[s].dests[d]}  # type: ignore[call-overload]
            assert free(at.table[s], done)


@settings(max_examples=100)
@given(PAIRS)
def test_a_drain_ends_in_the_same_state(pair: tuple[Config, Config]) -> None:
    old, new = pair
    p = plan(old, new, drain_us=MINUTE)
    assert state(old).run(writes(p)).differences(state(new)) == []
    later = False
    lowered: set[object] = set()
    for o in p.operations:
        assert not (later and o.phase == "now"), "what waits comes last"
        later = later or o.phase == "after_drain"
        if isinstance(o, EditDest) and o.params.weight == 0:
            lowered.add((o.service, o.dest))
        if isinstance(o, (DelDest, DelService)):
            have = desired_table(old)[o.service]
            if o.phase == "after_drain":
                assert o.connections in ("after_drain", None)
                dests = [o.dest] if isinstance(o, DelDest) else list(have.dests)
                assert all((o.service, d) in lowered for d in dests if have.dests[d].weight > 0)
                assert o.impact is Impact.HITLESS
            else:
                assert "ops" in have.params.flags or not have.dests


@given(PAIRS)
def test_equal_states_need_nothing(pair: tuple[Config, Config]) -> None:
    config = pair[0]
    p = plan(config, msgspec.structs.replace(config))
    assert not p.operations
    assert not p.changes
    assert p.impact is Impact.NONE


@given(PAIRS)
def test_plans_are_deterministic_plain_and_keep_secrets(pair: tuple[Config, Config]) -> None:
    old, new = pair
    first, second = plan(old, new), plan(old, new)
    assert first == second
    text = repr(first.operations) + msgspec.json.encode([o.detail() for o in first.operations]).decode()
    text += msgspec.json.encode([(c.path, c.old, c.new, c.reason) for c in first.changes]).decode()
    assert "s3cret" not in text
    for o in first.operations:
        assert o.target
        assert o.impact is Impact.NONE or o.reason
        assert o.connections != "cut" or o.impact > Impact.NONE
    assert {c.wire for c in first.changes} <= set(WIRES)
    assert all(c.reason for c in first.changes if c.wire != "local")


@settings(max_examples=100)
@given(PAIRS, st.integers(0, 2**32))
def test_drift_is_repaired_and_strangers_are_left_alone(pair: tuple[Config, Config], seed: int) -> None:
    """Three-way: what others took away, changed or added since."""
    old, new = pair
    rng = Random(seed)
    kernel = state(old)
    for s in list(kernel.table):
        if rng.random() < 0.2:
            del kernel.table[s]
        elif rng.random() < 0.4:
            _disturb(kernel.table, s, rng)
    for key in list(kernel.addresses):
        if rng.random() < 0.3:
            del kernel.addresses[key]
    for rule in list(kernel.rules):
        if rng.random() < 0.3:
            del kernel.rules[rule]
    for place in kernel.places.values():
        place[:] = [r for r in place if rng.random() < 0.7]
    stranger = service("198.51.100.1")
    kernel.table[stranger] = desired_table(Config(virtual_servers=(virtual(at=stranger),)))[stranger]
    lost = {a.address for a in desired_addresses(old).values()} - {k.address for k in kernel.addresses}
    assume(not any(r.source in lost for place in kernel.places.values() for r in place))
    observed = Observed(
        table={s: ServiceEntry(e.params, dict(e.dests)) for s, e in kernel.table.items()},
        present=set(kernel.addresses),
        routes={route_key(r): r for place in kernel.places.values() for r in place},
        rules=dict(kernel.rules),
    )
    kernel.run(writes(plan(old, new, observed)))
    assert kernel.table.pop(stranger)
    assert kernel.differences(state(new)) == []


@settings(max_examples=60)
@given(PAIRS)
def test_what_a_predecessor_left_is_adopted(pair: tuple[Config, Config]) -> None:
    """A start over what is there: what matches costs no write, what was the predecessor's and is no longer wanted goes."""
    old, new = pair

    def seen(config: Config) -> Observed:
        return Observed(
            table=desired_table(config),
            present=set(desired_addresses(config)),
            routes=desired_routes(config),
            rules=desired_rules(config),
        )

    again = plan(Config(), new, seen(new))
    assert [o for o in writes(again) if not isinstance(o, LinkOperation)] == []
    assert plan(new, new, seen(new)).operations == []
    after = state(old).run(writes(plan(old, new, seen(old))))
    assert after.differences(state(new)) == []


def _disturb(table: IpvsTable, at: Service, rng: Random) -> None:
    entry = table[at]
    if entry.dests and rng.random() < 0.5:
        entry.dests.pop(rng.choice(list(entry.dests)))
    elif entry.dests:
        dest = rng.choice(list(entry.dests))
        entry.dests[dest] = msgspec.structs.replace(entry.dests[dest], weight=7)
    else:
        entry.params = msgspec.structs.replace(entry.params, scheduler="sed")


@settings(max_examples=50)
@given(PAIRS)
def test_the_steps_come_in_an_order_that_the_kernel_takes(pair: tuple[Config, Config]) -> None:
    """Interfaces before addresses, addresses before routes; what goes goes the other way round."""
    old, new = pair
    steps = writes(plan(old, new))
    kept = desired_addresses(new).keys()
    going = [
        n for n, o in enumerate(steps) if isinstance(o, DelAddress) and address_key(o.address) not in kept
    ]
    coming = [n for n, o in enumerate(steps) if o.op in ("ip.add_route", "ip.add_rule", "ip.add_address")]
    assert not going or not coming or min(going) > max(coming)
    links = [n for n, o in enumerate(steps) if isinstance(o, LinkOperation) and o.op == "link.add"]
    addresses = [n for n, o in enumerate(steps) if o.op == "ip.add_address"]
    assert not links or not addresses or max(links) < min(addresses)
    gone = [n for n, o in enumerate(steps) if o.op in ("ip.del_route", "ip.del_rule")]
    assert not gone or not going or max(gone) < min(going) or _renewed(steps, new)


def _renewed(steps: list[Operation], new: Config) -> bool:
    routes = desired_routes(new).keys()
    return any(isinstance(o, DelRoute) and route_key(o.route) in routes for o in steps)


def test_the_grower_says_everything() -> None:
    """Nothing of the model is left out: each list of the configuration and each field of an instance is seen."""
    grown = [Grower(Random(n), 0.5).config() for n in range(40)]
    for name in Config.__struct_fields__:
        assert any(getattr(c, name) != getattr(Config(), name) for c in grown), name
    fields = {
        f
        for c in grown
        for i in c.vrrp_instances
        for f in VrrpInstance.__struct_fields__
        if msgspec.json.encode(getattr(i, f)) not in (b"null", b"false", b"[]")
    }
    assert fields >= set(VrrpInstance.__struct_fields__) - {"vrf", "sync_group"}


@given(PAIRS)
def test_a_diff_names_what_is_different(pair: tuple[Config, Config]) -> None:
    old, new = pair
    changes = diff(old, new)
    assert bool(changes) == (old != new)
    assert len({(c.action, c.path) for c in changes}) == len(changes)
