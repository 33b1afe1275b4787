"""Addresses and notifications on the real kernel; pyroute2 and iproute2 read what our packers wrote."""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kir.model import Address
from kir.plan.addresses import plan_addresses
from kir.plan.operations import AddAddress, AddressOperation, DelAddress, ReplaceAddress
from kir.state import AddressKey, AddressTable, address_key
from krun.kernel import secondaries
from krun.kernel.door import AddressChanged, KernelEvent, LinkChanged, Resynchronised
from krun.kernel.linux import LinuxRtnetlink
from krun.kernel.memory import MemoryKernel
from krun.kernel.netlink.codec import NLM_F_CREATE, NLM_F_EXCL
from krun.kernel.netlink.rtnl import RTM_NEWADDR
from krun.kernel.netlink.socket import NetlinkSocket, Request
from lab import needs
from lab.netns import Namespace
from lab.processes import wait_for

pytestmark = pytest.mark.netns


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    needs.require_netns()
    space = Namespace("addresses")
    space.ip(
        "link add eth0 type veth peer name peer0",
        "link set eth0 address 02:00:5e:10:00:01 up",
        "link set peer0 up",
        "addr add 192.0.2.1/24 dev eth0",
        "addr add 2001:db8::1/64 dev eth0",
    )
    try:
        # The kernel adds them a moment later, in the middle of a test if it were not waited for.
        wait_for("the link-local addresses", lambda: settled(space))
        with space:
            yield space
    finally:
        space.close()


def settled(space: Namespace) -> bool:
    """Both interfaces have a link-local address, and no address is tentative."""
    entries = [entry for link in space.ip_json("addr", "show") for entry in link["addr_info"]]
    links = [entry for entry in entries if entry["local"].startswith("fe80:")]
    return len(links) == 2 and not any(entry.get("tentative") for entry in entries)


@pytest.fixture
def rtnetlink(namespace: Namespace) -> Iterator[LinuxRtnetlink]:
    opened = LinuxRtnetlink()
    yield opened
    opened.close()


def vip(address: str, prefix: int | None = None, device: str = "eth0", **more: Any) -> Address:
    family = "inet6" if ":" in address else "inet"
    if prefix is None:
        prefix = 128 if family == "inet6" else 32
    return Address(address=address, prefix=prefix, device=device, family=family, **more)


def wait_until_reflected(rtnetlink: LinuxRtnetlink, keys: set[AddressKey]) -> None:
    """The kernel tells of a new IPv6 address from a work queue, a moment after the call that adds it."""

    def reflected() -> bool:
        rtnetlink.read_events()
        return set(rtnetlink.addresses()) == keys

    wait_for(f"the picture to be {keys}", reflected, interval=0.001)


def details(space: Namespace, address: str, device: str = "eth0") -> dict[str, Any]:
    """What iproute2 says of one address."""
    (link,) = space.ip_json("addr", "show", "dev", device)
    return next(entry for entry in link["addr_info"] if entry.get("local") == address)


def test_every_option_of_an_ipv4_address(namespace: Namespace, rtnetlink: LinuxRtnetlink) -> None:
    plain = vip("10.0.0.1", 24, broadcast="10.0.0.255", label="eth0:1", scope=0)
    peer = vip("10.1.0.1", 32, peer="10.1.0.2", scope=253)
    short = vip("10.2.0.1", preferred_lft_s=0, noprefixroute=True)
    assert rtnetlink.apply_addresses([AddAddress(address=a) for a in (plain, peer, short)]) == []
    seen = details(namespace, "10.0.0.1")
    assert (seen["prefixlen"], seen["broadcast"], seen["label"]) == (24, "10.0.0.255", "eth0:1")
    assert seen["scope"] == "global" and seen["valid_life_time"] == 0xFFFFFFFF
    assert seen.get("protocol", "keepalived") in ("keepalived", "18", 18)  # Linux 5.18
    seen = details(namespace, "10.1.0.1")
    assert (seen["address"], seen["scope"], seen["label"]) == ("10.1.0.2", "link", "eth0")
    seen = details(namespace, "10.2.0.1")
    assert seen["deprecated"] and seen["noprefixroute"]


def test_every_option_of_an_ipv6_address(namespace: Namespace, rtnetlink: LinuxRtnetlink) -> None:
    first = vip("2001:db8::10", 64, nodad=True, home=True, mngtmpaddr=True)
    second = vip("2001:db8::11", preferred_lft_s=0, noprefixroute=True, peer="2001:db8::12")
    assert rtnetlink.apply_addresses([AddAddress(address=a) for a in (first, second)]) == []
    seen = details(namespace, "2001:db8::10")
    assert seen["prefixlen"] == 64 and seen["nodad"] and seen["home"] and seen["mngtmpaddr"]
    assert seen["preferred_life_time"] == 0xFFFFFFFF
    seen = details(namespace, "2001:db8::11")
    assert seen["address"] == "2001:db8::12" and seen["deprecated"] and seen["noprefixroute"]


def test_an_independent_reader_agrees(namespace: Namespace, rtnetlink: LinuxRtnetlink) -> None:
    from pyroute2 import IPRoute

    wanted = [vip("10.0.0.1", label="eth0:v"), vip("10.0.0.2", 24), vip("2001:db8::20", nodad=True)]
    statics = set(rtnetlink.addresses())
    assert rtnetlink.apply_addresses([AddAddress(address=a) for a in wanted]) == []
    wait_until_reflected(rtnetlink, statics | {address_key(a) for a in wanted})
    with IPRoute() as reader:
        index = reader.link_lookup(ifname="eth0")[0]
        seen = {
            (m.get("IFA_LOCAL") or m.get("IFA_ADDRESS"), m["prefixlen"]): m.get("IFA_LABEL")
            for m in reader.get_addr(index=index)
        }
        (link,) = reader.get_links(index)
    ours = {(key.address, key.prefix) for key in rtnetlink.addresses() if key.device == "eth0"}
    assert set(seen) == ours >= {("10.0.0.1", 32), ("10.0.0.2", 24), ("2001:db8::20", 128)}
    assert seen["10.0.0.1", 32] == "eth0:v"
    picture = rtnetlink.links()["eth0"]
    assert (picture.index, picture.mtu, picture.mac.hex(":")) == (
        index,
        link.get("IFLA_MTU"),
        link.get("IFLA_ADDRESS"),
    )


def test_what_is_as_wanted_is_no_failure(rtnetlink: LinuxRtnetlink) -> None:
    wanted = [vip("10.0.0.1"), vip("2001:db8::20", nodad=True)]
    adds = [AddAddress(address=a) for a in wanted]
    deletes = [DelAddress(address=a) for a in wanted]
    for operations in (adds, adds, deletes, deletes):
        assert rtnetlink.apply_addresses(operations) == []
    rtnetlink.read_events()
    assert not {address_key(a) for a in wanted} & set(rtnetlink.addresses())
    assert rtnetlink.apply_addresses([]) == []


def test_refusals_say_what_to_do_and_do_not_stop_the_rest(
    namespace: Namespace, rtnetlink: LinuxRtnetlink
) -> None:
    namespace.ip("link add off0 type veth peer name off1", "link set off0 up")
    Path("/proc/sys/net/ipv6/conf/off0/disable_ipv6").write_text("1")
    operations: list[AddressOperation] = [
        AddAddress(address=vip("10.0.0.1", device="eth7")),
        AddAddress(address=vip("2001:db8::20", device="off0")),
        AddAddress(address=vip("2001:db8::1", 128)),
        AddAddress(address=vip("10.0.0.300")),
        AddAddress(address=vip("10.0.0.2", 33)),
        AddAddress(address=vip("10.0.0.3")),
        DelAddress(address=vip("10.0.0.4", device="eth7")),
    ]
    failures = rtnetlink.apply_addresses(operations)
    assert [f.operation for f in failures] == operations[:5]
    assert [f.errno for f in failures] == [
        errno.ENODEV,
        errno.EACCES,
        errno.EEXIST,
        errno.EINVAL,
        errno.EINVAL,
    ]
    words = [f.message for f in failures]
    assert "ip.add_address 10.0.0.1/32 dev eth7: there is no interface eth7" in words[0]
    assert "sysctl net.ipv6.conf.off0.disable_ipv6=0" in words[1]
    assert "ip addr del 2001:db8::1/" in words[2]
    assert "10.0.0.3/32" in namespace.addresses("eth0")
    (scope,) = rtnetlink.apply_addresses([AddAddress(address=vip("192.0.2.9", 24, scope=253))])
    assert scope.errno == errno.EINVAL and "the same scope" in scope.message


def test_an_add_that_meets_other_parameters_changes_them(
    namespace: Namespace, rtnetlink: LinuxRtnetlink
) -> None:
    namespace.ip("addr add 10.0.0.1/32 dev eth0 label eth0:old", "addr add 2001:db8::20/128 dev eth0 home")
    rtnetlink.read_events()
    wanted = [vip("10.0.0.1", label="eth0:new"), vip("2001:db8::20", preferred_lft_s=0)]
    assert rtnetlink.apply_addresses([AddAddress(address=a) for a in wanted]) == []
    assert details(namespace, "10.0.0.1")["label"] == "eth0:new"
    seen = details(namespace, "2001:db8::20")
    assert seen["deprecated"] and not seen.get("home")


def test_replace_changes_in_place(namespace: Namespace, rtnetlink: LinuxRtnetlink) -> None:
    old = [vip("10.0.0.1", preferred_lft_s=0), vip("2001:db8::20", preferred_lft_s=0, home=True)]
    new = [vip("10.0.0.1"), vip("2001:db8::20")]
    assert rtnetlink.apply_addresses([AddAddress(address=a) for a in old]) == []
    rtnetlink.read_events()
    assert rtnetlink.apply_addresses([ReplaceAddress(address=a) for a in new]) == []
    for address in new:
        seen = details(namespace, address.address)
        assert not seen.get("deprecated") and not seen.get("home")
    assert not any(isinstance(e, AddressChanged) and e.gone for e in rtnetlink.read_events())


def test_an_ipv6_prefix_changes_with_add_before_delete(
    namespace: Namespace, rtnetlink: LinuxRtnetlink
) -> None:
    old, new = vip("2001:db8::20", 64), vip("2001:db8::20", 128)
    rtnetlink.apply_addresses([AddAddress(address=old)])
    assert rtnetlink.apply_addresses([AddAddress(address=new), DelAddress(address=old)]) == []
    assert details(namespace, "2001:db8::20")["prefixlen"] == 128


def test_delete_takes_exactly_one_address(namespace: Namespace, rtnetlink: LinuxRtnetlink) -> None:
    """Deleting the first address of a subnet would take the others with it; the same address may have two prefixes."""
    subnet = [vip(f"10.0.0.{n}", 24) for n in (1, 2, 3)]
    twice = vip("10.0.0.1", 32)
    pointed = vip("10.5.0.1", 32, peer="10.5.0.2")
    rtnetlink.apply_addresses([AddAddress(address=a) for a in (*subnet, twice, pointed)])
    rtnetlink.read_events()
    promote = Path("/proc/sys/net/ipv4/conf/eth0/promote_secondaries")
    promote.write_text("0")
    assert (
        rtnetlink.apply_addresses([DelAddress(address=subnet[0]), DelAddress(address=vip("10.5.0.1"))]) == []
    )
    left = namespace.addresses("eth0")
    assert {"10.0.0.2/24", "10.0.0.3/24", "10.0.0.1/32"} <= set(left) and "10.0.0.1/24" not in left
    assert "10.5.0.1/32" not in left
    assert promote.read_text().strip() == "0"
    assert rtnetlink.apply_addresses([DelAddress(address=a) for a in subnet[1:]]) == []
    assert "10.0.0.1/32" in namespace.addresses("eth0")


@pytest.mark.parametrize("promote", ["1", "0", "read-only"])
def test_what_hangs_on_a_deleted_address_stays(
    namespace: Namespace, rtnetlink: LinuxRtnetlink, monkeypatch: pytest.MonkeyPatch, promote: str
) -> None:
    """Ours and others', and what the same batch adds; where the setting cannot be changed they come back exactly as they were."""
    subnet = [vip(f"10.0.0.{n}", 24, label="eth0:v" if n == 2 else None) for n in (1, 2, 3)]
    rtnetlink.apply_addresses([AddAddress(address=a) for a in subnet])
    namespace.ip(
        "addr add 10.0.0.77/24 dev eth0 valid_lft 1000 preferred_lft 500", "addr add 10.0.1.5/24 dev eth0"
    )
    Path("/proc/sys/net/ipv4/conf/eth0/promote_secondaries").write_text("1" if promote == "1" else "0")
    if promote == "read-only":
        monkeypatch.setattr(secondaries.Secondaries, "_promotes", lambda *_: False)
    rtnetlink.read_events()

    def shown() -> dict[str, object]:
        told = {}
        for entry in namespace.ip_json("addr", "show", "dev", "eth0")[0]["addr_info"]:
            entry.pop("secondary", None)
            for key in ("valid_life_time", "preferred_life_time"):  # they run down
                entry[key] = round(entry[key] / 100)
            told[entry["local"]] = entry
        return told

    before = shown()
    fresh = vip("10.0.0.9", 24)
    assert rtnetlink.apply_addresses([AddAddress(address=fresh), DelAddress(address=subnet[0])]) == []
    after = shown()
    assert after.pop("10.0.0.9")["prefixlen"] == 24  # type: ignore[index]
    del before["10.0.0.1"]
    assert after == before
    gone = [e.key.address for e in rtnetlink.read_events() if isinstance(e, AddressChanged) and e.gone]
    assert set(gone) == (
        {"10.0.0.1"}
        if promote != "read-only"
        else {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.77", "10.0.0.9"}
    )
    rest = [subnet[1], subnet[2], fresh]
    assert rtnetlink.apply_addresses([DelAddress(address=a) for a in rest]) == []
    assert set(shown()) & {"10.0.0.2", "10.0.0.3", "10.0.0.9"} == set()
    assert {"10.0.0.77", "10.0.1.5"} <= set(shown())


def test_a_thousand_vips_in_two_system_calls(namespace: Namespace, rtnetlink: LinuxRtnetlink) -> None:
    vips = [vip(f"10.1.{n // 250}.{n % 250 + 1}") for n in range(1000)]
    keys = {address_key(a) for a in vips}
    before = rtnetlink.writes
    assert rtnetlink.apply_addresses([AddAddress(address=a) for a in vips]) == []
    assert rtnetlink.writes - before == 1000
    events = rtnetlink.read_events()
    assert [e for e in events if isinstance(e, AddressChanged)] == events and len(events) == 1000
    assert keys <= set(rtnetlink.addresses())
    assert len(namespace.addresses("eth0")) >= 1000
    assert rtnetlink.apply_addresses([DelAddress(address=a) for a in vips]) == []
    rtnetlink.read_events()
    assert not keys & set(rtnetlink.addresses())


def test_an_error_in_the_middle_of_a_batch(namespace: Namespace, rtnetlink: LinuxRtnetlink) -> None:
    operations = [AddAddress(address=vip(f"10.1.{n // 250}.{n % 250 + 1}")) for n in range(1200)]
    for position in (0, 499, 500, 777, 1199):
        operations[position] = AddAddress(address=vip("10.9.9.9", 33))
    failures = rtnetlink.apply_addresses(operations)
    assert [(f.errno, f.operation.target) for f in failures] == [(errno.EINVAL, "10.9.9.9/33 dev eth0")] * 5
    assert len([a for a in namespace.addresses("eth0") if a.startswith("10.1.")]) == 1195


def test_the_kernels_own_words_are_kept(namespace: Namespace) -> None:
    sock = NetlinkSocket(socket.NETLINK_ROUTE)
    nothing = Request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, bytes(8))
    results = sock.execute([nothing] * 3)
    sock.close()
    assert all(r is not None and r.errno in (errno.EINVAL, errno.EOPNOTSUPP) for r in results)


def test_events_of_links_and_addresses(namespace: Namespace, rtnetlink: LinuxRtnetlink) -> None:
    heard: list[KernelEvent] = []
    rtnetlink.subscribe(heard.append)
    assert rtnetlink.read_events() == [] == heard
    namespace.ip("addr add 10.7.0.1/24 dev eth0")
    assert select.select([rtnetlink.fileno()], [], [], 5)[0]
    key = AddressKey("eth0", "10.7.0.1", 24)
    assert rtnetlink.read_events() == [AddressChanged(key, "inet")] == heard
    namespace.ip("addr del 10.7.0.1/24 dev eth0", "link set peer0 down")
    assert AddressChanged(key, "inet", gone=True) in rtnetlink.read_events()

    def carrier() -> bool:
        rtnetlink.read_events()
        return rtnetlink.links()["eth0"].up

    # The kernel looks after carriers from a work queue.
    wait_for("the carrier to go", lambda: not carrier())
    down = [e.link for e in heard if isinstance(e, LinkChanged) and e.link.name == "eth0"][-1]
    assert not down.up and rtnetlink.links()["eth0"] == down
    namespace.ip("link set peer0 up")
    wait_for("the carrier to come back", carrier)
    assert LinkChanged(rtnetlink.links()["eth0"]) in heard


def test_a_new_name_moves_the_addresses(namespace: Namespace, rtnetlink: LinuxRtnetlink) -> None:
    old = rtnetlink.links()["eth0"]
    namespace.ip("link set eth0 down", "link set eth0 name wan0", "link set wan0 up")
    events = rtnetlink.read_events()
    assert rtnetlink.links()["wan0"].index == old.index and "eth0" not in rtnetlink.links()
    assert any(isinstance(e, LinkChanged) and e.gone and e.link.name == "eth0" for e in events)
    assert AddressKey("wan0", "192.0.2.1", 24) in rtnetlink.addresses()
    assert not any(key.device == "eth0" for key in rtnetlink.addresses())


def test_a_removed_interface_takes_its_addresses(namespace: Namespace, rtnetlink: LinuxRtnetlink) -> None:
    namespace.ip("link del eth0")
    events = rtnetlink.read_events()
    assert AddressChanged(AddressKey("eth0", "192.0.2.1", 24), "inet", gone=True) in events
    gone = {e.link.name for e in events if isinstance(e, LinkChanged) and e.gone}
    assert gone == {"eth0", "peer0"} and set(rtnetlink.links()) == {"lo"}
    assert {key.device for key in rtnetlink.addresses()} == {"lo"}
    assert rtnetlink.source_address("eth0", "inet") is None


def test_a_port_that_leaves_a_bridge_is_not_gone(namespace: Namespace, rtnetlink: LinuxRtnetlink) -> None:
    namespace.ip("link add br0 type bridge", "link set eth0 master br0", "link set eth0 nomaster")
    events = rtnetlink.read_events()
    assert not any(isinstance(e, LinkChanged) and e.gone for e in events)
    assert rtnetlink.links()["eth0"].master == 0 and rtnetlink.links()["br0"].kind == "bridge"


def test_source_address_is_primary_and_not_ours(namespace: Namespace, rtnetlink: LinuxRtnetlink) -> None:
    assert rtnetlink.source_address("eth0", "inet") == "192.0.2.1"
    rtnetlink.set_own([AddressKey("eth0", "192.0.2.1", 24)])
    namespace.ip("addr add 192.0.2.9/24 dev eth0", "addr add 198.51.100.1/24 dev eth0")
    rtnetlink.read_events()
    assert rtnetlink.source_address("eth0", "inet") == "198.51.100.1"  # 192.0.2.9 is a secondary address
    link_local = rtnetlink.source_address("eth0", "inet6")
    assert link_local is not None and link_local.startswith("fe80:")
    rtnetlink.set_own([AddressKey("eth0", link_local, 64)])
    assert rtnetlink.source_address("eth0", "inet6") is None


PARTS = st.fixed_dictionaries(
    {},
    optional={
        "preferred_lft_s": st.just(0),
        "noprefixroute": st.booleans(),
        "label": st.sampled_from(("eth0:a", "eth0:b")),
    },
)


@st.composite
def address_tables(draw: st.DrawFn) -> AddressTable:
    """A few addresses, with subnets in common, of two interfaces and both families."""
    table: AddressTable = {}
    for number in draw(st.sets(st.integers(1, 4))):
        device = draw(st.sampled_from(("eth0", "peer0")))
        parts = draw(PARTS)
        if draw(st.booleans()):
            prefix = draw(st.sampled_from((8, 24, 32)))
            # The kernel wants one scope for all addresses of a subnet.
            address = vip(f"10.0.0.{number}", prefix, device, scope=253 if prefix == 8 else 0, **parts)
        else:
            parts.pop("label", None)
            address = vip(
                f"2001:db8:1::{number}", draw(st.sampled_from((64, 128))), device, nodad=True, **parts
            )
        table[address_key(address)] = address
    return table


def test_plans_bring_the_kernel_from_any_table_to_any_other(
    namespace: Namespace, rtnetlink: LinuxRtnetlink
) -> None:
    """What is planned is what is there afterwards, and the memory backend agrees; what is not ours is not touched."""
    memory = MemoryKernel(("eth0", "peer0")).rtnetlink()
    rtnetlink.read_events()
    others = set(rtnetlink.addresses())

    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(address_tables(), address_tables())
    def step(have: AddressTable, want: AddressTable) -> None:
        rtnetlink.read_events()
        left = [
            DelAddress(address=vip(k.address, k.prefix, k.device))
            for k in set(rtnetlink.addresses()) - others
        ]
        assert rtnetlink.apply_addresses(left) == []
        memory.apply_addresses(left)
        rtnetlink.read_events()
        wait_until_reflected(rtnetlink, others)
        first = plan_addresses({}, have)
        for operations in (first, plan_addresses(have, want)):
            assert rtnetlink.apply_addresses(operations) == [], operations
            assert memory.apply_addresses(operations) == []
            wait_until_reflected(rtnetlink, others | set(have if operations is first else want))
        assert others <= set(rtnetlink.addresses())
        assert set(want) <= set(memory.addresses())
        labels = {
            (device, a.address, a.prefix): a.label
            for device in ("eth0", "peer0")
            for a in rtnetlink._reflector.picture.on(device)
        }
        for key, address in want.items():
            if address.family == "inet":
                assert labels[key.device, key.address, key.prefix] == (address.label or key.device)

    step()


def test_a_picture_that_cannot_be_made_anew_is_tried_again(
    rtnetlink: LinuxRtnetlink, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = rtnetlink.addresses()
    reflector = rtnetlink._reflector
    reflector._stale = True
    with monkeypatch.context() as patch:
        patch.setattr(reflector, "_load", lambda: (_ for _ in ()).throw(OSError(errno.ENOMEM, "no memory")))
        assert rtnetlink.read_events() == [] and rtnetlink.addresses() == before
    assert "cannot read them anew: no memory" in caplog.text
    assert rtnetlink.read_events() == [Resynchronised()]
    assert rtnetlink.read_events() == []


def test_lost_events_are_noticed_and_the_picture_is_made_anew(
    namespace: Namespace, rtnetlink: LinuxRtnetlink
) -> None:
    # The smallest buffer that the kernel allows: a few notifications overrun it.
    events = rtnetlink._reflector._events._socket
    events.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    heard: list[KernelEvent] = []
    rtnetlink.subscribe(heard.append)
    vips = [vip(f"10.1.{n // 250}.{n % 250 + 1}") for n in range(300)]
    assert rtnetlink.apply_addresses([AddAddress(address=a) for a in vips]) == []
    assert Resynchronised() in rtnetlink.read_events() and Resynchronised() in heard
    assert rtnetlink.overruns >= 1
    assert {address_key(a) for a in vips} <= set(rtnetlink.addresses())
    namespace.ip("addr del 10.1.0.1/32 dev eth0")
    assert rtnetlink.read_events() == [AddressChanged(address_key(vips[0]), "inet", gone=True)]
