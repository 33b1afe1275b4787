"""The memory backend: the protocol, the semantics and the refusals of the kernel, and its controls."""

from __future__ import annotations

import errno
import select

import pytest

from kir.model import Address, Config, Forwarding, Service
from kir.plan.operations import (
    AddAddress,
    AddDest,
    AddService,
    DelAddress,
    DelDest,
    DelService,
    EditDest,
    EditService,
    IpvsOperation,
    ReplaceAddress,
)
from kir.state import AddressKey, DestKey, DestParams, ServiceParams, address_key
from krun.kernel import open_kernel
from krun.kernel.door import (
    AddressChanged,
    AdvertSocket,
    Kernel,
    KernelEvent,
    KernelUnavailable,
    LinkChanged,
    Resynchronised,
)
from krun.kernel.memory import MemoryAdvertSocket, MemoryKernel, Packet, Wire
from krun.kernel.memory.wire import Port

GROUP = "224.0.0.18"


def vip(address: str, prefix: int = 32, device: str = "eth0", **more: object) -> Address:
    family = "inet6" if ":" in address else "inet"
    return Address(address=address, prefix=prefix, device=device, family=family, **more)  # type: ignore[arg-type]


def test_both_backends_are_kernels() -> None:
    linux: Kernel = open_kernel("linux")
    memory: Kernel = open_kernel("memory", Config())
    assert (linux.name, memory.name) == ("linux", "memory")
    with pytest.raises(ValueError, match="known: linux, memory"):
        open_kernel("freebsd")


def test_devices_are_up_and_have_addresses() -> None:
    rtnetlink = MemoryKernel(("eth0", "eth1"), host=2).rtnetlink()
    links = rtnetlink.links()
    assert set(links) == {"lo", "eth0", "eth1"} and all(link.up for link in links.values())
    assert len({link.index for link in links.values()}) == 3
    assert rtnetlink.source_address("eth1", "inet") == "198.18.2.2"
    assert rtnetlink.source_address("eth1", "inet6") == "fe80::2:2"
    assert rtnetlink.source_address("eth9", "inet") is None
    assert rtnetlink.read_events() == []


def test_addresses_come_and_go_with_events() -> None:
    rtnetlink = MemoryKernel(("eth0",)).rtnetlink()
    one = vip("10.0.0.1")
    assert rtnetlink.apply_addresses([AddAddress(address=one), AddAddress(address=one)]) == []
    assert rtnetlink.read_events() == [AddressChanged(address_key(one), "inet")]
    changed = vip("10.0.0.1", preferred_lft_s=0)
    assert rtnetlink.apply_addresses([ReplaceAddress(address=changed)]) == []
    assert rtnetlink.table()[address_key(one)] == changed
    assert rtnetlink.apply_addresses([DelAddress(address=one), DelAddress(address=one)]) == []
    assert rtnetlink.read_events()[-1] == AddressChanged(address_key(one), "inet", gone=True)
    assert address_key(one) not in rtnetlink.addresses()
    assert rtnetlink.writes == 5 and len(rtnetlink.log) == 5


def test_address_refusals_are_reported_one_by_one() -> None:
    rtnetlink = MemoryKernel(("eth0",)).rtnetlink()
    rtnetlink.add_address("eth0", "2001:db8::1", 64)
    failures = rtnetlink.apply_addresses(
        [
            AddAddress(address=vip("10.0.0.1", device="eth7")),
            AddAddress(address=vip("2001:db8::1", 128)),
            AddAddress(address=vip("10.0.0.2")),
            DelAddress(address=vip("10.0.0.3", device="eth7")),
        ]
    )
    assert [f.errno for f in failures] == [errno.ENODEV, errno.EEXIST]
    assert "there is no interface eth7" in failures[0].message
    assert "another prefix length" in failures[1].message
    assert AddressKey("eth0", "10.0.0.2", 32) in rtnetlink.addresses()


def test_a_later_delete_makes_room_for_another_prefix() -> None:
    rtnetlink = MemoryKernel(("eth0",)).rtnetlink()
    old, new = vip("2001:db8::1", 64), vip("2001:db8::1", 128)
    rtnetlink.apply_addresses([AddAddress(address=old)])
    assert rtnetlink.apply_addresses([AddAddress(address=new), DelAddress(address=old)]) == []
    assert address_key(new) in rtnetlink.addresses() and address_key(old) not in rtnetlink.addresses()


def test_a_vip_is_never_the_source() -> None:
    rtnetlink = MemoryKernel(("eth0",)).rtnetlink()
    own = AddressKey("eth0", "198.18.1.1", 24)
    rtnetlink.set_own([own])
    assert rtnetlink.source_address("eth0", "inet") is None
    rtnetlink.set_own([])
    assert rtnetlink.source_address("eth0", "inet") == "198.18.1.1"


def test_controls_reach_listeners_at_once_and_own_operations_later() -> None:
    kernel = MemoryKernel(("eth0",))
    rtnetlink = kernel.rtnetlink()
    heard: list[KernelEvent] = []
    rtnetlink.subscribe(heard.append)
    one = vip("10.0.0.1")
    rtnetlink.apply_addresses([AddAddress(address=one)])
    assert heard == []
    kernel.remove_address(address_key(one))
    assert heard == [
        AddressChanged(address_key(one), "inet"),
        AddressChanged(address_key(one), "inet", gone=True),
    ]
    down = kernel.set_link("eth0", up=False)
    assert heard[-1] == LinkChanged(down) and not rtnetlink.links()["eth0"].up
    rtnetlink.lose_events()
    assert heard[-1] == Resynchronised()
    rtnetlink.remove_link("eth0")
    assert heard[-1] == LinkChanged(down, gone=True)
    assert not any(key.device == "eth0" for key in rtnetlink.addresses())
    assert rtnetlink.read_events() == []


def test_an_event_loop_can_wait_for_events() -> None:
    kernel = MemoryKernel(("eth0",))
    rtnetlink = kernel.rtnetlink()
    number = rtnetlink.fileno()
    assert select.select([number], [], [], 0)[0] == []
    kernel.set_link("eth0", up=False)
    assert select.select([number], [], [], 0)[0] == [number]
    assert len(rtnetlink.read_events()) == 1
    assert select.select([number], [], [], 0)[0] == []
    rtnetlink.close()


WEB = Service(family="inet", protocol="tcp", address="10.0.0.1", port=80)
MARK = Service(family="inet6", fwmark=7)
S1, S2 = DestKey("192.168.0.1", 80), DestKey("192.168.0.2", 80)
ROUND_ROBIN = ServiceParams(scheduler="rr")


def test_ipvs_table() -> None:
    ipvs = MemoryKernel().ipvs()
    tunnel = DestParams(
        weight=2, forwarding=Forwarding(method="TUN", tunnel_type="gre", tunnel_checksum="csum")
    )
    operations: list[IpvsOperation] = [
        AddService(service=WEB, params=ROUND_ROBIN),
        AddDest(service=WEB, dest=S1, params=DestParams(weight=1)),
        AddDest(service=WEB, dest=S2, params=tunnel),
        AddService(service=MARK, params=ServiceParams(scheduler="sh", granularity="128")),
        EditDest(service=WEB, dest=S1, params=DestParams(weight=0), old=DestParams(weight=1)),
        EditService(
            service=WEB,
            params=ServiceParams(scheduler="wlc", flags=("flag-1",), timeout_s=50, engine="sip"),
            old=ROUND_ROBIN,
        ),
    ]
    assert ipvs.apply(operations) == []
    table = ipvs.dump()
    assert table[WEB].dests == {S1: DestParams(weight=0), S2: tunnel}
    assert table[WEB].params.engine == "sip" and table[WEB].params.timeout_s == 50
    table.clear()
    assert set(ipvs.dump()) == {WEB, MARK}
    assert (
        ipvs.apply([DelDest(service=WEB, dest=S1), DelService(service=MARK), DelService(service=WEB)]) == []
    )
    assert ipvs.dump() == {} and ipvs.writes == 9 and list(ipvs.log)[:6] == operations


def test_ipvs_refusals_are_the_kernels() -> None:
    ipvs = MemoryKernel().ipvs()
    ipvs.apply(
        [
            AddService(service=WEB, params=ROUND_ROBIN),
            AddDest(service=WEB, dest=S1, params=DestParams(weight=1)),
        ]
    )
    gue = Forwarding(method="TUN", tunnel_type="gue")
    one = DestParams(weight=1)
    refused = {
        errno.EEXIST: AddService(service=WEB, params=ROUND_ROBIN),
        errno.ESRCH: DelService(service=MARK),
        errno.ENOENT: DelDest(service=WEB, dest=S2),
        errno.ERANGE: AddDest(service=WEB, dest=S2, params=DestParams(weight=1, lower_threshold=3)),
        errno.EINVAL: AddDest(service=WEB, dest=S2, params=DestParams(weight=1, forwarding=gue)),
    }
    failures = ipvs.apply([*refused.values(), AddDest(service=WEB, dest=S2, params=one)])
    assert [f.errno for f in failures] == list(refused)
    assert set(ipvs.dump()[WEB].dests) == {S1, S2}
    others = [
        (AddDest(service=WEB, dest=S1, params=one), errno.EEXIST),
        (AddDest(service=MARK, dest=S1, params=one), errno.ESRCH),
        (EditDest(service=WEB, dest=DestKey("1.2.3.4", 5), params=one, old=one), errno.ENOENT),
        (AddDest(service=WEB, dest=DestKey("2001:db8::1", 80), params=one), errno.EINVAL),
        (AddService(service=MARK, params=ServiceParams(scheduler="magic", granularity="128")), errno.ENOENT),
    ]
    for operation, number in others:
        (failure,) = ipvs.apply([operation])
        assert failure.errno == number and failure.operation is operation
        assert failure.message.startswith(f"{operation.op} {operation.target}: ")


def test_tests_can_have_operations_refused() -> None:
    kernel = MemoryKernel(("eth0",))
    kernel.ipvs().refuse = lambda operation: errno.ENOMEM
    kernel.rtnetlink().refuse = lambda operation: errno.EPERM
    (failure,) = kernel.ipvs().apply([AddService(service=WEB, params=ROUND_ROBIN)])
    assert failure.errno == errno.ENOMEM and kernel.ipvs().dump() == {}
    (other,) = kernel.rtnetlink().apply_addresses([AddAddress(address=vip("10.0.0.1"))])
    assert "CAP_NET_ADMIN" in other.message


def test_a_kernel_without_ipvs() -> None:
    with pytest.raises(KernelUnavailable):
        MemoryKernel(ipvs=False).ipvs()


def test_timeouts_and_connections() -> None:
    ipvs = MemoryKernel().ipvs()
    ipvs.set_timeouts(100, None, 50)
    ipvs.set_timeouts(None, 30, None)
    ipvs.set_timeouts(None, None, None)
    assert ipvs.timeouts == (100, 30, 50) and ipvs.writes == 2
    ipvs.counts["tcp 10.0.0.1:80", "192.168.0.1:80"] = 3
    assert ipvs.connections() == {("tcp 10.0.0.1:80", "192.168.0.1:80"): 3}


def _pair() -> tuple[MemoryKernel, MemoryKernel, Wire]:
    a, b = MemoryKernel(("eth0",), host=1), MemoryKernel(("eth0",), host=2)
    wire = Wire()
    wire.attach(a, "eth0")
    wire.attach(b, "eth0")
    return a, b, wire


def _sockets(*kernels: MemoryKernel) -> list[AdvertSocket]:
    return [kernel.advert_socket("eth0", "inet", GROUP, None, [51]) for kernel in kernels]


def test_adverts_reach_the_others_and_not_the_sender() -> None:
    a, b, wire = _pair()
    at_a, at_b = _sockets(a, b)
    number = at_b.fileno()
    at_a.send(b"advert", "198.18.1.1", GROUP, 255)
    assert at_a.receive() is None
    assert select.select([number], [], [], 0)[0] == [number]
    assert at_b.receive() == (b"advert", "198.18.1.1", GROUP, 255)
    assert at_b.receive() is None and select.select([number], [], [], 0)[0] == []
    assert [packet.pdu for _, packet in wire.packets] == [b"advert"]
    at_b.close()
    at_a.send(b"advert", "198.18.1.1", GROUP, 255)
    with pytest.raises(OSError, match="closed"):
        at_b.send(b"advert", "198.18.1.2", GROUP, 255)


def test_unicast_and_other_families_keep_apart() -> None:
    a, b, _ = _pair()
    (multicast,) = _sockets(b)
    unicast = b.advert_socket("eth0", "inet", None, "198.18.1.2", [51])
    six = b.advert_socket("eth0", "inet6", "ff02::12", None, [51])
    sender = a.advert_socket("eth0", "inet", None, "198.18.1.1", [51])
    sender.send(b"to b", "198.18.1.1", "198.18.1.2", 64)
    sender.send(b"to another", "198.18.1.1", "198.18.1.9", 64)
    assert unicast.receive() == (b"to b", "198.18.1.1", "198.18.1.2", 64)
    assert unicast.receive() is multicast.receive() is six.receive() is None
    with pytest.raises(OSError) as refused:
        b.advert_socket("eth0", "inet", None, "198.18.1.77", [51])
    assert refused.value.errno == errno.EADDRNOTAVAIL


def test_a_down_or_missing_interface_sends_and_hears_nothing() -> None:
    a, b, _ = _pair()
    at_a, at_b = _sockets(a, b)
    b.set_link("eth0", up=False)
    at_a.send(b"lost", "198.18.1.1", GROUP, 255)
    assert at_b.receive() is None
    with pytest.raises(OSError) as down:
        at_b.send(b"x", "198.18.1.2", GROUP, 255)
    with pytest.raises(OSError) as missing:
        b.advert_socket("eth7", "inet", GROUP, None, [51])
    assert (down.value.errno, missing.value.errno) == (errno.ENETDOWN, errno.ENODEV)


def test_an_ipv6_source_must_be_the_hosts() -> None:
    a, _, _ = _pair()
    six = a.advert_socket("eth0", "inet6", "ff02::12", None, [51])
    six.send(b"x", "fe80::1:1", "ff02::12", 255)
    with pytest.raises(OSError) as refused:
        six.send(b"x", "fe80::99", "ff02::12", 255)
    assert refused.value.errno == errno.EINVAL


def test_a_faulty_wire_decides_what_arrives() -> None:
    held: list[tuple[Packet, Port]] = []
    a, b = MemoryKernel(("eth0",), host=1), MemoryKernel(("eth0",), host=2)
    wire = Wire(lambda packet, sender, receiver: held.append((packet, receiver)))
    wire.attach(a, "eth0")
    wire.attach(b, "eth0")
    at_a, at_b = _sockets(a, b)
    at_a.send(b"late", "198.18.1.1", GROUP, 255)
    assert at_b.receive() is None
    for packet, receiver in held:
        wire.hand_over(packet, receiver)
    assert at_b.receive() == (b"late", "198.18.1.1", GROUP, 255)
    wire.detach(b, "eth0")
    at_a.send(b"gone", "198.18.1.1", GROUP, 255)
    assert len(held) == 1


def test_a_full_socket_drops_and_counts() -> None:
    a, b, _ = _pair()
    at_a, at_b = _sockets(a, b)
    assert isinstance(at_b, MemoryAdvertSocket)
    for _ in range(5001):
        at_a.send(b"x", "198.18.1.1", GROUP, 255)
    assert at_b.dropped == 1


def test_announcements_are_remembered() -> None:
    a, _, wire = _pair()
    a.announcer().announce("eth0", ["10.0.0.1", "2001:db8::1"])
    assert list(a.announced) == [("eth0", "10.0.0.1"), ("eth0", "2001:db8::1")]
    assert [(device, address) for _, device, address in wire.announcements] == list(a.announced)
    a.announcer().announce("lo", ["10.0.0.1"])
    assert len(a.announced) == 2
    with pytest.raises(OSError):
        a.announcer().announce("eth9", ["10.0.0.1"])
