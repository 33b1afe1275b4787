"""How a child is given a new configuration: what concerns it, and of the virtual servers only those that differ from what it has.

The parent has both configurations at hand, so it is the one that compares; a child with 30,000 real servers then reads one virtual
server where one weight changed.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from kir.model import Config, VirtualServer


class Handover(msgspec.Struct, frozen=True):
    """``config`` with the virtual servers that the reader does not have; ``order``: the names of all, as they stand in the new one."""

    config: Config
    order: tuple[str, ...]


_decoder = msgspec.msgpack.Decoder(Handover)


def part(name: str, config: Config) -> Config:
    """What of ``config`` concerns the child ``name``: a VRRP process need not read 30,000 real servers."""
    if name == "vrrp":
        return msgspec.structs.replace(config, virtual_servers=())
    if name == "check":
        return msgspec.structs.replace(config, vrrp_scripts=(), vrrp_instances=(), vrrp_sync_groups=())
    return Config(global_defs=config.global_defs)


def pack(name: str, new: Config, has: Config) -> bytes:
    """What the child ``name``, which runs ``has``, is to read in order to run ``new``."""
    whole = part(name, new)
    old = _by_name(has.virtual_servers)
    differ = tuple(v for v in whole.virtual_servers if not _same(v, old.get(v.name)))
    order = tuple(v.name for v in whole.virtual_servers)
    return msgspec.msgpack.encode(Handover(msgspec.structs.replace(whole, virtual_servers=differ), order))


def unpack(data: bytes, has: Config) -> Config:
    """The configuration that `pack` was given. Raises ValueError where ``has`` is another one than the packer thought."""
    try:
        told = _decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise ValueError(f"what the parent wrote cannot be read: {error}") from None
    servers = _by_name(has.virtual_servers) | _by_name(told.config.virtual_servers)
    try:
        return msgspec.structs.replace(
            told.config, virtual_servers=tuple(servers[name] for name in told.order)
        )
    except KeyError as error:
        raise ValueError(
            f"virtual server {error} is unknown here: this process runs another configuration"
        ) from None


def shared(new: Config, old: Config) -> Config:
    """``new`` with the very objects of ``old`` where they are equal: one copy in memory, and a comparison that is made but once."""
    before = _by_name(old.virtual_servers)
    servers = tuple(
        known if (known := before.get(v.name)) is not None and known == v else v for v in new.virtual_servers
    )
    return msgspec.structs.replace(new, virtual_servers=servers)


def _same(one: VirtualServer, other: VirtualServer | None) -> bool:
    return one is other or one == other


def _by_name(servers: Iterable[VirtualServer]) -> dict[str, VirtualServer]:
    return {server.name: server for server in servers}
