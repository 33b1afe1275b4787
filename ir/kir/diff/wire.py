"""Whether one director takes the adverts of another: the checks of a receiver, as a question about two configurations.

Each function says why ``receiver`` drops what ``sender`` sends, None where it does not. The checks are those of RFC 3768 section 7.1
and RFC 9568 section 7.1, and of keepalived where it has more.
"""

from __future__ import annotations

from collections.abc import Callable

from kir.model import Authentication, Hmac, VrrpInstance
from kir.model.vrrp import MULTICAST_GROUP

AUTH_OCTETS = 8
"""As much of a password as a version 2 packet holds (RFC 2338 section 5.3.10)."""

Refusal = str | None


def _vrid(receiver: VrrpInstance, sender: VrrpInstance) -> Refusal:
    return "they are another virtual router's" if receiver.vrid != sender.vrid else None


def _family(receiver: VrrpInstance, sender: VrrpInstance) -> Refusal:
    return "they come over another address family" if receiver.family != sender.family else None


def _version(receiver: VrrpInstance, sender: VrrpInstance) -> Refusal:
    return "adverts of another version are dropped" if receiver.version != sender.version else None


def _unicast(receiver: VrrpInstance, sender: VrrpInstance) -> Refusal:
    if receiver.unicast == sender.unicast:
        return None
    return "a multicast router drops unicast adverts, and the reverse"


def _group(receiver: VrrpInstance, sender: VrrpInstance) -> Refusal:
    if receiver.unicast or sender.unicast:
        return None
    mine, its = (i.group or MULTICAST_GROUP[i.family] for i in (receiver, sender))
    return f"they go to {its}, which it does not listen to" if mine != its else None


def _authentication(receiver: VrrpInstance, sender: VrrpInstance) -> Refusal:
    if receiver.version != 2 or sender.version != 2:
        return None
    mine, its = receiver.authentication, sender.authentication
    if _credentials(mine) == _credentials(its):
        return None
    if mine is not None and its is not None and mine.type == its.type:
        return "the password is another one"
    if (mine is not None and mine.type == "AH") != (its is not None and its.type == "AH"):
        return (
            "an authentication header is there"
            if mine is None or mine.type != "AH"
            else "the authentication header is missing"
        )
    return "adverts with other authentication are dropped"


def _credentials(found: Authentication | None) -> tuple[str, bytes] | None:
    if found is None:
        return None
    octets = found.password.secret.encode("utf-8", "surrogateescape")[:AUTH_OCTETS]
    return found.type, octets.rstrip(b"\0")


def _hmac(receiver: VrrpInstance, sender: VrrpInstance) -> Refusal:
    mine, its = receiver.hmac, sender.hmac
    signed = its is not None and its.mode != "receive-only"
    if mine is None:
        return "the hash makes them longer than it expects" if signed else None
    if not signed:
        return "they carry no hash" if mine.mode == "enforce" else None
    assert its is not None
    key = _key(its, its.active_key)
    if key not in {_key(mine, k.id) for k in mine.keys}:
        return f"it does not know key {its.active_key}, which they are signed with"
    return None


def _key(hmac: Hmac, number: int) -> tuple[int, str | None, str | None]:
    """A key by number and octets. Two files of one name are taken for the same key."""
    found = next((k for k in hmac.keys if k.id == number), None)
    if found is None:
        return number, None, None
    return number, found.secret.secret if found.secret is not None else None, found.file


def _interval(receiver: VrrpInstance, sender: VrrpInstance) -> Refusal:
    if 2 not in (receiver.version, sender.version) or receiver.advert_int_us == sender.advert_int_us:
        return None
    return "version 2 drops adverts with another interval (RFC 3768 section 7.1)"


def _checksum(receiver: VrrpInstance, sender: VrrpInstance) -> Refusal:
    """Over IPv4 version 3 sums a pseudo header too, or (as version 2, and RFC 9568) it does not; who leaves it out takes both."""
    if (receiver.version, sender.version, sender.family) != (3, 3, "inet"):
        return None
    if sender.v3_checksum_as_v2 and not receiver.v3_checksum_as_v2:
        return "their checksum leaves the pseudo header out"
    return None


def _old_checksum(receiver: VrrpInstance, sender: VrrpInstance) -> Refusal:
    if (receiver.version, sender.version, sender.family) != (3, 3, "inet") or not sender.unicast:
        return None
    if receiver.v3_checksum_as_v2 or sender.v3_checksum_as_v2:
        return None
    if sender.old_unicast_checksum == "always" and receiver.old_unicast_checksum == "never":
        return "their checksum is over the multicast group, in the old way"
    return None


def advertised(instance: VrrpInstance) -> frozenset[str]:
    """The addresses in its adverts. Prefix lengths and devices are not on the wire, and the order does not count."""
    return frozenset(vip.address for vip in instance.vips)


def _addresses(receiver: VrrpInstance, sender: VrrpInstance) -> Refusal:
    """RFC 3768 section 7.1: dropped, except those of the owner; RFC 9568 section 7.1: logged."""
    if 2 not in (receiver.version, sender.version) or sender.owner:
        return None
    if advertised(receiver) == advertised(sender):
        return None
    return "version 2 drops adverts with other addresses (RFC 3768 section 7.1); keepalived 2.3.1 and later only log it"


CHECKS: dict[str, Callable[[VrrpInstance, VrrpInstance], Refusal]] = {
    "vrid": _vrid,
    "family": _family,
    "version": _version,
    "unicast": _unicast,
    "group": _group,
    "authentication": _authentication,
    "hmac": _hmac,
    "advert_int_us": _interval,
    "v3_checksum_as_v2": _checksum,
    "old_unicast_checksum": _old_checksum,
    "vips": _addresses,
}
"""The field of `VrrpInstance` that a check is about → the check."""


def refusals(receiver: VrrpInstance, sender: VrrpInstance, *, strict_lists: bool = False) -> dict[str, str]:
    """Field → why ``receiver`` drops the adverts of ``sender``; empty: it takes them.

    ``strict_lists``: the receiver drops adverts with other addresses in any version, as keepalived 2.2.7 to 2.3.0 do.
    """
    checked = ((field, check(receiver, sender)) for field, check in CHECKS.items())
    found = {field: why for field, why in checked if why is not None}
    if strict_lists and "vips" not in found and advertised(receiver) != advertised(sender):
        found["vips"] = "keepalived 2.2.7 to 2.3.0 drop adverts with other addresses"
    return found
