"""Which object of one configuration goes on as which of another: by name, or renamed where only one pair can be meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from kir.diff.shape import LISTS, by_identity
from kir.model import (
    Address,
    BfdCheck,
    BfdInstance,
    Config,
    FileCheck,
    Model,
    Route,
    Rule,
    SyncGroup,
    TrackFile,
    TrackGroup,
    VirtualServer,
    VrrpInstance,
)
from kir.model.vrrp import MULTICAST_GROUP


class WireIdentity(NamedTuple):
    """What makes it the same virtual router to its peers: a running instance survives any other change.

    The name is not part of it: peers do not see it.
    """

    vrid: int
    family: str
    interface: str
    version: int
    unicast: bool
    group: str | None
    source: str | None

    def __str__(self) -> str:
        return "/".join("" if part is None else str(part) for part in self)


def wire_identity(instance: VrrpInstance) -> WireIdentity:
    """The identity of an instance."""
    return WireIdentity(
        vrid=instance.vrid,
        family=instance.family,
        interface=instance.interface,
        version=instance.version,
        unicast=instance.unicast,
        group=None if instance.unicast else instance.group or MULTICAST_GROUP[instance.family],
        source=instance.source if instance.unicast else None,
    )


def renames(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Old name → new name, where only one pair can be meant: instances by what they are on the wire, virtual servers by
    their services, groups by their members, BFD sessions by their neighbour, track files by their path, scripts and tracked
    processes by everything but the name.
    """
    gone: dict[Any, list[str]] = {}
    come: dict[Any, list[str]] = {}
    for side, source, other in ((gone, before, after), (come, after, before)):
        for name, value in source.items():
            if name not in other and hasattr(value, "name"):
                side.setdefault(_essence(value), []).append(name)
    for essence, names in gone.items():
        found = come.get(essence, [])
        if len(names) == len(found) == 1:
            yield names[0], found[0]


def _essence(value: Any) -> Any:
    if isinstance(value, VrrpInstance):
        return (VrrpInstance, wire_identity(value))
    if isinstance(value, VirtualServer):
        return (VirtualServer, value.services)
    if isinstance(value, (SyncGroup, TrackGroup)):
        return (type(value), value.members)
    if isinstance(value, BfdInstance):
        return (BfdInstance, value.neighbor, value.source)
    if isinstance(value, TrackFile):
        return (TrackFile, value.path)
    return (type(value), msgspec.structs.replace(value, name=""))


NAMED = (
    "vrrp_instances",
    "vrrp_scripts",
    "track_files",
    "track_processes",
    "bfd_instances",
    "track_groups",
    "vrrp_sync_groups",
    "virtual_servers",
)
"""The lists of `Config` whose items have a name of their own. Instances come before groups, which name them."""

Renames = dict[str, dict[str, str]]
"""List of `Config` → old name → new name."""


def all_renames(old: Config, new: Config) -> tuple[Renames, Config]:
    """Every provable rename, and ``old`` with the new names wherever something refers to them."""
    found: Renames = {}
    for field in NAMED:
        before, after = getattr(old, field), getattr(new, field)
        if before is after or before == after:
            continue
        shape = LISTS[(Config, field)]
        pairs = dict(renames(by_identity(before, shape), by_identity(after, shape)))
        if pairs:
            found[field] = pairs
            old = _with_names(old, field, pairs)
    return found, old


_REFERENCES: dict[str, frozenset[tuple[str, str]]] = {
    "vrrp_scripts": frozenset({("track_scripts", "name")}),
    "track_files": frozenset({("track_files", "name"), ("checkers", "track_file")}),
    "track_processes": frozenset({("track_processes", "name")}),
    "bfd_instances": frozenset({("track_bfds", "name"), ("checkers", "bfd")}),
    "vrrp_instances": frozenset(),
    "vrrp_sync_groups": frozenset(),
    "track_groups": frozenset(),
    "virtual_servers": frozenset(),
}
"""For each list: the fields of other objects, and the field of their items, that hold its names."""


def _with_names(config: Config, kind: str, names: Mapping[str, str]) -> Config:
    """``config`` in which the objects of the list ``kind`` have their new names, and so has whatever refers to them."""
    replace = msgspec.structs.replace
    changes: dict[str, Any] = {}
    changes[kind] = tuple(
        replace(item, name=names[item.name]) if item.name in names else item for item in getattr(config, kind)
    )
    config = replace(config, **changes)
    if kind == "vrrp_instances":
        daemon = config.global_defs.lvs_sync_daemon
        global_defs = config.global_defs
        if daemon is not None and daemon.instance is not None and daemon.instance in names:
            global_defs = replace(
                global_defs, lvs_sync_daemon=replace(daemon, instance=names[daemon.instance])
            )
        return replace(
            config,
            global_defs=global_defs,
            vrrp_sync_groups=tuple(_members(g, names) for g in config.vrrp_sync_groups),
            track_groups=tuple(
                replace(g, members=tuple(sorted(g.members)))  # their order means nothing
                for g in (_members(g, names) for g in config.track_groups)
            ),
        )
    if kind == "vrrp_sync_groups":
        return replace(
            config,
            vrrp_instances=tuple(
                replace(i, sync_group=names[i.sync_group])
                if i.sync_group is not None and i.sync_group in names
                else i
                for i in config.vrrp_instances
            ),
        )
    if kind == "track_groups":
        return replace(
            config,
            static_addresses=_regrouped(config.static_addresses, names),
            static_routes=_regrouped(config.static_routes, names),
            static_rules=_regrouped(config.static_rules, names),
            vrrp_instances=tuple(
                replace(
                    i,
                    vips=_regrouped(i.vips, names),
                    excluded_vips=_regrouped(i.excluded_vips, names),
                    routes=_regrouped(i.routes, names),
                    rules=_regrouped(i.rules, names),
                )
                for i in config.vrrp_instances
            ),
        )
    return _tracked(config, _REFERENCES[kind], names)


def _members(group: Any, names: Mapping[str, str]) -> Any:
    if not any(m in names for m in group.members):
        return group
    return msgspec.structs.replace(group, members=tuple(names.get(m, m) for m in group.members))


def _regrouped(
    items: tuple[Address, ...] | tuple[Route, ...] | tuple[Rule, ...], names: Mapping[str, str]
) -> tuple[Any, ...]:
    return tuple(
        msgspec.structs.replace(i, track_group=names[i.track_group])
        if i.track_group is not None and i.track_group in names
        else i
        for i in items
    )


def _tracked(config: Config, where: frozenset[tuple[str, str]], names: Mapping[str, str]) -> Config:
    """``config`` with other names of trackers: in instances, in sync groups, and in checkers that refer to them."""
    replace = msgspec.structs.replace

    def renamed(owner: Model) -> Model:
        changes: dict[str, Any] = {}
        for field, key in where:
            items = getattr(owner, field, None)
            if items and any(getattr(item, key, None) in names for item in items):
                changes[field] = tuple(
                    replace(item, **{key: names[getattr(item, key)]})
                    if getattr(item, key, None) in names
                    else item
                    for item in items
                )
        return replace(owner, **changes) if changes else owner

    changes: dict[str, Any] = {
        field: tuple(renamed(owner) for owner in getattr(config, field))
        for field in ("vrrp_instances", "vrrp_sync_groups")
    }
    if any(field == "checkers" for field, _ in where):
        changes["virtual_servers"] = tuple(
            replace(server, real_servers=tuple(renamed(real) for real in server.real_servers))
            if any(
                isinstance(c, (FileCheck, BfdCheck)) for real in server.real_servers for c in real.checkers
            )
            else server
            for server in config.virtual_servers
        )
    return replace(config, **changes)
