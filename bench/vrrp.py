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
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from lab.keepalived import Keepalived
from lab.krun import Krun
from lab.links import ON_EACH, adverts, listener, wires
from lab.processes import wait_for

SETTLE_S = 8.0
"""The second burst of announcements is not what is measured."""


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


def measure(kind: str, count: int, seconds: float, interval: float) -> Figures:
    with (
        tempfile.TemporaryDirectory(prefix="kb-") as name,
        wires((count - 1) // ON_EACH + 1, Path(name)) as (director, peer),
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
