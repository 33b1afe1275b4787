"""Rules about virtual routers beside each other."""

from __future__ import annotations

from kcc.diagnostics.model import Severity
from kcc.rules.rule import Case, addresses
from kir.model import VrrpInstance

LINK_LOCAL = ("fe8", "fe9", "fea", "feb")
"""How the addresses of fe80::/10 begin."""


def _path(instance: VrrpInstance) -> str:
    return f"vrrp_instance/{instance.name}"


def duplicate_vrid(case: Case) -> None:
    """Two instances with one virtual_router_id hear each other's adverts as their own.

    The id counts within a family, an interface and a multicast group (RFC 9568 section 5.2.3); unicast instances meet where
    they have a peer in common and not different source addresses. keepalived refuses to start; with ``dynamic_interfaces
    allow_if_changes`` it lets one wait until a virtual link below it has changed, and which links are virtual no text shows.
    """
    multicast: dict[tuple[object, ...], VrrpInstance] = {}
    unicast: dict[tuple[object, ...], list[VrrpInstance]] = {}
    for instance in case.config.vrrp_instances:
        if instance.unicast:
            rivals = unicast.setdefault((instance.family, instance.vrid), [])
            first = next((other for other in rivals if _meet(instance, other)), None)
            rivals.append(instance)
        else:
            key = (instance.family, instance.vrid, instance.interface, instance.group)
            first = multicast.setdefault(key, instance)
        if first is None or first is instance:
            continue
        where = f"on {instance.interface}" if not instance.unicast else "with a peer in common"
        held = addresses([vip.address for vip in (*first.vips, *instance.vips)])
        effect = f"keepalived refuses to start; this director never holds {held}"
        changing = not instance.unicast and case.config.global_defs.allow_if_changes
        if changing:
            effect = (
                f"keepalived keeps one of the two in FAULT where {instance.interface} is a virtual link (a VLAN, a bond …), "
                "and refuses to start where it is a network card"
            )
        case.say(
            "KC0503",
            f"`{instance.name}` and `{first.name}` both use virtual_router_id {instance.vrid} {where}",
            _path(instance),
            "vrid",
            consequence=effect,
            help=f"pick another id for one of them ({_free(case, instance)} is free in this file); "
            "all directors of an instance share its id",
            also=((_path(first), "vrid", f"`{first.name}` has it first"),),
            severity=Severity.WARNING if changing else None,
        )


def _meet(one: VrrpInstance, other: VrrpInstance) -> bool:
    if one.source and other.source and one.source != other.source:
        return False
    if one.interface and other.interface and one.interface != other.interface:
        return False
    return not {p.address for p in one.peers}.isdisjoint({p.address for p in other.peers})


def _free(case: Case, instance: VrrpInstance) -> int:
    taken = {other.vrid for other in case.config.vrrp_instances}
    return next((n for n in (*range(instance.vrid, 256), *range(1, 256)) if n not in taken), instance.vrid)


def address_in_two_instances(case: Case) -> None:
    """An address that two instances hold goes when either of them becomes backup, though the other is still master.

    Members of one sync group change together, so they may share one. On two interfaces an address is there twice, and each
    instance removes its own; a link-local one (RFC 4291 section 2.5.6) means another host on each link anyway.
    """
    holder: dict[str, tuple[VrrpInstance, str]] = {}
    for instance in case.config.vrrp_instances:
        for kind, list_ in (
            ("virtual_ipaddress", instance.vips),
            ("virtual_ipaddress_excluded", instance.excluded_vips),
        ):
            for vip in list_:
                key = f"{vip.address}%{vip.device}" if vip.address.startswith(LINK_LOCAL) else vip.address
                first, device = holder.setdefault(key, (instance, vip.device))
                if first is instance or (first.sync_group and first.sync_group == instance.sync_group):
                    continue
                case.say(
                    "KC0507",
                    f"{vip.address} is an address of `{instance.name}` and of `{first.name}`",
                    f"{_path(instance)}/{kind}/{vip.identity}",
                    consequence="when one of them becomes backup it removes the address, also where the other is master"
                    if vip.device == device
                    else "two directors may hold it at once, one on each link: which of them is reached is chance",
                    help="keep it in one instance, or put both into one `vrrp_sync_group`",
                    also=((_path(first), None, f"`{first.name}` holds it too"),),
                )


def silent_addresses(case: Case) -> None:
    """Strict mode without ``accept`` drops packets to the virtual addresses: the classic "VIP does not answer ping".

    RFC 9568 section 6.1 makes Accept_Mode false the default; keepalived applies it only in strict mode, where firewall rules
    drop what comes to the addresses, and with it every service of the director itself.
    """
    mute = [i for i in case.config.vrrp_instances if i.strict and not i.accept and not i.owner and i.vips]
    general: list[VrrpInstance] = []
    for instance in mute:
        path = _path(instance)
        if case.lowered.said(path, "accept"):
            continue  # `no_accept`, or an `accept` that could not be granted: that was said where it stands
        if not case.lowered.said(path, "strict") and case.lowered.said("global_defs", "vrrp_strict"):
            general.append(instance)
            continue
        _mute(case, [instance], path, "strict")
    if general:
        _mute(case, general, "global_defs", "vrrp_strict")


def _mute(case: Case, instances: list[VrrpInstance], path: str, field: str) -> None:
    names = [f"`{i.name}`" for i in instances]
    who = (
        names[0]
        if len(names) == 1
        else f"{names[0]} and {len(names) - 1} other{'s' if len(names) > 2 else ''}"
    )
    held = addresses([vip.address for i in instances for vip in i.vips])
    version2 = all(i.version == 2 for i in instances)
    case.say(
        "KC0515",
        f"strict mode: the addresses of {who} will not answer",
        path,
        field,
        consequence=f"packets to {held} are dropped on the master: no ping, and no service of the director itself",
        help="switch strict mode off"
        if version2
        else "add `accept` to the instance (version 3), or switch strict mode off",
    )


def own_address_among_peers(case: Case) -> None:
    """A director that lists itself as a peer sends adverts to itself, and hears a rival of its own priority."""
    for instance in case.config.vrrp_instances:
        if instance.source is None:
            continue
        for peer in instance.peers:
            if peer.address == instance.source:
                case.say(
                    "KC0522",
                    f"`{instance.name}` lists its own address {peer.address} as a peer",
                    f"{_path(instance)}/unicast_peer/{peer.address}",
                    consequence="it gets its own adverts; the other director may be the one that is missing from the list",
                    help="list the other directors only",
                    also=((_path(instance), "source", "its own address"),),
                )
