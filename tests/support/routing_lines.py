"""Lines of virtual_routes and virtual_rules, one for each option, on a host with eth0, eth1 and perhaps the VRF red.

eth0 has 192.0.2.1/24 and 2001:db8::1/64, eth1 198.51.100.1/24 and 2001:db8:1::1/64.
"""

from __future__ import annotations

from kir.model import Route, Rule
from support.lowering_cases import compile_text

HOST = (
    "link add eth0 type veth peer name peer0",
    "link add eth1 type veth peer name peer1",
    "link set peer0 up",
    "link set peer1 up",
    "link set eth0 up",
    "link set eth1 up",
    "addr add 192.0.2.1/24 dev eth0",
    "addr add 2001:db8::1/64 dev eth0 nodad",
    "addr add 198.51.100.1/24 dev eth1",
    "addr add 2001:db8:1::1/64 dev eth1 nodad",
)

ROUTES = (
    "default via 192.0.2.254 dev eth0 metric 900",
    "10.0.0.0/24 via 192.0.2.254",
    "10.0.1.0/24 dev eth0",
    "10.0.2.0/24 dev eth0 scope link",
    "10.0.3.0/24 via 192.0.2.254 dev eth0 src 192.0.2.1",
    "10.0.4.0/24 via 10.99.0.1 dev eth0 onlink",
    "10.0.5.0/24 via 192.0.2.254 dev eth0 table 100",
    "10.0.6.0/24 via 192.0.2.254 dev eth0 table 70000 metric 5",
    "10.0.7.0/24 via 192.0.2.254 dev eth0 tos 0x10",
    "10.0.8.0/24 via 192.0.2.254 dev eth0 metric 100",
    "10.0.8.0/24 via 192.0.2.253 dev eth0 metric 200",
    "10.0.9.0/24 via 192.0.2.254 dev eth0 mtu 1400 advmss lock 1300 hoplimit 10 window 20000",
    "10.0.10.0/24 via 192.0.2.254 dev eth0 mtu lock 1280 ssthresh lock 40 cwnd lock 50 reordering 6",
    "10.0.11.0/24 via 192.0.2.254 dev eth0 rtt lock 300ms rttvar 400ms rto_min 250ms",
    "10.0.12.0/24 via 192.0.2.254 dev eth0 initcwnd 20 initrwnd 30 quickack 1 fastopen_no_cookie 1",
    "10.0.13.0/24 via 192.0.2.254 dev eth0 congctl lock cubic features ecn",
    "10.0.14.0/24 via 192.0.2.254 dev eth0 congctl reno",
    "10.0.15.0/24 via 192.0.2.254 dev eth0 realms 7/8",
    "10.0.16.0/24 via 192.0.2.254 dev eth0 realms 9",
    "blackhole 10.0.17.0/24",
    "unreachable 10.0.18.0/24 metric 7",
    "prohibit 10.0.19.0/24 table 101",
    "throw 10.0.20.0/24 table 101",
    "local 10.0.21.0/24 dev eth0 scope host",
    "10.0.22.0/24 nexthop via 192.0.2.254 dev eth0 weight 3 nexthop via 198.51.100.254 dev eth1 weight 250",
    "10.0.23.0/24 nexthop via 10.98.0.1 dev eth0 onlink nexthop via 198.51.100.254 realms 4/5",
    "10.0.24.0/24 encap ip id 7 dst 192.0.2.77 src 192.0.2.1 tos 0x10 ttl 9 dev eth0",
    "10.0.25.5 via 192.0.2.254 dev eth0 no_track protocol static",
    "10.0.26.0/24 via 192.0.2.254 dev eth0 add",
    "10.0.27.0/24 via 192.0.2.254 dev eth0 append",
    "2001:db8:100::/48 via 2001:db8::fe dev eth0",
    "2001:db8:101::/48 dev eth0 metric 50",
    "2001:db8:102::/48 via 2001:db8::fe dev eth0 src 2001:db8::1 table 100",
    "2001:db8:103::/48 from 2001:db8:5::/64 via 2001:db8::fe dev eth0",
    "2001:db8:104::/48 via 2001:db8::fe dev eth0 expires 3600 pref high",
    "2001:db8:105::/48 via 2001:db8::fe dev eth0 mtu 1300 hoplimit 20 pref low",
    "blackhole 2001:db8:106::/48",
    "unreachable 2001:db8:107::/48 metric 9",
    "prohibit 2001:db8:108::/48",
    "2001:db8:109::/48 nexthop via 2001:db8::fe dev eth0 weight 2 nexthop via 2001:db8:1::fe dev eth1 weight 3",
    "2001:db8:10a::/48 encap ip6 id 9 dst 2001:db8::77 tc 0x20 hoplimit 8 dev eth0",
    "2001:db8:10b::/48 via fe80::1 dev eth0 onlink",
    "::/0 via 2001:db8::fe dev eth0 metric 2000",
)
"""What keepalived 2.2.7 and the kernel both take."""

RULES = (
    "from 10.1.0.0/24 table 100 preference 1000",
    "to 10.2.0.0/24 lookup main priority 1001",
    "not from 10.3.0.0/24 to 10.4.0.0/16 table 101 preference 1002",
    "from all table 102 preference 1003",
    "iif eth0 table 100 preference 1004",
    "oif eth1 table 100 preference 1005",
    "fwmark 24 table 100 preference 1006",
    "fwmark 0x20/0xf0 table 100 preference 1007",
    "tos 0x10 table 100 preference 1008",
    "uidrange 1000-2000 table 100 preference 1009",
    "ipproto tcp sport 10-20 dport 80-90 table 100 preference 1010",
    "ipproto 17 table 100 preference 1011",
    "tunnel-id 77 table 100 preference 1012",
    "suppress_prefixlength 0 table main preference 1013",
    "suppress_ifgroup 4 table main preference 1014",
    "from 10.5.0.0/16 blackhole preference 1015",
    "from 10.6.0.0/16 unreachable preference 1016",
    "from 10.7.0.0/16 prohibit preference 1017",
    "from 10.8.0.0/16 nop preference 1018",
    "from 10.9.0.0/16 goto 1100 preference 1019",
    "from 10.10.0.0/16 realms 3/4 table 100 preference 1020",
    "from 10.11.0.0/16 table 70000 preference 1021 protocol 77 no_track",
    "l3mdev preference 1022",
    "from 2001:db8:5::/64 table 100 preference 1100",
    "to 2001:db8:6::/64 iif eth0 fwmark 7/7 table 100 preference 1101",
    "from 2001:db8:7::/64 prohibit preference 1102",
    "from 2001:db8:8::/64 suppress_prefixlength 3 table main preference 1103",
)


def config_text(routes: tuple[str, ...] = (), rules: tuple[str, ...] = (), **more: object) -> str:
    """A configuration with these as virtual routes and rules of one instance."""
    options = "".join(f" {name} {value}\n" for name, value in more.items())
    return (
        "vrrp_instance VI_1 {\n state MASTER\n interface eth0\n virtual_router_id 51\n priority 150\n version 3\n"
        f" advert_int 0.3\n{options} virtual_ipaddress {{\n  192.0.2.100/24\n }}\n"
        " virtual_routes {\n" + "".join(f"  {line}\n" for line in routes) + " }\n"
        " virtual_rules {\n" + "".join(f"  {line}\n" for line in rules) + " }\n}\n"
    )


def compiled(
    routes: tuple[str, ...] = (), rules: tuple[str, ...] = ()
) -> tuple[tuple[Route, ...], tuple[Rule, ...]]:
    """The routes and rules that lines mean; each line must mean one."""
    lowered, findings = compile_text(config_text(routes, rules), target="krun")
    assert lowered is not None
    (instance,) = lowered.config.vrrp_instances
    assert len(instance.routes) == len(routes), [d.message for d in findings.items]
    assert len(instance.rules) == len(rules), [d.message for d in findings.items]
    return instance.routes, instance.rules
