"""What tells the objects of the IR apart: the word for each list in a path, and the identity of its items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from kir.diff.checks import checker_identity, paired
from kir.model import (
    Config,
    Hmac,
    HttpCheck,
    RealServer,
    Route,
    SyncGroup,
    VirtualServer,
    VrrpInstance,
)


@dataclass(frozen=True, slots=True)
class ObjectList:
    """A list of objects: the word for it in a path, and what tells two of them apart. ``ordered``: their order has meaning. ``pair``: names the
    items of both sides, where one alone does not tell who is who.
    """

    word: str
    identity: Callable[[Any, int], str]
    ordered: bool = False
    pair: Callable[[Sequence[Any], Sequence[Any]], tuple[dict[str, Any], dict[str, Any]]] | None = None


def _named(item: Any, _: int) -> str:
    return str(item.identity)


def _name(item: Any, _: int) -> str:
    return str(item.name)


def _address(item: Any, _: int) -> str:
    return str(item.address)


def _key(item: Any, _: int) -> str:
    return str(item.id)


def _position(_: Any, position: int) -> str:
    return str(position)


_TRACKED = {
    "track_interfaces": ObjectList("track_interface", _name),
    "track_scripts": ObjectList("track_script", _name),
    "track_files": ObjectList("track_file", _name),
    "track_processes": ObjectList("track_process", _name),
    "track_bfds": ObjectList("track_bfd", _name),
}

LISTS: dict[tuple[type, str], ObjectList] = {
    (Config, "vrrp_scripts"): ObjectList("vrrp_script", _named),
    (Config, "vrrp_instances"): ObjectList("vrrp_instance", _named),
    (Config, "vrrp_sync_groups"): ObjectList("vrrp_sync_group", _named),
    (Config, "linkbeat_interfaces"): ObjectList("linkbeat_interfaces", _named),
    (Config, "interface_delays"): ObjectList("interface_up_down_delays", _named),
    (Config, "garp_groups"): ObjectList("garp_group", _named),
    (Hmac, "keys"): ObjectList("key", _key),
    (Config, "track_groups"): ObjectList("track_group", _named),
    (Config, "static_addresses"): ObjectList("static_ipaddress", _named),
    (Config, "static_routes"): ObjectList("static_routes", _named, ordered=True),
    (Config, "static_rules"): ObjectList("static_rules", _named, ordered=True),
    (VrrpInstance, "routes"): ObjectList("virtual_routes", _named, ordered=True),
    (VrrpInstance, "rules"): ObjectList("virtual_rules", _named, ordered=True),
    (Config, "bfd_instances"): ObjectList("bfd_instance", _named),
    (Config, "track_files"): ObjectList("track_file", _named),
    (Config, "track_processes"): ObjectList("vrrp_track_process", _named),
    (Config, "virtual_servers"): ObjectList("virtual_server", _named),
    (VrrpInstance, "vips"): ObjectList("virtual_ipaddress", _named, ordered=True),
    (VrrpInstance, "excluded_vips"): ObjectList("virtual_ipaddress_excluded", _named),
    (VrrpInstance, "peers"): ObjectList("unicast_peer", _address),
    **{(VrrpInstance, field): shape for field, shape in _TRACKED.items()},
    **{(SyncGroup, field): shape for field, shape in _TRACKED.items()},
    (VirtualServer, "services"): ObjectList("service", _named),
    (VirtualServer, "real_servers"): ObjectList("real_server", _named),
    (RealServer, "checkers"): ObjectList("checker", checker_identity, ordered=True, pair=paired),
    (HttpCheck, "urls"): ObjectList("url", _position),
    (Route, "nexthops"): ObjectList("nexthop", _position),
}

_FIELD_NAMES: dict[type, tuple[str, ...]] = {}


def fields(kind: type) -> tuple[str, ...]:
    """The names of the fields of a model type, in their order."""
    names = _FIELD_NAMES.get(kind)
    if names is None:
        names = _FIELD_NAMES[kind] = tuple(f.name for f in msgspec.structs.fields(kind))
    return names


def by_identity(items: Iterable[Any], shape: ObjectList) -> dict[str, Any]:
    """The items by identity. What has the identity of an earlier one (two routes may) gets its number: ``… #2``."""
    found: dict[str, Any] = {}
    for position, item in enumerate(items):
        name = shape.identity(item, position)
        if name in found:
            count = 2
            while f"{name} #{count}" in found:
                count += 1
            name = f"{name} #{count}"
        found[name] = item
    return found
