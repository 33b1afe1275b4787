"""What the IPVS table should hold by what the pools say, and the steps of a reload there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kir.plan.ipvs import plan_table, service_params
from kir.plan.operations import IpvsOperation
from kir.state import IpvsTable, ServiceEntry
from krun.check.drain import Drains
from krun.check.pool import Pool
from krun.check.roster import Draft


def wanted(pools: Iterable[Pool]) -> IpvsTable:
    """What configuration, health and overlays ask for."""
    table: IpvsTable = {}
    for pool in pools:
        dests = pool.dests()
        for n, service in enumerate(pool.virtual.services):
            table[service] = ServiceEntry(
                service_params(pool.virtual, service), dests if n == 0 else dict(dests)
            )
    return table


def steps(
    draft: Draft, pools: Mapping[int, Pool | None], entries: IpvsTable, drains: Drains, drain_us: int
) -> list[IpvsOperation]:
    """The operations of a reload: for the virtual servers that differ; the others are not even looked at.

    ``pools``: the pool that each transition leads to, by the transition's id; None where its virtual server goes. ``entries``: the table.
    """
    have: IpvsTable = {}
    for transition in draft.transitions:
        pool = pools[id(transition)]
        old = transition.old.virtual.services if transition.old is not None else ()
        for service in (*old, *(pool.virtual.services if pool is not None else ())):
            entry = entries.get(service)
            if entry is not None:
                have[service] = entry
    want = wanted(pool for pool in pools.values() if pool is not None)
    if drains:
        want = drains.keep(want, have)
    return plan_table(have, want, drain_us=drain_us)
