"""Orders to the checker process: which health checks start, stop, or change under way."""

from __future__ import annotations

from kir.diff import renames
from kir.diff.checks import paired, question
from kir.model import Config, RealServer, VirtualServer
from kir.plan.operations import CheckerOperation, CheckerStart, CheckerStop, CheckerUpdate

KEEPING = frozenset({"timing", "weight", "reverse", "dynamic"})
"""Fields that do not change what a check asks: its last answer still holds."""


def plan_checkers(old: Config, new: Config) -> list[CheckerOperation]:
    """Orders about health checkers, by virtual server, real server and the question that is asked (`kir.diff.checks.paired`)."""
    before = {v.name: v for v in old.virtual_servers}
    after = {v.name: v for v in new.virtual_servers}
    renamed = dict(renames(before, after))
    back = {b: a for a, b in renamed.items()}
    steps: list[CheckerOperation] = []
    for name, server in after.items():
        was = before.get(back.get(name, name))
        if was is server or was == server:
            continue
        _pool(was, server, steps)
    for name, server in before.items():
        if renamed.get(name, name) not in after:
            _pool(server, None, steps)
    return steps


def _pool(old: VirtualServer | None, new: VirtualServer | None, steps: list[CheckerOperation]) -> None:
    before = {r.identity: r for r in old.real_servers} if old else {}
    after = {r.identity: r for r in new.real_servers} if new else {}
    name = new.name if new else (old.name if old else "")
    for identity in {**before, **after}:
        a, b = before.get(identity), after.get(identity)
        if a is not None and b is not None and a.checkers == b.checkers:
            continue
        _checkers(name, identity, a, b, steps)


def _checkers(
    server: str, real: str, old: RealServer | None, new: RealServer | None, steps: list[CheckerOperation]
) -> None:
    before, after = paired(old.checkers if old else (), new.checkers if new else ())
    for key, checker in after.items():
        was = before.get(key)
        if was is None:
            steps.append(CheckerStart(virtual_server=server, real_server=real, checker=key, reason="starts"))
        elif was != checker:
            fields = tuple(f for f in checker.__struct_fields__ if getattr(was, f) != getattr(checker, f))
            steps.append(
                CheckerUpdate(
                    virtual_server=server,
                    real_server=real,
                    checker=key,
                    fields=fields,
                    reason="its state stays"
                    if KEEPING.issuperset(fields) or question(was) == question(checker)
                    else "it asks something else: judged anew, the server keeps its state until then",
                )
            )
    steps.extend(
        CheckerStop(virtual_server=server, real_server=real, checker=k, reason="stops")
        for k in before
        if k not in after
    )
