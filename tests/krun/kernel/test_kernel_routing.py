"""Routes and rules on the real kernel; iproute2 and pyroute2 read what our packers wrote."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pytest

from kir.model import Metric, Route, Rule
from kir.plan.route_operations import AddRoute, AddRule, DelRoute, DelRule, ReplaceRoute
from kir.route_state import observed_routes, observed_rules, route_key, rule_key
from krun.kernel.door import RouteChanged, RuleChanged
from krun.kernel.linux import LinuxKernel
from krun.kernel.routing.names import Names, numbered_route, numbered_rule
from krun.kernel.routing.part import LinuxRouting
from lab import needs
from lab.netns import Namespace
from support.routing_lines import HOST, ROUTES, RULES, compiled

pytestmark = pytest.mark.netns

replace = msgspec.structs.replace


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    needs.require_netns()
    space = Namespace("routing")
    try:
        space.ip(*HOST)
        with space:
            yield space
    finally:
        space.close()


@pytest.fixture
def routing(namespace: Namespace) -> Iterator[LinuxRouting]:
    kernel = LinuxKernel()
    part = kernel.routing()
    yield part
    part.close()
    kernel.rtnetlink().close()


def meant(
    routes: Sequence[str] = (), rules: Sequence[str] = ()
) -> tuple[tuple[Route, ...], tuple[Rule, ...]]:
    names = Names()
    found = compiled(tuple(routes), tuple(rules))
    return tuple(numbered_route(r, names) for r in found[0]), tuple(numbered_rule(r, names) for r in found[1])


def shown(space: Namespace, destination: str, *more: str) -> list[dict[str, Any]]:
    """What iproute2 says of the routes to a destination."""
    family = ["-6"] if ":" in destination else []
    return space.ip_json("-d", *family, "route", "show", destination, *(more or ("table", "all")))


def test_every_option_is_written_read_back_and_taken_away(routing: LinuxRouting) -> None:
    routes, rules = meant(ROUTES, RULES)
    before = routing.rules()
    assert routing.apply([AddRoute(route=r) for r in routes] + [AddRule(rule=r) for r in rules]) == []
    assert routing.writes == len(routes) + len(rules)
    wanted = {route_key(r): r for r in routes}
    protocols = {int(r.protocol) for r in routes}
    assert observed_routes(routing.routes(protocols), wanted) == (wanted, [])
    wanted_rules = {rule_key(r): r for r in rules}
    found, others = observed_rules(routing.rules(), wanted_rules)
    assert found == wanted_rules and len(others) == len(before)
    # A second time: all is there, and nothing is there twice.
    assert routing.apply([AddRoute(route=r) for r in routes] + [AddRule(rule=r) for r in rules]) == []
    assert len(routing.rules()) == len(before) + len(rules)
    away = [DelRule(rule=r) for r in rules[::-1]] + [DelRoute(route=r) for r in routes[::-1]]
    assert routing.apply(away) == []
    assert routing.routes(protocols) == [] and routing.rules() == before
    assert routing.apply(away) == [], "what is to go and is gone is no failure"


ODD = (
    "10.0.0.0/24 via 192.0.2.254 dev eth0 rtt 1.0001s rttvar 0.2003s rto_min 200.7ms",
    "10.0.1.0/24 via 192.0.2.254 dev eth0 mtu 0 quickack 0 hoplimit 0 window 0",
    "10.0.2.0/24 via 192.0.2.254 dev eth0 mtu lock 4000000 advmss 4000000",
    "10.0.3.0/24 nexthop via 192.0.2.254 dev eth0 weight 5",
    "10.0.4.0/24 via 192.0.2.254 dev eth0 metric 0 realms cosmos/0",
    "10.0.5.0/24 dev eth0 encap ip dst 192.0.2.77 id 0 ttl 0 tos 0 flags 0",
    "10.0.6.0/24 dev eth0 encap ip dst 192.0.2.77 flags 4",
    "10.0.7.0/24 dev eth0 src 192.0.2.1 encap ip dst 192.0.2.77 src 0.0.0.0",
    "broadcast 10.0.8.0/24 dev eth0",
    "anycast 10.0.9.0/24 dev eth0",
    "multicast 10.0.10.0/24 dev eth0",
    "local 10.0.11.0/24 dev eth0",
    "10.0.12.0/24 nexthop via 192.0.2.254 weight 1 nexthop dev eth1 weight 2",
    "2001:db8:100::/48 via 2001:db8::fe dev eth0 metric 0 pref 2",
    "2001:db8:101::/48 via 2001:db8::fe dev eth0 pref 7 mtu 1 hoplimit 255",
    "2001:db8:102::/48 nexthop via 2001:db8::fe dev eth0 weight 5",
    "2001:db8:103::/48 nexthop dev eth0 nexthop via 2001:db8:1::fe dev eth1",
    "2001:db8:104::/48 dev eth0 scope link tos 0x10",
    "throw 2001:db8:105::/48 table 5",
    "::ffff:0:0/96 via 2001:db8::fe dev eth0",
    "::/0 nexthop via fe80::5 dev eth0 onlink nexthop via fe80::6 dev eth1",
)


@pytest.mark.parametrize("line", ODD)
def test_what_the_kernel_keeps_in_its_own_way_is_recognised(routing: LinuxRouting, line: str) -> None:
    (route,), _ = meant([line])
    failures = routing.apply([AddRoute(route=route)])
    wanted = {route_key(route): route}
    found, others = observed_routes(routing.routes({18}), wanted)
    assert others == [], "what was written is not recognised"
    if failures:
        assert found == {} and failures[0].errno == errno.EINVAL
    else:
        assert found[route_key(route)] is route
    assert routing.apply([DelRoute(route=route)]) == [] and routing.routes({18}) == []


ODD_RULES = (
    "fwmark 0 table 5 preference 9",
    "fwmark 0/0xff table 5 preference 9",
    "fwmark 5/0 table 5 preference 9",
    "tos 0 table 5 preference 9",
    "uidrange 0-0 table 5 preference 9",
    "uidrange 0-4294967295 table 5 preference 9",
    "ipproto 0 table 5 preference 9",
    "tunnel-id 0 table 5 preference 9",
    "realms 0/0 table 5 preference 9",
    "realms 3 table 5 preference 9",
    "sport 0-65535 table 5 preference 9",
    "dport 53-53 table 5 preference 9",
    "from 0.0.0.0/0 to 10.0.0.0/8 table 5 preference 9",
    "to ::/0 from 2001:db8::/32 table 5 preference 9",
    "not from all table 5 preference 9",
    "sup_group 0 table 5 preference 9",
    "table 255 preference 1",
    "table 4294967295 preference 4294967295",
    "iif lo oif nowhere table 5 preference 9",
    "l3mdev iif eth0 preference 9",
    "goto 10 preference 9",
    "protocol 0 no_track table 5 preference 9",
)


@pytest.mark.parametrize("line", ODD_RULES)
def test_an_odd_rule_is_recognised_too(routing: LinuxRouting, line: str) -> None:
    _, (rule,) = meant([], [line])
    before = routing.rules()
    failures = routing.apply([AddRule(rule=rule)])
    found, others = observed_rules(routing.rules(), {rule_key(rule): rule})
    if failures:
        assert found == {} and failures[0].errno == errno.EINVAL
    else:
        assert found == {rule_key(rule): rule}
    assert others == before
    assert routing.apply([AddRule(rule=rule)] if found else []) == []
    assert len(routing.rules()) == len(before) + len(found)
    assert routing.apply([DelRule(rule=rule)] if found else []) == [] and routing.rules() == before


def test_iproute2_reads_the_same(namespace: Namespace, routing: LinuxRouting) -> None:
    routes, rules = meant(ROUTES, RULES)
    assert routing.apply([AddRoute(route=r) for r in routes] + [AddRule(rule=r) for r in rules]) == []
    (metrics,) = shown(namespace, "10.0.10.0/24")
    # iproute2 names locked metrics with a word of its own.
    assert metrics["protocol"] == "keepalived" and metrics["gateway"] == "192.0.2.254"
    assert metrics["metrics"][0]["mtu"] == 1280 and metrics["metrics"][0]["reordering"] == 6
    assert metrics["metrics"][0]["ssthresh"] == 40
    (hops,) = shown(namespace, "10.0.22.0/24")
    assert [(h["gateway"], h["dev"], h["weight"]) for h in hops["nexthops"]] == [
        ("192.0.2.254", "eth0", 3),
        ("198.51.100.254", "eth1", 250),
    ]
    (tunnel,) = shown(namespace, "10.0.24.0/24")
    assert (tunnel["encap"], tunnel["id"], tunnel["dst"]) == ("ip", 7, "192.0.2.77")
    (far,) = shown(namespace, "10.0.6.0/24", "table", "70000")
    assert far["metric"] == 5
    (lasting,) = shown(namespace, "2001:db8:104::/48")
    assert 3590 <= lasting["expires"] <= 3600 and lasting["pref"] == "high"
    by_priority = {r["priority"]: r for r in namespace.ip_json("rule", "show")}
    assert by_priority[1002]["not"] is None and by_priority[1002]["dstlen"] == 16
    assert by_priority[1007]["fwmark"] == "0x20" and by_priority[1007]["fwmask"] == "0xf0"
    assert (by_priority[1010]["sport_start"], by_priority[1010]["dport_end"]) == (10, 90)
    assert by_priority[1021]["protocol"] == "77"
    assert by_priority[1019]["goto"] == 1100 and by_priority[1009]["uid_start"] == 1000


def test_an_independent_reader_agrees(routing: LinuxRouting) -> None:
    from pyroute2 import IPRoute

    routes, rules = meant(ROUTES, RULES)
    routing.apply([AddRoute(route=r) for r in routes] + [AddRule(rule=r) for r in rules])
    with IPRoute() as reader:
        ours = [r for r in reader.get_routes() if r["proto"] == 18]
        assert len(ours) == len([r for r in routes if r.protocol == 18])
        told = {(r.get_attr("FRA_PRIORITY"), r.get_attr("FRA_PROTOCOL")) for r in reader.get_rules()}
        assert {(r.priority, r.protocol) for r in rules} <= told
        (locked,) = [r for r in ours if r.get_attr("RTA_DST") == "10.0.10.0"]
        assert locked.get_attr("RTA_METRICS").get_attr("RTAX_LOCK") == 1 << 2 | 1 << 6 | 1 << 7
        (tunnel,) = [r for r in ours if r.get_attr("RTA_DST") == "10.0.24.0"]
        assert tunnel.get_attr("RTA_ENCAP_TYPE") == 2


def test_a_route_changes_in_place(namespace: Namespace, routing: LinuxRouting) -> None:
    (old,), _ = meant(["10.0.0.0/24 via 192.0.2.254 dev eth0"])
    new = replace(old, via="192.0.2.253", metrics=(Metric(name="mtu", value=1400),))
    routing.apply([AddRoute(route=old)])
    assert routing.apply([ReplaceRoute(route=new, old=old)]) == []
    (seen,) = shown(namespace, "10.0.0.0/24")
    assert seen["gateway"] == "192.0.2.253" and seen["metrics"] == [{"mtu": 1400}]


def test_exactly_this_route_goes(namespace: Namespace, routing: LinuxRouting) -> None:
    (ours,), _ = meant(["10.0.0.0/24 via 192.0.2.254 dev eth0"])
    namespace.ip("route add 10.0.0.0/24 via 192.0.2.253 dev eth0", "route add 10.0.0.0/24 dev eth1 metric 7")
    assert routing.apply([AddRoute(route=ours)]) == []
    assert [r["gateway"] for r in shown(namespace, "10.0.0.0/24") if "gateway" in r] == [
        "192.0.2.254",
        "192.0.2.253",
    ], "prepended: the first one is used"
    assert routing.apply([DelRoute(route=ours)]) == []
    left = shown(namespace, "10.0.0.0/24")
    assert [r.get("gateway") for r in left] == ["192.0.2.253", None]


def test_the_route_of_another_is_never_deleted(namespace: Namespace, routing: LinuxRouting) -> None:
    (ours,), (our_rule,) = meant(
        ["10.0.0.0/24 via 192.0.2.254 dev eth0"], ["from 10.1.0.0/24 table 100 preference 1000"]
    )
    namespace.ip(
        "route add 10.0.0.0/24 via 192.0.2.254 dev eth0 proto static", "rule add from 10.1.0.0/24 table 100"
    )
    namespace.ip("rule add from 10.1.0.0/24 table 100 pref 1000")
    assert routing.apply([DelRoute(route=ours), DelRule(rule=our_rule)]) == []
    (left,) = shown(namespace, "10.0.0.0/24")
    assert left["protocol"] == "static"
    assert 1000 in {r["priority"] for r in namespace.ip_json("rule", "show")}


def test_add_refuses_a_second_route_in_words(namespace: Namespace, routing: LinuxRouting) -> None:
    (ours,), _ = meant(["10.0.0.0/24 via 192.0.2.254 dev eth0 add"])
    namespace.ip("route add 10.0.0.0/24 via 192.0.2.253 dev eth0")
    (failure,) = routing.apply([AddRoute(route=ours)])
    assert failure.errno == errno.EEXIST and "`add` refuses" in failure.message


@pytest.mark.parametrize(
    ("line", "number", "words"),
    [
        ("10.0.0.0/24 via 192.0.2.254 dev nope", errno.ENODEV, "no interface nope"),
        ("10.0.0.0/24 dev eth0 vrf nope", errno.ENODEV, "VRF nope"),
        ("10.0.0.0/24 via 203.0.113.1 dev eth0", errno.ENETUNREACH, "203.0.113.1 cannot be reached directly"),
        ("10.0.0.0/24 dev eth0 src 203.0.113.9", errno.EINVAL, "203.0.113.9 (src)"),
        ("2001:db8:9::/48 via 2001:db8:ffff::1 dev eth0", errno.EHOSTUNREACH, "cannot be reached"),
        ("10.0.0.0/24 dev eth0 encap ila 1:2:3:4", errno.EOPNOTSUPP, ""),
    ],
)
def test_refusals_are_words(routing: LinuxRouting, line: str, number: int, words: str) -> None:
    (route,), _ = meant([line])
    (failure,) = routing.apply([AddRoute(route=route)])
    assert words in failure.message and failure.message.startswith(f"ip.add_route {route_key(route)}: ")
    assert failure.errno == number or not words


def test_a_refused_one_does_not_stop_the_rest(routing: LinuxRouting) -> None:
    (bad, good), _ = meant(["10.0.0.0/24 dev nope", "10.0.1.0/24 dev eth0"])
    (failure,) = routing.apply([AddRoute(route=bad), AddRoute(route=good)])
    assert failure.operation == AddRoute(route=bad)
    assert [r.destination for r in routing.routes({18})] == ["10.0.1.0/24"]


def test_thousand_routes_are_two_system_calls_and_a_dump(routing: LinuxRouting) -> None:
    routes = [
        Route(family="inet", destination=f"10.{n // 256}.{n % 256}.0/24", via="192.0.2.254", device="eth0")
        for n in range(1000)
    ]
    assert routing.apply([AddRoute(route=r) for r in routes]) == [] and routing.writes == 1000
    wanted = {route_key(r): r for r in routes}
    assert observed_routes(routing.routes({18}), wanted) == (wanted, [])


def test_what_others_delete_and_replace_is_told(namespace: Namespace, routing: LinuxRouting) -> None:
    routes, (rule,) = meant(
        ["10.0.0.0/24 via 192.0.2.254 dev eth0", "2001:db8:9::/48 via 2001:db8::fe dev eth0"],
        ["from 10.1.0.0/24 table 100 preference 1000"],
    )
    routing.apply([*(AddRoute(route=r) for r in routes), AddRule(rule=rule)])
    assert routing.fileno() == -1
    routing.watch()
    assert routing.fileno() >= 0
    namespace.ip("route add 10.7.0.0/24 dev eth1", "route del 10.7.0.0/24 dev eth1")
    assert routing.read_events() == [], "what is not ours is not told"
    namespace.ip("route replace 10.0.0.0/24 via 192.0.2.253 dev eth0 proto static")
    (event,) = routing.read_events()
    assert isinstance(event, RouteChanged) and not event.gone and event.route.via == "192.0.2.253"
    namespace.ip(
        "route del 2001:db8:9::/48 via 2001:db8::fe dev eth0 proto keepalived",
        "rule del from 10.1.0.0/24 table 100",
    )
    gone, lost = routing.read_events()
    assert isinstance(gone, RouteChanged) and gone.gone and route_key(gone.route) == route_key(routes[1])
    assert isinstance(lost, RuleChanged) and lost.rule.priority == 1000
