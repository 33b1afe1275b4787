"""packaging/krun.service: what systemd says of it, and krun under a real systemd."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab import kernel_lab, needs, systemd
from lab.krun import KRUN, KRUNCTL, build
from lab.processes import wait_for

PACKAGING = Path(__file__).resolve().parents[3] / "packaging"
UNIT = (PACKAGING / "krun.service").read_text()
DROP_INS = sorted((PACKAGING / "drop-ins").glob("*.conf"))
CHECKOUT = Path(__file__).resolve().parents[3]

CONFIG = """
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 0.3
    version 3
    virtual_ipaddress {
        192.0.2.10/24
    }
}
vrrp_instance VI_2 {
    interface eth0
    virtual_router_id 52
    priority %d
    advert_int 0.3
    version 3
    nopreempt
    state BACKUP
    virtual_ipaddress {
        192.0.2.11/24
    }
}
"""


def require_analyze() -> None:
    if shutil.which("systemd-analyze") is None:
        needs.lacking("systemd-analyze is not installed: apt install systemd")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The unit with programs that exist here, and its drop-ins; systemd-analyze looks for them."""
    text = UNIT.replace("/usr/bin/krunctl", "/bin/true").replace("/usr/bin/krun", "/bin/true")
    (tmp_path / "krun.service").write_text(text)
    return tmp_path / "krun.service"


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_systemd_finds_nothing_wrong(copy: Path) -> None:
    require_analyze()
    done = analyze("verify", "--man=no", str(copy))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    # and it would: a setting that does not exist is found
    copy.write_text(copy.read_text().replace("KillMode=mixed", "KillMode=mixd"))
    assert "mixd" in analyze("verify", "--man=no", str(copy)).stderr


@pytest.mark.parametrize("drop_in", DROP_INS, ids=lambda path: path.name)
def test_drop_ins_are_understood_too(copy: Path, drop_in: Path) -> None:
    require_analyze()
    folder = copy.with_name("krun.service.d")
    folder.mkdir()
    shutil.copy(drop_in, folder)
    done = analyze("verify", "--man=no", str(copy))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_its_exposure_is_low(copy: Path) -> None:
    require_analyze()
    done = analyze("security", "--offline=true", "--threshold=30", str(copy))
    assert done.returncode == 0, done.stdout
    found = re.search(r"Overall exposure level for krun.service: ([0-9.]+)", done.stdout)
    assert found is not None
    assert float(found[1]) <= 3.0


def test_what_else_the_unit_promises() -> None:
    settings = dict(
        line.split("=", 1) for line in UNIT.splitlines() if "=" in line and not line.startswith("#")
    )
    assert settings["KillMode"] == "mixed"
    assert settings["Restart"] == "always"
    assert settings["RestartSec"] == "200ms"
    assert settings["LimitCORE"] == "0"
    assert settings["StartLimitIntervalSec"] == "0"
    assert int(settings["WatchdogSec"]) >= 10


# -- the real thing


class Unit:
    """krun.service in a systemd of its own, with the least that its place there makes necessary."""

    def __init__(self, systemd_: systemd.Systemd, folder: Path, more: str = "WatchdogSec=2\n") -> None:
        self.systemd = systemd_
        self.folder = folder
        root = systemd_.root
        for name, argv in (("krun", KRUN), ("krunctl", KRUNCTL)):
            wrapper = root / "run/bin" / name
            wrapper.parent.mkdir(exist_ok=True)
            # exec: the main process of the unit is krun itself.
            wrapper.write_text(f'#!/bin/sh\nexec {shlex.join(argv)} "$@"\n')
            wrapper.chmod(0o755)
        (root / "run/etc").mkdir()
        self.write(90)
        for line in (
            "link add eth0 type veth peer name other",
            "addr add 192.0.2.1/24 dev eth0",
            "link set eth0 up",
            "link set other up",
        ):
            done = systemd_.run("ip", *line.split())
            assert done.returncode == 0, done.stderr
        text = UNIT.replace("/usr/bin/", "/run/bin/").replace("/etc/krun/", "/run/etc/")
        # The checkout may be below /tmp, which the unit does not see; there is no journal to log to.
        here = f"[Service]\nBindReadOnlyPaths={CHECKOUT}\nStandardError=append:/run/krun.log\n{more}"
        systemd_.boot({"krun.service": text, "krun.service.d/lab.conf": here})

    def write(self, priority: int, before: str = "") -> None:
        ir = build(before + CONFIG % priority, self.folder)
        target = self.systemd.root / "run/etc/ir.json"
        target.write_bytes(ir.read_bytes())

    def show(self, *names: str) -> list[str]:
        found = self.systemd.show("krun.service", *names)
        return [found.get(name, "") for name in names]

    @property
    def main(self) -> int:
        """The main process's number, inside."""
        return int(self.show("MainPID")[0] or 0)

    def kill(self, number: signal.Signals) -> None:
        done = self.systemd.run("kill", f"-{number.value}", str(self.main))
        assert done.returncode == 0, done.stderr

    def logged(self) -> str:
        path = self.systemd.root / "run/krun.log"
        return path.read_text() if path.exists() else ""

    def addresses(self) -> str:
        return self.systemd.run("ip", "-o", "addr", "show", "dev", "eth0").stdout

    def wait(self, what: str, words: str, timeout: float = 30) -> None:
        """Until the status text has ``words``."""
        wait_for(
            f"{what}; last: {self.show('StatusText', 'ActiveState')}",
            lambda: words in self.show("StatusText")[0],
            timeout,
        )


@pytest.fixture(scope="module")
def unit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unit]:
    if reason := systemd.problem():
        needs.lacking(reason)
    folder = tmp_path_factory.mktemp("systemd")
    with systemd.Systemd(folder, CHECKOUT) as found:
        yield Unit(found, folder)


@pytest.mark.netns
def test_a_life_under_systemd(unit: Unit) -> None:
    started = unit.systemd.control("start", "krun.service")
    assert started.returncode == 0, (
        started.stderr,
        unit.logged(),
        unit.systemd.control("status", "krun.service").stdout,
    )
    assert unit.show("ActiveState", "SubState") == ["active", "running"]
    main = unit.main
    unit.wait("two masters in the status", "2 instances: 2 MASTER; ir sha256:")
    assert "192.0.2.10/24" in unit.addresses(), unit.logged()
    assert 'Status: "2 instances: 2 MASTER' in unit.systemd.control("status", "krun.service").stdout

    # What each process may do.
    pids = unit.systemd.run("cat", "/sys/fs/cgroup/system.slice/krun.service/cgroup.procs").stdout.split()
    names = {unit.systemd.run("cat", f"/proc/{pid}/comm").stdout.strip(): pid for pid in pids}
    vrrp = names["krun-vrrp"]
    status = unit.systemd.run("cat", f"/proc/{vrrp}/status").stdout
    assert "CapEff:\t0000000000003000" in status, "NET_ADMIN and NET_RAW"
    assert "CapBnd:\t0000000000003000" in status
    assert "is missing" not in unit.logged()

    # Reloads: one that is done, one that is refused with the reason.
    unit.write(120)
    done = unit.systemd.control("reload", "krun.service")
    assert done.returncode == 0, done.stderr
    assert unit.main == main
    assert unit.show("ActiveState", "SubState") == ["active", "running"]
    assert "reloaded in " in unit.logged()
    (unit.systemd.root / "run/etc/ir.json").write_text("{")
    refused = unit.systemd.control("reload", "krun.service")
    assert refused.returncode != 0
    assert unit.show("ActiveState", "SubState") == ["active", "running"]
    assert unit.main == main
    unit.write(120)

    # Another program takes its place: the same process to systemd, and just as confined.
    upgraded = unit.systemd.run("/run/bin/krunctl", "upgrade")
    assert upgraded.returncode == 0, upgraded.stderr
    assert unit.show("MainPID", "ActiveState", "NRestarts") == [str(main), "active", "0"]
    unit.wait("masters after the upgrade", "2 MASTER")
    pids = unit.systemd.run("cat", "/sys/fs/cgroup/system.slice/krun.service/cgroup.procs").stdout.split()
    statuses = [unit.systemd.run("cat", f"/proc/{pid}/status").stdout for pid in pids]
    assert [status for status in statuses if "CapBnd:\t0000000000003000" in status], "the VRRP process"
    assert not [status for status in statuses if "CapBnd:\t000001" in status]

    # It is fed: three times its span have passed without a restart.
    time.sleep(max(0.0, 6.5 - _age(unit)))
    assert unit.show("NRestarts", "MainPID") == ["0", str(main)]

    # Killed: another one, soon, that takes over what runs and what the kernel holds.
    before = time.monotonic()
    unit.kill(signal.SIGKILL)
    wait_for("another main process", lambda: unit.main not in (0, main), 10)
    assert time.monotonic() - before < 5
    unit.wait("the successor's status", "2 MASTER")
    assert unit.show("NRestarts", "ActiveState") == ["1", "active"]
    state = json.loads(unit.systemd.run("/run/bin/krunctl", "status", "--json").stdout)
    kept = {entry["name"]: entry for entry in state["promises"]}
    assert [entry["problem"] for entry in kept.values()] == [None] * len(kept), kept
    assert kept["vrrp"]["void"] is None and kept["vrrp"]["inherited_age_s"] < 5, kept

    # Stopped by a signal: nobody feeds the watchdog, systemd ends it and starts another.
    main = unit.main
    unit.kill(signal.SIGSTOP)
    wait_for("the watchdog's verdict", lambda: unit.main not in (0, main), 20)
    unit.wait("the status after the watchdog", "2 MASTER")
    assert unit.show("NRestarts") == ["2"]

    # Stopped in order.
    stopped = unit.systemd.control("stop", "krun.service")
    assert stopped.returncode == 0
    assert unit.show("ActiveState", "Result", "ExecMainStatus") == ["inactive", "success", "0"]
    assert "192.0.2.10" not in unit.addresses()
    assert "Traceback" not in unit.logged()
    assert not (unit.systemd.root / "run/krun/krun.sock").exists()


def _age(unit: Unit) -> float:
    """Seconds since the main process began (systemd and we have one clock)."""
    began = int(
        unit.systemd.show("krun.service", "ExecMainStartTimestampMonotonic")[
            "ExecMainStartTimestampMonotonic"
        ]
    )
    return time.clock_gettime(time.CLOCK_MONOTONIC) - began / 1e6


@pytest.fixture
def varied(unit: Unit) -> Iterator[Callable[..., None]]:
    """Start the unit anew with drop-ins and another configuration; both are taken back afterwards."""
    names: list[str] = []

    def start(before: str, **drop_ins: str) -> None:
        unit.systemd.control("stop", "krun.service")
        unit.write(90, before)
        for name, text in drop_ins.items():
            names.append(f"krun.service.d/{name}.conf")
            unit.systemd.unit(names[-1], text)
        assert unit.systemd.control("daemon-reload").returncode == 0
        started = unit.systemd.control("start", "krun.service")
        assert started.returncode == 0, (started.stderr, unit.logged()[-3000:])

    yield start
    unit.systemd.control("stop", "krun.service")
    for name in names:
        (unit.systemd.root / "run/systemd/system" / name).unlink()
    unit.systemd.control("daemon-reload")


def scripted(unit: Unit) -> str:
    """Settings with a start script of root's that tries what the unit does not allow, and says whether it worked."""
    script = unit.systemd.root / "run/bin/begin.sh"
    script.write_text(
        "#!/bin/sh\nunshare -n true && echo free > /run/written || echo confined > /run/written\n"
    )
    script.chmod(0o755)
    return "global_defs {\n    script_user root\n    startup_script /run/bin/begin.sh\n}\n"


@pytest.mark.netns
def test_what_a_script_may_do_is_the_unit_s_to_say(unit: Unit, varied: Callable[..., None]) -> None:
    written = unit.systemd.root / "run/written"
    varied(scripted(unit))
    wait_for("what the script says", lambda: written.exists() and written.read_text() == "confined\n", 20)
    varied(scripted(unit), loose=(PACKAGING / "drop-ins" / "whole-machine.conf").read_text())
    wait_for("what the script says now", lambda: written.read_text() == "free\n", 20)
    unit.wait("masters", "2 MASTER")


@pytest.mark.netns
def test_a_network_namespace_with_its_drop_in(unit: Unit, varied: Callable[..., None]) -> None:
    run = unit.systemd.run
    assert run("ip", "netns", "add", "blue").returncode == 0
    for line in ("link add eth0 type veth peer name other", "link set eth0 up", "link set other up"):
        assert run("ip", "-n", "blue", *line.split()).returncode == 0
    assert run("ip", "-n", "blue", "addr", "add", "192.0.2.1/24", "dev", "eth0").returncode == 0
    settings = "net_namespace blue\n"
    with pytest.raises(AssertionError):
        varied(settings)
    assert (
        "CAP_SYS_ADMIN is missing: `net_namespace blue` is not possible; add CapabilityBoundingSet="
        in unit.logged()
    )
    varied(settings, space=(PACKAGING / "drop-ins" / "namespaces.conf").read_text())
    wait_for(
        "the VIP in there",
        lambda: "192.0.2.10/24" in run("ip", "-n", "blue", "-o", "addr", "show", "dev", "eth0").stdout,
        20,
    )
    assert "192.0.2.10" not in unit.addresses()


@pytest.mark.netns
def test_a_control_group_as_the_manual_says(unit: Unit, varied: Callable[..., None]) -> None:
    varied(
        "",
        # Whatever a systemd makes of ProtectSystem=strict for /run: the run directory is enough.
        hard="[Service]\nReadOnlyPaths=/run\nReadWritePaths=/run/krun\n",
        group='[Service]\nSupplementaryGroups=games\nEnvironment="KRUN_OPTIONS=--control-group games"\n',
    )
    become = ("setpriv", "--reuid=65534", "--regid=65534")
    looked = unit.systemd.run(*become, "--groups=60", *KRUNCTL, "status")
    assert looked.returncode == 0, looked.stderr
    assert "VI_1" in looked.stdout
    assert unit.systemd.run(*become, "--groups=60", *KRUNCTL, "stop").returncode == 1
    assert unit.systemd.run(*become, "--clear-groups", *KRUNCTL, "status").returncode == 2


@pytest.mark.netns
def test_an_unusable_ir_is_not_tried_again_and_again(unit: Unit) -> None:
    unit.systemd.control("stop", "krun.service")
    (unit.systemd.root / "run/krun/krun.store").unlink(missing_ok=True)
    (unit.systemd.root / "run/etc/ir.json").write_text("{")
    restarts = unit.show("NRestarts")
    assert unit.systemd.control("start", "krun.service").returncode != 0
    assert unit.show("ActiveState", "ExecMainStatus", "NRestarts") == ["failed", "2", *restarts]
    assert "krun: /run/etc/ir.json: not complete JSON" in unit.logged()
    unit.write(90)
    assert unit.systemd.control("start", "krun.service").returncode == 0
    assert os.listdir(unit.systemd.root / "run/krun")


@pytest.mark.lab
def test_real_time_takes_no_capability_under_the_unit() -> None:
    """In a kernel of its own: a container, as tests may run in one, often has no CAP_SYS_RESOURCE, and systemd in it cannot raise limits."""
    needs.require_kernel_lab()
    if not systemd.BINARY.exists():
        needs.lacking("systemd is not installed: apt install systemd")
    tests = Path(__file__).resolve().parents[2]
    outcome = kernel_lab.run(
        [sys.executable, str(Path(__file__).with_name("limits_guest.py"))],
        timeout=200,
        cwd=tests,
        env={"PYTHONPATH": str(tests)},
    )
    assert outcome.status == 0, f"{outcome.lab_error}\n{outcome.stdout}\n{outcome.stderr}"
    assert outcome.stdout.rstrip().endswith("passed")
