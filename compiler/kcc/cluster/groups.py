"""Sync groups that differ: what fails over together on one director and apart on another."""

from __future__ import annotations

from kcc.cluster.case import ClusterCase, place
from kcc.lower.scope import some
from kir.model import SyncGroup


def groups_differ(case: ClusterCase) -> None:
    """Virtual routers that one director keeps together must be together on the others, whatever the groups are called."""
    router_of = {(d, i.name): n for n, router in enumerate(case.routers) for d, i in router}
    together: list[dict[int, SyncGroup]] = [{} for _ in case.directors]
    for d, director in enumerate(case.directors):
        for group in director.config.vrrp_sync_groups:
            for member in group.members:
                if (d, member) in router_of:
                    together[d][router_of[d, member]] = group
    said: set[tuple[int, int, frozenset[int]]] = set()
    for d, mine in enumerate(together):
        for group in {g.name: g for g in mine.values()}.values():
            ids = [r for r, g in mine.items() if g is group]
            for e, theirs in enumerate(together):
                known = [r for r in ids if e in case.routers[r].members]
                if e == d or len(known) < 2:
                    continue
                here = {theirs[r].name if r in theirs else None for r in known}
                if here != {None} and len(here) == 1:
                    continue
                key = (min(d, e), max(d, e), frozenset(known))
                if key in said:
                    continue
                said.add(key)
                _split(case, d, group, e, known, [r for r in known if r not in theirs] or known)


def _split(case: ClusterCase, d: int, group: SyncGroup, e: int, known: list[int], loose: list[int]) -> None:
    names = [f"`{case.routers[r].members[e].name}`" for r in known]
    case.say(
        "KC1119",
        f"{some(names)} change state together in {case.name(d)}, but not in {case.name(e)}",
        place(e, case.routers[loose[0]].members[e]),
        ((d, f"vrrp_sync_group/{group.name}", None), f"sync group `{group.name}` of {case.name(d)}"),
        consequence=f"one of them may fail over to {case.name(e)} alone: packets come in through one director and leave through the "
        "other",
        help=f"put {some(names)} into one `vrrp_sync_group` in {case.name(e)} too",
    )
