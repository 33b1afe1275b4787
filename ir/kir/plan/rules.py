"""Which routing rules the director should hold, and the smallest safe way there.

The kernel cannot change a rule: another word makes another rule, added before the old one goes.
"""

from __future__ import annotations

from collections.abc import Collection, Container

from kir.model import Config, Rule
from kir.plan.operations import Impact
from kir.plan.route_operations import AddRule, DelRule, RuleOperation
from kir.plan.routes import REFUSING
from kir.route_state import RuleKey, RuleTable, rule_key


def desired_rules(config: Config, masters: Container[str] | None = None) -> RuleTable:
    """The static rules and those of the instances named in ``masters`` (None: this director is master of all), in the order
    in which they are added."""
    found = {rule_key(rule): rule for rule in config.static_rules}
    for instance in config.vrrp_instances:
        if masters is None or instance.name in masters:
            found |= {rule_key(rule): rule for rule in instance.rules}
    return found


def plan_rules(
    have: RuleTable, want: RuleTable, present: Collection[RuleKey] | None = None
) -> list[RuleOperation]:
    """The operations that turn ``have`` into ``want``: add before delete.

    ``present``: the keys of the rules that the kernel really holds, where that is known: what is there is not added again,
    what is not there is not deleted.
    """
    known = have if present is None else present
    adds = [_add(rule) for key, rule in want.items() if key not in known]
    gone = [rule for key, rule in have.items() if key not in want and (present is None or key in present)]
    return [*adds, *(_delete(rule) for rule in reversed(gone))]


def _add(rule: Rule) -> AddRule:
    if rule.action in REFUSING:
        return AddRule(rule=rule, impact=Impact.DEGRADED, reason="packets that match are refused from now on")
    return AddRule(rule=rule, impact=Impact.HITLESS, reason="a new rule")


def _delete(rule: Rule) -> DelRule:
    return DelRule(
        rule=rule,
        impact=Impact.HITLESS if rule.action in REFUSING else Impact.DEGRADED,
        reason="packets that matched are routed by the rules that remain",
    )
