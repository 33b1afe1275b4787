"""Interfaces: whether they are there, which subnets they are in, and what fits into an advert."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_interface

from kcc.diagnostics.model import Severity
from kcc.hosts.case import HostCase, path_of, runs_here
from kcc.rules.rule import addresses
from kir.model import Route, VrrpInstance
from kir.model import Rule as RoutingRule

_HEADERS = {"inet": 20, "inet6": 40}
_AH_OCTETS = 24
_HMAC_OCTETS = 28
_OCTETS = {"inet": 4, "inet6": 16}


Wanted = tuple[str, str, str, str | None]
"""Who names it, the interface, path and field."""


def missing_interfaces(case: HostCase) -> None:
    """An interface that the host does not have. Without ``dynamic_interfaces`` keepalived refuses to start.

    Those that the configuration makes itself (VMACs, ipvlans) need not be there. One that is missing is said once for each who
    names it.
    """
    made = {own.name for i in case.config.vrrp_instances for own in (i.vmac, i.ipvlan) if own is not None}
    said: set[tuple[str, str]] = set()
    for who, name, path, field in (*_of_instances(case), *_of_the_rest(case)):
        if name not in made and (who, name) not in said:
            said.add((who, name))
            _expect(case, who, name, path, field)


def _of_instances(case: HostCase) -> Iterator[Wanted]:
    for instance in case.config.vrrp_instances:
        path, who = path_of(instance), f"`{instance.name}`"
        if instance.interface:
            yield who, instance.interface, path, "interface"
        for kind, vips in (
            ("virtual_ipaddress", instance.vips),
            ("virtual_ipaddress_excluded", instance.excluded_vips),
        ):
            for vip in vips:
                yield who, vip.device, f"{path}/{kind}/{vip.identity}", None
        for tracked in instance.track_interfaces:
            yield who, tracked.name, f"{path}/track_interface/{tracked.name}", None
        for name, at in _of_ways(
            f"{path}/virtual_routes", instance.routes, f"{path}/virtual_rules", instance.rules
        ):
            yield who, name, at, None
    for group in case.config.vrrp_sync_groups:
        for tracked in group.track_interfaces:
            at = f"vrrp_sync_group/{group.name}/track_interface/{tracked.name}"
            yield f"sync group `{group.name}`", tracked.name, at, None


def _of_the_rest(case: HostCase) -> Iterator[Wanted]:
    config = case.config
    for static in config.static_addresses:
        yield "static_ipaddress", static.device, f"static_ipaddress/{static.identity}", None
    for name, at in _of_ways("static_routes", config.static_routes, "static_rules", config.static_rules):
        yield at.partition("/")[0], name, at, None
    if config.global_defs.lvs_sync_daemon is not None:
        yield (
            "lvs_sync_daemon",
            config.global_defs.lvs_sync_daemon.interface,
            "global_defs",
            "lvs_sync_daemon",
        )


def _of_ways(
    routes_at: str, routes: Iterable[Route], rules_at: str, rules: Iterable[RoutingRule]
) -> Iterator[tuple[str, str]]:
    """The interfaces that routes and rules name, with the path of each."""
    for route in routes:
        for device in (route.device, route.vrf, *(hop.device for hop in route.nexthops)):
            if device:
                yield device, f"{routes_at}/{route.identity}"
    for rule in rules:
        for device in (rule.iif, rule.oif):
            if device:
                yield device, f"{rules_at}/{rule.identity}"


def _expect(case: HostCase, who: str, name: str, path: str, field: str | None) -> None:
    if case.facts.interface(name) is not None:
        return
    names = [i.name for i in case.facts.interfaces]
    dynamic = case.config.global_defs.dynamic_interfaces
    case.say(
        "KC1201",
        f"{who}: {case.host} has no interface `{name}`",
        path,
        field,
        consequence=("it stays in FAULT" if "`" in who else "it is not made") + " until the interface appears"
        if dynamic or case.target == "krun"
        else "keepalived refuses to start: no instance of this file runs on this host",
        help=f"the host has {', '.join(names) or 'none'}"
        + ("" if dynamic or case.target == "krun" else "; `dynamic_interfaces` allows one that comes later"),
        severity=Severity.WARNING if dynamic else None,
    )


def foreign_addresses(case: HostCase) -> None:
    """A virtual address in no subnet of its interface: neighbours there do not look for it on this link.

    With a prefix of its own an address brings a subnet along, but the hosts of that link are in another one.
    """
    virtual = case.virtual
    for instance in case.config.vrrp_instances:
        for kind, vips in (
            ("virtual_ipaddress", instance.vips),
            ("virtual_ipaddress_excluded", instance.excluded_vips),
        ):
            for vip in vips:
                interface = case.facts.interface(vip.device)
                if (
                    interface is None
                    or "loopback" in interface.flags
                    or ip_address(vip.address).is_link_local
                ):
                    continue
                real = [a for a in interface.addresses if a.family == vip.family and a.address not in virtual]
                subnets = [ip_interface(f"{a.address}/{a.prefix}").network for a in real if not a.link_local]
                subnets += [
                    ip_interface(f"{a.address}/{a.prefix}").network
                    for a in case.config.static_addresses
                    if a.device == vip.device and a.family == vip.family
                ]
                if not subnets or any(ip_address(vip.address) in net for net in subnets):
                    continue
                case.say(
                    "KC1202",
                    f"`{instance.name}`: {vip.address} is in no subnet of {vip.device} ({', '.join(map(str, subnets))})",
                    f"{path_of(instance)}/{kind}/{vip.identity}",
                    consequence="hosts of that link do not ask for it there: it is reached only where something routes it to this "
                    "director",
                    help="check the address and the interface (`dev NAME` after the address names another one)",
                )


def mute_interfaces(case: HostCase) -> None:
    """An interface from which adverts cannot leave: no address of the family, no multicast, or the loopback."""
    virtual = case.virtual
    for instance in case.config.vrrp_instances:
        interface = case.facts.interface(instance.interface)
        if interface is None:
            continue
        why = None
        if "loopback" in interface.flags and not instance.unicast:
            why = "is the loopback: no other director hears adverts on it"
        elif "multicast" not in interface.flags and not instance.unicast:
            why = "does no multicast: adverts cannot be sent on it"
        elif instance.source is None and not case.facts.source_address(
            instance.interface, instance.family, virtual
        ):
            kind = "link-local IPv6 address" if instance.family == "inet6" else "IPv4 address of its own"
            why = f"has no {kind}: adverts have no source address"
        if why is not None:
            case.say(
                "KC1203",
                f"`{instance.name}`: {instance.interface} {why}",
                path_of(instance),
                "interface",
                consequence="the instance stays in FAULT; this director never holds "
                f"{addresses([v.address for v in instance.vips])}"
                if "source" in why
                else "the directors do not hear each other: each is master",
                help="configure an address on the interface"
                if "source" in why
                else "use another `interface`, or `unicast_peer { … }`",
            )


def advert_octets(instance: VrrpInstance) -> int:
    """Size of an advert as an IP packet (RFC 3768 section 5.1, RFC 9568 section 5.1).

    Version 2 ends in eight octets of authentication data; an authentication header (RFC 2402) comes before it, keepalived's
    keyed hash behind.
    """
    authentication = 8 if instance.version == 2 and instance.family == "inet" else 0
    if instance.authentication is not None and instance.authentication.type == "AH":
        authentication += _AH_OCTETS
    if instance.hmac is not None and instance.hmac.mode != "receive-only":
        authentication += _HMAC_OCTETS
    return _HEADERS[instance.family] + 8 + len(instance.vips) * _OCTETS[instance.family] + authentication


def large_adverts(case: HostCase) -> None:
    """An advert is one packet; what is beyond the MTU of its interface is not sent in it."""
    for instance in case.config.vrrp_instances:
        interface = case.facts.interface(instance.interface)
        size = advert_octets(instance)
        if interface is None or not interface.mtu or size <= interface.mtu:
            continue
        over = -(-(size - interface.mtu) // _OCTETS[instance.family])
        case.say(
            "KC1204",
            f"`{instance.name}`: an advert with {len(instance.vips)} addresses has {size} octets, the MTU of "
            f"{instance.interface} is {interface.mtu}",
            path_of(instance),
            "interface",
            consequence="adverts cannot be sent: no other director hears this one, and all are master"
            if runs_here(case.target) == "krun"
            else f"keepalived treats the last {over} as `virtual_ipaddress_excluded`: peers see another list",
            help="keep one address in `virtual_ipaddress` and move the others to `virtual_ipaddress_excluded`",
        )
