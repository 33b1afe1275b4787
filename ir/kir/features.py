"""Features: named abilities that a configuration needs of the runtime. A reader refuses an IR that needs one it lacks."""

from __future__ import annotations

from collections.abc import Iterator

from kir.model import Config, HttpCheck, SyncGroup, TcpCheck, VirtualServer, VrrpInstance
from kir.stripping import DEFAULTS, GLOBAL_FIELDS, stripped

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
    "check.smtp": "SMTP_CHECK",
    "check.dns": "DNS_CHECK",
    "check.udp": "UDP_CHECK",
    "check.ping": "PING_CHECK",
    "check.file": "FILE_CHECK",
    "check.bfd": "BFD_CHECK",
    "check.regex": "regular expressions over the pages of HTTP checks",
    "check.tls_client": "certificates and trust of TLS checks (SSL)",
    "track_file": "track files",
    "track_process": "tracked processes",
    "bfd": "BFD sessions",
    "vrrp.routes": "virtual routes",
    "vrrp.rules": "virtual rules",
    "static.addresses": "static addresses",
    "static.routes": "static routes",
    "static.rules": "static rules",
    "track_group": "track groups",
    "vrrp.auth_ah": "AH authentication",
    "vrrp.hmac": "keyed hashes over adverts (auth_hmac)",
    "vrrp.vmac": "VMAC interfaces",
    "vrrp.ipvlan": "ipvlan interfaces",
    "vrrp.vrf": "instances in a VRF without an interface",
    "vrrp.garp_extra": "gratuitous ARP on the interface below a VMAC",
    "vrrp.garp_group": "groups of interfaces with common ARP pacing",
    "vrrp.rx_buffer": "receive buffers of a given size",
    "link.polling": "polled link states",
    "link.delays": "up and down delays of interfaces that are only tracked",
    "firewall": "a given nftables table or iptables chains",
    "snmp": "SNMP",
    "dbus": "D-Bus",
    "namespace": "a network namespace to live in",
    "namespace.ipvs": "IPVS in another network namespace than the rest",
    "ipvs.sync_daemon": "IPVS connection synchronisation",
    "ipvs.nftables": "packet marks by nftables for virtual server groups",
    "daemon.scripts": "scripts at start and at shutdown",
    "daemon.reload": "files around a reload",
    "daemon.files": "given places of dumps and directories",
    "daemon.process": "names, scheduling, memory locks and socket buffers of processes",
    "vrrp.igmp": "suppressed IGMP of groups that are used on this host only",
    "mail": "mail alerts",
    "fifo": "notify FIFOs",
}
"""Every feature by name, and what it is in words."""


NOT_RUN = frozenset(
    {
        "vrrp.no_accept",
        "check.smtp",
        "check.dns",
        "check.udp",
        "check.ping",
        "check.file",
        "check.bfd",
        "check.regex",
        "check.tls_client",
        "track_file",
        "track_process",
        "bfd",
        "vrrp.auth_ah",
        "vrrp.hmac",
        "vrrp.vmac",
        "vrrp.ipvlan",
        "vrrp.vrf",
        "vrrp.garp_extra",
        "vrrp.garp_group",
        "link.polling",
        "link.delays",
        "firewall",
        "snmp",
        "dbus",
        "ipvs.sync_daemon",
        "ipvs.nftables",
        "vrrp.igmp",
    }
)
"""Carried in the IR, and not run by the krun of this release: it refuses an IR that needs one of these."""

RUN = frozenset(ALL) - NOT_RUN
"""What the krun of this release implements."""


Use = tuple[str, tuple[str, ...]]
"""A feature and the path of the object that needs it, as in origins: ``("bfd", ("bfd_instance", "peer"))``."""


def needed(config: Config) -> tuple[str, ...]:
    """The features that ``config`` needs, sorted."""
    return tuple(sorted({name for name, _ in uses(config)}))


def of_server(server: VirtualServer) -> set[str]:
    """The features that a virtual server needs, whatever is around it."""
    found = {"ipvs"}
    plain = True
    for real in server.real_servers:
        if real.forwarding.method == "TUN" or real.snmp_name is not None:
            plain = False
        for check in real.checkers:
            if type(check) is TcpCheck:
                found.add("check.tcp")
            else:
                plain = False
    if plain and server.persistence is None and not server.ha_suspend and server.snmp_name is None:
        sorry = server.sorry_server  # the usual case, for which nobody needs to be named
        if (sorry is None or sorry.forwarding.method != "TUN") and not any(s.fwmark for s in server.services):
            return found
    return {name for name, _ in _ipvs(server)}


def uses(config: Config) -> Iterator[Use]:
    """Every feature that ``config`` needs, with who needs it; a feature may come many times."""
    yield from _director(config)
    for instance in config.vrrp_instances:
        yield from _vrrp(instance)
    for group in config.vrrp_sync_groups:
        at = ("vrrp_sync_group", group.name)
        yield "vrrp.sync_group", at
        if group.track_interfaces:
            yield "vrrp.track_interface", at
        if group.track_scripts:
            yield "vrrp.track_script", at
        yield from _watched(group, at)
    for server in config.virtual_servers:
        yield from _ipvs(server)


def _director(config: Config) -> Iterator[Use]:
    g = config.global_defs
    if g.smtp_server is not None and g.notification_emails:
        yield "mail", ("global_defs", "smtp_server")
    for name in ("notify_fifo", "vrrp_notify_fifo", "lvs_notify_fifo"):
        if getattr(g, name):
            yield "fifo", ("global_defs", name)
    if any(t is not None for t in (g.lvs_timeouts.tcp_s, g.lvs_timeouts.tcpfin_s, g.lvs_timeouts.udp_s)):
        yield "ipvs.timeouts", ("global_defs", "lvs_timeouts")
    for feature, names in GLOBAL_FIELDS.items():
        for name in names:
            if getattr(g, name) != DEFAULTS[name]:
                yield feature, ("global_defs", name)
    spaces = g.namespaces
    if spaces.network is not None:
        yield "namespace", ("global_defs", "namespaces")
    if spaces.ipvs is not None and (spaces.ipvs or None) != spaces.network:
        yield "namespace.ipvs", ("global_defs", "namespaces")
    for name in ("nftables", "iptables"):
        if getattr(g, name) is not None:
            yield "firewall", ("global_defs", name)
    if g.linkbeat_polling:
        yield "link.polling", ("global_defs",)
    for beat in config.linkbeat_interfaces:
        yield "link.polling", ("linkbeat_interfaces", beat.interface)
    for garp in config.garp_groups:
        yield "vrrp.garp_group", ("garp_group", garp.identity)
    followers: tuple[VrrpInstance | SyncGroup, ...] = (*config.vrrp_instances, *config.vrrp_sync_groups)
    followed = {t.name for f in followers for t in f.track_interfaces}
    for delay in config.interface_delays:
        if delay.interface in followed and (delay.down_us or delay.up_us):
            yield "link.delays", ("interface_up_down_delays", delay.interface)
    for kind, things, feature in (
        ("static_ipaddress", config.static_addresses, "static.addresses"),
        ("static_routes", config.static_routes, "static.routes"),
        ("static_rules", config.static_rules, "static.rules"),
    ):
        for thing in things:
            yield feature, (kind, thing.identity)
    for kind, items, feature in (
        ("track_group", config.track_groups, "track_group"),
        ("bfd_instance", config.bfd_instances, "bfd"),
        ("track_file", config.track_files, "track_file"),
        ("vrrp_track_process", config.track_processes, "track_process"),
    ):
        for item in items:
            yield feature, (kind, item.name)
    if config.tls is not None:
        yield "check.tls_client", ("tls",)


def _vrrp(instance: VrrpInstance) -> Iterator[Use]:
    at = ("vrrp_instance", instance.name)
    yield f"vrrp.v{instance.version}", at
    if instance.family == "inet6":
        yield "vrrp.inet6", at
    if instance.unicast:
        yield "vrrp.unicast", at
    if instance.authentication is not None:
        yield f"vrrp.auth_{instance.authentication.type.lower()}", at
    if instance.hmac is not None:
        yield "vrrp.hmac", (*at, "hmac")
    if instance.vmac is not None or instance.vmac_addresses:
        yield "vrrp.vmac", (*at, "vmac" if instance.vmac is not None else "vmac_addresses")
    for word, vips in (
        ("virtual_ipaddress", instance.vips),
        ("virtual_ipaddress_excluded", instance.excluded_vips),
    ):
        for vip in vips:
            if vip.use_vmac:
                yield "vrrp.vmac", (*at, word, vip.identity)
    if instance.ipvlan is not None:
        yield "vrrp.ipvlan", (*at, "ipvlan")
    if instance.vrf is not None:
        yield "vrrp.vrf", (*at, "vrf")
    if instance.garp.extra_interval_us:
        yield "vrrp.garp_extra", (*at, "garp", "extra_interval_us")
    if instance.rx_buffer_size:
        yield "vrrp.rx_buffer", (*at, "rx_buffer_size")
    if instance.linkbeat:
        yield "link.polling", (*at, "linkbeat")
    if not instance.accept and not instance.owner:
        yield "vrrp.no_accept", (*at, "accept")
    if instance.track_interfaces:
        yield "vrrp.track_interface", at
    if instance.track_scripts:
        yield "vrrp.track_script", at
    yield from _watched(instance, at)
    for route in instance.routes:
        yield "vrrp.routes", (*at, "virtual_routes", route.identity)
    for rule in instance.rules:
        yield "vrrp.rules", (*at, "virtual_rules", rule.identity)


def _watched(of: VrrpInstance | SyncGroup, at: tuple[str, ...]) -> Iterator[Use]:
    """Files, processes and sessions that ``of`` follows."""
    for file in of.track_files:
        yield "track_file", (*at, "track_file", file.name)
    for process in of.track_processes:
        yield "track_process", (*at, "track_process", process.name)
    for bfd in of.track_bfds:
        yield "bfd", (*at, "track_bfd", bfd.name)


_CHECKS = {
    "TCP_CHECK": "check.tcp",
    "MISC_CHECK": "check.misc",
    "HTTP_GET": "check.http",
    "SMTP_CHECK": "check.smtp",
    "DNS_CHECK": "check.dns",
    "UDP_CHECK": "check.udp",
    "PING_CHECK": "check.ping",
    "FILE_CHECK": "check.file",
    "BFD_CHECK": "check.bfd",
}


def _ipvs(server: VirtualServer) -> Iterator[Use]:
    at = ("virtual_server", server.name)
    yield "ipvs", at
    if any(s.fwmark for s in server.services):
        yield "ipvs.fwmark", at
    if server.persistence is not None:
        yield "ipvs.persistence", at
    if server.ha_suspend:
        yield "ipvs.ha_suspend", at
    if server.snmp_name is not None:
        yield "snmp", (*at, "snmp_name")
    sorry = server.sorry_server
    if sorry is not None and sorry.forwarding.method == "TUN":
        yield "ipvs.tunnel", at
    for real in server.real_servers:
        if real.forwarding.method == "TUN":
            yield "ipvs.tunnel", at
        if real.snmp_name is not None:
            yield "snmp", (*at, "real_server", real.identity, "snmp_name")
        for position, check in enumerate(real.checkers):
            kind = check.__struct_config__.tag
            if isinstance(check, HttpCheck):
                yield "check.tls" if check.tls else "check.http", at
                if any(url.regex is not None for url in check.urls):
                    yield (
                        "check.regex",
                        (
                            *at,
                            "real_server",
                            real.identity,
                            "checker",
                            f"{'SSL_GET' if check.tls else kind} {position}",
                        ),
                    )
            else:
                yield _CHECKS[str(kind)], (*at, "real_server", real.identity, "checker", f"{kind} {position}")


def without(config: Config, names: frozenset[str] = NOT_RUN) -> Config:
    """``config`` without what needs the features ``names`` (of `NOT_RUN`): what is left when they are given up on purpose."""
    return stripped(config, names)
