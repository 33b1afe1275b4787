"""Addresses, address lines, servers, groups, tracked things, routes and rules."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from language_texts import accepts, read, refuses

from kcc.language.arguments.address_line import STATIC_ADDRESS, VIRTUAL_ADDRESS
from kcc.language.arguments.addresses import ENDPOINT, IP, IP4, MCAST, MCAST4, MCAST6, NETMASK, PORT, parse_ip
from kcc.language.arguments.base import REFUSED, Arg
from kcc.language.arguments.http import DIGEST, REGEX, STACK, STATUS
from kcc.language.arguments.octets import HMAC_KEY, PATTERN, PAYLOAD
from kcc.language.arguments.routes import ROUTE_LINE
from kcc.language.arguments.rules import RULE_LINE
from kcc.language.arguments.servers import GROUP_LINE, METHOD, SERVER, TIMEOUTS
from kcc.language.arguments.track import DELAY_LINE, PEER_LINE, TRACK_INTERFACE, TRACK_NAME_254, WeightArg
from kcc.language.parsed import (
    AddressLine,
    DelayLine,
    GroupLine,
    MethodValue,
    PeerLine,
    ServerHead,
    TrackLine,
)
from kir.model import Metric


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("0.0.0.0", "0.0.0.0"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
    ],
)
def test_addresses_become_canonical(text: str, value: str) -> None:
    assert accepts(IP, text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.0.0",
        "10.0.0.256",
        "10.0.0.01",
        "1.2.3.4.5",
        "host",
        "fe80::1%eth0",
        "10.0.0.1:80",
        "٣.0.0.1",
        "[::1]",
    ],
)
def test_no_addresses(text: str) -> None:
    assert refuses(IP, text) == "KC0306"


def test_a_prefix_behind_an_address_is_not_read() -> None:
    value, said = read(IP, "10.0.0.1/24")
    assert (value, said[0].code, said[0].severity.word) == ("10.0.0.1", "KC0209", "warning")


def test_families_and_groups() -> None:
    assert refuses(IP4, "::1") == "KC0306"
    assert accepts(MCAST4, "224.0.0.18") == "224.0.0.18"
    assert refuses(MCAST4, "10.0.0.1") == "KC0306"
    assert accepts(MCAST6, "ff02::12") == "ff02::12"
    value, said = read(MCAST6, "ff05::1")
    assert (value, said[0].severity.word) == ("ff05::1", "warning")
    assert refuses(MCAST, "ff05::1") == "KC0306"


@given(st.integers(0, 2**32 - 1) | st.integers(0, 2**128 - 1))
def test_every_address_is_read(number: int) -> None:
    address = ipaddress.ip_address(number)
    found = parse_ip(address.exploded)
    assert found is not None
    assert ipaddress.ip_address(found[0]) == address
    assert parse_ip(found[0]) == found


@given(st.text(alphabet="0123456789abcdef.:/-%", max_size=20))
def test_addresses_agree_with_the_library(text: str) -> None:
    try:
        ipaddress.ip_address(text)
        valid = "%" not in text
    except ValueError:
        valid = False
    assert (parse_ip(text) is not None) == valid


def test_ports_and_masks() -> None:
    assert accepts(PORT, "80") == 80
    assert refuses(PORT, "0") == "KC0303"
    assert refuses(PORT, "http") == "KC0302"
    assert accepts(ENDPOINT, "10.0.0.1") == ("10.0.0.1", 0)
    assert accepts(ENDPOINT, "10.0.0.1", "0") == ("10.0.0.1", 0)
    assert accepts(NETMASK, "255.255.255.0") == "255.255.255.0"
    assert accepts(NETMASK, "64") == "64"
    assert accepts(NETMASK, "129") == "129"  # a prefix length of no family, and a netmask to inet_aton(3)
    assert accepts(NETMASK, "255.255") == "255.0.0.255"  # inet_aton(3)
    assert accepts(NETMASK, "0xff.0xff.0") == "255.255.0.0"
    assert accepts(NETMASK, "0xffff0000") == "255.255.0.0"
    for text in ("/24", "255.256.0.0", "255.", "1.2.3.4.5", "a.b", "::1", "255.255.255.0/24"):
        assert refuses(NETMASK, text) == "KC0307"
    assert refuses(NETMASK, "4294967296") == "KC0307"


def test_address_lines() -> None:
    assert accepts(
        VIRTUAL_ADDRESS, "10.0.0.1/24", "dev", "eth0", "label", "eth0:1", "brd", "+", "scope", "link"
    ) == AddressLine("10.0.0.1", "inet", 24, "eth0", 253, "+", "eth0:1")
    assert accepts(
        VIRTUAL_ADDRESS, "2001:db8::1", "-nodad", "home", "preferred_lft", "forever", "no_track"
    ) == AddressLine(
        "2001:db8::1", "inet6", nodad=False, home=True, preferred_lft_forever=True, no_track=True
    )
    assert accepts(VIRTUAL_ADDRESS, "10.0.0.1", "peer", "10.0.0.2") == AddressLine(
        "10.0.0.1", "inet", peer="10.0.0.2"
    )
    assert accepts(STATIC_ADDRESS, "10.0.0.1", "track_group", "g").track_group == "g"
    assert accepts(VIRTUAL_ADDRESS, "10.0.0.1/", "use_vmac").use_vmac


@pytest.mark.parametrize(
    "words",
    [
        ("eth0",),
        ("dev", "eth0"),
        ("10.0.0.1", "dev"),
        ("10.0.0.1", "dev", "a", "dev", "b"),
        ("10.0.0.1", "brd", "+"),
        ("::1", "brd", "10.0.0.255"),
        ("10.0.0.1", "label", "x" * 16),
        ("10.0.0.1", "preferred_lft", "soon"),
    ],
)
def test_dropped_address_lines(words: tuple[str, ...]) -> None:
    assert refuses(VIRTUAL_ADDRESS, *words, line=True) in ("KC0301", "KC0302", "KC0306", "KC0307", "KC0309")


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (("10.0.0.1/33",), AddressLine("10.0.0.1", "inet")),
        (("10.0.0.1/255.255.255.0",), AddressLine("10.0.0.1", "inet")),
        (("10.0.0.1", "labl"), AddressLine("10.0.0.1", "inet")),
        (("10.0.0.1", "10.0.0.2"), AddressLine("10.0.0.1", "inet")),
        (("::1", "label", "x"), AddressLine("::1", "inet6")),
        (("::1", "scope", "link"), AddressLine("::1", "inet6")),
        (("10.0.0.1/24", "peer", "10.0.0.2"), AddressLine("10.0.0.1", "inet", peer="10.0.0.2")),
    ],
)
def test_address_lines_used_in_part(words: tuple[str, ...], value: AddressLine) -> None:
    found, said = read(VIRTUAL_ADDRESS, *words, line=True)
    assert found == value
    assert len(said) == 1


def test_a_netmask_is_translated() -> None:
    _, said = read(VIRTUAL_ADDRESS, "10.0.0.1/255.255.255.0", line=True)
    assert said[0].help == "write `/24`: a prefix length, not a netmask"


def test_servers() -> None:
    assert accepts(SERVER, "10.0.0.1", "80") == ServerHead("10.0.0.1", 80)
    assert accepts(SERVER, "fwmark", "7") == ServerHead(fwmark=7)
    assert accepts(SERVER, "group", "g") == ServerHead(group="g")
    for words in (
        (),
        ("fwmark",),
        ("fwmark", "x"),
        ("group",),
        ("host", "80"),
        ("10.0.0.1:80",),
        ("10.0.0.1", "http"),
    ):
        assert refuses(SERVER, *words).startswith("KC03")


def test_group_lines() -> None:
    assert accepts(GROUP_LINE, "10.0.0.1", "80") == GroupLine("10.0.0.1", "10.0.0.1", 80, None, "inet")
    assert accepts(GROUP_LINE, "10.0.0.1-5", "80") == GroupLine("10.0.0.1", "10.0.0.5", 80, None, "inet")
    assert accepts(GROUP_LINE, "10.0.0.1-10.0.1.5") == GroupLine("10.0.0.1", "10.0.1.5", 0, None, "inet")
    assert accepts(GROUP_LINE, "10.0.0.0/30", "53") == GroupLine("10.0.0.0", "10.0.0.3", 53, None, "inet")
    assert accepts(GROUP_LINE, "2001:db8::1-f") == GroupLine("2001:db8::1", "2001:db8::f", 0, None, "inet6")
    assert accepts(GROUP_LINE, "fwmark", "5", "inet6") == GroupLine(fwmark=5, family="inet6")
    for words in (
        ("10.0.0.1/24",),
        ("10.0.0.9-4",),
        ("10.0.0.1-300",),
        ("x",),
        ("10.0.0.1-::1",),
        ("fwmark", "x"),
        ("fwmark", "1", "ip"),
    ):
        assert refuses(GROUP_LINE, *words, line=True).startswith("KC03")


def test_methods() -> None:
    assert accepts(METHOD, "DR") == MethodValue("DR")
    assert accepts(METHOD, "TUN", "type", "gue", "port", "6080", "csum") == MethodValue(
        "TUN", "gue", 6080, "csum"
    )
    assert refuses(METHOD, "nat") == "KC0304"
    for words in (
        ("DR", "x"),
        ("TUN", "type", "gue"),
        ("TUN", "port", "5"),
        ("TUN", "type", "gre", "remcsum"),
        ("TUN", "type"),
    ):
        value, said = read(METHOD, *words)
        assert (value, len(said)) == (MethodValue(words[0]), 1)


def test_tracked_things() -> None:
    assert accepts(TRACK_INTERFACE, "eth0", "weight", "-10", "reverse") == TrackLine("eth0", -10, True)
    assert accepts(TRACK_INTERFACE, "eth0") == TrackLine("eth0")
    value, said = read(TRACK_INTERFACE, "eth0", "weight", "254", line=True)
    assert (value, said[0].code) == (TrackLine("eth0", 253), "KC0310")
    assert accepts(TRACK_NAME_254, "f", "weight", "254") == TrackLine("f", 254)
    assert accepts(WeightArg(253), "5") == (5, False)
    assert accepts(WeightArg(253), "5", "reverse") == (5, True)
    assert accepts(WeightArg(253, either=True), "5") == (5, None)
    assert accepts(PEER_LINE, "10.0.0.2", "min_ttl", "254") == PeerLine("10.0.0.2", 254)
    assert accepts(DELAY_LINE, "eth0", "0.5", "2") == DelayLine("eth0", 500_000, 2_000_000)
    for arg, words in (
        (TRACK_INTERFACE, ("eth0", "5")),
        (TRACK_INTERFACE, ("eth0", "weight")),
        (TRACK_INTERFACE, ("eth0", "weight", "255")),
        (TRACK_INTERFACE, ("eth0", "weight", "5", "back")),
        (PEER_LINE, ("10.0.0.2", "10.0.0.3")),
        (PEER_LINE, ("10.0.0.2", "max_ttl", "256")),
        (DELAY_LINE, ("eth0",)),
    ):
        assert refuses(arg, *words, line=True).startswith("KC03")


def test_http_values() -> None:
    assert accepts(STATUS, "200", "300-399") == ((200, 200), (300, 399))
    value, said = read(STATUS, "99", "200")
    assert (value, len(said)) == (((200, 200),), 1)
    assert accepts(DIGEST, "9B3A0C85A887A256D6939DA88AABD8CD") == "9b3a0c85a887a256d6939da88aabd8cd"
    assert refuses(DIGEST, "abc") == "KC0307"
    assert accepts(REGEX, "a b") == "a b"
    assert refuses(REGEX, "a", "b") == "KC0307"
    assert accepts(STACK, "1", "2") == (1, 2)
    assert refuses(STACK, "2", "1") == "KC0307"
    assert accepts(TIMEOUTS, "tcp", "900", "udp", "300") == (("tcp", 900), ("udp", 300))


def test_octets() -> None:
    assert accepts(PAYLOAD, "Ab12f", "3") == "Ab120f03"
    assert accepts(PATTERN, "X1x") == "X10x"
    assert refuses(PAYLOAD, "1g") == "KC0307"
    assert accepts(HMAC_KEY, "1", "hex:" + "00" * 32) == (1, "hex:" + "00" * 32)
    assert refuses(HMAC_KEY, "1", "short") == "KC0309"


def test_routes_and_rules() -> None:
    good = "192.168.0.0/24 via 10.0.0.1 dev eth0 metric 10 table 7 mtu lock 1400"
    route = accepts(ROUTE_LINE, *good.split(), line=True)
    assert route.identity == "192.168.0.0/24 via 10.0.0.1 dev eth0 metric 10 table 7"
    assert route.metrics == (Metric(name="mtu", value=1400, lock=True),)
    assert accepts(ROUTE_LINE, "blackhole", "10.9.0.0/16").family == "inet"
    for words in (
        ("via", "10.0.0.1"),
        ("10.0.0.0/24", "viaa", "10.0.0.1"),
        ("default", "metric", "x"),
        ("default", "dev"),
    ):
        assert refuses(ROUTE_LINE, *words, line=True).startswith("KC03")
    assert accepts(RULE_LINE, "from", "10.0.0.0/8", "table", "7", "preference", "100").family == "inet"
    for words in (
        ("from", "10.0.0.1"),
        ("table", "1", "blackhole"),
        ("frm", "x"),
        ("from", "x", "table", "1"),
        ("table",),
    ):
        assert refuses(RULE_LINE, *words, line=True).startswith("KC03")


LINES: list[Arg] = [
    VIRTUAL_ADDRESS,
    STATIC_ADDRESS,
    GROUP_LINE,
    PEER_LINE,
    TRACK_INTERFACE,
    DELAY_LINE,
    ROUTE_LINE,
    RULE_LINE,
]
_WORDS = st.sampled_from(
    [
        "10.0.0.1",
        "10.0.0.1/24",
        "::1",
        "dev",
        "eth0",
        "weight",
        "-5",
        "5",
        "reverse",
        "peer",
        "label",
        "brd",
        "+",
        "-",
        "scope",
        "link",
        "via",
        "table",
        "from",
        "to",
        "fwmark",
        "inet6",
        "default",
        "nexthop",
        "min_ttl",
        "300",
        "0.5",
        "x",
    ]
) | st.text(max_size=6)


@given(st.sampled_from(LINES), st.lists(_WORDS, min_size=1, max_size=7))
def test_lines_never_raise(arg: Arg, words: list[str]) -> None:
    value, said = read(arg, *words, line=True)
    assert value is not REFUSED or said
    assert all(d.span.line == 1 for d in said)
