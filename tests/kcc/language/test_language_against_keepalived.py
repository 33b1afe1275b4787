"""Values against the real thing: where `keepalived -t` speaks about a line, so do we, and nowhere else.

Debian's keepalived is 2.2.7, so that is the target. It runs as an unprivileged user in an empty directory: `-t` is not read-only.
"""

from __future__ import annotations

import re

import pytest
from language_texts import nodes

from support.keepalived_says import AGAINST_2_2_7, keepalived_says

pytestmark = AGAINST_2_2_7
_LINE = re.compile(r"\bLine (\d+)\)")

GLOBAL = "global_defs {\n%s\n}\n"
INSTANCE = "vrrp_instance a {\n%s\n}\n"
SERVICE = "virtual_server 10.0.0.1 80 {\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\nreal_server 10.0.0.2 80 {\n}\n%s\n}\n"
SERVER = "virtual_server 10.0.0.1 80 {\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\nreal_server 10.0.0.2 80 {\n%s\n}\n}\n"
GROUP = "virtual_server_group g {\n10.9.9.9 80\n%s\n}\n"

ROUTES = "static_routes {\n%s\n}\n"
RULES = "static_rules {\n%s\n}\n"

CASES = [
    *((RULES, f"priority 5 table 7 {v}") for v in ("protocol 4", "protocol 18", "protocol 4 no_track", "ipproto 132", "ipproto 77")),
    *((ROUTES, f"10.1.0.0/16 dev lo {v}") for v in ("nexthop via ::1", "nexthop via 10.0.0.1 nexthop via inet6 ::1", "from 10.0.0.0/8")),
    *((ROUTES, f"10.1.0.0/16 dev lo {v}") for v in ("encap mpls 1/2", "encap mpls 1/2/3", "nexthop via 10.0.0.1 realms 1/2")),
    *((ROUTES, f"2001:db8::/32 dev lo {v}") for v in ("nexthop via ::1 realms 5", "from ::/64", "nexthop via 10.0.0.1")),
    *((ROUTES, f"10.1.0.0/16 dev lo {v}") for v in ("rtt 1.5s", "rtt 1.5678s", "rto_min 300.5ms", "rttvar 8000.5", "rtt 300ms")),
    *((GLOBAL, f"vrrp_garp_interval {v}") for v in (".5", "5.", "1e1", "0x1", "10abc", "1.1234567", "+5", "-5", "5;", "1,5")),
    *((GLOBAL, f"vrrp_garp_interval {v}") for v in ('" 5"', '"5 "', '""', "9999999999", "0.0000001", "4294.967295")),
    *((GLOBAL, f"vrrp_version {v}") for v in ("2", "4", "x", "02")),
    *((GLOBAL, f"vrrp_strict {v}") for v in ("", "true", "no")),
    *((GLOBAL, f"vrrp_mcast_group4 {v}") for v in ("224.0.0.18", "10.0.0.1", "ff02::12", "x")),
    *((GLOBAL, f"vrrp_mcast_group6 {v}") for v in ("ff02::12", "ff05::1", "224.0.0.18")),
    *((GLOBAL, v) for v in ("smtp_server", "smtp_server 10.0.0.1 0", "smtp_server 10.0.0.1 26", "lvs_flush_on_stop x")),
    *((GLOBAL, v) for v in ("umask 0x1ff", "umask IRUSR|IXOTH", "umask x", "vrrp_rt_priority 200", "script_user")),
    *((GLOBAL, v) for v in ("notify_fifo", "lvs_timeouts tcp 5 foo 6", "lvs_timeouts tcp 5 udp 6", "vrrp_garp_extra_if all")),
    *((GLOBAL, v) for v in ("max_auto_priority 100", "max_auto_priority", "dynamic_interfaces foo", "include_check foo")),
    *((GLOBAL, v) for v in ("nftables\nnftables x", "process_name abcdefghijklmnopqrst", "vrrp_priority -21", "router_id")),
    *((INSTANCE, f"priority {v}") for v in ("1", "255", "0", "256", "010", "+5", "10abc", '"10 "', '" 10"', "")),
    *((INSTANCE, v) for v in ("state MASTER", "state master", "advert_int 0.005", "advert_int 1s", "preempt_delay -1", "debug 5")),
    *((INSTANCE, v) for v in ("mcast_src_ip 10.0.0.1/24", "mcast_src_ip 10.0.0.01", "mcast_src_ip fe80::1%lo", "mcast_src_ip x")),
    *((INSTANCE, v) for v in ("notify_master", "priorty 5", "lvs_sched rr", "nopreempt off", "unicast_peer 10.0.0.4 {\n}")),
    *((INSTANCE, f"authentication {{\n{v}\n}}") for v in ("auth_type pass", "auth_pass 123456789", "auth_pass 12345678")),
    *((INSTANCE, f"virtual_ipaddress {{\n{v}\n}}") for v in ("10.0.0.5/33", "10.0.0.5/255.255.255.0", "10.0.0.5 10.0.0.6")),
    *((INSTANCE, f"virtual_ipaddress {{\n{v}\n}}") for v in ("10.0.0.5 scope foo", "10.0.0.5 label", "10.0.0.6/", "x", "10.0.0.7/x")),
    *((INSTANCE, f"track_interface {{\n{v}\n}}") for v in ("lo weight 254", "lo foo 3", "lo weight 5 rev", "lo weight 5")),
    *((INSTANCE, f"unicast_peer {{\n{v}\n}}") for v in ("10.0.0.4", "10.0.0.4/24", "10.0.0.4 foo", "x")),
    *((SERVICE, v) for v in ("protocol tcp", "protocol icmp", "lvs_sched RR", "persistence_timeout 1h", "persistence_timeout")),
    *((SERVICE, v) for v in ("persistence_granularity 255.0.255.0", "persistence_granularity 64", "sorry_server 127.0.0.1 http")),
    *((SERVICE, v) for v in ("delay_loop 10s", "lvs_method DR foo", "lvs_method TUN type gue", "lvs_method nat", "quorum 0")),
    *((SERVICE, v) for v in ("sorry_server_inhibit", "sh-port", "hashed", "alpha off", "hysteresis -1", "virtualhost a b")),
    *((SERVICE, f"real_server {v} {{\n}}") for v in ("10.0.0.3:80", "10.0.0.3 70000", "10.0.0.3 0", "x 80", "", "10.0.0.3 80 x")),
    *((SERVER, v) for v in ("weight -1", "weight 0", "weight", "uthreshold -1", "inhibit_on_failure", "alpha x")),
    *((SERVER, f"TCP_CHECK {{\n{v}\n}}") for v in ("connect_port 0", "connect_ip x", "bindto 10.0.0.1", "retry x")),
    *((SERVER, f"HTTP_GET {{\nurl {{\npath /\n{v}\n}}\n}}") for v in ("status_code 200,201", "status_code 99", "digest abc")),
    *((SERVER, f"HTTP_GET {{\nurl {{\npath /\n}}\n{v}\n}}") for v in ("http_protocol 2", "http_protocol 1.1", "nb_get_retry 3")),
    *((GROUP, v) for v in ("10.0.0.1-5 80", "10.0.0.0/24 80", "10.0.0.1/24 80", "fwmark 5", "fwmark x", "10.0.0.9-10.0.0.4 80")),
    *((GROUP, v) for v in ("10.0.0.2-300 4", "foo", "10.0.0.7 0", "10.0.0.1 80 90", "2001:db8::1-ff 80")),
]  # fmt: skip


def complaints(text: str) -> set[int]:
    """The lines that keepalived speaks about."""
    return {int(n) for n in _LINE.findall(keepalived_says(text))}


@pytest.mark.parametrize(("frame", "line"), CASES, ids=[line.replace("\n", " ; ") for _, line in CASES])
def test_we_speak_where_keepalived_does(frame: str, line: str) -> None:
    text = frame % line
    theirs = complaints(text)
    said = nodes(text, "keepalived-2.2.7")[1]
    errors = {d.span.line for d in said if d.severity.word == "error"}
    loud = errors | {d.span.line for d in said if d.severity.word == "warning"}
    assert errors <= theirs, "an error where keepalived is content"
    assert theirs <= loud, "keepalived complains, we do not"
