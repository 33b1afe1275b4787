"""``virtual_server_group`` and ``virtual_server`` with its real servers."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Sequence

from kcc.decompile.checkers import print_checker
from kcc.decompile.http import Names, names_above
from kcc.decompile.words import Unprintable
from kcc.decompile.writer import Writer
from kcc.lower.lvs.services import RANGE_MAX
from kir.model import Forwarding, RealServer, Service, SorryServer, VirtualServer

__all__ = ["print_virtual_servers"]

_NAMED_FLAGS = {
    "sh": {"flag-1": "sh-fallback", "flag-2": "sh-port"},
    "mh": {"flag-1": "mh-fallback", "flag-2": "mh-port"},
}
_WIDE = {"inet": "255.255.255.255", "inet6": "128"}


def print_virtual_servers(servers: Sequence[VirtualServer], out: Writer) -> None:
    """All groups, then all virtual servers."""
    groups: dict[str, list[tuple[str, ...]]] = {}
    for server in servers:
        name = _group_name(server)
        if name is None:
            continue
        lines = _group_lines(server.services)
        if groups.setdefault(name, lines) != lines:
            raise Unprintable(f"virtual servers of group {name} do not have the same addresses")
    for name, lines in groups.items():
        with out.block("virtual_server_group", name):
            for line in lines:
                out.line(*line)
        out.raw("")
    for server in servers:
        _print(server, out)


def _group_name(server: VirtualServer) -> str | None:
    """The name of its group; None for a service of its own."""
    if len(server.services) == 1 and server.name == server.services[0].identity:
        return None
    head, _, rest = server.name.partition(" ")
    name = rest.rpartition(" ")[0]
    if head != "group" or not name:
        raise Unprintable(f"`{server.name}` is neither a service nor a group")
    return name


def _group_lines(services: Sequence[Service]) -> list[tuple[str, ...]]:
    """Marks, and addresses with neighbours of one port put together as a range."""
    mixed = len({s.family for s in services}) > 1
    found: list[tuple[str, ...]] = []
    ranges: list[tuple[str, str, int]] = []
    count = 0
    for s in sorted(services, key=lambda s: (s.family, s.port, *_number(s))):
        if s.fwmark:
            found.append(("fwmark", str(s.fwmark), *([s.family] if mixed else [])))
        elif s.address is not None:
            joins = ranges and ranges[-1][2] == s.port and _next(ranges[-1][1]) == s.address
            if joins and count < RANGE_MAX:
                ranges[-1] = (ranges[-1][0], s.address, s.port)
                count += 1
            else:
                ranges.append((s.address, s.address, s.port))
                count = 1
    for first, last, port in ranges:
        name = first if first == last else f"{first}-{last}"
        found.append((name, *([str(port)] if port else [])))
    return found


def _number(service: Service) -> tuple[int, int]:
    return service.fwmark, int(ipaddress.ip_address(service.address)) if service.address is not None else 0


def _next(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address) + 1)
    except ipaddress.AddressValueError:
        return ""


def _print(v: VirtualServer, out: Writer) -> None:
    names = names_above(v)
    families = {s.family for s in v.services}
    family = _family(v)
    with out.section("virtual_server", *_head(v)):
        if len(families) > 1 or all(s.fwmark for s in v.services):
            out.say("ip_family", family)
        out.seconds("delay_loop", v.delay_loop_us, 60_000_000)
        out.say("lvs_sched", v.scheduler)
        flags = _NAMED_FLAGS.get(v.scheduler, {})
        for flag in v.flags:
            out.raw(flags.get(flag, flag))
        method = _common_method(v.real_servers, tunnel=len(families) > 1)
        out.raw(f"lvs_method {method_words(method)}")
        protocol = next((s.protocol for s in v.services if s.protocol is not None), None)
        if protocol is not None:
            out.say("protocol", protocol.upper())
        _persistence(v, family, out)
        out.setting("virtualhost", names.pool)
        out.setting("snmp_name", v.snmp_name)
        out.flag("ha_suspend", v.ha_suspend)
        out.flag("smtp_alert", v.smtp_alert)
        out.flag("alpha", v.alpha)
        out.flag("omega", v.omega)
        out.script("quorum_up", v.quorum_up)
        out.script("quorum_down", v.quorum_down)
        out.setting("quorum", v.quorum, 1)
        out.setting("hysteresis", v.hysteresis, 0)
        if v.sorry_server is not None:
            _sorry(v.sorry_server, method, out)
        for server in v.real_servers:
            _real(server, v, method, names, out)


def _family(v: VirtualServer) -> str:
    """The family of ``v`` itself. A group of both, whose servers are all tunnelled, has that which its settings show."""
    families = {s.family for s in v.services}
    if len(families) == 1:
        return families.pop()
    if all(s.fwmark for s in v.services):
        return v.name.rpartition(" ")[2]
    if v.persistence is not None:
        return "inet" if "." in v.persistence.granularity else "inet6"
    return v.services[0].family


def _head(v: VirtualServer) -> list[object]:
    name = _group_name(v)
    if name is not None:
        return ["group", name]
    service = v.services[0]
    if service.fwmark:
        return ["fwmark", service.fwmark]
    return [service.address, *([service.port] if service.port else [])]


def _common_method(servers: Sequence[RealServer], *, tunnel: bool) -> Forwarding:
    """The method that most servers have: said once above them. A group of both families takes a ``tunnel`` only."""
    counted = Counter(s.forwarding for s in servers if s.forwarding.method == "TUN" or not tunnel)
    if counted:
        return counted.most_common(1)[0][0]
    return Forwarding(method="TUN", tunnel_type="ipip") if tunnel else Forwarding()


def method_words(f: Forwarding) -> str:
    """``NAT``, ``DR``, ``TUN [type …] [port …] [checksum]``."""
    words: list[str] = [f.method]
    if f.method == "TUN" and f.tunnel_type not in (None, "ipip"):
        words += ["type", str(f.tunnel_type)]
        if f.tunnel_port:
            words += ["port", str(f.tunnel_port)]
        if f.tunnel_checksum not in (None, "nocsum"):
            words.append(str(f.tunnel_checksum))
    return " ".join(words)


def _persistence(v: VirtualServer, family: str, out: Writer) -> None:
    p = v.persistence
    if p is None:
        return
    out.whole("persistence_timeout", p.timeout_us)
    out.setting("persistence_granularity", p.granularity, _WIDE[family])
    out.setting("persistence_engine", p.engine)


def _sorry(s: SorryServer, method: Forwarding, out: Writer) -> None:
    out.say("sorry_server", s.address, *([s.port] if s.port else []))
    out.flag("sorry_server_inhibit", s.inhibit)
    if s.forwarding != method:
        out.raw(f"sorry_server_lvs_method {method_words(s.forwarding)}")


def _real(r: RealServer, v: VirtualServer, method: Forwarding, names: Names, out: Writer) -> None:
    with out.block("real_server", r.address, *([r.port] if r.port else [])):
        out.say("weight", r.weight)
        if r.forwarding != method:
            out.raw(f"lvs_method {method_words(r.forwarding)}")
        out.setting("uthreshold", r.upper_threshold, 0)
        out.setting("lthreshold", r.lower_threshold, 0)
        out.flag("inhibit_on_failure", r.inhibit_on_failure)
        if r.alpha != v.alpha:
            out.raw("alpha" if r.alpha else "alpha false")
        out.setting("virtualhost", names.servers.get(r.identity))
        out.setting("snmp_name", r.snmp_name)
        out.script("notify_up", r.notify_up)
        out.script("notify_down", r.notify_down)
        out.flag("smtp_alert false", not r.smtp_alert)
        for checker in r.checkers:
            print_checker(checker, r, names, v.delay_loop_us, out)
