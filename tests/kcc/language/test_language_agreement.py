"""Lines that the comparison with `keepalived -t` found to be judged in another way; each is as keepalived 2.2.7 and 2.4.3 have it."""

from __future__ import annotations

import pytest
from language_texts import codes, nodes

from kcc.language.parsed import Again, versions

INSTANCE = "vrrp_instance a {\n%s\n}\n"
RULES = "static_rules {\n%s\n}\n"
ROUTES = "static_routes {\n%s\n}\n"
URL = "virtual_server 10.0.0.1 80 {\nreal_server 10.0.0.2 80 {\nHTTP_GET {\nurl {\n%s\n}\n}\n}\n}\n"
CHECK = "virtual_server 10.0.0.1 80 {\nreal_server 10.0.0.2 80 {\n%s\n}\n}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # `type` leads only to actions that stand for themselves.
        (RULES % "from 10.0.0.0/8 priority 5 type table 7", ["KC0311 error 2"]),
        (RULES % "from 10.0.0.0/8 priority 5 type tos 16 blackhole", ["KC0311 error 2"]),
        (RULES % "from 10.0.0.0/8 priority 5 type blackhole", []),
        (RULES % "from 10.0.0.0/8 priority 5 type goto 9", []),
        # What belongs to a table needs one, and l3mdev leads to one.
        (RULES % "from 10.0.0.0/8 priority 5 realms 1/2 blackhole", ["KC0307 error 2"]),
        (RULES % "from 10.0.0.0/8 priority 5 suppress_ifgroup 5 l3mdev", []),
        # A group of interfaces has 31 bits.
        (RULES % "from 10.0.0.0/8 priority 5 suppress_ifgroup 2147483648 table 7", ["KC0303 error 2"]),
        (INSTANCE % "use_vmac group 2147483648", ["KC0307 error 2"]),
        (INSTANCE % "use_vmac group 2147483647", []),
        # An empty word is 0 to keepalived.
        (RULES % 'from 10.0.0.0/8 priority 5 suppress_prefixlength "" table 7', ["KC0302 warning 2"]),
        (ROUTES % '10.0.0.0/8 dev eth0 mtu ""', ["KC0302 warning 2"]),
        ('vrrp_script a {\nweight ""\n}\n', ["KC0302 warning 2"]),
        (INSTANCE % 'priority ""', ["KC0303 error 2"]),
        ('global_defs {\nlvs_timeouts tcp ""\n}\n', ["KC0302 warning 2"]),
        ('virtual_server 10.0.0.1 80 {\nreal_server 10.0.0.2 "" {\n}\n}\n', ["KC0302 warning 2"]),
        # The number is always that of the first word.
        ("global_defs {\nvrrp_rx_bufs_policy 5 6\n}\n", ["KC0304 warning 2"]),
        ("global_defs {\nvrrp_rx_bufs_policy 5 MTU\n}\n", ["KC0304 error 2"]),
        ("global_defs {\nvrrp_rx_bufs_policy MTU 5\n}\n", ["KC0304 error 2"]),
        ("global_defs {\nvrrp_rx_bufs_policy MTU ADVERT\n}\n", ["KC0304 error 2"]),
        ("global_defs {\nvrrp_rx_bufs_policy mtu\n}\n", []),
        # Words of a line that are given twice.
        (INSTANCE % "use_ipvlan private vepa", ["KC0307 error 2"]),
        (INSTANCE % "use_vmac 02:00:00:00:05 02:00:00:00:06", ["KC0307 error 2"]),
        # keepalived takes a label of one character in front for an empty one.
        (CHECK % "DNS_CHECK {\nname a.example.com\n}", ["KC0307 error 4"]),
        (CHECK % "DNS_CHECK {\nname ab.c.example\n}", []),
        (CHECK % "DNS_CHECK {\nname a\n}", []),
        ("track_file a {\nfile /a\ninit_file +5\n}\n", ["KC0307 error 3"]),
        # Nothing happens, and nothing is said.
        (URL % "path /\nstatus_code", ["KC0301 warning 6"]),
        ("interface_up_down_delays {\neth0\n}\n", ["KC0301 warning 2"]),
        (INSTANCE % "garp_master_refresh 4294967295", []),
        (INSTANCE % "garp_master_delay 4295", ["KC0303 error 2"]),
    ],
)
def test_lines(text: str, expected: list[str]) -> None:
    assert codes(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("vrrp_track_process a {\nweight -10\nweight -10\n}\n", ["KC0308 error 3"]),
        ("vrrp_track_process a {\nweight 0\nweight -10\n}\n", ["KC0308 warning 3"]),
        ("vrrp_track_process a {\nprocess b\nprocess b\n}\n", ["KC0308 error 3"]),
        ("track_file a {\nfile /a\nweight 5\nweight 5\n}\n", ["KC0308 error 4"]),
        ("track_file a {\nfile /a\nweight 1\nweight 5\n}\n", ["KC0308 warning 4"]),
        (URL % "path /\nvirtualhost a\nvirtualhost a", ["KC0308 warning 7"]),
        (URL % "path /\npath /", ["KC0308 warning 6"]),
        (URL % f"path /\ndigest {'0' * 32}\ndigest {'0' * 32}", ["KC0308 error 7"]),
        (CHECK % "BFD_CHECK {\nname a\nname a\n}", ["KC0308 error 5"]),
        (INSTANCE % "use_vmac\nuse_vmac", ["KC0308 warning 3"]),
        (INSTANCE % "use_ipvlan\nuse_ipvlan", ["KC0308 error 3"]),
        ("SSL {\nca /a\n}\nSSL {\nkey /b\n}\n", ["KC0308 error 4"]),
        (INSTANCE % "version 2\nversion 3", ["KC0308 error 3"]),
        (INSTANCE % "version 2\nversion 2", ["KC0308 note 3"]),
        # A second one is taken, and never found.
        ("vrrp_script a {\n}\nvrrp_script a {\n}\n", ["KC0312 warning 3"]),
        ("bfd_instance a {\n}\nbfd_instance a {\n}\n", ["KC0312 error 3"]),
    ],
)
def test_what_is_given_twice(text: str, expected: list[str]) -> None:
    assert codes(text) == expected


def test_the_last_value_of_a_track_file_counts_only_while_the_weight_is_the_default() -> None:
    root, _ = nodes("track_file a {\nfile /a\nweight 1\nweight 5\nweight 7\n}\n")
    assert root.blocks[0].get("weight") == (5, False)


def test_a_second_ssl_block_replaces_the_first() -> None:
    root, _ = nodes("SSL {\nca /a\n}\nSSL {\nkey /b\n}\n")
    (block,) = root.children("SSL")
    assert list(block.fields) == ["key"]


def test_earlier_values_stay_at_hand() -> None:
    root, _ = nodes(INSTANCE % "priority 5\npriority 6\npriority 7")
    field = root.blocks[0].fields["priority"]
    assert isinstance(field, Again)
    assert [f.value for f in versions(field)] == [5, 6, 7]
    assert versions(None) == []


OLD = [
    (ROUTES % "10.0.0.0/8 dev eth0 rtt 100ms", "KC0310"),
    (URL % "path /\nregex a b", "KC0307"),
    ("global_defs {\nnotification_email_from a b\n}\n", "KC0209"),
    ("track_group a {\ngroup {\n}\n}\n", "KC0301"),
]


@pytest.mark.parametrize(("text", "code"), OLD, ids=[code for _, code in OLD])
def test_what_2_2_7_takes_is_a_warning_for_it(text: str, code: str) -> None:
    for target, word in (("keepalived-2.2.7", "warning"), ("keepalived-2.4.3", "error")):
        said = nodes(text, target)[1]
        assert [(d.code, d.severity.word) for d in said] == [(code, word)]
