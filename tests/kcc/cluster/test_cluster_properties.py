"""What holds for any directors: no crash, and directors that agree have nothing to be told."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from kcc.cluster import Director, judge_cluster
from kcc.cluster.routers import match
from kcc.diagnostics.codes import CODES
from kcc.diagnostics.model import Findings
from kcc.lower.lowered import Lowered
from kir.model import Config
from support.ir_strategies import configs

ALIKE = {
    "KC1110",  # with one list of peers and one source address for all, somebody is not listed
    "KC1111",
    "KC1112",
    "KC1113",
    "KC1114",
    "KC1117",
    "KC1118",
}
"""What may be said of a director and its exact copy: they are no pair that could work, but they do not differ."""


def cluster(*parts: Config) -> list[Director]:
    return [Director(f"{n}.json", Lowered(c, {}, file=f"{n}.json"), Findings()) for n, c in enumerate(parts)]


def codes(directors: list[Director]) -> set[str]:
    return {d.code for director in directors for d in director.findings.items}


@given(configs(), st.sampled_from(("keepalived-2.2.7", "keepalived-2.4.3", "krun")))
@settings(max_examples=20, deadline=None)
def test_copies_do_not_differ(config: Config, target: str) -> None:
    directors = cluster(config, config, config)
    judge_cluster(directors, target)
    assert codes(directors) <= ALIKE


@given(st.lists(configs(), min_size=2, max_size=3))
@settings(max_examples=25, deadline=None)
def test_any_directors_are_judged(parts: list[Config]) -> None:
    directors = cluster(*parts)
    judge_cluster(directors, "keepalived-2.4.3")
    for director in directors:
        for d in director.findings.items:
            assert d.code in CODES
            assert d.message
            assert d.consequence
            assert d.help
            assert "Secret" not in d.message + d.consequence + d.help


@given(st.lists(configs(), min_size=1, max_size=3))
@settings(max_examples=25, deadline=None)
def test_every_instance_is_in_one_router(parts: list[Config]) -> None:
    routers = match(cluster(*parts))
    members = [(d, i.name) for router in routers for d, i in router]
    assert len(members) == len(set(members))
    assert set(members) == {(n, i.name) for n, c in enumerate(parts) for i in c.vrrp_instances}
    for router in routers:
        assert {(i.vrid, i.family) for _, i in router} == {(router.vrid, router.family)}


@given(configs())
@settings(max_examples=30, deadline=None)
def test_names_and_interfaces_mean_nothing(config: Config) -> None:
    """Renamed instances on other interfaces are still the same virtual routers, if they hold the same addresses."""
    renamed = msgspec.structs.replace(
        config,
        vrrp_sync_groups=(),
        vrrp_instances=tuple(
            msgspec.structs.replace(i, name=f"x{i.name}", interface=f"x{i.interface}", sync_group=None)
            for i in config.vrrp_instances
        ),
    )
    keys = [(i.vrid, i.family) for i in config.vrrp_instances if i.vips]
    for router in match(cluster(config, renamed)):
        if router.first.vips and keys.count((router.vrid, router.family)) == 1:
            assert len(router.members) == 2
