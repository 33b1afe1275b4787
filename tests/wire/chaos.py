"""Everything that can happen to a director at once, and a verdict from outside: what a capture and the peer saw.

A seeded random story of ``events`` happens to krun as the master beside a keepalived peer; krun is under a supervisor that starts it
again, and its run directory is a small tmpfs of its own. ``make chaos`` plays long ones.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lab.capture import Capture
from lab.keepalived import Keepalived
from lab.krun import KRUNCTL, Krun, build
from lab.netns import Segment
from lab.processes import family, wait_for
from wire.address_events import AddressEvents
from wire.cell import OWN, VRID, Cell, Peers

__all__ = ["Report", "play"]

CELL = Cell(Peers("krun", "keepalived"), 2, 4, unicast=False)
ADDRESSES = {name: [f"{OWN[4][name]}/24"] for name in ("a", "b")}
VIP = CELL.vips[0]
RESPAWN_S = 0.2
YOUNG_S = 2.3
"""A child that dies in its first two seconds waits for its next start: by design, so a story does not kill it that early."""


@dataclass
class Report:
    """What was seen. Times are seconds."""

    seed: int
    events: Counter[str] = field(default_factory=Counter)
    took: float = 0.0
    longest_gap: float = 0.0
    after: str = ""
    """What had happened last when the longest gap began."""
    masters: int = 0
    """How often the sender of adverts changed."""
    flaps: list[str] = field(default_factory=list)
    priorities: set[int] = field(default_factory=set)
    peer_became_master: int = 0
    leaked: list[str] = field(default_factory=list)
    trouble: str = ""
    logs: str = ""

    def failures(self) -> list[str]:
        """Whatever is not as it must be."""
        found = [self.trouble] if self.trouble else []
        if self.masters:
            found.append(f"{self.masters} changes of master")
        if self.peer_became_master:
            found.append(f"the peer became master {self.peer_became_master} times")
        if self.longest_gap >= 2 * CELL.interval:
            found.append(f"{self.longest_gap:.3f} s between two adverts, after {self.after}")
        if self.flaps:
            found.append(f"the virtual address came and went: {self.flaps[:6]}")
        if len(self.priorities) != 1 or 0 in self.priorities:
            found.append(f"adverts of priorities {sorted(self.priorities)}")
        return found + self.leaked


def play(seed: int, events: int) -> Report:
    """One story. Never raises for what it finds; needs root, namespaces, keepalived and a tmpfs at /dev/shm."""
    report = Report(seed)
    folder = Path(tempfile.mkdtemp(prefix="kc", dir="/dev/shm"))
    run_dir = folder / "a" / "run"
    run_dir.mkdir(parents=True, mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "chaos", str(run_dir)], check=True)
    began = time.monotonic()
    try:
        with Segment(ADDRESSES, label="chaos", folder=folder) as segment, Capture(segment) as capture:
            story = _Story(seed, segment, capture, report)
            try:
                story.settle()
                story.tell(events)
            except Exception as error:
                report.trouble = f"{type(error).__name__}: {error}"
            finally:
                story.judge()
                report.took = time.monotonic() - began
    finally:
        subprocess.run(["umount", "-l", str(run_dir)], check=False)
        shutil.rmtree(folder, ignore_errors=True)
    return report


class _Story:
    def __init__(self, seed: int, segment: Segment, capture: Capture, report: Report) -> None:
        self.random = random.Random(seed)
        self.segment, self.capture, self.report = segment, capture, report
        self.host = segment["a"]
        self.told: list[tuple[float, str]] = []
        self.good = CELL.config("a")
        self.more = self.good.replace(
            "    virtual_ipaddress {",
            "    virtual_ipaddress_excluded {\n        192.0.2.200/24\n    }\n    virtual_ipaddress {",
        )
        self.has_more = False
        self.full: Path | None = None
        self.krun = Krun(self.host, self.good, folder=self.host.folder, respawn=RESPAWN_S)
        self.peer = Keepalived(segment["b"], CELL.config("b"), only="vrrp")
        self.watch = AddressEvents(self.host)
        self.born: dict[str, tuple[int, float]] = {}
        self.pids: dict[str, int] = {}
        self.fds: dict[str, int] = {}
        self.started = 0.0

    # -- before and after

    def settle(self) -> None:
        """krun alone is the master, and everything is as old as it must be."""
        self.krun.wait_running()
        self.peer.wait_running()

        def alone() -> bool:
            recent = {advert.port for advert in self.capture.adverts(since=time.time() - 1.5)}
            return recent == {"a"} and self.host.has(VIP) and not self.segment["b"].has(VIP)

        wait_for("krun alone to be the master", alone, timeout=25, interval=0.1)
        self.host.ip("link add chaos0 type veth peer name chaos1", "link set chaos0 up", "link set chaos1 up")
        self.look()
        self.fds = self._count()
        self.watch.take()
        self.report.peer_became_master = -self._reigns()
        self.started = time.time()

    def look(self) -> None:
        """Who runs."""
        self.pids = self.krun.children() | {"krun": self.krun.pid}
        for name, pid in self.pids.items():
            if self.born.get(name, (0, 0.0))[0] != pid:
                self.born[name] = (pid, time.monotonic())

    def judge(self) -> None:
        report = self.report
        if not self.started:
            report.logs = self.krun.logged()[-4000:]
            return
        adverts = [
            advert for advert in self.capture.adverts(vrid=VRID) if advert.time > self.started - CELL.interval
        ]
        for earlier, later in itertools.pairwise(adverts):
            report.masters += earlier.port != later.port
            if later.time - earlier.time > report.longest_gap:
                report.longest_gap = later.time - earlier.time
                report.after = " ".join(
                    name for at, name in self.told if earlier.time - 2.0 < at < later.time
                )
        report.priorities = {advert.priority for advert in adverts}
        report.flaps += [event for event in self.watch.take() if VIP in event]
        report.peer_became_master += self._reigns()
        if self.segment["b"].has(VIP) or not self.host.has(VIP):
            report.leaked.append("the virtual address is not where it belongs")
        report.logs = "\n".join(f"{at - self.started:7.3f} {name}" for at, name in self.told[-60:])
        report.logs += "\n" + self.krun.logged()[-4000:]
        if "Traceback" in self.krun.logged():
            report.leaked.append("a traceback in the log")

    def _reigns(self) -> int:
        return self.peer.logged().count("Entering MASTER STATE")

    def _count(self) -> dict[str, int]:
        """How many descriptors each process has; and how many processes there are."""
        counts = {name: len(os.listdir(f"/proc/{pid}/fd")) for name, pid in self.pids.items()}
        counts["processes"] = len(family(self.krun.process.pid))
        return counts

    # -- the story

    def tell(self, events: int) -> None:
        choices = [name for name, (weight, _) in EVENTS.items() for _ in range(weight)]
        for _ in range(events):
            name = self.random.choice(choices)
            self.told.append((time.time(), name))
            self.report.events[name] += 1
            EVENTS[name][1](self)
            self.report.flaps += [event for event in self.watch.take() if VIP in event]
            time.sleep(self.random.random() * 0.1)
        self.empty()
        self.quiet()
        time.sleep(1.5 * CELL.interval)
        self.look()
        state = self.krun.status()
        if state["vrrp"][0]["state"].upper() != "MASTER" or state["alarms"]:
            self.report.leaked.append(f"in the end: {state['vrrp'][0]['state']}, {state['alarms']}")
        wait_for("descriptors to be given back", lambda: not self._leaks(), timeout=5)

    def _leaks(self) -> list[str]:
        now = self._count()
        return [
            f"{name}: {now[name]}, was {was}" for name, was in self.fds.items() if now.get(name, 0) > was + 2
        ]

    def quiet(self) -> None:
        """Wait until all processes are there."""
        wait_for("all processes", lambda: self.krun.children().keys() == {"vrrp", "script"}, timeout=30)
        self.look()

    def old(self, name: str) -> int:
        """The pid of a process that is no infant any more."""
        self.quiet()
        _, born = self.born[name]
        time.sleep(max(0.0, born + YOUNG_S - time.monotonic()))
        return self.pids[name]

    def signal(self, name: str, *numbers: signal.Signals) -> None:
        pid = self.old(name)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, self.random.choice(numbers))

    def kill_vrrp(self) -> None:
        self.signal("vrrp", signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT)

    def kill_script(self) -> None:
        self.signal("script", signal.SIGKILL, signal.SIGBUS)

    def stop_a_child(self) -> None:
        self.signal(self.random.choice(("vrrp", "script")), signal.SIGSTOP)

    def useless_signals(self) -> None:
        for name in ("vrrp", "script"):
            self.quiet()
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pids[name], self.random.choice((signal.SIGTERM, signal.SIGHUP, signal.SIGINT)))

    def stop_the_parent(self) -> None:
        pid = self.old("krun")
        os.kill(pid, signal.SIGSTOP)
        time.sleep(self.random.random() * 0.5)
        os.kill(pid, signal.SIGCONT)

    def kill_parent(self) -> None:
        self._respawned(lambda pid: os.kill(pid, signal.SIGKILL))

    def kill_everything(self) -> None:
        def kill(pid: int) -> None:
            for one in (pid, *(p for name, p in self.pids.items() if name != "krun")):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, signal.SIGKILL)

        self._respawned(kill)

    def kill_parent_of_a_stopped_child(self) -> None:
        def kill(pid: int) -> None:
            os.kill(pid, signal.SIGSTOP)
            os.kill(self.pids["vrrp"], signal.SIGSTOP)
            os.kill(pid, signal.SIGKILL)

        self._respawned(kill)

    def _respawned(self, kill: Callable[[int], None]) -> None:
        self.old("vrrp")
        self._killed(kill)

    def _killed(self, kill: Callable[[int], None]) -> None:
        pid = self.pids["krun"]
        kill(pid)
        wait_for("another krun", lambda: self.krun.pid not in (0, pid), timeout=20)
        self.quiet()

    def upgrade(self) -> None:
        self.old("vrrp")
        answer = self.krun.control("upgrade", timeout=60)
        if answer.status != 0 and self.full is None:
            raise AssertionError(f"upgrade: {answer}")
        self.quiet()

    def kill_in_an_upgrade(self) -> None:
        """At any moment of it: before, while it judges, between the programs, after."""
        self.old("vrrp")
        with (self.host.folder / "upgrade.log").open("ab") as log:
            asked = subprocess.Popen(
                [*KRUNCTL, "--run-dir", str(self.krun.run_dir), "upgrade"], stdout=log, stderr=log
            )
        time.sleep(self.random.random() * 1.5)
        self._killed(lambda pid: os.kill(pid, signal.SIGKILL))
        asked.kill()
        asked.wait()

    def reload(self) -> None:
        self.has_more = not self.has_more
        build(self.more if self.has_more else self.good, self.host.folder)
        self.krun.control("reload")

    def reload_of_nonsense(self) -> None:
        was = self.krun.ir.read_bytes()
        self.krun.ir.write_bytes(was[: self.random.randrange(len(was))])
        answer = self.krun.control("reload")
        self.krun.ir.write_bytes(was)
        if answer.status == 0:
            raise AssertionError(f"a reload of half a file: {answer}")

    def hup(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.krun.pid, signal.SIGHUP)

    def fill(self) -> None:
        """The run directory is full until some events later."""
        if self.full is None:
            self.full = self.krun.run_dir / "filler"
            with contextlib.suppress(OSError), self.full.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))

    def empty(self) -> None:
        if self.full is not None:
            self.full.unlink()
            self.full = None

    def flap_another_link(self) -> None:
        self.host.ip("link set chaos0 down", "link set chaos0 up")

    def netlink_storm(self) -> None:
        """More news than a netlink socket holds: thousands of addresses come and go on another link."""
        adds = [f"addr add 10.9.{n >> 8}.{n & 255}/32 dev chaos0" for n in range(2000)]
        self.host.ip(*adds)
        self.host.ip("addr flush dev chaos0")

    def touch_the_link(self) -> None:
        """Somebody works at the very interface that the adverts leave by."""
        self.host.ip(
            "link set eth0 mtu 1400",
            "link set eth0 allmulticast on",
            "addr add 192.0.2.77/24 dev eth0",
            "link set eth0 mtu 1500",
            "link set eth0 allmulticast off",
            "addr del 192.0.2.77/24 dev eth0",
        )

    def babble(self) -> None:
        """Connections that say nonsense or nothing, and go."""
        for name in ("krun.sock", "vrrp.sock", "script.sock"):
            for _ in range(5):
                with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as sock:
                    sock.settimeout(0.5)
                    sock.connect(str(self.krun.run_dir / name))
                    sock.send(self.random.randbytes(self.random.randrange(1, 2000)))

    def noise(self) -> None:
        """Packets of protocol 112 that are none, from the peer's place."""
        with self.segment["b"], socket.socket(socket.AF_INET, socket.SOCK_RAW, 112) as sock:
            for _ in range(20):
                sock.sendto(b"\x21" + self.random.randbytes(self.random.randrange(60)), ("192.0.2.1", 0))

    def load(self) -> None:
        """Two processes that want all of the processor, for a second."""
        for _ in range(2):
            subprocess.Popen(["timeout", "1", "sh", "-c", "while :; do :; done"])

    def look_closely(self) -> None:
        for words in (("status", "--json"), ("explain", "VI_1"), ("events",), ("plan",)):
            self.krun.control(*words)


@dataclass
class Reigns:
    """What a peer and a capture saw of a keepalived whose VRRP process was killed. Seconds."""

    kills: int = 0
    masters: int = 0
    flaps: int = 0
    longest_gap: float = 0.0
    without_address: float = 0.0
    """The longest time in which neither director held the virtual address."""


def play_keepalived(kills: int) -> Reigns:
    """The same wire with keepalived in krun's place, and of all the story only this: its VRRP process is killed."""
    seen = Reigns(kills)
    folder = Path(tempfile.mkdtemp(prefix="kc", dir="/dev/shm"))
    try:
        with Segment(ADDRESSES, label="keepalived", folder=folder) as segment, Capture(segment) as capture:
            a, b = segment["a"], segment["b"]
            Keepalived(a, CELL.config("a"), only="vrrp").wait_running()
            Keepalived(b, CELL.config("b"), only="vrrp").wait_running()

            def alone() -> bool:
                recent = {advert.port for advert in capture.adverts(since=time.time() - 1.5)}
                return recent == {"a"} and a.has(VIP) and not b.has(VIP)

            wait_for("one master", alone, timeout=25, interval=0.1)
            began = time.time()
            with AddressEvents(a) as watch:
                for _ in range(kills):
                    os.kill(int((a.folder / "vrrp.pid").read_text()), signal.SIGKILL)
                    gone = 0.0
                    end = time.monotonic() + 2 * CELL.master_down("b")
                    while time.monotonic() < end:
                        if a.has(VIP) or b.has(VIP):
                            gone = 0.0
                        else:
                            gone = gone or time.monotonic()
                            seen.without_address = max(seen.without_address, time.monotonic() - gone)
                        time.sleep(0.02)
                    wait_for("one master", alone, timeout=25, interval=0.1)
                seen.flaps = len([event for event in watch.take() if VIP in event])
            adverts = capture.adverts(vrid=VRID, since=began - CELL.interval)
            for earlier, later in itertools.pairwise(adverts):
                seen.masters += earlier.port != later.port
                seen.longest_gap = max(seen.longest_gap, later.time - earlier.time)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return seen


EVENTS: dict[str, tuple[int, Callable[[_Story], None]]] = {
    "kill_vrrp": (3, _Story.kill_vrrp),
    "kill_script": (3, _Story.kill_script),
    "stop_a_child": (3, _Story.stop_a_child),
    "useless_signals": (6, _Story.useless_signals),
    "stop_the_parent": (3, _Story.stop_the_parent),
    "kill_parent": (3, _Story.kill_parent),
    "kill_everything": (1, _Story.kill_everything),
    "kill_parent_of_a_stopped_child": (1, _Story.kill_parent_of_a_stopped_child),
    "upgrade": (1, _Story.upgrade),
    "kill_in_an_upgrade": (1, _Story.kill_in_an_upgrade),
    "reload": (5, _Story.reload),
    "reload_of_nonsense": (3, _Story.reload_of_nonsense),
    "hup": (6, _Story.hup),
    "fill": (8, _Story.fill),
    "empty": (8, _Story.empty),
    "flap_another_link": (12, _Story.flap_another_link),
    "netlink_storm": (3, _Story.netlink_storm),
    "touch_the_link": (8, _Story.touch_the_link),
    "babble": (10, _Story.babble),
    "noise": (10, _Story.noise),
    "load": (4, _Story.load),
    "look_closely": (2, _Story.look_closely),
}
"""How likely, and what."""
