"""What others do to the addresses and interfaces of a master, on a real kernel with a peer: put back at once, or left to the peer whole.

An act is a function; what it asserts is what must be. The acts are played one after the other on one site.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from lab.capture import Capture
from lab.krun import Krun
from lab.netns import Segment
from lab.processes import wait_for
from wire.address_events import AddressEvents
from wire.reload_story import OWN, SECOND, config, instance

__all__ = ["ACTS", "opened"]

VIP, FAR = "192.0.2.100", "10.9.9.9/32"


class Site:
    """krun on a, the better one, with an address on a second interface too; krun on b."""

    def __init__(self, segment: Segment, capture: Capture, events: AddressEvents) -> None:
        self.segment, self.capture, self.events = segment, capture, events
        self.a, self.b = segment["a"], segment["b"]
        one = instance("ONE", 51, f"{VIP}/24", f"{FAR} dev eth1")
        self.krun = Krun(self.a, config(one), folder=self.a.folder)
        self.peer = Krun(self.b, config(instance("ONE", 51, f"{VIP}/24", priority=100)), folder=self.b.folder)
        self.krun.wait_running()
        self.peer.wait_running()
        self.held_by_a()

    def held_by_a(self) -> None:
        def there() -> bool:
            return self.a.has(VIP) and FAR in self.a.addresses("eth1") and not self.b.has(VIP)

        wait_for("a alone to hold all", there, timeout=20)
        self.events.take()

    def held_by_b(self) -> None:
        wait_for("b to hold the VIP", lambda: self.b.has(VIP), timeout=20)

    def everywhere(self) -> set[str]:
        """All addresses of a, whatever its interfaces are called."""
        return {
            f"{entry['local']}/{entry['prefixlen']}"
            for link in self.a.ip_json("addr", "show")
            for entry in link.get("addr_info", ())
        }


@contextmanager
def opened() -> Iterator[Site]:
    """The site, settled."""
    with Segment({name: [f"{address}/24"] for name, address in OWN.items()}, label="drift") as segment:
        segment["a"].ip(*SECOND)
        with Capture(segment) as capture, AddressEvents(segment["a"]) as events:
            yield Site(segment, capture, events)


def another_prefix_length_is_no_replacement(site: Site) -> None:
    time.sleep(1.2)  # late announcements of the takeover are over
    began = time.time()
    site.a.ip(f"addr del {VIP}/24 dev eth0", f"addr add {VIP}/32 dev eth0")
    wait_for("the address as configured", lambda: f"{VIP}/24" in site.a.addresses("eth0"), timeout=5)
    time.sleep(0.3)
    seen = site.events.take()
    assert sorted(seen) == [
        f"add {VIP}/24 eth0",
        f"add {VIP}/32 eth0",
        f"del {VIP}/24 eth0",
    ], seen
    assert len(site.capture.announcements(VIP, port="a", since=began)) == 1
    assert f"{VIP}/24 dev eth0 was removed by somebody else: put back" in site.krun.logged()
    assert f"{VIP}/32" in site.a.addresses("eth0"), "what others have put there stays"
    site.a.ip(f"addr del {VIP}/32 dev eth0")
    time.sleep(0.3)
    assert site.events.take() == [f"del {VIP}/32 eth0"]
    assert not site.capture.adverts(port="b", since=began)


def an_interface_of_adverts_is_renamed(site: Site) -> None:
    _renamed(site, "eth0")


def an_interface_of_a_vip_is_renamed(site: Site) -> None:
    _renamed(site, "eth1")


def _renamed(site: Site, device: str) -> None:
    """The peer takes over; an address that stayed under the new name would be there twice."""
    site.a.ip(f"link set {device} name lan9")
    site.held_by_b()
    wait_for("a to let go", lambda: not {f"{VIP}/24", FAR} & site.everywhere(), timeout=5)
    site.a.ip(f"link set lan9 name {device}")
    site.held_by_a()


def a_deleted_interface_comes_back(site: Site) -> None:
    site.a.ip("link del eth1")
    site.held_by_b()
    assert not {f"{VIP}/24", FAR} & site.everywhere()
    site.a.ip(*SECOND)
    site.held_by_a()


def a_link_that_falls_for_a_moment(site: Site) -> None:
    began = time.time()
    site.a.ip("link set eth0 down", "link set eth0 up")
    wait_for("the fall to be told", lambda: "interface eth0 is down" in site.krun.logged(), timeout=5)
    site.held_by_a()
    assert site.capture.announcements(VIP, port="a", since=began)
    assert site.krun.status()["vrrp"][0]["state"] == "MASTER"


def a_stubborn_opponent_gets_the_peer(site: Site) -> None:
    before = site.krun.status()["vrrp"][0]["counters"]["release_master"]
    count, said = 0, f"somebody keeps removing {VIP}"
    while count < 20:
        site.a.run(["ip", "addr", "del", f"{VIP}/24", "dev", "eth0"], check=False)
        time.sleep(0.15)
        if said in site.krun.logged():
            break
        count += 1
    assert count in (4, 5), "five times in ten seconds it is put back, then the instance gives way"
    assert site.krun.status()["vrrp"][0]["counters"]["release_master"] == before + 1
    site.held_by_a()


ACTS = (
    another_prefix_length_is_no_replacement,
    an_interface_of_adverts_is_renamed,
    an_interface_of_a_vip_is_renamed,
    a_deleted_interface_comes_back,
    a_link_that_falls_for_a_moment,
    a_stubborn_opponent_gets_the_peer,
)
