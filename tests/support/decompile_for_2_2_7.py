"""Configurations of `support.decompile_configs` as keepalived 2.2.7 can have them, on a machine that is no director."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from kir.model import Address, Checker, Config, Files, Global, HttpCheck, Route, Rule, VrrpInstance
from support.decompile_routing import TABLE_NAMES, TIMES
from support.decompile_words import SECOND


def plain(config: Config) -> Config:
    """``config`` with ordinary names, and with VRIDs that differ: what keepalived 2.2.7 reads without a quirk of its own.

    (It undoes escapes in commands twice, and takes a quoted brace for a brace.)
    """
    raw = msgspec.to_builtins(config)
    for number, instance in enumerate(raw["vrrp_instances"], 1):
        instance["vrid"] = number
        if instance["authentication"] is not None:
            instance["authentication"]["password"]["secret"] = f"secret{number}"
    for group in raw["vrrp_sync_groups"]:
        group[
            "track_interfaces"
        ] = []  # keepalived wants an interface in the group or in a member, not in both
    return msgspec.convert(_plain(raw), Config)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: key != "supplementary" and _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if value in TABLE_NAMES:
        return 7  # the director's iproute2 files know none of them
    if isinstance(value, str):
        return re.sub(r"[^][A-Za-z0-9_./: %,@=+-]", lambda m: f"_{ord(m.group()):x}", value)
    return value


def without_news(config: Config) -> Config:
    """``config`` without what keepalived 2.2.7 does not know yet."""
    replace = msgspec.structs.replace

    def check(c: Checker) -> Checker:
        if not isinstance(c, HttpCheck):
            return c
        named = all(u.sni == u.host for u in c.urls)
        urls = tuple(replace(u, tls_compliant=False, sni=u.host if named else None) for u in c.urls)
        return replace(c, urls=urls)

    def whole_seconds(us: int) -> int:
        return max(us // SECOND, 1) * SECOND

    return replace(
        config,
        global_defs=_old_globals(config.global_defs),
        garp_groups=tuple(
            replace(
                g,
                arp_interval_us=min(g.arp_interval_us, 2**31 - 1),
                na_interval_us=min(g.na_interval_us, 2**31 - 1),
            )
            for g in config.garp_groups
        ),
        static_routes=tuple(map(_old_route, config.static_routes)),
        static_rules=tuple(map(_old_rule, config.static_rules)),
        bfd_instances=tuple(replace(b, multihop=False) for b in config.bfd_instances),
        vrrp_scripts=tuple(
            replace(s, interval_us=whole_seconds(s.interval_us), timeout_us=whole_seconds(s.timeout_us))
            for s in config.vrrp_scripts
        ),
        vrrp_instances=tuple(
            replace(
                i,
                v3_checksum_as_v2=False,
                timer_expired_backup=None,
                owner_ignore_adverts=i.owner and i.strict,
                hmac=None,
                routes=tuple(map(_old_route, i.routes)),
                rules=tuple(map(_old_rule, i.rules)),
                linkbeat=False,
                **_old_link(i),
                **(
                    {}
                    if i.peers
                    else {
                        "unicast": False,
                        "unicast_ttl": None,
                        "check_unicast_src": False,
                        "fault_no_peer": False,
                        "old_unicast_checksum": "auto",
                    }
                ),
                vips=_old_vips(i),
            )
            for i in config.vrrp_instances
        ),
        virtual_servers=tuple(
            replace(
                v,
                real_servers=tuple(
                    replace(r, weight=max(r.weight, 1), checkers=tuple(map(check, r.checkers)))
                    for r in v.real_servers
                ),
            )
            for v in config.virtual_servers
        ),
    )


def _old_route(r: Route) -> Route:
    """Without ways of the other family, which only krun takes; watched only with an interface of its own."""
    replace = msgspec.structs.replace
    strange = any(h.via is not None and (":" in h.via) != (r.family == "inet6") for h in r.nexthops)
    return replace(
        r,
        nexthops=() if strange else r.nexthops,
        metrics=tuple(replace(m, value=m.value // 1000 * 1000) if m.name in TIMES else m for m in r.metrics),
        **({} if r.device is not None else {"track": False, "track_group": None}),
    )


def _old_rule(r: Rule) -> Rule:
    """The word for a family misleads every release; only krun takes it."""
    if r.family == "inet" or r.source or r.destination:
        return r
    return msgspec.structs.replace(r, source="::/0")


def _old_vips(i: VrrpInstance) -> tuple[Address, ...]:
    """At least one, and for IPv6 a link-local one first (RFC 9568 section 5.2.9)."""
    if i.family == "inet" and i.vips:
        return i.vips
    v6 = i.family == "inet6"
    own = Address(
        address="fe80::99" if v6 else "10.99.0.1",
        prefix=64 if v6 else 8,
        device=i.interface or "eth0",
        family=i.family,
        nodad=v6,
    )
    return (own, *i.vips)


def _old_link(i: VrrpInstance) -> dict[str, Any]:
    """The interface of its own: without link groups, unusual addresses, and what keepalived complains about."""
    replace = msgspec.structs.replace
    vmac, ipvlan = i.vmac, i.ipvlan
    if vmac is not None:
        octet = "01" if i.family == "inet" else "02"
        vmac = replace(vmac, group=None, netlink_notify=False, mac=f"00:00:5e:00:{octet}:{i.vrid:02x}")
    if ipvlan is not None:
        unusable = i.unicast or i.fault_no_peer or ipvlan.address is None
        ipvlan = None if unusable else replace(ipvlan, group=None)
    alone = not i.interface and not i.peers  # its peers were its excuse for having no interface
    return {
        **({"interface": "eth0", "vrf": None} if alone else {}),
        "promote_secondaries": i.promote_secondaries and ipvlan is None,
        "vmac": vmac,
        "ipvlan": ipvlan,
        "xmit_base": i.xmit_base and not i.strict,
    }


def _old_globals(g: Global) -> Global:
    replace = msgspec.structs.replace
    return replace(
        g,
        delay_after_boot_us=0,
        use_symlink_paths=False,
        iptables=None,
        disable_local_igmp=False,
        vrrp_process=replace(g.vrrp_process, cpus=()),
        checker_process=replace(g.checker_process, cpus=()),
        bfd_process=replace(g.bfd_process, cpus=()),
        set_supplementary_groups=False,
        files=Files(tmp_config_dir=g.files.tmp_config_dir),
        snmp=replace(g.snmp, vs_stats_interval_us=5 * SECOND, rs_stats_interval_us=5 * SECOND),
        dbus=None if g.dbus is None else replace(g.dbus, interface_names=True),
    )
