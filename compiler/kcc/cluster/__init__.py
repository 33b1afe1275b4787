"""The directors of one cluster against each other: what no single file can show.

================  ====================================================================================
``director``      one of them: its configuration, its findings, perhaps the facts of its host
``routers``       which instances of different directors are one virtual router
``case``          what a rule gets to see, and how it reports over several files
``identity``      one router under two ids, two routers under one id, a router without a backup
``wire``          what makes directors refuse each other's adverts
``peers``         unicast peers: complete and mutual
``election``      priorities, owners, first states, nopreempt
``arithmetic``    which priorities the outcomes of all checks can give (pure)
``tracking``      checks that cannot change who is master
``groups``        sync groups that differ
``services``      virtual services and real servers that differ
================  ====================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kcc.cluster import (
    election,
    groups,
    hashes,
    identity,
    links,
    peers,
    services,
    sessions,
    tracking,
    wire,
)
from kcc.cluster.case import ClusterCase
from kcc.cluster.director import Director
from kcc.cluster.routers import match

__all__ = ["RULES", "Director", "judge_cluster"]

RULES: tuple[Callable[[ClusterCase], None], ...] = (
    identity.ids_differ,
    identity.id_shared,
    identity.lonely_router,
    wire.versions,
    wire.modes,
    wire.intervals,
    wire.authentication,
    hashes.refused_hashes,
    wire.virtual_addresses,
    wire.address_order,
    links.virtual_macs,
    links.static_elsewhere,
    links.virtual_routes,
    sessions.unmatched_sessions,
    sessions.sessions_to_each_other,
    peers.peer_missing,
    peers.own_address,
    peers.unknown_peer,
    election.two_owners,
    election.equal_priorities,
    election.first_states,
    election.nopreempt_without_effect,
    tracking.powerless_checks,
    groups.groups_differ,
    services.missing_services,
    services.services_differ,
    services.real_servers_differ,
)


def judge_cluster(directors: Sequence[Director], target: str) -> None:
    """Compare ``directors``; each finding goes to the findings of the director where it is best repaired."""
    case = ClusterCase(tuple(directors), match(directors), target)
    for rule in RULES:
        rule(case)
