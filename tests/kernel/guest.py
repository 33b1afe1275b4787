"""The scenarios, run inside the kernel lab: ``python -m kernel.guest SCENARIO --program krun|keepalived``.

A scenario is a function that asserts; its docstring says what it proves. keepalived runs the same ones
as the control. Figures are printed as ``figure NAME=VALUE`` lines for the report on the host.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from kernel.chaos import chaos
from kernel.configs import EVERYTHING, EVERYTHING_TABLE, VRRP, service
from kernel.world import SERVERS, VIP, Server, World, say
from lab.capture import Capture
from lab.keepalived import Keepalived
from lab.krun import Krun
from lab.netlink_watch import NetlinkWatch, Write
from lab.netns import Director, Namespace
from lab.processes import wait_for

NAT_PORT, DR_PORT, HTTP_PORT, MISC_PORT = 80, 81, 82, 83

#: From a failure to the table: a round of checks and a retry, with what a guest on a busy host may add.
CHECKED_OUT = 20.0


def figure(name: str, value: float | int | str) -> None:
    """Report a measured value to the host."""
    print(f"figure {name}={value}", flush=True)


def ipvs(writes: list[Write]) -> list[str]:
    """The names of the IPVS writes among ``writes``."""
    return [write.name for write in writes if write.family == "ipvs"]


def table(program: str) -> None:
    """The table that ``ipvsadm -Sn`` prints equals the configuration: NAT, DR, TUN, fwmark, group,
    persistence with a netmask, one-packet scheduling, scheduler flags, thresholds, weights, IPv6."""
    with World() as world:
        running = world.run(program, EVERYTHING)
        world.wait_table("the whole configuration", EVERYTHING_TABLE)
        # ipvsadm -S leaves the thresholds out.
        listing = world.director.run(["ipvsadm", "-Ln", "--thresholds"]).stdout
        thresholds = [line.split()[1:4] for line in listing.splitlines() if "10.0.0.12:8080" in line]
        assert thresholds == [["10.0.0.12:8080", "100", "50"]], listing
        assert running.stop() == 0


def _two_services() -> str:
    nat = {SERVERS["one"][0]: 1, SERVERS["two"][0]: 1}
    direct = {SERVERS["one"][1]: 1, SERVERS["two"][1]: 1}
    sorry = f"    quorum 2\n    sorry_server {SERVERS['sorry'][0]} {NAT_PORT}\n"
    return VRRP + service(NAT_PORT, "NAT", nat, options=sorry) + service(DR_PORT, "DR", direct)


def _nat(port: int, *names: str) -> list[str]:
    rows = [f"-a -t {VIP}:{port} -r {SERVERS[name][0]}:{port} -m -w 1" for name in names]
    return [f"-A -t {VIP}:{port} -s rr", *rows]


def _direct(port: int, *names: str) -> list[str]:
    rows = [f"-a -t {VIP}:{port} -r {SERVERS[name][1]}:{port} -g -w 1" for name in names]
    return [f"-A -t {VIP}:{port} -s rr", *rows]


def _servers(world: World, port: int) -> dict[str, Server]:
    return {name: Server(world.segment[name], name, port) for name in SERVERS}


def connections(program: str) -> None:
    """A client's connections reach the real servers by NAT and by DR; a server that stops is out after
    its checks and back after; below its quorum a service has its sorry server alone."""
    with World() as world:
        nat, direct = _servers(world, NAT_PORT), _servers(world, DR_PORT)
        world.run(program, _two_services())
        whole = _nat(NAT_PORT, "one", "two") + _direct(DR_PORT, "one", "two")
        world.wait_table("both services", whole)
        wait_for("the virtual address", lambda: world.director.has(VIP))
        for port in (NAT_PORT, DR_PORT):
            answers = {world.ask(port) for _ in range(4)}
            assert answers == {"one", "two"}, f"port {port}: {answers} answered"

        direct["two"].stop()
        stopped = time.monotonic()
        world.wait_table(
            "the stopped server to be out",
            _nat(NAT_PORT, "one", "two") + _direct(DR_PORT, "one"),
            CHECKED_OUT,
        )
        figure("out_after_s", round(time.monotonic() - stopped, 2))
        assert {world.ask(DR_PORT) for _ in range(4)} == {"one"}
        direct["two"].start()
        started = time.monotonic()
        world.wait_table("the started server to be back", whole, CHECKED_OUT)
        figure("back_after_s", round(time.monotonic() - started, 2))
        assert {world.ask(DR_PORT) for _ in range(4)} == {"one", "two"}

        nat["one"].stop()
        world.wait_table(
            "the sorry server alone", _nat(NAT_PORT, "sorry") + _direct(DR_PORT, "one", "two"), CHECKED_OUT
        )
        assert {world.ask(NAT_PORT) for _ in range(3)} == {"sorry"}
        nat["one"].start()
        world.wait_table("the real servers instead of the sorry server", whole, CHECKED_OUT)
        assert {world.ask(NAT_PORT) for _ in range(4)} == {"one", "two"}


def checks(program: str) -> None:
    """HTTP_GET judges the status, MISC_CHECK the exit status of its script."""
    with World() as world:
        http = _servers(world, HTTP_PORT)
        flag = Path(world.segment.folder, "misc-fails")
        inner = {SERVERS["one"][0]: 1, SERVERS["two"][0]: 1}
        script = Path(world.segment.folder, "check.sh")
        script.write_text(f"#!/bin/sh\ntest ! -e {flag}\n")
        script.chmod(0o755)
        script.parent.chmod(0o755)
        config = VRRP.replace(
            "global_defs {", "global_defs {\n    script_user root\n    enable_script_security", 1
        )
        config += service(HTTP_PORT, "NAT", inner, check="HTTP_GET")
        config += service(MISC_PORT, "NAT", {SERVERS["one"][0]: 1}, check=str(script))
        world.run(program, config)
        whole = _nat(HTTP_PORT, "one", "two") + _nat(MISC_PORT, "one")
        world.wait_table("both services", whole)
        http["two"].status = 503
        world.wait_table(
            "the server with status 503 to be out",
            _nat(HTTP_PORT, "one") + _nat(MISC_PORT, "one"),
            CHECKED_OUT,
        )
        http["two"].status = 200
        world.wait_table("it to be back with status 200", whole, CHECKED_OUT)
        flag.touch()
        world.wait_table(
            "the server whose script fails to be out",
            _nat(HTTP_PORT, "one", "two") + _nat(MISC_PORT),
            CHECKED_OUT,
        )
        flag.unlink()
        world.wait_table("it to be back", whole, CHECKED_OUT)


def reload(program: str) -> None:
    """A reload with one weight changed is one write to IPVS, counted on the netlink socket, and nothing
    else: open connections go on, no advert is late, no address is touched."""
    with World() as world, Capture(world.segment) as capture:
        _servers(world, NAT_PORT), _servers(world, DR_PORT)
        before = _two_services()
        running = world.run(program, before)
        whole = _nat(NAT_PORT, "one", "two") + _direct(DR_PORT, "one", "two")
        world.wait_table("both services", whole)
        wait_for("the virtual address", lambda: world.director.has(VIP))
        open_connections: list[tuple[str, socket.socket]] = []
        for port in (NAT_PORT, NAT_PORT, DR_PORT, DR_PORT):
            connection = world.connect(port)
            open_connections.append((say(connection, "first"), connection))
        assert {name for name, _ in open_connections} == {"one", "two"}
        tracked = world.connections()
        assert len(tracked) == len(open_connections), tracked

        old_line = f"-a -t {VIP}:{NAT_PORT} -r {SERVERS['two'][0]}:{NAT_PORT} -m -w 1"
        new_line = old_line.removesuffix("1") + "7"
        section = f"real_server {SERVERS['two'][0]} {NAT_PORT} {{\n        weight "
        assert section + "1" in before
        after = before.replace(section + "1", section + "7")
        with NetlinkWatch(world.director) as watch:
            asked = time.time()
            if isinstance(running, Krun):
                answer = running.reload(after)
                assert answer.status == 0, answer.stderr
            else:
                running.reload(after)
            world.wait_table("the new weight", [line for line in whole if line != old_line] + [new_line])
            time.sleep(3)  # what comes late, a second write or a check's change of mind, comes now
            writes = watch.take()
        figure("ipvs_writes", len(ipvs(writes)))
        figure("route_writes", sum(write.family == "route" for write in writes))
        adverts = [advert.time for advert in capture.adverts(vrid=51, since=asked - 2)]
        gap = max(later - earlier for earlier, later in itertools.pairwise(adverts))
        figure("longest_advert_gap_ms", round(gap * 1000))

        for name, connection in open_connections:
            assert say(connection, "second") == name, "an open connection was moved"
        assert _endpoints(world.connections()) == _endpoints(tracked)
        assert all(advert.priority for advert in capture.adverts(since=asked)), "a priority-0 advert was sent"
        if program == "krun":
            assert ipvs(writes) == ["set_dest"], writes
            assert not [write for write in writes if write.family == "route"], writes
            assert gap < 0.5 + 0.25, f"an advert came {gap:.3f} s after the one before"
            assert isinstance(running, Krun)
            last = running.status()["last_reload"]
            assert (last["result"], last["operations"]) == ("done", {"ipvs.edit_dest": 1}), last


def _endpoints(rows: list[str]) -> list[list[str]]:
    """Connection rows without their expiry and state: protocol, client, virtual, real."""
    return sorted([row.split()[0], *row.split()[3:6]] for row in rows)


def adopt(program: str) -> None:
    """A director killed with -9 and started again takes over what the kernel has: no service or server is
    deleted or added again, and the connections that were open go on."""
    with World() as world:
        _servers(world, NAT_PORT), _servers(world, DR_PORT)
        config = _two_services()
        running = world.run(program, config)
        whole = _nat(NAT_PORT, "one", "two") + _direct(DR_PORT, "one", "two")
        world.wait_table("both services", whole)
        wait_for("the virtual address", lambda: world.director.has(VIP))
        kept = [
            (say(connection, "first"), connection) for connection in map(world.connect, (NAT_PORT, DR_PORT))
        ]
        running.kill()
        assert world.table() == sorted(whole), "the kernel forwards on while nobody manages it"
        with NetlinkWatch(world.director) as watch:
            world.run(program, config)
            wait_for("the virtual address", lambda: world.director.has(VIP))
            time.sleep(5)
            writes = watch.take()
        figure("ipvs_writes", len(ipvs(writes)))
        assert world.table() == sorted(whole)
        for name, connection in kept:
            assert say(connection, "second") == name
        if program == "krun":
            assert ipvs(writes) == [], f"started on its own table and wrote {ipvs(writes)}"


def stop(program: str) -> None:
    """An orderly stop removes what was ours (services, virtual addresses, processes) and nothing else."""
    with World() as world:
        foreign = ["-A -t 192.0.2.200:25 -s rr", "-a -t 192.0.2.200:25 -r 10.0.0.13:25 -m -w 9"]
        for line in foreign:
            world.director.run(["ipvsadm", *line.split()])
        world.director.ip("addr add 192.0.2.50/24 dev eth0")
        inside = set(world.director.pids())
        addresses = world.director.addresses("eth0")
        _servers(world, NAT_PORT), _servers(world, DR_PORT)
        running = world.run(program, _two_services())
        whole = _nat(NAT_PORT, "one", "two") + _direct(DR_PORT, "one", "two")
        world.wait_table("our services beside the foreign one", whole + foreign)
        wait_for("the virtual address", lambda: world.director.has(VIP))
        assert running.stop() == 0
        assert world.table() == sorted(foreign)
        assert world.director.addresses("eth0") == addresses
        assert set(world.director.pids()) == inside, "a process is still there"


def namespaces(program: str) -> None:
    """net_namespace and net_namespace_ipvs: adverts, addresses and checks are in the one, the IPVS table is in the other, and the program
    was started in a third, where nothing of it is."""
    with World() as world, contextlib.ExitStack() as stack:
        folder = world.segment.folder
        outside, lvs = Director("outside", [], folder / "outside"), Namespace("lvs")
        stack.callback(outside.close)
        stack.callback(lvs.close)
        Path("/run/netns").mkdir(exist_ok=True)
        for name, namespace in (("front", world.director), ("lvs", lvs)):
            Path("/run/netns", name).touch()
            subprocess.run(["mount", "--bind", namespace.path, f"/run/netns/{name}"], check=True)
        web = Server(world.segment["one"], "one", NAT_PORT)
        config = "net_namespace front\nnet_namespace_ipvs lvs\n" + VRRP
        config += service(NAT_PORT, "NAT", {SERVERS["one"][0]: 1})
        running: Krun | Keepalived
        if program == "krun":
            running = Krun(outside, config, folder=outside.folder)
        else:
            running = Keepalived(outside, config)
        world.programs.append(running)

        def listed() -> list[str]:
            return lvs.run(["ipvsadm", "-Sn"]).stdout.split("\n")

        there = f"-a -t {VIP}:{NAT_PORT} -r {SERVERS['one'][0]}:{NAT_PORT}"
        wait_for("the table", lambda: any(line.startswith(there) for line in listed()), 60)
        wait_for("the address", lambda: world.director.has(VIP), 30)
        for empty in (world.director, outside):
            assert empty.run(["ipvsadm", "-Sn"]).stdout.strip() == ""
        if isinstance(running, Krun):
            running.wait_running()
            assert running.status()["alarms"] == []
            planned = json.loads(running.control("plan", "--json").stdout)
            assert (planned["unseen"], planned["operations"]) == ([], []), planned
        web.stop()
        wait_for("the server to go", lambda: not any("-r" in line for line in listed()), CHECKED_OUT)
        assert running.stop() == 0
        assert [line for line in listed() if line] == []


SCENARIOS: dict[str, Callable[[str], None]] = {
    function.__name__: function
    for function in (table, connections, checks, reload, adopt, stop, namespaces, chaos)
}


def main() -> int:
    """Run one scenario; 0 when it holds, 1 with its assertion on stderr when it does not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", choices=SCENARIOS)
    parser.add_argument("--program", choices=("krun", "keepalived"), required=True)
    options = parser.parse_args()
    try:
        SCENARIOS[options.scenario](options.program)
    except Exception:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
