"""krun under a real container runtime (crun), with what docs/containers.md says it takes, and with less."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import needs
from lab.krun import KRUN, KRUNCTL, build
from lab.processes import OWNER_VARIABLE, identity, wait_for

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(os.geteuid() != 0, reason="a container with capabilities takes root"),
]

PAGE = Path(__file__).resolve().parents[3] / "docs" / "containers.md"

CONFIG = """
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 0.2
    version 3
    virtual_ipaddress {
        192.0.2.10/24
    }
}
"""

# A cgroup file system that the runtime understands, and a root that is not the namespace's own.
_OUTSIDE = """
set -e
mount --make-rprivate /
umount -lR /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --rbind / "$1/rootfs"
exec crun --cgroup-manager=disabled --root "$1/state" run -b "$1" krun
"""


def documented() -> list[str]:
    """The capabilities of the command that the page shows."""
    shown = PAGE.read_text().partition("```console")[2].partition("```")[0]
    words = shown.split()
    return [f"CAP_{words[n + 1]}" for n, word in enumerate(words) if word == "--cap-add"]


class Container:
    def __init__(self, folder: Path, capabilities: list[str]) -> None:
        self.log = folder / "log"
        (folder / "rootfs").mkdir(exist_ok=True)
        ir = build(CONFIG, folder)
        config = {
            "ociVersion": "1.0.2",
            "root": {"path": str(folder / "rootfs"), "readonly": True},
            "process": {
                "user": {"uid": 0, "gid": 0},
                "cwd": "/",
                "args": [*KRUN, str(ir), "--run-dir", "/tmp/krun"],
                "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", f"{OWNER_VARIABLE}={identity()}"],
                "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
                "noNewPrivileges": True,
            },
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {
                    "destination": "/dev",
                    "type": "tmpfs",
                    "source": "tmpfs",
                    "options": ["nosuid", "mode=755"],
                },
                {"destination": "/tmp/krun", "type": "tmpfs", "source": "tmpfs", "options": ["mode=0700"]},
            ],
            "linux": {
                "namespaces": [{"type": kind} for kind in ("pid", "mount", "network", "ipc", "uts")],
                "readonlyPaths": ["/proc/sys"],
            },
        }
        (folder / "config.json").write_text(json.dumps(config))
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["unshare", "-m", "sh", "-c", _OUTSIDE, "sh", str(folder)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env=os.environ | {OWNER_VARIABLE: identity()},
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """Process 1, as seen from outside; 0 before there is one."""
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                try:
                    lines = Path(entry.path, "status").read_text().splitlines()
                except (FileNotFoundError, ProcessLookupError):
                    continue
                fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
                if int(fields["PPid"]) == self.process.pid and fields["NSpid"].split()[-1] == "1":
                    return int(entry.name)
        return 0

    def run(self, *argv: str) -> str:
        """The output of a program inside."""
        inside = ["nsenter", "-t", str(self.pid), "-m", "-p", "-n", "-r", "--", *argv]
        done = subprocess.run(inside, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout + done.stderr

    def close(self) -> None:
        if self.process.poll() is None:
            if pid := self.pid:
                os.kill(pid, 9)
            self.process.wait(20)


@pytest.fixture
def folder() -> Iterator[Path]:
    needs.require_netns()
    if shutil.which("crun") is None:
        needs.lacking("crun is not installed: apt install crun")
    with tempfile.TemporaryDirectory(prefix="kr", dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_the_documented_capabilities_are_enough(folder: Path) -> None:
    capabilities = documented()
    assert "CAP_NET_ADMIN" in capabilities
    container = Container(folder, capabilities)
    try:
        wait_for("it to be ready", lambda: "ready" in container.log.read_text(), 30)
        # The runtime gives the container no interface; a network plug-in would.
        for line in (
            "link add eth0 type veth peer name other",
            "addr add 192.0.2.1/24 dev eth0",
            "link set eth0 up",
            "link set other up",
        ):
            assert container.run("ip", *line.split()) == ""
        wait_for("the VIP", lambda: "192.0.2.10/24" in container.run("ip", "addr", "show", "dev", "eth0"), 20)
        state = json.loads(container.run(*KRUNCTL, "--run-dir", "/tmp/krun", "status", "--json"))
        assert (state["parent"]["pid"], state["vrrp"][0]["state"]) == (1, "MASTER")
        assert "Read-only file system" in container.run("touch", "/x")
        os.kill(container.pid, 15)
        assert container.process.wait(15) == 0
        assert "stopped" in container.log.read_text()
        assert "Traceback" not in container.log.read_text()
    finally:
        container.close()


def test_with_one_less_it_says_which(folder: Path) -> None:
    container = Container(folder, [name for name in documented() if name != "CAP_NET_ADMIN"])
    try:
        assert container.process.wait(30) == 2
        assert container.log.read_text().splitlines() == [
            "krun: CAP_NET_ADMIN is missing: VIP 192.0.2.10 of VI_1 cannot be added; run with --cap-add NET_ADMIN"
        ]
    finally:
        container.close()
