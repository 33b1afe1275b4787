"""Host facts as a document: round trip, schema, versions, and what is asked of them."""

from __future__ import annotations

import json

import jsonschema
import msgspec
import pytest

from kir.commands import commands
from kir.facts import Facts, FactsError, Interface, InterfaceAddress, Kernel, User, dumps, loads, schema
from kir.model import Account, Config, Global, MiscCheck, Notify, Script, Timing, VrrpScript
from support import ir_samples

FACTS = Facts(
    facts="1.0",
    hostname="director1",
    kernel=Kernel(release="6.12.0", ipvs=True, ipv6=True),
    interfaces=(
        Interface(
            name="eth0",
            mtu=1500,
            flags=("arp", "multicast", "running"),
            addresses=(
                InterfaceAddress(address="203.0.113.10", prefix=24, family="inet"),
                InterfaceAddress(address="203.0.113.1", prefix=24, family="inet"),
                InterfaceAddress(address="203.0.113.2", prefix=24, family="inet", secondary=True),
                InterfaceAddress(address="2001:db8::1", prefix=64, family="inet6"),
                InterfaceAddress(address="fe80::1", prefix=64, family="inet6"),
            ),
        ),
    ),
    users=(User(name="root", uid=0, gid=0), User(name="7", uid=70, gid=70), User(name="seven", uid=7, gid=7)),
)


def test_round_trip_and_schema() -> None:
    data = dumps(FACTS)
    assert loads(data) == FACTS
    assert data == dumps(loads(data))
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(json.loads(data), schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"facts": "1.0"}, schema())


def test_a_newer_minor_version_may_say_more() -> None:
    body = json.loads(dumps(FACTS))
    body["facts"] = "1.7"
    body["weather"] = "fine"
    body["interfaces"][0]["colour"] = "blue"
    assert loads(json.dumps(body).encode()) == msgspec.structs.replace(FACTS, facts="1.7")


def test_what_older_facts_do_not_say_is_unknown() -> None:
    body = json.loads(dumps(FACTS))
    for name in ("schedulers", "nftables", "macvlan", "ipvlan"):
        del body["kernel"][name]
    for name in ("hardware", "lower"):
        del body["interfaces"][0][name]
    facts = loads(json.dumps(body).encode())
    assert facts.kernel.schedulers is None
    assert facts.kernel.nftables is None
    assert facts.interfaces[0].hardware is None


@pytest.mark.parametrize(
    "data", [b"", b"x", b"[" * 100_000, b"\xff\xfe", b"{}", b'{"facts": 1}', b'{"facts": "2.0"}']
)
def test_what_is_no_facts_is_said_in_words(data: bytes) -> None:
    with pytest.raises(FactsError, match="krunctl facts"):
        loads(data, "f.json")


def test_the_source_of_adverts() -> None:
    assert FACTS.source_address("eth0", "inet") == "203.0.113.10"
    assert FACTS.source_address("eth0", "inet", {"203.0.113.10"}) == "203.0.113.1"
    assert FACTS.source_address("eth0", "inet", {"203.0.113.10", "203.0.113.1"}) is None
    assert FACTS.source_address("eth0", "inet6") == "fe80::1"
    assert FACTS.source_address("eth9", "inet") is None
    assert FACTS.holds("2001:db8::1") == "eth0"


def test_a_name_goes_before_a_number() -> None:
    found = FACTS.user("7")
    assert found is not None
    assert found.uid == 70
    assert FACTS.user("0") == FACTS.users[0]
    assert FACTS.user("nobody") is None


def test_commands_name_their_place() -> None:
    config: Config = ir_samples.full()
    config = msgspec.structs.replace(
        config,
        vrrp_scripts=(
            VrrpScript(name="chk", argv=("/bin/a", "1"), account=Account(user="u")),
            VrrpScript(name="f", open_file="/x"),
        ),
        vrrp_instances=tuple(
            msgspec.structs.replace(i, notify=Notify(master=Script(argv=("/bin/b",))))
            for i in config.vrrp_instances[:1]
        ),
        virtual_servers=tuple(
            msgspec.structs.replace(
                v,
                quorum_up=Script(argv=("/bin/c",)),
                real_servers=(
                    msgspec.structs.replace(
                        v.real_servers[0],
                        notify_up=None,
                        notify_down=Script(argv=("/bin/d",)),
                        checkers=(MiscCheck(timing=Timing(), argv=("/bin/e",)),),
                    ),
                ),
            )
            for v in config.virtual_servers[:1]
        ),
        vrrp_sync_groups=(),
        global_defs=Global(),
    )
    instance, server = config.vrrp_instances[0], config.virtual_servers[0]
    real = f"virtual_server/{server.name}/real_server/{server.real_servers[0].identity}"
    assert {(c.file, c.owner, c.field, c.kind) for c in commands(config)} == {
        ("/bin/a", "vrrp_script/chk", "argv", "vrrp_script"),
        ("/bin/b", f"vrrp_instance/{instance.name}", "notify/master", "master"),
        ("/bin/c", f"virtual_server/{server.name}", "quorum_up", "quorum_up"),
        ("/bin/d", real, "notify_down", "notify_down"),
        ("/bin/e", f"{real}/checker/MISC_CHECK 0", "argv", "MISC_CHECK"),
    }
