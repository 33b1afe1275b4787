"""What a plan has to know of the pools: those of which there is more to say than that all servers are up and in the kernel's table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from kir.model import Service
from krun.check.pool import Pool
from krun.check.roster import Member
from krun.check.status import member_status


def plain(pool: Pool) -> bool:
    """Whether the pool is what anybody would take it to be: all servers up with the weight of the configuration, and the quorum as a start
    with these weights would find it.
    """
    return pool.quorum_up == (pool.weight >= pool.virtual.quorum + pool.virtual.hysteresis) and not any(
        s.down or s.deltas or s.overlay is not None for s in pool.servers.values()
    )


def outlook(
    members: Iterable[Member],
    differing: Collection[Service],
    drains: Sequence[dict[str, Any]],
    now_us: int,
) -> dict[str, Any]:
    """The checker process's part of a state document in which ``virtual_servers`` has only those that are not `plain`, and ``drift`` the names
    of those whose services (``differing``) the kernel does not hold as they should be. ``drains`` as in a whole one.
    """
    said: list[dict[str, Any]] = []
    drift: list[str] = []
    draining = {drain["service"] for drain in drains}
    for member in members:
        if not plain(member.pool):
            said.append(member_status(member, now_us, {}))
        services = member.virtual.services
        if (differing and any(s in differing for s in services)) or (
            draining and any(s.identity in draining for s in services)
        ):
            drift.append(member.virtual.name)
    return {"virtual_servers": said, "drains": list(drains), "drift": drift}
