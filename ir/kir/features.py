"""Features: named abilities that a configuration needs of the runtime. A reader refuses an IR that needs one it lacks."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from kir.model import Config, HttpCheck, MiscCheck, TcpCheck, VirtualServer, VrrpInstance

ALL: dict[str, str] = {
    "vrrp.v2": "VRRP version 2",
    "vrrp.v3": "VRRP version 3",
    "vrrp.inet6": "virtual routers over IPv6",
    "vrrp.unicast": "adverts to unicast peers",
    "vrrp.auth_pass": "PASS authentication",
    "vrrp.no_accept": "dropping packets to the VIPs on a router that is not their owner",
    "vrrp.sync_group": "sync groups",
    "vrrp.track_interface": "tracked interfaces",
    "vrrp.track_script": "track scripts",
    "ipvs": "virtual servers",
    "ipvs.fwmark": "virtual servers by firewall mark",
    "ipvs.persistence": "persistent services",
    "ipvs.tunnel": "real servers behind tunnels",
    "ipvs.ha_suspend": "health checks that pause while the service's address is elsewhere",
    "ipvs.timeouts": "IPVS connection timeouts",
    "check.tcp": "TCP_CHECK",
    "check.http": "HTTP_GET",
    "check.tls": "SSL_GET",
    "check.misc": "MISC_CHECK",
    "mail": "mail alerts",
    "fifo": "notify FIFOs",
}
"""Every feature by name, and what it is in words."""


NOT_RUN = frozenset({"vrrp.no_accept", "mail", "fifo"})
"""Carried in the IR, and not run by the krun of this release: it refuses an IR that needs one of these."""

RUN = frozenset(ALL) - NOT_RUN
"""What the krun of this release implements."""


def needed(config: Config) -> tuple[str, ...]:
    """The features that ``config`` needs, sorted."""
    return tuple(sorted(set(_needed(config))))


def _needed(config: Config) -> Iterator[str]:
    g = config.global_defs
    if g.smtp_server is not None and g.notification_emails:
        yield "mail"
    if g.notify_fifo or g.vrrp_notify_fifo or g.lvs_notify_fifo:
        yield "fifo"
    if any(t is not None for t in (g.lvs_timeouts.tcp_s, g.lvs_timeouts.tcpfin_s, g.lvs_timeouts.udp_s)):
        yield "ipvs.timeouts"
    for instance in config.vrrp_instances:
        yield from _vrrp(instance)
    for group in config.vrrp_sync_groups:
        yield "vrrp.sync_group"
        if group.track_interfaces:
            yield "vrrp.track_interface"
        if group.track_scripts:
            yield "vrrp.track_script"
    for server in config.virtual_servers:
        yield from _ipvs(server)


def _vrrp(instance: VrrpInstance) -> Iterator[str]:
    yield f"vrrp.v{instance.version}"
    if instance.family == "inet6":
        yield "vrrp.inet6"
    if instance.unicast:
        yield "vrrp.unicast"
    if instance.authentication is not None:
        yield "vrrp.auth_pass"
    if not instance.accept and not instance.owner:
        yield "vrrp.no_accept"
    if instance.track_interfaces:
        yield "vrrp.track_interface"
    if instance.track_scripts:
        yield "vrrp.track_script"


def _ipvs(server: VirtualServer) -> Iterator[str]:
    yield "ipvs"
    if any(s.fwmark for s in server.services):
        yield "ipvs.fwmark"
    if server.persistence is not None:
        yield "ipvs.persistence"
    if server.ha_suspend:
        yield "ipvs.ha_suspend"
    pool = [r.forwarding for r in server.real_servers]
    if server.sorry_server is not None:
        pool.append(server.sorry_server.forwarding)
    if any(f.method == "TUN" for f in pool):
        yield "ipvs.tunnel"
    kinds = {(type(c), isinstance(c, HttpCheck) and c.tls) for r in server.real_servers for c in r.checkers}
    for kind, tls in kinds:
        if kind is TcpCheck:
            yield "check.tcp"
        elif kind is MiscCheck:
            yield "check.misc"
        elif kind is HttpCheck:
            yield "check.tls" if tls else "check.http"


def without(config: Config, names: frozenset[str] = NOT_RUN) -> Config:
    """``config`` without what needs the features ``names`` (of `NOT_RUN`): what is left when they are given up on purpose."""
    replace = msgspec.structs.replace
    g = config.global_defs
    if "mail" in names:
        g = replace(g, smtp_server=None)
    if "fifo" in names:
        g = replace(g, notify_fifo=None, vrrp_notify_fifo=None, lvs_notify_fifo=None)
    config = replace(config, global_defs=g)
    if "vrrp.no_accept" in names:
        config = replace(config, vrrp_instances=tuple(replace(i, accept=True) for i in config.vrrp_instances))
    return config
