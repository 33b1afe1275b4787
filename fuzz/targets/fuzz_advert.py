"""Fuzz target: octets from the wire into reading, judging and a whole director. Nothing may raise; bad packets change no state."""

from __future__ import annotations

from kir.model import Authentication, Config, Peer, Secret, VrrpInstance
from krun.vrrp.director import Director
from krun.vrrp.packet import Malformed, Packet, build, parse
from krun.vrrp.reception import Accepted, Dropped, judge, rules_for

_COMMON = {
    "interface": "eth0",
    "vrid": 51,
    "initial_state": "BACKUP",
    "priority": 100,
    "advert_int_us": 1_000_000,
}
INSTANCES = (
    VrrpInstance(name="v2", version=2, family="inet", **_COMMON),
    VrrpInstance(
        name="pass",
        version=2,
        family="inet",
        authentication=Authentication(type="PASS", password=Secret(secret="abc")),
        **_COMMON,
    ),
    VrrpInstance(name="v3", version=3, family="inet", **_COMMON),
    VrrpInstance(name="v3as2", version=3, family="inet", v3_checksum_as_v2=True, **_COMMON),
    VrrpInstance(name="v6", version=3, family="inet6", **_COMMON),
    VrrpInstance(
        name="unicast",
        version=3,
        family="inet",
        unicast=True,
        source="192.0.2.1",
        peers=(Peer(address="192.0.2.2"),),
        **_COMMON,
    ),
)
RULES = tuple(rules_for(instance) for instance in INSTANCES)
WAYS = (("192.0.2.2", "224.0.0.18", 255), ("192.0.2.2", "192.0.2.1", 64), ("fe80::2", "ff02::12", 255))


def one_input(data: bytes) -> None:
    """Whatever ``data`` is: every reader gives one of its typed answers, and what is read can be written again."""
    for family in ("inet", "inet6"):
        read = parse(data, family)
        assert isinstance(read, Packet | Malformed)
        if isinstance(read, Packet) and read.version in (2, 3) and read.version == 3:
            again = parse(build(read, family, None), family)
            assert isinstance(again, Packet)
            assert again.addresses == read.addresses and again.interval == read.interval
    for rules in RULES:
        for source, destination, ttl in WAYS:
            verdict = judge(rules, data, source, destination, ttl, priority=100)
            assert isinstance(verdict, Accepted | Dropped)
    for instance in INSTANCES:
        director = Director(Config(vrrp_instances=(instance,)))
        director.seen_link("eth0", True)
        director.seen_source(instance.name, "192.0.2.1" if instance.family == "inet" else "fe80::1")
        director.start(1_000_000)
        entry = director.instances[instance.name]
        for at in director.endpoints():
            for source, destination, ttl in WAYS:
                before, heard = entry.state, entry.counters.advert_rcvd
                director.receive(at, data, source, destination, ttl, 2_000_000)
                assert entry.state is before or entry.counters.advert_rcvd == heard + 1
