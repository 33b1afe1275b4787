"""In which order the directors of a cluster take their new configurations, so that there is never a second master.

A state of the rollout is the set of directors that have the new configuration. In each state, of each virtual router, the director of the
highest priority counts as master; every other one must take its adverts, or it becomes master too (`kir.diff.wire.refusals`). An
order is safe when every state on its way is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from kir.diff.match import wire_identity
from kir.diff.wire import refusals
from kir.model import VrrpInstance
from kir.plan.timers import QUICKEST, master_down_us, skew_us

MOST = 10
"""Directors up to which all orders are considered; of more, backups first and masters first."""

HINTS = {
    "hmac": "in three steps there is an order: `mode receive-only` everywhere, then `permissive`, then `enforce`",
    "vips": "addresses in `virtual_ipaddress_excluded` are in no advert: for those any order is safe",
    "v3_checksum_as_v2": "a director that writes `v3_checksum_as_v2` takes both checksums",
}
"""A way round a refusal, by the field that it is about."""


@dataclass(frozen=True, slots=True)
class Member:
    """A director's part in a virtual router: its instance before and after; None: it has none."""

    old: VrrpInstance | None
    new: VrrpInstance | None


Router = Mapping[int, Member]
"""A virtual router: index of the director → its part."""


@dataclass(frozen=True, slots=True)
class Clash:
    """``second`` becomes master beside ``master``, for it drops its adverts: why, by field. Indices of directors."""

    master: int
    second: int
    name: str
    fields: tuple[str, ...]
    why: str


Judge = Callable[[frozenset[int]], list[Clash]]
"""A state of the rollout → what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """``order``: directors in turn, None: there is no safe order. ``together_us``: then all must change within that time.

    ``clashes``: what is wrong with the first steps that are not safe. ``lasting``: what does not fit when all is done. ``free``: every order is safe. ``hints``: other ways.
    """

    order: tuple[int, ...] | None
    free: bool
    clashes: tuple[Clash, ...] = ()
    lasting: tuple[Clash, ...] = ()
    together_us: int | None = None
    hints: tuple[str, ...] = ()


def rollout(routers: Sequence[Router], changing: Sequence[int], *, strict_lists: bool = False) -> Rollout:
    """The order for the directors ``changing``. ``strict_lists``: they drop adverts with other addresses in any version
    (keepalived before 2.3.1).
    """
    ranked = sorted(changing, key=lambda d: (_weight(routers, d), d))
    known: dict[frozenset[int], list[Clash]] = {}

    before = {c for r in routers for c in _clashes(r, frozenset(), strict_lists)}

    def clashes(state: frozenset[int]) -> list[Clash]:
        if state not in known:
            found = (c for r in routers for c in _clashes(r, state, strict_lists))
            known[state] = [c for c in found if c not in before]  # what is so already, no order mends
        return known[state]

    whole = frozenset(changing)
    order = _search(ranked, whole, clashes) if len(ranked) <= MOST else None
    if order is None and len(ranked) > MOST:
        order = next(
            (
                tuple(o)
                for o in (ranked, ranked[::-1])
                if all(not clashes(frozenset(o[:n])) for n in range(1, len(o)))
            ),
            None,
        )
    first = [c for d in ranked if len(ranked) > 1 for c in clashes(frozenset((d,)))]
    lasting = tuple(clashes(whole))
    if order is not None:
        free = not first and _all_safe(ranked, clashes)
        return Rollout(order, free, tuple(dict.fromkeys(first)), lasting)
    fields = dict.fromkeys(f for c in first for f in c.fields)
    return Rollout(
        None,
        False,
        tuple(dict.fromkeys(first)),
        lasting,
        min(_patience(r for r in routers if _apart(r, ranked, strict_lists)), default=None),
        tuple(HINTS[f] for f in fields) if all(f in HINTS for f in fields) else (),
    )


def _weight(routers: Sequence[Router], director: int) -> int:
    """Of how many virtual routers it is master by its old priority: backups go first."""
    return sum(director in _masters(_parts(r, frozenset())) for r in routers)


def _parts(router: Router, state: frozenset[int]) -> dict[int, VrrpInstance]:
    found = {d: (m.new if d in state else m.old) for d, m in router.items()}
    return {d: i for d, i in found.items() if i is not None}


def _masters(parts: Mapping[int, VrrpInstance]) -> list[int]:
    """Who may be master: the highest priority; several where it is the same."""
    highest = max((i.priority for i in parts.values()), default=0)
    return [d for d, i in parts.items() if i.priority == highest]


def _clashes(router: Router, state: frozenset[int], strict_lists: bool) -> Iterator[Clash]:
    parts = _parts(router, state)
    for master in _masters(parts):
        for second, instance in parts.items():
            if second == master:
                continue
            found = refusals(instance, parts[master], strict_lists=strict_lists)
            if found:
                yield Clash(master, second, instance.name, tuple(found), "; ".join(found.values()))


def _search(ranked: Sequence[int], whole: frozenset[int], clashes: Judge) -> tuple[int, ...] | None:
    """The first safe order, in which directors of the lowest rank come as early as they can."""
    dead: set[frozenset[int]] = set()

    def go(state: frozenset[int], path: tuple[int, ...]) -> tuple[int, ...] | None:
        if state == whole:
            return path
        for d in ranked:
            after = state | {d}
            if d in state or after in dead or (after != whole and clashes(after)):
                continue
            found = go(after, (*path, d))
            if found is not None:
                return found
        dead.add(state)
        return None

    return go(frozenset(), ())


def _all_safe(ranked: Sequence[int], clashes: Judge) -> bool:
    if len(ranked) > MOST:
        return False
    return not any(clashes(frozenset(s)) for n in range(1, len(ranked)) for s in combinations(ranked, n))


def _apart(router: Router, changing: Sequence[int], strict_lists: bool) -> bool:
    """Whether a first step of any director splits the router."""
    return any(True for d in changing for _ in _clashes(router, frozenset((d,)), strict_lists))


def _patience(routers: Iterable[Router]) -> Iterator[int]:
    """How long a backup waits at least, for each router: for a silent master, or after the priority 0 of one that starts anew."""
    for router in routers:
        for member in router.values():
            if member.old is not None:
                stays = member.new is not None and wire_identity(member.old) == wire_identity(member.new)
                yield master_down_us(member.old, QUICKEST) if stays else skew_us(member.old, QUICKEST)
