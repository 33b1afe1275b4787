"""Reloads of a director that is not master: a backup, one that waits out its preempt delay, one in FAULT. The peer is keepalived."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lab.capture import Capture
from lab.keepalived import Keepalived
from lab.krun import Krun, build
from lab.netns import Segment
from lab.processes import wait_for
from wire.address_events import AddressEvents
from wire.cell import LATITUDE
from wire.reload_story import INTERVAL, OWN, config, instance, reload_at_once

__all__ = ["ACTS", "opened"]

FIRST, MORE = "192.0.2.100/24", "192.0.2.101/24"
DELAY = 3.0


class Site:
    """krun on a, the lower one at first; keepalived on b, which is master."""

    def __init__(self, segment: Segment, capture: Capture, events: AddressEvents) -> None:
        self.segment, self.capture, self.events = segment, capture, events
        self.a, self.b = segment["a"], segment["b"]
        self.peer = Keepalived(self.b, config(instance("ONE", 51, FIRST)), only="vrrp")
        self.peer.wait_running()
        wait_for("b to be master", lambda: self.b.has("192.0.2.100"), timeout=20)
        self.krun = Krun(self.a, config(instance("ONE", 51, FIRST, priority=100)), folder=self.a.folder)
        self.krun.wait_running()

    def state(self) -> str:
        return str(self.krun.status()["vrrp"][0]["state"])

    def reloaded(self, text: str) -> dict[str, int]:
        """Plan and reload; they must agree. Returns the operations."""
        build(text, self.a.folder)
        planned = json.loads(self.krun.control("plan", str(self.krun.ir), "--format", "json").stdout)[
            "summary"
        ]
        answer = self.krun.control("reload", str(self.krun.ir), "--json")
        assert answer.status == 0, answer.stderr
        done: dict[str, int] = json.loads(answer.stdout)["operations"]
        assert done == planned
        return done


@contextmanager
def opened() -> Iterator[Site]:
    """The site, settled."""
    addresses = {name: [f"{address}/24"] for name, address in OWN.items()}
    with (
        Segment(addresses, label="roles") as segment,
        Capture(segment) as capture,
        AddressEvents(segment["a"]) as events,
    ):
        yield Site(segment, capture, events)


def a_backup_stays_one(site: Site) -> None:
    began = time.time()
    site.events.take()
    assert site.reloaded(config(instance("ONE", 51, FIRST, MORE, priority=120))) == {"vrrp.update": 1}
    assert site.reloaded(config(instance("ONE", 51, FIRST, priority=120))) == {"vrrp.update": 1}
    time.sleep(1.2)
    assert site.state() == "BACKUP"
    assert site.events.take() == []
    assert not site.capture.adverts(port="a", since=began)


def a_preempt_delay_goes_on(site: Site) -> None:
    """Counted from the first advert of the lower master, whatever is reloaded meanwhile; then the addresses are those of the last."""
    delay = f" preempt_delay {DELAY:g}"
    one = build(config(instance("ONE", 51, FIRST, priority=200, more=delay)), site.a.folder, "one")
    two = build(config(instance("ONE", 51, FIRST, MORE, priority=210, more=delay)), site.a.folder, "two")
    began = time.time()
    assert reload_at_once(site.krun, one) == {"vrrp.update": 1}
    began_late = time.time()
    time.sleep(max(0.0, began + DELAY / 2 - time.time()))
    assert reload_at_once(site.krun, two) == {"vrrp.update": 1}
    assert time.time() < began + DELAY, "the machine was too slow to reload within the delay"
    site.peer.reload(config(instance("ONE", 51, FIRST, MORE)))
    first = site.capture.wait_advert("an advert of a", lambda advert: advert.port == "a", since=began)
    # Until the delay is over each advert of the other arms the timer anew.
    latest = DELAY + INTERVAL + INTERVAL + 3 * INTERVAL + INTERVAL * (256 - 210) / 256
    assert first.time - began > DELAY and first.time - began_late < latest + LATITUDE
    assert first.priority == 210 and first.addresses == ("192.0.2.100", "192.0.2.101")
    wait_for("both addresses", lambda: {FIRST, MORE} <= set(site.a.addresses("eth0")), timeout=5)
    wait_for("b to let go", lambda: not site.b.has("192.0.2.101"), timeout=5)


def a_fault_stays_one(site: Site) -> None:
    site.segment.link_down("a")
    wait_for("FAULT", lambda: site.state() == "FAULT", timeout=5)
    site.events.take()
    assert site.reloaded(config(instance("ONE", 51, MORE, priority=200))) == {"vrrp.update": 1}
    assert site.state() == "FAULT" and site.events.take() == []
    site.peer.reload(config(instance("ONE", 51, MORE)))
    site.segment.link_up("a")
    wait_for("the address", lambda: MORE in site.a.addresses("eth0"), timeout=10)
    assert FIRST not in site.a.addresses("eth0")


ACTS = (a_backup_stays_one, a_preempt_delay_goes_on, a_fault_stays_one)
