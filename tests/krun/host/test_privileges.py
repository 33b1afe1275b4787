"""What each process may still do, by the kernel's own word (proc(5): CapEff, CapPrm, CapInh, CapBnd, CapAmb, NoNewPrivs)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from krun.parent.privileges import (
    CHOWN,
    DAC_READ_SEARCH,
    IPC_LOCK,
    KILL,
    NAMES,
    NET_ADMIN,
    NET_BIND_SERVICE,
    NET_RAW,
    SETGID,
    SETPCAP,
    SETUID,
    SYS_ADMIN,
)
from lab.krun import KRUN, KRUNCTL, build
from lab.processes import wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to give up")

CONFIG = """
global_defs {
    script_user nobody
    %s
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 255
    advert_int 0.2
    version 3
    virtual_ipaddress {
        192.0.2.10/24
    }
    notify %s
}
virtual_server 10.0.0.1 80 {
    lvs_method NAT
    lvs_sched wlc
    protocol TCP
    real_server 10.0.0.2 80 {
        weight 1
    }
}
"""
REALTIME = "vrrp_rt_priority 10\n    checker_rt_priority 5\n    vrrp_no_swap\n    checker_no_swap"

VRRP = {NET_ADMIN, NET_RAW}
CHECK = {NET_ADMIN, NET_RAW, NET_BIND_SERVICE}
SCRIPT = {SETUID, SETGID, KILL, DAC_READ_SEARCH}
PARENT = set(NAMES) - {SYS_ADMIN} | {SETPCAP, CHOWN}


@dataclass(frozen=True)
class Held:
    """The sets of one process, by the numbers of the capabilities."""

    effective: set[int]
    permitted: set[int]
    inheritable: set[int]
    bounding: set[int]
    ambient: set[int]
    no_new_privileges: bool


def held(pid: int | str) -> Held:
    fields = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
    )
    sets = [
        {number for number in range(64) if int(fields[name], 16) >> number & 1}
        for name in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")
    ]
    return Held(*sets, fields["NoNewPrivs"] == "1")


Run = Callable[..., tuple[Path, dict[str, int]]]


@pytest.fixture
def run() -> Iterator[Run]:
    """Start a krun: its folder, and the pids by name (``krun``: the parent)."""
    with tempfile.TemporaryDirectory(prefix="kr") as name:
        folder = Path(name)
        folder.chmod(0o755)
        started: list[subprocess.Popen[bytes]] = []

        def begin(settings: str = "", before: tuple[str, ...] = ()) -> tuple[Path, dict[str, int]]:
            script = folder / "notify.sh"
            script.write_text(
                f"#!/bin/sh\ncat /proc/self/status > {folder}/said.$$ && mv {folder}/said.$$ {folder}/said\n"
            )
            script.chmod(0o755)
            folder.chmod(0o777)
            ir = build(CONFIG % (settings, script), folder)
            argv = [*before, *KRUN, str(ir), "--kernel", "memory", "--run-dir", str(folder / "run")]
            with (folder / "log").open("ab") as log:
                started.append(
                    subprocess.Popen(
                        [*argv, "--metrics", f"unix:{folder}/metrics"],
                        stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                    )
                )  # fmt: skip
            wait_for("krun", lambda: "ready" in (folder / "log").read_text(), 30)
            wait_for("the notify script", (folder / "said").exists, 30)
            done = subprocess.run(
                [*KRUNCTL, "--run-dir", str(folder / "run"), "status", "--json"],
                capture_output=True, text=True, timeout=60, check=True,
            )  # fmt: skip
            state = json.loads(done.stdout)
            pids = {process["name"]: process["pid"] for process in state["processes"]}
            return folder, pids | {"krun": state["parent"]["pid"]}

        yield begin
        for process in started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@pytest.mark.parametrize("settings", ["", REALTIME], ids=["plain", "realtime"])
def test_each_process_keeps_what_its_work_needs(run: Run, settings: str) -> None:
    ours = held("self")
    folder, pids = run(settings)
    locks = {IPC_LOCK} if settings else set()
    expected = {
        "vrrp": VRRP | locks,
        "check": CHECK | locks,
        "metrics": set(),
        "script": SCRIPT,
        "krun": PARENT,
    }
    assert set(pids) == set(expected)
    for name, wanted in expected.items():
        found = held(pids[name])
        assert found.effective == found.permitted == wanted & ours.permitted, name
        assert found.inheritable == found.ambient == set(), name
        if name in ("script", "krun"):
            # What scripts of root's, and a sudo in others, may do is not krun's to say.
            assert found.bounding == ours.bounding, name
            assert found.no_new_privileges == ours.no_new_privileges, name
        else:
            assert found.bounding == wanted & ours.bounding, name
            assert found.no_new_privileges, name
    # A script of another user has nothing at all.
    fields = dict(
        line.split(":\t", 1) for line in (folder / "said").read_text().splitlines() if ":\t" in line
    )
    assert fields["Uid"].split()[0] == "65534"
    assert int(fields["CapEff"], 16) == int(fields["CapPrm"], 16) == 0


def test_where_the_bounding_set_is_not_ours_to_reduce_it_stays(run: Run) -> None:
    """As in a container without CAP_SETPCAP: all else is given up just the same."""
    few = "+net_admin,+net_raw,+setuid,+setgid,+kill"
    _, pids = run(before=("setpriv", f"--bounding-set=-all,{few}", "--inh-caps=-all"))
    have = {NET_ADMIN, NET_RAW, SETUID, SETGID, KILL}
    for name, wanted in {
        "vrrp": VRRP,
        "check": VRRP,
        "metrics": set(),
        "script": have - VRRP,
        "krun": have,
    }.items():
        found = held(pids[name])
        assert found.effective == found.permitted == wanted, name
        assert found.bounding == have, name
