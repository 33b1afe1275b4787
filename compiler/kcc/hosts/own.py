"""Interfaces of their own, VMACs and ipvlans: whether the host can carry them, and whether their names are free."""

from __future__ import annotations

from kcc.hosts.case import HostCase, path_of
from kcc.rules.rule import addresses
from kir.model import VrrpInstance

ETHERNET = 1
"""ARPHRD_ETHER (linux/if_arp.h)."""


def _wanted(instance: VrrpInstance) -> tuple[str, str, str] | None:
    """Field, kind and name of the interface that an instance has of its own."""
    if instance.vmac is not None:
        return "vmac", "macvlan", instance.vmac.name
    if instance.ipvlan is not None:
        return "ipvlan", "ipvlan", instance.ipvlan.name
    return None


def unable_links(case: HostCase) -> None:
    """Macvlans and ipvlans are made on Ethernet interfaces, by a kernel that has them (CONFIG_MACVLAN, CONFIG_IPVLAN)."""
    lacking: set[str] = set()
    for instance in case.config.vrrp_instances:
        wanted = _wanted(instance)
        if wanted is None:
            continue
        field, kind, _ = wanted
        held = addresses([v.address for v in instance.vips])
        interface = case.facts.interface(instance.interface)
        if interface is not None and interface.hardware not in (None, ETHERNET):
            what = "the loopback" if "loopback" in interface.flags else "no Ethernet interface"
            case.say(
                "KC1216",
                f"`{instance.name}`: {instance.interface} is {what}, and can carry no {kind}",
                path_of(instance),
                field,
                consequence=f"keepalived keeps the instance in FAULT: this director never holds {held}",
                help=f"remove `use_{field}`, or use another `interface`",
                also=((path_of(instance), "interface", "the interface"),),
            )
        has = case.facts.kernel.macvlan if kind == "macvlan" else case.facts.kernel.ipvlan
        if has is False and kind not in lacking:
            lacking.add(kind)
            case.say(
                "KC1216",
                f"`{instance.name}`: {case.host} cannot make a {kind} (kernel {case.facts.kernel.release})",
                path_of(instance),
                field,
                consequence=f"the instance stays in FAULT: this director never holds {held}",
                help=f"install the kernel package that has the module `{kind}`, or remove `use_{field}`",
            )


def taken_names(case: HostCase) -> None:
    """The name of a VMAC or ipvlan that the host has already: its own from an earlier run, or something else."""
    for instance in case.config.vrrp_instances:
        wanted = _wanted(instance)
        if wanted is None:
            continue
        field, kind, name = wanted
        there = case.facts.interface(name)
        if there is None:
            continue
        below = there.lower in (None, instance.interface)
        same = instance.vmac is None or there.mac.lower() == instance.vmac.mac.lower()
        if there.kind == kind and below and same:
            continue  # keepalived takes it over
        what = f"of kind {there.kind}" if there.kind else "of hardware"
        if there.kind == kind:
            what += f" on {there.lower}" if not below else f" with address {there.mac}"
            effect = "keepalived deletes it and makes it anew: what uses it now loses its link"
        else:
            effect = (
                f"keepalived takes another name: firewall rules, routes and trackers that name {name} miss it"
            )
        case.say(
            "KC1217",
            f"`{instance.name}`: {case.host} has an interface {name} already, {what}",
            path_of(instance),
            field,
            consequence=effect,
            help=f"write a name that is free: `use_{field} NAME`",
        )
