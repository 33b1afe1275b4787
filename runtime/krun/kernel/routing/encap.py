"""Tunnels that a route makes: encapsulations of linux/lwtunnel.h as attributes and back."""

from __future__ import annotations

import struct

from kir.model import EncapIla, EncapIp, EncapIp6, EncapMpls
from kir.model.route import Encap
from krun.kernel.netlink.socket import address_octets, address_text
from krun.kernel.routing.wire import (
    ENCAP_ILA,
    ENCAP_IP,
    ENCAP_IP6,
    ENCAP_MPLS,
    ILA,
    MPLS,
    TUNNEL,
)

_BOTTOM_OF_STACK = 0x100


def encap_payload(encap: Encap) -> tuple[int, bytes]:
    """(LWTUNNEL_ENCAP_*, the attributes in RTA_ENCAP). Names must be numbers. Raises OSError and ValueError."""
    if isinstance(encap, EncapMpls):
        words = [label << 12 for label in encap.labels]
        words[-1] |= _BOTTOM_OF_STACK
        return ENCAP_MPLS, MPLS.pack({"labels": struct.pack(f"!{len(words)}I", *words)})
    if isinstance(encap, EncapIla):
        locator = struct.pack("!4H", *(int(group, 16) for group in encap.locator.split(":")))
        return ENCAP_ILA, ILA.pack({"locator": locator})
    inet6 = isinstance(encap, EncapIp6)
    hops, octet = (encap.hoplimit, encap.tclass) if isinstance(encap, EncapIp6) else (encap.ttl, encap.tos)
    return ENCAP_IP6 if inet6 else ENCAP_IP, TUNNEL.pack(
        {
            "id": None if encap.id is None else encap.id.to_bytes(8, "big"),
            "destination": None if encap.destination is None else address_octets(encap.destination),
            "source": None if encap.source is None else address_octets(encap.source),
            "ttl": hops,
            "tos": octet,
            "flags": encap.flags,
        }
    )


def parse_encap(kind: int, data: bytes) -> Encap | None:
    """The encapsulation of RTA_ENCAP_TYPE and RTA_ENCAP; None for one that is not known here.

    What is zero was not said: the kernel shows every field.
    """
    try:
        if kind == ENCAP_MPLS:
            labels = MPLS.unpack(data).get("labels", b"")
            numbers = struct.unpack_from(f"!{len(labels) // 4}I", labels)
            return EncapMpls(labels=tuple(number >> 12 for number in numbers)) if numbers else None
        if kind == ENCAP_ILA:
            locator = ILA.unpack(data).get("locator", b"")
            if len(locator) < 8:
                return None
            return EncapIla(locator=":".join(f"{group:x}" for group in struct.unpack_from("!4H", locator)))
        if kind not in (ENCAP_IP, ENCAP_IP6):
            return None
        found = TUNNEL.unpack(data)
        size = 4 if kind == ENCAP_IP else 16

        def address(name: str) -> str | None:
            octets: bytes = found.get(name, b"")[:size]
            return address_text(octets) if len(octets) == size and any(octets) else None

        key = int.from_bytes(found.get("id", b"")[:8], "big") or None
        flags = found.get("flags", 0) or None
        hops, octet = found.get("ttl", 0) or None, found.get("tos", 0) or None
        to, by = address("destination"), address("source")
        if kind == ENCAP_IP:
            return EncapIp(id=key, destination=to, source=by, tos=octet, ttl=hops, flags=flags)
        return EncapIp6(id=key, destination=to, source=by, tclass=octet, hoplimit=hops, flags=flags)
    except ValueError:
        return None


def bare(encap: Encap | None) -> Encap | None:
    """``encap`` as the kernel shows it: what was said to be zero counts as not said."""
    if isinstance(encap, EncapIp):
        return EncapIp(
            id=encap.id or None,
            destination=_said(encap.destination),
            source=_said(encap.source),
            tos=encap.tos or None,
            ttl=encap.ttl or None,
            flags=encap.flags or None,
        )
    if isinstance(encap, EncapIp6):
        return EncapIp6(
            id=encap.id or None,
            destination=_said(encap.destination),
            source=_said(encap.source),
            tclass=encap.tclass or None,
            hoplimit=encap.hoplimit or None,
            flags=encap.flags or None,
        )
    return encap


def _said(address: str | None) -> str | None:
    return None if address is None or not any(address_octets(address)) else address
