"""The parent dies too, and nobody on the wire notices: what the next krun finds, takes over, or leaves alone.

The run directories are on tmpfs, as ``/run`` is. Judged is what a capture on the switch saw and what ``ip addr`` says.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import needs
from lab.capture import Capture
from lab.keepalived import Keepalived
from lab.krun import Krun
from lab.netns import Segment
from lab.processes import wait_for
from wire.address_events import AddressEvents
from wire.cell import LATITUDE, OWN, VRID, Cell, Peers

pytestmark = [pytest.mark.netns, pytest.mark.keepalived, pytest.mark.slow]

ADDRESSES = {name: [f"{OWN[4][name]}/24"] for name in ("a", "b")}
RESPAWN_S = 0.2
"""As RestartSec in the unit."""


@dataclass
class Pair:
    """krun ``a``, the master, with its run directory on tmpfs, and its backup ``b``."""

    segment: Segment
    capture: Capture
    cell: Cell
    krun: Krun
    peer: Krun | Keepalived

    def settled(self) -> bool:
        recent = {
            advert.port for advert in self.capture.adverts(since=time.time() - 1.5 * self.cell.interval)
        }
        vip = self.cell.vips[0]
        return recent == {"a"} and self.segment["a"].has(vip) and not self.segment["b"].has(vip)

    def spoke(self, port: str, since: float) -> bool:
        return bool(self.capture.adverts(port=port, vrid=VRID, since=since))

    def longest_gap(self, since: float) -> float:
        """The longest time between two adverts of krun, in seconds."""
        times = [advert.time for advert in self.capture.adverts(port="a", vrid=VRID, since=since)]
        return max(later - earlier for earlier, later in itertools.pairwise(times))

    def children(self) -> dict[str, int]:
        return {process["name"]: int(process["pid"]) for process in self.krun.status()["processes"]}


@pytest.fixture
def tmpfs() -> Iterator[Path]:
    needs.require_netns()
    folder = Path(tempfile.mkdtemp(prefix="kr", dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def pair_of(tmpfs: Path) -> Iterator[Callable[..., Pair]]:
    opened: list[Segment | Capture] = []

    def make(cell: Cell, more: str = "", respawn: float | None = None) -> Pair:
        needs.require_keepalived()
        segment = Segment(ADDRESSES, label="promises", folder=tmpfs)
        capture = Capture(segment)
        opened.extend((segment, capture))
        text = cell.config("a").replace("    virtual_ipaddress", f"    {more}\n    virtual_ipaddress")
        krun = Krun(segment["a"], text, folder=segment["a"].folder, respawn=respawn)
        krun.wait_running()
        peer: Krun | Keepalived
        if cell.peers.backup == "krun":
            peer = Krun(segment["b"], cell.config("b"), folder=segment["b"].folder)
        else:
            peer = Keepalived(segment["b"], cell.config("b"), only="vrrp")
        peer.wait_running()
        made = Pair(segment, capture, cell, krun, peer)
        wait_for("krun alone to be the master", made.settled, timeout=20, interval=0.1)
        return made

    yield make
    for thing in reversed(opened):
        thing.close()


def _kill_parent(pair: Pair) -> None:
    os.kill(pair.krun.pid, signal.SIGKILL)


def _kill_everything(pair: Pair) -> None:
    parent, children = pair.krun.pid, pair.children()
    for pid in (parent, *children.values()):
        os.kill(pid, signal.SIGKILL)


def _kill_parent_of_a_stopped_child(pair: Pair) -> None:
    """The stopped child cannot end by itself; the next krun ends it."""
    parent, children = pair.krun.pid, pair.children()
    os.kill(parent, signal.SIGSTOP)  # it would let the child go on
    os.kill(children["vrrp"], signal.SIGSTOP)
    os.kill(parent, signal.SIGKILL)


DEATHS = (_kill_parent, _kill_everything, _kill_parent_of_a_stopped_child)


def test_a_killed_parent_that_is_started_again_is_no_event_on_the_network(
    pair_of: Callable[..., Pair], record_property: Callable[[str, object], None]
) -> None:
    pair = pair_of(Cell(Peers("krun", "keepalived"), 2, 4, unicast=False), respawn=RESPAWN_S)
    begin = time.time()
    vip = pair.cell.vips[0]
    with AddressEvents(pair.segment["a"]) as events:
        for kill in DEATHS:
            parent, children = pair.krun.pid, pair.children()
            before = time.time()
            kill(pair)
            wait_for("another krun", lambda parent=parent: pair.krun.pid not in (0, parent))  # type: ignore[misc]
            pair.krun.wait_running()
            time.sleep(max(0.0, before + 3 * pair.cell.interval - time.time()))
            gap = pair.longest_gap(before - 1.5 * pair.cell.interval)
            record_property(
                "figures",
                {
                    "table": "krun: the parent is killed and started again, adverts every 1 s",
                    "row": kill.__name__.strip("_"),
                    "gap_ms": f"{gap * 1000:.0f}",
                },
            )
            assert gap < 2 * pair.cell.interval, pair.krun.logged()[-3000:]
            assert not [pid for pid in (parent, *children.values()) if _alive(pid)]
            state = pair.krun.status()
            assert state["vrrp"][0]["state"].upper() == "MASTER"
            kept = next(entry for entry in state["promises"] if entry["name"] == "vrrp")
            assert kept["problem"] is None and kept["void"] is None and kept["lost"] == 0
            assert 0 < kept["inherited_age_s"] < 2 and kept["age_s"] < 1
            assert Path(kept["file"]).stat().st_mode & 0o777 == 0o600
        changed = [event for event in events.take() if vip in event]
    adverts = pair.capture.adverts(since=begin)
    assert {advert.port for advert in adverts} == {"a"}, pair.krun.logged()[-3000:]
    assert all(advert.priority for advert in adverts)
    assert not changed, changed
    assert "Going on as MASTER" in pair.krun.logged() and "Traceback" not in pair.krun.logged()
    assert pair.krun.control("stop").status == 0
    assert not list(pair.krun.run_dir.glob("*.promises")), "an ordinary stop takes its promises along"


@pytest.mark.parametrize("peer", ["keepalived", "krun"])
def test_a_promise_that_is_too_old_is_void(pair_of: Callable[..., Pair], peer: str) -> None:
    """Everything is killed, the peer takes over, krun comes back: it does not say a word, for it may not preempt."""
    pair = pair_of(Cell(Peers("krun", peer), 3, 4, unicast=False), more="nopreempt")
    pair.krun.kill()
    wait_for("the peer to take over", lambda: pair.segment["b"].has(pair.cell.vips[0]))
    before = time.time()
    again = Krun(pair.segment["a"], "", folder=pair.krun.folder, ir=pair.krun.ir)
    again.wait_running()
    time.sleep(3 * pair.cell.master_down("a"))
    assert not pair.spoke("a", before), again.logged()[-3000:]
    assert not pair.segment["a"].has(pair.cell.vips[0]), "what is left of its own reign is removed"
    assert "a peer may have taken over" in again.logged()
    state = again.status()
    assert state["vrrp"][0]["state"].upper() == "BACKUP"
    # It died and came back as a backup: whoever dies as that comes back as that, however quickly.
    os.kill(next(p["pid"] for p in state["processes"] if p["name"] == "vrrp"), signal.SIGKILL)
    time.sleep(2 * pair.cell.master_down("a"))
    assert not pair.spoke("a", before), again.logged()[-3000:]


def test_a_preempting_director_comes_back_without_a_second_master(pair_of: Callable[..., Pair]) -> None:
    """The same where it may preempt: from its first advert on the peer says nothing more."""
    pair = pair_of(Cell(Peers("krun", "keepalived"), 3, 4, unicast=False))
    pair.krun.kill()
    wait_for("the peer to take over", lambda: pair.segment["b"].has(pair.cell.vips[0]))
    before = time.time()
    again = Krun(pair.segment["a"], "", folder=pair.krun.folder, ir=pair.krun.ir)
    wait_for("it to preempt", lambda: pair.settled(), timeout=20)
    first = min(advert.time for advert in pair.capture.adverts(port="a", since=before))
    heard = [advert.time for advert in pair.capture.adverts(port="b", since=before) if advert.time < first]
    late = [advert.time - first for advert in pair.capture.adverts(port="b", since=first)]
    assert len(heard) >= 2, "it listened before it spoke"
    assert all(seconds < LATITUDE / 5 for seconds in late), late
    assert again.process.running()


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
