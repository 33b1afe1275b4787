"""Routes, rules and static things of a director: when they come and go, and what happens when others touch them. Pure."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kir.model import Address, Config, Route, Rule, TrackGroup, VrrpInstance
from kir.plan.route_operations import AddRoute, DelRoute, RoutingOperation
from kir.route_state import route_key, rule_key
from kir.state import AddressKey, address_key
from krun.vrrp import effects as fx
from krun.vrrp import reload
from krun.vrrp.director import Director
from krun.vrrp.drift import FLAP_WINDOW_US, FLAPS
from krun.vrrp.machine import Role
from krun.vrrp.routing import Sight

from .make import config, router, vip
from .segment import S, Segment

change = msgspec.structs.replace


def route(destination: str = "10.0.0.0/24", **more: Any) -> Route:
    return Route(family="inet", destination=destination, **{"via": "192.0.2.254", "device": "eth0", **more})


def rule(priority: int = 1000, **more: Any) -> Rule:
    return Rule(family="inet", priority=priority, action="table", table=100, **more)


OWNER: dict[str, Any] = {"priority": 255, "initial_state": "MASTER"}


class Host:
    """A director, and the kernel that does what it is told."""

    def __init__(
        self, what: Config, sight: Sight | None = None, present: set[AddressKey] | None = None
    ) -> None:
        self.now = 10 * S
        self.director = Director(what)
        self.addresses = set(present or ())
        self.routes = dict(sight.routes) if sight else {}
        self.rules = dict(sight.rules) if sight else {}
        self.order: list[str] = []
        self.said: list[str] = []
        for device in ("eth0", "eth1"):
            self.director.seen_link(device, True)
        for instance in what.vrrp_instances:
            self.director.seen_source(instance.name, "192.0.2.1")
        for strange in sight.strange if sight else ():
            if isinstance(strange, Route):
                self.routes[route_key(strange)] = strange
        self.run(self.director.begin(self.addresses, sight))
        self.run(self.director.start(self.now, self.addresses))
        self.tick()

    def run(self, todo: list[fx.Effect]) -> None:
        for effect in todo:
            if isinstance(effect, fx.ChangeAddresses):
                for operation in effect.operations:
                    self.order.append(operation.op)
                    key = address_key(operation.address)
                    (self.addresses.discard if operation.op == "ip.del_address" else self.addresses.add)(key)
            elif isinstance(effect, fx.ChangeRouting):
                for change_ in effect.operations:
                    self.carry_out(change_)
            elif isinstance(effect, fx.Say):
                self.said.append(effect.text)

    def carry_out(self, operation: RoutingOperation) -> None:
        self.order.append(operation.op)
        match operation.op:
            case "ip.add_route":
                self.routes[route_key(operation.route)] = operation.route  # type: ignore[attr-defined]
            case "ip.replace_route":
                del self.routes[route_key(operation.old)]  # type: ignore[attr-defined]
                self.routes[route_key(operation.route)] = operation.route  # type: ignore[attr-defined]
            case "ip.del_route":
                self.routes.pop(route_key(operation.route), None)  # type: ignore[attr-defined]
            case "ip.add_rule":
                self.rules[rule_key(operation.rule)] = operation.rule  # type: ignore[attr-defined]
            case "ip.del_rule":
                self.rules.pop(rule_key(operation.rule), None)  # type: ignore[attr-defined]

    def tick(self, seconds: float = 0) -> None:
        until = self.now + int(seconds * S)
        while True:  # no longer a step than an awake process makes
            self.now = min(until, self.now + S)
            self.run(self.director.tick(self.now))
            if self.now == until:
                return

    def look(self, *, blame: bool) -> None:
        self.run(
            self.director.routing_seen(Sight(dict(self.routes), dict(self.rules)), self.now, blame=blame)
        )

    def reload(self, what: Config) -> None:
        plan = reload.plan_reload(self.director.config, what)
        sight = Sight(dict(self.routes), dict(self.rules))
        sources: dict[str, str | None] = {i.name: "192.0.2.1" for i in what.vrrp_instances}
        self.run(
            reload.reconfigure(
                self.director, plan, self.now, sources=sources, present=self.addresses, sight=sight
            )
        )

    def role(self, name: str = "VI_1") -> Role:
        return self.director.instances[name].state.role

    def destinations(self) -> set[str]:
        return {r.destination for r in self.routes.values()}


def master(**more: Any) -> VrrpInstance:
    return router(**{**OWNER, "routes": (route(), route("10.0.1.0/24")), "rules": (rule(),), **more})


def test_addresses_then_routes_then_rules_and_back() -> None:
    host = Host(config(master()))
    assert host.role() is Role.MASTER
    assert host.order == ["ip.add_address", "ip.add_route", "ip.add_route", "ip.add_rule"]
    host.order.clear()
    host.run(host.director.stop(host.now))
    assert host.order == ["ip.del_rule", "ip.del_route", "ip.del_route", "ip.del_address"]
    assert (host.routes, host.rules, host.addresses) == ({}, {}, set())


def test_a_backup_removes_what_an_earlier_life_left_of_it() -> None:
    sight = Sight({route_key(route()): route()}, {rule_key(rule()): rule()})
    host = Host(config(router(routes=(route(),), rules=(rule(),))), sight)
    assert host.role() is Role.BACKUP and host.order == ["ip.del_rule", "ip.del_route"]


def test_what_is_there_already_is_adopted() -> None:
    sight = Sight({route_key(route()): route()}, {rule_key(rule()): rule()})
    host = Host(config(master(routes=(route(),))), sight, {address_key(vip("192.0.2.10/24"))})
    assert host.role() is Role.MASTER and host.order == []


def test_what_nobody_wants_any_more_goes_at_start() -> None:
    host = Host(config(master()), Sight(strange=(route("10.9.0.0/16"), rule(7))))
    assert host.order[:2] == ["ip.del_rule", "ip.del_route"]
    assert any("10.9.0.0/16" in text and "earlier process" in text for text in host.said)


def test_a_route_that_moves_between_instances_is_no_write() -> None:
    a, b = master(), router("VI_2", vrid=52, vips=("192.0.2.20/24",), **OWNER)
    host = Host(config(a, b))
    host.order.clear()
    moved = config(change(a, routes=(route(),)), change(b, routes=(route("10.0.1.0/24"),)))
    host.reload(moved)
    assert host.order == [] and host.role("VI_2") is Role.MASTER
    host.reload(config(change(a, name="new", routes=(route(),)), change(b, routes=(route("10.0.1.0/24"),))))
    assert host.order == []
    assert host.director.routing.routes.holders(route_key(route())) == ("new",)


def test_a_reload_changes_in_place_and_repairs_what_drifted() -> None:
    host = Host(config(master()))
    host.order.clear()
    host.reload(config(master(routes=(route(via="192.0.2.253"), route("10.0.1.0/24")))))
    assert host.order == ["ip.replace_route"]
    host.order.clear()
    del host.routes[route_key(route("10.0.1.0/24"))]
    host.reload(config(master(routes=(route(via="192.0.2.253"), route("10.0.1.0/24")))))
    assert host.order == ["ip.add_route"] and len(host.routes) == 2


def test_an_address_that_comes_back_anew_is_there_before_its_route() -> None:
    host = Host(config(master(routes=(route(source="192.0.2.10"),))))
    host.order.clear()
    host.reload(
        config(
            master(vips=("192.0.2.11/24",), routes=(route(source="192.0.2.11"),), rules=(rule(), rule(1001)))
        )
    )
    assert host.order == ["ip.add_address", "ip.replace_route", "ip.add_rule", "ip.del_address"]


def test_what_others_take_is_put_back_until_it_is_hopeless() -> None:
    host = Host(config(master()))
    for n in range(FLAPS):
        host.routes.clear()
        host.rules.clear()
        host.look(blame=True)
        assert host.destinations() == {"10.0.0.0/24", "10.0.1.0/24"} and len(host.rules) == 1, n
        assert host.role() is Role.MASTER
    counters = host.director.instances["VI_1"].counters
    assert counters.routes_lost == 3 * FLAPS
    host.rules.clear()
    host.look(blame=True)
    assert host.role() is Role.BACKUP and host.routes == {} and host.addresses == set()
    assert any("keeps removing rule inet 1000 table 100" in text for text in host.said)
    host.tick(2)
    assert host.role() is Role.MASTER and len(host.routes) == 2


def test_now_and_then_is_no_reason_to_give_way() -> None:
    host = Host(config(master()))
    for _ in range(3 * FLAPS):
        host.routes.clear()
        host.look(blame=True)
        host.now += FLAP_WINDOW_US // FLAPS
        assert len(host.routes) == 2
    assert host.director.instances["VI_1"].counters.release_master == 0


def test_an_edited_route_is_set_right() -> None:
    host = Host(config(master()))
    host.order.clear()
    host.routes[route_key(route())] = route(tos=0, ecn=True)
    host.look(blame=True)
    assert host.order == ["ip.replace_route"] and host.routes[route_key(route())] == route()


def test_what_the_kernel_insists_on_is_accepted() -> None:
    host = Host(config(master()))
    host.order.clear()
    for _ in range(4 * FLAPS):
        host.routes[route_key(route())] = route(ecn=True)
        host.look(blame=True)
    assert host.order == ["ip.replace_route"] and host.role() is Role.MASTER
    assert "otherwise" in host.director.routing.routes.problems[route_key(route())]
    host.director.routing.accepted()
    assert host.director.routing.routes.problems


def test_what_is_not_tracked_stays_away_until_the_next_time() -> None:
    host = Host(config(master(routes=(route(track=False),), rules=(rule(track=False),))))
    host.routes.clear()
    host.rules.clear()
    host.order.clear()
    host.look(blame=True)
    host.look(blame=False)
    assert host.order == [] and host.role() is Role.MASTER
    host.run(host.director.link("eth0", False, host.now))
    host.run(host.director.link("eth0", True, host.now))
    host.tick(2)
    assert host.role() is Role.MASTER and len(host.routes) == len(host.rules) == 1


def test_a_link_takes_its_routes_along_and_nobody_is_to_blame() -> None:
    far = route("10.0.2.0/24", device="eth1", track=False)
    host = Host(config(master(routes=(route(), far))))
    host.run(host.director.link("eth1", False, host.now))
    del host.routes[route_key(far)]
    host.order.clear()
    host.look(blame=True)
    host.look(blame=False)
    assert host.order == [] and host.role() is Role.MASTER
    host.run(host.director.link("eth1", True, host.now))
    host.look(blame=False)
    assert host.order == ["ip.add_route"] and route_key(far) in host.routes
    assert host.director.instances["VI_1"].counters.routes_lost == 0


def test_the_interface_of_a_tracked_route_is_tracked() -> None:
    host = Host(config(master(routes=(route("10.0.2.0/24", device="eth1"),))))
    host.run(host.director.link("eth1", False, host.now))
    assert host.role() is Role.FAULT
    assert host.director.instances["VI_1"].state.faults == {"interface eth1 of a route is down"}
    host.run(host.director.link("eth1", True, host.now))
    host.tick(5)
    assert host.role() is Role.MASTER


def test_the_interface_of_a_tracked_rule_is_tracked() -> None:
    host = Host(config(master(rules=(rule(iif="eth9"), rule(iif="eth8", track=False)))))
    assert host.director.instances["VI_1"].state.faults == {"interface eth9 of a rule is missing"}


def test_a_refused_route_is_news_once_and_tried_again() -> None:
    host = Host(config(master(routes=(route(),))))
    routing = host.director.routing
    host.routes.clear()
    assert routing.not_done(AddRoute(route=route()), "no gateway")
    assert not routing.not_done(AddRoute(route=route()), "no gateway")
    assert routing.routes.problems == {route_key(route()): "no gateway"}
    host.look(blame=False)
    routing.accepted()
    assert route_key(route()) in host.routes and routing.routes.problems == {}
    assert routing.not_done(DelRoute(route=route()), "not permitted")


# -- static things

STATIC: dict[str, Any] = {
    "static_addresses": (Address(address="203.0.113.9", prefix=24, device="eth1", family="inet"),),
    "static_routes": (route("10.50.0.0/16", device="eth1"),),
    "static_rules": (rule(500, iif="eth1"),),
}
KEY = AddressKey("eth1", "203.0.113.9", 24)


def test_static_things_are_there_whatever_the_role() -> None:
    host = Host(config(router(), **STATIC))
    assert host.role() is Role.BACKUP
    assert host.order == ["ip.add_address", "ip.add_route", "ip.add_rule"] and host.addresses == {KEY}
    host.order.clear()
    host.run(host.director.address_gone(KEY, host.now))
    assert host.order == ["ip.add_address"]
    host.run(host.director.stop(host.now))
    assert (host.routes, host.rules, host.addresses) == ({}, {}, set())


def test_static_things_are_adopted_and_reloaded_by_difference() -> None:
    sight = Sight({route_key(r): r for r in STATIC["static_routes"]}, {})
    host = Host(config(router(), **STATIC), sight, {KEY})
    assert host.order == ["ip.add_rule"]
    host.order.clear()
    host.reload(config(router(), **{**STATIC, "static_routes": (route("10.51.0.0/16", device="eth1"),)}))
    assert host.order == ["ip.add_route", "ip.del_route"]


def test_a_static_thing_and_a_virtual_one_may_be_the_same() -> None:
    host = Host(config(master(routes=(route("10.50.0.0/16", device="eth1"),)), **STATIC))
    assert host.order.count("ip.add_route") == 1
    host.run(host.director.link("eth0", False, host.now))
    assert host.role() is Role.FAULT and host.destinations() == {"10.50.0.0/16"}


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("kind", ["address", "route"])
def test_a_static_thing_is_left_alone_in_the_end_and_its_group_is_faulty(kind: str, by_hand: bool) -> None:
    grouped = {
        "static_addresses": tuple(change(a, track_group="G") for a in STATIC["static_addresses"]),
        "static_routes": tuple(change(r, track_group="G") for r in STATIC["static_routes"]),
        "track_groups": (TrackGroup(name="G", members=("VI_1",)),),
    }
    what = config(master(), router("VI_2", vrid=52, vips=("192.0.2.20/24",), **OWNER), **grouped)
    host = Host(what)
    for n in range(FLAPS + 1):
        assert host.role() is Role.MASTER, n
        if kind == "address":
            host.addresses.discard(KEY)
            host.run(host.director.address_gone(KEY, host.now))
        else:
            del host.routes[route_key(grouped["static_routes"][0])]
            host.look(blame=True)
    assert host.role() is Role.FAULT and host.role("VI_2") is Role.MASTER
    assert any("is left alone" in text for text in host.said)
    (fault,) = host.director.instances["VI_1"].state.faults
    assert "cannot be kept" in fault
    if by_hand:
        (static,) = grouped["static_routes"]
        host.routes[route_key(static)] = static
        host.addresses.add(KEY)
        host.run(host.director.put_back(host.addresses, host.now))
        host.look(blame=True)
        host.tick(5)
        assert host.role() is Role.MASTER and not host.director.given_up
    host.reload(what)
    host.tick(5)
    assert host.role() is Role.MASTER and KEY in host.addresses and "10.50.0.0/16" in host.destinations()


def test_a_track_group_follows_the_interface() -> None:
    host = Host(
        config(
            master(),
            static_routes=(route("10.50.0.0/16", device="eth1", track_group="G"),),
            static_rules=(rule(500, iif="eth1", track_group="G"),),
            track_groups=(TrackGroup(name="G", members=("VI_1",)),),
        )
    )
    host.run(host.director.link("eth1", False, host.now))
    assert host.director.instances["VI_1"].state.faults == {
        "interface eth1 of static route 10.50.0.0/16 is down",
        "interface eth1 of static rule 500 is down",
    }


def test_what_comes_back_with_a_link_is_announced() -> None:
    """A master that does not track its interface stays one; the switch has forgotten where its address is."""
    segment = Segment()
    host = segment.add("a", "192.0.2.1", config(router(track_primary=False)))
    segment.run(20 * S)
    (lost,) = host.addresses
    host.announced.clear()
    host.addresses.clear()
    segment.carry_out(host, host.director.put_back(host.addresses, segment.now))
    assert host.addresses == {lost} and host.announced == [(1, "192.0.2.10")]
    segment.carry_out(host, host.director.put_back(host.addresses, segment.now))
    assert len(host.announced) == 1


def test_nothing_stays_on_an_interface_with_another_name() -> None:
    segment = Segment()
    host = segment.add("a", "192.0.2.1", config(router()))
    segment.run(20 * S)
    held = dict(host.director.ledger.have)
    segment.carry_out(host, host.director.link("eth0", None, segment.now))
    host.addresses = {AddressKey("lan0", "192.0.2.10", 24), AddressKey("lan0", "192.0.2.1", 24)}
    director = host.director
    segment.carry_out(host, director.link("lan0", True, segment.now))
    segment.carry_out(host, director.renamed({"eth0": "lan0"}, held, host.addresses))
    assert host.addresses == {AddressKey("lan0", "192.0.2.1", 24)}


def test_what_is_still_wanted_goes_along_with_a_new_name() -> None:
    """Static addresses may be how the host is reached."""
    segment = Segment()
    host = segment.add("a", "192.0.2.1", config(static_addresses=(vip("203.0.113.9/24", "eth1"),)))
    held = dict(host.director.ledger.have)
    segment.carry_out(host, host.director.link("eth1", None, segment.now))
    host.addresses = {AddressKey("lan1", "203.0.113.9", 24)}
    segment.carry_out(host, host.director.renamed({"eth1": "lan1"}, held, host.addresses))
    assert host.addresses == {AddressKey("lan1", "203.0.113.9", 24)}
