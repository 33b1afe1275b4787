"""Random configurations grown from the keyword tree: valid ones, and valid ones with a few mistakes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kcc.language.arguments.base import Arg, Many, Optional
from kcc.language.keywords import ROOT
from kcc.language.tree import Keyword, Kind, Repeat

# Not grown: they leave the folder, need a machine that has them, or end the oracle's reading of everything else.
LEFT_OUT = frozenset(
    {
        "config_save_dir", "net_namespace", "net_namespace_ipvs", "namespace_with_ipsets", "use_pid_dir", "instance",
        "reload_check_config", "reload_time_file", "reload_file", "tmp_config_directory", "include_check", "umask",
        "default_interface", "startup_script", "shutdown_script", "notify_fifo", "vrrp_notify_fifo", "lvs_notify_fifo",
        "notify_fifo_script", "vrrp_notify_fifo_script", "lvs_notify_fifo_script", "script_user", "user", "SSL",
        "linkbeat_use_polling", "process_name", "state_dump_file", "stats_file", "json_version", "no_email_faults",
        "vrf", "vrrp_iptables", "vrrp_ipsets", "nftables",
    }
)  # fmt: skip


@dataclass
class Line:
    """A statement; with a ``body`` (None: none) a block."""

    words: list[str]
    body: list[Line] | None = None
    close: bool = True

    def copy(self) -> Line:
        body = None if self.body is None else [line.copy() for line in self.body]
        return Line(list(self.words), body, self.close)


def render(lines: list[Line], depth: int = 0) -> list[str]:
    """The text, a line for each statement and each closing brace."""
    text = []
    for line in lines:
        head = "    " * depth + " ".join(line.words)
        if line.body is None:
            text.append(head)
            continue
        text.append(head + " {")
        text += render(line.body, depth + 1)
        if line.close:
            text.append("    " * depth + "}")
    return text


@dataclass
class Grower:
    """Grows one configuration. Names are made up as they are needed and used again where something refers to them."""

    rng: random.Random
    names: dict[str, list[str]] = field(default_factory=dict)
    count: int = 0

    def configuration(self) -> list[Line]:
        """A few top-level blocks, what is referred to first."""
        rng = self.rng
        order = ("global_defs", "vrrp_script", "track_file", "vrrp_track_process", "track_group", "static_ipaddress",
                 "static_routes", "static_rules", "vrrp_instance", "vrrp_instance", "vrrp_sync_group", "garp_group",
                 "interface_up_down_delays", "virtual_server_group", "virtual_server", "bfd_instance")  # fmt: skip
        chosen = [name for name in order if rng.random() < (0.5 if name in _FREQUENT else 0.12)]
        if not chosen:
            chosen = [rng.choice(order)]
        if "vrrp_instance" not in chosen:
            chosen = [name for name in chosen if name not in ("vrrp_sync_group", "track_group")]
        return [line for name in chosen if (line := self.block(ROOT.index[name])) is not None]

    def block(self, keyword: Keyword, family: str = "") -> Line | None:
        """A block of ``keyword`` with what it must have and some of what it may."""
        head = [keyword.name, *self.head(keyword)]
        if keyword.kind is Kind.LINES:
            assert keyword.line is not None
            count = self.rng.choice((1, 1, 2, 3))
            rows = [Line(words) for _ in range(count) if (words := self.words(keyword.line, keyword))]
            rows = list({row.words[0]: row for row in rows}.values())
            return Line(head, rows) if rows else None
        body = [Line(text.split()) for text in _ALWAYS.get(keyword.name, ())]
        for line in body:
            line.words = [w.replace("%", str(self.next())) for w in line.words]
        if keyword.name == "virtual_server" and "fwmark" in head:
            body = [line for line in body if line.words[0] != "protocol"]
        there = {line.words[0] for line in body}
        pool = [c for c in keyword.children if c.name not in LEFT_OUT and c.name not in there]
        wanted = [c for c in pool if c.required and not c.alias_of]
        rest = [
            c
            for c in pool
            if c not in wanted
            and (self.rng.random() < 0.05 if c.deprecated_by or c.since or c.needs else True)
        ]
        self.rng.shuffle(rest)
        for child in [*wanted, *rest[: self.rng.choice((0, 1, 2, 3, 5, 8))]]:
            line = self.statement(child)
            if line is not None:
                body.append(line)
        if keyword.name in ("vrrp_instance", "virtual_server") and self.rng.random() < 0.8:
            name = "virtual_ipaddress" if keyword.name == "vrrp_instance" else "real_server"
            if not any(line.words[0] == name for line in body):
                line = self.block(keyword.index[name])
                if line is not None:
                    body.append(line)
        return Line(head, body)

    def statement(self, keyword: Keyword) -> Line | None:
        """A leaf or a block."""
        if keyword.kind is not Kind.LEAF:
            return self.block(keyword)
        words = self.head(keyword)
        return Line([keyword.name, *words])

    def head(self, keyword: Keyword) -> list[str]:
        words: list[str] = []
        for arg in keyword.args:
            words += self.words(arg, keyword)
        return words

    def next(self) -> int:
        self.count += 1
        return self.count

    def words(self, arg: Arg, keyword: Keyword) -> list[str]:
        """Valid words for an argument."""
        if isinstance(arg, Optional):
            return [] if self.rng.random() < 0.4 else self.words(arg.arg, keyword)
        if isinstance(arg, Many):
            return [w for _ in range(self.rng.choice((1, 1, 3))) for w in self.words(arg.arg, keyword)]
        return VALID[type(arg).__name__](self, arg, keyword)

    def name(self, keyword: Keyword) -> list[str]:
        """A new name of a block, or the name of one that is there."""
        if keyword.repeat is Repeat.UNIQUE:
            made = f"n{self.next()}"
            self.names.setdefault(keyword.name.removeprefix("vrrp_"), []).append(made)
            return [made]
        known = self.names.get(_REFERS.get(keyword.name, ""), [])
        if keyword.name in _REFERS:
            return [self.rng.choice(known)] if known else []
        return [self.rng.choice(("alpha", "beta", '"two words"', "a.b-c_d"))]


_FREQUENT = frozenset(("global_defs", "vrrp_script", "vrrp_instance", "virtual_server", "vrrp_sync_group"))
_REFERS = {"track_script": "script", "track_file": "track_file", "track_process": "track_process", "track_bfd": "bfd_instance",
           "group": "instance"}  # fmt: skip
_ALWAYS = {
    "vrrp_instance": ("interface eth0", "virtual_router_id %"),
    "vrrp_script": ("script /bin/true",),
    "track_file": ("file /etc/hostname",),
    "vrrp_track_process": ("process sshd",),
    "virtual_server": ("lvs_sched rr", "lvs_method NAT", "protocol TCP"),
    "global_defs": ("enable_script_security", "script_user nobody"),
    "MISC_CHECK": ("misc_path /bin/true",),
    "bfd_instance": ("neighbor_ip 192.0.2.%",),
    "url": ("path /",),
}


def _int(g: Grower, arg: Any, _: Keyword) -> list[str]:
    low, high = max(arg.low, 1 if arg.zero is not None else arg.low), arg.high
    return [str(g.rng.choice((low, high, min(low + 1, high), g.rng.randint(low, min(high, low + 300)))))]


def _decimal(g: Grower, arg: Any, _: Keyword) -> list[str]:
    scale = 10**arg.places
    low = max(arg.low, scale)
    if arg.whole:
        return [str(g.rng.randint(1, 9))]
    value = g.rng.choice((low, g.rng.randint(low, max(low, min(arg.high, low + 3 * scale))), arg.low or low))
    whole, rest = divmod(value, scale)
    return [f"{whole}.{rest:0{arg.places}d}".rstrip("0").rstrip(".") if rest else str(whole)]


def _ip(g: Grower, arg: Any, _: Keyword) -> list[str]:
    if "MCAST" in arg.grammar:
        return [g.rng.choice(("224.0.0.18", "239.1.2.3") if "6" not in arg.grammar else ("ff02::12",))]
    return [g.rng.choice((f"10.1.{g.next() % 250}.1", f"192.0.2.{g.rng.randint(2, 250)}", "2001:db8::5"))]


def _script(g: Grower, arg: Any, _: Keyword) -> list[str]:
    return [g.rng.choice(("/bin/true", '"/bin/true"', '"/bin/true a b"'))]


def _address(g: Grower, arg: Any, _: Keyword) -> list[str]:
    words = [f"10.2.{g.next() % 250}.{g.rng.randint(1, 254)}{g.rng.choice(('', '/24', '/25'))}"]
    words += ["dev", g.rng.choice(("eth0", "eth1"))] if g.rng.random() < 0.5 else []
    more = (["label", "eth0:1"], ["scope", "link"], ["brd", "10.2.0.255"], ["noprefixroute"], ["no_track"], ["home"], ["nodad"],
            ["preferred_lft", "forever"], ["preferred_lft", "0"], ["scope", "global"], ["broadcast", "10.2.255.255"],
            ["mngtmpaddr"], ["-nodad"], ["scope", "77"])  # fmt: skip
    for extra in g.rng.sample(more, g.rng.choice((0, 0, 1, 2))):
        words += extra
    return words


def _route(g: Grower, arg: Any, _: Keyword) -> list[str]:
    words = [f"10.3.{g.next() % 250}.0/24"]
    more = (["via", "192.0.2.9"], ["dev", "eth0"], ["src", "192.0.2.1"], ["table", "100"], ["metric", "5"], ["mtu", "1400"],
            ["scope", "link"], ["onlink"], ["no_track"], ["protocol", "static"], ["weight", "3"], ["advmss", "lock", "1000"],
            ["tos", "0x10"], ["realm", "3"], ["hoplimit", "64"], ["initcwnd", "10"], ["rtt", "100ms"], ["pref", "high"],
            ["quickack", "1"], ["fastopen_no_cookie", "1"], ["features", "ecn"], ["congctl", "cubic"])  # fmt: skip
    for extra in g.rng.sample(more, g.rng.choice((1, 1, 2, 3))):
        words += extra
    return words


def _rule(g: Grower, arg: Any, _: Keyword) -> list[str]:
    words = g.rng.choice(
        (["from", "10.4.0.0/16"], ["to", "10.4.1.0/24"], ["iif", "eth0"], ["fwmark", "5/0xff"], ["tos", "16"])
    )
    more = (["priority", "100"], ["from", "10.9.0.1"], ["oif", "eth1"], ["no_track"], ["protocol", "static"], ["realms", "1/2"],
            ["suppress_prefixlength", "8"], ["ipproto", "tcp"], ["dport", "80-90"], ["sport", "5-6"], ["uidrange", "1-5"],
            ["l3mdev"], ["tun_id", "5"])  # fmt: skip
    words = list(words)
    for extra in g.rng.sample(more, g.rng.choice((0, 1, 1, 2))):
        words += extra
    return [*words, *g.rng.choice((["table", "100"], ["lookup", "main"], ["blackhole"], ["goto", "32000"]))]


def _server(g: Grower, arg: Any, _: Keyword) -> list[str]:
    n = g.next()
    return g.rng.choice(
        (
            [f"10.5.{n % 250}.1", "80"],
            [f"10.5.{n % 250}.2", "443"],
            ["fwmark", str(n)],
            [f"2001:db8::{n:x}", "80"],
        )
    )


def _fixed(*choices: str) -> Callable[[Grower, Any, Keyword], list[str]]:
    return lambda g, _arg, _keyword: g.rng.choice(choices).split()


VALID: dict[str, Callable[[Grower, Any, Keyword], list[str]]] = {
    "IntArg": _int,
    "DecimalArg": _decimal,
    "BoolArg": _fixed("true", "false", "on", "off", "yes", "no"),
    "EnumArg": lambda g, arg, _: [g.rng.choice(sorted(arg.table))],
    "StringArg": lambda g, _arg, keyword: g.name(keyword),
    "SecretArg": _fixed("secret", "12345678", '"a b"'),
    "PathArg": _fixed("/nowhere/file"),
    "IpArg": _ip,
    "PortArg": _fixed("80", "1", "65535"),
    "ScriptArg": _script,
    "IfnameArg": _fixed("eth0", "eth1"),
    "TrackArg": lambda g, arg, k: _track(g, arg, k),
    "WeightArg": _fixed("10", "-10", "253", "0", "5 reverse"),
    "RestArg": _fixed(""),
    "NamesArg": lambda g, arg, k: VALID[type(arg.item).__name__](g, arg.item, k),
    "ExtraIfArg": _fixed("5", "all 5"),
    "MethodArg": _fixed("NAT", "DR", "TUN", "TUN type gue port 5000", "TUN type gre csum", "TUN type ipip"),
    "AccountArg": _fixed("nobody", "root", "root root"),
    "AddressArg": _address,
    "RouteArg": _route,
    "RuleArg": _rule,
    "EndpointArg": lambda g, _arg, _k: [f"10.6.{g.next() % 250}.1", g.rng.choice(("80", "81", "8080"))],
    "HexArg": _fixed("00 ff", "0a0b", "deadbeef"),
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
    "PeerArg": _fixed("192.0.2.77", "192.0.2.78 min_ttl 5 max_ttl 255", "192.0.2.79 min_ttl 1"),
    "KeyArg": _fixed("1 0123456789abcdef0123"),
    "LinkbeatArg": _fixed("eth0", "eth1 MII"),
    "DelayArg": _fixed("eth0 1", "eth1 1.5 2"),
    "GroupArg": lambda g, _arg, _k: g.rng.choice(
        (f"10.7.{g.next() % 250}.1 80", f"10.8.{g.next() % 250}.1-5 80", f"fwmark {g.next()}")
    ).split(),
    "ServerArg": _server,
    "NetmaskArg": _fixed("255.255.255.0", "24"),
}


def _track(g: Grower, arg: Any, keyword: Keyword) -> list[str]:
    words = ["eth1"] if "IFNAME" in arg.grammar else g.name(keyword)
    return words and [
        *words,
        *g.rng.choice(([], [], ["weight", "5"], ["weight", "-5"], ["weight", "5", "reverse"])),
    ]


# --- mistakes

JUNK = ("-1", "0", "1", "256", "65536", "4294967296", "99999999999999999999", "1.5", "x", "10abc", "0x10", '""', "true", "off",
        "10.0.0.300", "10.0.0.1/33", "2001:db8::g", "::1", "+5", "010", "5.", ".5", "1e3", "255", "weight", "-", "a:b", "5,")  # fmt: skip


def spoil(lines: list[Line], rng: random.Random) -> None:
    """Make one mistake in place."""
    places: list[tuple[list[Line], int]] = []

    def collect(body: list[Line]) -> None:
        for at, line in enumerate(body):
            places.append((body, at))
            if line.body is not None:
                collect(line.body)

    collect(lines)
    if not places:
        return
    body, at = rng.choice(places)
    line = body[at]
    match rng.randrange(12):
        case 0 if len(line.words) > 1:
            line.words.pop()
        case 1:
            line.words.append(rng.choice(JUNK))
        case 2 | 3 | 4 | 5 | 6 if len(line.words) > 1:
            line.words[rng.randrange(1, len(line.words))] = rng.choice(JUNK)
        case 7:
            word = line.words[0]
            cut = rng.randrange(len(word))
            line.words[0] = word[:cut] + word[cut + 1 :] or "x"
        case 8:
            body.insert(rng.randrange(len(body) + 1), line.copy())
        case 9:
            other, _ = rng.choice(places)
            if line.body is None:
                other.append(line.copy())
        case 10:
            del body[at]
        case 11 if len(line.words) > 1:
            line.words.insert(1, rng.choice(JUNK))
