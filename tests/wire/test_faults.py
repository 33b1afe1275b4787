"""What happens to a krun director, seen from its peer: a child or the parent that dies, a group-wide
signal, a reload that is refused, an IR that is no good. The peer is keepalived, which would take over."""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import needs
from lab.capture import Capture
from lab.keepalived import Keepalived
from lab.krun import Krun, build
from lab.netns import Segment
from lab.processes import wait_for
from wire.cell import LATITUDE, OWN, VRID, Cell, Peers

pytestmark = [pytest.mark.netns, pytest.mark.keepalived, pytest.mark.slow]

CELL = Cell(Peers("krun", "keepalived"), 3, 4, unicast=False)
VIP = CELL.vips[0]
ADDRESSES = {name: [f"{OWN[4][name]}/24"] for name in ("a", "b")}


class Pair:
    """krun as the master ``a``, keepalived as its backup ``b``, and a capture."""

    def __init__(self, segment: Segment, capture: Capture) -> None:
        self.segment, self.capture = segment, capture
        self.krun = Krun(segment["a"], CELL.config("a"), folder=segment["a"].folder)
        self.peer = Keepalived(segment["b"], CELL.config("b"), only="vrrp")
        self.krun.wait_running()
        self.peer.wait_running()
        wait_for("krun alone to be the master", self._settled, timeout=20, interval=0.1)

    def _settled(self) -> bool:
        recent = {advert.port for advert in self.capture.adverts(since=time.time() - 1)}
        return recent == {"a"} and self.segment["a"].has(VIP) and not self.segment["b"].has(VIP)

    def child(self, name: str) -> int:
        """The pid of a child by (part of) its name in the state document."""
        processes: list[dict[str, Any]] = self.krun.status()["processes"]
        return next(int(process["pid"]) for process in processes if name in process["name"])

    def silent(self, port: str, since: float) -> bool:
        """No advert came in by ``port`` since then."""
        return not self.capture.adverts(port=port, vrid=VRID, since=since)

    def longest_gap(self, since: float) -> float:
        """The longest time between two adverts of krun, in seconds."""
        times = [advert.time for advert in self.capture.adverts(port="a", vrid=VRID, since=since)]
        return max(later - earlier for earlier, later in itertools.pairwise(times))


@pytest.fixture
def pair() -> Iterator[Pair]:
    needs.require_netns()
    needs.require_keepalived()
    with Segment(ADDRESSES, label="faults") as segment, Capture(segment) as capture:
        made = Pair(segment, capture)
        yield made


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP], ids=lambda n: n.name)
def test_a_dead_or_stopped_child_is_no_event_on_the_network(
    pair: Pair, number: signal.Signals, record_property: Callable[[str, object], None]
) -> None:
    """It is replaced (or continued) before the peer's timer ends, and is master still."""
    before = time.time()
    os.kill(pair.child("vrrp"), number)
    time.sleep(4 * CELL.master_down("b"))
    gap = pair.longest_gap(before - 1)
    record_property(
        "figures",
        {"table": "krun: a child is killed or stopped", "row": number.name, "gap_ms": f"{gap * 1000:.0f}"},
    )
    assert pair.silent("b", before), f"the peer took over; {gap:.3f} s\n{pair.krun.logged()}"
    assert not [advert for advert in pair.capture.adverts(port="a", since=before) if advert.priority == 0]
    assert pair.segment["a"].has(VIP)
    assert pair.krun.status()["vrrp"][0]["state"].upper() == "MASTER"


def test_a_dead_parent_takes_its_children_along_and_says_nothing(pair: Pair) -> None:
    """No advert with priority 0 and nothing removed: the next parent adopts, or the peer takes over."""
    children = [int(process["pid"]) for process in pair.krun.status()["processes"]]
    before = time.time()
    os.kill(pair.krun.process.pid, signal.SIGKILL)
    wait_for("the peer to take over", lambda: not pair.silent("b", before))
    last = max(advert.time for advert in pair.capture.adverts(port="a"))
    first = min(advert.time for advert in pair.capture.adverts(port="b", since=before))
    assert first - last < CELL.master_down("b") + LATITUDE
    assert not [advert for advert in pair.capture.adverts(port="a", since=before) if advert.priority == 0]
    assert pair.segment["a"].has(VIP), "the children removed an address"
    wait_for("the children to be gone", lambda: not any(map(_alive, children)))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_a_signal_to_the_whole_group_is_an_orderly_stop(pair: Pair, number: signal.Signals) -> None:
    before = time.time()
    pair.krun.process.signal_group(number)
    wait_for("krun to end", lambda: not pair.krun.process.running(), timeout=15)
    assert pair.krun.process.returncode == 0, pair.krun.logged()
    assert [advert.priority for advert in pair.capture.adverts(port="a", since=before)][-1:] == [0]
    assert not pair.segment["a"].has(VIP)
    wait_for("the peer to take over", lambda: not pair.silent("b", before), timeout=CELL.skew("b") + LATITUDE)


def _spoil_digest(text: str) -> str:
    document = json.loads(text)
    document["digest"] = document["digest"][:-4] + "0bad"
    return json.dumps(document)


def _newer_major(text: str) -> str:
    document = json.loads(text)
    document["kir"] = "99.0"
    return json.dumps(document)


BAD_IRS: dict[str, Callable[[str], str]] = {
    "truncated": lambda text: text[: len(text) // 2],
    "edited": _spoil_digest,
    "newer major": _newer_major,
    "foreign JSON": lambda text: '{"services": []}',
    "no JSON": lambda text: "vrrp_instance VI_1 {\n}\n",
    "empty": lambda text: "",
}


def test_a_bad_ir_is_refused_at_reload_and_the_old_one_keeps_running(pair: Pair) -> None:
    good = pair.krun.ir.read_text()
    before = time.time()
    for name, spoil in BAD_IRS.items():
        pair.krun.ir.write_text(spoil(good))
        answer = pair.krun.control("reload")
        assert answer.status == 1, f"{name}: {answer}"
        assert answer.stderr.strip() and "Traceback" not in answer.stderr, f"{name}: {answer}"
    pair.krun.ir.write_text(good)
    answer = pair.krun.control("reload")
    assert answer.status == 0, answer
    time.sleep(2 * CELL.interval)
    assert pair.longest_gap(before - 1) < CELL.interval + LATITUDE
    assert pair.silent("b", before)
    assert "Traceback" not in pair.krun.logged()


def test_a_bad_ir_at_start_is_exit_2_and_touches_nothing() -> None:
    needs.require_netns()
    with Segment({"a": [f"{OWN[4]['a']}/24"]}, label="bad-ir") as segment, Capture(segment) as capture:
        host = segment["a"]
        good = build(CELL.config("a"), host.folder).read_text()
        addresses = host.addresses(host.device)
        bad = host.folder / "bad.json"
        for name, spoil in {**BAD_IRS, "missing": None}.items():
            if spoil is None:
                bad.unlink()
            else:
                bad.write_text(spoil(good))
            krun = Krun(host, "", folder=host.folder / name.replace(" ", "-"), ir=bad)
            wait_for(f"krun to end ({name})", lambda krun=krun: not krun.process.running(), timeout=20)  # type: ignore[misc]
            said = krun.logged()
            assert krun.process.returncode == 2, f"{name}: {krun.process.returncode}\n{said}"
            assert str(bad) in said and "Traceback" not in said, f"{name}:\n{said}"
        assert host.addresses(host.device) == addresses
        assert not capture.adverts()


def test_an_unchanged_instance_misses_no_advert_at_reload(
    pair: Pair, record_property: Callable[[str, object], None]
) -> None:
    """A VIP more on the master, by reload: announced, in the next adverts, and no advert late."""
    before = time.time()
    more = CELL.config("a").replace(f"{VIP}/24", f"{VIP}/24\n        192.0.2.101/24")
    answer = pair.krun.reload(more)
    assert answer.status == 0, answer
    wait_for("the new address", lambda: pair.segment["a"].has("192.0.2.101"))
    wait_for("its announcement", lambda: pair.capture.announcements("192.0.2.101", port="a", since=before))
    wait_for(
        "an advert with both addresses",
        lambda: [a for a in pair.capture.adverts(port="a", since=before) if len(a.addresses) == 2],
    )
    time.sleep(2 * CELL.interval)
    gap = pair.longest_gap(before - 1)
    record_property(
        "figures",
        {"table": "krun: a reload adds an address", "row": "adverts", "gap_ms": f"{gap * 1000:.0f}"},
    )
    assert gap < CELL.interval + LATITUDE
    assert pair.silent("b", before)
    assert pair.segment["a"].has(VIP)
