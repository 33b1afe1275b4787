"""In the kernel lab: krun.service with real-time settings. A machine of its own has CAP_SYS_RESOURCE, which a test's container may lack;
without it systemd cannot raise the limits that the unit asks for.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import test_systemd

from lab import systemd

REALTIME = "global_defs {\n    vrrp_rt_priority 20\n    vrrp_priority -5\n    vrrp_no_swap\n}\n"


def main() -> None:
    subprocess.run(["mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup"], check=True)
    test_systemd.CONFIG = REALTIME + test_systemd.CONFIG
    with tempfile.TemporaryDirectory() as folder, systemd.Systemd(Path(folder), test_systemd.CHECKOUT) as own:
        unit = test_systemd.Unit(own, Path(folder), "WatchdogSec=30\n")
        started = own.control("start", "krun.service")
        assert started.returncode == 0, (started.stderr, unit.logged())
        unit.wait("masters", "2 MASTER", 60)
        pids = own.run("cat", "/sys/fs/cgroup/system.slice/krun.service/cgroup.procs").stdout.split()
        names = {own.run("cat", f"/proc/{pid}/comm").stdout.strip(): pid for pid in pids}
        vrrp = names["krun-vrrp"]
        scheduled = own.run("chrt", "-p", vrrp).stdout
        status = own.run("cat", f"/proc/{vrrp}/status").stdout
        print(scheduled, status, unit.logged())
        assert "SCHED_RR" in scheduled
        assert "priority: 20" in scheduled
        locked = next(line.split()[1] for line in status.splitlines() if line.startswith("VmLck"))
        assert int(locked) > 5_000
        assert "is missing" not in unit.logged()
        assert "needs CAP_" not in unit.logged()
        assert own.control("stop", "krun.service").returncode == 0
    print("passed")


if __name__ == "__main__":
    main()
