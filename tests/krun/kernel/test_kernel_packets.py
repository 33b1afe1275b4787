"""Adverts and announcements on a real segment, seen by the lab's own capture on the switch between two directors."""

from __future__ import annotations

import contextlib
import errno
import select
import time
from collections.abc import Iterator

import pytest

from krun.kernel.door import AdvertSocket, Link
from krun.kernel.linux import LinuxKernel
from lab import needs
from lab.capture import Capture
from lab.netns import Segment
from lab.packets import Advert, Arp, NeighborAdvert
from lab.processes import wait_for

pytestmark = pytest.mark.netns

ADDRESSES = {"a": ["192.0.2.1/24", "2001:db8::1/64"], "b": ["192.0.2.2/24", "2001:db8::2/64"]}
GROUP4, GROUP6 = "224.0.0.18", "ff02::12"
PDU4 = bytes.fromhex("313496010032d3fbc000020b")


@pytest.fixture
def segment() -> Iterator[Segment]:
    needs.require_netns()
    with Segment(ADDRESSES) as built:
        yield built


def opened(
    segment: Segment, name: str, family: str, group: str | None, source: str | None = None
) -> tuple[LinuxKernel, AdvertSocket]:
    with segment[name]:
        kernel = LinuxKernel()
        kernel.rtnetlink()  # opened here: a part belongs to the namespace in which it is first asked for
        return kernel, kernel.advert_socket("eth0", family, group, source, [52])


def arrived(sock: AdvertSocket, timeout: float = 5.0) -> tuple[bytes, str, str, int] | None:
    return sock.receive() if select.select([sock.fileno()], [], [], timeout)[0] else None


def test_multicast_over_ipv4(segment: Segment) -> None:
    _, a = opened(segment, "a", "inet", GROUP4)
    _, b = opened(segment, "b", "inet", GROUP4)
    with Capture(segment) as capture:
        a.send(PDU4, "192.0.2.1", GROUP4, 255)
        assert arrived(b) == (PDU4, "192.0.2.1", GROUP4, 255)
        assert a.receive() is None and b.receive() is None  # no loop, no copy
        advert = capture.wait_advert("the advert", lambda seen: seen.port == "a")
        frame = next(f.data for f in capture.frames if f.data[12:14] == b"\x08\0")
    assert isinstance(advert, Advert) and advert.checksum_ok
    assert (advert.vrid, advert.priority, advert.ttl, advert.addresses) == (52, 150, 255, ("192.0.2.11",))
    assert (advert.source, advert.target) == ("192.0.2.1", GROUP4)
    # TOS 0xc0, no options, a new identification that is not 0, no fragment; the kernel's header checksum holds.
    assert frame[14:16] == b"\x45\xc0" and frame[18:22] == b"\0\1\0\0"
    words = [int.from_bytes(frame[14 + n : 16 + n], "big") for n in range(0, 20, 2)]
    assert sum(words) % 0xFFFF == 0


def test_the_ipv4_source_may_be_any(segment: Segment) -> None:
    _, a = opened(segment, "a", "inet", GROUP4)
    _, b = opened(segment, "b", "inet", GROUP4)
    a.send(PDU4, "192.0.2.77", GROUP4, 255)
    received = arrived(b)
    assert received is not None and received[1] == "192.0.2.77"


def test_multicast_over_ipv6(segment: Segment) -> None:
    kernel, a = opened(segment, "a", "inet6", GROUP6)
    _, b = opened(segment, "b", "inet6", GROUP6)
    source = kernel.rtnetlink().source_address("eth0", "inet6")
    assert source is not None
    pdu = bytes.fromhex("313e640100641234") + bytes.fromhex("fe80" + "00" * 13 + "64")
    with Capture(segment) as capture:
        a.send(pdu, source, GROUP6, 255)
        assert arrived(b) == (pdu, source, GROUP6, 255)  # the caller's checksum, untouched
        assert a.receive() is None
        advert = capture.wait_advert("the advert", lambda seen: seen.port == "a")
        frame = next(f.data for f in capture.frames if f.data[12:14] == b"\x86\xdd" and f.data[20] == 112)
    assert (advert.source, advert.target, advert.ttl) == (source, GROUP6, 255)
    assert frame[14] == 0x6C and frame[15] >> 4 == 0  # traffic class 0xc0; the kernel chooses a flow label
    with pytest.raises(OSError) as refused:
        a.send(pdu, "fe80::99", GROUP6, 255)
    assert refused.value.errno == errno.EINVAL


@pytest.mark.parametrize(
    ("family", "source", "destination", "ttl"),
    [("inet", "192.0.2.1", "192.0.2.2", 64), ("inet6", "2001:db8::1", "2001:db8::2", 7)],
)
def test_unicast(segment: Segment, family: str, source: str, destination: str, ttl: int) -> None:
    _, a = opened(segment, "a", family, None, source)
    _, b = opened(segment, "b", family, None, destination)
    _, other = opened(segment, "b", family, GROUP4 if family == "inet" else GROUP6)
    a.send(b"unicast advert", source, destination, ttl)
    assert arrived(b) == (b"unicast advert", source, destination, ttl)
    assert other.receive() is None
    with segment["b"], pytest.raises(OSError) as refused:
        LinuxKernel().advert_socket(
            "eth0", family, None, "192.0.2.99" if family == "inet" else "2001:db8::99", []
        )
    assert refused.value.errno == errno.EADDRNOTAVAIL


def test_ipv6_unicast_between_link_local_addresses_and_the_default_hop_limit(segment: Segment) -> None:
    local = {}
    for name in "ab":
        with segment[name]:
            local[name] = LinuxKernel().rtnetlink().source_address("eth0", "inet6")
    assert local["a"] is not None and local["b"] is not None
    _, a = opened(segment, "a", "inet6", None, local["a"])
    _, b = opened(segment, "b", "inet6", None, local["b"])
    a.send(b"x", local["a"], local["b"], -1)
    assert arrived(b) == (b"x", local["a"], local["b"], 64)


def test_a_burst_is_kept_until_it_is_read(segment: Segment) -> None:
    _, a = opened(segment, "a", "inet", GROUP4)
    _, b = opened(segment, "b", "inet", GROUP4)
    for number in range(1000):
        a.send(number.to_bytes(4, "big"), "192.0.2.1", GROUP4, 255)
    heard: list[bytes] = []

    def drained() -> bool:
        while (packet := b.receive()) is not None:
            heard.append(packet[0])
        return len(heard) == 1000

    wait_for("1000 packets", drained)
    assert heard == [n.to_bytes(4, "big") for n in range(1000)]


def test_unicast_is_routed_by_the_vrf_of_its_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = LinuxKernel()
    links = {
        "vrf1": Link(7, "vrf1", True, 1500, kind="vrf"),
        "br1": Link(8, "br1", True, 1500, kind="bridge"),
        "eth0": Link(2, "eth0", True, 1500, master=7),
        "eth1": Link(3, "eth1", True, 1500, master=8),
        "eth2": Link(4, "eth2", True, 1500),
    }
    monkeypatch.setattr(kernel.rtnetlink(), "links", lambda: links)
    assert [kernel._vrf(name) for name in ("eth0", "eth1", "eth2", "eth9")] == ["vrf1", "", "", ""]


def test_errors_of_advert_sockets(segment: Segment) -> None:
    kernel, a = opened(segment, "a", "inet", GROUP4)
    with segment["a"]:
        for group, device, number in ((GROUP4, "eth9", errno.ENODEV), ("192.0.2.7", "eth0", errno.EINVAL)):
            with pytest.raises(OSError) as refused:
                kernel.advert_socket(device, "inet", group, None, [1])
            assert refused.value.errno == number
    with pytest.raises(ValueError, match="TTL"):
        a.send(PDU4, "192.0.2.1", GROUP4, 256)
    segment["a"].ip("link set eth0 down")
    with pytest.raises(OSError) as down:
        a.send(PDU4, "192.0.2.1", GROUP4, 255)
    assert down.value.errno in (errno.ENETDOWN, errno.ENETUNREACH, errno.ENODEV)
    assert a.receive() is None
    a.close()


def test_announcements(segment: Segment) -> None:
    with segment["a"]:
        kernel = LinuxKernel()
        announcer = kernel.announcer()
        with Capture(segment) as capture:
            before = time.time() - 1
            announcer.announce("eth0", ["192.0.2.10", "2001:db8::a", "192.0.2.11"])
            wait_for("three announcements", lambda: len(_own(capture)) == 3)
            announcer.announce("eth0", ["192.0.2.10"])
            wait_for("the fourth", lambda: len(_own(capture)) == 4)
            seen = _own(capture)
            assert [getattr(r, "sender", None) or getattr(r, "address", None) for r in seen] == [
                "192.0.2.10",
                "2001:db8::a",
                "192.0.2.11",
                "192.0.2.10",
            ]
            assert all(record.time > before and record.port == "a" for record in seen)
            assert isinstance(seen[0], Arp) and seen[0].gratuitous
            assert isinstance(seen[1], NeighborAdvert) and not seen[1].solicited
        announcer.announce("lo", ["192.0.2.10"])  # says nothing, and is no error
        with pytest.raises(OSError) as missing:
            announcer.announce("eth9", ["192.0.2.10"])
        assert missing.value.errno == errno.ENODEV
        segment["a"].ip("link set eth0 arp off")
        kernel.rtnetlink().read_events()
        with Capture(segment) as capture:
            announcer.announce("eth0", ["192.0.2.10"])
            assert _own(capture) == []
        segment["a"].ip("link set eth0 arp on", "link set eth0 down")
        kernel.rtnetlink().read_events()
        with pytest.raises(OSError) as down:
            announcer.announce("eth0", ["192.0.2.10"])
        assert down.value.errno == errno.ENETDOWN and "192.0.2.10 on eth0" in str(down.value)
        announcer.close()


def test_neighbours_learn_the_new_place(segment: Segment) -> None:
    """What announcements are for: a neighbour that knew the VIP elsewhere sends to the new place at once."""
    vips = ("192.0.2.10", "2001:db8::a")
    segment["b"].ip(*(f"neigh add {address} lladdr 02:00:00:00:00:99 dev eth0 nud stale" for address in vips))
    with segment["a"]:
        LinuxKernel().announcer().announce("eth0", vips)

    def learnt() -> bool:
        with contextlib.suppress(ValueError):
            known = {n["dst"]: n.get("lladdr") for n in segment["b"].ip_json("neigh", "show", "dev", "eth0")}
        return all(known.get(address) == "02:00:5e:10:00:01" for address in vips)

    wait_for("the neighbour's tables", learnt)


def _own(capture: Capture) -> list[Arp | NeighborAdvert]:
    return [
        record
        for record in capture.records()
        if (isinstance(record, Arp) and record.gratuitous)
        or (isinstance(record, NeighborAdvert) and record.address == "2001:db8::a")
    ]
