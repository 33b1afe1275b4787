"""Scripts at their worst, a great many at once: adverts leave as if there were none, and a keepalived beside it sees no reason to take over."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest

from lab.capture import Capture
from lab.keepalived import Keepalived
from lab.krun import Krun
from lab.needs import require_keepalived, require_netns
from lab.netns import Segment
from lab.processes import wait_for

pytestmark = [pytest.mark.netns, pytest.mark.keepalived]

INSTANCES = 12
INTERVAL_S = 0.5
SECONDS = 8.0

SCRIPTS = {
    "busy": "while :; do :; done",
    "loud": "head -c 100000000 /dev/zero; sleep 60",
    "forks": "while :; do /bin/true; done",
    "deaf": "trap '' TERM; while :; do sleep 0.01; done",
    "broken": "exit 3",
}
"""What track scripts do; each is killed when its time is over, and started again."""


def configuration(folder: Path, priority: int, *, scripts: bool) -> str:
    lines = ["global_defs {\n script_user root\n enable_script_security\n}"]
    if scripts:
        for kind in SCRIPTS:
            for n in range(4):
                lines.append(
                    f"vrrp_script {kind}{n} {{\n script {folder}/{kind}\n interval 1\n timeout 1\n weight -1\n}}"
                )
    track = " track_script {\n" + "\n".join(f"  {k}{n}" for k in SCRIPTS for n in range(4)) + "\n }\n"
    for n in range(1, INSTANCES + 1):
        lines.append(
            f"""vrrp_instance VI_{n} {{
 version 3
 state BACKUP
 interface eth0
 virtual_router_id {n}
 priority {priority}
 advert_int {INTERVAL_S}
{track + f" notify {folder}/busy" if scripts else ""}
 virtual_ipaddress {{
  198.51.100.{n}/32
 }}
}}"""
        )
    return "\n".join(lines) + "\n"


def test_adverts_keep_their_time(tmp_path: Path) -> None:
    require_netns()
    require_keepalived()
    tmp_path.chmod(0o755)
    for name, text in SCRIPTS.items():
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    with Segment({"a": ["192.0.2.1/24"], "b": ["192.0.2.2/24"]}, label="scripts") as segment:
        with Capture(segment) as capture:
            krun = Krun(
                segment["a"],
                configuration(tmp_path, 200, scripts=True),
                folder=tmp_path / "o",
                options=("--max-scripts", "24"),
            )
            peer = Keepalived(segment["b"], configuration(tmp_path, 100, scripts=False), only="vrrp")
            last = f"198.51.100.{INSTANCES}"
            wait_for("a master of all", lambda: segment["a"].has(last), 60)
            wait_for(
                "scripts that fill their places",
                lambda: len(krun.status()["extra"]["script"]["running"]) >= 18,
                30,
            )
            capture.drain()
            began = time.time()
            wait_for("some time", lambda: time.time() - began > SECONDS, SECONDS + 5, 0.2)
            state = krun.status()
            script = state["extra"]["script"]
        assert peer.process.running()
        assert not any(segment["b"].has(f"198.51.100.{n}") for n in range(1, INSTANCES + 1))
        assert [v["state"] for v in state["vrrp"]] == ["MASTER"] * INSTANCES
        assert script["ended"]["timeout"] >= 20 and len(script["running"]) <= 24
        gaps = []
        for n in range(1, INSTANCES + 1):
            times = [a.time for a in capture.adverts(port="a", vrid=n, since=began)]
            gaps += [later - earlier for earlier, later in pairwise(times)]
        assert len(gaps) >= INSTANCES * (SECONDS / INTERVAL_S - 3)
        gaps.sort()
        print(
            f"gaps: p50 {gaps[len(gaps) // 2]:.4f} p99 {gaps[len(gaps) * 99 // 100]:.4f} max {gaps[-1]:.4f} s"
        )
        assert gaps[-1] < 2 * INTERVAL_S  # one late advert is none that a peer misses
        assert krun.stop() == 0
