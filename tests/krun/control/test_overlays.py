"""Overlays as values: what an operator may mean, what is refused, what counts when."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kir.model import Config, RealServer, Service, VirtualServer
from kir.state import DestKey
from krun.control import overlays
from krun.control.overlays import Overlay

NOW, BOOT = 1_000_000_000, "this boot"


def real(address: str, port: int = 80) -> RealServer:
    return RealServer(address=address, port=port, family="inet6" if ":" in address else "inet")


def service(address: str, port: int = 80, protocol: str = "tcp") -> Service:
    family = "inet6" if ":" in address else "inet"
    return Service(family=family, protocol=protocol, address=address, port=port)  # type: ignore[arg-type]


def virtual(*services: Service, name: str = "", servers: tuple[RealServer, ...] = ()) -> VirtualServer:
    return VirtualServer(name=name or services[0].identity, services=services, real_servers=servers)


CONFIG = Config(
    virtual_servers=(
        virtual(
            service("10.0.0.1"), servers=(real("192.168.0.1"), real("192.168.0.2"), real("192.168.0.2", 81))
        ),
        virtual(service("10.0.0.1", 53), servers=(real("192.168.0.1", 53),)),
        virtual(service("10.0.0.1", 53, "udp"), servers=(real("192.168.0.1", 53),)),
        virtual(service("2001:db8::1", 443), servers=(real("2001:db8::2", 443),)),
        virtual(Service(family="inet", fwmark=7), servers=(real("192.168.0.9", 0),)),
        virtual(
            service("10.0.0.5"), service("10.0.0.6"), name="group WEB tcp", servers=(real("192.168.0.5"),)
        ),
        virtual(service("10.0.0.7")),
    )
)


def make(service: str, server: str, **more: Any) -> Overlay:
    request = {"service": service, "server": server, "weight": 0, "for_us": 60_000_000, **more}
    return overlays.make(CONFIG, request, by="a test", now_us=NOW, boot=BOOT, epoch=1e9)


@pytest.mark.parametrize(
    ("words", "server", "found"),
    [
        ("tcp 10.0.0.1:80", "192.168.0.1:80", "tcp 10.0.0.1:80 -> 192.168.0.1:80"),
        ("  tcp   10.0.0.1:80 ", " 192.168.0.1 ", "tcp 10.0.0.1:80 -> 192.168.0.1:80"),
        ("10.0.0.1:80", "192.168.0.1", "tcp 10.0.0.1:80 -> 192.168.0.1:80"),
        ("tcp [2001:db8::1]:443", "[2001:db8::2]:443", "tcp [2001:db8::1]:443 -> [2001:db8::2]:443"),
        ("[2001:db8::1]:443", "2001:db8::2", "tcp [2001:db8::1]:443 -> [2001:db8::2]:443"),
        ("fwmark 7 inet", "192.168.0.9:0", "fwmark 7 inet -> 192.168.0.9:0"),
        ("group WEB tcp", "192.168.0.5:80", "group WEB tcp -> 192.168.0.5:80"),
        ("WEB", "192.168.0.5:80", "group WEB tcp -> 192.168.0.5:80"),
        ("tcp 10.0.0.6:80", "192.168.0.5:80", "group WEB tcp -> 192.168.0.5:80"),
    ],
)
def test_what_is_meant(words: str, server: str, found: str) -> None:
    assert make(words, server).target == found


@pytest.mark.parametrize(
    ("words", "server", "said"),
    [
        ("tcp 10.0.0.1:8", "192.168.0.1:80", "near it: `tcp 10.0.0.1:80`"),
        (
            "10.0.0.1:53",
            "192.168.0.1",
            "may be any of `tcp 10.0.0.1:53`, `udp 10.0.0.1:53`: give the whole name",
        ),
        ("tcp 10.0.0.1:80", "192.168.0.2", "may be any of `192.168.0.2:80`, `192.168.0.2:81`"),
        ("tcp 10.0.0.1:80", "192.168.0.1:8", "near it: `192.168.0.1:80`"),
        ("tcp 10.0.0.7:80", "192.168.0.1:80", "tcp 10.0.0.7:80 has no real servers"),
        ("web frontend of the shop", "x", "`krunctl status` lists them"),
        ("", "", "there is no virtual server ``"),
    ],
)
def test_what_is_not_found(words: str, server: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"virtual server|real server|any of") as caught:
        make(words, server)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "more",
    [
        {"weight": -1},
        {"weight": 65_536},
        {"weight": "0"},
        {"weight": True},
        {"weight": None},
        {"weight": 1.5},
        {"for_us": 0},
        {"for_us": 31 * 86400 * 1_000_000},
        {"for_us": "30m"},
        {"for_us": None},
        {"reason": "x" * 201},
    ],
)
def test_what_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"weight|overlay|reason"):
        make("tcp 10.0.0.1:80", "192.168.0.1:80", **more)


def test_a_reason_is_one_printable_line() -> None:
    assert make("10.0.0.1:80", "192.168.0.1", reason=" two\nlines\x1b[31m ").reason == "two lines[31m"


def test_the_plain_form_is_read_back() -> None:
    one = make("10.0.0.1:80", "192.168.0.1")
    assert overlays.decode(overlays.encode([one])) == [one]
    with pytest.raises(ValueError, match="missing"):
        overlays.decode([{"weight": 1}])


def test_one_server_has_one_overlay() -> None:
    first, second = make("10.0.0.1:80", "192.168.0.1"), make("10.0.0.1:80", "192.168.0.1", weight=5)
    kept, replaced = overlays.put([first], second)
    assert (kept, replaced) == ([second], first)


def test_there_is_a_limit() -> None:
    one = make("10.0.0.1:80", "192.168.0.1")
    many = [msgspec.structs.replace(one, real_server=f"10.1.0.{n}:80") for n in range(overlays.MOST)]
    with pytest.raises(ValueError, match="1000 overlays"):
        overlays.put(many, one)
    assert len(overlays.put(many, many[3])[0]) == overlays.MOST


def test_taking_away() -> None:
    a, b = make("10.0.0.1:80", "192.168.0.1"), make("10.0.0.1:80", "192.168.0.2:81")
    c = make("WEB", "192.168.0.5")
    assert overlays.take_away([a, b, c], CONFIG, "tcp 10.0.0.1:80", None) == ([c], [a, b])
    assert overlays.take_away([a, b, c], CONFIG, "10.0.0.1:80", "192.168.0.1") == ([b, c], [a])
    assert overlays.take_away([a, b, c], CONFIG, "tcp 10.0.0.6:80", "192.168.0.5:80") == ([a, b], [c])
    # By its own words too, where nothing of it is configured any more.
    assert overlays.take_away([a, b], Config(), "tcp 10.0.0.1:80", "192.168.0.1:80") == ([b], [a])
    with pytest.raises(ValueError, match=r"there are `group WEB tcp -> 192\.168\.0\.5:80`"):
        overlays.take_away([c], CONFIG, "tcp 10.0.0.1:80", None)


def test_time() -> None:
    one = make("10.0.0.1:80", "192.168.0.1")
    assert overlays.left_us(one, NOW, BOOT) == 60_000_000
    assert overlays.left_us(one, NOW + 60_000_000, BOOT) == 0
    assert overlays.left_us(one, NOW, "another boot") == 0


def test_what_counts_and_what_rests() -> None:
    a, c = make("10.0.0.1:80", "192.168.0.1", weight=3), make("WEB", "192.168.0.5")
    first, group = CONFIG.virtual_servers[0], CONFIG.virtual_servers[5]
    assert overlays.weights([a, c], first) == {DestKey("192.168.0.1", 80): 3}
    renamed = virtual(service("10.0.0.5"), name="group SHOP tcp", servers=group.real_servers)
    assert overlays.weights([a, c], renamed) == {DestKey("192.168.0.5", 80): 0}
    assert overlays.resting([a, c], CONFIG) == []
    assert overlays.resting([a, c], Config(virtual_servers=(renamed,))) == [a]
    shown = overlays.status([a], Config(), NOW, BOOT)
    assert (shown[0]["in_effect"], shown[0]["left_s"]) == (False, 60.0)


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_words_are_answered(words: str, server: str) -> None:
    try:
        virtual_server, real_server = overlays.find(CONFIG, words, server)
    except ValueError as error:
        assert str(error)
    else:
        assert real_server in virtual_server.real_servers
