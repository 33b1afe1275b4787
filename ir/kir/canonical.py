"""One form for one meaning: the order that means nothing is taken away before a configuration is compared or hashed."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterable
from typing import Any

import msgspec

from kir.model import Config, Hmac, Rule, Service, SyncGroup, VirtualServer, VrrpInstance


def packed(address: str | None) -> bytes:
    """The address as octets, IPv4 before IPv6: a sort key that follows the numbers, not the text."""
    if not address:
        return b""
    try:
        if ":" in address:
            return b"6" + socket.inet_pton(socket.AF_INET6, address)
        return b"4" + socket.inet_aton(address)
    except OSError:
        return b"9" + address.encode()


def service_key(service: Service) -> tuple[Any, ...]:
    return (
        service.fwmark,
        service.family,
        service.protocol or "",
        packed(service.address),
        service.port,
    )


def canonical(config: Config) -> Config:
    """``config`` with every list whose order means nothing sorted by identity.

    Kept as they are: VIPs (their order is in the adverts), routes (the gateway of one may need another), members of a sync group (they become master in this order),
    checkers and urls (their position is their identity), script arguments, mail addresses.
    """
    replace = msgspec.structs.replace
    return replace(
        config,
        vrrp_scripts=tuple(sorted(config.vrrp_scripts, key=lambda s: s.name)),
        vrrp_instances=tuple(sorted(map(_instance, config.vrrp_instances), key=lambda i: i.name)),
        vrrp_sync_groups=tuple(
            sorted(
                (replace(g, **_tracked(g)) for g in config.vrrp_sync_groups),
                key=lambda g: g.name,
            )
        ),
        linkbeat_interfaces=tuple(sorted(config.linkbeat_interfaces, key=lambda b: b.interface)),
        interface_delays=tuple(sorted(config.interface_delays, key=lambda d: d.interface)),
        garp_groups=tuple(
            sorted(
                (replace(g, interfaces=tuple(sorted(g.interfaces))) for g in config.garp_groups),
                key=lambda g: g.identity,
            )
        ),
        track_groups=tuple(
            replace(g, members=tuple(sorted(g.members)))
            for g in sorted(config.track_groups, key=lambda g: g.name)
        ),
        static_addresses=tuple(
            sorted(config.static_addresses, key=lambda a: (packed(a.address), a.prefix, a.device))
        ),
        static_rules=_rules(config.static_rules),
        bfd_instances=tuple(sorted(config.bfd_instances, key=lambda b: b.name)),
        track_files=tuple(sorted(config.track_files, key=lambda f: f.name)),
        track_processes=tuple(sorted(config.track_processes, key=lambda p: p.name)),
        virtual_servers=in_order(map(canonical_server, config.virtual_servers)),
    )


def in_order(servers: Iterable[VirtualServer]) -> tuple[VirtualServer, ...]:
    """Virtual servers that are canonical themselves, sorted as a canonical configuration has them."""
    return tuple(sorted(servers, key=server_order))


def server_order(server: VirtualServer) -> tuple[Any, ...]:
    """Where a canonical virtual server stands among others: by its first service, then by its name."""
    return tuple(map(service_key, server.services[:1])), server.name


def _instance(instance: VrrpInstance) -> VrrpInstance:
    return msgspec.structs.replace(
        instance,
        rules=_rules(instance.rules),
        peers=tuple(sorted(instance.peers, key=lambda p: packed(p.address))),
        hmac=_hmac(instance.hmac),
        **_tracked(instance),
    )


def _tracked(of: VrrpInstance | SyncGroup) -> dict[str, Any]:
    """The five lists of tracked things, by name."""
    names = ("track_interfaces", "track_scripts", "track_files", "track_processes", "track_bfds")
    return {
        name: tuple(sorted(getattr(of, name), key=lambda t: t.name)) for name in names if getattr(of, name)
    }


def _hmac(hmac: Hmac | None) -> Hmac | None:
    if hmac is None:
        return None
    return msgspec.structs.replace(hmac, keys=tuple(sorted(hmac.keys, key=lambda k: k.id)))


def _rules(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """By family and priority; among rules of one priority the order has a meaning: the first one added comes first."""
    return tuple(sorted(rules, key=lambda r: (r.family, r.priority)))


def canonical_server(server: VirtualServer) -> VirtualServer:
    """What `canonical` does to one virtual server."""
    return msgspec.structs.replace(
        server,
        services=tuple(sorted(server.services, key=service_key)),
        flags=tuple(sorted(server.flags)),
        real_servers=tuple(sorted(server.real_servers, key=lambda r: (packed(r.address), r.port))),
    )


_digest_encoder = msgspec.json.Encoder(order="sorted")
encode_canonical = _digest_encoder.encode
"""The canonical JSON of a piece of a canonical configuration, in one line."""


def digest(config: Config) -> str:
    """``sha256:`` and the hash of the canonical JSON of ``config``: equal exactly for equal meaning."""
    return canonical_digest(canonical(config))


def raw_digest(content: Any) -> str:
    """The same of JSON values that are canonical already."""
    return "sha256:" + hashlib.sha256(_digest_encoder.encode(content)).hexdigest()


def canonical_digest(config: Config) -> str:
    """The same of a configuration that is canonical already, piece by piece: the text of a large one needs no room."""
    text = hashlib.sha256()
    encode = _digest_encoder.encode
    for number, name in enumerate(_FIELDS):
        text.update(f'{"," if number else "{"}"{name}":'.encode())
        value = getattr(config, name)
        if isinstance(value, tuple):
            texts: Iterable[bytes] = map(encode, value)
        elif hasattr(value, "texts"):
            texts = value.texts()  # a `kir.shelf.Shelf`
        else:
            text.update(encode(value))
            continue
        text.update(b"[")
        for position, item in enumerate(texts):
            text.update(b"," + item if position else item)
        text.update(b"]")
    text.update(b"}")
    return "sha256:" + text.hexdigest()


_FIELDS = tuple(sorted(Config.__struct_encode_fields__))
