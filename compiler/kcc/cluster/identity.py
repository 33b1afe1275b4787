"""One router under two ids, two routers under one id, a router that only one director knows."""

from __future__ import annotations

from kcc.cluster.case import ClusterCase, place
from kcc.cluster.routers import VirtualRouter, apart, held, rivals
from kcc.diagnostics.model import Severity
from kcc.lower.scope import some
from kir.model import VrrpInstance


def _partial(case: ClusterCase) -> list[VirtualRouter]:
    return [r for r in case.routers if len(r.members) < len(case.directors)]


def ids_differ(case: ClusterCase) -> None:
    """Two directors hold the same address under different virtual_router_ids: they never hear each other."""
    by_address: dict[str, list[VirtualRouter]] = {}
    for router in _partial(case):
        for address in sorted(set().union(*(held(i) for _, i in router))):
            by_address.setdefault(address, []).append(router)
    said: set[tuple[int, int]] = set()
    for routers in by_address.values():
        for one, other in rivals(routers):
            if (id(one), id(other)) in said or one.family != other.family or one.vrid == other.vrid:
                continue
            said.add((id(one), id(other)))
            (a, mine), (b, its) = next(iter(one)), next(iter(other))
            if apart(case.directors[a], mine, case.directors[b], its):
                continue
            case.misnumbered.update((d, i.name) for router in (one, other) for d, i in router)
            both = some(sorted(held(mine) & held(its)) or sorted(held(mine)))
            case.say(
                "KC1101",
                f"`{its.name}` holds {both} under virtual_router_id {its.vrid}, but {case.name(a)} under {mine.vrid}",
                place(b, its, "vrid"),
                (place(a, mine, "vrid"), f"{mine.vrid} in {case.name(a)}"),
                consequence=f"neither director hears the other: both are master, and {both} is on the link twice",
                help="give both instances the same `virtual_router_id`",
            )


def id_shared(case: ClusterCase) -> None:
    """Two different virtual routers with one id on one link: each takes the other's adverts for its own.

    Nothing says which links the interfaces are on but the facts of the hosts; without them one link is assumed, and where the
    interfaces have different names that is said.
    """
    by_id: dict[tuple[str, int], list[VirtualRouter]] = {}
    for router in _partial(case):
        by_id.setdefault((router.family, router.vrid), []).append(router)
    for routers in by_id.values():
        for one, other in rivals(routers):
            for (a, mine), (b, its) in ((x, y) for x in one for y in other):
                if _meet(case, a, mine, b, its):
                    _shared(case, a, mine, b, its)
                    break


def _meet(case: ClusterCase, a: int, mine: VrrpInstance, b: int, its: VrrpInstance) -> bool:
    if mine.unicast != its.unicast:
        return False
    if mine.unicast:
        return case.directors[b].source(its) in {p.address for p in mine.peers} or case.directors[a].source(
            mine
        ) in {p.address for p in its.peers}
    return mine.group == its.group and not apart(case.directors[a], mine, case.directors[b], its)


def _shared(case: ClusterCase, a: int, mine: VrrpInstance, b: int, its: VrrpInstance) -> None:
    one_link = mine.interface == its.interface or mine.unicast
    known = all(case.directors[d].subnets(i) for d, i in ((a, mine), (b, its)))
    certain = one_link or known
    case.misnumbered.update(((a, mine.name), (b, its.name)))
    case.say(
        "KC1102",
        f"`{its.name}` uses virtual_router_id {its.vrid}, which is that of `{mine.name}` in {case.name(a)}, another router",
        place(b, its, "vrid"),
        (place(a, mine, "vrid"), f"`{mine.name}` of {case.name(a)}"),
        consequence=("" if certain else f"if {mine.interface} and {its.interface} are on one link, ")
        + f"each takes the other's adverts for its own: only one of them is master, and nobody holds {_lost(mine, its)}",
        help=f"give `{its.name}` an id that no router of this link has"
        + ("" if certain else ", or check with `--host`"),
        severity=None if certain else Severity.WARNING,
    )


def _lost(mine: VrrpInstance, its: VrrpInstance) -> str:
    loser = its if its.priority <= mine.priority else mine
    return some(sorted(held(loser)))


def lonely_router(case: ClusterCase) -> None:
    """A virtual router that one director alone has is not redundant: nobody takes over."""
    if any(d.incomplete for d in case.directors):
        return
    for router in _partial(case):
        (d, instance), *more = router
        if more or (d, instance.name) in case.misnumbered:
            continue
        others = [case.name(n) for n in range(len(case.directors)) if n != d]
        case.say(
            "KC1103",
            f"only {case.name(d)} has virtual router {instance.vrid} (`{instance.name}`)",
            place(d, instance),
            consequence=f"when this director fails, nobody takes over {some(sorted(held(instance)))}",
            help=f"add the instance to {some(others)}, with the same id and addresses and another priority",
        )
