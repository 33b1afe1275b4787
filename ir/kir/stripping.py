"""Configurations with features taken out: what is left where a reader does not run them, and its user wants to go on."""

from __future__ import annotations

from typing import Any

import msgspec

from kir.model import (
    BfdCheck,
    Checker,
    Config,
    DnsCheck,
    FileCheck,
    Global,
    HttpCheck,
    PingCheck,
    RealServer,
    SmtpCheck,
    UdpCheck,
    VirtualServer,
    VrrpInstance,
)

_replace = msgspec.structs.replace

_CHECKS: dict[type, str] = {
    SmtpCheck: "check.smtp",
    DnsCheck: "check.dns",
    UdpCheck: "check.udp",
    PingCheck: "check.ping",
    FileCheck: "check.file",
    BfdCheck: "check.bfd",
}


GLOBAL_FIELDS: dict[str, tuple[str, ...]] = {
    "snmp": ("snmp",),
    "dbus": ("dbus",),
    "ipvs.sync_daemon": ("lvs_sync_daemon",),
    "ipvs.nftables": ("nftables_ipvs",),
    "daemon.scripts": ("startup_script", "shutdown_script"),
    "daemon.reload": ("reload",),
    "daemon.files": ("files", "instance", "use_pid_dir"),
    "daemon.process": (
        "parent_process",
        "vrrp_process",
        "checker_process",
        "bfd_process",
        "bfd_priority",
        "bfd_rt_priority",
        "max_auto_priority",
        "min_auto_priority_delay_us",
        "child_wait_time_us",
        "random_seed",
        "umask",
        "use_symlink_paths",
        "set_supplementary_groups",
    ),
    "track_process": ("process_monitor",),
    "vrrp.rx_buffer": ("rx_buffer_policy", "rx_buffer_size", "rx_buffer_multiplier"),
    "vrrp.igmp": ("disable_local_igmp",),
}
"""Settings of the director that a feature is all about: another value than the default needs the feature."""

DEFAULTS: dict[str, Any] = {
    name: getattr(Global(), name) for names in GLOBAL_FIELDS.values() for name in names
}

_FIELDS: dict[str, dict[str, Any]] = {
    "vrrp.hmac": {"hmac": None},
    "vrrp.vmac": {"vmac": None, "vmac_addresses": False, "xmit_base": False},
    "vrrp.ipvlan": {"ipvlan": None},
    "vrrp.vrf": {"vrf": None},
    "vrrp.rx_buffer": {"rx_buffer_size": 0},
    "link.polling": {"linkbeat": False},
}


def stripped(config: Config, names: frozenset[str]) -> Config:
    """``config`` without what needs the features ``names``. What refers to a removed object goes with it.

    A feature is found by name; one that this module knows no way to take out is left in.
    """
    # What watches a file or a session cannot be without it.
    if "track_file" in names:
        names |= {"check.file"}
    if "bfd" in names:
        names |= {"check.bfd"}
    return _replace(
        config,
        **_director(config, names),
        vrrp_instances=tuple(_instance(i, names) for i in config.vrrp_instances),
        vrrp_sync_groups=tuple(_replace(g, **_untracked(names)) for g in config.vrrp_sync_groups),
        virtual_servers=tuple(_server(v, names) for v in config.virtual_servers),
    )


def _director(config: Config, names: frozenset[str]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    g = config.global_defs
    if "mail" in names:
        g = _replace(g, smtp_server=None)
    if "fifo" in names:
        g = _replace(g, notify_fifo=None, vrrp_notify_fifo=None, lvs_notify_fifo=None)
    if "ipvs.timeouts" in names:
        g = _replace(g, lvs_timeouts=type(g.lvs_timeouts)())
    for feature, fields in GLOBAL_FIELDS.items():
        if feature in names:
            g = _replace(g, **{name: DEFAULTS[name] for name in fields})
    if "namespace" in names:
        g = _replace(g, namespaces=_replace(g.namespaces, network=None))
    if "namespace.ipvs" in names:
        g = _replace(g, namespaces=_replace(g.namespaces, ipvs=None))
    if "firewall" in names:
        g = _replace(g, nftables=None, iptables=None)
    if "link.polling" in names:
        g = _replace(g, linkbeat_polling=False)
        changes["linkbeat_interfaces"] = ()
    if "link.delays" in names:
        changes["interface_delays"] = ()
    if "vrrp.garp_group" in names:
        changes["garp_groups"] = ()
    changes["global_defs"] = g
    ungroup = {"track_group": None} if "track_group" in names else {}
    if ungroup:
        changes["track_groups"] = ()
    changes["static_addresses"] = (
        () if "static.addresses" in names else tuple(_replace(a, **ungroup) for a in config.static_addresses)
    )
    changes["static_routes"] = (
        () if "static.routes" in names else tuple(_replace(r, **ungroup) for r in config.static_routes)
    )
    changes["static_rules"] = (
        () if "static.rules" in names else tuple(_replace(r, **ungroup) for r in config.static_rules)
    )
    if "bfd" in names:
        changes["bfd_instances"] = ()
    if "track_file" in names:
        changes["track_files"] = ()
    if "track_process" in names:
        changes["track_processes"] = ()
    if "check.tls_client" in names:
        changes["tls"] = None
    return changes


def _instance(instance: VrrpInstance, names: frozenset[str]) -> VrrpInstance:
    changes: dict[str, Any] = {}
    if "vrrp.no_accept" in names:
        changes["accept"] = True
    changes |= _untracked(names)
    for feature, fields in _FIELDS.items():
        if feature in names:
            changes |= fields
    if "vrrp.vmac" in names:
        for field in ("vips", "excluded_vips"):
            changes[field] = tuple(_replace(a, use_vmac=False) for a in getattr(instance, field))
    if "vrrp.auth_ah" in names and instance.authentication and instance.authentication.type == "AH":
        changes["authentication"] = None
    if "vrrp.garp_extra" in names:
        changes["garp"] = _replace(instance.garp, extra_interval_us=0, extra_all=False)
    if "vrrp.routes" in names:
        changes["routes"] = ()
    if "vrrp.rules" in names:
        changes["rules"] = ()
    return _replace(instance, **changes) if changes else instance


def _untracked(names: frozenset[str]) -> dict[str, Any]:
    lists = {"track_file": "track_files", "track_process": "track_processes", "bfd": "track_bfds"}
    return {field: () for feature, field in lists.items() if feature in names}


def _server(server: VirtualServer, names: frozenset[str]) -> VirtualServer:
    changes: dict[str, Any] = {"real_servers": tuple(_real(r, names) for r in server.real_servers)}
    if "snmp" in names:
        changes["snmp_name"] = None
    return _replace(server, **changes)


def _real(real: RealServer, names: frozenset[str]) -> RealServer:
    checks = tuple(_check(c, names) for c in real.checkers if _CHECKS.get(type(c)) not in names)
    if checks == real.checkers and real.snmp_name is None:
        return real
    return _replace(real, checkers=checks, snmp_name=None if "snmp" in names else real.snmp_name)


def _check(check: Checker, names: frozenset[str]) -> Checker:
    if isinstance(check, HttpCheck) and "check.regex" in names:
        return _replace(check, urls=tuple(_replace(url, regex=None) for url in check.urls))
    return check
