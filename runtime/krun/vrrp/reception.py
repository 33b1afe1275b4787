"""Whether a received advert is for this virtual router and may be believed.

The checks stand in the order in which keepalived makes them (RFC 9568 section 7.1 and RFC 3768 section 7.1 leave it open), so
that the same packet is counted under the same name; the first that fails decides. A dropped packet changes no state and
restarts no timer.
"""

from __future__ import annotations

import hmac
from enum import Enum

import msgspec

from kir.model import VrrpInstance
from kir.model.vrrp import MULTICAST_GROUP
from krun.vrrp.checksum import pseudo_header
from krun.vrrp.packet import (
    ADVERTISEMENT,
    AUTH_AH,
    AUTH_NONE,
    AUTH_PASS,
    Malformed,
    Packet,
    checksum_right,
    pack_address,
    parse,
    password_octets,
    pseudo_for,
)


class Reason(Enum):
    """Why an advert is dropped; the value is the counter's name (`krun.vrrp.counters`)."""

    LENGTH = "packet_len_err"
    TTL = "ip_ttl_err"
    VERSION = "version_err"
    AUTH_TYPE_UNKNOWN = "invalid_authtype"
    AUTH_TYPE_OTHER = "authtype_mismatch"
    AUTH_FAILURE = "auth_failure"
    INTERVAL = "advert_interval_err"
    TYPE = "invalid_type_rcvd"
    CHECKSUM = "checksum_err"
    UNICAST = "unicast_err"
    OWNER = "owner_ignored"


class Dropped(msgspec.Struct, frozen=True):
    """An advert that must not be believed: the reason, and a sentence for the log. ``quiet``: not worth a warning."""

    reason: Reason
    text: str
    quiet: bool = False


class Accepted(msgspec.Struct, frozen=True):
    """An advert for the machine. ``old_checksum``: its checksum was made for the multicast group, an old unicast habit.

    ``addresses_differ``: its list of VIPs is not ours, which is worth a message but no reason to drop it.
    """

    packet: Packet
    old_checksum: bool = False
    addresses_differ: bool = False


class Rules(msgspec.Struct, frozen=True):
    """What an instance expects of adverts, made once for each configuration (`rules_for`)."""

    config: VrrpInstance
    vips: frozenset[bytes]
    auth_type: int
    password: bytes
    interval: int
    group: bytes
    peers: dict[str, tuple[int, int]]


def rules_for(config: VrrpInstance) -> Rules:
    """The rules of an instance; the VIPs as a set of packed addresses."""
    authentication = config.authentication
    return Rules(
        config=config,
        vips=frozenset(pack_address(vip.address) for vip in config.vips),
        auth_type=AUTH_PASS if authentication is not None else AUTH_NONE,
        password=password_octets(authentication.password.secret) if authentication is not None else b"",
        interval=config.advert_int_us,
        group=pack_address(config.group or MULTICAST_GROUP[config.family]),
        peers={peer.address: (peer.min_ttl, peer.max_ttl) for peer in config.peers},
    )


def judge(
    rules: Rules, pdu: bytes, source: str, destination: str, ttl: int, *, priority: int
) -> Accepted | Dropped:
    """Judge a VRRP message that arrived for the instance's VRID. ``priority`` is our own current one. Never raises.

    ``ttl`` is the TTL or hop limit of the packet; ``source`` and ``destination`` are canonical text.
    """
    config = rules.config
    v2, ipv4 = config.version == 2, config.family == "inet"
    packet = parse(pdu, config.family)
    # 2. length, by the count in the packet itself
    if isinstance(packet, Malformed):
        return Dropped(Reason.LENGTH, packet.field)
    try:
        to, sender = pack_address(destination), pack_address(source)
    except OSError:
        return Dropped(Reason.LENGTH, f"unreadable addresses {source} and {destination}")
    multicast = to == rules.group or to[0] == 0xFF or (len(to) == 4 and to[0] >> 4 == 0xE)
    # 3. TTL: it has crossed no router (RFC 9568 section 5.1.1.3)
    if multicast and ttl != 255:
        return Dropped(Reason.TTL, f"TTL {ttl} from {source}, 255 is required: it was forwarded or forged")
    # 4. version
    if packet.version != config.version:
        return Dropped(
            Reason.VERSION,
            f"version {packet.version} from {source}, this instance speaks {config.version}: set vrrp_version alike",
        )
    if v2:
        if ipv4 and (dropped := _authentication(rules, packet, source)):
            return dropped
        # RFC 3768 section 7.1: the interval must be ours
        if packet.interval_us != rules.interval:
            return Dropped(
                Reason.INTERVAL,
                f"advert_int {packet.interval} s from {source}, ours is {rules.interval / 1e6:g} s: set them alike",
            )
    # 7. type
    if packet.type != ADVERTISEMENT:
        return Dropped(Reason.TYPE, f"packet type {packet.type} from {source}, only 1 (advertisement) exists")
    # 10. checksum
    right, old = _checksum(rules, pdu, sender, to)
    if not right:
        return Dropped(
            Reason.CHECKSUM,
            f"wrong checksum from {source}: damaged, or made by another rule (see v3_checksum_as_v2)",
        )
    # 11. the way it came
    if multicast == config.unicast:
        came, is_ = ("multicast", "unicast") if multicast else ("unicast", "multicast")
        return Dropped(
            Reason.UNICAST, f"{came} advert from {source}, this instance is {is_}: set unicast_peer alike"
        )
    # 12. RFC 9568 section 6.4.3 leaves an owner nothing to hear; keepalived listens unless told not to
    if config.owner_ignore_adverts and priority == 255:
        return Dropped(Reason.OWNER, f"advert from {source} ignored: we own the address", quiet=True)
    # 14. unicast senders
    if config.unicast:
        bounds = rules.peers.get(source)
        if bounds is None and config.check_unicast_src:
            return Dropped(Reason.UNICAST, f"{source} is none of the configured unicast peers")
        if bounds is not None and not bounds[0] <= ttl <= bounds[1]:
            return Dropped(
                Reason.UNICAST,
                f"TTL {ttl} from {source} is not within {bounds[0]} to {bounds[1]}",
                quiet=True,
            )
    # 13. the list of addresses is compared, never decisive
    differ = not config.skip_check_adv_addr and (
        len(packet.addresses) != len(config.vips) or rules.vips != frozenset(packet.addresses)
    )
    return Accepted(packet, old_checksum=old, addresses_differ=differ)


def _authentication(rules: Rules, packet: Packet, source: str) -> Dropped | None:
    """6. RFC 2338 section 5.3.6: a known type, the configured one, the right password."""
    if packet.auth_type not in (AUTH_NONE, AUTH_PASS, AUTH_AH):
        return Dropped(
            Reason.AUTH_TYPE_UNKNOWN, f"unknown authentication type {packet.auth_type} from {source}"
        )
    if packet.auth_type != rules.auth_type:
        names = {AUTH_NONE: "none", AUTH_PASS: "PASS", AUTH_AH: "AH"}
        return Dropped(
            Reason.AUTH_TYPE_OTHER,
            f"authentication {names[packet.auth_type]} from {source}, ours is {names[rules.auth_type]}",
        )
    if rules.auth_type == AUTH_PASS and not hmac.compare_digest(packet.auth_data, rules.password):
        return Dropped(Reason.AUTH_FAILURE, f"wrong auth_pass from {source}")
    return None


def _checksum(rules: Rules, pdu: bytes, sender: bytes, to: bytes) -> tuple[bool, bool]:
    """(right, made for the multicast group although it came by unicast)."""
    config = rules.config
    ipv4 = config.family == "inet"
    if ipv4 and config.version == 3 and config.v3_checksum_as_v2:
        # Whoever sends the one form may meet peers that send the other; both are whole, so both are taken.
        return checksum_right(pdu, None) or checksum_right(pdu, pseudo_header(sender, to, len(pdu))), False
    pseudo = pseudo_for(config.version, config.family, sender, to, len(pdu), v3_checksum_as_v2=False)
    if checksum_right(pdu, pseudo):
        return True, False
    if (
        ipv4
        and config.version == 3
        and config.unicast
        and config.old_unicast_checksum != "never"
        and checksum_right(pdu, pseudo_header(sender, rules.group, len(pdu)))
    ):
        return True, True
    return False, False
