"""A master taken through reloads, one after the other, with a peer that would take over: planned, done, and seen.

Each step of a story is one reload of krun. Recorded is what ``krunctl plan`` said before it, what ``krunctl reload`` said, what the
kernel told of addresses, and what a capture on the switch saw; the tests judge the record.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import struct
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.capture import Capture
from lab.keepalived import Keepalived
from lab.krun import Krun, build
from lab.netns import Segment
from lab.packets import Advert, Arp, NeighborAdvert
from lab.processes import wait_for
from wire.address_events import AddressEvents

__all__ = ["INTERVAL", "Record", "Step", "Story", "config", "instance", "play", "reload_at_once"]

INTERVAL = 0.3
WATCH, LONG = 0.65, 1.4
"""How long a step is watched after its reload, in seconds; in the longer time are second bursts (``garp_master_delay 1``)."""

OWN = {"a": "192.0.2.1", "b": "192.0.2.2"}
SECOND = ("link add eth1 type veth peer name far1", "link set far1 up", "link set eth1 up")
THIRD = "neigh add 192.0.2.3 lladdr 02:00:5e:10:00:63 dev eth0"
"""A unicast peer that does not answer: adverts to it are seen on the wire all the same."""


def instance(
    name: str,
    vrid: int,
    *vips: str,
    priority: int = 150,
    interval: float = INTERVAL,
    more: str = "",
) -> str:
    """The text of an instance on eth0, version 3."""
    addresses = "\n".join(f"  {vip}" for vip in vips)
    return (
        f"vrrp_instance {name} {{\n version 3\n state BACKUP\n interface eth0\n virtual_router_id {vrid}\n"
        f" priority {priority}\n advert_int {interval:g}\n garp_master_delay 1\n garp_master_repeat 2\n{more}\n"
        f" virtual_ipaddress {{\n{addresses}\n }}\n}}\n"
    )


def config(*blocks: str) -> str:
    """A configuration of these."""
    return "\n".join(blocks)


@dataclass(frozen=True, slots=True)
class Step:
    """A reload and what it must be. ``operations``: counts by name, in the plan and in the deed. ``writes``: what the kernel tells of
    addresses. ``announced``: the addresses that are announced, and no others. ``ends``: VRIDs that say priority 0, each just once.
    ``peer``: what the peer reloads along with it. ``heard``: VRIDs that the peer advertises in the step. ``targets``: where the adverts
    go after it. ``kill``: the VRRP process is killed as soon as the reload is done. ``times``: how often the reload is asked for.
    """

    name: str
    config: str
    operations: dict[str, int] = field(default_factory=dict)
    writes: tuple[str, ...] = ()
    announced: frozenset[str] = frozenset()
    ends: frozenset[int] = frozenset()
    peer: str | None = None
    heard: frozenset[int] = frozenset()
    says: dict[int, dict[str, object]] = field(default_factory=dict)
    """VRID → field of the adverts → value, in every advert from the first that leaves after the reload."""
    watch: float = WATCH
    targets: frozenset[str] = frozenset()
    kill: bool = False
    times: int = 1


@dataclass(slots=True)
class Record:
    """What a step was. Times are seconds since the epoch: ``begun`` just before the reload, ``done`` just after it."""

    step: Step
    planned: dict[str, Any] = field(default_factory=dict)
    reported: dict[str, Any] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    adverts: list[Advert] = field(default_factory=list)
    announcements: list[Arp | NeighborAdvert] = field(default_factory=list)
    begun: float = 0.0
    done: float = 0.0
    trouble: str = ""

    @property
    def announced(self) -> Counter[str]:
        """Address → how often it was announced by the krun."""
        return Counter(a.sender if isinstance(a, Arp) else a.address for a in self.announcements)

    def gap(self, vrid: int) -> float:
        """The longest time between two adverts of krun for ``vrid`` around the reload, in seconds."""
        times = [advert.time for advert in self.adverts if advert.port == "a" and advert.vrid == vrid]
        return max((later - earlier for earlier, later in itertools.pairwise(times)), default=float("inf"))


@dataclass(frozen=True, slots=True)
class Story:
    """Steps from ``start`` on. ``peer``: krun or keepalived, with ``peer_config``."""

    name: str
    peer: str
    start: str
    peer_config: str
    vips: tuple[str, ...]
    steps: tuple[Step, ...]


@dataclass(slots=True)
class Played:
    """A story's records, by step, and the logs."""

    records: dict[str, Record] = field(default_factory=dict)
    logs: str = ""
    trouble: str = ""


def play(story: Story) -> Played:
    """From the start to the end. Never raises: what went wrong is in ``trouble``, of the story or of the step."""
    played = Played()
    try:
        with Segment({n: [f"{a}/24"] for n, a in OWN.items()}, label=story.name) as segment:
            segment["a"].ip(*SECOND, THIRD)
            with Capture(segment) as capture, AddressEvents(segment["a"]) as events:
                krun = Krun(segment["a"], story.start, folder=segment["a"].folder)
                peer: Krun | Keepalived
                if story.peer == "krun":
                    peer = Krun(segment["b"], story.peer_config, folder=segment["b"].folder)
                else:
                    peer = Keepalived(segment["b"], story.peer_config, only="vrrp")
                try:
                    irs = [build(s.config, krun.folder, f"step{n}") for n, s in enumerate(story.steps)]
                    krun.wait_running()
                    peer.wait_running()
                    _settle(story, segment, capture)
                    for step, ir in zip(story.steps, irs, strict=True):
                        record = played.records[step.name] = Record(step)
                        _take(record, ir, krun, peer, capture, events)
                except Exception as error:
                    played.trouble = f"{type(error).__name__}: {error}"
                finally:
                    played.logs = f"--- a\n{krun.logged()[-8000:]}\n--- b\n{peer.logged()[-3000:]}"
    except Exception as error:
        played.trouble = played.trouble or f"the laboratory: {type(error).__name__}: {error}"
    return played


def _settle(story: Story, segment: Segment, capture: Capture) -> None:
    """krun alone speaks and holds everything, and its announcements after the takeover are over."""

    def settled() -> bool:
        recent = {advert.port for advert in capture.adverts(since=time.time() - 1)}
        return recent == {"a"} and all(segment["a"].has(vip) for vip in story.vips)

    wait_for("krun alone to be master", settled, timeout=40, interval=0.1)
    time.sleep(LONG)


def _kill(krun: Krun) -> None:
    """kill -9 of the VRRP process, and wait for its successor."""

    def running() -> int:
        found = (p for p in krun.status()["processes"] if p["name"] == "vrrp" and p["answered"])
        return next((int(p["pid"]) for p in found), 0)

    pid = running()
    os.kill(pid, signal.SIGKILL)
    wait_for("the successor to answer", lambda: running() not in (0, pid), timeout=10)


def reload_at_once(krun: Krun, ir: Path | None = None) -> dict[str, int]:
    """A reload without a command, whose start costs time on a busy machine; of another file where one is given. Returns the
    operations; a refusal raises."""
    body = json.dumps({"op": "reload"} | ({} if ir is None else {"path": str(ir)})).encode()
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(30)
        control.connect(str(krun.run_dir / "krun.sock"))
        control.sendall(struct.pack("!I", len(body)) + body)
        with control.makefile("rb") as answers:
            (size,) = struct.unpack("!I", answers.read(4))
            answer = json.loads(answers.read(size))
    if not answer["ok"]:
        raise AssertionError(f"reload refused: {answer}")
    operations: dict[str, int] = answer["reload"]["operations"]
    return operations


def _take(
    record: Record, ir: Path, krun: Krun, peer: Krun | Keepalived, capture: Capture, events: AddressEvents
) -> None:
    step = record.step
    planned = krun.control("plan", str(ir), "--format", "json")
    if planned.status != 0:
        record.trouble = f"plan: {planned.stderr}"
        return
    record.planned = json.loads(planned.stdout)
    events.take()
    record.begun = time.time()
    answer = krun.control("reload", str(ir), "--json")
    record.done = time.time()
    if answer.status != 0:
        record.trouble = f"reload: {answer.stderr}"
        return
    record.reported = json.loads(answer.stdout)
    for _ in range(step.times - 1):
        if again := reload_at_once(krun):
            record.trouble = f"reload of the same again: {again}"
    if step.peer is not None:
        peer.reload(step.peer)
    if step.kill:
        _kill(krun)
    time.sleep(step.watch)
    record.writes = events.take()
    until = time.time()
    record.adverts = capture.adverts(since=record.begun - 2 * INTERVAL, until=until)
    record.announcements = [
        r
        for r in capture.records()
        if r.port == "a"
        and record.begun <= r.time < until
        and ((isinstance(r, Arp) and r.gratuitous) or (isinstance(r, NeighborAdvert) and not r.solicited))
    ]
