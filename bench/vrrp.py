"""CPU of the VRRP process for many instances, krun beside keepalived: ``python bench/vrrp.py [COUNT] [SECONDS]`` (root).

Each runs alone as master of COUNT version 3 instances at one advert a second, on a veth in a network namespace; CPU is that of all
processes of the daemon over the window, from /proc/PID/stat.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from lab.keepalived import Keepalived
from lab.krun import Krun
from lab.netns import Segment
from lab.processes import wait_for


def config(count: int) -> str:
    return "".join(
        f"vrrp_instance V{n} {{\n interface eth0\n virtual_router_id {n + 1}\n version 3\n priority 200\n"
        f" advert_int 1\n virtual_ipaddress {{\n  192.0.2.{n + 1}/32\n }}\n}}\n"
        for n in range(count)
    )


def cpu_s(pids: list[int]) -> float:
    """User and system time of ``pids``, in seconds."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def measure(kind: str, count: int, seconds: float) -> float:
    with (
        tempfile.TemporaryDirectory(prefix="kb-") as name,
        Segment(
            {"a": ["198.51.100.1/24"], "b": ["198.51.100.2/24"]}, label=kind, folder=Path(name)
        ) as segment,
    ):
        director = segment["a"]
        if kind == "krun":
            Krun(director, config(count), folder=director.folder)
        else:
            Keepalived(director, config(count), only="vrrp")
        last = f"192.0.2.{count}"
        wait_for("all to be master", lambda: director.has(last) or None, timeout=60)
        time.sleep(8)  # the second burst of announcements is not what is measured
        pids = director.pids()
        before = cpu_s(pids)
        time.sleep(seconds)
        return (cpu_s(pids) - before) / seconds * 100


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 255
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 20
    ours, theirs = measure("krun", count, seconds), measure("keepalived", count, seconds)
    print(
        f"{count} instances at 1 s: krun {ours:.2f} % of a core, keepalived {theirs:.2f} %, ratio {ours / max(theirs, 0.01):.1f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
