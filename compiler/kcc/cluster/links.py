"""What directors do with their interfaces: virtual MAC addresses, static addresses, virtual routes."""

from __future__ import annotations

from kcc.cluster.case import ClusterCase, odd_ones, path_of, place
from kcc.cluster.routers import held
from kcc.lower.scope import some
from kir.model import VrrpInstance
from kir.model.route import RT_TABLE_MAIN


def virtual_macs(case: ClusterCase) -> None:
    """With a VMAC the addresses keep their MAC address at a failover (RFC 9568 section 7.3), if all directors have the same one.

    An ipvlan has the MAC address of the interface below it.
    """
    for router in case.shared():
        leader, odd = odd_ones({d: _mac(i) for d, i in router})
        model = router.members[leader]
        for d in odd:
            instance = router.members[d]
            case.say(
                "KC1124",
                f"`{instance.name}`: {_words(instance)}, but {_words(model)} in {case.name(leader)}",
                place(d, instance, "vmac"),
                (place(leader, model, "vmac"), f"{_words(model)} in {case.name(leader)}"),
                consequence=f"the MAC address of {some(sorted(held(instance)) or ['the addresses'])} changes at a failover: hosts "
                "reach the old director until a gratuitous ARP is heard, or their cache runs out",
                help="write the same `use_vmac` in all files, or in none",
            )


def _mac(instance: VrrpInstance) -> str | None:
    return None if instance.vmac is None else instance.vmac.mac.lower()


def _words(instance: VrrpInstance) -> str:
    mac = _mac(instance)
    return "no VMAC" if mac is None else f"a VMAC with address {mac}"


def static_elsewhere(case: ClusterCase) -> None:
    """A static address of one director that another one has too, as a virtual or as a static one.

    Not on the loopback and on dummy interfaces: there an address may be on many hosts, and real servers have it so.
    """
    virtual: dict[str, list[tuple[int, VrrpInstance]]] = {}
    for d, director in enumerate(case.directors):
        for instance in director.config.vrrp_instances:
            for address in held(instance):
                virtual.setdefault(address, []).append((d, instance))
    first: dict[str, tuple[int, str]] = {}
    for d, director in enumerate(case.directors):
        for static in director.config.static_addresses:
            if static.device.startswith(("lo", "dummy")) or static.address.lower().startswith("fe80:"):
                continue
            at = (d, f"static_ipaddress/{static.identity}", None)
            holders = virtual.get(static.address, [])
            if holders:
                e, instance = next(((e, i) for e, i in holders if e != d), holders[0])
                if all(x != d for x, _ in holders):  # one that is both in the same file was said there
                    case.say(
                        "KC1125",
                        f"{static.address} is a static address of {case.name(d)}, and a virtual one of {case.name(e)}",
                        at,
                        ((e, path_of(instance), None), f"`{instance.name}` of {case.name(e)} holds it"),
                        consequence=f"while {case.name(e)} is master the address is on the link twice",
                        help="remove it from one of the two files",
                    )
                continue
            seen = first.setdefault(static.address, (d, static.identity))
            if seen[0] == d:
                continue
            case.say(
                "KC1125",
                f"{static.address} is a static address of {case.name(d)}, and of {case.name(seen[0])}",
                at,
                ((seen[0], f"static_ipaddress/{seen[1]}", None), f"{case.name(seen[0])} has it"),
                consequence="both directors have it all the time: hosts reach now the one, now the other",
                help="make it a virtual address, or give each director one of its own",
            )


def virtual_routes(case: ClusterCase) -> None:
    """Routes and rules that come with the addresses must come on every director; interfaces and gateways may differ."""
    for router in case.shared():
        have = {d: _ways(i) for d, i in router}
        for d, instance in router:
            lost: dict[str, int] = {}
            for e in have:
                for name in have[e]:
                    if name not in have[d]:
                        lost.setdefault(name, e)
            if not lost or case.directors[d].incomplete:
                continue
            first = next(iter(lost))
            e = lost[first]
            names = some(list(lost))
            case.say(
                "KC1129",
                f"`{instance.name}` lacks {names}, which `{router.members[e].name}` of {case.name(e)} has",
                place(d, instance),
                ((e, f"{path_of(router.members[e])}/{have[e][first]}", None), f"{first} in {case.name(e)}"),
                consequence=f"while {case.name(d)} is master packets take another way, or none",
                help=f"add {'it' if len(lost) == 1 else 'them'} to {case.name(d)}, with its own gateway and interface",
            )


def _ways(instance: VrrpInstance) -> dict[str, str]:
    """Routes and rules in words, without what may be different on each host; with the path of each in its instance."""
    found = {}
    for route in instance.routes:
        table = route.vrf or route.table
        where = "" if table == RT_TABLE_MAIN else f" in table {table}"
        found[f"the route to {route.destination}{where}"] = f"virtual_routes/{route.identity}"
    for rule in instance.rules:
        words = [
            f"{word} {value}" for word, value in (("from", rule.source), ("to", rule.destination)) if value
        ]
        does = f"table {rule.table}" if rule.table is not None else rule.action
        found[f"the {rule.family} rule `{' '.join([*words, does])}`"] = f"virtual_rules/{rule.identity}"
    return found
