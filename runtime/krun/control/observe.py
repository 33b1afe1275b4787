"""What a running director sees, for a plan: health and roles by its processes' own word, tables by the kernel's."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kir.model import Config, Service, VirtualServer
from kir.plan.ipvs import PoolHealth, desired_table
from kir.plan.plan import Observed
from kir.state import AddressKey, DestKey, IpvsTable, ServiceEntry
from krun.check.pool import Pool, Server
from krun.check.succession import Origin, origins, predecessors, starts_up
from krun.control import overlays
from krun.control.overlays import Overlay
from krun.kernel import open_kernel
from krun.kernel.door import KernelUnavailable
from krun.kernel.namespaces import FOLDERS, inside


@dataclass(slots=True)
class Sight:
    """``observed`` for `kir.plan.plan.plan`. ``unseen``: what could not be looked at, and why; the plan counts that as fully applied."""

    observed: Observed
    unseen: list[str] = field(default_factory=list)


def sight(state: Mapping[str, Any], old: Config, new: Config, hand: Sequence[Overlay] = ()) -> Sight:
    """``state``: the state document of the krun that runs ``old``. ``hand``: the overlays that count now."""
    unseen = [
        f"the {process['name']} process did not answer: {process['problem']}"
        for process in state["processes"]
        if not process["answered"]
    ]
    said = {virtual["name"]: virtual for virtual in state["virtual_servers"]}
    before = {virtual.name: virtual for virtual in old.virtual_servers}
    pools = {name: _pool(before[name], said[name], hand) for name in before if name in said}
    if "drift" in state.get("extra", {}).get("check", {}):
        # Only those were named of which there was something to say (`krun.check.outlook`).
        pools = {name: pools[name] if name in pools else _plain(before[name]) for name in before}
    present: set[AddressKey] | None = None
    table: IpvsTable | None = None
    if state["parent"]["kernel"] == "linux":
        present = _look("addresses", "vrrp", state, unseen, _addresses)
        names = {service for config in (old, new) for v in config.virtual_servers for service in v.services}
        what = "the IPVS table"
        table = _look(what, "check", state, unseen, lambda: _ipvs(names), _ipvs_place(old))
    if table is None:
        # What was written for this health: a server that is down is no drift.
        table = desired_table(old, {name: pool.health() for name, pool in pools.items()})
    masters = {instance["name"] for instance in state["vrrp"] if instance["state"] == "MASTER"}
    was = predecessors(pools, new.virtual_servers, {name: before[name] for name in pools})
    there = list(pools.values())
    health = {v.name: _next(v, was.get(v.name), there, hand) for v in new.virtual_servers}
    drains = state.get("drains", ())
    if drains:
        table = without_drains(table, drains, desired_table(new, health))
    answered = {process["name"] for process in state["processes"] if process["answered"]}
    return Sight(
        Observed(
            table=table,
            health=health,
            present=present,
            masters=masters if "vrrp" in answered or not old.vrrp_instances else None,
        ),
        unseen,
    )


# -- health


def _pool(virtual: VirtualServer, said: Mapping[str, Any], hand: Sequence[Overlay]) -> Pool:
    """The pool as the checker process has it, made again from what it says."""
    pool = Pool(virtual)
    pool.overrule(overlays.weights(hand, virtual))
    servers = {server["identity"]: server for server in said["real_servers"]}
    for real in virtual.real_servers:
        server = servers.get(real.identity)
        if server is None:
            continue
        key = DestKey(real.address, real.port)
        # Which checker changed the weight does not matter: they add up.
        ruled = pool.servers[key].overlay is not None
        delta = server.get("dynamic", 0 if ruled else server["effective_weight"] - real.weight)
        for position, checker in enumerate(server["checkers"]):
            pool.place(key, position, checker["state"] == "up", delta if position == 0 else 0)
        if delta and not server["checkers"]:
            pool.place(key, 0, server["state"] == "up", delta)
    pool.quorum_up = said["quorum"]["up"]
    return pool


def _plain(virtual: VirtualServer) -> Pool:
    """A pool of which there is nothing to say."""
    pool = Pool(virtual)
    pool.begin()
    return pool


def _next(
    virtual: VirtualServer, old: Pool | None, pools: Sequence[Pool], hand: Sequence[Overlay]
) -> PoolHealth:
    """The health of ``virtual`` after the reload, by the rules by which the checker process carries it out (`krun.check.succession`)."""
    pool = Pool(virtual)
    pool.overrule(overlays.weights(hand, virtual))
    for real in virtual.real_servers:
        key = DestKey(real.address, real.port)
        before = old.servers.get(key) if old is not None else None
        checkers = before.real.checkers if before is not None else ()
        elsewhere: list[tuple[Server, int]] = []
        if any(checker not in checkers for checker in real.checkers):
            there = [p.servers[key] for p in pools if p is not old and key in p.servers]
            elsewhere = [(server, n) for server in there for n in range(len(server.real.checkers))]
        asked = [server.real.checkers[n] for server, n in elsewhere]
        found = origins(checkers, real.checkers, before is not None, asked)
        for position, (origin, index) in enumerate(found):
            if origin is Origin.GOES_ON and before is not None and index is not None:
                pool.place(key, position, index not in before.down, before.deltas.get(index, 0))
            elif origin is Origin.KNOWN and index is not None:
                server, n = elsewhere[index]
                pool.place(key, position, n not in server.down, server.deltas.get(n, 0))
            else:
                up = starts_up(origin, before is not None and before.up, real.checkers[position])
                pool.place(key, position, up)
    if old is not None:
        pool.succeed(old)
    else:
        pool.begin()
    return pool.health()


def without_drains(table: IpvsTable, drains: Sequence[Mapping[str, Any]], wanted: IpvsTable) -> IpvsTable:
    """``table`` without what is on its way out already and not ``wanted`` again: a plan need not remove it. What a service that goes
    has, drained or not, goes with it.
    """
    gone = {(d["service"], d["real_server"]) for d in drains}
    left: IpvsTable = {}
    for service, entry in table.items():
        name = service.identity
        again = wanted.get(service)
        if again is not None:
            dests = {d: p for d, p in entry.dests.items() if d in again.dests or (name, str(d)) not in gone}
            left[service] = ServiceEntry(entry.params, dests)
        elif (name, None) not in gone:
            left[service] = entry
    return left


# -- kernel


def _ipvs_place(config: Config) -> str:
    """The network namespace of IPVS; empty where it is that of the checker process."""
    spaces = config.global_defs.namespaces
    if spaces.ipvs is None or spaces.ipvs == spaces.network:
        return ""
    return str(FOLDERS[0] / spaces.ipvs) if spaces.ipvs else ELSEWHERE


ELSEWHERE = "where krun was started"
"""A namespace that nothing names."""


def _look(
    what: str, name: str, state: Mapping[str, Any], unseen: list[str], read: Any, place: str = ""
) -> Any:
    """What the kernel holds, where the process ``name`` runs: in its network namespace, or in that of ``place``."""
    pid = next((process["pid"] for process in state["processes"] if process["name"] == name), 0)
    if not pid:
        return None
    try:
        if place == ELSEWHERE:
            unseen.append(
                f"{what}: it is in the network namespace that krun was started in (`net_namespace_ipvs`)"
            )
            return None
        space = place or f"/proc/{pid}/ns/net"
        if Path(space).samefile("/proc/self/ns/net"):
            return read()
        try:
            with inside(space):
                return read()
        except PermissionError:
            unseen.append(f"{what}: krun lives in another network namespace, and krunctl may not go there")
            return None
    except KernelUnavailable as error:
        unseen.append(f"{what}: {error}")
    except OSError as error:
        unseen.append(f"{what}: {error.strerror or error}")
    return None


def _addresses() -> set[AddressKey]:
    rtnetlink = open_kernel("linux").rtnetlink()
    try:
        return set(rtnetlink.addresses())
    finally:
        rtnetlink.close()


def _ipvs(services: Collection[Service]) -> IpvsTable:
    ipvs = open_kernel("linux").ipvs()
    try:
        return ipvs.look(services)
    finally:
        ipvs.close()
