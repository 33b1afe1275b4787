"""A configuration against the facts of the host that it is for: what no text can show.

=============  =======================================================================================
``case``       what a rule gets to see
``links``      interfaces, subnets, adverts and the MTU
``own``        VMACs and ipvlans
``routes``     gateways of routes
``sources``    addresses that adverts come from, peers, address owners
``programs``   scripts and the accounts that they run as
``files``      other files that must be there
``access``     who may run a file, who may change it (pure)
``features``   what the kernel must have
=============  =======================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kcc.hosts import features, files, links, own, programs, routes, sources
from kcc.hosts.case import HostCase

if TYPE_CHECKING:
    from kcc.diagnostics.model import Findings
    from kcc.lower.lowered import Lowered
    from kir.facts import Facts

__all__ = ["RULES", "judge_host"]

RULES: tuple[Callable[[HostCase], None], ...] = (
    links.missing_interfaces,
    links.foreign_addresses,
    links.mute_interfaces,
    links.large_adverts,
    own.unable_links,
    own.taken_names,
    routes.unreachable_gateways,
    sources.own_address_among_peers,
    sources.own_address_as_neighbor,
    sources.source_elsewhere,
    sources.bfd_source_elsewhere,
    sources.owner_without_address,
    programs.scripts,
    programs.pipes,
    files.missing_files,
    features.no_ipvs,
    features.no_scheduler,
    features.no_nftables,
)


def judge_host(lowered: Lowered, facts: Facts, findings: Findings, target: str) -> None:
    """Judge ``lowered`` by ``facts``; what is found goes to ``findings``."""
    case = HostCase(lowered, findings, target, facts)
    for rule in RULES:
        rule(case)
