"""A systemd of its own: the machine's systemd as process 1 of fresh namespaces, with no unit but those of the test.

Nothing of it reaches the machine: it has process, mount, cgroup and network namespaces of its own, its unit files are in a tmpfs at ``/run``,
the file system of the machine is read-only to it, with a ``/tmp`` of its own, and when it ends everything in it ends. Root is needed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.processes import OWNER_VARIABLE, identity, sweep, wait_for

__all__ = ["BINARY", "Systemd", "problem"]

BINARY = Path("/lib/systemd/systemd")
UNITS = Path("/run/systemd/system")

#: Targets that any service refers to without saying so.
TARGETS = (
    "sysinit",
    "basic",
    "shutdown",
    "network",
    "network-online",
    "multi-user",
    "umount",
    "final",
    "lab",
)

_INIT = """
set -e
umask 022
mount --make-rprivate /
mount -o remount,bind,ro /
mount -t tmpfs -o mode=755 tmpfs /run
umount -lR /sys/fs/cgroup
mount -t sysfs sys /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /run/systemd/system /run/lock
mkdir /run/keep
mount --bind "$0" /run/keep
for d in /tmp /var/tmp; do mount -t tmpfs -o mode=1777 tmpfs $d; done
mkdir -p "$0" 2>/dev/null || true
mount --move /run/keep "$0"
ip link set lo up
echo ready > /run/stage
while [ ! -e /run/go ]; do sleep 0.05; done
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=lab SYSTEMD_UNIT_PATH=/run/systemd/system \\
    /lib/systemd/systemd --system --unit=lab.target --log-target=console --log-level=info --show-status=no
"""


def problem() -> str | None:
    """Why none can be had here; None where one can."""
    if not BINARY.exists():
        return "systemd is not installed: apt install systemd"
    if os.geteuid() != 0:
        return "a systemd of its own takes root"
    if _cgroup2() is None:
        return "there is no cgroup2 file system: mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified"
    return None


def _cgroup2() -> Path | None:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, options, *_ = line.split()
        if kind == "cgroup2" and "rw" in options.split(","):
            return Path(place)
    return None


class Systemd:
    """A context manager; `boot` starts it with its units: text by file name (``krun.service``, ``krun.service.d/x.conf``).

    ``folder`` gets the log of the namespaces; ``keep`` is a directory that stays in sight, also where it is below ``/tmp``.
    Until then `run` and `root` work already, so that what the units need can be put there.
    """

    def __init__(self, folder: Path, keep: Path) -> None:
        sweep()
        mount = _cgroup2()
        assert mount is not None, problem()
        self.log = folder / "systemd.log"
        self._cgroup = mount / f"krun-lab-{os.getpid()}-{time.monotonic_ns()}"
        self._cgroup.mkdir()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                # The shell moves itself into the cgroup before its namespace is made: that one's root is there.
                [
                    "sh", "-c", 'echo $$ > "$1/cgroup.procs"; shift; exec "$@"', "sh", str(self._cgroup),
                    "unshare", "-pfmCn", "--kill-child", "--mount-proc", "sh", "-c", _INIT, str(keep),
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env=os.environ | {OWNER_VARIABLE: identity()},
            )  # fmt: skip
        self.pid = 0
        try:
            wait_for("namespaces of a systemd", self._made, 20)
        except BaseException:
            self.close()
            raise

    def _made(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError(f"no namespaces for a systemd: {self.log.read_text()}")
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        self.pid = int(children[0]) if children else 0
        return bool(self.pid) and (self.root / "run/stage").exists()

    @property
    def root(self) -> Path:
        """The root of its file system, as seen from outside."""
        return Path(f"/proc/{self.pid}/root")

    def boot(self, units: Mapping[str, str]) -> None:
        """Write the unit files and start systemd."""
        for name in TARGETS:
            self.unit(f"{name}.target", "[Unit]\nDefaultDependencies=no\n")
        for name, text in units.items():
            self.unit(name, text)
        (self.root / "run/go").touch()
        wait_for(
            "systemd", lambda: self.control("is-system-running").stdout.strip() in ("running", "degraded"), 30
        )

    def unit(self, name: str, text: str) -> None:
        """Write a unit file or a drop-in."""
        path = self.root / str(UNITS).lstrip("/") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(self, *argv: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a program inside, as root."""
        inside = ["nsenter", "-t", str(self.pid), "-p", "-m", "-n", "-C", "-r", "--", *argv]
        return subprocess.run(inside, capture_output=True, text=True, timeout=timeout, check=False)

    def control(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """``systemctl``."""
        return self.run("systemctl", "--no-pager", *arguments)

    def show(self, unit: str, *names: str) -> dict[str, str]:
        """Properties of a unit, as ``systemctl show`` has them."""
        said = self.control("show", unit, *(f"--property={name}" for name in names)).stdout
        return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)

    def close(self) -> None:
        """End all that runs in it."""
        with contextlib.suppress(OSError):
            (self._cgroup / "cgroup.kill").write_text("1")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        wait_for("an empty cgroup", self._removed, 10)

    def _removed(self) -> bool:
        for path in [*sorted(self._cgroup.rglob("*"), reverse=True), self._cgroup]:
            if path.is_dir():
                with contextlib.suppress(OSError):  # a process in there has not quite ended
                    path.rmdir()
        return not self._cgroup.exists()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()
