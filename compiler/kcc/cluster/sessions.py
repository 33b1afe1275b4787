"""BFD sessions between directors (RFC 5880): whether both ends fit, and what it means when the other director goes away."""

from __future__ import annotations

from collections.abc import Iterator

from kcc.cluster.case import ClusterCase, Place, path_of
from kcc.cluster.routers import held
from kcc.diagnostics.model import Severity
from kcc.lower.scope import seconds, some
from kir.model import BfdInstance, SyncGroup, TrackedBfd, VrrpInstance

ANY_HOPS = -1

APART = 2
"""From which factor on detection times are worth a word."""


def _addresses(case: ClusterCase, d: int) -> frozenset[str]:
    """What is known of a director's own addresses: where its adverts and BFD packets come from, and the facts of its host."""
    director = case.directors[d]
    config = director.config
    found = {s.source for s in config.bfd_instances} | {director.source(i) for i in config.vrrp_instances}
    if director.facts is not None:
        found |= {a.address for i in director.facts.interfaces for a in i.addresses}
    virtual = {a for i in config.vrrp_instances for a in held(i)}
    return frozenset(a for a in found if a is not None and a not in virtual)


def _at(d: int, session: BfdInstance, field: str | None = None) -> Place:
    return d, f"bfd_instance/{session.name}", field


def unmatched_sessions(case: ClusterCase) -> None:
    """A session comes up when both ends send (RFC 5880 section 6.2): to each other, by the same port, within the hops allowed."""
    own = [_addresses(case, d) for d in range(len(case.directors))]
    done: set[tuple[int, str]] = set()
    for d, director in enumerate(case.directors):
        for session in director.config.bfd_instances:
            e = _whose(own, d, session.neighbor)
            if e is None or (d, session.name) in done:
                continue
            back = next((s for s in case.directors[e].config.bfd_instances if s.neighbor in own[d]), None)
            if back is None:
                if own[d] and not case.directors[e].incomplete:
                    _alone(case, d, session, e)
                continue
            done |= {(d, session.name), (e, back.name)}
            why = _misfit(session, back)
            if why is None:
                _detection(case, d, session, e, back)
            else:
                field, words, help_ = why
                case.say(
                    "KC1126",
                    f"`bfd_instance {back.name}` and `{session.name}` of {case.name(d)}: {words}",
                    _at(e, back, field),
                    (_at(d, session, field), f"the other end, in {case.name(d)}"),
                    consequence="the session never comes up: what tracks it counts as failed on both directors",
                    help=help_,
                )


def _whose(own: list[frozenset[str]], d: int, address: str) -> int | None:
    return next((e for e, addresses in enumerate(own) if e != d and address in addresses), None)


def _alone(case: ClusterCase, d: int, session: BfdInstance, e: int) -> None:
    config = case.directors[e].config
    places: list[tuple[Place, str]] = [
        ((e, path_of(i), None), f"{case.name(e)} has {session.neighbor}") for i in config.vrrp_instances[:1]
    ]
    if config.bfd_instances:
        places = [(_at(e, config.bfd_instances[0]), f"a session of {case.name(e)}")]
    case.say(
        "KC1126",
        f"`bfd_instance {session.name}`: {case.name(e)}, which has {session.neighbor}, has no session with {case.name(d)}",
        _at(d, session, "neighbor"),
        *places,
        consequence=f"nobody answers, unless another program on {case.name(e)} does: the session never comes up",
        help=f"add a `bfd_instance` to {case.name(e)} whose `neighbor_ip` is the address of {case.name(d)}",
        severity=Severity.WARNING,
    )


def _misfit(one: BfdInstance, other: BfdInstance) -> tuple[str | None, str, str] | None:
    """Field, what does not fit, and what to do; None where both ends fit."""
    if one.passive and other.passive:
        return (
            "passive",
            "both are `passive`",
            "remove `passive` from one of them: who is passive waits for the other",
        )
    if one.multihop != other.multihop:
        return (
            "multihop",
            "one is `multihop` and the other is not: they use different ports (3784 and 4784)",
            "write `multihop` on both, or on none",
        )
    for sender, receiver in ((one, other), (other, one)):
        if receiver.source is not None and sender.neighbor != receiver.source:
            return (
                "source",
                f"one sends to {sender.neighbor}, the other answers from {receiver.source}",
                "let the `source_ip` of each be the `neighbor_ip` of the other",
            )
        if receiver.max_hops != ANY_HOPS and sender.ttl + receiver.max_hops < receiver.ttl:
            return (
                "ttl",
                f"packets leave with ttl {sender.ttl}, and the other end drops what has less than "
                f"{receiver.ttl - receiver.max_hops}",
                "write the same `ttl` on both, and `max_hops` as far as they are apart",
            )
    return None


def _detection(case: ClusterCase, d: int, one: BfdInstance, e: int, other: BfdInstance) -> None:
    """How long each end takes to notice that the other is gone (RFC 5880 section 6.8.4); much apart is mostly a slip."""
    here = other.multiplier * max(one.min_rx_us, other.min_tx_us)
    there = one.multiplier * max(other.min_rx_us, one.min_tx_us)
    if max(here, there) < APART * min(here, there):
        return
    case.say(
        "KC1128",
        f"`bfd_instance {other.name}`: {case.name(e)} notices after {seconds(there)} that {case.name(d)} is gone, which notices the "
        f"reverse after {seconds(here)}",
        _at(e, other, "min_tx_us"),
        (_at(d, one, "min_tx_us"), f"the other end, in {case.name(d)}"),
        consequence=f"which director fails decides how long a takeover takes: {seconds(here)} or {seconds(there)}",
        help="write the same `min_tx`, `min_rx` and `multiplier` on both ends (the larger of one end's `min_rx` and the other's "
        "`min_tx` counts)",
    )


def sessions_to_each_other(case: ClusterCase) -> None:
    """An unweighted ``track_bfd`` of a session with the other director: when that one fails, this one goes to FAULT with it."""
    own = [_addresses(case, d) for d in range(len(case.directors))]
    for router in case.shared():
        for d, instance in router:
            sessions = {s.name: s for s in case.directors[d].config.bfd_instances}
            for path, item in _tracked(case, d, instance):
                session = sessions.get(item.name)
                e = None if session is None else _whose(own, d, session.neighbor)
                if session is None or item.weight or item.reverse or e is None or e not in router.members:
                    continue
                case.say(
                    "KC1127",
                    f"`{instance.name}` goes to FAULT when the session with {case.name(e)} (`{item.name}`) is down",
                    (d, f"{path}/track_bfd/{item.name}", None),
                    (_at(d, session, "neighbor"), f"{session.neighbor} is {case.name(e)}"),
                    consequence=f"when {case.name(e)} fails, {case.name(d)} gives up too: nobody holds "
                    f"{some(sorted(held(instance)) or ['the addresses'])}",
                    help="track a session with a router that both directors need, or give this one a weight",
                )


def _tracked(case: ClusterCase, d: int, instance: VrrpInstance) -> Iterator[tuple[str, TrackedBfd]]:
    group: SyncGroup | None = next(
        (g for g in case.directors[d].config.vrrp_sync_groups if g.name == instance.sync_group), None
    )
    for path, owner in ((path_of(instance), instance), (f"vrrp_sync_group/{instance.sync_group}", group)):
        if owner is not None:
            for item in owner.track_bfds:
                yield path, item
