"""Routes and rules as octets and back; the names of iproute2's files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kir.model import (
    Config,
    EncapIla,
    EncapIp,
    EncapIp6,
    EncapMpls,
    Metric,
    Nexthop,
    Range,
    Realms,
    Route,
    Rule,
)
from kir.route_state import fulfils, kernel_rule
from krun.kernel.netlink.codec import Message
from krun.kernel.netlink.socket import address_text
from krun.kernel.routing.encap import bare, encap_payload, parse_encap
from krun.kernel.routing.names import Names, UnknownName, numbered, numbered_route
from krun.kernel.routing.routes import parse_route, route_body
from krun.kernel.routing.rules import parse_rule, rule_body
from krun.kernel.routing.wire import METRIC_UNIT_US
from support.ir_samples import instance

DEVICES = {2: "eth0", 3: "eth1"}
INDEXES = {name: index for index, name in DEVICES.items()}.__getitem__

octets = st.integers(0, 255)
words = st.integers(1, 0xFFFFFFFF)
devices = st.sampled_from(["eth0", "eth1"])
v4 = st.ip_addresses(v=4).map(str)
v6 = st.binary(min_size=16, max_size=16).map(address_text)
labels = st.lists(st.integers(0, 0xFFFFF), min_size=1, max_size=4)
groups = st.lists(st.integers(0, 0xFFFF).map(lambda n: f"{n:x}"), min_size=4, max_size=4)
encaps = st.one_of(
    st.builds(
        EncapIp,
        id=st.none() | st.integers(1, 2**64 - 1),
        destination=v4.filter(lambda a: a != "0.0.0.0"),
        tos=octets,
        ttl=octets,
        flags=st.none() | st.integers(0, 65535),
    ),
    st.builds(
        EncapIp6, id=st.none() | st.integers(0, 2**64 - 1), source=st.just("2001:db8::1"), tclass=octets
    ),
    labels.map(lambda found: EncapMpls(labels=tuple(found))),
    groups.map(lambda found: EncapIla(locator=":".join(found))),
)
realms = st.builds(Realms, source=st.none() | st.integers(1, 255), destination=st.integers(1, 255))


def metrics(names: list[str]) -> st.SearchStrategy[tuple[Metric, ...]]:
    one = st.builds(
        lambda name, value, lock: Metric(name=name, value=value * METRIC_UNIT_US.get(name, 1), lock=lock),
        st.sampled_from(names),
        st.integers(0, 10_000),
        st.booleans(),
    )
    return st.lists(one, unique_by=lambda m: m.name, max_size=5).map(
        lambda found: tuple(sorted(found, key=lambda m: m.name))
    )


@st.composite
def all_routes(draw: Any) -> Route:
    inet6 = draw(st.booleans())
    address = v6 if inet6 else v4
    length = draw(st.integers(0, 128 if inet6 else 32))
    base = draw(address) if length else ("::" if inet6 else "0.0.0.0")
    way: dict[str, Any] = {}
    hop = st.builds(
        Nexthop,
        via=address,
        device=devices,
        weight=st.integers(1, 256),
        onlink=st.booleans(),
        encap=st.none() | encaps.map(bare),
        realms=st.none() | realms,
    )
    if draw(st.booleans()):
        way["nexthops"] = tuple(draw(st.lists(hop, min_size=2, max_size=3)))
    else:
        way = {"via": draw(st.none() | address), "device": draw(devices), "onlink": draw(st.booleans())}
        way["encap"] = draw(st.none() | encaps.map(bare))
    return Route(
        family="inet6" if inet6 else "inet",
        destination=f"{base}/{length}",
        table=draw(st.sampled_from([254, 100, 70_000])),
        protocol=draw(octets),
        tos=draw(st.sampled_from([0, 0x10])),
        priority=draw(words),
        scope=draw(st.none() | octets),
        metrics=draw(metrics(["mtu", "advmss", "hoplimit", "rtt_us", "rttvar_us", "rto_min_us", "quickack"])),
        congctl=draw(st.sampled_from([None, "reno"])),
        ecn=draw(st.booleans()),
        preference=draw(st.none() | octets),
        ttl_propagate=draw(st.none() | st.booleans()),
        source=draw(st.none() | address),
        **way,
    )


def message(body: bytes) -> Message:
    return Message(24, 0, 1, body, 0, len(body))


@given(all_routes())
def test_a_route_comes_back(route: Route) -> None:
    back = parse_route(message(route_body(route, INDEXES, int(route.table))), DEVICES)
    assert back is not None and back.destination == route.destination
    assert fulfils(back, route)


rules = st.builds(
    Rule,
    family=st.just("inet"),
    priority=words,
    action=st.just("table"),
    table=st.sampled_from([254, 100, 70_000]),
    inverted=st.booleans(),
    source=st.sampled_from([None, "10.0.0.0/8", "10.1.2.3/32"]),
    destination=st.sampled_from([None, "10.0.0.0/8"]),
    tos=st.sampled_from([0, 0x10]),
    fwmark=st.none() | words,
    iif=st.none() | devices,
    oif=st.none() | devices,
    uids=st.none() | st.just(Range(low=1, high=2)),
    ip_protocol=st.none() | st.integers(1, 255),
    source_ports=st.none() | st.just(Range(low=10, high=65535)),
    destination_ports=st.none() | st.just(Range(low=1, high=1)),
    tunnel_id=st.none() | st.integers(1, 2**64 - 1),
    realms=st.none() | realms,
    suppress_prefixlength=st.none() | st.integers(0, 128),
    suppress_ifgroup=st.none() | st.integers(0, 100),
    protocol=octets,
)


@given(rules)
def test_a_rule_comes_back(rule: Rule) -> None:
    # The kernel adds the mask to a mark; the message itself has none.
    back = parse_rule(message(rule_body(rule)))
    assert back == rule
    assert kernel_rule(rule).fwmask == (0xFFFFFFFF if rule.fwmark is not None else None)


@given(encaps)
def test_an_encapsulation_comes_back(encap: Any) -> None:
    assert parse_encap(*encap_payload(encap)) == bare(encap)


def test_labels_are_a_stack_whose_last_is_marked() -> None:
    kind, payload = encap_payload(EncapMpls(labels=(16, 17)))
    assert kind == 1 and payload.hex() == "0c000100" + "00010000" + "00011100"


def test_a_gateway_of_the_other_family_is_a_via() -> None:
    route = Route(family="inet", destination="10.0.0.0/8", via="2001:db8::1", device="eth0")
    back = parse_route(message(route_body(route, INDEXES, 254)), DEVICES)
    assert back is not None and back.via == "2001:db8::1" and back.family == "inet"


@given(st.binary(max_size=300))
def test_whatever_octets_come_in_nothing_is_raised(data: bytes) -> None:
    for family in (b"\x02", b"\x0a", b""):
        found = parse_route(message(family + data), DEVICES)
        assert found is None or isinstance(found, Route)
        rule = parse_rule(message(family + data))
        assert rule is None or isinstance(rule, Rule)
    assert parse_encap(1, data) is None or parse_encap(1, data) is not None
    assert parse_encap(99, data) is None


@pytest.fixture
def names(tmp_path: Path) -> Names:
    usr, etc = tmp_path / "usr", tmp_path / "etc"
    (etc / "rt_tables.d").mkdir(parents=True)
    usr.mkdir()
    (usr / "rt_tables").write_text("254 main\n0x10 isp # the way out\nnonsense\n7\n")
    (etc / "rt_tables").write_text("20\tisp\n")
    (etc / "rt_tables.d" / "a.conf").write_text("30 backup\n")
    (etc / "rt_tables.d" / "ignored.txt").write_text("31 other\n")
    (etc / "rt_realms").write_text("9 cosmic\n")
    (etc / "group").write_text("5 uplinks\n")
    (etc / "rt_dsfield").write_text("0xb8 EF\n")
    return Names((usr, etc))


def test_names_are_read_as_iproute2_reads_them(names: Names) -> None:
    assert names.number("table", "isp") == 20, "/etc wins"
    assert (names.number("table", "main"), names.number("table", "backup")) == (254, 30)
    assert names.number("table", 4711) == 4711
    assert names.ip_protocol("tcp") == 6 and names.ip_protocol(200) == 200
    with pytest.raises(UnknownName, match=r"no routing table `other`.*rt_tables.*write the number"):
        names.number("table", "other")
    with pytest.raises(UnknownName, match="no IP protocol `warp`"):
        names.ip_protocol("warp")


def test_all_names_of_a_configuration_become_numbers(names: Names) -> None:
    route = Route(
        family="inet",
        destination="10.0.0.0/8",
        table="isp",
        tos="EF",
        realms=Realms(source=0, destination="cosmic"),
        encap=EncapIp(id=0, destination="192.0.2.1", tos="EF"),
    )
    done = numbered_route(route, names)
    assert (done.table, done.tos, done.realms) == (20, 0xB8, Realms(destination=9))
    assert done.encap == EncapIp(destination="192.0.2.1", tos=0xB8)
    rule = Rule(
        family="inet",
        priority=1,
        action="table",
        table="backup",
        suppress_ifgroup="uplinks",
        ip_protocol="udp",
    )
    bad = msgspec.structs.replace(route, table="nowhere")
    config = Config(
        vrrp_instances=(instance("A", routes=(route, bad), rules=(rule,)), instance("B", vrid=52)),
        static_routes=(bad,),
    )
    config, problems = numbered(config, names)
    assert set(problems) == {"A", ""} and "no routing table `nowhere`" in problems["A"][0]
    assert [r.table for r in config.vrrp_instances[0].routes] == [20] and config.static_routes == ()
    (read,) = config.vrrp_instances[0].rules
    assert (read.table, read.suppress_ifgroup, read.ip_protocol) == (30, 5, 17)
