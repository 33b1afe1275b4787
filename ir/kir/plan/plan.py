"""The whole plan from one configuration to another: what ``kcc diff`` prints and a reload carries out."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass, field

from kir.diff import Change, Wire, diff, worst_wire
from kir.model import Config
from kir.plan.addresses import desired_addresses, plan_addresses
from kir.plan.check import plan_checkers
from kir.plan.ipvs import PoolHealth, desired_table, plan_table
from kir.plan.operations import Impact, Operation
from kir.plan.track import plan_trackers
from kir.plan.vrrp import plan_instances
from kir.state import AddressKey, IpvsTable


@dataclass(frozen=True, slots=True)
class Observed:
    """What a running director sees. Each part may be unknown (None): then the old configuration counts as fully applied.

    ``table``: the IPVS table. ``health``: of the pools, by virtual server name. ``present``: addresses on the interfaces.
    ``masters``: the instances that are master here.
    """

    table: IpvsTable | None = None
    health: Mapping[str, PoolHealth] | None = None
    present: Collection[AddressKey] | None = None
    masters: Container[str] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes of meaning and the operations that they need, in a safe order."""

    changes: list[Change]
    operations: list[Operation] = field(default_factory=list)

    @property
    def impact(self) -> Impact:
        """The worst impact of any operation."""
        return max((o.impact for o in self.operations), default=Impact.NONE)

    @property
    def wire(self) -> Wire:
        """The worst wire label of any change."""
        return worst_wire(self.changes)

    def counts(self) -> dict[str, int]:
        """Operation name → how often it stands in the plan."""
        counts: dict[str, int] = {}
        for operation in self.operations:
            counts[operation.op] = counts.get(operation.op, 0) + 1
        return counts


def plan(old: Config, new: Config, observed: Observed | None = None) -> Plan:
    """The plan from ``old`` to ``new``. Addresses and services come before what depends on them, removals last."""
    seen = observed if observed is not None else Observed()
    old_table = desired_table(old)
    have_table = seen.table if seen.table is not None else old_table
    operations: list[Operation] = []
    operations += plan_trackers(old, new)
    operations += plan_addresses(
        desired_addresses(old, seen.masters), desired_addresses(new, seen.masters), seen.present
    )
    operations += plan_instances(old, new)
    operations += plan_table(have_table, desired_table(new, seen.health), owned=old_table)
    operations += plan_checkers(old, new)
    return Plan(changes=diff(old, new), operations=operations)
