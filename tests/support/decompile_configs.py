"""Hypothesis strategies for configurations that a compiler could have made: every field of the IR, and no contradiction."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from kir.model import Address, Config, SyncGroup, TrackGroup
from support.decompile_globals import globals_, interface_settings, tls_clients
from support.decompile_routing import some_routes, some_rules
from support.decompile_services import virtual_servers
from support.decompile_tracks import followed, tracks
from support.decompile_vrrp import GROUPS, instances, notifies, vip
from support.decompile_words import address, us, words


@st.composite
def compiled_configs(draw: st.DrawFn) -> Config:
    """A whole configuration."""
    known = draw(tracks())
    links = draw(interface_settings())
    shared = {
        "arp": draw(st.just(0) | us(1, 4_294_000_000)),
        "na": draw(st.just(0) | us(1, 4_294_000_000)),
        "delays": {d.interface: (d.down_us, d.up_us) for d in links["interface_delays"]},
        **{family: draw(st.sampled_from(groups)) for family, groups in GROUPS.items()},
    }
    wanted = draw(st.lists(words, max_size=3, unique=True))
    grouped = draw(st.booleans()) and bool(wanted)
    weights = draw(st.booleans())
    group = draw(words) if grouped else None
    made = [draw(instances(n, known, group, not grouped or weights, shared)) for n in wanted]
    owner = any(i.owner for i in made)
    groups = []
    if group is not None:
        groups.append(
            SyncGroup(
                name=group,
                members=tuple(draw(st.permutations(wanted))),
                **draw(followed(known, not owner, process_weights=not owner)),
                tracking_weight=weights,
                notify=draw(notifies(instance=False)),
                notify_priority_changes=draw(st.booleans()),
                smtp_alert=draw(st.booleans()),
            )
        )
    track_groups = draw(track_groups_of(wanted))
    names = [g.name for g in track_groups]
    return Config(
        global_defs=draw(globals_(wanted)),
        vrrp_scripts=known.scripts,
        vrrp_instances=tuple(made),
        vrrp_sync_groups=tuple(groups),
        track_groups=track_groups,
        static_addresses=draw(static_addresses(names)),
        static_routes=draw(some_routes(names)),
        static_rules=draw(some_rules(names)),
        bfd_instances=known.bfds,
        track_files=known.files,
        track_processes=known.processes,
        tls=draw(st.none() | tls_clients()),
        virtual_servers=tuple([draw(virtual_servers(n, known)) for n in range(draw(st.integers(0, 3)))]),
        **links,
    )


def track_groups_of(instances: list[str]) -> st.SearchStrategy[tuple[TrackGroup, ...]]:
    if not instances:
        return st.just(())
    members = st.lists(st.sampled_from(instances), min_size=1, unique=True).map(tuple)
    one = st.builds(TrackGroup, name=words, members=members)
    return st.lists(one, max_size=2, unique_by=lambda g: g.name).map(tuple)


@st.composite
def static_addresses(draw: st.DrawFn, groups: list[str]) -> tuple[Address, ...]:
    found: dict[str, Address] = {}
    for _ in range(draw(st.integers(0, 2))):
        family = draw(st.sampled_from(["inet", "inet6"]))
        one = draw(vip(draw(address(family)), family, ["eth1", "bond0.7"]))
        if groups and one.track and draw(st.booleans()):
            one = msgspec.structs.replace(one, track_group=draw(st.sampled_from(groups)))
        found.setdefault(one.identity, one)
    return tuple(found.values())
