"""Memory of all processes (PSS, proc(5)), by process and by owner: ``python bench/memory.py [LOAD…]``.

``empty``: one virtual router and one virtual server with two real servers. ``routers``: 1,000 virtual routers in network namespaces, beside the
installed keepalived. ``servers``: 40,000 real servers with TCP checks, on the kernel in memory; keepalived needs IPVS for
that, so its figures come from the kernel lab (``bench/ipvs.py``). Each is looked at twice: after the load, and after three reloads that change a
weight or a priority.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]

import generate  # noqa: E402
import vrrp  # noqa: E402

from lab.keepalived import Keepalived  # noqa: E402
from lab.krun import KRUN, KRUNCTL, Krun, build  # noqa: E402
from lab.netns import Segment  # noqa: E402

SETTLE_S = 5.0
LOADS = ("empty", "routers", "servers")
ROUTER = (
    "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n priority 100\n advert_int 1\n"
    " virtual_ipaddress {\n  192.0.2.100/24\n }\n}\n"
)


def pss_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def family(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def total_mb(pid: int) -> float:
    return sum(pss_kb(one) for one in family(pid)) / 1024


def ours(run_dir: Path, title: str, owners: bool) -> None:
    """Print what ``krunctl memory`` says."""
    done = subprocess.run(
        [*KRUNCTL, "--run-dir", str(run_dir), "memory", "--json"], capture_output=True, text=True, check=False
    )
    processes: list[dict[str, Any]] = json.loads(done.stdout)["processes"]
    parts = "  ".join(f"{p['process']} {p['pss_kb'] / 1024:.1f}" for p in processes)
    print(f"  krun, {title}: {sum(p['pss_kb'] for p in processes) / 1024:6.1f} MB   ({parts})", flush=True)
    if owners:
        for p in processes:
            great = sorted(p["owners"].items(), key=lambda item: -item[1]["octets"])[:3]
            words = ", ".join(
                f"{kind} {o['count']} ({o['octets'] / 1e6:.1f} MB)"
                for kind, o in great
                if o["octets"] > 500_000
            )
            if words:
                print(f"      {p['process']}: {words}")


def on_memory(text: str, again: str) -> None:
    """krun with the kernel in memory."""
    with tempfile.TemporaryDirectory(prefix="kb") as name:
        folder = Path(name)
        first, second = build(text, folder, "first"), build(again, folder, "second")
        run_dir = folder / "run"
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [*KRUN, str(first), "--kernel", "memory", "--run-dir", str(run_dir)], stderr=log
            )
        try:
            for _ in range(600):
                if " ready" in (folder / "log").read_text():
                    break
                time.sleep(0.1)
            time.sleep(SETTLE_S)
            ours(run_dir, "after the load   ", owners=True)
            for ir in (second, first, second):
                subprocess.run(
                    [*KRUNCTL, "--run-dir", str(run_dir), "reload", str(ir)], capture_output=True, check=True
                )
            time.sleep(SETTLE_S)
            ours(run_dir, "after the reloads", owners=False)
        finally:
            process.terminate()
            process.wait(30)


def routers(count: int) -> None:
    """Both programs with ``count`` virtual routers."""
    texts = [vrrp.config(count), vrrp.config(count).replace("priority 200", "priority 199", 1)]
    with tempfile.TemporaryDirectory(prefix="kb") as name, vrrp.wires(count, Path(name)) as (director, _peer):
        krun = Krun(director, texts[0], folder=director.folder)
        krun.wait_running()
        time.sleep(SETTLE_S + 5)
        ours(krun.run_dir, "after the load   ", owners=True)
        for text in (texts[1], texts[0], texts[1]):
            krun.reload(text)
        time.sleep(SETTLE_S)
        ours(krun.run_dir, "after the reloads", owners=False)
        krun.stop()
        _theirs(director, texts[0])


def _theirs(director: Any, text: str) -> None:
    keepalived = Keepalived(director, text, only="vrrp")
    time.sleep(SETTLE_S + 5)
    print(f"  keepalived -P:           {total_mb(keepalived.process.pid):6.1f} MB", flush=True)
    keepalived.stop()


def empty() -> None:
    """The smallest director there is."""
    one = ROUTER + "".join(generate.services(1, 2))
    on_memory(one, ROUTER + "".join(generate.services(1, 2, weight=7)))
    with Segment({"one": ["192.0.2.1/24"]}, label="bench") as segment:
        _theirs(segment.directors["one"], ROUTER)


def servers(count: int) -> None:
    texts = [ROUTER + "".join(generate.services(count // 10, 10, weight=w, delay_loop=60)) for w in (1, 7)]
    on_memory(texts[0], texts[1])


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("loads", nargs="*", metavar="LOAD", help=f"{', '.join(LOADS)} [all]")
    for load in p.parse_args().loads or LOADS:
        print(load)
        {"empty": empty, "routers": lambda: routers(1000), "servers": lambda: servers(40_000)}[load]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
