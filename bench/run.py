"""What it costs, beside keepalived in the same run: ``python bench/run.py [--large]``.

Whole processes, CPU seconds (user and system) and peak memory, medians of several runs; the ratio is the median of the ratios of
runs made in turn, so that it holds when the machine's speed drifts. ``keepalived -t`` runs as an unprivileged user.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import generate
import measure

NOBODY = 65534 if os.geteuid() == 0 else None
LARGEST = 232_000
"""Stands for the largest known real case, which has a shape of its own."""
KCC = [str(Path(sys.executable).parent / "kcc")]


def check(lines: int, folder: Path, times: int) -> str:
    path = folder / f"{lines}.conf"
    path.write_text("".join(generate.largest()) if lines == LARGEST else generate.text(lines))
    path.chmod(0o644)
    real = sum(1 for _ in path.open())
    keepalived = shutil.which("keepalived", path="/usr/sbin:/usr/bin:/sbin:" + os.environ.get("PATH", ""))
    ours_argv = [*KCC, "check", str(path)]
    if keepalived is None:
        one = measure.run(ours_argv)
        return f"check {real:>9,} lines   kcc {one.cpu_s:7.3f} s {one.peak_mb:6.0f} MB   (no keepalived here)"
    ours, theirs, ratio = measure.compare(
        lambda: measure.run(ours_argv),
        lambda: measure.run([keepalived, "-t", "-f", str(path)], user=NOBODY),
        times,
    )
    return (
        f"check {real:>9,} lines   kcc {ours.cpu_s:7.3f} s {ours.peak_mb:6.0f} MB   "
        f"keepalived -t {theirs.cpu_s:7.3f} s {theirs.peak_mb:6.0f} MB   ratio {ratio:5.2f}"
    )


def diff(lines: int, folder: Path) -> str:
    count = max(1, lines // 98)
    a, b = folder / "a.conf", folder / "b.conf"
    a.write_text("".join(generate.services(count, 10)))
    b.write_text("".join(generate.services(count, 10, weight=7)))
    one = statistics.median(measure.run([*KCC, "check", str(a)]).cpu_s for _ in range(3))
    both = statistics.median(measure.run([*KCC, "diff", str(a), str(b)]).cpu_s for _ in range(3))
    return f"diff  {lines:>9,} lines   kcc {both:7.3f} s              two checks {2 * one:7.3f} s             ratio {both / (2 * one):5.2f}"


def plan(servers: int) -> str:
    import msgspec

    from kir.codec import document, dumps, loads
    from kir.model import Config, RealServer, Service, VirtualServer
    from kir.plan.plan import plan as make

    def config(weight: int) -> Config:
        pools = []
        for s in range(servers // 10):
            at = Service(
                family="inet", protocol="tcp", address=f"10.{s >> 16}.{s >> 8 & 255}.{s & 255}", port=80
            )
            reals = tuple(
                RealServer(
                    address=f"172.16.{s & 255}.{r + 1}",
                    port=80,
                    family="inet",
                    weight=weight if s == r == 0 else 1,
                )
                for r in range(10)
            )
            pools.append(VirtualServer(name=at.identity, services=(at,), real_servers=reals))
        return Config(virtual_servers=tuple(pools))

    old, new = config(1), config(7)
    started = time.process_time()
    data = dumps(document(old))
    dumped = time.process_time()
    loads(data)
    loaded = time.process_time()
    steps = len(make(old, new).operations)
    done = time.process_time()
    del msgspec
    return (
        f"IR    {servers:>9,} servers  write {dumped - started:.3f} s, load and verify {loaded - dumped:.3f} s, "
        f"plan of one weight {done - loaded:.3f} s ({steps} operation), {len(data) / 1e6:.1f} MB"
    )


def main() -> int:
    ap = argparse.ArgumentParser(description="measure kcc beside keepalived")
    ap.add_argument("--large", action="store_true", help="1.27 million lines too")
    args = ap.parse_args()
    print(f"python {sys.version.split()[0]}, {os.cpu_count()} CPUs")
    start = [measure.run([*KCC, "--version"]).cpu_s for _ in range(5)]
    print(f"start kcc --version {statistics.median(start) * 1000:.0f} ms")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for lines, times in (
            (10, 5),
            (12_000, 5),
            (128_000, 3),
            (LARGEST, 3),
            *([(1_270_000, 1)] if args.large else []),
        ):
            print(check(lines, folder, times), flush=True)
        print(diff(128_000, folder))
    print(plan(30_000))
    return 0


if __name__ == "__main__":
    sys.exit(main())
