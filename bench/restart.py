"""How long a process that was killed is missed, krun beside keepalived: ``python bench/restart.py [ROUNDS]`` (root).

A master with adverts every second, its peer a keepalived, a capture between them. Measured is from the kill to the first advert that
the master sends again, by the kernel's time stamps, and whether the peer became master meanwhile; each kill comes right after an advert.
*Whole* is the parent alone killed, under a supervisor that starts it again at once (RestartSec=0; add the one you use). The checker process
is measured by the first connection that its check makes, on a kernel in memory; keepalived's needs IPVS, which this host may lack.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from lab.capture import Capture
from lab.keepalived import Keepalived
from lab.krun import Krun
from lab.netns import Segment
from lab.processes import wait_for
from wire.cell import OWN, Cell, Peers

CELL = Cell(Peers("krun", "keepalived"), 2, 4, unicast=False)
ADDRESSES = {name: [f"{OWN[4][name]}/24"] for name in ("a", "b")}
OLD_S = 2.5
CHECKED = """
virtual_server 127.0.0.2 80 {
    delay_loop 1
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 127.0.0.1 8081 {
        TCP_CHECK {
            connect_timeout 1
        }
    }
}
"""


class Missed:
    """``victim`` gives the pid to kill."""

    def __init__(self, segment: Segment, capture: Capture) -> None:
        self.segment, self.capture = segment, capture
        self.times: list[float] = []
        self.taken_over = 0

    def settle(self) -> None:
        def alone() -> bool:
            recent = {advert.port for advert in self.capture.adverts(since=time.time() - 1.5)}
            return recent == {"a"} and self.segment["a"].has(CELL.vips[0])

        wait_for("one master", alone, timeout=30, interval=0.1)
        time.sleep(OLD_S)

    def measure(self, victim: Callable[[], int]) -> None:
        self.settle()
        pid = victim()
        seen = len(self.capture.adverts(port="a"))
        wait_for("an advert", lambda: len(self.capture.adverts(port="a")) > seen, interval=0.005)
        killed = time.time()
        os.kill(pid, signal.SIGKILL)
        again = wait_for(
            "an advert again",
            lambda: [a.time for a in self.capture.adverts(port="a", since=killed + 0.001)],
            timeout=60,
            interval=0.01,
        )
        self.times.append(again[0] - killed)
        self.taken_over += bool(self.capture.adverts(port="b", since=killed))


def wire(kind: str, what: str, rounds: int) -> Missed:
    """Kill the VRRP process, or the parent, of ``kind`` again and again."""
    folder = Path(tempfile.mkdtemp(prefix="kb", dir="/dev/shm"))
    try:
        with Segment(ADDRESSES, label=f"{kind}", folder=folder) as segment, Capture(segment) as capture:
            host, missed = segment["a"], Missed(segment, capture)
            victim: Callable[[], int]
            if kind == "krun":
                krun = Krun(host, CELL.config("a"), folder=host.folder, respawn=0.0)
                krun.wait_running()

                def victim() -> int:
                    if what == "whole":
                        return krun.pid
                    return next(p["pid"] for p in krun.status()["processes"] if p["name"] == "vrrp")
            else:
                daemon = Keepalived(host, CELL.config("a"), only="vrrp")
                daemon.wait_running()

                def victim() -> int:
                    return int((host.folder / ("parent.pid" if what == "whole" else "vrrp.pid")).read_text())

            Keepalived(segment["b"], CELL.config("b"), only="vrrp").wait_running()
            for _ in range(rounds):
                missed.measure(victim)
                if kind == "keepalived" and what == "whole":
                    raise AssertionError("unreachable: see main")
            return missed
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def checker(rounds: int) -> list[float]:
    """From the kill of krun's checker process to the first connection of its check."""
    folder = Path(tempfile.mkdtemp(prefix="kb", dir="/dev/shm"))
    times: list[float] = []
    try:
        with Segment({"a": ADDRESSES["a"]}, label="checker", folder=folder) as segment:
            host = segment["a"]
            host.ip("link set lo up")
            with host, socket.socket() as server:
                server.bind(("127.0.0.1", 8081))
                server.listen(16)
                krun = Krun(host, CHECKED, folder=host.folder, options=["--kernel", "memory"])
                krun.wait_running()
                for _ in range(rounds):
                    time.sleep(OLD_S)
                    pid = next(p["pid"] for p in krun.status()["processes"] if p["name"] == "check")
                    server.setblocking(False)
                    _drain(server)
                    server.setblocking(True)
                    server.settimeout(20)
                    server.accept()[0].close()  # right after a check
                    killed = time.time()
                    os.kill(pid, signal.SIGKILL)
                    server.accept()[0].close()
                    times.append(time.time() - killed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return times


def _drain(server: socket.socket) -> None:
    try:
        while True:
            server.accept()[0].close()
    except BlockingIOError:
        return


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("rounds", nargs="?", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(f"{'killed':34s} {'median':>9s} {'longest':>9s}   peer became master")
    for kind, what, words in (
        ("krun", "vrrp", "krun: VRRP process"),
        ("keepalived", "vrrp", "keepalived: VRRP process"),
        ("krun", "whole", "krun: parent, started again"),
    ):
        missed = wire(kind, what, rounds)
        print(
            f"{words:34s} {statistics.median(missed.times):7.3f} s {max(missed.times):7.3f} s   "
            f"{missed.taken_over} of {rounds}"
        )
    times = checker(rounds)
    print(f"{'krun: checker, to its first check':34s} {statistics.median(times):7.3f} s {max(times):7.3f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
