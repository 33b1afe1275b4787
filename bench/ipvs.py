"""A director's life beside keepalived, in a kernel with IPVS: ``python bench/ipvs.py [--shape SHAPE]… [--rounds N]``.

For each shape of table: first load (process start to complete table), reload with one weight changed, with a tenth of the real servers
changed, with nothing changed, stop; memory, and whether it grows with reloads; page faults; plans. Both programs run in the kernel lab, in turn, each round in a kernel of its own; what
counts is what the kernel's table shows. The ratio is the median of the ratios round by round. krun starts from an IR: what ``kcc build``
takes, once for each configuration and on no director, is printed by itself.

In User-Mode Linux a system call costs some 75 times and a page fault some 15 times what they cost on bare metal, computing the
same: keepalived, with many system calls, and krun, with much memory, are both slower there than on a real director.

The last lines are krun alone on this host, where a page fault costs what it costs, with a kernel in memory instead of IPVS.

``--keepalived PATH`` takes another keepalived than the installed one.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import generate

from lab import kernel_lab, needs
from lab.netns import Namespace
from lab.processes import wait_for

ROOT = Path(__file__).resolve().parents[1]
SLOW_CHECKS_S = 3600
"""Between checks: the checks' own work, which is not what is measured here, is a handful a second."""

LABELS = {
    "first_load": "first load",
    "one_weight_first": "first reload, one weight",
    "one_weight": "later reload, one weight",
    "tenth": "reload, a tenth changed",
    "nothing": "reload, nothing changed",
    "stop": "stop",
    "left": "… servers left in the table",
    "pss_mb": "memory after the load, MB",
    "pss_after_mb": "… after nine reloads, MB",
    "pss_ten_mb": "… after ten more, MB",
    "peak_mb": "peak memory, MB",
    "faults": "page faults of the first load",
}
KRUN_ONLY = {
    "krunctl_one": "krunctl reload, one weight",
    "krunctl_plan": "krunctl plan, one weight",
    "krunctl_plan_tenth": "krunctl plan, a tenth",
}


@dataclass(frozen=True)
class Shape:
    """A table: how many services and real servers, and its configurations by name."""

    name: str
    services: int
    servers: int

    def text(self, name: str) -> Iterable[str]:
        """``base``; ``one`` weight changed to 7; a ``tenth`` of them."""
        weight, every = {"base": (0, 0), "one": (7, 0), "tenth": (7, 10)}[name]
        if self.services * 10 == self.servers:
            return generate.services(
                self.services, 10, weight=weight or 1, every=every, delay_loop=SLOW_CHECKS_S
            )
        return generate.largest(
            self.services, self.servers, weight=weight, every=every, delay_loop=SLOW_CHECKS_S
        )


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("1000x10", 1000, 10_000),
        Shape("3000x10", 3000, 30_000),
        Shape("2284x37298", 2284, 37_298),
    )
}

_LINE = re.compile(r"virtual_server (\S+) (\d+) \{|real_server (\S+) (\d+) \{|weight (\d+)")


def expectations(base: str, tenth: str) -> dict[str, object]:
    """What the guest has to see: read from the text, not from anything that a program under test made of it."""

    def rows(text: str) -> list[tuple[str, str, int]]:
        found: list[tuple[str, str, int]] = []
        place = server = ""
        for match in _LINE.finditer(text):
            if match[1]:
                place = f"{match[1]}:{match[2]}"
            elif match[3]:
                server = match[3]
            else:
                found.append((place, server, int(match[5])))
        return found

    old, new = rows(base), rows(tenth)
    changed = [n for n, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
    last = changed[-1]
    return {
        "servers": len(old),
        "last": old[-1][0],
        "last_count": sum(place == old[-1][0] for place, _, _ in old),
        "one": old[0],
        "tenth": old[last],
        "changed": len(changed),
    }


def prepare(shape: Shape, folder: Path) -> dict[str, float]:
    """Write the configurations and their IRs. Returns seconds and megabytes of ``kcc build`` for one of them."""
    texts = {name: "".join(shape.text(name)) for name in ("base", "one", "tenth")}
    figures: dict[str, float] = {}
    kcc = [str(Path(sys.executable).parent / "kcc"), "build"]
    for name, text in texts.items():
        (folder / f"{name}.conf").write_text(text)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [*kcc, str(folder / f"{name}.conf"), "-o", str(folder / f"{name}.json")],
            check=True,
            capture_output=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        figures["build_s"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    figures["lines"] = texts["base"].count("\n")
    figures["ir_mb"] = (folder / "base.json").stat().st_size / 1e6
    (folder / "expect.json").write_text(json.dumps(expectations(texts["base"], texts["tenth"])))
    return figures


def compiled(folder: Path) -> Path:
    """A copy of the packages with their bytecode, as an installation has it (and as the lab, which writes nothing, cannot make it)."""
    target = folder / "packages"
    for package in (ROOT / "ir" / "kir", ROOT / "runtime" / "krun"):
        shutil.copytree(package, target / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(
        [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(target)],
        check=True,
        env=environment,
    )
    return target


def play(program: str, folder: Path, packages: Path, keepalived: str) -> dict[str, float]:
    """One round of one program in a kernel of its own."""
    guest = str(Path(__file__).with_name("ipvs_guest.py"))
    outcome = kernel_lab.run(
        [sys.executable, guest, program, str(folder)],
        timeout=420,
        memory="3G",
        cwd=folder,
        env={"PYTHONPATH": str(packages), "BENCH_KEEPALIVED": keepalived},
    )
    if outcome.status:
        raise SystemExit(
            f"{program}: status {outcome.status}\n{outcome.lab_error}\n{outcome.stdout}{outcome.stderr}"
        )
    rows = [
        line.removeprefix("figure ").split("=") for line in outcome.stdout.splitlines() if "figure " in line
    ]
    return {name: float(value) for name, value in rows}


def measure(shape: Shape, rounds: int, keepalived: str, only: str) -> None:
    with tempfile.TemporaryDirectory(prefix="kb-") as name:
        folder = Path(name)
        built = prepare(shape, folder)
        packages = compiled(folder)
        print(
            f"\n{shape.name}: {shape.services:,} services, {shape.servers:,} real servers, {built['lines']:,.0f} lines;"
            f" kcc build {built['build_s']:.2f} s of CPU on this host, IR {built['ir_mb']:.1f} MB",
            flush=True,
        )
        ours, theirs = [], []
        for _ in range(rounds):
            if only != "keepalived":
                ours.append(play("krun", folder, packages, keepalived))
            if only != "krun":
                theirs.append(play("keepalived", folder, packages, keepalived))
        report(ours, theirs)
        if only != "keepalived":
            on_this_host(folder, packages)


def on_this_host(folder: Path, packages: Path) -> None:
    """krun's own work without a guest: start to ready, and three reloads with one weight, by its own log."""
    current, log = folder / "current.json", folder / "native.log"
    shutil.copyfile(folder / "base.json", current)
    with Namespace("bench") as space:
        space.ip("route add local 172.16.0.0/12 dev lo")  # checks are refused there, and reach nobody
        began = time.monotonic()
        daemon = space.start(
            [
                sys.executable,
                "-m",
                "krun",
                str(current),
                "--kernel",
                "memory",
                "--run-dir",
                str(folder / "run"),
            ],
            log=log,
            env={**os.environ, "PYTHONPATH": str(packages)},
        )
        wait_for("krun to be ready", lambda: re.search(r"\] ready$", log.read_text(), re.M), 60, 0.01)
        ready = time.monotonic() - began
        done = r"reloaded in ([\d.]+) ms"
        for number, name in enumerate(("one", "base", "one"), start=1):
            time.sleep(1)
            shutil.copyfile(folder / f"{name}.json", folder / "next.json")
            (folder / "next.json").rename(current)
            daemon.send(signal.SIGHUP)
            wait_for("the reload", lambda n=number: len(re.findall(done, log.read_text())) == n, 60, 0.01)
        took = [float(found) / 1000 for found in re.findall(done, log.read_text())]
        daemon.stop(30)
    space.close()
    reloads = " ".join(f"{seconds:.3f}" for seconds in took)
    print(
        f"krun on this host, kernel in memory: ready after {ready:.3f} s, reloads of one weight {reloads} s",
        flush=True,
    )


def report(ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> None:
    def middle(rounds: list[dict[str, float]], key: str) -> str:
        values = [one[key] for one in rounds if key in one]
        return f"{statistics.median(values):10.3f}" if values else " " * 9 + "-"

    print(f"{'':26}{'krun':>10} {'keepalived':>10} {'ratio':>7}   krun, round by round")
    for key, label in {**LABELS, **KRUN_ONLY}.items():
        ratios = [a[key] / b[key] for a, b in zip(ours, theirs, strict=False) if a.get(key) and b.get(key)]
        ratio = f"{statistics.median(ratios):7.2f}" if ratios else " " * 6 + "-"
        each = " ".join(f"{one[key]:.3f}" for one in ours if key in one)
        print(f"{label:26}{middle(ours, key)} {middle(theirs, key)} {ratio}   {each}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description="measure krun beside keepalived in the kernel lab", epilog=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument(
        "--shape", choices=SHAPES, action="append", help="may be given again [3000x10 2284x37298]"
    )
    parser.add_argument("--rounds", type=int, default=3, help="of both programs in turn [%(default)s]")
    parser.add_argument("--keepalived", default=needs.find_tool("keepalived"), help="which one [%(default)s]")
    parser.add_argument(
        "--only", choices=("krun", "keepalived"), default="", help="measure one of them alone"
    )
    options = parser.parse_args()
    if reason := kernel_lab.problem():
        print(f"no kernel with IPVS: {reason}", file=sys.stderr)
        return 1
    if options.keepalived is None and options.only != "krun":
        print(
            "keepalived is not installed (apt install keepalived); --only krun goes without", file=sys.stderr
        )
        return 1
    if options.only != "krun":
        said = subprocess.run([options.keepalived, "-v"], capture_output=True, text=True, check=False)
        print((said.stderr + said.stdout).splitlines()[0], end="; ")
    print(
        f"python {sys.version.split()[0]}, {os.cpu_count()} CPUs, {os.uname().release}, guest pinned to one CPU"
    )
    began = time.monotonic()
    for name in options.shape or ("3000x10", "2284x37298"):
        measure(SHAPES[name], options.rounds, options.keepalived or "", options.only)
    print(f"\n{time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
