"""Checks whose weight cannot change who is master: the failover that everybody waits for and that never comes."""

from __future__ import annotations

from kcc.cluster.arithmetic import MAX_WEIGHT, Check, checks_of, contributions, decides, limited, priorities
from kcc.cluster.case import ClusterCase, Place, path_of, place
from kcc.cluster.routers import VirtualRouter, held
from kcc.lower.scope import some
from kir.model import SyncGroup, TrackedBfd, TrackedInterface, TrackedProcess, TrackedScript, VrrpInstance

Key = tuple[str, str]
Watch = dict[int, dict[Key, Check]]
Tracked = TrackedScript | TrackedInterface | TrackedProcess | TrackedBfd
Line = tuple[str, Tracked]

_LISTS = {
    "track_script": "track_scripts",
    "track_interface": "track_interfaces",
    "track_process": "track_processes",
    "track_bfd": "track_bfds",
}


def powerless_checks(case: ClusterCase) -> None:
    """A weighted check that no combination of outcomes, of any check on any director, lets decide who is master.

    The director with the lowest priority is left out: when it is master nobody is there to take over.
    """
    for router in case.shared():
        watch: Watch = {d: checks_of(i, _group(case, d, i)) for d, i in router}
        if not any(watch.values()):
            continue
        lowest = min(i.priority for _, i in router)
        said: set[Key] = set()
        for d, instance in sorted(router, key=lambda item: -item[1].priority):
            if instance.owner or instance.priority == lowest:
                continue
            takers = [e for e, i in router if e != d and not i.nopreempt]
            reach = [priorities(router.members[e], watch[e].values()) for e in takers]
            for key, check in watch[d].items():
                if key in said or check.more:
                    continue  # a file can hold any number
                others = [c for k, c in watch[d].items() if k != key]
                everyone = [priorities(i, watch[e].values()) for e, i in router if e != d]
                if decides(instance, check, others, reach):
                    continue
                said.add(key)
                if decides(instance, check, others, everyone):
                    _held_back(case, router, d, key)
                else:
                    _too_weak(case, router, watch, d, key)


def _group(case: ClusterCase, d: int, instance: VrrpInstance) -> SyncGroup | None:
    groups = case.directors[d].config.vrrp_sync_groups
    return next((g for g in groups if g.name == instance.sync_group), None)


def _too_weak(case: ClusterCase, router: VirtualRouter, watch: Watch, d: int, key: Key) -> None:
    instance, check = router.members[d], watch[d][key]
    rest = instance.priority + _best(watch[d], but=key)
    up, down = limited(rest + check.up), limited(rest + check.down)
    e, best = _rival(router, watch, d)
    tie = " (with equal priorities the master stays)" if min(up, down) == best else ""
    well = ", when all its checks are good" if watch[e] else ""
    lost = some(sorted(held(instance)))
    case.say(
        "KC1117",
        f"no outcome of `{check.name}` changes the winner: `{instance.name}` stays master on {case.name(d)}",
        _place(case, d, instance, key),
        (place(d, instance, "priority"), f"{up} while it is good, {down} while it is not"),
        (place(e, router.members[e], "priority"), f"{best} in {case.name(e)}{well}"),
        consequence=f"when it fails the priority goes from {up} to {down}, and the peer's is {best}{tie}: nobody takes {lost} over",
        help=_repair(case, router, watch, d, key),
    )


def _best(checks: dict[Key, Check], but: Key | None = None) -> int:
    """What ``checks`` add when all is well."""
    return sum(max(c.up, c.down) for k, c in checks.items() if k != but)


def _rival(router: VirtualRouter, watch: Watch, d: int) -> tuple[int, int]:
    """The director that would take over first when everything there is well, and its priority then."""
    best = {e: i.priority if i.owner else limited(i.priority + _best(watch[e])) for e, i in router if e != d}
    winner = max(best, key=lambda e: best[e])
    return winner, best[winner]


def _repair(case: ClusterCase, router: VirtualRouter, watch: Watch, d: int, key: Key) -> str:
    """The weight nearest to zero that lets a peer win when this check alone fails: of the same kind, else a negative one."""
    fault = ", or `weight 0`: then a failure means FAULT"
    found = _line(case, d, router.members[d], key)
    if found is not None:
        weight, reverse = found[1].weight, found[1].reverse
        size = _enough(case, router, watch, d, key, weight > 0, reverse, abs(weight))
        if size is not None and weight > 0:
            return f"use +{size} or higher on all directors{fault}"
        if size is not None:
            return f"use -{size} or lower{fault}"
        size = _enough(case, router, watch, d, key, False, False, 1)
        if size is not None:
            return f"use a negative weight{' without `reverse`' * reverse}, -{size} or lower, on all directors{fault}"
    e, _ = _rival(router, watch, d)
    return (
        f"no weight can do it: bring the priorities of {case.name(d)} ({router.members[d].priority}) and {case.name(e)} "
        f"({router.members[e].priority}) closer together{fault}"
    )


def _enough(
    case: ClusterCase,
    router: VirtualRouter,
    watch: Watch,
    d: int,
    key: Key,
    positive: bool,
    reverse: bool,
    least: int,
) -> int | None:
    """The smallest size from ``least`` of a weight that does it on ``d`` and on all directors that have the same weight now."""
    mine = _line(case, d, router.members[d], key)
    alike = [e for e, i in router if e == d or _same_line(_line(case, e, i, key), mine)]
    for size in range(least, MAX_WEIGHT + 1):
        up, down = contributions(size if positive else -size, reverse)
        changed: Watch = {e: {**w, key: Check(*key, up, down)} if e in alike else w for e, w in watch.items()}
        rest = router.members[d].priority + _best(changed[d], but=key)
        _, best = _rival(router, changed, d)
        if limited(rest + down) < best <= limited(rest + up):
            return size
    return None


def _same_line(one: Line | None, other: Line | None) -> bool:
    return (
        one is not None
        and other is not None
        and (one[1].weight, one[1].reverse) == (other[1].weight, other[1].reverse)
    )


def _held_back(case: ClusterCase, router: VirtualRouter, d: int, key: Key) -> None:
    instance = router.members[d]
    calm = [(e, i) for e, i in router if e != d and i.nopreempt]
    case.say(
        "KC1118",
        f"`{key[1]}` cannot cause a failover: {some([case.name(e) for e, _ in calm])} "
        f"{'has' if len(calm) == 1 else 'have'} `nopreempt`",
        _place(case, d, instance, key),
        *((place(e, i, "nopreempt"), f"`nopreempt` in {case.name(e)}") for e, i in calm),
        consequence=f"`nopreempt` follows a master of any priority while it sends adverts: a failed check on {case.name(d)} "
        "lowers the priority, and nothing happens",
        help="use `weight 0`, so that a failure means FAULT and the master gives up, or remove `nopreempt` from the peers",
    )


def _line(case: ClusterCase, d: int, instance: VrrpInstance, key: Key) -> Line | None:
    """Who tracks it (path) and with which words."""
    group = _group(case, d, instance)
    owners: list[tuple[str, VrrpInstance | SyncGroup]] = [(path_of(instance), instance)]
    if group is not None:
        owners.append((f"vrrp_sync_group/{group.name}", group))
    for path, owner in owners:
        items: tuple[Tracked, ...] = getattr(owner, _LISTS[key[0]])
        for item in items:
            if item.name == key[1] and item.weight:
                return path, item
    return None


def _place(case: ClusterCase, d: int, instance: VrrpInstance, key: Key) -> Place:
    found = _line(case, d, instance, key)
    return (d, f"{found[0] if found else path_of(instance)}/{key[0]}/{key[1]}", None)
