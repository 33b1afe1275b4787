"""The daemon's own settings on both sides of a segment: the same text for keepalived and for krun, and /proc is asked what came of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.keepalived import Keepalived
from lab.krun import Krun
from lab.netns import Segment
from lab.processes import wait_for

pytestmark = [pytest.mark.netns, pytest.mark.keepalived]

CONFIG = """\
global_defs {
    vrrp_rt_priority 20
    vrrp_rlimit_rttime 500000
    vrrp_no_swap
    vrrp_cpu_affinity 0
    vrrp_process_name router
    checker_priority -4
    checker_no_swap
    startup_script "FOLDER/hook.sh start"
    shutdown_script "FOLDER/hook.sh stop"
    script_user root
    enable_script_security
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority PRIORITY
    virtual_ipaddress {
        192.0.2.10/24
    }
}
"""

HOOK = """\
#!/bin/sh
echo "$1 $(id -u) $(id -g)" >> FOLDER/hooks
exit 1
"""


def facts(pid: int) -> dict[str, object]:
    """What can be seen of a process from outside."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return {
        "policy": os.sched_getscheduler(pid),
        "priority": os.sched_getparam(pid).sched_priority,
        "nice": os.getpriority(os.PRIO_PROCESS, pid),
        "cpus": sorted(os.sched_getaffinity(pid)),
        "name": status["Name"],
        "umask": status["Umask"],
        "locked": int(status["VmLck"].split()[0]) > 0,
        "in its namespace": os.stat(f"/proc/{pid}/ns/net").st_ino,
    }


def test_the_same_settings_make_the_same_processes() -> None:
    with Segment({"a": ["192.0.2.1/24"], "b": ["192.0.2.2/24"]}) as segment:
        texts = {}
        for name, priority in (("a", 100), ("b", 90)):
            folder = segment[name].folder
            hook = folder / "hook.sh"
            hook.write_text(HOOK.replace("FOLDER", str(folder)))
            hook.chmod(0o755)
            texts[name] = CONFIG.replace("FOLDER", str(folder)).replace("PRIORITY", str(priority))
        theirs = Keepalived(segment["a"], texts["a"], only="vrrp")
        ours = Krun(segment["b"], texts["b"], folder=segment["b"].folder)
        theirs.wait_running()
        ours.wait_running()
        wait_for("one master", lambda: segment["a"].has("192.0.2.10"), 15)
        vrrp = next(p["pid"] for p in ours.status()["processes"] if p["name"] == "vrrp")
        seen = {
            "keepalived": facts(int((segment["a"].folder / "vrrp.pid").read_text())),
            "krun": facts(vrrp),
        }
        for name, director in (("keepalived", segment["a"]), ("krun", segment["b"])):
            assert seen[name].pop("in its namespace") == director.inode
        assert seen["krun"] == seen["keepalived"]
        assert seen["krun"]["priority"] == 20

        for process in (theirs.process, ours.process):
            assert process.stop(15) == 0
        hooks = {name: (segment[name].folder / "hooks").read_text().splitlines() for name in ("a", "b")}
        assert hooks["b"] == hooks["a"] == ["start 0 0", "stop 0 0"]
