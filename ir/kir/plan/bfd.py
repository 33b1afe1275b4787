"""Orders to the BFD process, and what follows for those who track a session."""

from __future__ import annotations

from kir.model import BfdCheck, BfdInstance, Config
from kir.plan.operations import BfdOperation, BfdRestart, BfdStart, BfdStop, BfdUpdate, Impact

ANOTHER = frozenset({"neighbor", "family", "source", "multihop"})
"""Fields that make it another session to the neighbour (RFC 5880 section 6.3, RFC 5883 section 5)."""


def plan_sessions(old: Config, new: Config) -> list[BfdOperation]:
    """One order for each BFD session that differs, matched by name."""
    if old.bfd_instances == new.bfd_instances:
        return []
    before = {b.name: b for b in old.bfd_instances}
    after = {b.name: b for b in new.bfd_instances}
    steps: list[BfdOperation] = [
        BfdStart(session=name, impact=Impact.HITLESS, reason="a new session")
        for name in after
        if name not in before
    ]
    for name, session in before.items():
        now = after.get(name)
        if now is not None and now != session:
            steps.append(_changed(session, now, new))
    steps.extend(
        BfdStop(session=name, impact=Impact.HITLESS, reason="nothing tracks it any more")
        for name in before
        if name not in after
    )
    return steps


def _changed(old: BfdInstance, new: BfdInstance, config: Config) -> BfdOperation:
    fields = tuple(f for f in old.__struct_fields__ if getattr(old, f) != getattr(new, f))
    if ANOTHER.isdisjoint(fields):
        return BfdUpdate(
            session=new.name,
            fields=fields,
            impact=Impact.HITLESS,
            reason="the session stays up; a poll sequence tells the neighbour",
        )
    impact, who = _followers(new.name, config)
    after = f": until it is up, {who}" if who else ""
    return BfdRestart(
        session=new.name, fields=fields, impact=impact, reason=f"another session to the neighbour{after}"
    )


def _followers(name: str, config: Config) -> tuple[Impact, str]:
    """What a session that is down means to those who track it: the impact, and in words."""
    faults = [
        i.name for i in config.vrrp_instances if any(t.name == name and not t.weight for t in i.track_bfds)
    ]
    faults += [
        m
        for g in config.vrrp_sync_groups
        if any(t.name == name and not t.weight for t in g.track_bfds)
        for m in g.members
    ]
    if faults:
        return Impact.FAILOVER, f"{', '.join(dict.fromkeys(faults))} is in FAULT"
    weighed = [i.name for i in config.vrrp_instances if any(t.name == name for t in i.track_bfds)]
    if weighed:
        return Impact.FAILOVER, f"the priority of {', '.join(weighed)} is another one"
    servers = [
        r.identity
        for v in config.virtual_servers
        for r in v.real_servers
        if any(isinstance(c, BfdCheck) and c.bfd == name for c in r.checkers)
    ]
    if servers:
        more = f" and {len(servers) - 1} more" if len(servers) > 1 else ""
        return Impact.DEGRADED, f"{servers[0]}{more} is down"
    return Impact.HITLESS, ""
