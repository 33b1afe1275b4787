"""Random configurations grown from the keyword tree: valid ones, and valid ones with a few mistakes."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from values import valid

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
        "vrf", "vrrp_iptables", "vrrp_ipsets", "nftables", "nftables_ipvs", "iproute_usr_dir", "iproute_etc_dir",
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
    """Grows one configuration. Names are made up as they are needed and used again where something refers to them.

    ``six``: whether the block that is being grown is about IPv6.
    """

    rng: random.Random
    names: dict[str, list[str]] = field(default_factory=dict)
    count: int = 0
    six: bool = False

    def configuration(self) -> list[Line]:
        """A few top-level blocks, what is referred to first."""
        rng = self.rng
        chosen = [name for name in _ORDER if rng.random() < (0.5 if name in _FREQUENT else 0.12)]
        if not chosen:
            chosen = [rng.choice(_ORDER)]
        if "vrrp_instance" not in chosen and rng.random() < 0.9:
            chosen = [name for name in chosen if name not in ("vrrp_sync_group", "track_group")]
        if rng.random() < 0.05:
            rng.shuffle(chosen)
        lines = []
        for name in chosen:
            self.six = rng.random() < 0.15
            lines.append(self.block(ROOT.index[name]))
        return [line for line in lines if line is not None]

    def block(self, keyword: Keyword) -> Line | None:
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
            and (
                self.rng.random() < 0.1
                if c.deprecated_by or c.since or c.needs or c.name in _SELDOM
                else True
            )
            and (c.name not in _OF or self.known(_OF[c.name]) is not None or self.rng.random() < 0.05)
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
        if not words and keyword.args and not keyword.args[0].optional:
            return None  # it would name something that is not there
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
        return valid(self, arg, keyword)

    def known(self, kind: str) -> str | None:
        """The name of one of the ``kind`` that are there."""
        known = self.names.get(kind, [])
        return self.rng.choice(known) if known else None

    def name(self, keyword: Keyword) -> list[str]:
        """A new name of a block, or the name of one that is there."""
        if keyword.repeat is Repeat.UNIQUE:
            made = f"n{self.next()}"
            self.names.setdefault(keyword.name.removeprefix("vrrp_"), []).append(made)
            return [made]
        if keyword.name in REFERS:
            known = self.known(REFERS[keyword.name])
            return [known] if known else []
        return [self.rng.choice(("alpha", "beta", '"two words"', "a.b-c_d"))]


_ORDER = ("global_defs", "vrrp_script", "track_file", "vrrp_track_process", "bfd_instance", "vrrp_instance", "vrrp_instance",
          "vrrp_sync_group", "track_group", "static_ipaddress", "static_routes", "static_rules", "garp_group",
          "garp_group", "interface_up_down_delays", "linkbeat_interfaces", "virtual_server_group", "virtual_server",
          "virtual_server")  # fmt: skip
_FREQUENT = frozenset(("global_defs", "vrrp_script", "vrrp_instance", "virtual_server", "vrrp_sync_group"))
REFERS = {"track_script": "script", "track_file": "track_file", "track_process": "track_process", "track_bfd": "bfd_instance",
          "group": "instance", "BFD_CHECK": "bfd_instance"}  # fmt: skip
# What means something only together with something else, and what must name something.
_SELDOM = frozenset(
    ("quorum", "hysteresis", "ops", "ha_suspend", "vmac_xmit_base", "unicast_ttl", "lthreshold", "ip_family", "max_hops",
     "check_unicast_src", "unicast_fault_no_peer", "unicast_src_ip", "promote_secondaries", "mh-port", "sh-port",
     "quorum_max", "strict_mode", "no_virtual_ipaddress", "old_unicast_checksum")
)  # fmt: skip
_OF = {"FILE_CHECK": "track_file", "BFD_CHECK": "bfd_instance", "track_file": "track_file", "track_bfd": "bfd_instance",
       "track_script": "script", "track_process": "track_process"}  # fmt: skip
_ALWAYS = {
    "vrrp_instance": ("interface eth0", "virtual_router_id %"),
    "vrrp_script": ("script /bin/true",),
    "track_file": ("file /etc/hostname",),
    "virtual_server": ("lvs_sched rr", "lvs_method NAT", "protocol TCP"),
    "global_defs": ("enable_script_security", "script_user nobody"),
    "MISC_CHECK": ("misc_path /bin/true",),
    "bfd_instance": ("neighbor_ip 192.0.2.%",),
    "garp_group": ("garp_interval 1",),
    "UDP_CHECK": ("connect_port 53",),
    "url": ("path /",),
}


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
