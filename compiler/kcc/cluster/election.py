"""Who shall be master: priorities, owners, first states, preemption."""

from __future__ import annotations

from kcc.cluster.case import ClusterCase, place
from kcc.cluster.routers import held
from kcc.diagnostics.model import Severity
from kcc.lower.scope import some
from kir.model import VrrpInstance


def two_owners(case: ClusterCase) -> None:
    """Priority 255 is the address owner's, of whom there is one (RFC 9568 section 5.2.4)."""
    for router in case.shared():
        owners = [d for d, i in router if i.owner]
        for d in owners[1:]:
            instance, first = router.members[d], router.members[owners[0]]
            case.say(
                "KC1114",
                f"`{instance.name}` has priority 255, and so has `{first.name}` of {case.name(owners[0])}",
                place(d, instance, "priority"),
                (place(owners[0], first, "priority"), f"{case.name(owners[0])} owns the addresses"),
                consequence=f"both start as master and fight: {some(sorted(held(instance)))} is on the link twice until one gives way",
                help="give 255 to the one director whose interface has the address, or to none; 254 is the highest for the rest",
            )


def equal_priorities(case: ClusterCase) -> None:
    """With equal priorities the higher source address wins, and nobody chose that (RFC 9568 section 6.4.3).

    Where all have ``nopreempt`` that may be meant: whoever is master stays.
    """
    for router in case.shared():
        calm = all(i.nopreempt for _, i in router)
        first: dict[int, int] = {}
        for d, instance in router:
            e = first.setdefault(instance.priority, d)
            if e == d or instance.owner:
                continue
            case.say(
                "KC1113",
                f"`{instance.name}` has priority {instance.priority}, and so has `{router.members[e].name}` of {case.name(e)}",
                place(d, instance, "priority"),
                (place(e, router.members[e], "priority"), f"{case.name(e)}"),
                consequence="whoever starts first is master; when both are, the higher source address decides",
                help="give each director a priority of its own"
                + ("; `nopreempt` keeps whoever is master, with different priorities too" if calm else ""),
                severity=Severity.NOTE if calm else None,
            )


def first_states(case: ClusterCase) -> None:
    """``state MASTER`` shortens the first timer to one interval: it belongs to the director with the highest priority alone."""
    for router in case.shared():
        eager = {d: i for d, i in router if i.initial_state == "MASTER" and not i.owner}
        if not eager:
            continue
        best = max(router.members.items(), key=lambda item: item[1].priority)
        for d, instance in eager.items():
            if instance.priority == best[1].priority:
                continue  # the highest, or as high as it (which was said)
            both = best[1].initial_state == "MASTER"
            case.say(
                "KC1115",
                f"`{instance.name}` says `state MASTER`, but {case.name(best[0])} has the higher priority "
                f"{best[1].priority}" + (", and says it too" if both else ""),
                place(d, instance, "initial_state"),
                (place(best[0], best[1], "priority"), f"{best[1].priority} in {case.name(best[0])}"),
                consequence="at start this director takes over after one advert interval, and loses the addresses again to "
                f"{case.name(best[0])}" + _stays(best[1]),
                help=f"write `state BACKUP` here; the priority alone ({instance.priority}) says who is master",
            )


def _stays(best: VrrpInstance) -> str:
    if not best.nopreempt:
        return ": one failover more than needed"
    return " only when it fails: `nopreempt` there keeps the wrong director master"


def nopreempt_without_effect(case: ClusterCase) -> None:
    """``nopreempt`` acts where the priority is the higher one: only there is anybody to preempt."""
    for router in case.shared():
        ranked = sorted(router.members.items(), key=lambda item: -item[1].priority)
        d, best = ranked[0]
        if best.nopreempt or best.owner or best.priority == ranked[1][1].priority:
            continue
        if len(ranked) > 2 and any(i.nopreempt for _, i in ranked[1:-1]):
            continue  # it acts between those that are lower
        for e, instance in ranked[1:]:
            if not instance.nopreempt:
                continue
            case.say(
                "KC1116",
                f"`nopreempt` of `{instance.name}` does not keep {case.name(d)} from taking the addresses back",
                place(e, instance, "nopreempt"),
                (place(d, best, "priority"), f"the higher priority, {best.priority}, without `nopreempt`"),
                consequence=f"when {case.name(d)} comes back it preempts: a second failover, which `nopreempt` was to avoid",
                help=f"write `nopreempt` (and `state BACKUP`) in `{best.name}` of {case.name(d)}",
            )
