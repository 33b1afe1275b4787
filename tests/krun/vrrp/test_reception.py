"""Which adverts are believed: every reason to drop one, and the order in which the reasons are looked for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kir.model import Authentication, Peer, Secret, VrrpInstance
from krun.vrrp.checksum import pseudo_header
from krun.vrrp.packet import AUTH_PASS, Packet, build, pack_address, password_octets
from krun.vrrp.reception import Accepted, Dropped, Reason, judge, rules_for

from .make import router

PEER, US, GROUP4, GROUP6 = "192.0.2.2", "192.0.2.1", "224.0.0.18", "ff02::12"
VIP = pack_address("192.0.2.10")
PASS = Authentication(type="PASS", password=Secret(secret="abc"))
V2 = router()
V2_PASS = router(authentication=PASS)
V3 = router(version=3)
UNICAST = router(
    version=3, unicast=True, source=US, peers=(Peer(address=PEER, min_ttl=254),), check_unicast_src=True
)


def wire(
    config: VrrpInstance,
    to: str = GROUP4,
    cover: str | None = None,
    pseudo: bool | None = None,
    **fields: Any,
) -> bytes:
    """An advert as a peer of ``config`` would send it, with ``fields`` changed; ``cover``: destination in the checksum."""
    base: dict[str, Any] = {
        "version": config.version,
        "vrid": config.vrid,
        "priority": 150,
        "interval": 1 if config.version == 2 else 100,
        "addresses": (VIP,),
        "auth_type": AUTH_PASS if config.authentication else 0,
        "auth_data": password_octets("abc") if config.authentication else bytes(8),
    }
    base.update(fields)
    packet = Packet(**base)
    if pseudo is None:
        pseudo = packet.version == 3
    length = 8 + 4 * len(packet.addresses) + (8 if packet.version == 2 else 0)
    under = pseudo_header(pack_address(PEER), pack_address(cover or to), length) if pseudo else None
    return build(packet, "inet", under)


def look(
    config: VrrpInstance,
    pdu: bytes,
    to: str = GROUP4,
    ttl: int = 255,
    source: str = PEER,
    priority: int = 100,
) -> Accepted | Dropped:
    return judge(rules_for(config), pdu, source, to, ttl, priority=priority)


GOOD = [
    pytest.param(V2, wire(V2), GROUP4, id="v2"),
    pytest.param(V2_PASS, wire(V2_PASS), GROUP4, id="v2-pass"),
    pytest.param(V3, wire(V3), GROUP4, id="v3"),
    pytest.param(V3, wire(V3, interval=30), GROUP4, id="v3-another-interval"),
    pytest.param(V3, wire(V3, addresses=()), GROUP4, id="v3-another-list"),
    pytest.param(UNICAST, wire(UNICAST, to=US), US, id="unicast"),
    pytest.param(router(version=3, v3_checksum_as_v2=True), wire(V3, pseudo=False), GROUP4, id="v3-as-v2"),
    pytest.param(
        router(version=3, v3_checksum_as_v2=True), wire(V3), GROUP4, id="v3-as-v2-hears-the-other-form"
    ),
    pytest.param(router(group="239.1.1.1"), wire(V2), "239.1.1.1", id="other-group"),
]


@pytest.mark.parametrize(("config", "pdu", "to"), GOOD)
def test_believed(config: VrrpInstance, pdu: bytes, to: str) -> None:
    verdict = look(config, pdu, to)
    assert isinstance(verdict, Accepted), verdict
    assert verdict.packet.priority == 150
    assert not verdict.old_checksum


BAD = [
    pytest.param(V2, wire(V2)[:-1], GROUP4, 255, Reason.LENGTH, id="cut"),
    pytest.param(V2, wire(V2) + b"\0", GROUP4, 255, Reason.LENGTH, id="too-long"),
    pytest.param(V3, wire(V3, version=2), GROUP4, 254, Reason.TTL, id="ttl-comes-before-version"),
    pytest.param(V3, wire(V3, version=2), GROUP4, 255, Reason.VERSION, id="version"),
    pytest.param(
        V2, wire(V2, auth_type=7), GROUP4, 255, Reason.AUTH_TYPE_UNKNOWN, id="unknown-authentication"
    ),
    pytest.param(V2, wire(V2_PASS), GROUP4, 255, Reason.AUTH_TYPE_OTHER, id="password-not-wanted"),
    pytest.param(V2_PASS, wire(V2), GROUP4, 255, Reason.AUTH_TYPE_OTHER, id="password-missing"),
    pytest.param(
        V2_PASS, wire(V2_PASS, auth_data=b"abd" + bytes(5)), GROUP4, 255, Reason.AUTH_FAILURE, id="password"
    ),
    pytest.param(
        V2, wire(V2, interval=2, type=2), GROUP4, 255, Reason.INTERVAL, id="interval-comes-before-type"
    ),
    pytest.param(V2, wire(V2, type=2), GROUP4, 255, Reason.TYPE, id="type"),
    pytest.param(V3, wire(V3, pseudo=False), GROUP4, 255, Reason.CHECKSUM, id="checksum-rule"),
    pytest.param(
        V3, wire(V3, cover="224.0.0.19"), GROUP4, 255, Reason.CHECKSUM, id="checksum-of-another-destination"
    ),
    pytest.param(V3, wire(V3, to=US), US, 255, Reason.UNICAST, id="unicast-to-multicast-instance"),
    pytest.param(UNICAST, wire(UNICAST), GROUP4, 255, Reason.UNICAST, id="multicast-to-unicast-instance"),
    pytest.param(UNICAST, wire(UNICAST, to=US), US, 253, Reason.UNICAST, id="unicast-ttl-below-the-peers"),
]


@pytest.mark.parametrize(("config", "pdu", "to", "ttl", "reason"), BAD)
def test_dropped(config: VrrpInstance, pdu: bytes, to: str, ttl: int, reason: Reason) -> None:
    verdict = look(config, pdu, to, ttl)
    assert isinstance(verdict, Dropped), verdict
    assert verdict.reason is reason
    assert verdict.text


def test_no_secret_in_the_words() -> None:
    verdict = look(V2_PASS, wire(V2_PASS, auth_data=b"hunter2\0"))
    assert isinstance(verdict, Dropped)
    assert "abc" not in verdict.text and "hunter2" not in verdict.text


def test_stranger_among_unicast_peers() -> None:
    pdu = build(
        Packet(3, 51, 150, 100, (VIP,)),
        "inet",
        pseudo_header(pack_address("192.0.2.9"), pack_address(US), 12),
    )
    verdict = look(UNICAST, pdu, US, source="192.0.2.9")
    assert isinstance(verdict, Dropped) and verdict.reason is Reason.UNICAST


@pytest.mark.parametrize(("mode", "believed"), [("auto", True), ("never", False)])
def test_old_unicast_checksum(mode: Any, believed: bool) -> None:
    config = router(
        version=3, unicast=True, source=US, peers=(Peer(address=PEER),), old_unicast_checksum=mode
    )
    verdict = look(config, wire(config, to=US, cover=GROUP4), US)
    assert isinstance(verdict, Accepted) is believed
    if isinstance(verdict, Accepted):
        assert verdict.old_checksum


def test_an_owner_may_be_told_not_to_listen() -> None:
    config = router(version=3, priority=255, owner_ignore_adverts=True)
    verdict = look(config, wire(config), priority=255)
    assert isinstance(verdict, Dropped) and verdict.reason is Reason.OWNER and verdict.quiet
    assert isinstance(look(config, wire(config), priority=254), Accepted)


def test_other_addresses_are_noticed_not_dropped() -> None:
    other = (pack_address("192.0.2.99"),)
    verdict = look(V3, wire(V3, addresses=other))
    assert isinstance(verdict, Accepted) and verdict.addresses_differ
    verdict = look(router(version=3, skip_check_adv_addr=True), wire(V3, addresses=other))
    assert isinstance(verdict, Accepted) and not verdict.addresses_differ


def test_ipv6_version_2_and_3() -> None:
    source, vip = "fe80::2", "fe80::100"
    for version, interval in ((2, 1), (3, 100)):
        config = router(version=version, family="inet6", vips=("fe80::100/64",))
        pseudo = pseudo_header(pack_address(source), pack_address(GROUP6), 24)
        packet = Packet(version, 51, 150, interval, (pack_address(vip),))
        good = judge(rules_for(config), build(packet, "inet6", pseudo), source, GROUP6, 255, priority=100)
        assert isinstance(good, Accepted), good
        bad = judge(rules_for(config), build(packet, "inet6", None), source, GROUP6, 255, priority=100)
        assert isinstance(bad, Dropped) and bad.reason is Reason.CHECKSUM


@given(st.sampled_from([V2, V2_PASS, V3, UNICAST]), st.data())
def test_any_flipped_bit_is_detected(config: VrrpInstance, data: st.DataObject) -> None:
    to = US if config.unicast else GROUP4
    pdu = bytearray(wire(config, to=to))
    bit = data.draw(st.integers(0, len(pdu) * 8 - 1))
    pdu[bit // 8] ^= 1 << bit % 8
    assert isinstance(look(config, bytes(pdu), to), Dropped)


@given(
    st.sampled_from([V2, V2_PASS, V3, UNICAST]),
    st.binary(max_size=100),
    st.sampled_from([PEER, "nonsense", "fe80::1"]),
    st.sampled_from([US, GROUP4, "ff02::12", ""]),
    st.integers(0, 255),
)
def test_judging_never_raises(config: VrrpInstance, pdu: bytes, source: str, to: str, ttl: int) -> None:
    assert isinstance(look(config, pdu, to, ttl, source), Accepted | Dropped)
