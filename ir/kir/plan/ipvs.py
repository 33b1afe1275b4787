"""What the IPVS table should hold, and the smallest safe way there.

`desired_table` turns a configuration and the health of its pools into a table; `plan_table` compares two tables. An offline
diff compares desired with desired, a running director compares observed with desired: the same code, so what is printed is
what runs.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from kir.model import Config, RealServer, Service, SorryServer, VirtualServer
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
from kir.state import DestKey, DestParams, IpvsTable, ServiceEntry, ServiceParams

SORRY_WEIGHT = 1
"""Weight of a sorry server in use; it is alone, so any weight but 0 would do."""


@dataclass(frozen=True, slots=True)
class ServerHealth:
    """Whether a real server is up, and with which weight (a dynamic check may have changed it; never below 0)."""

    up: bool
    weight: int


@dataclass(frozen=True, slots=True)
class PoolHealth:
    """What the health checks say of one virtual server. Servers that are not listed count as up with their own weight."""

    servers: Mapping[DestKey, ServerHealth]
    quorum_up: bool


def assumed_health(server: VirtualServer) -> PoolHealth:
    """The health that an offline comparison assumes: every server up; quorum as a start with these weights would find it."""
    return PoolHealth({}, sum(r.weight for r in server.real_servers) >= server.quorum + server.hysteresis)


def service_params(server: VirtualServer, service: Service) -> ServiceParams:
    """How IPVS shall run a service of ``server``."""
    whole = "255.255.255.255" if service.family == "inet" else "128"
    persistence = server.persistence
    if persistence is None:
        return ServiceParams(scheduler=server.scheduler, flags=server.flags, granularity=whole)
    return ServiceParams(
        scheduler=server.scheduler,
        flags=server.flags,
        # IPVS counts whole seconds; rounding up never makes a client lose its server early.
        timeout_s=-(-persistence.timeout_us // 1_000_000),
        granularity=persistence.granularity,
        engine=persistence.engine,
    )


def _dest(server: RealServer | SorryServer, weight: int) -> DestParams:
    if isinstance(server, SorryServer):
        return DestParams(weight=weight, forwarding=server.forwarding)
    return DestParams(
        weight=weight,
        forwarding=server.forwarding,
        upper_threshold=server.upper_threshold,
        lower_threshold=server.lower_threshold,
    )


def desired_dests(server: VirtualServer, health: PoolHealth | None = None) -> dict[DestKey, DestParams]:
    """Which destinations every service of ``server`` should have.

    A server that is down is absent, or with ``inhibit_on_failure`` present with weight 0. While the quorum is lost and there
    is a sorry server, the sorry server takes the place of all real servers; without one they stay as they are.
    """
    health = health if health is not None else assumed_health(server)
    sorry = server.sorry_server
    sorry_active = sorry is not None and not health.quorum_up
    dests: dict[DestKey, DestParams] = {}
    for real in server.real_servers:
        key = DestKey(real.address, real.port)
        state = health.servers.get(key)
        up = state.up if state is not None else True
        weight = state.weight if state is not None else real.weight
        if up and not sorry_active:
            dests[key] = _dest(real, weight)
        elif real.inhibit_on_failure:
            dests[key] = _dest(real, 0)
    if sorry is not None:
        key = DestKey(sorry.address, sorry.port)
        if sorry_active:
            dests[key] = _dest(sorry, SORRY_WEIGHT)
        elif sorry.inhibit and key not in dests:
            dests[key] = _dest(sorry, 0)
    return dests


def desired_entry(server: VirtualServer, service: Service, health: PoolHealth | None = None) -> ServiceEntry:
    """What IPVS should hold for one service of ``server``."""
    return ServiceEntry(service_params(server, service), desired_dests(server, health))


def desired_table(config: Config, health: Mapping[str, PoolHealth] | None = None) -> IpvsTable:
    """What IPVS should hold for ``config``; ``health`` is by virtual server name, `assumed_health` where it is missing."""
    table: IpvsTable = {}
    for server in config.virtual_servers:
        known = health.get(server.name) if health is not None else None
        dests = desired_dests(server, known)
        for n, service in enumerate(server.services):
            table[service] = ServiceEntry(service_params(server, service), dests if n == 0 else dict(dests))
    return table


def plan_table(
    have: IpvsTable, want: IpvsTable, owned: Container[Service] | None = None
) -> list[IpvsOperation]:
    """The operations that turn ``have`` into ``want``: new services first, then changes, removals last.

    ``owned`` says which services of ``have`` are ours to remove (None: all); services that nobody here named are left alone.
    """
    added: list[IpvsOperation] = []
    edited: list[IpvsOperation] = []
    removed: list[IpvsOperation] = []
    for service, entry in want.items():
        old = have.get(service)
        (added if old is None else edited).extend(plan_entry(service, old, entry))
    for service, gone in have.items():
        if service not in want and (owned is None or service in owned):
            removed.extend(plan_entry(service, gone, None))
    return added + edited + removed


def plan_entry(service: Service, have: ServiceEntry | None, want: ServiceEntry | None) -> list[IpvsOperation]:
    """The operations for one service. Make before break: a server that takes traffic comes before one that loses it."""
    if want is None:
        if have is None:
            return []
        return [
            DelService(
                service=service,
                dests=len(have.dests),
                impact=Impact.OUTAGE if _usable(have.dests) else Impact.HITLESS,
                reason="the service is gone: new connections are refused, established ones are cut",
            )
        ]
    if have is None:
        first: list[IpvsOperation] = [
            AddService(service=service, params=want.params, impact=Impact.HITLESS, reason="a new service")
        ]
        first.extend(
            AddDest(service=service, dest=d, params=p, impact=Impact.HITLESS, reason="a new server")
            for d, p in want.dests.items()
        )
        return first
    steps: list[IpvsOperation] = []
    if have.params != want.params:
        steps.append(_edit_service(service, have.params, want.params))
    if have.dests != want.dests:
        steps.extend(_plan_dests(service, have.dests, want.dests))
    return steps


def _usable(dests: Mapping[DestKey, DestParams]) -> bool:
    return any(p.weight > 0 for p in dests.values())


def _edit_service(service: Service, have: ServiceParams, want: ServiceParams) -> EditService:
    reasons = []
    if have.scheduler != want.scheduler:
        reasons.append("new connections are scheduled anew, established ones stay")
    if have.flags != want.flags:
        reasons.append("scheduler flags change for new connections")
    if (have.timeout_s, have.granularity, have.engine) != (want.timeout_s, want.granularity, want.engine):
        reasons.append("persistence changes for new clients")
    return EditService(
        service=service, params=want, old=have, impact=Impact.HITLESS, reason="; ".join(reasons)
    )


def _plan_dests(
    service: Service, have: Mapping[DestKey, DestParams], want: Mapping[DestKey, DestParams]
) -> list[IpvsOperation]:
    adds: list[IpvsOperation] = []
    raises: list[IpvsOperation] = []
    lowers: list[IpvsOperation] = []
    removes: list[IpvsOperation] = []
    left = _usable(want)
    for dest, params in want.items():
        old = have.get(dest)
        if old is None:
            adds.append(
                AddDest(
                    service=service, dest=dest, params=params, impact=Impact.HITLESS, reason="a new server"
                )
            )
        elif old != params:
            (raises if params.weight >= old.weight else lowers).append(
                _edit_dest(service, dest, old, params, left)
            )
    for dest, old in have.items():
        if dest not in want:
            outage = old.weight > 0 and not left
            removes.append(
                DelDest(
                    service=service,
                    dest=dest,
                    impact=Impact.OUTAGE if outage else Impact.DEGRADED,
                    reason="no server is left: the service answers nobody"
                    if outage
                    else "established connections to it are cut",
                )
            )
    return adds + raises + lowers + removes


def _edit_dest(service: Service, dest: DestKey, old: DestParams, new: DestParams, left: bool) -> EditDest:
    impact = Impact.HITLESS
    if new.weight == 0 and old.weight > 0:
        reason = "drains: no new connections, established ones stay"
        if not left:
            impact, reason = Impact.OUTAGE, "no server takes new connections"
    elif new.forwarding != old.forwarding:
        reason = "new connections are forwarded the new way, established ones stay"
    elif new.weight != old.weight:
        reason = "new connections are spread anew, established ones stay"
    else:
        reason = "thresholds hold for new connections"
    return EditDest(service=service, dest=dest, params=new, old=old, impact=impact, reason=reason)
