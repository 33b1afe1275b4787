"""Pools through changes, run inside the kernel lab: ``python -m kernel.pools SCENARIO``.

What a reload writes is counted on netlink and compared with what krun says that it did; the table is compared with what ``ipvsadm -Sn``
has to print. Figures are printed as ``figure NAME=VALUE`` lines.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from kernel.configs import EVERYTHING, EVERYTHING_TABLE, VRRP, service
from kernel.guest import figure, ipvs
from kernel.world import SERVERS, VIP, Server, World, say
from krun.kernel.glance import expected, same, service_words
from krun.kernel.ipvs import LinuxIpvs
from lab.keepalived import Keepalived
from lab.krun import Krun, build
from lab.netlink_watch import NetlinkWatch
from lab.processes import wait_for

PORT = 80
INNER = {name: addresses[0] for name, addresses in SERVERS.items()}
FOREIGN = ("-A -t 192.0.2.200:25 -s rr", "-a -t 192.0.2.200:25 -r 10.0.0.13:25 -m -w 9")


def config(
    *names: str, options: str = "", scheduler: str = "rr", method: str = "NAT", weight: int = 1
) -> str:
    text = service(PORT, method, {INNER[name]: weight for name in names}, options=options)
    return VRRP + text.replace("lvs_sched rr", f"lvs_sched {scheduler}")


def rows(*names: str, scheduler: str = "rr", flag: str = "-m", weight: int = 1, at: str = VIP) -> list[str]:
    return [
        f"-A -t {at}:{PORT} -s {scheduler}",
        *(f"-a -t {at}:{PORT} -r {INNER[name]}:{PORT} {flag} -w {weight}" for name in names),
    ]


def _servers(world: World) -> dict[str, Server]:
    return {name: Server(world.segment[name], name, PORT) for name in SERVERS}


def _start(world: World, text: str, *options: str) -> Krun:
    running = Krun(world.director, text, folder=world.segment.folder / "director", options=options)
    world.programs.append(running)
    running.wait_running()
    return running


def reset(connection: socket.socket) -> None:
    """End it with a reset: IPVS forgets it after ten seconds; one that ends in order it counts as inactive for two minutes."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def ask(world: World) -> str:
    """Which server answers a new connection, which is reset."""
    connection = world.connect(PORT)
    name = say(connection, "who")
    reset(connection)
    return name


class Step:
    """One reload at a time; the writes on the wire are those that krun tells of."""

    def __init__(self, world: World, running: Krun, watch: NetlinkWatch) -> None:
        self.world, self.running, self.watch = world, running, watch

    def __call__(self, what: str, text: str, table: Sequence[str], *options: str) -> list[str]:
        """Reload ``text``; afterwards the table is ``table``. Returns the names of the writes."""
        build(text, self.running.folder)
        self.watch.take()
        answer = self.running.control("reload", *options)
        assert answer.status == 0, f"{what}: {answer.stderr}"
        seen = self.world.table()
        time.sleep(1.5)  # what comes late comes now
        writes = ipvs(self.watch.take())
        assert seen == sorted(table), f"{what}: {seen}"
        assert self.world.table() == sorted(table), f"{what}: not what it was right after the reload"
        last = self.running.status()["last_reload"]
        told = sum(count for name, count in last["operations"].items() if name.startswith("ipvs."))
        assert len(writes) == told, (
            f"{what}: krun tells of {last['operations']}, on netlink there were {writes}"
        )
        assert last["failures"] == [], last
        figure(what.replace(" ", "_"), len(writes))
        return writes


def steps() -> None:
    """Quorum, sorry server, method, scheduler, group: each in one reload, with no write too many, and open connections go on."""
    with World() as world, NetlinkWatch(world.director) as watch:
        servers = _servers(world)
        running = _start(world, config("one", "two"))
        world.wait_table("the service", rows("one", "two"))
        wait_for("the virtual address", lambda: world.director.has(VIP))
        held = [world.connect(PORT) for _ in range(4)]
        names = [say(connection, "first") for connection in held]
        assert set(names) == {"one", "two"}
        step = Step(world, running, watch)
        sorry = f"    sorry_server {INNER['sorry']} {PORT}\n"
        assert (
            step(
                "quorum changed",
                config("one", "two", options="    quorum 2\n"),
                rows("one", "two"),
            )
            == []
        )
        text = config("one", "two", options=f"    quorum 2\n{sorry}")
        assert step("sorry server added", text, rows("one", "two")) == []
        text = config("one", "two", options=f"    quorum 2\n{sorry}", scheduler="wlc")
        assert step("scheduler changed", text, rows("one", "two", scheduler="wlc")) == ["set_service"]
        text = config("one", "two", options=f"    quorum 2\n{sorry}", scheduler="wlc", weight=3)
        wanted = rows("one", "two", scheduler="wlc", weight=3)
        assert step("weights changed", text, wanted) == ["set_dest"] * 2
        wanted = rows("one", "two", scheduler="wlc", weight=3, flag="-g")
        assert (
            step("method changed", text.replace("lvs_method NAT", "lvs_method DR"), wanted)
            == ["set_dest"] * 2
        )
        assert step("method back", text, rows("one", "two", scheduler="wlc", weight=3)) == ["set_dest"] * 2
        group = f"virtual_server_group WEB {{\n    {VIP} {PORT}\n    192.0.2.110 {PORT}\n}}\n"
        grouped = text.replace(f"virtual_server {VIP} {PORT} {{", f"{group}virtual_server group WEB {{")
        both = rows("one", "two", scheduler="wlc", weight=3) + rows(
            "one", "two", scheduler="wlc", weight=3, at="192.0.2.110"
        )
        assert step("moved to a group", grouped, both) == [
            "new_service",
            "new_dest",
            "new_dest",
        ]
        assert step("back from the group", text, rows("one", "two", scheduler="wlc", weight=3)) == [
            "del_service"
        ]
        assert [say(connection, "second") for connection in held] == names
        # A quorum that what is up does not reach: the sorry server alone, in one reload; and back.
        text = config("one", "two", options=f"    quorum 1\n{sorry}", scheduler="wlc")
        step("quorum of one", text, rows("one", "two", scheduler="wlc"))
        servers["two"].stop()
        world.wait_table("the stopped server to be out", rows("one", scheduler="wlc"), 30.0)
        lost = text.replace("quorum 1", "quorum 2")
        assert step("quorum lost by a reload", lost, rows("sorry", scheduler="wlc")) == [
            "new_dest",
            "del_dest",
        ]
        assert {world.ask(PORT) for _ in range(3)} == {"sorry"}
        step("quorum back by a reload", text, rows("one", scheduler="wlc"))
        assert not running.status()["alarms"], running.status()["alarms"]
        assert running.status()["extra"]["check"]["ipvs"]["drift"] == 0


def legacy() -> None:
    """keepalived is killed with -9 and krun takes its table: what matches stays, with its connections and without a write; what the new
    configuration changes is the difference; what keepalived had beside it, and anybody else, stays."""
    with World() as world, NetlinkWatch(world.director) as watch:
        _servers(world)
        for line in FOREIGN:
            world.director.run(["ipvsadm", *line.split()])
        old = world.run("keepalived", config("one", "two"))
        world.wait_table("keepalived's table", [*rows("one", "two"), *FOREIGN])
        wait_for("the virtual address", lambda: world.director.has(VIP))
        held = world.connect(PORT)
        name = say(held, "first")
        old.kill()
        watch.take()
        running = _start(world, config("one", "two"))
        time.sleep(3)
        writes = ipvs(watch.take())
        assert writes == [], writes
        assert world.table() == sorted([*rows("one", "two"), *FOREIGN])
        wait_for("the virtual address again", lambda: world.director.has(VIP))
        assert say(held, "second") == name
        assert running.status()["extra"]["check"]["ipvs"]["foreign_services"] == 1

        # krun's own table after its kill -9, with another configuration: the difference, and the service that it created goes.
        second = service(81, "NAT", {INNER["one"]: 1})
        running.reload(config("one", "two") + second)
        other = [row.replace(f":{PORT}", ":81") for row in rows("one")]
        world.wait_table(
            "the second service", [*rows("one", "two"), *other[:1], *FOREIGN]
        )  # nobody answers there
        running.kill()
        watch.take()
        running = Krun(
            world.director, config("one", "two", weight=4), folder=world.segment.folder / "director"
        )
        world.programs.append(running)
        running.wait_running()
        # The same file name, other content: krun goes on with what ran; a reload takes the new one.
        time.sleep(1)
        writes = ipvs(watch.take())
        assert writes == [], writes
        assert running.reload().status == 0
        writes = ipvs(watch.take())
        assert sorted(writes) == ["del_service", "set_dest", "set_dest"], writes
        assert world.table() == sorted([*rows("one", "two", weight=4), *FOREIGN])
        assert say(held, "third") == name

        # Another file: what the old one had created and this one does not name goes by the memo.
        running.reload(config("one", "two") + second)
        running.kill()
        other = world.segment.folder / "director" / "other"
        other.mkdir()
        ir = build(config("one", "two"), other, "other")
        running = Krun(world.director, "", folder=world.segment.folder / "director", ir=ir)
        world.programs.append(running)
        running.wait_running()
        assert world.table() == sorted([*rows("one", "two"), *FOREIGN])
        assert say(held, "fourth") == name


def hand() -> None:
    """Overlays, drains and strangers' edits in a real kernel: weights, connections, deadlines, kill -9."""
    with World() as world, NetlinkWatch(world.director) as watch:
        _servers(world)
        running = _start(world, config("one", "two"), "--audit", "1s")
        world.wait_table("the service", rows("one", "two"))
        wait_for("the virtual address", lambda: world.director.has(VIP))
        held = {say(c, "first"): c for c in (world.connect(PORT) for _ in range(2))}
        assert set(held) == {"one", "two"}

        # A glance shows what a dump shows, in this kernel's words.
        with world.director:
            table = LinuxIpvs()
            entries, glance = table.dump(), table.glance()
        assert glance is not None
        assert all(same(service_words(s), expected(e), glance) for s, e in entries.items()), (entries, glance)

        # By hand: weight 0 with one write, connections go on; kill -9 of everything; it ends by itself.
        watch.take()
        began = time.monotonic()
        answer = running.control("set", f"tcp {VIP}:{PORT}", INNER["one"], "--weight", "0", "--for", "25s")
        assert answer.status == 0, answer
        drained = [row.replace("-w 1", "-w 0") if INNER["one"] in row else row for row in rows("one", "two")]
        assert world.table() == sorted(drained)
        assert ipvs(watch.take()) == ["set_dest"]
        assert {ask(world) for _ in range(3)} == {"two"}
        assert say(held["one"], "second") == "one"
        running.kill()
        running = Krun(world.director, "", folder=running.folder, ir=running.ir, options=("--audit", "1s"))
        world.programs.append(running)
        running.wait_running()
        assert world.table() == sorted(drained)
        assert ipvs(watch.take()) == []
        [overlay] = running.status()["overlays"]
        assert overlay["in_effect"]
        assert 0 < overlay["left_s"] < 25
        world.wait_table("the overlay's end", rows("one", "two"), 40.0)
        figure("overlay_held_s", round(time.monotonic() - began, 1))
        assert time.monotonic() - began > 24.5
        assert ipvs(watch.take()) == ["set_dest"]

        # A stranger's hand is put back.
        server = ["-t", f"{VIP}:{PORT}", "-r", f"{INNER['one']}:{PORT}"]
        for words in (
            ["-d", *server],
            ["-e", *server, "-m", "-w", "77"],
            ["-E", "-t", f"{VIP}:{PORT}", "-s", "lc"],
            ["-C"],
        ):
            world.director.run(["ipvsadm", *words])
            world.wait_table(f"ipvsadm {words[0]} to be put back", rows("one", "two"), 15.0)
        check = running.status()["extra"]["check"]["ipvs"]
        figure("drift", check["drift"])
        assert check["drift"] == 4, check
        events = running.control("events", "--format", "json").stdout.splitlines()
        assert sum(json.loads(line)["kind"] == "ipvs.drift" for line in events) == 4

        # Draining: weight 0, the connection goes on, and when it is gone the server goes.
        wait_for("an answer again", lambda: {ask(world) for _ in range(4)} == {"one", "two"}, 20.0)
        step = Step(world, running, watch)
        talk = [world.connect(PORT) for _ in range(2)]
        mine = {say(c, "first"): c for c in talk}
        drained = [row.replace("-w 1", "-w 0") if INNER["two"] in row else row for row in rows("one", "two")]
        assert step("a server drains", config("one"), drained, "--drain", "120s") == ["set_dest"]
        [drain] = running.status()["drains"]
        assert drain["real_server"] == f"{INNER['two']}:{PORT}"
        assert drain["connections"] >= 1, drain
        assert say(mine["two"], "while it drains") == "two"
        assert step("taken back", config("one", "two"), rows("one", "two")) == ["set_dest"]
        assert step("drains again", config("one"), drained, "--drain", "120s") == ["set_dest"]
        assert say(mine["two"], "still") == "two"
        for connection in [*talk, *held.values()]:
            reset(connection)
        began = time.monotonic()
        world.wait_table("the drained server to go", rows("one"), 100.0)
        figure("drained_after_s", round(time.monotonic() - began, 1))
        assert not running.status()["drains"]


def everything() -> None:
    """Of every kind of service and server that IPVS knows a glance shows what a dump shows, and nothing is taken for drift."""
    with World() as world:
        running = _start(world, EVERYTHING, "--audit", "1s")
        world.wait_table("the whole configuration", EVERYTHING_TABLE)
        with world.director:
            table = LinuxIpvs()
            entries, glance = table.dump(), table.glance()
        assert glance is not None
        odd = [(s, e, glance) for s, e in entries.items() if not same(service_words(s), expected(e), glance)]
        assert not odd, odd
        with NetlinkWatch(world.director) as watch:
            time.sleep(5)
            assert ipvs(watch.take()) == []
        assert running.status()["extra"]["check"]["ipvs"]["drift"] == 0


PIPES = f"""\
global_defs {{
    router_id director
    lvs_notify_fifo /tmp/KIND.pipe
}}
virtual_server_group farm {{
    {VIP} 81
}}
virtual_server {VIP} 80 {{
    SERVERS
}}
virtual_server fwmark 7 {{
    SERVERS
}}
virtual_server group farm {{
    SERVERS
}}
"""
POOL = "\n".join(
    [
        "delay_loop 1\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n quorum 2",
        *(
            f" real_server {INNER[name]} {PORT} {{\n TCP_CHECK {{\n connect_timeout 1\n retry 0\n }}\n }}"
            for name in ("one", "two")
        ),
    ]
)


def pipes() -> None:
    """``lvs_notify_fifo``: servers and quorums come and go, and the lines are those of keepalived 2.2.7."""
    lines: dict[str, list[str]] = {}
    for kind in ("keepalived", "krun"):
        with World() as world:
            servers = _servers(world)
            text = PIPES.replace("KIND", kind).replace("SERVERS", POOL, 1)
            text = text.replace("SERVERS", POOL.replace(" protocol TCP\n", ""), 1).replace("SERVERS", POOL)
            if kind == "krun":
                running: Krun | Keepalived = _start(world, text)
            else:
                running = Keepalived(world.director, text, only="checker")
            path = Path(f"/tmp/{kind}.pipe")
            wait_for("the pipe", path.exists, 30)
            pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
            read = b""

            def count(word: bytes, pipe: int = pipe) -> int:
                nonlocal read
                with contextlib.suppress(BlockingIOError):
                    while data := os.read(pipe, 65536):
                        read += data
                return read.count(word)

            # Every checker has looked once when the table stands: then what comes is news.
            wait_for("the servers", lambda: len(world.table()) == 9, 30, 0.2)
            wait_for("the quorums", lambda: count(b" UP\n") >= 3, 30, 0.2)
            servers["one"].stop()
            wait_for("quorums that are lost", lambda: count(b" DOWN\n") >= 6, 30, 0.2)
            servers["one"].start()
            wait_for("quorums that are back", lambda: count(b" UP\n") >= 9, 30, 0.2)
            running.stop()
            count(b"")
            os.close(pipe)
            lines[kind] = read.decode().split("\n")
    for kind, found in lines.items():
        print(f"{kind}: {found}")
    assert sorted(lines["krun"]) == sorted(lines["keepalived"])
    for service_text in (f"[{VIP}]:tcp:80", "FWM 7", "[farm]:0"):
        theirs, ours = (
            [line for line in found if service_text in line] for found in (lines["keepalived"], lines["krun"])
        )
        assert ours == theirs, (ours, theirs)
    figure("lines", len(lines["krun"]))


SCENARIOS: dict[str, Callable[[], None]] = {f.__name__: f for f in (steps, legacy, hand, everything, pipes)}


def main() -> int:
    """Run one scenario; 0 when it holds, 1 with its assertion on stderr when it does not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", choices=SCENARIOS)
    try:
        SCENARIOS[parser.parse_args().scenario]()
    except Exception:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
