"""One form for one meaning: the order that means nothing is taken away before a configuration is compared or hashed."""

from __future__ import annotations

import hashlib
import socket
from typing import Any

import msgspec

from kir.model import Config, Service, VirtualServer, VrrpInstance


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

    Kept as they are: VIPs (their order is in the adverts), members of a sync group (they become master in this order),
    checkers and urls (their position is their identity), script arguments, mail addresses.
    """
    replace = msgspec.structs.replace
    return replace(
        config,
        vrrp_scripts=tuple(sorted(config.vrrp_scripts, key=lambda s: s.name)),
        vrrp_instances=tuple(sorted(map(_instance, config.vrrp_instances), key=lambda i: i.name)),
        vrrp_sync_groups=tuple(
            sorted(
                (
                    replace(
                        g,
                        track_interfaces=tuple(sorted(g.track_interfaces, key=lambda t: t.name)),
                        track_scripts=tuple(sorted(g.track_scripts, key=lambda t: t.name)),
                    )
                    for g in config.vrrp_sync_groups
                ),
                key=lambda g: g.name,
            )
        ),
        virtual_servers=tuple(
            sorted(
                map(_server, config.virtual_servers),
                key=lambda v: (*map(service_key, v.services[:1]), v.name),
            )
        ),
    )


def _instance(instance: VrrpInstance) -> VrrpInstance:
    return msgspec.structs.replace(
        instance,
        peers=tuple(sorted(instance.peers, key=lambda p: packed(p.address))),
        track_interfaces=tuple(sorted(instance.track_interfaces, key=lambda t: t.name)),
        track_scripts=tuple(sorted(instance.track_scripts, key=lambda t: t.name)),
    )


def _server(server: VirtualServer) -> VirtualServer:
    return msgspec.structs.replace(
        server,
        services=tuple(sorted(server.services, key=service_key)),
        flags=tuple(sorted(server.flags)),
        real_servers=tuple(sorted(server.real_servers, key=lambda r: (packed(r.address), r.port))),
    )


_digest_encoder = msgspec.json.Encoder(order="sorted")


def digest(config: Config) -> str:
    """``sha256:`` and the hash of the canonical JSON of ``config``: equal exactly for equal meaning."""
    return "sha256:" + hashlib.sha256(_digest_encoder.encode(canonical(config))).hexdigest()
