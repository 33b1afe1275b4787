"""krun as process 1 of a container: read-only root, nothing in /dev, docker's capabilities and NET_ADMIN."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import needs
from lab.krun import KRUN, KRUNCTL, build
from lab.processes import OWNER_VARIABLE, identity, wait_for

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(os.geteuid() != 0, reason="a root file system of one's own takes root"),
]

#: Docker's default set (its documentation, "Runtime privilege and Linux capabilities"), and what a director adds.
CAPABILITIES = "chown dac_override fowner fsetid kill mknod net_bind_service net_raw setfcap setgid setpcap setuid sys_chroot net_admin"

_ENTRY = """
set -e
ip link set lo up
ip link add eth0 type veth peer name other
ip addr add 192.0.2.1/24 dev eth0
ip link set eth0 up
ip link set other up
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/dev
for d in null zero random urandom; do touch /run/dev/$d; mount --bind /dev/$d /run/dev/$d; done
mount --rbind /run/dev /dev
mount --bind /proc/sys /proc/sys
mount -o remount,ro,bind /proc/sys
mount -o remount,ro,bind /
exec "$@"
"""


class Container:
    """krun as process 1, its log in ``folder``."""

    def __init__(self, folder: Path, ir: Path) -> None:
        self.log = folder / "log"
        bounding = "--bounding-set=-all," + ",".join(f"+{name}" for name in CAPABILITIES.split())
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    "unshare", "-pfmn", "--mount-proc", "sh", "-c", _ENTRY, "sh",
                    "setpriv", bounding, "--inh-caps=-all", *KRUN, str(ir),
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={"PATH": os.environ["PATH"], OWNER_VARIABLE: identity()},
            )  # fmt: skip
        self.pid = wait_for("process 1", self._first, 20)

    def _first(self) -> int:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0]) if children else 0

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["nsenter", "-t", str(self.pid), "-p", "-m", "-n", "--", *argv],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def logged(self) -> str:
        return self.log.read_text()

    def close(self) -> None:
        if self.process.poll() is None:
            os.kill(self.pid or self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture
def folder() -> Iterator[Path]:
    needs.require_netns()
    with tempfile.TemporaryDirectory(prefix="kr") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def config(folder: Path) -> Path:
    script = folder / "notify.sh"
    # A daemon: its parent ends at once, so process 1 inherits it.
    script.write_text("#!/bin/sh\n(sleep 0.2 & sleep 0.1 &)\nexit 0\n")
    script.chmod(0o755)
    return build(
        f"""
global_defs {{
    script_user nobody
}}
vrrp_instance VI_1 {{
    interface eth0
    virtual_router_id 51
    priority 255
    advert_int 0.2
    version 3
    virtual_ipaddress {{
        192.0.2.10/24
    }}
    notify {shlex.quote(str(script))}
}}
""",
        folder,
    )


def test_a_life_as_process_1(folder: Path) -> None:
    container = Container(folder, config(folder))
    try:
        wait_for(
            "a VIP", lambda: "192.0.2.10" in container.run("ip", "addr", "show", "dev", "eth0").stdout, 20
        )
        state = json.loads(container.run(*KRUNCTL, "status", "--json").stdout)
        assert state["parent"]["pid"] == 1
        assert state["vrrp"][0]["state"] == "MASTER"
        assert container.run("touch", "/etc/x").returncode != 0, "the root is read-only"
        assert container.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward").returncode != 0

        # What scripts left behind is nobody's but process 1's, and it does not become a crowd of zombies.
        time.sleep(0.5)
        states = container.run("sh", "-c", "cat /proc/[0-9]*/stat").stdout
        assert ") Z " not in states, states
        assert "sleep" not in states

        began = time.monotonic()
        os.kill(container.pid, signal.SIGTERM)
        assert container.process.wait(15) == 0
        assert time.monotonic() - began < 9, "docker stop waits ten seconds"
        assert "stopped" in container.logged()
        assert "Traceback" not in container.logged()
        assert "error" not in container.logged().lower()
    finally:
        container.close()


def test_sigint_stops_it_too(folder: Path) -> None:
    container = Container(folder, config(folder))
    try:
        wait_for("it to be ready", lambda: "ready" in container.logged(), 20)
        os.kill(container.pid, signal.SIGINT)
        assert container.process.wait(15) == 0
        assert "SIGINT: stopping" in container.logged()
    finally:
        container.close()


def test_a_stop_while_it_starts(folder: Path) -> None:
    """Process 1 has no default action: before the loop turns, too, somebody must take the signal."""
    container = Container(folder, config(folder))
    try:
        deadline = time.monotonic() + 15
        while container.process.poll() is None and time.monotonic() < deadline:
            os.kill(container.pid, signal.SIGTERM)
            time.sleep(0.01)
        assert container.process.wait(1) == 0, container.logged()
        assert "ready" not in container.logged()
        assert "Traceback" not in container.logged()
        assert "KeyboardInterrupt" not in container.logged()
    finally:
        container.close()
