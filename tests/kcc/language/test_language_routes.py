"""Routes and rules taken apart: every option of the lines, as the field of the IR that it becomes."""

from __future__ import annotations

from typing import Any

import pytest
from language_texts import accepts, codes, read, refuses

from kcc.language.arguments.base import REFUSED
from kcc.language.arguments.routes import ROUTE_LINE, STATIC_ROUTE
from kcc.language.arguments.rules import RULE_LINE, STATIC_RULE
from kir.model import (
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


def route(text: str) -> Route:
    value = accepts(STATIC_ROUTE, *text.split(), line=True)
    assert isinstance(value, Route)
    return value


def rule(text: str) -> Rule:
    value = accepts(STATIC_RULE, *text.split(), line=True)
    assert isinstance(value, Rule)
    return value


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("10.1.2.3/8 dev eth0", {"destination": "10.0.0.0/8", "device": "eth0", "family": "inet"}),
        ("to 10.1.2.3 oif eth0", {"destination": "10.1.2.3/32", "device": "eth0"}),
        ("default via 10.0.0.1", {"destination": "0.0.0.0/0", "via": "10.0.0.1"}),
        ("default via fe80::1 dev eth0", {"destination": "::/0", "via": "fe80::1", "family": "inet6"}),
        ("default via inet6 fe80::1", {"via": "fe80::1"}),
        ("any dev eth0", {"destination": "0.0.0.0/0"}),
        ("blackhole 10.0.0.0/8", {"type": "blackhole"}),
        ("brd 10.0.0.0/8", {"type": "broadcast"}),
        ("3 10.0.0.0/8", {"type": "broadcast"}),
        ("77 10.0.0.0/8", {"type": 77}),
        ("10.0.0.0/8 src 10.9.9.9 onlink", {"source": "10.9.9.9", "onlink": True}),
        ("2001:db8::/32 from 2001:db8:1::1/48", {"source_prefix": "2001:db8:1::/48"}),
        (
            "10.0.0.0/8 table main protocol keepalived scope link",
            {"table": 254, "protocol": 18, "scope": 253},
        ),
        ("10.0.0.0/8 table uplink2 tos AF21 metric 0x10", {"table": "uplink2", "tos": 0x48, "priority": 16}),
        ("10.0.0.0/8 no_track protocol bird", {"protocol": 12, "track": False}),
        ("10.0.0.0/8 vrf red", {"vrf": "red"}),
        ("10.0.0.0/8 mtu 1400", {"metrics": (Metric(name="mtu", value=1400),)}),
        ("10.0.0.0/8 rtt lock 1.5s", {"metrics": (Metric(name="rtt_us", value=1_500_000, lock=True),)}),
        ("10.0.0.0/8 rttvar 8000", {"metrics": (Metric(name="rttvar_us", value=2_000_000),)}),
        ("10.0.0.0/8 rto_min 300ms", {"metrics": (Metric(name="rto_min_us", value=300_000),)}),
        ("10.0.0.0/8 congctl lock bbr features ecn", {"congctl": "bbr", "congctl_lock": True, "ecn": True}),
        ("10.0.0.0/8 realms 1/2", {"realms": Realms(source=1, destination=2)}),
        ("10.0.0.0/8 realms web", {"realms": Realms(destination="web")}),
        ("2001:db8::/32 expires 60 pref high", {"expires_s": 60, "preference": 1}),
        ("10.0.0.0/8 ttl-propagate disabled", {"ttl_propagate": False}),
        (
            "10.0.0.0/8 dev t encap ip id 5 dst 10.9.9.9 ttl 3",
            {"encap": EncapIp(id=5, destination="10.9.9.9", ttl=3)},
        ),
        (
            "10.0.0.0/8 encap ip6 dst ::9 hoplimit 4 dev t",
            {"encap": EncapIp6(destination="::9", hoplimit=4), "device": "t"},
        ),
        (
            "10.0.0.0/8 encap mpls 100/200 via 10.0.0.1",
            {"encap": EncapMpls(labels=(100, 200)), "via": "10.0.0.1"},
        ),
        ("2001:db8::/32 encap ila 0:0:0:01", {"encap": EncapIla(locator="0:0:0:1")}),
        ("10.0.0.0/8 append", {"mode": "append"}),
        ("10.0.0.0/8 dev eth0 track_group g", {"track_group": "g"}),
        (
            "10.0.0.0/8 nexthop via 10.0.0.1 dev eth0 weight 2 nexthop dev eth1 onlink",
            {
                "nexthops": (
                    Nexthop(via="10.0.0.1", device="eth0", weight=2),
                    Nexthop(device="eth1", onlink=True),
                )
            },
        ),
    ],
)
def test_route(text: str, fields: dict[str, Any]) -> None:
    made = route(text)
    assert {name: getattr(made, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (
            "from 10.1.1.1/8 table 7 preference 100",
            {"source": "10.0.0.0/8", "table": 7, "priority": 100, "action": "table"},
        ),
        (
            "to 2001:db8::/32 lookup uplink2 order 0x10",
            {"destination": "2001:db8::/32", "table": "uplink2", "priority": 16},
        ),
        ("not from all table 7", {"inverted": True, "source": None, "priority": 0}),
        ("iif eth0 oif eth1 blackhole", {"iif": "eth0", "oif": "eth1", "action": "blackhole"}),
        ("dev eth0 type prohibit", {"iif": "eth0", "action": "prohibit"}),
        ("priority 5 goto 10", {"goto": 10, "action": "goto"}),
        ("l3mdev", {"l3mdev": True, "action": "table", "table": None}),
        ("fwmark 0x10/0xff table 7", {"fwmark": 16, "fwmask": 255}),
        ("uidrange 1000-2000 table 7", {"uids": Range(low=1000, high=2000)}),
        (
            "ipproto tcp sport 1-2 dport 80-80 table 7",
            {"ip_protocol": 6, "source_ports": Range(low=1, high=2)},
        ),
        ("protocol 12 no_track tunnel-id 9 tos 0x10 table 7", {"protocol": 12, "tunnel_id": 9, "tos": 16}),
        ("realms 3/4 table 7", {"realms": Realms(source=3, destination=4)}),
        (
            "table 7 suppress_prefixlength 0 sup_group uplinks",
            {"suppress_prefixlength": 0, "suppress_ifgroup": "uplinks"},
        ),
        ("iif eth0 table 7 no_track", {"track": False}),
        ("iif eth0 table 7 track_group g", {"track_group": "g"}),
    ],
)
def test_rule(text: str, fields: dict[str, Any]) -> None:
    made = rule(text)
    assert {name: getattr(made, name) for name in fields} == fields


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.0/8 via ::1",
        "via 10.0.0.1 default",
        "inet6 2001:db8::/32",
        "10.0.0.0/33",
        "10.0.0.0/8 mtu lock",
        "10.0.0.0/8 rtt 1e3",
        "10.0.0.0/8 encap ip ttl 3",
        "10.0.0.0/8 encap gue",
        "10.0.0.0/8 encap mpls 9999999",
        "10.0.0.0/8 encap ila 1:2",
        "10.0.0.0/8 nexthop weight 3",
        "10.0.0.0/8 nexthop via 10.0.0.1 table 7",
        "10.0.0.0/8 pref high",
        "10.0.0.0/8 quickack 2",
        "10.0.0.0/8 features sack",
        "10.0.0.0/8 table -1",
        "10.0.0.0/8 realms /",
        "10.0.0.0/8 from 10.2.0.0/16 dev eth0",
        "10.0.0.0/8 encap mpls 1/2/3 dev eth0",
        "10.0.0.0/8 nexthop via ::1 nexthop via 10.0.0.1",
        "2001:db8::/32 nexthop via 10.0.0.1 dev eth0",
        "2001:db8::/32 nexthop via ::1 realms 5",
    ],
)
def test_routes_that_are_dropped(text: str) -> None:
    assert refuses(STATIC_ROUTE, *text.split(), line=True).startswith("KC03")


@pytest.mark.parametrize(
    "text",
    [
        "table 0",
        "l3mdev table 7",
        "goto 10",
        "preference 10 goto 10",
        "blackhole sup_pl 3",
        "from 10.0.0.1 to ::1 table 7",
        "inet6 table 7",
        "fwmark x table 7",
        "ip_proto tcp table 7",
        "realms 1 from ::1 table 7",
    ],
)
def test_rules_that_are_dropped(text: str) -> None:
    assert refuses(STATIC_RULE, *text.split(), line=True).startswith("KC03")


def test_virtual_lines_have_no_group() -> None:
    assert refuses(ROUTE_LINE, "10.0.0.0/8", "dev", "eth0", "track_group", "g", line=True) == "KC0311"
    assert refuses(RULE_LINE, "table", "7", "track_group", "g", line=True) == "KC0311"


@pytest.mark.parametrize(
    ("text", "code", "fields"),
    [
        ("10.0.0.0/8 protocol bird", "KC0310", {"protocol": 18}),
        ("10.0.0.0/8 rtt 1.5005s", "KC0310", {"metrics": (Metric(name="rtt_us", value=1_501_000),)}),
        ("10.0.0.0/8 rtt 1.50049s", "KC0310", {"metrics": (Metric(name="rtt_us", value=1_500_000),)}),
        ("10.0.0.0/8 rto_min 300.5ms", "KC0310", {"metrics": (Metric(name="rto_min_us", value=301_000),)}),
        ("10.0.0.0/8 rttvar 8000.4", "KC0310", {"metrics": (Metric(name="rttvar_us", value=2_000_000),)}),
        (
            "10.0.0.0/8 nexthop via 10.0.0.1 nexthop via ::1 nexthop via 10.0.0.2",
            "KC0307",
            {"nexthops": (Nexthop(via="10.0.0.1"),)},
        ),
        ("10.0.0.0/8 dev eth0 nexthop via ::1", "KC0307", {"device": "eth0", "nexthops": ()}),
        ("10.0.0.0/8 rto_min 1ms", "KC0310", {"metrics": (Metric(name="rto_min_us", value=200_000),)}),
        ("10.0.0.0/8 gw 10.0.0.1", "KC0313", {"via": "10.0.0.1"}),
        (
            "10.0.0.0/8 via 10.0.0.1 or 10.0.0.2",
            "KC0313",
            {"via": None, "nexthops": (Nexthop(via="10.0.0.1"), Nexthop(via="10.0.0.2"))},
        ),
        ("10.0.0.0/8 as to 10.0.0.1", "KC0311", {"destination": "10.0.0.0/8"}),
    ],
)
def test_routes_that_are_adjusted(text: str, code: str, fields: dict[str, Any]) -> None:
    made, said = read(ROUTE_LINE, *text.split(), line=True)
    assert [d.code for d in said] == [code]
    assert {name: getattr(made, name) for name in fields} == fields


@pytest.mark.parametrize(
    "option", ["sport 80", "ipproto 300", "ipproto 132", "ipproto 255", "protocol bird", "dport 9-1"]
)
def test_bad_options_that_cost_only_themselves(option: str) -> None:
    made, said = read(RULE_LINE, *option.split(), "table", "7", line=True)
    assert made is not REFUSED
    assert made == rule("table 7")
    assert len(said) == 1


def test_rules_that_are_watched_have_the_protocol_of_keepalived() -> None:
    made, said = read(RULE_LINE, "protocol", "12", "table", "7", line=True)
    assert made == rule("table 7")
    assert [(d.code, d.severity.word) for d in said] == [("KC0310", "error")]


def test_the_first_next_hop_tells_the_family_of_a_default_route() -> None:
    made = route("default nexthop via 2001:db8::1 dev eth0 nexthop via 2001:db8::2 dev eth1")
    assert (made.family, made.destination) == ("inet6", "::/0")


@pytest.mark.parametrize(
    "line",
    [
        "10.0.0.0/8 nexthop via 2001:db8::1 dev eth0",
        "10.0.0.0/8 dev eth0 encap mpls 1/2/3",
        "10.0.0.0/8 dev eth0 rtt 1.5005s",
    ],
)
def test_what_krun_takes_beyond_keepalived(line: str) -> None:
    assert codes(f"static_routes {{\n{line}\n}}\n", "krun") == []
    assert len(codes(f"static_routes {{\n{line}\n}}\n")) == 1


def test_krun_takes_every_number_of_a_protocol() -> None:
    text = "static_rules {\nipproto 132 table 7 priority 5\n}\n"
    assert codes(text, "krun") == []
    assert codes(text) == ["KC0303 error 2"]


def test_names_of_protocols() -> None:
    assert rule("ipproto sctp table 7").ip_protocol == 132
    assert rule("ipproto 127 table 7").ip_protocol == 127
