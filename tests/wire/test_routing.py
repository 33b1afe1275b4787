"""Routes and rules of a director on a real kernel, beside keepalived: the same configuration makes the same tables, and what
befalls them (failover, kill, reload, others at work) is judged by what iproute2 says."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.keepalived import Keepalived
from lab.krun import Krun
from lab.needs import require_keepalived, require_netns
from lab.netns import Director, Segment
from lab.processes import Process, wait_for
from support.routing_lines import ROUTES, RULES, config_text

pytestmark = [pytest.mark.netns, pytest.mark.keepalived]

VIP = "192.0.2.100"
ADDRESSES = {"a": ["192.0.2.1/24", "2001:db8::1/64"], "b": ["192.0.2.2/24", "2001:db8::2/64"]}
SECOND = (
    "link add eth1 type veth peer name peer1",
    "link set peer1 up",
    "link set eth1 up",
    "addr add 198.51.100.1/24 dev eth1",
    "addr add 2001:db8:1::1/64 dev eth1 nodad",
)
GATEWAY = "10.60.0.0/16 via 192.0.2.254 dev eth0"
RULE = "from 10.60.0.0/16 table 78 preference 600"


@pytest.fixture
def segment() -> Iterator[Segment]:
    require_netns()
    require_keepalived()
    with Segment(ADDRESSES, label="routing") as made:
        for director in made.directors.values():
            director.ip(*SECOND)
        yield made


def tables(director: Director) -> dict[str, list[str]]:
    """All routes and rules, one line each, sorted; what runs down is left out."""
    found: dict[str, list[str]] = {}
    for family in ("-4", "-6"):
        for what in (["route", "show", "table", "all"], ["rule", "show"]):
            entries = director.ip_json("-d", family, *what)
            for entry in entries:
                entry.pop("expires", None)
            found[f"{family} {what[0]}"] = sorted(json.dumps(entry, sort_keys=True) for entry in entries)
    return found


def ours(director: Director, family: str = "-4") -> list[dict[str, Any]]:
    return director.ip_json(family, "route", "show", "table", "all", "proto", "keepalived")


def gateways(director: Director) -> dict[str, str | None]:
    """Destination → gateway of our IPv4 routes."""
    return {route["dst"]: route.get("gateway") for route in ours(director)}


def priorities(director: Director) -> set[int]:
    return {rule["priority"] for rule in director.ip_json("rule", "show")} - {0, 32766, 32767}


class Monitor:
    """``ip monitor``: every change of a route, rule or address that anybody makes."""

    def __init__(self, director: Director) -> None:
        self._log = director.folder / "monitor.log"
        self._log.unlink(missing_ok=True)
        self._process: Process = director.start(
            ["stdbuf", "-oL", "ip", "monitor", "route", "rule", "address"], log=self._log
        )
        time.sleep(0.3)

    def lines(self) -> list[str]:
        time.sleep(0.3)
        text = self._log.read_text() if self._log.exists() else ""
        return [line for line in text.splitlines() if line.strip() and not line.startswith(" ")]

    def stop(self) -> list[str]:
        found = self.lines()
        self._process.stop(5)
        return found


def start(director: Director, text: str) -> Krun:
    krun = Krun(director, text, folder=director.folder)
    krun.wait_running()
    return krun


def master(director: Director) -> None:
    wait_for(f"{director.label} to hold {VIP}", lambda: director.has(VIP), timeout=20)


def test_the_same_tables_as_keepalived(segment: Segment) -> None:
    director = segment["a"]
    text = config_text(ROUTES, RULES)
    before = tables(director)
    peer = Keepalived(director, text, only="vrrp")
    peer.wait_running()
    master(director)
    wait_for("keepalived's rules", lambda: 1022 in priorities(director), timeout=10)
    time.sleep(0.5)
    theirs = tables(director)
    assert peer.stop() == 0
    wait_for("keepalived to have gone", lambda: tables(director) == before, timeout=10)
    krun = start(director, text)
    master(director)
    wait_for("our rules", lambda: 1022 in priorities(director), timeout=10)
    assert tables(director) == theirs
    (instance,) = krun.status()["vrrp"]
    assert [r for r in (*instance["routes"], *instance["rules"]) if not r["present"]] == []
    assert (len(instance["routes"]), len(instance["rules"])) == (len(ROUTES), len(RULES))
    assert krun.stop() == 0
    assert tables(director) == before


def test_failover_moves_them_there_and_back(segment: Segment) -> None:
    a, b = segment["a"], segment["b"]
    text = config_text((GATEWAY, f"10.61.0.0/16 dev eth0 src {VIP}"), (RULE,))
    peer = Keepalived(
        b, text.replace("priority 150", "priority 100").replace("MASTER", "BACKUP"), only="vrrp"
    )
    peer.wait_running()
    krun = start(a, text)

    def has(director: Director) -> bool:
        return (
            director.has(VIP)
            and set(gateways(director)) == {"10.60.0.0/16", "10.61.0.0/16"}
            and priorities(director) == {600}
        )

    def empty(director: Director) -> bool:
        return not director.has(VIP) and not ours(director) and not priorities(director)

    wait_for("a alone to have all", lambda: has(a) and empty(b), timeout=20)
    assert krun.stop() == 0
    wait_for("b alone to have all", lambda: has(b) and empty(a), timeout=20)
    krun = start(a, text)
    wait_for("a alone to have all again", lambda: has(a) and empty(b), timeout=20)


def test_a_killed_process_writes_nothing_when_it_is_back(segment: Segment) -> None:
    director = segment["a"]
    krun = start(director, config_text(ROUTES, RULES) + STATIC)
    master(director)
    wait_for("the rules", lambda: 1022 in priorities(director), timeout=10)
    before, monitor = tables(director), Monitor(director)
    pid = next(p["pid"] for p in krun.status()["processes"] if p["name"] == "vrrp")
    os.kill(pid, signal.SIGKILL)

    def back() -> bool:
        process = next(p for p in krun.status()["processes"] if p["name"] == "vrrp")
        return bool(process["pid"] != pid and process["answered"])

    wait_for("the successor to answer", back, timeout=10)
    time.sleep(1.0)
    assert monitor.stop() == []
    assert tables(director) == before and krun.status()["vrrp"][0]["state"] == "MASTER"


def test_a_reload_writes_what_differs(segment: Segment) -> None:
    director = segment["a"]
    krun = start(director, config_text((GATEWAY, "10.61.0.0/16 dev eth0"), (RULE,)))
    master(director)
    wait_for("the rule", lambda: priorities(director) == {600}, timeout=10)
    monitor = Monitor(director)

    def reloaded(routes: tuple[str, ...], rules: tuple[str, ...]) -> dict[str, int]:
        answer = krun.reload(config_text(routes, rules))
        assert answer.status == 0, answer.stderr
        operations: dict[str, int] = krun.status()["last_reload"]["operations"]
        return operations

    other = GATEWAY.replace("254", "253")
    assert reloaded((other, "10.61.0.0/16 dev eth0"), (RULE,)) == {"vrrp.update": 1, "ip.replace_route": 1}
    assert len(monitor.lines()) == 1 and gateways(director)["10.60.0.0/16"] == "192.0.2.253"
    assert reloaded((other, "10.61.0.0/16 dev eth0"), (RULE,)) == {}
    assert len(monitor.lines()) == 1
    assert reloaded((other,), (RULE, RULE.replace("600", "601"))) == {
        "vrrp.update": 1,
        "ip.add_rule": 1,
        "ip.del_route": 1,
    }
    assert priorities(director) == {600, 601} and list(gateways(director)) == ["10.60.0.0/16"]
    assert len(monitor.stop()) == 3


def test_what_others_take_away_is_put_back(segment: Segment) -> None:
    director = segment["a"]
    krun = start(director, config_text((GATEWAY, "10.61.0.0/16 dev eth0 no_track"), (RULE,)))
    master(director)
    wait_for("the rule", lambda: priorities(director) == {600}, timeout=10)

    def whole() -> bool:
        return gateways(director).get("10.60.0.0/16") == "192.0.2.254" and priorities(director) == {600}

    director.ip("route del 10.60.0.0/16")
    wait_for("the deleted route", whole, timeout=5)
    director.ip("route replace 10.60.0.0/16 via 192.0.2.253 dev eth0 proto static")
    wait_for("our route before the other's", whole, timeout=5)
    director.ip("route del 10.60.0.0/16 proto static", "rule del pref 600")
    wait_for("the rule again", whole, timeout=5)
    director.ip("route del 10.61.0.0/16")
    time.sleep(0.4)
    assert "10.61.0.0/16" not in gateways(director), "no_track: it stays away"
    (instance,) = krun.status()["vrrp"]
    assert instance["state"] == "MASTER" and instance["counters"]["routes_lost"] == 3
    (gone,) = [r for r in instance["routes"] if not r["present"]]
    assert gone["problem"] == "removed by somebody else"
    transitions = instance["counters"]["release_master"]
    for _ in range(20):
        director.run(["ip", "route", "del", "10.60.0.0/16"], check=False)
        time.sleep(0.15)
        if krun.status()["vrrp"][0]["counters"]["release_master"] > transitions:
            break
    else:
        pytest.fail("it was put back without end")
    assert "somebody keeps removing route 10.60.0.0/16" in krun.logged()
    master(director)
    wait_for("all again with the next mastership", lambda: whole() and len(ours(director)) == 2, timeout=5)


STATIC = """
static_ipaddress {
 203.0.113.9/24 dev eth1
}
static_routes {
 10.50.0.0/16 via 203.0.113.254 dev eth1
 10.51.0.0/16 dev eth1 no_track
}
static_rules {
 from 10.50.0.0/16 table 77 preference 500
}
"""


def test_static_ones_are_there_from_start_to_stop(segment: Segment) -> None:
    director = segment["a"]
    before = tables(director)
    backup = config_text().replace("priority 150", "priority 1").replace("MASTER", "BACKUP")
    krun = start(director, backup + STATIC)
    assert "203.0.113.9/24" in director.addresses("eth1") and priorities(director) == {500}
    assert gateways(director) == {"10.50.0.0/16": "203.0.113.254", "10.51.0.0/16": None}
    static = krun.status()["extra"]["vrrp"]["static"]
    assert [t["present"] for kind in ("addresses", "routes", "rules") for t in static[kind]] == [True] * 4

    director.ip("link set eth1 down")
    wait_for("the routes to go with the link", lambda: gateways(director) == {}, timeout=5)
    director.ip("link set eth1 up")
    wait_for("them to come back with it", lambda: len(gateways(director)) == 2, timeout=5)
    director.ip("addr del 203.0.113.9/24 dev eth1")
    wait_for("the address again", lambda: "203.0.113.9/24" in director.addresses("eth1"), timeout=5)
    assert krun.reload(backup + STATIC.replace("10.51.0.0", "10.52.0.0")).status == 0
    assert krun.status()["last_reload"]["operations"] == {"ip.add_route": 1, "ip.del_route": 1}
    assert krun.stop() == 0
    after = tables(director)  # the link took its IPv6 address along, which is not ours
    assert after["-4 route"] == before["-4 route"] and after["-4 rule"] == before["-4 rule"]
    assert "203.0.113.9/24" not in director.addresses("eth1")


def test_static_ones_are_as_keepalived_has_them(segment: Segment) -> None:
    director = segment["a"]
    before = tables(director)
    backup = config_text().replace("priority 150", "priority 1").replace("MASTER", "BACKUP")
    seen: list[tuple[dict[str, list[str]], list[str]]] = []
    for program in (Keepalived, Krun):
        running: Keepalived | Krun
        if program is Keepalived:
            running = Keepalived(director, backup + STATIC, only="vrrp")
            running.wait_running()
        else:
            running = start(director, backup + STATIC)
        wait_for("the static rule", lambda: priorities(director) == {500}, timeout=10)
        time.sleep(0.3)
        seen.append((tables(director), director.addresses("eth1")))
        assert running.stop() == 0
        wait_for("nothing to be left", lambda: tables(director) == before, timeout=10)
    assert seen[0] == seen[1]


def test_what_a_killed_keepalived_left_is_taken_over(segment: Segment) -> None:
    director = segment["a"]
    text = config_text((GATEWAY,), (RULE,)).replace("priority 150", "priority 255") + STATIC
    peer = Keepalived(director, text, only="vrrp")
    peer.wait_running()
    master(director)
    wait_for("keepalived's rules", lambda: priorities(director) == {500, 600}, timeout=10)
    peer.kill()
    before, monitor = tables(director), Monitor(director)
    krun = start(director, text)
    wait_for("the owner to be master", lambda: krun.status()["vrrp"][0]["state"] == "MASTER", timeout=10)
    assert monitor.stop() == [] and tables(director) == before


def test_a_track_group_follows_what_is_static(segment: Segment) -> None:
    director = segment["a"]
    group = "track_group G {\n group {\n VI_1\n }\n}\n"
    text = group + config_text() + STATIC.replace("dev eth1\n", "dev eth1 track_group G\n")
    krun = start(director, text)
    master(director)
    director.ip("link set eth1 down")
    wait_for("the instance to give way", lambda: not director.has(VIP), timeout=5)
    (instance,) = krun.status()["vrrp"]
    assert instance["state"] == "FAULT" and "eth1 of static" in instance["faults"][0]
    director.ip("link set eth1 up")
    master(director)
    assert set(gateways(director)) == {"10.50.0.0/16", "10.51.0.0/16"}


def test_what_an_earlier_life_left_goes_and_what_others_have_stays(segment: Segment) -> None:
    director = segment["a"]
    director.ip(
        "route add 10.70.0.0/16 dev eth0 proto keepalived",
        "route add 10.71.0.0/16 dev eth0 proto static",
        "route add 10.50.0.0/16 via 203.0.113.254 dev eth1 onlink proto keepalived",
        "rule add from 10.70.0.0/16 table 70 pref 700 protocol keepalived",
        "rule add from 10.71.0.0/16 table 71 pref 701",
    )
    start(director, config_text() + STATIC)
    assert set(gateways(director)) == {"10.50.0.0/16", "10.51.0.0/16"} and priorities(director) == {500, 701}
    assert director.ip_json("route", "show", "10.71.0.0/16")


def test_an_unknown_table_is_refused_by_name(segment: Segment) -> None:
    director = segment["a"]
    krun = start(director, config_text((GATEWAY,)))
    master(director)
    answer = krun.reload(config_text((f"{GATEWAY} table nowhere",)))
    assert answer.status != 0 and "no routing table `nowhere`" in answer.stdout + answer.stderr
    assert gateways(director) == {"10.60.0.0/16": "192.0.2.254"}
    assert krun.stop() == 0
    krun = start(director, config_text((f"{GATEWAY} table nowhere",)))
    (instance,) = krun.status()["vrrp"]
    assert instance["state"] == "FAULT" and "no routing table `nowhere`" in instance["faults"][0]


def test_a_refused_route_is_said_once_and_tried_again(segment: Segment, tmp_path: Path) -> None:
    director = segment["a"]
    krun = start(
        director,
        config_text(("10.60.0.0/16 via 198.18.5.254 dev eth1 no_track", GATEWAY.replace("60", "61"))),
    )
    master(director)
    (instance,) = krun.status()["vrrp"]
    assert instance["state"] == "MASTER", "as keepalived: a route that cannot be is no reason to give way"
    (missing,) = [r for r in instance["routes"] if not r["present"]]
    assert "198.18.5.254 cannot be reached directly" in missing["problem"]
    director.ip("addr add 198.18.4.1/24 dev eth1")
    time.sleep(0.5)
    assert krun.logged().count("cannot be reached directly") == 1
    director.ip("addr add 198.18.5.1/24 dev eth1")
    wait_for("the route", lambda: "10.60.0.0/16" in gateways(director), timeout=5)
