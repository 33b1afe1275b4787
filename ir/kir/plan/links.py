"""Which interfaces of their own the instances have, and the way there: VMACs (macvlan) and ipvlans.

They are there whatever the state of the instance. Those that single addresses ask for get their names at run time.
"""

from __future__ import annotations

from kir.link_state import LinkKey, LinkParams, LinkTable
from kir.model import Config, VrrpInstance
from kir.plan.operations import AddLink, DelLink, EditLink, Impact, LinkOperation

IN_PLACE = frozenset({"instance", "mac", "group"})


def desired_links(config: Config) -> LinkTable:
    """The interfaces that ``config`` wants made."""
    table: LinkTable = {}
    for instance in config.vrrp_instances:
        table |= _links(instance)
    return table


def _links(instance: VrrpInstance) -> LinkTable:
    table: LinkTable = {}
    vmac, ipvlan = instance.vmac, instance.ipvlan
    if vmac is not None:
        table[LinkKey("macvlan", instance.interface, vmac.name)] = LinkParams(
            instance.name, vmac.mac, vmac.group
        )
    if ipvlan is not None:
        table[LinkKey("ipvlan", instance.interface, ipvlan.name)] = LinkParams(
            instance.name,
            group=ipvlan.group,
            mode=ipvlan.mode,
            address=ipvlan.address,
            prefix=ipvlan.prefix,
        )
    for address in (*instance.vips, *instance.excluded_vips):
        own = vmac is not None and address.device == instance.interface
        if (address.use_vmac or instance.vmac_addresses) and not own:
            key = LinkKey("macvlan", address.device, None, instance.vrid, address.family)
            table[key] = LinkParams(instance.name)
    return table


def plan_links(have: LinkTable, want: LinkTable) -> list[LinkOperation]:
    """The operations that turn ``have`` into ``want``, new interfaces first."""
    adds: list[LinkOperation] = []
    edits: list[LinkOperation] = []
    removes: list[LinkOperation] = []
    for key, params in want.items():
        old = have.get(key)
        if old is None:
            adds.append(_add(key, params))
            continue
        fields = tuple(f for f in LinkParams.__struct_fields__ if getattr(old, f) != getattr(params, f))
        if set(fields) <= {"instance"}:
            continue  # whose it is, is not the kernel's business
        if set(fields) <= IN_PLACE:
            edits.append(
                EditLink(
                    key=key,
                    params=params,
                    fields=tuple(f for f in fields if f != "instance"),
                    impact=Impact.HITLESS,
                    reason="changed in place",
                )
            )
        else:
            edits.append(
                DelLink(
                    key=key,
                    params=old,
                    impact=Impact.FAILOVER,
                    reason=f"the kernel cannot change {', '.join(fields)} of an interface in place",
                )
            )
            edits.append(_add(key, params))
    for key, old in have.items():
        if key not in want:
            removes.append(
                DelLink(key=key, params=old, impact=Impact.HITLESS, reason="nothing is on it any more")
            )
    return adds + edits + removes


def _add(key: LinkKey, params: LinkParams) -> AddLink:
    return AddLink(key=key, params=params, impact=Impact.HITLESS, reason="a new interface")
