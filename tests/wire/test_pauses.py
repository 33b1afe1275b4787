"""A director that stands still for a while (SIGSTOP of all its processes) and goes on: what its peer, and the wire, see of it.

The peer is keepalived. The same is done to keepalived, as the control: what it does is recorded, and asserted only where that is what this
is about.
"""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from lab import needs
from lab.capture import Capture
from lab.keepalived import Keepalived
from lab.krun import Krun
from lab.netns import Segment
from lab.processes import family, wait_for

pytestmark = [pytest.mark.netns, pytest.mark.keepalived, pytest.mark.slow]

INTERVAL = 0.4
VIP = "192.0.2.100"
ADDRESSES = {"a": ["192.0.2.1/24"], "b": ["192.0.2.2/24"]}
PRIORITY = {"a": 200, "b": 100}
SHORT, LONG = 1.5, 5
"""Pauses, in intervals."""

AT_ONCE = 0.15
"""What is done at once is done within this, on a busy machine."""

Record = Callable[[str, object], None]


def master_down(name: str) -> float:
    """Master_Down_Interval (RFC 9568 section 6.1)."""
    return 3 * INTERVAL + (256 - PRIORITY[name]) / 256 * INTERVAL


def configuration(name: str) -> str:
    return (
        f"vrrp_instance VI_1 {{\n version 3\n state BACKUP\n interface eth0\n virtual_router_id 51\n priority {PRIORITY[name]}\n"
        f" advert_int {INTERVAL}\n virtual_ipaddress {{\n  {VIP}/24\n }}\n}}\n"
    )


@dataclass
class Seen:
    """Times in seconds after the wake; None: never. ``first``: of its first advert; ``others``: of the peer's until then. ``vip``: when its
    VIP was off, ``addressed`` whether both had it then. ``log``: what it said."""

    first: float | None
    others: list[float]
    gap: float
    peer_spoke: bool
    vip_off: float | None
    roles: list[str]
    log: str
    events: list[dict[str, Any]] = field(default_factory=list)


def start(kind: str, segment: Segment, name: str) -> Krun | Keepalived:
    director = segment[name]
    if kind == "krun":
        return Krun(director, configuration(name), folder=director.folder)
    return Keepalived(director, configuration(name), only="vrrp")


def pause(kind: str, who: str, intervals: float) -> Seen:
    """Two directors, ``kind`` on ``who`` and keepalived on the other; all processes of ``who`` are stopped for so long."""
    other = "b" if who == "a" else "a"
    with Segment(ADDRESSES, label=f"pause-{kind}-{who}") as segment, Capture(segment) as capture:
        programs = {who: start(kind, segment, who), other: start("keepalived", segment, other)}
        for program in programs.values():
            program.wait_running()

        def settled() -> bool:
            recent = {advert.port for advert in capture.adverts(since=time.time() - 3 * INTERVAL)}
            return recent == {"a"} and segment["a"].has(VIP) and not segment["b"].has(VIP)

        wait_for("a to be the master", settled, timeout=30, interval=0.1)
        time.sleep(2 * INTERVAL)
        process = programs[who].process
        pids = [process.pid, *family(process.pid)]
        asleep = time.time()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(intervals * INTERVAL)
        awake = time.time()
        # The parent last: it must not be awake and see a child that is stopped.
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)
        vip_off = None
        until = awake + master_down("b") + 1.0
        while (now := time.time()) < until:
            if vip_off is None and not segment[who].has(VIP):
                vip_off = now - awake
            time.sleep(0.02)
        wait_for("all to be as before", settled, timeout=30, interval=0.1)
        adverts = capture.adverts()
        mine = [a.time for a in adverts if a.port == who and a.time > awake]
        first = min(mine, default=None)
        theirs = [a.time - awake for a in adverts if a.port == other and asleep < a.time < (first or until)]
        own = [a.time for a in adverts if a.port == who and a.time > asleep - 2 * INTERVAL]
        return Seen(
            None if first is None else first - awake,
            theirs,
            max((b - a for a, b in itertools.pairwise(own)), default=0.0),
            any(a.port == other and a.time > asleep for a in adverts),
            vip_off,
            [str(i["state"]) for i in programs[who].status()["vrrp"]] if kind == "krun" else [],  # type: ignore[union-attr]
            programs[who].logged(),
        )


def both(who: str, intervals: float) -> tuple[Seen, Seen]:
    """krun and keepalived, side by side."""
    needs.require_netns()
    needs.require_keepalived()
    with ThreadPoolExecutor(2) as pool:
        one, two = (pool.submit(pause, kind, who, intervals) for kind in ("krun", "keepalived"))
        return one.result(), two.result()


def figures(record: Record, row: str, krun: Seen, keepalived: Seen) -> None:
    def words(seen: Seen) -> str:
        first = "never" if seen.first is None else f"{seen.first * 1000:.0f} ms"
        return f"first advert {first}"

    record(
        "figures",
        {
            "table": "after a pause of the machine",
            "row": row,
            "krun": words(krun),
            "keepalived": words(keepalived),
        },
    )


def test_a_master_that_slept_for_too_long_listens_before_it_speaks(record_property: Record) -> None:
    krun, keepalived = both("a", LONG)
    figures(record_property, f"master, {LONG} intervals", krun, keepalived)
    assert krun.peer_spoke, "the peer took over meanwhile"
    assert krun.first is not None and krun.first > master_down("a") - 0.02, (
        f"it spoke after {krun.first} s\n{krun.log}"
    )
    assert krun.first < master_down("a") + AT_ONCE + INTERVAL, "and takes over again, being the better one"
    assert any(t > 0 for t in krun.others), "the peer was the only one to speak until then"
    assert krun.vip_off is not None and krun.vip_off < AT_ONCE + 0.1
    assert "we slept" in krun.log and "a peer may be master by now; listening first" in krun.log
    assert keepalived.first is not None and keepalived.first < INTERVAL, (
        "keepalived speaks as if nothing had been, and there are two masters: the control"
    )
    assert keepalived.peer_spoke


def test_a_master_that_slept_for_a_moment_goes_on_at_once(record_property: Record) -> None:
    krun, keepalived = both("a", SHORT)
    figures(record_property, f"master, {SHORT} intervals", krun, keepalived)
    assert krun.first is not None and krun.first < AT_ONCE
    assert not krun.peer_spoke and krun.vip_off is None
    assert "we slept" in krun.log and "BACKUP STATE:" not in krun.log


def test_a_backup_that_slept_does_not_think_that_the_master_is_dead(record_property: Record) -> None:
    krun, keepalived = both("b", LONG)
    figures(record_property, f"backup, {LONG} intervals", krun, keepalived)
    assert krun.first is None, f"it spoke after {krun.first} s\n{krun.log}"
    assert krun.roles == ["BACKUP"] and "we slept" in krun.log


def test_a_stopped_vrrp_process_is_continued_and_then_replaced() -> None:
    """Only the child is stopped, and the parent sees it: continued at once; again soon after: replaced. The peer never speaks."""
    needs.require_netns()
    needs.require_keepalived()
    with Segment(ADDRESSES, label="pause-child") as segment, Capture(segment) as capture:
        krun, peer = start("krun", segment, "a"), start("keepalived", segment, "b")
        assert isinstance(krun, Krun)
        krun.wait_running()
        peer.wait_running()
        wait_for("a to be the master", lambda: segment["a"].has(VIP), timeout=30)
        time.sleep(master_down("b"))
        began = time.time()
        for expected in ("process.continued", "process.killed"):
            pid = next(p["pid"] for p in krun.status()["processes"] if p["name"] == "vrrp")
            os.kill(pid, signal.SIGSTOP)
            wait_for(
                expected,
                lambda expected=expected: expected in krun.control("events", "--format", "json").stdout,
                timeout=10,
            )
            time.sleep(master_down("b"))
        assert not list(capture.adverts(port="b", since=began)), krun.logged()
        times = [a.time for a in capture.adverts(port="a", since=began - INTERVAL)]
        assert max(b - a for a, b in itertools.pairwise(times)) < master_down("b")
        assert segment["a"].has(VIP) and krun.status()["vrrp"][0]["state"] == "MASTER"
