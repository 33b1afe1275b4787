"""One round of the IPVS bench inside the kernel lab: ``python ipvs_guest.py PROGRAM FOLDER`` (run by ``ipvs.py``).

Prints ``figure NAME=VALUE`` lines, times in seconds of the guest's clock, which stands still with the guest. Both programs are judged
by the kernel's table alone: a change is done when the table shows it, a first load when all that was configured is in it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from kir.model import Service
from krun.kernel.netlink import ipvs as wire
from krun.kernel.netlink.generic import GENERIC_HEADER, NETLINK_GENERIC, family_number
from krun.kernel.netlink.socket import NetlinkSocket

PATIENCE_S = 120.0
QUIET_S = 0.5


def figure(name: str, value: float) -> None:
    print(f"figure {name}={value:.4f}", flush=True)


class Gaze:
    """Looks at the kernel's table: at one service, which is cheap, or at the whole."""

    def __init__(self) -> None:
        self._socket = NetlinkSocket(NETLINK_GENERIC)
        family = family_number(self._socket, wire.FAMILY_NAME)
        assert family is not None
        self._family = family

    def weights(self, place: str) -> dict[str, int]:
        """Address → weight of the servers of the TCP service ``ADDRESS:PORT``; empty where there is none."""
        address, _, port = place.rpartition(":")
        service = Service(family="inet", protocol="tcp", address=address, port=int(port))
        body = wire.header(wire.GET_DEST) + wire.pack_service(wire.pack_key(service))
        found = {}
        try:
            messages = self._socket.dump(self._family, body)
        except OSError:
            return {}
        for message in messages:
            raw = wire.COMMAND.unpack(message.data, message.start + GENERIC_HEADER.size, message.end)
            dest = wire.read_dest(raw.get("dest", {}), "inet")
            if dest is not None:
                found[dest[0].address] = dest[1].weight
        return found

    def count(self) -> int:
        """How many servers there are in the table."""
        return Path("/proc/net/ip_vs").read_bytes().count(b"  -> ") - 1  # the heading has one too

    def seven(self) -> int:
        """How many servers have the weight 7."""
        rows = Path("/proc/net/ip_vs").read_text().splitlines()
        return sum(row.startswith("  ->") and row.split()[3] == "7" for row in rows)


def until(what: str, done: Callable[[], bool], interval: float) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {PATIENCE_S:g} s for {what}")
        time.sleep(interval)


def answer(port: int) -> None:
    """Let every check succeed: all real servers are this host."""
    listener = socket.create_server(("0.0.0.0", port), backlog=4096)

    def serve() -> None:
        while True:
            listener.accept()[0].close()

    threading.Thread(target=serve, daemon=True).start()


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for task in found:
        children = Path(f"/proc/{task}/task/{task}/children")
        found += [int(child) for child in children.read_text().split()]
    return found


def memory_mb(pid: int) -> tuple[float, float]:
    """Proportional and peak resident memory of a daemon with its children; the peaks are added up, shared pages and all."""
    shares, peaks = 0, 0
    for process in family(pid):
        rows = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        shares += sum(int(row.split()[1]) for row in rows if row.startswith("Pss:"))
        rows = Path(f"/proc/{process}/status").read_text().splitlines()
        peaks += sum(int(row.split()[1]) for row in rows if row.startswith("VmHWM"))
    return shares / 1024, peaks / 1024


def faults(pid: int) -> int:
    """Page faults of a daemon with its children so far (proc(5), minflt): what a guest pays most for."""
    rows = [Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split() for process in family(pid)]
    return sum(int(row[7]) for row in rows)


class Round:
    """``expect.json`` in ``folder`` says what the configurations hold (see ``ipvs.py``)."""

    def __init__(self, program: str, folder: Path) -> None:
        self.program, self.folder = program, folder
        self.expect = json.loads((folder / "expect.json").read_text())
        self.gaze = Gaze()
        self.suffix = "json" if program == "krun" else "conf"
        self.current = Path("/run/bench") / f"current.{self.suffix}"
        self.current.parent.mkdir(exist_ok=True)
        self.log = Path("/run/bench/log")

    def use(self, name: str) -> None:
        """Put a configuration in place; not part of what is timed."""
        new = self.current.with_suffix(".new")
        new.write_bytes((self.folder / f"{name}.{self.suffix}").read_bytes())
        new.rename(self.current)

    def start(self) -> subprocess.Popen[bytes]:
        run = "/run/bench"
        if self.program == "krun":
            argv = [sys.executable, "-m", "krun", str(self.current), "--run-dir", f"{run}/krun"]
        else:
            keepalived = os.environ["BENCH_KEEPALIVED"]
            argv = [
                keepalived,
                "-n",
                "-C",
                "-G",
                "-f",
                str(self.current),
                "-p",
                f"{run}/p.pid",
                "-c",
                f"{run}/c.pid",
            ]
        with self.log.open("ab") as log:
            return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def play(self) -> None:
        expect, gaze = self.expect, self.gaze
        self.use("base")
        began = time.monotonic()
        daemon = self.start()
        until("the first load", lambda: len(gaze.weights(expect["last"])) == expect["last_count"], 0.02)
        until("all of the first load", lambda: gaze.count() == expect["servers"], 0.05)
        figure("first_load", time.monotonic() - began)
        figure("faults", faults(daemon.pid))
        self.settle(daemon)
        pss, peak = memory_mb(daemon.pid)
        figure("pss_mb", pss)
        figure("peak_mb", peak)
        self.weights_and_back(daemon)
        figure("nothing", self.until_quiet(daemon))
        figure("pss_after_mb", memory_mb(daemon.pid)[0])
        self.ten_more(daemon)
        if self.program == "krun":
            self.by_tool()
        daemon.send_signal(signal.SIGTERM)
        began = time.monotonic()
        until("the end", lambda: daemon.poll() is not None, 0.02)
        figure("stop", time.monotonic() - began)
        figure("left", gaze.count())

    def weights_and_back(self, daemon: subprocess.Popen[bytes]) -> None:
        """One weight changed, three times, each time put back: the first reload of a process, and a later one. Then a tenth of all."""
        place, address, weight = self.expect["one"]
        took = []
        for _ in range(3):
            took.append(self.reload(daemon, "one", place, address, 7, 1))
            took.append(self.reload(daemon, "base", place, address, weight, 0))
        figure("one_weight_first", took[0])
        figure("one_weight", statistics.median(took[1:]))
        place, address, weight = self.expect["tenth"]
        figure("tenth", self.reload(daemon, "tenth", place, address, 7, self.expect["changed"]))
        self.reload(daemon, "base", place, address, weight, 0)

    def ten_more(self, daemon: subprocess.Popen[bytes]) -> None:
        """Ten reloads more, one weight back and forth: what grows with reloads shows."""
        place, address, weight = self.expect["one"]
        for _ in range(5):
            self.reload(daemon, "one", place, address, 7, 1)
            self.reload(daemon, "base", place, address, weight, 0)
        figure("pss_ten_mb", memory_mb(daemon.pid)[0])

    def reload(
        self, daemon: subprocess.Popen[bytes], name: str, place: str, address: str, weight: int, sevens: int
    ) -> float:
        """Seconds from SIGHUP until the kernel shows ``weight`` at one server, and ``sevens`` servers with weight 7."""
        self.use(name)
        began = time.monotonic()
        daemon.send_signal(signal.SIGHUP)
        until(f"{name} to show", lambda: self.gaze.weights(place).get(address) == weight, 0.005)
        took = time.monotonic() - began
        while self.gaze.seven() != sevens:
            assert time.monotonic() - began < PATIENCE_S, f"{self.gaze.seven()} of {sevens} changed"
            time.sleep(0.02)
            took = time.monotonic() - began
        self.settle(daemon)
        return took

    def until_quiet(self, daemon: subprocess.Popen[bytes]) -> float:
        """Seconds from a SIGHUP that changes nothing until no process of the daemon has run for a while."""
        processes = [f"/proc/{pid}/stat" for pid in family(daemon.pid)]
        began = last = time.monotonic()
        daemon.send_signal(signal.SIGHUP)
        while time.monotonic() - last < QUIET_S:
            time.sleep(0.01)
            states = [Path(path).read_text().rpartition(") ")[2][0] for path in processes]
            if any(state != "S" for state in states):
                last = time.monotonic()
        return last - began

    def by_tool(self) -> None:
        """The operator's tool, from its start to its end, with one weight changed."""
        tool = [sys.executable, "-c", "import sys; from krun.control.cli import main; sys.exit(main())"]
        tool += ["--run-dir", "/run/bench/krun"]
        changed = self.expect["changed"]
        for key, ir, name, count in (
            ("krunctl_plan_tenth", "tenth", "plan", changed),
            ("krunctl_plan", "one", "plan", 1),
            ("krunctl_one", "one", "reload", 1),
        ):
            self.use(ir)
            began = time.monotonic()
            done = subprocess.run(
                [*tool, name], capture_output=True, text=True, timeout=PATIENCE_S, check=False
            )
            took = time.monotonic() - began
            if done.returncode or f"edit_dest {count}" not in done.stdout:
                raise RuntimeError(
                    f"krunctl {name} exited with {done.returncode}: {done.stderr}{done.stdout}"
                )
            figure(key, took)

    def settle(self, daemon: subprocess.Popen[bytes]) -> None:
        """Let what follows a change (collections, scripts, first checks) end before the next thing is timed."""
        time.sleep(1.5)
        assert daemon.poll() is None, self.log.read_text()[-3000:]


def main() -> int:
    program, folder = sys.argv[1], Path(sys.argv[2])
    subprocess.run(["ip", "route", "add", "local", "172.16.0.0/12", "dev", "lo"], check=True)
    for port in (8080, 443):
        answer(port)
    game = Round(program, folder)
    try:
        game.play()
    except Exception:
        print(game.log.read_text()[-4000:] if game.log.exists() else "", file=sys.stderr)
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
