"""IPVS in generic netlink: commands, attribute tables, and our tables to and from them (linux/ip_vs.h).

Ports are in network order, everything else is in the host's. ``netmask`` is four octets: an IPv4 netmask in network order,
or for IPv6 a prefix length as a u32.
"""

from __future__ import annotations

import socket
import struct
from functools import lru_cache
from typing import Any

from kir.model import Forwarding, Service
from kir.state import DestKey, DestParams, ServiceParams
from krun.kernel.netlink.codec import Attribute, AttributeTable, Kind, pack_attribute
from krun.kernel.netlink.generic import GENERIC_HEADER
from krun.kernel.netlink.socket import address_octets, address_text

FAMILY_NAME = "IPVS"
VERSION = 1

NEW_SERVICE, SET_SERVICE, DEL_SERVICE, GET_SERVICE = 1, 2, 3, 4
NEW_DEST, SET_DEST, DEL_DEST, GET_DEST = 5, 6, 7, 8
SET_CONFIG = 12

F_PERSISTENT, F_HASHED, F_ONEPACKET = 0x1, 0x2, 0x4
FLAGS = {"ops": F_ONEPACKET, "flag-1": 0x8, "flag-2": 0x10, "flag-3": 0x20}
"""Service flags by the names that ipvsadm gives them."""

ALL_BITS = 0xFFFFFFFF
FORWARD_MASK = 0x7
METHODS = {"NAT": 0, "TUN": 2, "DR": 3}
TUNNELS = {"ipip": 0, "gue": 1, "gre": 2}
CHECKSUMS = {"nocsum": 0, "csum": 1, "remcsum": 2}
PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP, "sctp": socket.IPPROTO_SCTP}

SERVICE = AttributeTable(
    "IPVS service",
    {
        "af": Attribute(1, Kind.U16),
        "protocol": Attribute(2, Kind.U16),
        "addr": Attribute(3, Kind.BYTES, 16),
        "port": Attribute(4, Kind.BE16),
        "fwmark": Attribute(5, Kind.U32),
        "sched_name": Attribute(6, Kind.STRING),
        "flags": Attribute(7, Kind.BYTES, 8),
        "timeout": Attribute(8, Kind.U32),
        "netmask": Attribute(9, Kind.BYTES, 4),
        "pe_name": Attribute(11, Kind.STRING),
    },
)

DEST = AttributeTable(
    "IPVS destination",
    {
        "addr": Attribute(1, Kind.BYTES, 16),
        "port": Attribute(2, Kind.BE16),
        "fwd_method": Attribute(3, Kind.U32),
        "weight": Attribute(4, Kind.S32),
        "u_thresh": Attribute(5, Kind.U32),
        "l_thresh": Attribute(6, Kind.U32),
        "addr_family": Attribute(11, Kind.U16),
        "tun_type": Attribute(13, Kind.U8),
        "tun_port": Attribute(14, Kind.BE16),
        "tun_flags": Attribute(15, Kind.U16),
    },
)

COMMAND = AttributeTable(
    "IPVS command",
    {
        "service": Attribute(1, Kind.NESTED, table=SERVICE),
        "dest": Attribute(2, Kind.NESTED, table=DEST),
        "timeout_tcp": Attribute(4, Kind.U32),
        "timeout_tcp_fin": Attribute(5, Kind.U32),
        "timeout_udp": Attribute(6, Kind.U32),
    },
)

_BY_ADDRESS = SERVICE.layout("af", "protocol", "addr", "port")
_BY_MARK = SERVICE.layout("af", "fwmark")
_SERVICE_NUMBERS = SERVICE.layout("flags", "timeout", "netmask")
_DEST_KEY = DEST.layout("addr_family", "addr", "port")
_DEST_PARAMS = DEST.layout(
    "fwd_method",
    "weight",
    "u_thresh",
    "l_thresh",
    "tun_type",
    "tun_port",
    "tun_flags",
)
_SERVICE_NUMBER = COMMAND.attributes["service"].number
_DEST_NUMBER = COMMAND.attributes["dest"].number

_FLAG_PAIR = struct.Struct("=II")
_U32 = struct.Struct("=I")

_HEADERS = {command: GENERIC_HEADER.pack(command, VERSION, 0) for command in range(20)}
_METHOD_NAMES = {number: name for name, number in METHODS.items()}
_TUNNEL_NAMES = {number: name for name, number in TUNNELS.items()}
_CHECKSUM_NAMES = {number: name for name, number in CHECKSUMS.items()}
_PROTOCOL_NAMES = {int(number): name for name, number in PROTOCOLS.items()}
_FAMILIES = {int(socket.AF_INET): "inet", int(socket.AF_INET6): "inet6"}


def header(command: int) -> bytes:
    """The generic netlink header of a command."""
    return _HEADERS[command]


def pack_key(service: Service) -> bytes:
    """The attributes that say which service; the same for every command about it and its servers. Raises OSError."""
    family = socket.AF_INET6 if service.family == "inet6" else socket.AF_INET
    if service.fwmark:
        return _BY_MARK.pack(family, service.fwmark)
    protocol = PROTOCOLS[service.protocol or "tcp"]
    return _BY_ADDRESS.pack(family, protocol, address_octets(service.address or ""), service.port)


def pack_service(key: bytes, params: ServiceParams | None = None) -> bytes:
    """The service attribute of a command; with ``params`` the whole service, as NEW and SET want it.

    Raises OSError or ValueError for a granularity that is none, KeyError for an unknown flag.
    """
    nest = key if params is None else key + _pack_params(params)
    return pack_attribute(_SERVICE_NUMBER, nest, Kind.NESTED)


def _pack_params(params: ServiceParams) -> bytes:
    bits = F_PERSISTENT if params.timeout_s else 0
    for name in params.flags:
        bits |= FLAGS[name]
    if "." in params.granularity:
        mask = socket.inet_pton(socket.AF_INET, params.granularity)
    else:
        mask = _U32.pack(int(params.granularity))
    names = SERVICE.pack({"sched_name": params.scheduler, "pe_name": params.engine})
    return names + _SERVICE_NUMBERS.pack(_FLAG_PAIR.pack(bits, ALL_BITS), params.timeout_s, mask)


def pack_dest(dest: DestKey, params: DestParams | None = None) -> bytes:
    """The destination attribute of a command; with ``params`` the whole destination. Raises OSError."""
    octets = address_octets(dest.address)
    family = socket.AF_INET if len(octets) == 4 else socket.AF_INET6
    nest = _DEST_KEY.pack(family, octets, dest.port)
    if params is not None:
        nest += _pack_dest_params(params)
    return pack_attribute(_DEST_NUMBER, nest, Kind.NESTED)


@lru_cache(maxsize=1024)
def _pack_dest_params(params: DestParams) -> bytes:
    """How a server is used: the same octets for the thousands that are used alike."""
    way = params.forwarding
    return _DEST_PARAMS.pack(
        METHODS[way.method],
        params.weight,
        params.upper_threshold,
        params.lower_threshold,
        TUNNELS[way.tunnel_type or "ipip"],
        way.tunnel_port,
        CHECKSUMS[way.tunnel_checksum or "nocsum"],
    )


def read_service(found: dict[str, Any]) -> tuple[Service, ServiceParams] | None:
    """A service as the kernel dumped it; None for one that our tables cannot tell (another protocol)."""
    family = _FAMILIES.get(found.get("af", 0))
    if family is None:
        return None
    fwmark = found.get("fwmark", 0)
    if fwmark:
        service = Service(family=family, fwmark=fwmark)  # type: ignore[arg-type]
    else:
        protocol = _PROTOCOL_NAMES.get(found.get("protocol", 0))
        octets = found.get("addr", b"")
        if protocol is None or len(octets) < 16:
            return None
        service = Service(
            family=family,  # type: ignore[arg-type]
            protocol=protocol,  # type: ignore[arg-type]
            address=address_text(octets[:4] if family == "inet" else octets[:16]),
            port=found.get("port", 0),
        )
    bits = _FLAG_PAIR.unpack_from(found.get("flags", bytes(8)))[0]
    flags = tuple(sorted(name for name, bit in FLAGS.items() if bits & bit))
    whole = "255.255.255.255" if family == "inet" else "128"
    if not bits & F_PERSISTENT:
        return service, ServiceParams(scheduler=found.get("sched_name", ""), flags=flags, granularity=whole)
    mask = found.get("netmask", b"\xff" * 4)[:4]
    return service, ServiceParams(
        scheduler=found.get("sched_name", ""),
        flags=flags,
        timeout_s=found.get("timeout", 0),
        granularity=address_text(mask) if family == "inet" else str(_U32.unpack(mask)[0]),
        engine=found.get("pe_name") or None,
    )


def read_dest(found: dict[str, Any], family: str) -> tuple[DestKey, DestParams] | None:
    """A destination as the kernel dumped it; ``family`` is the service's, where an old kernel does not say its own."""
    octets = found.get("addr", b"")
    if len(octets) < 16:
        return None
    number = found.get("addr_family", 0)
    short = number == socket.AF_INET if number else family == "inet"
    key = DestKey(address_text(octets[:4] if short else octets[:16]), found.get("port", 0))
    # LOCALNODE and BYPASS, which no one can ask for, count as DR: delivered without change.
    method = _METHOD_NAMES.get(found.get("fwd_method", 0) & FORWARD_MASK, "DR")
    return key, DestParams(
        weight=found.get("weight", 0),
        forwarding=_forwarding(method, found),
        upper_threshold=found.get("u_thresh", 0),
        lower_threshold=found.get("l_thresh", 0),
    )


def _forwarding(method: str, found: dict[str, Any]) -> Forwarding:
    if method != "TUN":
        return _PLAIN[method]
    tunnel = _TUNNEL_NAMES.get(found.get("tun_type", 0), "ipip")
    if tunnel == "ipip":
        return _PLAIN["TUN"]
    return Forwarding(
        method="TUN",
        tunnel_type=tunnel,  # type: ignore[arg-type]
        tunnel_port=found.get("tun_port", 0) if tunnel == "gue" else 0,
        tunnel_checksum=_CHECKSUM_NAMES.get(found.get("tun_flags", 0), "csum"),  # type: ignore[arg-type]
    )


_PLAIN = {
    "NAT": Forwarding(method="NAT"),
    "DR": Forwarding(method="DR"),
    "TUN": Forwarding(method="TUN", tunnel_type="ipip"),
}
