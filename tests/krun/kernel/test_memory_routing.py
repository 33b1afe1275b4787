"""Routes and rules of the memory backend behave as those of the kernel: the same story is told to both."""

from __future__ import annotations

import errno
import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from kir.model import Address, Metric, Nexthop, Route, Rule
from kir.plan.operations import AddAddress, DelAddress
from kir.plan.route_operations import AddRoute, AddRule, DelRoute, DelRule, ReplaceRoute, RoutingOperation
from kir.route_state import RouteTable, mistakable, observed_routes, route_key
from kir.state import AddressKey
from krun.kernel.door import RouteChanged, RoutingLost, RuleChanged
from krun.kernel.linux import LinuxKernel
from krun.kernel.memory import MemoryKernel
from lab import needs
from lab.netns import Namespace

replace = msgspec.structs.replace


def route(destination: str = "10.0.0.0/24", via: str | None = "198.18.1.254", **more: Any) -> Route:
    family = "inet6" if ":" in destination else "inet"
    return Route(family=family, destination=destination, via=via, **{"device": "eth0", **more})  # type: ignore[arg-type]


@pytest.fixture
def kernel() -> MemoryKernel:
    return MemoryKernel(["eth0", "eth1"])


def refused(kernel: MemoryKernel, *operations: RoutingOperation) -> list[int]:
    return [failure.errno for failure in kernel.routing().apply(operations)]


def destinations(kernel: MemoryKernel) -> list[str]:
    return sorted(r.destination for r in kernel.routing().routes({18}))


def test_refusals(kernel: MemoryKernel) -> None:
    assert refused(kernel, AddRoute(route=route())) == []
    assert refused(kernel, AddRoute(route=route())) == [], "ours already"
    assert refused(kernel, AddRoute(route=route(via="198.18.1.253", mode="add"))) == [errno.EEXIST]
    assert refused(kernel, AddRoute(route=route(device="eth9"))) == [errno.ENODEV]
    assert refused(kernel, AddRoute(route=route(vrf="red"))) == [errno.ENODEV]
    assert refused(kernel, AddRoute(route=route(via="203.0.113.1"))) == [errno.ENETUNREACH]
    assert refused(kernel, AddRoute(route=route(via="203.0.113.1", onlink=True, priority=5))) == []
    assert refused(kernel, AddRoute(route=route(source="203.0.113.1"))) == [errno.EINVAL]
    kernel.set_link("eth1", up=False)
    assert refused(kernel, AddRoute(route=route(via=None, device="eth1"))) == [errno.ENETDOWN]
    kernel.routing().refuse = lambda operation: errno.EPERM
    (failure,) = kernel.routing().apply([AddRoute(route=route(priority=9))])
    assert "CAP_NET_ADMIN" in failure.message


def test_what_the_kernel_takes_along(kernel: MemoryKernel) -> None:
    host = kernel.rtnetlink()
    vip = AddressKey("eth0", "192.0.2.10", 32)
    host.add_address(*msgspec.structs.astuple(vip))
    near = route("10.0.1.0/24", device="eth1", via=None)
    kernel.routing().apply(
        [
            AddRoute(route=route(source="192.0.2.10")),
            AddRoute(route=near),
            AddRoute(route=route("10.0.2.0/24")),
        ]
    )
    kernel.remove_address(vip)
    assert destinations(kernel) == ["10.0.1.0/24", "10.0.2.0/24"]
    (own,) = [k for k, f in host.addresses().items() if k.device == "eth0" and f == "inet"]
    kernel.remove_address(own)
    assert destinations(kernel) == ["10.0.1.0/24"], "the last IPv4 address takes all IPv4 routes"
    kernel.set_link("eth1", up=False)
    assert destinations(kernel) == []


def test_events_once_they_are_asked_for(kernel: MemoryKernel) -> None:
    routing = kernel.routing()
    rule = Rule(family="inet", priority=5, action="table", table=9, fwmark=1)
    routing.apply([AddRoute(route=route()), AddRule(rule=rule)])
    assert routing.fileno() == -1 and routing.rules()[0].fwmask == 0xFFFFFFFF
    routing.watch()
    assert routing.fileno() >= 0
    routing.apply([ReplaceRoute(route=route(via="198.18.1.253"), old=route())])
    routing.remove_route(route(via="198.18.1.253"))
    routing.remove_rule(rule)
    kinds = [type(event) for event in routing.read_events()]
    assert kinds == [RouteChanged, RouteChanged, RuleChanged] and routing.rules() == []
    with pytest.raises(KeyError):
        routing.remove_route(route())
    routing.lose_events()
    assert routing.read_events() == [RoutingLost()] and routing.writes == 3
    assert refused(kernel, DelRoute(route=route()), DelRule(rule=rule)) == [], "gone is gone"
    routing.close()


@pytest.fixture
def both() -> Iterator[tuple[LinuxKernel, MemoryKernel, Namespace]]:
    needs.require_netns()
    space = Namespace("both")
    memory = MemoryKernel(["eth0", "eth1"])
    try:
        space.ip(
            *(f"link add eth{n} type veth peer name peer{n}" for n in (0, 1)),
            *(f"link set {name}{n} up" for n in (0, 1) for name in ("eth", "peer")),
            *(f"addr add 198.18.{n + 1}.1/24 dev eth{n}" for n in (0, 1)),
        )
        with space:
            linux = LinuxKernel()
            yield linux, memory, space
            linux.routing().close()
            linux.rtnetlink().close()
    finally:
        space.close()


ROUTES = [
    *(route(f"10.0.{n}.0/24", via=f"198.18.1.{g}") for n in (1, 2) for g in (253, 254)),
    *(route(f"10.0.{n}.0/24", via=None, device=d, priority=p) for n in (1, 2) for d in ("eth0", "eth1") for p in (None, 7)),
    route("10.0.3.0/24", source="192.0.2.9"),
    route("10.0.3.0/24", via="203.0.113.9"),
    route("10.0.4.0/24", via=None, device=None, type="blackhole"),
    route("10.0.4.0/24", via=None, device="eth1", metrics=(Metric(name="mtu", value=1400),)),
    route("10.0.5.0/24", mode="add"),
    route("10.0.5.0/24", via="198.18.1.253", mode="add"),
    route("10.0.6.0/24", via=None, device=None, nexthops=(Nexthop(via="198.18.1.9"), Nexthop(via="198.18.2.9"))),
    route("10.0.7.0/24", device="nope"),
]  # fmt: skip
VIP = Address(address="192.0.2.9", prefix=32, device="eth0", family="inet")


@pytest.mark.netns
@pytest.mark.parametrize("seed", range(12))
def test_the_same_story_ends_the_same(both: tuple[LinuxKernel, MemoryKernel, Namespace], seed: int) -> None:
    linux, memory, space = both
    chance = random.Random(seed)
    wanted: RouteTable = {route_key(r): r for r in ROUTES}

    def state(kernel: LinuxKernel | MemoryKernel) -> set[Any]:
        linux.rtnetlink().read_events()
        return set(observed_routes(kernel.routing().routes({18}), wanted)[0])

    for step in range(60):
        one = chance.choice(ROUTES)
        what = chance.randrange(12)
        operation: RoutingOperation
        if what < 6:
            operation = AddRoute(route=one)
        elif what < 9:
            held = observed_routes(linux.routing().routes({18}), wanted)[0]
            beside = tuple(r for k, r in held.items() if k != route_key(one) and mistakable(one, r))
            operation = DelRoute(route=one, beside=beside)
        elif what == 9:
            for kernel in (linux, memory):
                kernel.rtnetlink().apply_addresses([AddAddress(address=VIP)])
            continue
        elif what == 10:
            for kernel in (linux, memory):
                kernel.rtnetlink().apply_addresses([DelAddress(address=VIP)])
            assert state(linux) == state(memory), step
            continue
        else:
            for up in (False, True):
                memory.set_link("eth1", up=up)
                space.ip(f"link set eth1 {'up' if up else 'down'}")
            continue
        found = [
            [failure.errno for failure in kernel.routing().apply([operation])] for kernel in (linux, memory)
        ]
        assert found[0] == found[1], (step, operation)
        assert state(linux) == state(memory), (step, operation)
