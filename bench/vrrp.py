"""CPU and punctuality of the VRRP process with many instances, krun beside keepalived: ``python bench/vrrp.py [COUNT] [SECONDS]``
(root).

Each runs alone as master of COUNT version 3 instances at one advert a second, on veth pairs between two network namespaces, 250
VRIDs on each. CPU is that of all processes of the daemon over the window, from /proc/PID/stat. Lateness is how far the time between
two adverts of an instance is from a second, by the kernel's time stamps at the other end; the mean says whether it drifts.
``--interval`` takes another interval, ``--rounds`` repeats, in turn.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from lab.keepalived import Keepalived
from lab.krun import Krun
from lab.netns import Director, Namespace
from lab.processes import wait_for

ON_EACH = 250
"""VRIDs on one link."""
SETTLE_S = 8.0
"""The second burst of announcements is not what is measured."""
ETH_P_IP, SO_TIMESTAMPNS, SO_RCVBUFFORCE = 0x0800, 35, 33


@dataclass(frozen=True, slots=True)
class Figures:
    """``cpu``: per cent of a core. The others in milliseconds: |time between two adverts - interval|, and the mean time."""

    cpu: float
    p50: float
    p99: float
    longest: float
    mean: float

    def __str__(self) -> str:
        return (
            f"CPU {self.cpu:5.2f} %   lateness p50 {self.p50:6.2f}  p99 {self.p99:6.2f}  max {self.longest:6.1f} ms"
            f"   mean interval {self.mean:.2f} ms"
        )


def config(count: int, interval: float = 1.0) -> str:
    return "".join(
        f"vrrp_instance V{n} {{\n interface e{n // ON_EACH}\n virtual_router_id {n % ON_EACH + 1}\n version 3\n priority 200\n"
        f" advert_int {interval:g}\n virtual_ipaddress {{\n  10.{n // ON_EACH}.1.{n % ON_EACH + 1}/32\n }}\n}}\n"
        for n in range(count)
    )


def cpu_s(pids: list[int]) -> float:
    """User and system time of ``pids``, in seconds."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def wires(count: int, folder: Path) -> Iterator[tuple[Director, Namespace]]:
    """A director and its peer, with as many links between them as the VRIDs need."""
    director, peer = Director("a", [], folder), Namespace("b")
    try:
        for n in range((count - 1) // ON_EACH + 1):
            peer.ip(
                f"link add name e{n} type veth peer name e{n} netns {director.path}", f"link set dev e{n} up"
            )
            director.ip(f"link set dev e{n} up", f"addr add 198.51.{n}.1/24 dev e{n}")
        yield director, peer
    finally:
        director.close()
        peer.close()


def listener(peer: Namespace) -> socket.socket:
    """Everything that comes in at the peer, stamped by the kernel."""
    with peer:
        sock = socket.socket(
            socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, socket.htons(ETH_P_IP)
        )
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    return sock


def adverts(sock: socket.socket) -> dict[tuple[str, int], list[float]]:
    """What waits in ``sock``: times of the adverts, by link and VRID."""
    found: dict[tuple[str, int], list[float]] = {}
    while True:
        try:
            data, ancillary, _, sender = sock.recvmsg(256, 64)
        except BlockingIOError:
            return found
        if data[9] != 112 or len(data) < 28:
            continue
        seconds, nanoseconds = struct.unpack("@ll", ancillary[0][2][:16])
        found.setdefault((sender[0], data[21]), []).append(seconds + nanoseconds / 1e9)


def measure(kind: str, count: int, seconds: float, interval: float) -> Figures:
    with (
        tempfile.TemporaryDirectory(prefix="kb-") as name,
        wires(count, Path(name)) as (director, peer),
    ):
        if kind == "krun":
            Krun(director, config(count, interval), folder=director.folder)
        else:
            Keepalived(director, config(count, interval), only="vrrp")
        last = count - 1
        address = f"10.{last // ON_EACH}.1.{last % ON_EACH + 1}/32"
        wait_for(
            "all to be master",
            lambda: address in director.addresses(f"e{last // ON_EACH}") or None,
            timeout=60,
            interval=0.5,
        )
        time.sleep(SETTLE_S)
        sock = listener(peer)
        pids = director.pids()
        before = cpu_s(pids)
        time.sleep(seconds)
        cpu = (cpu_s(pids) - before) / seconds * 100
        times = adverts(sock)
        sock.close()
    gaps = [b - a for each in times.values() for a, b in itertools.pairwise(each)]
    off = sorted(abs(gap - interval) * 1000 for gap in gaps)
    if len(times) != count:
        print(f"  {kind}: adverts of {len(times)} instances only", file=sys.stderr)
    return Figures(
        cpu,
        off[len(off) // 2],
        off[int(len(off) * 0.99)],
        off[-1],
        sum(gaps) / len(gaps) * 1000,
    )


def main() -> int:
    ap = argparse.ArgumentParser(
        description="CPU and punctuality of the VRRP process, krun beside keepalived"
    )
    ap.add_argument("count", type=int, nargs="?", default=255)
    ap.add_argument("seconds", type=float, nargs="?", default=20)
    ap.add_argument("--interval", type=float, default=1.0)
    ap.add_argument("--rounds", type=int, default=1)
    ap.add_argument("--only", choices=("krun", "keepalived"))
    args = ap.parse_args()
    for _ in range(args.rounds):
        both = {
            kind: measure(kind, args.count, args.seconds, args.interval)
            for kind in ("krun", "keepalived")
            if args.only in (None, kind)
        }
        for kind, figures in both.items():
            print(f"{args.count} instances at {args.interval:g} s: {kind:10}  {figures}", flush=True)
        if len(both) == 2:
            print(f"  ratio of CPU {both['krun'].cpu / max(both['keepalived'].cpu, 0.01):.1f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
