"""What the directors of a cluster must do together: advice for one of them, the order for all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from kcc.commands.diff_words import within
from kir.model import Config, VrrpInstance
from kir.plan.plan import Plan
from kir.plan.rollout import Member, Rollout, Router, rollout
from kir.plan.vrrp import pairs


def advice(plan: Plan, old: Config, new: Config) -> Iterator[str]:
    """What to do with the peers of one director, as if each instance had one backup with the same configuration."""
    seen: dict[str, list[str]] = {}
    for before, after in pairs(old, new):
        if before is None or after is None or before == after:
            continue
        found = rollout([{0: Member(before, after), 1: Member(_backup(before), _backup(after))}], (0, 1))
        words = _advice(found)
        if words:
            seen.setdefault(words, []).append(after.name)
    for words, names in seen.items():
        yield f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}: {words}"


def _backup(instance: VrrpInstance) -> VrrpInstance:
    """The same virtual router on a peer that is backup."""
    return msgspec.structs.replace(instance, priority=max(instance.priority - 1, 1))


def _advice(found: Rollout) -> str:
    if found.free:
        return ""
    if found.order == (1, 0):
        return "change the backups first, then the master"
    if found.order is not None:
        return "change the master first, then the backups"
    hint = f"; {found.hints[0]}" if found.hints else ""
    return f"no order is safe: change all directors {within(found.together_us)}, or there are two masters for a while{hint}"


Names = Sequence[Mapping[int, str]]
"""Virtual routers: index of the director → name of its instance."""


def routers(old: Sequence[Config], new: Sequence[Config], in_old: Names, in_new: Names) -> list[Router]:
    """The virtual routers of a cluster with what becomes of each part. ``in_old`` and ``in_new``: which instances of the directors
    are one virtual router, by the old and by the new configurations.
    """
    going = [pairs(a, b) for a, b in zip(old, new, strict=True)]
    after = [{x.name: (x, y) for x, y in found if x is not None} for found in going]
    fresh = [{y.name: y for x, y in found if x is None and y is not None} for found in going]
    made: list[Router] = [
        {d: Member(*after[d][name]) for d, name in group.items() if name in after[d]} for group in in_old
    ]
    for group in in_new:
        members = {d: Member(None, fresh[d][name]) for d, name in group.items() if name in fresh[d]}
        if not members:
            continue
        home = next((r for r in made if any(_goes_on(r, d, name) for d, name in group.items())), None)
        if home is None:
            made.append(members)
        else:
            made[made.index(home)] = {**members, **home}
    return [m for m in made if m]


def _goes_on(router: Router, director: int, name: str) -> bool:
    """Whether the part of ``director`` in ``router`` is called ``name`` from now on."""
    member = router.get(director)
    return member is not None and member.new is not None and member.new.name == name


__all__ = ["advice", "routers"]
