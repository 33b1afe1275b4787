"""The steps of one IPVS service: which servers come, change and go, in which order, and what that does to connections.

Facts of the kernel (ipvs-sysctl.rst; tried on Linux 6.1): a connection keeps its server, and how packets are forwarded to it, until it
ends; an edit touches none. When its server or its service is deleted, its packets are dropped in silence while ``expire_nodest_conn``
is 0 (it goes on if the server comes back in time), and with 1 the client is reset at the next packet; when the last service of all
goes, IPVS lets go of all packets and the director itself resets the client. A server of weight 0 gets no new connections, but those of
persistent clients, unless ``expire_quiescent_template`` is 1; and, with ``conn_reuse_mode`` 0, those of clients that use a port again.
One above its upper threshold gets none either.
"""

from __future__ import annotations

from collections.abc import Mapping

from kir.model import Service
from kir.plan.operations import (
    AddDest,
    AddService,
    DelDest,
    DelService,
    EditDest,
    EditService,
    Impact,
    IpvsOperation,
)
from kir.state import DestKey, DestParams, ServiceEntry, ServiceParams

NODEST = "net.ipv4.vs.expire_nodest_conn"
QUIESCENT = "net.ipv4.vs.expire_quiescent_template"
REUSE = "net.ipv4.vs.conn_reuse_mode"

Dests = Mapping[DestKey, DestParams]


def plan_entry(
    service: Service, have: ServiceEntry | None, want: ServiceEntry | None, drain_us: int = 0
) -> list[IpvsOperation]:
    """The operations for one service. Make before break: a server that takes traffic comes before one that loses it.

    With ``drain_us`` a server (or a service) that goes loses its weight now, and is deleted after the drain: when it has no connection
    left, or that many microseconds later. A connectionless service has nothing to wait for.
    """
    if want is None:
        return [] if have is None else _remove(service, have, drain_us)
    if have is None:
        return [
            AddService(service=service, params=want.params, impact=Impact.HITLESS, reason="a new service"),
            *(_add(service, d, p) for d, p in want.dests.items()),
        ]
    steps: list[IpvsOperation] = []
    if have.params != want.params:
        steps.append(_edit_service(service, have.params, want.params))
    if have.dests != want.dests:
        steps.extend(_plan_dests(service, have, want, drain_us))
    return steps


def usable(dests: Dests) -> bool:
    """Whether any server takes new connections."""
    return any(p.weight > 0 for p in dests.values())


def _remove(service: Service, have: ServiceEntry, drain_us: int) -> list[IpvsOperation]:
    used = usable(have.dests)
    if drain_us and have.dests and not _connectionless(have.params):
        steps: list[IpvsOperation] = [
            EditDest(
                service=service,
                dest=dest,
                params=_drained(params),
                old=params,
                impact=Impact.OUTAGE,
                reason="the service drains: nobody takes new connections, established ones stay",
                sysctls=_drain_sysctls(have.params),
            )
            for dest, params in have.dests.items()
            if params.weight > 0
        ]
        steps.append(
            DelService(
                service=service,
                dests=len(have.dests),
                impact=Impact.HITLESS,
                phase="after_drain",
                reason="the service is gone: connections that are left at the deadline are cut",
                sysctls=(NODEST,),
            )
        )
        return steps
    return [
        DelService(
            service=service,
            dests=len(have.dests),
            impact=Impact.OUTAGE if used else Impact.HITLESS,
            reason="the service is gone: new connections are refused"
            + (f", established ones are cut ({_cut(have.params)})" if have.dests else ""),
            sysctls=(NODEST,) if have.dests and not _connectionless(have.params) else (),
        )
    ]


def _connectionless(params: ServiceParams) -> bool:
    """One-packet scheduling keeps no connections."""
    return "ops" in params.flags


def _cut(params: ServiceParams) -> str:
    if _connectionless(params):
        return "one-packet scheduling has none"
    return "expire_nodest_conn 0: packets dropped in silence, 1: clients told"


def _drained(params: DestParams) -> DestParams:
    return DestParams(
        weight=0,
        forwarding=params.forwarding,
        upper_threshold=params.upper_threshold,
        lower_threshold=params.lower_threshold,
    )


def _drain_sysctls(params: ServiceParams) -> tuple[str, ...]:
    """What may send new connections to a server of weight 0 all the same."""
    return (QUIESCENT, REUSE) if params.timeout_s else (REUSE,)


def _edit_service(service: Service, have: ServiceParams, want: ServiceParams) -> EditService:
    reasons = []
    if have.scheduler != want.scheduler:
        reasons.append("new connections are scheduled anew, established ones stay")
    if have.flags != want.flags:
        reasons.append("scheduler flags change for new connections")
    if (have.timeout_s, have.granularity, have.engine) != (want.timeout_s, want.granularity, want.engine):
        reasons.append("persistence changes for new clients, templates that exist run out")
    return EditService(
        service=service, params=want, old=have, impact=Impact.HITLESS, reason="; ".join(reasons)
    )


def _add(service: Service, dest: DestKey, params: DestParams) -> AddDest:
    return AddDest(service=service, dest=dest, params=params, impact=Impact.HITLESS, reason="a new server")


def _limits(params: DestParams) -> float:
    """How many connections it may have before it is overloaded; the kernel's 0 is no limit."""
    return params.upper_threshold or float("inf")


def _rank(old: DestParams, new: DestParams) -> int:
    """When an edit is due: who begins to take traffic, who takes as much, who takes less, who stops.

    A lower threshold may overload a server at once, so it counts as less.
    """
    if new.weight == 0:
        return 3 if old.weight else 1
    if old.weight == 0:
        return 0
    return 2 if _limits(new) < _limits(old) or new.weight < old.weight else 1


def _plan_dests(
    service: Service, have: ServiceEntry, want: ServiceEntry, drain_us: int
) -> list[IpvsOperation]:
    adds: list[IpvsOperation] = []
    edits: list[tuple[int, IpvsOperation]] = []
    removes: list[IpvsOperation] = []
    left = usable(want.dests)
    drain = bool(drain_us) and not _connectionless(have.params)
    for dest, params in want.dests.items():
        old = have.dests.get(dest)
        if old is None:
            adds.append(_add(service, dest, params))
        elif old != params:
            edits.append((_rank(old, params), _edit_dest(service, dest, old, params, left, want.params)))
    for dest, old in have.dests.items():
        if dest in want.dests:
            continue
        if drain:
            if old.weight > 0:
                edits.append((3, _edit_dest(service, dest, old, _drained(old), left, have.params)))
            removes.append(_delete_drained(service, dest, have.params))
        else:
            removes.append(_delete(service, dest, old, left, have.params))
    edits.sort(key=lambda e: e[0])
    return [*adds, *(step for _, step in edits), *removes]


def _delete_drained(service: Service, dest: DestKey, params: ServiceParams) -> DelDest:
    return DelDest(
        service=service,
        dest=dest,
        impact=Impact.HITLESS,
        phase="after_drain",
        reason="connections that are left at the deadline are cut",
        sysctls=(NODEST,),
    )


def _delete(service: Service, dest: DestKey, old: DestParams, left: bool, params: ServiceParams) -> DelDest:
    if old.weight > 0 and not left:
        return DelDest(
            service=service,
            dest=dest,
            impact=Impact.OUTAGE,
            reason=f"no server is left: the service answers nobody, established connections are cut ({_cut(params)})",
            sysctls=(NODEST,),
        )
    if _connectionless(params):
        return DelDest(
            service=service,
            dest=dest,
            impact=Impact.HITLESS,
            reason="one-packet scheduling keeps no connections that could be cut",
        )
    return DelDest(
        service=service,
        dest=dest,
        impact=Impact.DEGRADED,
        reason=f"established connections to it are cut ({_cut(params)})",
        sysctls=(NODEST,),
    )


def _edit_dest(
    service: Service, dest: DestKey, old: DestParams, new: DestParams, left: bool, params: ServiceParams
) -> EditDest:
    impact = Impact.HITLESS
    sysctls: tuple[str, ...] = ()
    if new.weight == 0 and old.weight > 0:
        sysctls = _drain_sysctls(params)
        reason = "drains: no new connections, established ones stay"
        if params.timeout_s:
            reason += "; persistent clients still come back to it while expire_quiescent_template is 0"
        elif service.protocol == "udp":
            reason += "; a UDP client that keeps its port stays with it"
        if not left:
            impact, reason = Impact.OUTAGE, "no server takes new connections, established ones stay"
    elif new.forwarding != old.forwarding:
        reason = "new connections are forwarded the new way, established ones stay"
    elif new.weight != old.weight:
        reason = "new connections are spread anew, established ones stay"
    else:
        reason = "thresholds hold for new connections"
    return EditDest(
        service=service, dest=dest, params=new, old=old, impact=impact, reason=reason, sysctls=sysctls
    )
