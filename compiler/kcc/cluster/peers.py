"""Unicast peers: every director lists every other one, and not itself."""

from __future__ import annotations

from kcc.cluster.case import ClusterCase, Place, path_of, place
from kcc.cluster.routers import VirtualRouter, held
from kcc.lower.scope import some
from kir.model import VrrpInstance


def _unicast(case: ClusterCase) -> list[VirtualRouter]:
    return [r for r in case.shared() if all(i.unicast and i.peers for _, i in r)]


def _listed(instance: VrrpInstance) -> frozenset[str]:
    return frozenset(p.address for p in instance.peers)


def _peer(d: int, instance: VrrpInstance, address: str) -> Place:
    return d, f"{path_of(instance)}/unicast_peer/{address}", None


def _sources(case: ClusterCase, router: VirtualRouter) -> dict[int, str | None]:
    return {d: case.directors[d].source(i) for d, i in router}


def peer_missing(case: ClusterCase) -> None:
    """A director that is in nobody's list hears nothing of the master, and becomes one itself.

    Where the address of a director is not known (no `unicast_src_ip`, no facts), the number of peers still says whether all are
    there.
    """
    for router in _unicast(case):
        sources = _sources(case, router)
        for d, instance in router:
            missing = {
                e: s for e, s in sources.items() if e != d and s is not None and s not in _listed(instance)
            }
            for e, address in missing.items():
                other = router.members[e]
                case.say(
                    "KC1110",
                    f"`{instance.name}` does not list {address}, the address of {case.name(e)}, as a peer",
                    place(d, instance, None)
                    if not instance.peers
                    else _peer(d, instance, instance.peers[0].address),
                    (place(e, other, "source"), f"{case.name(e)} sends from {address}"),
                    consequence=f"{case.name(e)} never hears {case.name(d)}: it becomes master beside it, and "
                    f"{some(sorted(held(other)))} is on the link twice",
                    help=f"add {address} to `unicast_peer` of `{instance.name}`",
                )
            own = _listed(instance) - {sources[d] or ""}
            if not missing and len(own) < len(router.members) - 1:
                case.say(
                    "KC1110",
                    f"`{instance.name}` lists {len(own)} peer{'s' * (len(own) != 1)}, but {len(router.members) - 1} other directors "
                    "have this virtual router",
                    _peer(d, instance, instance.peers[0].address),
                    *((place(e, i), f"{case.name(e)}") for e, i in router if e != d),
                    consequence="a director that is not listed never hears this one, and becomes master beside it",
                    help="list every other director in `unicast_peer`",
                )


def own_address(case: ClusterCase) -> None:
    """Two directors with the same list of peers cannot both be right: one of them is in it.

    It follows where no director's own address is known, and no list is longer than the number of the others.
    """
    for router in _unicast(case):
        sources = _sources(case, router)
        seen: dict[frozenset[str], int] = {}
        for d, instance in router:
            peers = _listed(instance)
            if sources[d] is not None:
                continue
            first = seen.setdefault(peers, d)
            if first == d or len(peers) > len(router.members):
                continue
            case.say(
                "KC1111",
                f"`{instance.name}` lists the same peers as {case.name(first)}: {some(sorted(peers))}",
                _peer(d, instance, instance.peers[0].address),
                (
                    _peer(first, router.members[first], router.members[first].peers[0].address),
                    f"the list of {case.name(first)}",
                ),
                consequence="a director of this list is its own peer, or one is missing: where adverts do not arrive, both are master",
                help="list the other directors only, and give each instance its `unicast_src_ip`",
            )


def unknown_peer(case: ClusterCase) -> None:
    """A peer that is none of the directors: a typing error, or a director that is no longer there."""
    for router in _unicast(case):
        if len(router.members) < len(case.directors):
            continue
        sources = _sources(case, router)
        known = {s for s in sources.values() if s is not None}
        if len(known) < len(sources):
            continue
        for d, instance in router:
            for peer in instance.peers:
                if peer.address in known:
                    continue
                case.say(
                    "KC1112",
                    f"`{instance.name}`: peer {peer.address} is none of the directors",
                    _peer(d, instance, peer.address),
                    *(
                        (place(e, i, "source"), f"{case.name(e)} sends from {sources[e]}")
                        for e, i in router
                        if e != d
                    ),
                    consequence="adverts go to a host that is no director of this cluster; if it is a director, it was not checked",
                    help="remove the peer, or name its file as well",
                )
