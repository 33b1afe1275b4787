"""A thousand virtual routers in one director, ten of them in a hurry: no adverts wait behind long work.

The ten are master all the time, with an advert every 200 ms. Around them: the other 990 are taken over from a keepalived that is killed,
the status is asked for, a reload changes all of them, one gives them twice as many addresses, one takes those away. Judged by the kernel's
time stamps at the other end.
"""

from __future__ import annotations

import itertools
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import needs
from lab.keepalived import Keepalived
from lab.krun import Krun, build
from lab.links import ON_EACH, adverts, listener, wires
from lab.processes import wait_for

pytestmark = [pytest.mark.netns, pytest.mark.keepalived, pytest.mark.slow]

SLOW, QUICK = 990, 10
INTERVAL = 0.2
LINKS = (SLOW - 1) // ON_EACH + 2
"""The last one is for those in a hurry."""


def slow(priority: int, addresses: int = 1) -> str:
    return "".join(
        f"vrrp_instance S{n} {{\n interface e{n // ON_EACH}\n virtual_router_id {n % ON_EACH + 1}\n version 3\n priority {priority}\n"
        " advert_int 1\n garp_master_repeat 5\n virtual_ipaddress {\n"
        + "".join(f"  10.{10 * a + n // ON_EACH}.1.{n % ON_EACH + 1}/32\n" for a in range(addresses))
        + " }\n}\n"
        for n in range(SLOW)
    )


def quick() -> str:
    return "".join(
        f"vrrp_instance Q{n} {{\n interface e{LINKS - 1}\n virtual_router_id {n + 1}\n version 3\n priority 200\n"
        f" advert_int {INTERVAL}\n virtual_ipaddress {{\n  10.99.1.{n + 1}/32\n }}\n}}\n"
        for n in range(QUICK)
    )


class Gaps:
    """The longest times between two adverts of one instance in each part of the story, in seconds: of those in a hurry, of the others."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._last: dict[tuple[str, int], float] = {}
        self.found: dict[str, tuple[float, float]] = {}

    def part(self, name: str) -> None:
        """What came in since the last part belongs to ``name``."""
        longest = {True: 0.0, False: 0.0}
        for key, times in adverts(self._sock).items():
            known = [self._last[key], *times] if key in self._last else times
            hurry = key[0] == f"e{LINKS - 1}"
            for earlier, later in itertools.pairwise(known):
                longest[hurry] = max(longest[hurry], later - earlier)
            self._last[key] = times[-1]
        self.found[name] = (longest[True], longest[False])


def test_no_advert_waits_behind_long_work(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    needs.require_netns()
    needs.require_keepalived()
    with wires(LINKS, tmp_path) as (a, b):
        peer = Keepalived(b, slow(250), only="vrrp")
        peer.wait_running()
        wait_for("the peer to be master", lambda: len(b.addresses("e0")) > ON_EACH, timeout=60, interval=0.5)
        krun = Krun(a, slow(200) + quick(), folder=a.folder)
        krun.wait_running()
        changed = build(slow(190) + quick(), a.folder, "changed")
        more = build(slow(190, addresses=2) + quick(), a.folder, "more")

        def masters() -> int:
            summary = json.loads(krun.control("status", "--json").stdout)["vrrp"]
            return sum(i["state"] == "MASTER" for i in summary)

        wait_for("those in a hurry to be master", lambda: masters() == QUICK, timeout=60, interval=0.5)
        sock = listener(b)
        gaps = Gaps(sock)
        time.sleep(1.0)
        gaps.part("nothing")
        peer.kill()
        wait_for("the takeover", lambda: len(a.addresses("e0")) > ON_EACH, timeout=30, interval=0.25)
        time.sleep(1.5)
        gaps.part("takeover of 990")
        for _ in range(3):
            assert masters() == SLOW + QUICK
        gaps.part("status")
        for name, ir in (
            ("reload, all changed", changed),
            ("990 addresses come", more),
            ("990 addresses go", changed),
        ):
            answer = krun.control("reload", str(ir), timeout=60)
            assert answer.status == 0, answer.stderr
            time.sleep(1.2)
            gaps.part(name)
        sock.close()
        process = next(p for p in krun.status()["processes"] if p["name"] == "vrrp")
        assert masters() == SLOW + QUICK
    for name, (hurry, others) in gaps.found.items():
        record_property(
            "figures",
            {
                "table": "longest time between two adverts, 1,000 instances",
                "row": name,
                "200 ms": f"{hurry * 1000:.0f} ms",
                "1 s": f"{others * 1000:.0f} ms" if others else "-",
            },
        )
    assert process["loop"]["lateness"]["advert"]["count"] > 1000
    assert process["restarts"] == 0, "its own parent took the long work for a stuck loop"
    late = {name: hurry for name, (hurry, _) in gaps.found.items() if hurry >= 2 * INTERVAL}
    late |= {f"{name} (others)": others for name, (_, others) in gaps.found.items() if others >= 2.0}
    assert not late, f"{late}\n{process['loop']['overruns']}\n{krun.logged()[-3000:]}"
