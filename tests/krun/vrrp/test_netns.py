"""What happens to a running director on a real kernel, with keepalived as its peer: each mishap once, judged by who holds the VIP.

The matrix of versions, families and transports is `tests/wire`; here it is what befalls one director in its life.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.capture import Capture
from lab.keepalived import Keepalived
from lab.krun import Krun
from lab.needs import require_keepalived, require_netns
from lab.netns import Segment
from lab.processes import wait_for

pytestmark = [pytest.mark.netns, pytest.mark.keepalived]

VIP = "192.0.2.100"
ADDRESSES = {"a": ["192.0.2.1/24"], "b": ["192.0.2.2/24"]}


def configuration(priority: int, *, check: str | None = None, vips: tuple[str, ...] = (VIP,)) -> str:
    script = (
        f"vrrp_script chk {{\n script {check}\n interval 1\n weight -80\n user root\n}}\n" if check else ""
    )
    track = " track_script {\n chk\n }\n" if check else ""
    lines = "\n".join(f"  {vip}/24" for vip in vips)
    return f"""{script}vrrp_instance VI_1 {{
 version 3
 state BACKUP
 interface eth0
 virtual_router_id 51
 priority {priority}
 advert_int 0.3
{track} virtual_ipaddress {{
{lines}
 }}
}}
"""


class Pair:
    """krun on a, the better one; keepalived on b."""

    def __init__(self, folder: Path) -> None:
        self.flag = folder / "healthy"
        self.flag.touch()
        self.segment = Segment(ADDRESSES, label="life")
        self.capture = Capture(self.segment)
        self.capture.__enter__()
        self.a, self.b = self.segment["a"], self.segment["b"]
        self.keepalived = Keepalived(self.b, configuration(100), only="vrrp")
        self.keepalived.wait_running()
        self.check = f'"/bin/test -e {self.flag}"'
        self.krun = Krun(self.a, configuration(150, check=self.check), folder=self.a.folder)
        self.krun.wait_running()
        self.held_by("a")

    def held_by(self, name: str, vip: str = VIP) -> None:
        other = "b" if name == "a" else "a"

        def there() -> bool:
            return self.segment[name].has(vip) and not self.segment[other].has(vip)

        wait_for(f"{name} alone to hold {vip}", there, timeout=20)

    def instance(self) -> dict[str, Any]:
        found: dict[str, Any] = self.krun.status()["vrrp"][0]
        return found

    def close(self) -> None:
        self.capture.__exit__(None, None, None)
        self.segment.close()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    require_netns()
    require_keepalived()
    made = Pair(tmp_path_factory.mktemp("life"))
    yield made
    made.close()


def test_a_killed_child_is_no_event_on_the_network(pair: Pair) -> None:
    before = pair.krun.status()
    pid = next(p["pid"] for p in before["processes"] if p["name"] == "vrrp")
    since, killed = before["vrrp"][0]["since"], time.time()
    os.kill(pid, signal.SIGKILL)

    def back() -> bool:
        process = next(p for p in pair.krun.status()["processes"] if p["name"] == "vrrp")
        return bool(process["pid"] != pid and process["answered"])

    wait_for("the successor to answer", back, timeout=10)
    time.sleep(1.0)
    assert abs(pair.instance()["since"] - since) < 0.01 and pair.instance()["state"] == "MASTER"
    pair.capture.drain()
    after = list(pair.capture.adverts(vrid=51, since=killed))
    assert after and {(advert.port, advert.priority) for advert in after} == {("a", 150)}


def test_reload_writes_what_differs(pair: Pair) -> None:
    began = time.time()
    more = configuration(150, check=pair.check, vips=(VIP, "192.0.2.101"))
    answer = pair.krun.reload(more)
    assert answer.status == 0, answer.stderr
    assert pair.krun.status()["last_reload"]["operations"] == {"vrrp.update": 1, "ip.add_address": 1}
    assert pair.a.has("192.0.2.101")
    assert pair.krun.reload(more).status == 0
    assert pair.krun.status()["last_reload"]["operations"] == {}
    assert pair.krun.reload(configuration(150, check=pair.check)).status == 0
    assert pair.krun.status()["last_reload"]["operations"] == {"vrrp.update": 1, "ip.del_address": 1}
    pair.held_by("a")
    pair.capture.drain()
    own = [advert for advert in pair.capture.adverts(vrid=51, since=began) if advert.port == "a"]
    assert 0 not in {advert.priority for advert in own}


def test_a_vip_removed_by_hand_comes_back(pair: Pair) -> None:
    lost = pair.instance()["counters"]["vips_lost"]
    pair.a.ip(f"addr del {VIP}/24 dev eth0")
    pair.held_by("a")
    assert pair.instance()["counters"]["vips_lost"] == lost + 1
    assert pair.instance()["state"] == "MASTER"


def test_a_failing_script_moves_the_vip_and_a_healthy_one_brings_it_back(pair: Pair) -> None:
    pair.flag.unlink()
    pair.held_by("b")
    assert pair.instance()["effective_priority"] == 70
    pair.flag.touch()
    pair.held_by("a")


def test_a_pulled_cable(pair: Pair) -> None:
    pair.segment.link_down("a")
    pair.held_by("b")
    assert pair.instance()["state"] == "FAULT"
    pair.segment.link_up("a")
    pair.held_by("a")


def test_a_lost_source_address(pair: Pair) -> None:
    pair.a.ip("addr del 192.0.2.1/24 dev eth0")
    pair.held_by("b")
    assert "no IPv4 address" in pair.instance()["faults"][0]
    pair.a.ip("addr add 192.0.2.1/24 dev eth0")
    pair.held_by("a")


def test_last_the_stop(pair: Pair) -> None:
    assert pair.krun.stop() == 0
    pair.held_by("b")
