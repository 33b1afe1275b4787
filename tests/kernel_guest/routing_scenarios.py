"""Routes and rules of a real kernel that the test machine's own may not have: VRFs, MPLS and ILA, and writes counted on the wire.

Run as a program it plays every scenario and writes one JSON line for each: name, error (null: it passed), figures.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kir.model import Route
from kir.plan.route_operations import AddRoute, AddRule, DelRoute, DelRule
from kir.route_state import observed_routes, observed_rules, route_key, rule_key
from krun.kernel.linux import LinuxKernel
from krun.kernel.routing.names import Names, numbered_route, numbered_rule
from krun.kernel.routing.part import LinuxRouting
from lab.krun import Krun
from lab.netlink_watch import NetlinkWatch
from lab.netns import Namespace, Segment
from lab.processes import wait_for
from support.routing_lines import HOST, ROUTES, RULES, compiled, config_text

FIGURES: dict[str, object] = {}


@contextmanager
def _host(*commands: str) -> Iterator[tuple[Namespace, LinuxRouting]]:
    with Namespace("routing") as space:
        space.ip(*HOST, *commands)
        kernel = LinuxKernel()
        try:
            yield space, kernel.routing()
        finally:
            kernel.routing().close()
            kernel.rtnetlink().close()
    space.close()


def _routes(*lines: str) -> list[Route]:
    return [numbered_route(route, Names()) for route in compiled(lines)[0]]


def every_option_on_this_kernel() -> None:
    """The table of lines, written, read back and taken away."""
    routes, rules = compiled(ROUTES, RULES)
    names = Names()
    want = {route_key(r): r for r in (numbered_route(route, names) for route in routes)}
    want_rules = {rule_key(r): r for r in (numbered_rule(rule, names) for rule in rules)}
    with _host() as (_, routing):
        steps = [*(AddRoute(route=r) for r in want.values()), *(AddRule(rule=r) for r in want_rules.values())]
        assert routing.apply(steps) == []
        protocols = {int(r.protocol) for r in want.values()}
        assert observed_routes(routing.routes(protocols), want) == (want, [])
        assert observed_rules(routing.rules(), want_rules)[0] == want_rules
        away = [*(DelRule(rule=r) for r in want_rules.values()), *(DelRoute(route=r) for r in want.values())]
        assert routing.apply(away) == [] and routing.routes(protocols) == []
        FIGURES["routes"], FIGURES["rules"] = len(want), len(want_rules)


def routes_of_a_vrf_are_in_its_table() -> None:
    with _host("link add red type vrf table 77", "link set red up", "link set eth1 master red") as (
        space,
        routing,
    ):
        (route,) = _routes("10.0.0.0/24 via 198.51.100.254 dev eth1 vrf red")
        assert routing.vrf_tables() == {"red": 77}
        assert routing.apply([AddRoute(route=route)]) == []
        (seen,) = space.ip_json("route", "show", "10.0.0.0/24", "table", "77")
        assert seen["gateway"] == "198.51.100.254"
        wanted = {route_key(route): route}
        assert observed_routes(routing.routes({18}), wanted, routing.vrf_tables()) == (wanted, [])
        assert routing.apply([DelRoute(route=route)]) == [] and routing.routes({18}) == []


def labels_and_locators() -> None:
    subprocess.run(["modprobe", "-a", "mpls_iptunnel", "ila"], check=True)
    with _host() as (space, routing):
        routes = _routes(
            "10.0.0.0/24 via 192.0.2.254 dev eth0 encap mpls 100/200",
            "2001:db8:100:0:2000::/68 via 2001:db8::fe dev eth0 encap ila 2001:db8:0:7",
            "2001:db8:101::/64 via 2001:db8::fe dev eth0 encap mpls 17",
        )
        assert routing.apply([AddRoute(route=r) for r in routes]) == []
        (seen,) = space.ip_json("route", "show", "10.0.0.0/24")
        assert (seen["encap"], seen["dst"]) == ("mpls", "100/200")
        wanted = {route_key(r): r for r in routes}
        assert observed_routes(routing.routes({18}), wanted) == (wanted, [])
        assert routing.apply([DelRoute(route=r) for r in routes]) == [] and routing.routes({18}) == []


def writes_are_counted_on_the_wire() -> None:
    """A reload with one route changed is one write, one with nothing changed none, and neither has a successor any."""
    line = "10.60.0.0/16 via 192.0.2.254 dev eth0"
    rule = "from 10.60.0.0/16 table 78 preference 600"
    more = tuple(f"10.{n}.0.0/16 via 192.0.2.254 dev eth0" for n in range(61, 81))
    patient = {
        "down_timer_adverts": 20
    }  # a start may take seconds in here, and no promise is kept beyond its time
    with Segment({"a": ["192.0.2.1/24"]}, label="writes") as segment:
        director = segment["a"]
        krun = Krun(director, config_text((line, *more), (rule,), **patient), folder=director.folder)
        krun.wait_running()
        wait_for("the virtual address", lambda: director.has("192.0.2.100"), timeout=30)
        time.sleep(2)
        with NetlinkWatch(director) as watch:

            def reloaded(text: str) -> list[str]:
                answer = krun.reload(text)
                assert answer.status == 0, answer.stderr
                time.sleep(1)
                return [write.name for write in watch.take()]

            changed = config_text((line.replace("254", "253"), *more), (rule,), **patient)
            assert reloaded(changed) == ["new_route"]
            assert krun.status()["last_reload"]["operations"] == {"vrrp.update": 1, "ip.replace_route": 1}
            assert reloaded(changed) == []
            pid = next(p["pid"] for p in krun.status()["processes"] if p["name"] == "vrrp")
            os.kill(pid, signal.SIGKILL)

            def back() -> bool:
                process = next(p for p in krun.status()["processes"] if p["name"] == "vrrp")
                return bool(process["pid"] != pid and process["answered"])

            wait_for("the successor to answer", back, timeout=30)
            time.sleep(2)
            assert krun.status()["vrrp"][0]["state"] == "MASTER"
            written = [write.name for write in watch.take()]
            assert not written, (written, krun.log.read_text())
        assert krun.stop() == 0


SCENARIOS: dict[str, Callable[[], None]] = {
    scenario.__name__: scenario
    for scenario in (
        every_option_on_this_kernel,
        routes_of_a_vrf_are_in_its_table,
        labels_and_locators,
        writes_are_counted_on_the_wire,
    )
}


def main() -> None:
    for name, scenario in SCENARIOS.items():
        FIGURES.clear()
        error = None
        try:
            scenario()
        except BaseException:
            error = traceback.format_exc()
        print(json.dumps({"name": name, "error": error, "figures": FIGURES}), flush=True)


if __name__ == "__main__":
    main()
