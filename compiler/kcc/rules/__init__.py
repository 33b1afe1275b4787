"""Judgement over the finished configuration: what works, and will surprise; what cannot work.

A rule is a function with a docstring that says what it looks for and why. It sees the IR and the places where things were
written, so it judges an ir.json as it does a text. What keepalived *changes* while it reads is not here but in ``kcc.lower``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcc.rules import adverts, director, groups, links, pools, routers, tracking
from kcc.rules.rule import Case, Rule

if TYPE_CHECKING:
    from kcc.diagnostics.model import Findings
    from kcc.lower.lowered import Lowered

__all__ = ["RULES", "Case", "Rule", "judge"]

RULES: tuple[Rule, ...] = (
    Rule("KC0401", director.script_security),
    Rule("KC0404", director.no_mail),
    Rule("KC0405", director.script_account),
    Rule("KC0503", routers.duplicate_vrid),
    Rule("KC0507", routers.address_in_two_instances),
    Rule("KC0515", routers.silent_addresses),
    Rule("KC0522", routers.own_address_among_peers),
    Rule("KC0527", adverts.forgeable_unicast),
    Rule("KC0528", links.shared_vmac),
    Rule("KC0529", links.static_virtual_address),
    Rule("KC0533", groups.lonely_group),
    Rule("KC0534", groups.owners_and_others),
    Rule("KC0535", groups.different_starts),
    Rule("KC0608", tracking.slow_script),
    Rule("KC0609", tracking.weight_beyond_range),
    Rule("KC0610", tracking.interface_tracked_twice),
    Rule("KC0615", tracking.weight_without_effect),
    Rule("KC0616", tracking.weight_of_one_member),
    Rule("KC0617", links.track_file_place),
    Rule("KC0719", pools.contradicting_thresholds),
    Rule("KC0806", pools.slow_check),
    Rule("KC0807", pools.path_without_slash),
    Rule("KC0808", pools.check_of_port_zero),
    Rule("KC0814", pools.plain_http_to_tls),
)


def judge(lowered: Lowered, findings: Findings, target: str) -> None:
    """Apply every rule to ``lowered``; what they find goes to ``findings``."""
    case = Case(lowered, findings, target)
    for rule in RULES:
        rule.check(case)
