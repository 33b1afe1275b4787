"""Valid words for every type of argument of the keyword tree, for `grow`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kcc.language.arguments.base import Arg, Rare
from kcc.language.tree import Keyword

if TYPE_CHECKING:
    from grow import Grower

    Grow = Callable[[Grower, Any, Keyword], list[str]]


def valid(g: Grower, arg: Arg, keyword: Keyword) -> list[str]:
    """Words that ``arg`` of ``keyword`` takes; none where they would have to name something that is not there."""
    kind = arg.name if isinstance(arg, Rare) else type(arg).__name__
    return VALID[kind](g, arg, keyword)


def _int(g: Grower, arg: Any, keyword: Keyword) -> list[str]:
    low, high = max(arg.low, 1 if arg.zero is not None else arg.low), arg.high
    if keyword.name == "weight" and g.rng.random() < 0.9:
        low = max(low, 1)
    return [str(g.rng.choice((low, high, min(low + 1, high), g.rng.randint(low, min(high, low + 300)))))]


def _decimal(g: Grower, arg: Any, keyword: Keyword) -> list[str]:
    scale = 10**arg.places
    low = max(arg.low, scale)
    if keyword.name in ("interval", "timeout"):
        return [str(g.rng.randint(1, 9))]
    value = g.rng.choice((low, g.rng.randint(low, max(low, min(arg.high, low + 3 * scale))), arg.low or low))
    whole, rest = divmod(value, scale)
    return [f"{whole}.{rest:0{arg.places}d}".rstrip("0").rstrip(".") if rest else str(whole)]


def _ip(g: Grower, arg: Any, keyword: Keyword) -> list[str]:
    if "MCAST" in arg.grammar:
        six = "6" in arg.grammar or ("4" not in arg.grammar and g.six)
        return ["ff02::12"] if six else [g.rng.choice(("224.0.0.18", "239.1.2.3"))]
    if keyword.name in ("neighbor_ip", "neighbour_ip", "source_ip") and g.rng.random() < 0.8:
        return [f"192.0.2.{g.next() % 250}"]
    if g.six != (g.rng.random() < 0.05):
        return [f"2001:db8:1::{g.next():x}"]
    return [g.rng.choice((f"10.1.{g.next() % 250}.1", f"192.0.2.{g.rng.randint(2, 250)}"))]


def _pick(g: Grower, more: tuple[str, ...], counts: tuple[int, ...]) -> list[str]:
    """The words of as many of ``more`` as one of ``counts`` says."""
    return [word for extra in g.rng.sample(more, g.rng.choice(counts)) for word in extra.split()]


_ADDRESS_6 = ("dev eth0", "home", "mngtmpaddr", "-nodad", "preferred_lft 0", "preferred_lft forever", "noprefixroute", "no_track")  # fmt: skip
_ADDRESS_4 = ("label eth0:1", "scope link", "brd 10.2.0.255", "noprefixroute", "no_track", "preferred_lft forever",
              "preferred_lft 0", "scope global", "broadcast 10.2.255.255", "scope 77", "broadcast -", "scope site")  # fmt: skip


def _address(g: Grower, _: Any, keyword: Keyword) -> list[str]:
    n = g.next() % 250
    six = g.six and keyword.name == "virtual_ipaddress"
    if six != (g.rng.random() < (0.2 if keyword.name != "virtual_ipaddress" else 0.03)):
        return [f"2001:db8:2:{n:x}::1{g.rng.choice(('', '/64', '/128'))}", *_pick(g, _ADDRESS_6, (0, 1, 2))]
    words = [f"10.2.{n}.{g.rng.randint(1, 254)}{g.rng.choice(('', '/24', '/25'))}"]
    if keyword.name == "static_ipaddress":
        words += ["dev", g.rng.choice(("eth0", "eth1"))] if g.rng.random() < 0.9 else []
        words += _group(g)
    else:
        words += ["dev", g.rng.choice(("eth0", "eth1"))] if g.rng.random() < 0.5 else []
        words += ["use_vmac", f"vm.{n}"] if g.rng.random() < 0.04 else []
    return [*words, *_pick(g, _ADDRESS_4, (0, 0, 1, 2))]


def _group(g: Grower) -> list[str]:
    """Sometimes the track_group of a static line."""
    name = g.known("track_group")
    return ["track_group", name] if name and g.rng.random() < 0.3 else []


_ROUTE = ("src 192.0.2.1", "table 100", "metric 5", "mtu 1400", "scope link", "onlink", "no_track", "protocol static",
          "advmss lock 1000", "tos 0x10", "hoplimit 64", "initcwnd 10", "rtt 100ms", "rtt 1s",
          "quickack 1", "fastopen_no_cookie 1", "features ecn", "congctl cubic", "congctl lock cubic", "window 5000",
          "rttvar 300ms", "ssthresh lock 5", "reordering 3", "rto_min 1s", "initrwnd 10", "realms 1/2",
          "ttl-propagate enabled", "mtu lock 1500", "proto 5", "dsfield 16", "preference 7")  # fmt: skip
_ENCAP = ("encap mpls 100", "encap ip id 5 dst 192.0.2.5 tos 5 ttl 5", "encap ila 2001:db8::1:1",
          "encap ip6 id 5 dst 2001:db8::1 tc 5 hoplimit 5", "encap mpls 100/200 ttl 5")  # fmt: skip
_HOP = ("nexthop via 192.0.2.7 dev eth0 weight 3", "nexthop via 192.0.2.8", "nexthop dev eth1 onlink",
        "nexthop via 192.0.2.8 dev eth0 realms 5 weight 255", "nexthop via inet 192.0.2.4")  # fmt: skip


def _route(g: Grower, arg: Any, _: Keyword) -> list[str]:
    n = g.next() % 250
    static = _group(g) if arg.name == "STATIC_ROUTE" else []
    start = _pick(
        g,
        ("unicast", "local", "blackhole", "prohibit", "unreachable", "throw", "broadcast", "to", "0"),
        (0, 0, 0, 0, 1),
    )
    if g.rng.random() < 0.15:
        more = (
            "via 2001:db8::9",
            "dev eth0",
            "metric 6",
            "pref high",
            "expires 100",
            "table 5",
            "pref low",
            "from 2001:db8:9::/48",
        )
        return [*start, f"2001:db8:3:{n:x}::/64", *_pick(g, more, (1, 2, 3)), *static]
    words = [g.rng.choice((f"10.3.{n}.0/24", f"10.3.{n}.1", "default", "0.0.0.0/0"))]
    if g.rng.random() < 0.1:
        hops = [g.rng.choice(_HOP), g.rng.choice(_HOP)]
        return [*words, *_pick(g, _ROUTE, (0, 1)), *static, *" ".join(hops).split()]
    words += g.rng.choice(
        ("via 192.0.2.9", "dev eth0", "via 192.0.2.9 dev eth0", "via inet 192.0.2.3 dev eth1")
    ).split()
    if g.rng.random() < 0.06:
        words += g.rng.choice(_ENCAP).split()
    return [*start, *words, *_pick(g, _ROUTE, (0, 1, 1, 2, 3)), *static]


_RULE = ("from 10.9.0.1", "oif eth1", "no_track", "realms 1/2", "suppress_prefixlength 8", "ipproto tcp",
         "dport 80-90", "sport 5-6", "uidrange 1-5", "protocol 5 no_track", "tunnel-id 5", "suppress_ifgroup 5", "not", "fwmark 7",
         "tos 16", "iif eth0", "to 10.8.0.0/16", "sup_pl 5", "type")  # fmt: skip
_ACTIONS = (
    "table 100",
    "lookup main",
    "blackhole",
    "goto 32000",
    "unreachable",
    "prohibit",
    "table 0x10",
    "nop",
    "l3mdev",
    "table 100",
    "table 5",
    "table 99",
    "lookup 7",
)


def _rule(g: Grower, arg: Any, _: Keyword) -> list[str]:
    static = _group(g) if arg.name == "STATIC_RULE" else []
    if g.rng.random() < 0.1:
        words = ["from", f"2001:db8:{g.next():x}::/48"]
    else:
        words = g.rng.choice(
            (
                f"from 10.4.{g.next() % 250}.0/24",
                "to 10.4.1.0/24",
                "iif eth0",
                "fwmark 5/0xff",
                "tos 16",
                "from all",
                "inet",
            )
        ).split()
    if g.rng.random() < 0.8:
        words += [g.rng.choice(("priority", "preference", "order")), str(100 + g.next())]
    return [*words, *_pick(g, _RULE, (0, 1, 1, 2)), *g.rng.choice(_ACTIONS).split(), *static]


def _vmac(g: Grower, *_: Any) -> list[str]:
    n = g.next()
    words = (f"vrrp.{n}", f"02:00:00:00:01:{n % 256:02x}", "02:00:00:00:05")
    if g.rng.random() < 0.05:  # what came later
        words = (*words, "netlink_notify_msg", "group 5", f"name vm{n}")
    return _pick(g, words, (0, 0, 1, 1, 2))


def _ipvlan(g: Grower, *_: Any) -> list[str]:
    n = g.next()
    return _pick(g, (f"ipv.{n}", f"192.0.2.{n % 250}/24", "bridge", "private", "vepa"), (0, 1, 1, 2, 3))


def _server(g: Grower, *_: Any) -> list[str]:
    n = g.next()
    port = g.rng.choice(("80", "80", "443", "8080"))
    choices = ([f"2001:db8::{n:x}", port],) if g.six else ([f"10.5.{n % 250}.1", port], ["fwmark", str(n)])
    group = g.known("virtual_server_group")
    if group and g.rng.random() < 0.5:
        return ["group", group]
    return g.rng.choice(choices)


def _track(g: Grower, arg: Any, keyword: Keyword) -> list[str]:
    words = [g.rng.choice(("eth1", "eth0", "lo"))] if "IFNAME" in arg.grammar else g.name(keyword)
    return words and [*words, *_pick(g, ("weight 5", "weight -5", "weight 5 reverse"), (0, 0, 1))]


def _names(g: Grower, arg: Any, keyword: Keyword) -> list[str]:
    return valid(g, arg.item, keyword)


def _string(g: Grower, arg: Any, keyword: Keyword) -> list[str]:
    if keyword.name == "name" and "bfd_instance" in arg.what:
        known = g.known("bfd_instance")
        return [known] if known else []
    return g.name(keyword)


def _endpoint(g: Grower, *_: Any) -> list[str]:
    address = f"2001:db8:6::{g.next():x}" if g.six != (g.rng.random() < 0.02) else f"10.6.{g.next() % 250}.1"
    return [address, *g.rng.choice(("80", "80", "80", "8080", "")).split()]


def _peer(g: Grower, *_: Any) -> list[str]:
    address = (
        f"2001:db8:7::{g.next():x}" if g.six != (g.rng.random() < 0.02) else f"192.0.2.{50 + g.next() % 200}"
    )
    return [address, *_pick(g, ("min_ttl 5 max_ttl 255", "min_ttl 1", "max_ttl 5"), (0, 0, 1))]


def _group_line(g: Grower, *_: Any) -> list[str]:
    n = g.next()
    if g.six:
        return [f"2001:db8:7::{n:x}", "80"]
    return g.rng.choice(
        (f"10.7.{n % 250}.1 80", f"10.8.{n % 250}.1-5 80", f"10.9.{n % 250}.1 80", f"fwmark {n}")
    ).split()


def _fixed(*choices: str) -> Grow:
    return lambda g, _arg, _keyword: g.rng.choice(choices).split()


def _quoted(*choices: str) -> Grow:
    return lambda g, _arg, _keyword: [g.rng.choice(choices)]


VALID: dict[str, Grow] = {
    "IntArg": _int,
    "DecimalArg": _decimal,
    "BoolArg": _fixed("true", "false", "on", "off", "yes", "no"),
    "EnumArg": lambda g, arg, _: [g.rng.choice(sorted(arg.table))],
    "StringArg": _string,
    "DomainArg": _fixed("www.example.com", ".", "example.com.", "a"),
    "SecretArg": _quoted("secret", "12345678", '"a b"'),
    "PathArg": _fixed("/nowhere/file", "/tmp/a"),
    "IpArg": _ip,
    "PortArg": _fixed("80", "1", "65535"),
    "ScriptArg": _quoted("/bin/true", '"/bin/true"', '"/bin/true a b"'),
    "FifoArg": _fixed("/tmp/fifo", "/tmp/fifo nobody"),
    "UmaskArg": _fixed("022", "IRUSR|IWOTH"),
    "IncludeCheckArg": _fixed("readable"),
    "IfnameArg": _fixed("eth0", "eth1"),
    "TrackArg": _track,
    "WeightArg": _fixed("10", "-10", "253", "0", "5 reverse"),
    "RestArg": _fixed("sshd", "cron a b"),
    "NamesArg": _names,
    "ExtraIfArg": _fixed("5", "all 5"),
    "MethodArg": _fixed("NAT", "DR", "TUN", "TUN type gue port 5000", "TUN type gre csum", "TUN type ipip"),
    "AccountArg": _fixed("nobody", "root", "root root"),
    "AddressArg": _address,
    "ROUTE_LINE": _route,
    "STATIC_ROUTE": _route,
    "RULE_LINE": _rule,
    "STATIC_RULE": _rule,
    "USE_VMAC": _vmac,
    "USE_IPVLAN": _ipvlan,
    "EndpointArg": _endpoint,
    "HexArg": _fixed("00 ff", "0a0b", "deadbeef", "01 f"),
    "DigestArg": _fixed("0123456789abcdef0123456789abcdef"),
    "StatusArg": _fixed("200", "200-299 301", "404"),
    "RegexArg": _fixed('"^ok"', "abc"),
    "RegexOptionsArg": _fixed("caseless", "multiline utf"),
    "StackArg": _fixed("1000 2000"),
    "InitFileArg": _fixed("", "5", "5 overwrite", "overwrite"),
    "SmtpServerArg": _fixed("127.0.0.1", "192.0.2.3 25"),
    "RxPolicyArg": _fixed("MTU", "ADVERT", "5000"),
    "TimeoutsArg": _fixed("tcp 100", "tcp 100 tcpfin 20 udp 5"),
    "SyncDaemonArg": _fixed("eth0", "eth0 id 5", "eth0 id 5 maxlen 1000 port 5000 ttl 5 group 239.1.2.3"),
    "PeerArg": _peer,
    "KeyArg": _fixed("1 0123456789abcdef0123456789abcdef", "2 00112233445566778899aabbccddeeff"),
    "LinkbeatArg": _fixed("eth0", "eth1 MII", "eth0 ETHTOOL"),
    "DelayArg": _fixed("eth0 1", "eth1 1.5 2", "eth0 0.5"),
    "GroupArg": _group_line,
    "ServerArg": _server,
    "NetmaskArg": _fixed("255.255.255.0", "255.255.255.255", "64"),
}
