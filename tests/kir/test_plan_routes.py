"""Plans over routes and rules: they lead where they should, with as few writes as the kernel allows."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from kir.model import Config, Metric, Nexthop, Route, Rule
from kir.plan.operations import Impact
from kir.plan.route_operations import AddRoute, AddRule, DelRoute, DelRule, ReplaceRoute, RouteOperation
from kir.plan.routes import desired_routes, plan_routes
from kir.plan.rules import desired_rules, plan_rules
from kir.route_state import RouteSlot, RouteTable, fulfils, observed_routes, route_key, route_slot, rule_key
from support.ir_samples import instance

replace = msgspec.structs.replace


def route(destination: str = "10.0.0.0/24", via: str | None = "192.0.2.254", **more: Any) -> Route:
    family = "inet6" if ":" in destination else "inet"
    return Route(family=family, destination=destination, via=via, **more)  # type: ignore[arg-type]


def rule(priority: int = 1000, **more: Any) -> Rule:
    given_: dict[str, Any] = {
        "family": "inet",
        "action": "table",
        "table": 100,
        "source": "10.0.0.0/8",
        **more,
    }
    return Rule(priority=priority, **given_)


def table(*routes: Route) -> RouteTable:
    return {route_key(r): r for r in routes}


routes = st.builds(
    route,
    destination=st.sampled_from(["10.0.0.0/24", "10.0.1.0/24", "2001:db8:1::/48"]),
    via=st.just(None),
    device=st.sampled_from([None, "eth0", "eth1"]),
    table=st.sampled_from([254, 100]),
    priority=st.sampled_from([None, 0, 10]),
    metrics=st.sampled_from([(), (Metric(name="mtu", value=1400),)]),
    type=st.sampled_from(["unicast", "blackhole"]),
    track=st.booleans(),
)
tables = st.lists(routes, max_size=6).map(lambda found: table(*found))


class Kernel:
    """Routes as the kernel keeps them: a list for each place, NLM_F_REPLACE takes the first."""

    def __init__(self, have: RouteTable) -> None:
        self.places: dict[RouteSlot, list[Route]] = {}
        for r in have.values():
            self.places.setdefault(route_slot(r), []).insert(0, r)

    def run(self, operation: RouteOperation) -> None:
        place = self.places.setdefault(route_slot(operation.route), [])
        if isinstance(operation, AddRoute):
            assert all(route_key(r) != route_key(operation.route) for r in place), "EEXIST"
            place.insert(0, operation.route)
        elif isinstance(operation, ReplaceRoute):
            assert place[0] == operation.old
            place[0] = operation.route
        else:
            place.remove(next(r for r in place if route_key(r) == route_key(operation.route)))

    def table(self) -> RouteTable:
        return {route_key(r): r for place in self.places.values() for r in place}


def bare(found: RouteTable) -> dict[Any, Route]:
    """Without what the kernel does not know."""
    return {key: replace(r, track=True, priority=key.slot.priority) for key, r in found.items()}


@given(tables, tables)
def test_a_plan_leads_to_what_is_wanted(have: RouteTable, want: RouteTable) -> None:
    kernel = Kernel(have)
    operations = plan_routes(have, want)
    for operation in operations:
        kernel.run(operation)
    assert bare(kernel.table()) == bare(want)
    assert operations == plan_routes(have, want)


@given(tables)
def test_equal_tables_need_nothing(have: RouteTable) -> None:
    assert plan_routes(have, dict(have)) == []
    assert plan_routes(have, {key: replace(r, track=not r.track) for key, r in have.items()}) == []


@given(tables, tables)
def test_no_destination_that_stays_is_without_a_route(have: RouteTable, want: RouteTable) -> None:
    kernel = Kernel(have)
    staying = {k.slot for k in have} & {k.slot for k in want}
    lonely = {slot for slot in staying if sum(k.slot == slot for k in have) == 1}
    for operation in plan_routes(have, want):
        kernel.run(operation)
        assert all(kernel.places.get(slot) for slot in lonely)


def test_another_gateway_is_one_write() -> None:
    (operation,) = plan_routes(table(route()), table(route(via="192.0.2.253")))
    assert isinstance(operation, ReplaceRoute) and operation.impact is Impact.HITLESS
    assert operation.op == "ip.replace_route"
    assert operation.detail() == {"via": {"old": "192.0.2.254", "new": "192.0.2.253"}}
    assert operation.target == "10.0.0.0/24 via 192.0.2.253 table 254"


def test_another_metric_is_another_route_and_the_new_one_comes_first() -> None:
    first, second = plan_routes(table(route(priority=10)), table(route(priority=20)))
    assert isinstance(first, AddRoute) and isinstance(second, DelRoute)


def test_of_several_routes_to_one_destination_none_is_replaced_blindly() -> None:
    a, b = route(), route(via="192.0.2.253")
    changed = replace(a, metrics=(Metric(name="mtu", value=1400),))
    operations = plan_routes(table(a, b), table(changed, b))
    assert [o.op for o in operations] == ["ip.del_route", "ip.add_route"]
    assert operations[0].route == a


def test_a_deletion_names_what_the_kernel_could_take_for_it() -> None:
    direct, gateway, far = (
        route(via=None, device="eth0"),
        route(device="eth0"),
        route(priority=7, device="eth0"),
    )
    (gone,) = plan_routes(table(direct, gateway, far), table(gateway, far))
    assert isinstance(gone, DelRoute) and gone.beside == (gateway, far)
    (gone,) = plan_routes(table(direct, gateway, far), table(direct, far))
    assert isinstance(gone, DelRoute) and gone.beside == (far,)
    (gone,) = plan_routes(table(direct, gateway, far), table(direct, gateway))
    assert isinstance(gone, DelRoute) and gone.beside == ()
    both = plan_routes(table(gateway, direct), {})
    assert [o.route for o in both] == [gateway, direct], "what is told by its gateway goes first"


def test_a_new_route_beside_one_that_changes_comes_after_it() -> None:
    old = route()
    changed, new = replace(old, metrics=(Metric(name="mtu", value=1400),)), route(via="192.0.2.253")
    assert [o.op for o in plan_routes(table(old), table(changed, new))] == [
        "ip.replace_route",
        "ip.add_route",
    ]


def test_what_is_there_is_not_added_and_what_is_not_there_is_not_deleted() -> None:
    here, there = route(), route("10.0.1.0/24")
    assert plan_routes({}, table(here), present={route_key(here)}) == []
    assert plan_routes(table(here), {}, present=set()) == []
    (again,) = plan_routes(table(here, there), table(here, there), present={route_key(here)})
    assert isinstance(again, AddRoute) and again.route == there


def test_refusing_routes_say_so() -> None:
    drop = route(via=None, type="blackhole")
    (add,) = plan_routes({}, table(drop))
    assert add.impact is Impact.DEGRADED and "refused" in add.reason
    (gone,) = plan_routes(table(route()), {})
    assert gone.impact is Impact.OUTAGE
    (turned,) = plan_routes(table(route()), table(drop))
    assert isinstance(turned, ReplaceRoute) and turned.impact is Impact.DEGRADED


def test_rules_change_by_another_rule_before_the_old_one_goes() -> None:
    old, new = rule(), rule(table=101)
    add, delete = plan_rules({rule_key(old): old}, {rule_key(new): new})
    assert isinstance(add, AddRule) and isinstance(delete, DelRule)
    assert (add.op, delete.op) == ("ip.add_rule", "ip.del_rule")
    assert add.detail() == {
        "family": "inet",
        "action": "table",
        "table": 101,
        "source": "10.0.0.0/8",
    }
    watched = replace(old, track=False)
    assert plan_rules({rule_key(old): old}, {rule_key(watched): watched}) == []


def test_rules_go_in_the_reverse_order() -> None:
    have = {rule_key(r): r for r in (rule(1), rule(2), rule(3))}
    assert [o.rule.priority for o in plan_rules(have, {})] == [3, 2, 1]
    assert plan_rules(have, {}, present=set()) == []


def test_static_ones_are_wanted_always_virtual_ones_of_masters() -> None:
    static, virtual = route(), route("10.0.1.0/24")
    static_rule, virtual_rule = rule(1), rule(2)
    config = Config(
        vrrp_instances=(instance("A", routes=(virtual,), rules=(virtual_rule,)),),
        static_routes=(static,),
        static_rules=(static_rule,),
    )
    assert list(desired_routes(config).values()) == [static, virtual]
    assert list(desired_routes(config, ()).values()) == [static]
    assert list(desired_rules(config, {"A"}).values()) == [static_rule, virtual_rule]
    assert list(desired_rules(config, set()).values()) == [static_rule]


def test_a_device_that_is_not_asked_for_is_the_kernels_choice() -> None:
    seen = route(device="eth0", scope=0, priority=0)
    assert fulfils(seen, route()) and not fulfils(seen, route(device="eth1"))
    assert not fulfils(seen, route(metrics=(Metric(name="mtu", value=1400),)))
    found, others = observed_routes([seen, route("10.9.0.0/16")], table(route()))
    assert found == table(route()) and [r.destination for r in others] == ["10.9.0.0/16"]


def test_an_edited_route_is_seen_as_it_is() -> None:
    want = route(device="eth0")
    edited = replace(want, metrics=(Metric(name="mtu", value=1300),))
    found, _ = observed_routes([edited], table(want))
    (operation,) = plan_routes(found, table(want))
    assert isinstance(operation, ReplaceRoute) and "metrics" in operation.detail()


def test_the_routes_of_a_vrf_are_found_in_its_table() -> None:
    want = route(device="red0", vrf="red")
    seen = route(device="red0", table=10)
    assert observed_routes([seen], table(want), {"red": 10})[0] == table(want)
    assert observed_routes([seen], table(want), {})[0] == {}


def test_ipv6_keeps_several_routes_as_one_with_several_ways() -> None:
    a, b = (route("2001:db8:1::/48", via=f"fe80::{n}", device="eth0") for n in (1, 2))
    seen = route(
        "2001:db8:1::/48",
        via=None,
        priority=1024,
        nexthops=tuple(Nexthop(via=f"fe80::{n}", device="eth0") for n in (2, 1)),
    )
    found, others = observed_routes([seen], table(a, b))
    assert found == table(a, b) and others == []
