"""What differs between two configurations: typed changes by identity, never by text or order.

A change has a ``wire`` label: ``local`` (no peer sees it), ``compatible`` (peers may differ for a while) or ``breaking``
(adverts of old and new refuse each other: both directors of a pair must change together).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from kir.model import (
    MASK,
    Config,
    Hmac,
    HttpCheck,
    Model,
    RealServer,
    Secret,
    SyncGroup,
    VirtualServer,
    VrrpInstance,
)

Action = Literal["add", "remove", "change", "rename"]
Wire = Literal["local", "compatible", "breaking"]

WIRES: tuple[Wire, ...] = ("local", "compatible", "breaking")
"""In rising order."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. ``path`` names keyword and identity in turn; values are plain JSON with secrets masked."""

    action: Action
    path: tuple[str, ...]
    old: Any = None
    new: Any = None
    wire: Wire = "local"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _List:
    """A list of objects: the word for it in a path, and what tells two of them apart. ``ordered``: their order has meaning."""

    word: str
    identity: Callable[[Any, int], str]
    ordered: bool = False


def _named(item: Any, _: int) -> str:
    return str(item.identity)


def _name(item: Any, _: int) -> str:
    return str(item.name)


def _address(item: Any, _: int) -> str:
    return str(item.address)


def _key(item: Any, _: int) -> str:
    return str(item.id)


def checker_identity(item: Any, position: int) -> str:
    """Kind and position: ``TCP_CHECK 0``; an HTTP check over TLS is an ``SSL_GET``."""
    kind = "SSL_GET" if isinstance(item, HttpCheck) and item.tls else item.__struct_config__.tag
    return f"{kind} {position}"


def _position(_: Any, position: int) -> str:
    return str(position)


LISTS: dict[tuple[type, str], _List] = {
    (Config, "vrrp_scripts"): _List("vrrp_script", _named),
    (Config, "vrrp_instances"): _List("vrrp_instance", _named),
    (Config, "vrrp_sync_groups"): _List("vrrp_sync_group", _named),
    (Config, "linkbeat_interfaces"): _List("linkbeat_interfaces", _named),
    (Config, "interface_delays"): _List("interface_up_down_delays", _named),
    (Config, "garp_groups"): _List("garp_group", _named),
    (Hmac, "keys"): _List("key", _key),
    (Config, "track_groups"): _List("track_group", _named),
    (Config, "static_addresses"): _List("static_ipaddress", _named),
    (Config, "static_routes"): _List("static_routes", _named, ordered=True),
    (Config, "static_rules"): _List("static_rules", _named, ordered=True),
    (VrrpInstance, "routes"): _List("virtual_routes", _named, ordered=True),
    (VrrpInstance, "rules"): _List("virtual_rules", _named, ordered=True),
    (Config, "bfd_instances"): _List("bfd_instance", _named),
    (Config, "track_files"): _List("track_file", _named),
    (Config, "track_processes"): _List("vrrp_track_process", _named),
    (Config, "virtual_servers"): _List("virtual_server", _named),
    (VrrpInstance, "vips"): _List("virtual_ipaddress", _named, ordered=True),
    (VrrpInstance, "excluded_vips"): _List("virtual_ipaddress_excluded", _named),
    (VrrpInstance, "peers"): _List("unicast_peer", _address),
    (VrrpInstance, "track_interfaces"): _List("track_interface", _name),
    (VrrpInstance, "track_scripts"): _List("track_script", _name),
    (VrrpInstance, "track_files"): _List("track_file", _name),
    (VrrpInstance, "track_processes"): _List("track_process", _name),
    (VrrpInstance, "track_bfds"): _List("track_bfd", _name),
    (SyncGroup, "track_interfaces"): _List("track_interface", _name),
    (SyncGroup, "track_scripts"): _List("track_script", _name),
    (SyncGroup, "track_files"): _List("track_file", _name),
    (SyncGroup, "track_processes"): _List("track_process", _name),
    (SyncGroup, "track_bfds"): _List("track_bfd", _name),
    (VirtualServer, "services"): _List("service", _named),
    (VirtualServer, "real_servers"): _List("real_server", _named),
    (RealServer, "checkers"): _List("checker", checker_identity),
    (HttpCheck, "urls"): _List("url", _position),
}

_FIELD_NAMES: dict[type, tuple[str, ...]] = {}


def _fields(kind: type) -> tuple[str, ...]:
    names = _FIELD_NAMES.get(kind)
    if names is None:
        names = _FIELD_NAMES[kind] = tuple(f.name for f in msgspec.structs.fields(kind))
    return names


def plain(value: Any) -> Any:
    """``value`` as plain JSON with every secret masked."""
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, Model):
        body = {f: plain(getattr(value, f)) for f in _fields(type(value))}
        tag = value.__struct_config__.tag
        return {"kind": tag, **body} if isinstance(tag, str) else body
    if isinstance(value, (tuple, list)):
        return [plain(v) for v in value]
    return value


def diff(old: Config, new: Config) -> list[Change]:
    """All differences from ``old`` to ``new``, in the order of the model. Empty exactly where the digests are equal."""
    return list(_struct(old, new, ()))


def _struct(old: Any, new: Any, path: tuple[str, ...]) -> Iterator[Change]:
    kind = type(old)
    for name in _fields(kind):
        a, b = getattr(old, name), getattr(new, name)
        if a is b or a == b:
            continue
        as_list = LISTS.get((kind, name))
        if as_list is not None:
            yield from _list(a, b, path, as_list, old)
        elif isinstance(a, Model) and type(a) is type(b) and not isinstance(a, Secret):
            yield from _struct(a, b, (*path, name))
        else:
            wire, reason = _wire(old, new, name)
            before, after = plain(a), plain(b)
            if before == after == MASK:
                before, after = f"{MASK} (old)", f"{MASK} (new)"
            yield Change("change", (*path, name), before, after, wire, reason)


def _list(
    old: Sequence[Any], new: Sequence[Any], path: tuple[str, ...], what: _List, owner: Any
) -> Iterator[Change]:
    before = {what.identity(v, n): v for n, v in enumerate(old)}
    after = {what.identity(v, n): v for n, v in enumerate(new)}
    renamed = dict(renames(before, after)) if path == () else {}
    wire, reason = _list_wire(owner, what.word)
    for name, value in before.items():
        if name in renamed:
            yield Change("rename", (*path, what.word, renamed[name]), name, renamed[name])
            yield from _without_name(value, after[renamed[name]], (*path, what.word, renamed[name]))
        elif name not in after:
            yield Change("remove", (*path, what.word, name), plain(value), None, wire, reason)
        elif value != after[name]:
            yield from _struct_or_change(value, after[name], (*path, what.word, name))
    targets = set(renamed.values())
    for name, value in after.items():
        if name not in before and name not in targets:
            yield Change("add", (*path, what.word, name), None, plain(value), wire, reason)
    if what.ordered:
        kept_before, kept_after = [k for k in before if k in after], [k for k in after if k in before]
        if kept_before != kept_after:
            yield Change("change", (*path, what.word, "order"), list(before), list(after), wire, reason)


def _struct_or_change(old: Any, new: Any, path: tuple[str, ...]) -> Iterator[Change]:
    if type(old) is type(new):
        yield from _struct(old, new, path)
    else:
        yield Change("change", path, plain(old), plain(new))


def _without_name(old: Any, new: Any, path: tuple[str, ...]) -> Iterator[Change]:
    yield from _struct(msgspec.structs.replace(old, name=new.name), new, path)


def wire_identity(instance: VrrpInstance) -> tuple[object, ...]:
    """What makes it the same virtual router to its peers: a running instance survives any other change."""
    return (
        instance.vrid,
        instance.family,
        instance.interface,
        instance.version,
        instance.unicast,
        instance.group if not instance.unicast else instance.source,
    )


def renames(before: dict[str, Any], after: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Old name → new name, where only one pair can be meant: instances by what they are on the wire, virtual servers by
    their services, sync groups by their members, scripts by everything but the name.
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
    if isinstance(value, SyncGroup):
        return (SyncGroup, value.members)
    return (type(value), msgspec.structs.replace(value, name=""))


BREAKING_ALWAYS = {
    "vrid": "peers belong to another virtual router",
    "family": "peers speak another address family",
    "version": "peers drop adverts of another version",
    "unicast": "a multicast router drops unicast adverts, and the reverse",
    "group": "peers listen to another multicast group",
    "authentication": "peers drop adverts with other authentication",
    "hmac": "peers drop adverts without a hash that they know",
}
BREAKING_V2 = {
    "advert_int_us": "a version 2 peer drops adverts with another interval (RFC 3768 section 7.1)",
}
COMPATIBLE = {
    "advert_int_us": "version 3 peers learn the interval (RFC 9568 section 6.1)",
    "priority": "peers compare it with their own",
    "peers": "adverts go to other peers",
    "source": "adverts come from another address; equal priorities are decided by it",
    "down_timer_adverts": "only this director's own timer",
}


def _wire(old: Any, new: Any, field: str) -> tuple[Wire, str]:
    if not isinstance(old, VrrpInstance):
        return ("breaking", BREAKING_ALWAYS["authentication"]) if _is_secret(old, field) else ("local", "")
    if field in BREAKING_ALWAYS:
        return "breaking", BREAKING_ALWAYS[field]
    if field in BREAKING_V2 and 2 in (old.version, new.version):
        return "breaking", BREAKING_V2[field]
    if field in COMPATIBLE:
        return "compatible", COMPATIBLE[field]
    return "local", ""


def _is_secret(old: Any, field: str) -> bool:
    return isinstance(getattr(old, field), Secret)


def _list_wire(owner: Any, word: str) -> tuple[Wire, str]:
    if isinstance(owner, VrrpInstance):
        if word == "virtual_ipaddress":
            if owner.version == 2:
                return "breaking", "version 2 peers may drop adverts whose address list differs from theirs"
            return "compatible", "version 3 peers log that the address lists differ"
        if word == "unicast_peer":
            return "compatible", COMPATIBLE["peers"]
    return "local", ""


def worst_wire(changes: Sequence[Change]) -> Wire:
    """The worst label among ``changes``; ``local`` where there is none."""
    return max((c.wire for c in changes), key=WIRES.index, default="local")
