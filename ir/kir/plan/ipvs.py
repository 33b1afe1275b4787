"""What the IPVS table should hold, and the smallest safe way there.

`desired_table` turns a configuration and the health of its pools into a table; `plan_table` compares two tables. An offline
diff compares desired with desired, a running director compares observed with desired: the same code, so what is printed is
what runs.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from kir.model import Config, Forwarding, RealServer, Service, SorryServer, VirtualServer
from kir.plan.operations import IpvsOperation
from kir.plan.pool import plan_entry
from kir.state import DestKey, DestParams, IpvsTable, ServiceEntry, ServiceParams

SORRY_WEIGHT = 1
"""Weight of a sorry server in use; it is alone, so any weight but 0 would do."""


@dataclass(frozen=True, slots=True)
class ServerHealth:
    """Whether a real server is up, and with which weight (a dynamic check may have changed it; never below 0). ``held``: an operator
    drains it by hand: while it is up it stays, with weight 0, also where the sorry server answers.
    """

    up: bool
    weight: int
    held: bool = False


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
        return _params(weight, server.forwarding, 0, 0)
    return _params(weight, server.forwarding, server.upper_threshold, server.lower_threshold)


@lru_cache(maxsize=1024)
def _params(weight: int, forwarding: Forwarding, upper: int, lower: int) -> DestParams:
    """One object for all servers that are used alike."""
    return DestParams(weight=weight, forwarding=forwarding, upper_threshold=upper, lower_threshold=lower)


def desired_dests(server: VirtualServer, health: PoolHealth | None = None) -> dict[DestKey, DestParams]:
    """Which destinations every service of ``server`` should have.

    A server that is down is absent, or with ``inhibit_on_failure`` present with weight 0. While the quorum is lost and there
    is a sorry server, the sorry server takes the place of all real servers but those held by hand; without one they stay as they are.
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
        elif real.inhibit_on_failure or (up and state is not None and state.held):
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


def new_services(have: Container[Service], want: IpvsTable, batch: int) -> Iterator[list[IpvsOperation]]:
    """The first part of `plan_table`, what is there for services that ``have`` lacks, some ``batch`` operations at a time: a table of 30,000
    servers need not be in memory as a list of operations.
    """
    steps: list[IpvsOperation] = []
    for service, entry in want.items():
        if service not in have:
            steps += plan_entry(service, None, entry)
            if len(steps) >= batch:
                yield steps
                steps = []
    if steps:
        yield steps


def plan_table(
    have: IpvsTable, want: IpvsTable, owned: Container[Service] | None = None, drain_us: int = 0
) -> list[IpvsOperation]:
    """The operations that turn ``have`` into ``want``: new services first, then changes, removals last.

    ``owned`` says which services of ``have`` are ours to remove (None: all); services that nobody here named are left alone.
    ``drain_us``: how long a server that goes may keep its connections (0: not at all), see `kir.plan.pool.plan_entry`; what is
    due only then comes after everything else.
    """
    added: list[IpvsOperation] = []
    edited: list[IpvsOperation] = []
    removed: list[IpvsOperation] = []
    for service, entry in want.items():
        old = have.get(service)
        (added if old is None else edited).extend(plan_entry(service, old, entry, drain_us))
    for service, gone in have.items():
        if service not in want and (owned is None or service in owned):
            removed.extend(plan_entry(service, gone, None, drain_us))
    steps = added + edited + removed
    if drain_us:
        steps.sort(key=lambda o: o.phase == "after_drain")
    return steps


__all__ = [
    "SORRY_WEIGHT",
    "PoolHealth",
    "ServerHealth",
    "assumed_health",
    "desired_dests",
    "desired_entry",
    "desired_table",
    "new_services",
    "plan_entry",
    "plan_table",
    "service_params",
]
