"""The main job in under a minute: check, build, diff, two directors, failover, hot reload, IPVS.

Real programs throughout: ``kcc``, ``krun`` and ``krunctl`` as installed, two directors and a client in network namespaces, and,
where User-Mode Linux is installed, a kernel with IPVS. As root or in a user namespace; where neither can be had, one director on
the in-memory kernel.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests"))
BIN = Path(sys.executable).parent
VIP, SECOND_VIP = "203.0.113.10", "203.0.113.11"

console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)


def title(number: int, text: str) -> None:
    console.print()
    console.print(Rule(f"[bold]{number}. {text}", align="left", style="blue"))


def say(text: str) -> None:
    console.print(f"[dim]{text}[/]")


def show(*argv: str, cwd: Path | None = None, quiet: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a command and show it with what it printed."""
    console.print(Text.assemble(("$ ", "bold green"), (" ".join(argv), "bold")))
    env = {**os.environ, "FORCE_COLOR": "1"} if console.is_terminal else dict(os.environ)
    done = subprocess.run(
        [str(BIN / argv[0]), *argv[1:]], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    if not quiet:
        console.print(Text.from_ansi((done.stdout + done.stderr).rstrip()), soft_wrap=True)
    return done


def config(
    priority: int, name: str, *, vips: tuple[str, ...] = (VIP,), weight: int = 1, services: bool = True
) -> str:
    """The configuration of a director of the pair."""
    addresses = "".join(f"        {v}/24\n" for v in vips)
    text = f"""global_defs {{
    router_id {name}
    enable_script_security
}}

vrrp_instance VI_1 {{
    interface eth0
    virtual_router_id 30
    priority {priority}
    version 3
    advert_int 0.5
    virtual_ipaddress {{
{addresses}    }}
}}
"""
    if services:
        text += f"""
virtual_server {VIP} 80 {{
    delay_loop 2
    lb_algo wlc
    lb_kind NAT
    protocol TCP
    real_server 127.0.0.1 8081 {{
        weight {weight}
        TCP_CHECK {{
            connect_timeout 1
        }}
    }}
    real_server 127.0.0.1 8082 {{
        weight 1
        TCP_CHECK {{
            connect_timeout 1
        }}
    }}
}}
"""
    return text


def compile_time(folder: Path) -> None:
    title(1, "kcc check: every mistake at its line, in one run, without root or a daemon")
    shutil.copy(HERE / "edge.conf", folder / "edge.conf")
    show("kcc", "check", "edge.conf", cwd=folder)

    title(2, "kcc build: the repaired file becomes one document with a digest")
    (folder / "edge1.conf").write_text(config(150, "edge1"))
    (folder / "edge1-new.conf").write_text(config(150, "edge1", vips=(VIP, SECOND_VIP), weight=7))
    show("kcc", "build", "edge1.conf", "-o", "edge1.json", cwd=folder)

    title(3, "kcc diff: what a deploy will do, before it is done")
    show("kcc", "diff", "edge1.json", "edge1-new.conf", cwd=folder)


def directors(folder: Path) -> None:
    """Two directors and a client on one segment: failover and hot reload, seen from the wire."""
    from lab.capture import Capture
    from lab.krun import Krun
    from lab.netns import Segment
    from lab.processes import wait_for

    hosts = {"edge1": ["203.0.113.1/24"], "edge2": ["203.0.113.2/24"], "client": ["203.0.113.99/24"]}
    with Segment(hosts, label="demo", folder=folder / "net") as segment, Capture(segment) as capture:
        title(4, "Two directors in network namespaces")
        running = {}
        for name, priority in (("edge1", 150), ("edge2", 100)):
            text = config(priority, name, services=False)
            running[name] = Krun(segment[name], text, folder=folder / name)
        for krun in running.values():
            krun.wait_running()
        wait_for("edge1 to hold the VIP", lambda: segment["edge1"].has(VIP) or None, timeout=20)
        roles(running)
        console.print(Text.from_ansi(running["edge1"].control("status").stdout.rstrip()), soft_wrap=True)

        title(5, "Failover: edge1 loses its power (kill -9 and no carrier), while a client pings the VIP")
        ping = segment["client"].start(["ping", "-D", "-n", "-i", "0.05", VIP], log=folder / "ping.log")
        time.sleep(1)
        killed = running["edge1"].kill()
        segment.link_down("edge1")
        wait_for("edge2 to hold the VIP", lambda: segment["edge2"].has(VIP) or None, timeout=20)
        time.sleep(0.7)
        roles({"edge2": running["edge2"]})
        capture.drain()
        old = [a.time for a in capture.adverts(port="edge1")]
        new = [a.time for a in capture.adverts(port="edge2") if a.time > killed]
        timer = 3 * 0.5 + (256 - 100) * 0.5 / 256
        console.print(
            f"last advert of edge1 → first advert of edge2: [bold]{new[0] - old[-1]:.3f} s[/] on the wire "
            f"(its own timer, 3 × interval + skew: {timer:.3f} s)"
        )
        console.print(
            f"the client went without an answer for [bold]{longest_gap(folder / 'ping.log'):.2f} s[/]"
        )

        title(6, "Hot reload of the master: one more VIP, and not an advert late")
        before = len(running["edge2"].logged())
        text = config(100, "edge2", vips=(VIP, SECOND_VIP), services=False)
        started = time.time()
        answer = running["edge2"].reload(text)
        console.print(Text.assemble(("$ ", "bold green"), ("krunctl reload", "bold")))
        console.print((answer.stdout + answer.stderr).rstrip())
        wait_for("the new VIP", lambda: segment["edge2"].has(SECOND_VIP) or None)
        time.sleep(1.2)
        capture.drain()
        times = [a.time for a in capture.adverts(port="edge2") if a.time > started - 1.2]
        gaps = [b - a for a, b in pairwise(times)]
        console.print(
            f"longest gap between adverts around the reload: [bold]{max(gaps):.3f} s[/] (interval 0.5 s)"
        )
        say(running["edge2"].logged()[before:].strip())
        ping.stop()

        title(7, "An ordinary stop leaves nothing behind")
        status = running["edge2"].stop()
        left = [
            a for a in segment["edge2"].addresses("eth0") if a.startswith(("203.0.113.10/", "203.0.113.11/"))
        ]
        console.print(f"krun exited with {status}; VIPs left on eth0: {left or 'none'}")


def roles(running: dict[str, object]) -> None:
    for name, krun in running.items():
        [vi] = krun.status()["vrrp"]  # type: ignore[attr-defined]
        style = "bold green" if vi["state"] == "MASTER" else ""
        console.print(
            Text.assemble(
                (f"{name}: ", "bold"),
                (vi["state"], style),
                f"  priority {vi['effective_priority']}, vrid {vi['vrid']}, version {vi['version']}, "
                f"VIPs {', '.join(vi['vips']) or '-'}",
            )
        )


def longest_gap(log: Path) -> float:
    """The longest time between two answers in the output of ``ping -D``."""
    times = [float(t) for t in re.findall(r"^\[([\d.]+)\] \d+ bytes", log.read_text(), re.MULTILINE)]
    return max((b - a for a, b in pairwise(times)), default=0.0)


def ipvs(folder: Path) -> None:
    """The same service in a kernel that has IPVS."""
    from lab import kernel_lab

    title(8, "IPVS: the director's table in a real kernel, and a reload of one weight")
    problem = kernel_lab.problem()
    if problem:
        say(f"left out: {problem}")
        return
    (folder / "edge1-weight.conf").write_text(config(150, "edge1", weight=7))
    show("kcc", "build", "edge1-weight.conf", "-o", "edge1-weight.json", cwd=folder, quiet=True)
    done = kernel_lab.run([sys.executable, str(HERE / "guest.py"), str(folder)], timeout=60)
    console.print(Text.from_ansi(done.stdout.rstrip()), soft_wrap=True)
    if done.status:
        console.print(f"[red]the kernel lab ended with {done.status}: {done.stderr[-2000:]}")
        raise SystemExit(1)


def in_memory(folder: Path) -> None:
    """One director without any kernel: what is left where namespaces are forbidden."""
    title(4, "One director on the in-memory kernel (network namespaces are forbidden here)")
    run = folder / "run"
    log = (folder / "krun.log").open("w")
    argv = [str(BIN / "krun"), "edge1.json", "--kernel", "memory", "--run-dir", str(run)]
    with subprocess.Popen(argv, cwd=folder, stdout=log, stderr=log) as krun:
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            time.sleep(0.5)
            asked = subprocess.run(
                [str(BIN / "krunctl"), "--run-dir", str(run), "status", "--json"],
                capture_output=True,
                check=False,
            )
            if asked.returncode == 0 and any(
                i["state"] == "MASTER" for i in json.loads(asked.stdout)["vrrp"]
            ):
                break
        show("krunctl", "--run-dir", str(run), "status", cwd=folder)
        show("kcc", "build", "edge1-new.conf", "-o", "edge1.json", cwd=folder)
        show("krunctl", "--run-dir", str(run), "reload", cwd=folder)
        show("krunctl", "--run-dir", str(run), "stop", cwd=folder)
        krun.wait(15)
    say((folder / "krun.log").read_text().strip())


@contextmanager
def workspace() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="kcc-demo-") as name:
        yield Path(name)


def can_unshare() -> bool:
    probe = subprocess.run(["unshare", "-Urnm", "true"], capture_output=True, check=False)
    return probe.returncode == 0


def main() -> int:
    started = time.monotonic()
    if os.geteuid() != 0 and "KCC_DEMO_UNSHARED" not in os.environ and can_unshare():
        os.environ["KCC_DEMO_UNSHARED"] = "1"
        os.execvp(
            "unshare", ["unshare", "-Urnm", sys.executable, __file__]
        )  # the same, as root of a user namespace
    with workspace() as folder:
        compile_time(folder)
        if os.geteuid() == 0:
            directors(folder)
            ipvs(folder)
        else:
            in_memory(folder)
    console.print()
    say(f"done in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
