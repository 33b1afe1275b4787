"""The names that the host's iproute2 files give to tables, protocols, scopes and the like, turned into numbers.

iproute2 reads ``rt_tables`` and its companions, and ``rt_tables.d/*.conf``, from /usr and then from /etc, whose lines win
(ip-route(8)). IP protocols come from /etc/protocols.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from pathlib import Path
from typing import overload

import msgspec

from kir.model import Config, EncapIp, EncapIp6, Metric, Realms, Route, Rule
from kir.model.route import Encap, Name, Nexthop
from krun.kernel.netlink.socket import address_octets, address_text
from krun.kernel.routing.encap import bare
from krun.kernel.routing.wire import METRIC_LIMITS, METRIC_UNIT_US

FOLDERS = (
    Path("/usr/share/iproute2"),
    Path("/usr/lib/iproute2"),
    Path("/usr/local/share/iproute2"),
    Path("/etc/iproute2"),
)
"""Later ones win."""


def folders(config: Config) -> tuple[Path, ...]:
    """Where ``config`` has iproute2's files: ``iproute_usr_dir`` stands for those below /usr, ``iproute_etc_dir`` for /etc/iproute2."""
    files = config.global_defs.files
    usr = FOLDERS[:-1] if files.iproute_usr_dir is None else (Path(files.iproute_usr_dir),)
    etc = FOLDERS[-1] if files.iproute_etc_dir is None else Path(files.iproute_etc_dir)
    return (*usr, etc)


_KINDS = {
    "table": ("rt_tables", "routing table"),
    "protocol": ("rt_protos", "routing protocol"),
    "scope": ("rt_scopes", "scope"),
    "tos": ("rt_dsfield", "class of traffic (dsfield)"),
    "realm": ("rt_realms", "realm"),
    "group": ("group", "interface group"),
}

_WELL_KNOWN_PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "ipv6-icmp": 58, "sctp": 132}


class UnknownName(ValueError):  # noqa: N818 - what is unknown is the name
    """A name that no file of this host knows; the message says which and where it was looked for."""


class Names:
    """The names of this host, each file read when first asked for. ``folders``: where iproute2's files lie."""

    def __init__(self, folders: Iterable[Path] = FOLDERS) -> None:
        self._folders = tuple(folders)
        self._known: dict[str, dict[str, int]] = {}

    def number(self, kind: str, name: Name) -> int:
        """The number of ``name``; ``kind`` is table, protocol, scope, tos, realm or group. Raises `UnknownName`."""
        if isinstance(name, int):
            return name
        if kind not in self._known:
            self._known[kind] = self._read(_KINDS[kind][0])
        found = self._known[kind].get(name)
        if found is None:
            stem, words = _KINDS[kind]
            raise UnknownName(
                f"there is no {words} `{name}`: no {stem} in {', '.join(map(str, self._folders))} has it;"
                f" add a line `NUMBER {name}` to /etc/iproute2/{stem}, or write the number"
            )
        return found

    def ip_protocol(self, name: Name) -> int:
        """The number of an IP protocol. Raises `UnknownName`."""
        if isinstance(name, int):
            return name
        try:
            return socket.getprotobyname(name)
        except OSError:
            pass
        found = _WELL_KNOWN_PROTOCOLS.get(name.lower())
        if found is None:
            raise UnknownName(
                f"there is no IP protocol `{name}` in /etc/protocols; add it there, or write the number"
            )
        return found

    def _read(self, stem: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for folder in self._folders:
            try:
                more = sorted((folder / f"{stem}.d").glob("*.conf"))
            except OSError:
                more = []
            for path in (folder / stem, *more):
                try:
                    text = path.read_text(encoding="utf-8", errors="replace")
                except OSError:
                    continue  # iproute2 itself is content with what it finds
                found.update(_lines(text))
        return found


def _lines(text: str) -> Iterable[tuple[str, int]]:
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) < 2:
            continue
        try:
            yield words[1], int(words[0], 0)
        except ValueError:
            continue


def numbered_route(route: Route, names: Names) -> Route:
    """``route`` with numbers for all names, and with what the kernel rounds or cuts already so. Raises `UnknownName`."""
    return msgspec.structs.replace(
        route,
        destination=_canonical(route.destination),
        source_prefix=_canonical(route.source_prefix),
        via=_canonical(route.via),
        source=_canonical(route.source),
        table=names.number("table", route.table),
        protocol=names.number("protocol", route.protocol),
        scope=None if route.scope is None else names.number("scope", route.scope),
        tos=names.number("tos", route.tos),
        metrics=tuple(kept for metric in route.metrics if (kept := kernel_metric(metric)) is not None),
        realms=_realms(route.realms, names),
        encap=_encap(route.encap, names),
        nexthops=tuple(_nexthop(hop, names) for hop in route.nexthops),
    )


def kernel_metric(metric: Metric) -> Metric | None:
    """A metric as the kernel keeps it (net/ipv4/metrics.c): times in its units, some values cut; None for 0, which is none."""
    unit = METRIC_UNIT_US.get(metric.name, 1)
    value = min(metric.value // unit, METRIC_LIMITS.get(metric.name, 0xFFFFFFFF)) * unit
    return msgspec.structs.replace(metric, value=value) if value else None


def numbered_rule(rule: Rule, names: Names) -> Rule:
    """``rule`` with numbers for all names, and without selectors that select nothing. Raises `UnknownName`."""
    return msgspec.structs.replace(
        rule,
        source=_selector(rule.source),
        destination=_selector(rule.destination),
        fwmark=rule.fwmark or (None if rule.fwmask is None else 0),
        tunnel_id=rule.tunnel_id or None,
        table=None if rule.table is None else names.number("table", rule.table),
        tos=names.number("tos", rule.tos),
        ip_protocol=None if rule.ip_protocol is None else names.ip_protocol(rule.ip_protocol) or None,
        realms=_realms(rule.realms, names),
        suppress_ifgroup=None
        if rule.suppress_ifgroup is None
        else names.number("group", rule.suppress_ifgroup),
    )


@overload
def _canonical(text: str) -> str: ...


@overload
def _canonical(text: None) -> None: ...


def _canonical(text: str | None) -> str | None:
    """An address or prefix in the C library's form, which what is read from the kernel has too."""
    if text is None:
        return None
    address, slash, length = text.partition("/")
    return address_text(address_octets(address)) + slash + length


def _selector(text: str | None) -> str | None:
    """A prefix of a rule; one without length matches everything and is none."""
    return None if text is None or text.endswith("/0") else _canonical(text)


def _realms(realms: Realms | None, names: Names) -> Realms | None:
    """Realm 0 is none: the kernel does not show it."""
    if realms is None:
        return None
    source = names.number("realm", realms.source or 0) or None
    destination = names.number("realm", realms.destination or 0) or None
    return None if source is destination is None else Realms(source=source, destination=destination)


def _encap(encap: Encap | None, names: Names) -> Encap | None:
    if isinstance(encap, EncapIp) and encap.tos is not None:
        encap = msgspec.structs.replace(encap, tos=names.number("tos", encap.tos))
    elif isinstance(encap, EncapIp6) and encap.tclass is not None:
        encap = msgspec.structs.replace(encap, tclass=names.number("tos", encap.tclass))
    return bare(encap)


def _nexthop(hop: Nexthop, names: Names) -> Nexthop:
    return msgspec.structs.replace(
        hop, via=_canonical(hop.via), encap=_encap(hop.encap, names), realms=_realms(hop.realms, names)
    )


def numbered(config: Config, names: Names) -> tuple[Config, dict[str, list[str]]]:
    """``config`` with numbers in all routes and rules, and what is wrong: the owner (an instance's name; empty for the static
    ones) → sentences. What cannot be numbered is left out."""
    problems: dict[str, list[str]] = {}

    def routes(owner: str, given: tuple[Route, ...]) -> tuple[Route, ...]:
        found = []
        for route in given:
            try:
                found.append(numbered_route(route, names))
            except (UnknownName, OSError) as error:
                problems.setdefault(owner, []).append(f"route {route.identity}: {error}")
        return tuple(found)

    def rules(owner: str, given: tuple[Rule, ...]) -> tuple[Rule, ...]:
        found = []
        for rule in given:
            try:
                found.append(numbered_rule(rule, names))
            except (UnknownName, OSError) as error:
                problems.setdefault(owner, []).append(f"rule {rule.identity}: {error}")
        return tuple(found)

    instances = tuple(
        msgspec.structs.replace(i, routes=routes(i.name, i.routes), rules=rules(i.name, i.rules))
        if i.routes or i.rules
        else i
        for i in config.vrrp_instances
    )
    changed = msgspec.structs.replace(
        config,
        vrrp_instances=instances,
        static_routes=routes("", config.static_routes),
        static_rules=rules("", config.static_rules),
    )
    return changed, problems
