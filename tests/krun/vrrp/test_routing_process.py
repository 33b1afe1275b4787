"""Routes, rules and static things in the process, with a real event loop, on a kernel in memory."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kir.model import Address, Route, Rule
from kir.route_state import RouteTable, observed_routes, route_key
from kir.state import AddressKey
from krun.kernel.memory import MemoryKernel
from krun.parent.children import needed

from .make import config, vip
from .test_process import QUICK, Lab, change, play, state, until

OWNER = change(QUICK, priority=255, initial_state="MASTER")
STATIC = Route(family="inet", destination="10.50.0.0/16", device="eth0", via="198.18.1.254")


def route(destination: str = "10.0.0.0/24", **more: Any) -> Route:
    return Route(family="inet", destination=destination, **{"device": "eth0", "via": "198.18.1.254", **more})


RULE = Rule(family="inet", priority=7, action="table", table=9)


def held(kernel: MemoryKernel, *wanted: Route) -> set[str]:
    table: RouteTable = {route_key(r): r for r in wanted}
    return {r.destination for r in observed_routes(kernel.routing().routes({18}), table)[0].values()}


def test_others_links_and_addresses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    by_vip = route("10.0.1.0/24", source="192.0.2.10")
    what = config(change(OWNER, routes=(route(), by_vip), rules=(RULE,)), static_routes=(STATIC,))
    every = (route(), by_vip, STATIC)

    async def story(lab: Lab) -> None:
        a = await lab.start(what)
        kernel = lab.kernels[0]
        routing = kernel.routing()
        await until(lambda: state(a) == "MASTER")
        assert held(kernel, *every) == {r.destination for r in every} and len(routing.rules()) == 1
        writes = routing.writes
        assert writes == 4
        routing.remove_route(route())
        routing.remove_rule(RULE)
        await until(lambda: len(held(kernel, *every)) == 3 and len(routing.rules()) == 1)
        shown = a.status()["vrrp"][0]
        assert shown["counters"]["routes_lost"] == 2 and routing.writes == writes + 2
        msgspec.json.encode(a.status())
        # An address takes along the routes that prefer it, and the kernel says nothing of them.
        kernel.remove_address(AddressKey("eth0", "192.0.2.10", 24))
        await until(lambda: len(held(kernel, *every)) == 3)
        kernel.set_link("eth0", up=False)
        await until(lambda: state(a) == "FAULT")
        assert held(kernel, *every) == set() and routing.rules() == []
        kernel.set_link("eth0", up=True)
        await until(lambda: len(held(kernel, *every)) == 3)
        assert a.status()["vrrp"][0]["counters"]["routes_lost"] == 2
        routing._routes.clear()
        routing.lose_events()
        await until(lambda: len(held(kernel, *every)) == 3)
        await a.stop()
        assert routing.routes({18}) == [] and routing.rules() == []

    play(monkeypatch, tmp_path, story)


def test_a_reload_counts_and_a_successor_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = config(
        change(OWNER, routes=(route(), route("10.0.1.0/24")), rules=(RULE,)), static_routes=(STATIC,)
    )

    async def story(lab: Lab) -> None:
        a = await lab.start(first)
        kernel = lab.kernels[0]
        await until(lambda: state(a) == "MASTER")
        second = config(
            change(OWNER, routes=(route(via="198.18.1.253"), route("10.0.1.0/24")), rules=(RULE,)),
            static_routes=(STATIC, route("10.51.0.0/16")),
        )
        expected = {"vrrp.update": 1, "ip.replace_route": 1, "ip.add_route": 1}
        assert a.prepare(second, "d") == expected
        writes = kernel.routing().writes
        assert a.commit() == {"operations": expected, "failures": []}
        assert kernel.routing().writes == writes + 2
        assert a.prepare(second, "d") == {} and a.commit() == {"operations": {}, "failures": []}
        writes = kernel.routing().writes
        promises = lab.promises(0)
        a.abandon()
        again = await lab.start(second, kernel, promises)
        assert state(again) == "MASTER" and kernel.routing().writes == writes

    play(monkeypatch, tmp_path, story)


def test_routes_survive_an_address_that_is_made_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    by_vip = route("10.0.1.0/24", source="192.0.2.10")

    async def story(lab: Lab) -> None:
        a = await lab.start(config(change(OWNER, routes=(by_vip,))))
        kernel = lab.kernels[0]
        await until(lambda: state(a) == "MASTER" and held(kernel, by_vip))
        other = config(change(OWNER, vips=(vip("192.0.2.10/24", scope=253),), routes=(by_vip,)))
        a.prepare(other, "d")
        answer = a.commit()
        assert answer["operations"] == {
            "vrrp.update": 1,
            "ip.del_address": 1,
            "ip.add_address": 1,
            "ip.add_route": 1,
        }
        assert held(kernel, by_vip) == {"10.0.1.0/24"}
        assert a.status()["vrrp"][0]["counters"]["routes_lost"] == 0

    play(monkeypatch, tmp_path, story)


def test_names_are_judged_before_anything_is_touched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(lab: Lab) -> None:
        a = await lab.start(config(OWNER))
        with pytest.raises(ValueError, match=r"vrrp_instance VI_1: route .*no routing table `nowhere`"):
            a.prepare(config(change(OWNER, routes=(route(table="nowhere"),))), "d")
        with pytest.raises(ValueError, match=r"static: rule .*no routing table `nowhere`"):
            a.prepare(config(OWNER, static_rules=(change(RULE, table="nowhere"),)), "d")
        with caplog.at_level(logging.ERROR, "krun.vrrp"):
            b = await lab.start(
                config(
                    change(OWNER, rules=(change(RULE, table="nowhere"),)), static_routes=(route(table="no"),)
                ),
                MemoryKernel(["eth0"]),
            )
        (shown,) = b.status()["vrrp"]
        assert shown["state"] == "FAULT" and "no routing table `nowhere`" in shown["faults"][0]
        assert "no routing table `no`" in b.status()["static"]["problems"][0] and "`no`" in caplog.text

    play(monkeypatch, tmp_path, story)


def test_an_instance_may_send_from_a_static_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    static = Address(address="198.51.100.7", prefix=24, device="eth1", family="inet")

    async def story(lab: Lab) -> None:
        kernel = MemoryKernel(["eth0"])
        kernel.rtnetlink().set_link("eth1")
        lab.wire.attach(kernel, "eth1")
        a = await lab.start(
            config(
                change(OWNER, interface="eth1", vips=(vip("198.51.100.10/24", "eth1"),)),
                static_addresses=(static,),
            ),
            kernel,
        )
        await until(lambda: state(a) == "MASTER")
        assert a.status()["vrrp"][0]["source"] == "198.51.100.7"
        (shown,) = a.status()["static"]["addresses"]
        assert shown == {"name": "198.51.100.7/24 dev eth1", "present": True}
        kernel.remove_address(AddressKey("eth1", "198.51.100.7", 24))
        await until(
            lambda: (
                state(a) == "MASTER"
                and AddressKey("eth1", "198.51.100.7", 24) in kernel.rtnetlink().addresses()
            )
        )

    play(monkeypatch, tmp_path, story)


def test_a_static_thing_waits_for_its_interface(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    static = Address(address="203.0.113.9", prefix=24, device="eth7", family="inet")
    far = Route(family="inet", destination="10.50.0.0/16", device="eth7", via="203.0.113.254")

    async def story(lab: Lab) -> None:
        kernel = MemoryKernel(["eth0"])
        a = await lab.start(config(OWNER, static_addresses=(static,), static_routes=(far,)), kernel)
        (shown,) = a.status()["static"]["routes"]
        assert not shown["present"] and "no interface eth7" in shown["problem"]
        kernel.rtnetlink().set_link("eth7")
        await until(lambda: held(kernel, far) == {"10.50.0.0/16"})
        await until(lambda: a.status()["static"]["routes"][0]["present"])
        await asyncio.sleep(0)

    play(monkeypatch, tmp_path, story)


def test_static_things_need_no_instance(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    what = config(static_routes=(STATIC,))
    assert needed(what) == ("script", "vrrp")

    async def story(lab: Lab) -> None:
        a = await lab.start(what)
        (shown,) = a.status()["static"]["routes"]
        assert shown["present"] and held(lab.kernels[0], STATIC) == {STATIC.destination}
        await a.stop()
        assert not held(lab.kernels[0], STATIC)

    play(monkeypatch, tmp_path, story)
