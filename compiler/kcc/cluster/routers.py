"""Which instances of different directors are one virtual router.

On the wire a virtual router is a VRID within a family and a link (RFC 9568 section 5.2.3), or within a set of unicast peers.
Names mean nothing there, and neither do interface names, which often differ from host to host. So instances with the same VRID
and family are paired by the best evidence: addresses in common, then the name, the interface, the destination of the adverts;
where host facts say that two interfaces have no subnet in common, they are on different links.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from kcc.cluster.director import Director
from kir.model import VrrpInstance


@dataclass(slots=True)
class VirtualRouter:
    """A virtual router and who takes part in it: index of the director → its instance, in the directors' order."""

    vrid: int
    family: str
    members: dict[int, VrrpInstance] = field(default_factory=dict)

    def __iter__(self) -> Iterator[tuple[int, VrrpInstance]]:
        return iter(self.members.items())

    @property
    def first(self) -> VrrpInstance:
        return next(iter(self.members.values()))


def held(instance: VrrpInstance) -> frozenset[str]:
    """All addresses that the instance puts on its interfaces."""
    return frozenset(vip.address for vip in (*instance.vips, *instance.excluded_vips))


def apart(one: Director, instance: VrrpInstance, other: Director, rival: VrrpInstance) -> bool:
    """Whether the facts of both hosts say that the instances are on different links."""
    here, there = one.subnets(instance), other.subnets(rival)
    return bool(here) and bool(there) and here.isdisjoint(there)


def evidence(one: Director, a: VrrpInstance, other: Director, b: VrrpInstance) -> int:
    """How much speaks for ``a`` and ``b`` being one virtual router; 0 or less: they are not."""
    if (a.family, a.vrid) != (b.family, b.vrid) or apart(one, a, other, b):
        return 0
    shared = not held(a).isdisjoint(held(b))
    named = a.name == b.name
    if held(a) and held(b) and not shared and not named:
        return 0
    if a.unicast and b.unicast and not shared and not named and not _hear(one, a, other, b):
        return 0
    return (
        1
        + 16 * shared
        + 8 * named
        + 4 * (a.interface == b.interface)
        + 2 * (a.unicast == b.unicast)
        + (a.group == b.group)
    )


def _hear(one: Director, a: VrrpInstance, other: Director, b: VrrpInstance) -> bool:
    """Whether one of two unicast instances sends to the other, or both to a third."""
    to_a, to_b = {p.address for p in a.peers}, {p.address for p in b.peers}
    return other.source(b) in to_a or one.source(a) in to_b or not to_a.isdisjoint(to_b)


def match(directors: Sequence[Director]) -> list[VirtualRouter]:
    """The virtual routers of a cluster, in the order of their first appearance."""
    routers: list[VirtualRouter] = []
    for n, director in enumerate(directors):
        offers: list[tuple[int, int, int]] = []
        mine = director.config.vrrp_instances
        known = list(routers)
        index: dict[tuple[int, str], list[int]] = {}
        for r, router in enumerate(known):
            index.setdefault((router.vrid, router.family), []).append(r)
        for i, instance in enumerate(mine):
            for r in index.get((instance.vrid, instance.family), ()):
                score = max(evidence(directors[d], other, director, instance) for d, other in known[r])
                if score > 0:
                    offers.append((-score, r, i))
        placed: set[int] = set()
        for _, r, i in sorted(offers):
            if i not in placed and n not in known[r].members:
                known[r].members[n] = mine[i]
                placed.add(i)
        for i, instance in enumerate(mine):
            if i not in placed:
                routers.append(VirtualRouter(instance.vrid, instance.family, {n: instance}))
    return routers


def rivals(routers: Iterable[VirtualRouter]) -> Iterator[tuple[VirtualRouter, VirtualRouter]]:
    """Pairs of ``routers`` that no director has both of: what could have been one."""
    done: list[VirtualRouter] = []
    for router in routers:
        for earlier in done:
            if earlier.members.keys().isdisjoint(router.members):
                yield earlier, router
        done.append(router)
