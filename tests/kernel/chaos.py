"""A director of virtual servers to which everything happens, in a kernel that has IPVS and a clock of its own.

Judged is what the kernel was told: not one write to IPVS, no address that came or went; and what a keepalived beside it saw: nothing.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from kernel.configs import service
from kernel.world import SERVERS, VIP, Server, World
from lab.capture import Capture
from lab.keepalived import Keepalived
from lab.krun import Krun
from lab.netlink_watch import NetlinkWatch
from lab.processes import wait_for

PORT = 80
INTERVAL = 4
"""Seconds: a kernel in user mode on a busy machine may need some for a start."""
YOUNG_S = 2.3
NO_INTERFACE = (0x7FFFFFFF).to_bytes(4, "little")
EVENTS = int(os.environ.get("CHAOS_EVENTS", "12"))
"""Each kind once; more where somebody has time."""

ROUTER = f"""\
vrrp_instance VI_1 {{
    version 3
    state %s
    interface eth0
    virtual_router_id 51
    priority %d
    advert_int {INTERVAL}
    virtual_ipaddress {{
        {VIP}/24
    }}
}}
"""


def chaos(program: str) -> None:
    """Whatever is killed or stopped, whatever the clock says: no write to IPVS, no address touched, no change of master; a server that
    was down before everybody died is down after."""
    with World() as world, Capture(world.segment) as capture, _small(world.director.folder / "run"):
        servers = {name: Server(world.segment[name], name, PORT) for name in SERVERS}
        pool = {SERVERS["one"][0]: 1, SERVERS["two"][0]: 1}
        config = ROUTER % ("MASTER", 150) + service(PORT, "NAT", pool)
        folder = world.director.folder
        krun = Krun(world.director, config, folder=folder, respawn=0.1)
        world.programs.append(krun)
        krun.wait_running()
        wait_for("the virtual address", lambda: world.director.has(VIP), timeout=30)
        peer = Keepalived(world.client, ROUTER % ("BACKUP", 100), only="vrrp")
        world.programs.append(peer)
        peer.wait_running()
        servers["two"].stop()
        left = [f"-A -t {VIP}:{PORT} -s rr", f"-a -t {VIP}:{PORT} -r {SERVERS['one'][0]}:{PORT} -m -w 1"]
        world.wait_table("a server that is down", left, timeout=40)

        story = _Story(world, krun)
        with NetlinkWatch(world.director) as watch:
            began = len(capture.adverts(vrid=51))
            for n in range(EVENTS):
                # Each kind at least once, in an order that the seed decides.
                story.tell(n)
            story.empty()
            time.sleep(3 * INTERVAL)  # checks are made and adverts sent
            # A start asks the kernel whether it may, by a write to an interface that cannot be.
            writes = [w for w in watch.take() if w.data[4:8] != NO_INTERFACE]
        print(f"figure ipvs_writes={sum(w.family == 'ipvs' for w in writes)}")
        print(f"figure route_writes={sum(w.family == 'route' for w in writes)}")
        told = f"{story.told}\n{krun.logged()[-12000:]}"
        assert not writes, f"{writes}\n{told}"
        assert world.table() == sorted(left), told
        assert "Entering MASTER STATE" not in peer.logged(), f"{peer.logged()[-2000:]}\n{told}"
        assert {advert.port for advert in capture.adverts(vrid=51)[began:]} == {"director"}, told
        assert world.director.has(VIP)
        assert "Traceback" not in krun.logged(), told

        def complete() -> bool:
            return all(p["state"] == "running" for p in krun.status()["processes"])

        wait_for("krun to be itself", complete, timeout=30)
        servers["two"].start()
        back = [*left, f"-a -t {VIP}:{PORT} -r {SERVERS['two'][0]}:{PORT} -m -w 1"]
        world.wait_table("the server that came back", back, timeout=40)
        assert krun.control("stop").status == 0
        assert world.table() == []


@contextlib.contextmanager
def _small(run_dir: Path) -> Iterator[None]:
    """A small tmpfs there, as long as it is wanted."""
    run_dir.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "none", str(run_dir)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(run_dir)], check=False)


class _Story:
    def __init__(self, world: World, krun: Krun) -> None:
        self.world, self.krun = world, krun
        self.random = random.Random(7)
        self.told: list[str] = []
        self.kinds: list[Callable[[], None]] = [
            lambda: self.kill("check"),
            lambda: self.kill("vrrp"),
            lambda: self.kill("script"),
            lambda: self.kill("check", signal.SIGSTOP),
            lambda: self.kill("vrrp", signal.SIGSTOP),
            self.kill_parent,
            self.kill_everything,
            lambda: self.step(86_400),
            lambda: self.step(-3 * 86_400),
            self.fill,
            self.reload,
            self.upgrade,
        ]
        self.names = [
            "check",
            "vrrp",
            "script",
            "check-stopped",
            "vrrp-stopped",
            "parent",
            "everything",
            "+day",
            "-3days",
            "fill",
            "reload",
            "upgrade",
        ]
        self.filler: Path | None = None

    def tell(self, n: int) -> None:
        if n % len(self.kinds) == 0:
            self.order = self.random.sample(range(len(self.kinds)), len(self.kinds))
            self.empty()
        kind = self.order[n % len(self.kinds)]
        self.told.append(self.names[kind])
        self.kinds[kind]()
        time.sleep(self.random.random() * 0.5)

    def old(self) -> dict[str, int]:
        """All three, none of them an infant: one that dies so early waits for its next start, by design."""

        def grown() -> dict[str, int] | None:
            found = self.krun.children()
            return found if {"check", "vrrp", "script"} <= found.keys() else None

        before = wait_for("all processes", grown, timeout=30, interval=0.1)
        while True:
            time.sleep(YOUNG_S)
            now = wait_for("all processes", grown, timeout=30, interval=0.1)
            if now == before:
                return now
            before = now

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        os.kill(self.old()[name], number)

    def kill_parent(self) -> None:
        self._respawned(lambda pid, _children: os.kill(pid, signal.SIGKILL))

    def kill_everything(self) -> None:
        def kill(pid: int, children: dict[str, int]) -> None:
            for one in (pid, *children.values()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, signal.SIGKILL)

        self._respawned(kill)

    def _respawned(self, kill: Callable[[int, dict[str, int]], None]) -> None:
        children, pid = self.old(), self.krun.pid
        kill(pid, children)
        wait_for("another krun", lambda: self.krun.pid not in (0, pid), timeout=30)

    def step(self, seconds: int) -> None:
        """Somebody sets the clock."""
        time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)

    def fill(self) -> None:
        self.filler = self.krun.run_dir / "filler"
        with contextlib.suppress(OSError), self.filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    def empty(self) -> None:
        if self.filler is not None:
            self.filler.unlink()
            self.filler = None

    def reload(self) -> None:
        self.old()
        self.krun.control("reload")

    def upgrade(self) -> None:
        self.old()
        self.krun.control("upgrade", timeout=90)
