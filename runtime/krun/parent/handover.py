"""How a child is given a new configuration: what concerns it, and of the virtual servers only what differs from what it has.

The parent has both configurations at hand as texts (`kir.shelf`), so it is the one that compares: of a virtual server with a changed weight
a child reads that real server, and where the others stand in what it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import msgspec

from kir.model import Config, RealServer, VirtualServer
from kir.sharing import Sharing
from kir.shelf import Shelf, shelve

Raw = msgspec.Raw


class Changed(msgspec.Struct, frozen=True):
    """A virtual server that is not as it was. ``real_servers``: those that it has, in order: where one stands in what was there before, or
    the real server itself. ``virtual`` has none of its own.
    """

    virtual: VirtualServer
    real_servers: list[int | RealServer]


class Handover(msgspec.Struct, frozen=True):
    """``config`` without virtual servers; the virtual servers that the reader does not have like this; ``order``: the names of all."""

    config: Config
    changed: list[Changed]
    order: list[str]


_decoder = msgspec.json.Decoder(Handover)
_fields = msgspec.json.Decoder(dict[str, Raw])
_items = msgspec.json.Decoder(list[Raw])


def part(name: str, config: Config) -> Config:
    """What of ``config`` concerns the child ``name``: a VRRP process need not read 30,000 real servers."""
    if name == "vrrp":
        return msgspec.structs.replace(config, virtual_servers=())
    if name == "check":
        return msgspec.structs.replace(config, vrrp_scripts=(), vrrp_instances=(), vrrp_sync_groups=())
    return Config(global_defs=config.global_defs)


def pack(name: str, new: Config, has: Config) -> bytes:
    """What the child ``name``, which runs ``has``, is to read in order to run ``new``. Raises `kir.shelf.ShelfError`."""
    concerns = part(name, new)
    shelf, before = shelve(concerns.virtual_servers), shelve(has.virtual_servers)
    old = {place.name: place for place in before.places}
    changed = []
    for place in shelf.places:
        was = old.get(place.name)
        if was is None or was.mark != place.mark:
            changed.append(_changed(shelf.text(place), before.text(was) if was is not None else None))
    rest = msgspec.structs.replace(concerns, virtual_servers=())
    return msgspec.json.encode(
        {"config": rest, "changed": changed, "order": [place.name for place in shelf.places]}
    )


def differing(new: Config, old: Config) -> list[str]:
    """The names of the virtual servers that are not the same in both, those included that only one of them has."""
    one, other = (
        {place.name: place.mark for place in shelve(config.virtual_servers).places} for config in (new, old)
    )
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def _changed(text: bytes, before: bytes | None) -> Raw:
    """A `Changed` as JSON, from canonical texts."""
    fields = _fields.decode(text)
    there = _items.decode(_fields.decode(before)["real_servers"]) if before is not None else []
    known = {bytes(real): n for n, real in enumerate(there)}
    reals = [known.get(bytes(real), real) for real in _items.decode(fields["real_servers"])]
    return Raw(msgspec.json.encode({"virtual": {**fields, "real_servers": ()}, "real_servers": reals}))


def unpack(data: bytes, has: Config) -> Config:
    """The configuration that `pack` was given. Raises ValueError where ``has`` is another one than the packer thought."""
    try:
        told = _decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise ValueError(f"what the parent wrote cannot be read: {error}") from None
    servers = {server.name: server for server in has.virtual_servers}
    share = Sharing().real
    for changed in told.changed:
        for real in changed.real_servers:
            if not isinstance(real, int):
                share(real)
    try:
        servers |= {c.virtual.name: _made(c, servers.get(c.virtual.name)) for c in told.changed}
        return msgspec.structs.replace(
            told.config, virtual_servers=tuple([servers[name] for name in told.order])
        )
    except (KeyError, IndexError) as error:
        raise ValueError(f"{error}: unknown here: this process runs another configuration") from None


def _made(changed: Changed, before: VirtualServer | None) -> VirtualServer:
    there = before.real_servers if before is not None else ()
    reals = tuple([there[real] if isinstance(real, int) else real for real in changed.real_servers])
    return msgspec.structs.replace(changed.virtual, real_servers=reals)


def inherited(config: Config) -> int:
    """The descriptor that a child needs to `read` its configuration; -1: none."""
    servers = cast("Sequence[VirtualServer]", config.virtual_servers)
    return servers.fileno() if isinstance(servers, Shelf) else -1


def read(config: Config) -> Config:
    """``config``, with which a child was forked, with its virtual servers as objects. Raises `kir.shelf.ShelfError`."""
    servers = cast("Sequence[VirtualServer]", config.virtual_servers)
    if not isinstance(servers, Shelf):
        return config
    share = Sharing().virtual
    found = msgspec.structs.replace(config, virtual_servers=tuple([share(v) for v in servers]))
    servers.close()
    return found
