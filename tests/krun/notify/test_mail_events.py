"""Which changes are worth a letter, what it says, and that nothing is told twice."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kir.model import (
    Address,
    Config,
    Global,
    Notify,
    RealServer,
    Service,
    SmtpServer,
    SyncGroup,
    VirtualServer,
    VrrpInstance,
)
from krun.check import process
from krun.notify.mail.about_checks import server_text, service_text
from krun.notify.mail.about_vrrp import PREFIX, VrrpLetters
from krun.vrrp.effects import TellOutside

sys.path.insert(0, str(Path(__file__).parent.parent / "check"))
from check_world import World, config, real, sorry, tcp, virtual

change = msgspec.structs.replace
MAIL = {"smtp_server": SmtpServer(host="127.0.0.1"), "notification_emails": ("ops@x.org",)}


class Recorder:
    """In place of the post office, and of the promises."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.settings: list[Global] = []
        self.told: list[tuple[str, str]] = []
        self.promised: dict[str, bytes] = {}
        self.closed = ""

    def configure(self, settings: Global) -> None:
        self.settings.append(settings)

    def send(self, subject: str, body: str) -> None:
        assert body.startswith("=> ") and body.endswith(" <=") and "\n" not in body
        self.told.append((subject, body[3:-3]))

    def report(self, document: dict[str, Any]) -> dict[str, Any]:
        return document

    async def close(self) -> None:
        self.closed = "in order"

    def abandon(self) -> None:
        self.closed = "abandoned"

    def promise(self, key: str, value: bytes) -> None:
        self.promised[key] = value

    def withdraw(self, key: str) -> None:
        self.promised.pop(key, None)

    def news(self) -> list[tuple[str, str]]:
        told, self.told = self.told, []
        return told

    def subjects(self) -> list[str]:
        return [subject for subject, _ in self.news()]


def router(name: str = "VI_1", **fields: Any) -> VrrpInstance:
    base: dict[str, Any] = {
        "interface": "eth0",
        "vrid": 51,
        "version": 3,
        "family": "inet",
        "initial_state": "BACKUP",
        "priority": 100,
        "advert_int_us": 1_000_000,
        "smtp_alert": True,
        "vips": (Address(address="192.0.2.10", prefix=24, device="eth0", family="inet"),),
    }
    return VrrpInstance(name=name, **(base | fields))


def told(word: str, name: str = "VI_1", kind: str = "INSTANCE", priority: int = 100) -> TellOutside:
    return TellOutside(kind, name, word, priority, Notify())


class TestVrrp:
    def start(self, *instances: VrrpInstance, **rest: Any) -> tuple[VrrpLetters, Recorder]:
        post = Recorder()
        letters = VrrpLetters(post, post, rest.pop("promises", {}), rest.pop("reasons", lambda _name: ()))
        letters.follow(Config(vrrp_instances=instances or (router(),), **rest))
        return letters, post

    def test_what_is_said_of_an_instance(self) -> None:
        letters, post = self.start(reasons=lambda name: {"eth0 is down"} if name == "VI_1" else ())
        for word in ("BACKUP", "MASTER", "FAULT", "STOP"):
            letters.tell(told(word))
        assert post.news() == [
            (
                "VRRP Instance VI_1 - Entering BACKUP state",
                "VRRP instance VI_1 (VRID 51 on eth0) is backup with priority 100: this router does not own 192.0.2.10/24",
            ),
            (
                "VRRP Instance VI_1 - Entering MASTER state",
                "VRRP instance VI_1 (VRID 51 on eth0) is master with priority 100: this router now owns 192.0.2.10/24",
            ),
            (
                "VRRP Instance VI_1 - Entering FAULT state",
                "VRRP instance VI_1 (VRID 51 on eth0) is in fault and takes no part: eth0 is down",
            ),
            (
                "VRRP Instance VI_1 - Stopping",
                "VRRP instance VI_1 (VRID 51 on eth0) stops: this router gives up 192.0.2.10/24",
            ),
        ]

    def test_what_is_said_of_a_group(self) -> None:
        letters, post = self.start(
            router("A", smtp_alert=False),
            router("B", smtp_alert=False),
            vrrp_sync_groups=(SyncGroup(name="G", members=("A", "B"), smtp_alert=True),),
        )
        letters.tell(told("MASTER", "A"))
        letters.tell(told("MASTER", "B"))
        letters.tell(told("MASTER", "G", "GROUP", 0))
        assert post.news() == [
            (
                "VRRP Group G - Entering MASTER state",
                "VRRP sync group G (A, B): all its instances are in MASTER state now",
            )
        ]

    def test_the_same_state_is_not_told_twice(self) -> None:
        letters, post = self.start(router(), router("VI_2"))
        for word in ("BACKUP", "BACKUP", "MASTER", "MASTER_RX_LOWER_PRI", "MASTER"):
            letters.tell(told(word))
        letters.tell(told("MASTER", "VI_2"))
        assert [s.rpartition(" - ")[2] for s in post.subjects()] == [
            "Entering BACKUP state",
            "Entering MASTER state",
            "Entering MASTER state",
        ]

    def test_a_successor_knows_what_was_told(self) -> None:
        letters, post = self.start()
        letters.tell(told("BACKUP"))
        assert post.promised == {f"{PREFIX}INSTANCE VI_1": b"BACKUP"}
        letters, post = self.start(promises={**post.promised, "VI_1": b"{}", "tracker x": b"{}"})
        letters.tell(told("BACKUP"))
        assert not post.news()
        letters.tell(told("MASTER"))
        assert len(post.news()) == 1

    def test_no_email_faults(self) -> None:
        letters, post = self.start(global_defs=Global(no_email_faults=True))
        for word in ("BACKUP", "FAULT", "BACKUP"):
            letters.tell(told(word))
        assert post.subjects() == ["VRRP Instance VI_1 - Entering BACKUP state"]

    def test_a_reload(self) -> None:
        letters, post = self.start(router(), router("VI_2"))
        letters.tell(told("MASTER"))
        letters.tell(told("MASTER", "VI_2"))
        post.news()
        new = Config(vrrp_instances=(router(priority=90),), global_defs=Global(router_id="x"))
        letters.follow(new)
        assert post.settings[-1] is new.global_defs
        letters.tell(told("DELETED", "VI_2"))  # which only the configuration before knows
        letters.tell(told("MASTER"))
        assert post.subjects() == ["VRRP Instance VI_2 - Deleted"]
        assert list(post.promised) == [f"{PREFIX}INSTANCE VI_1"]
        letters.follow(Config())
        letters.follow(Config())
        assert not post.promised
        letters.tell(told("MASTER", "VI_9"))
        assert not post.news()

    def test_who_does_not_want_any_gets_none(self) -> None:
        letters, post = self.start(router(smtp_alert=False))
        letters.tell(told("MASTER"))
        assert not post.news() and not post.promised


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(process, "PostOffice", lambda *_, **__: recorder)
    return recorder


@pytest.fixture
def worlds() -> Iterator[list[World]]:
    found: list[World] = []
    yield found
    for world in found:
        world.close()


def alerting(n: int, **fields: Any) -> RealServer:
    return real(n, **{"smtp_alert": True, **fields})


RS1 = "Realserver [192.168.0.1]:tcp:80 of virtual server [10.0.0.1]:tcp:80"
VS = "Virtualserver [10.0.0.1]:tcp:80"


class TestChecks:
    def begin(self, worlds: list[World], *servers: RealServer, **fields: Any) -> World:
        general = fields.pop("general", {})
        world = World(config(virtual(*servers, **fields), **MAIL, **general))
        worlds.append(world)
        return world

    def test_a_server_goes_down_and_comes_back(self, post: Recorder, worlds: list[World]) -> None:
        world = self.begin(worlds, alerting(1), real(2))
        world.loop.run_for(5)
        assert not post.news()  # good from the start is no news
        world.fail(1, "connection refused")
        world.fail(2)
        world.loop.run_for(30)
        assert post.news() == [(f"{RS1} - DOWN", "TCP_CHECK failed on service: connection refused")]
        world.heal(1)
        world.loop.run_for(30)
        assert post.news() == [(f"{RS1} - UP", "TCP_CHECK succeeded on service")]

    def test_the_quorum(self, post: Recorder, worlds: list[World]) -> None:
        world = self.begin(worlds, real(1), real(2), quorum=2, smtp_alert=True, sorry_server=sorry())
        world.loop.run_for(5)
        assert post.news() == [(f"{VS} - UP", "Starting with quorum: 2+0=2 <= 2")]
        world.fail(1)
        world.loop.run_for(30)
        assert post.news() == [(f"{VS} - DOWN", "Lost quorum: 2-0=2 > 1")]
        world.heal(1)
        world.loop.run_for(30)
        assert post.news() == [(f"{VS} - UP", "Gained quorum: 2+0=2 <= 2")]

    @pytest.mark.parametrize("only_changes", [False, True])
    def test_checks_that_leave_their_server_what_it_is(
        self, post: Recorder, worlds: list[World], only_changes: bool
    ) -> None:
        checks = (tcp("192.168.0.1"), tcp("192.168.0.7"))
        world = self.begin(worlds, alerting(1, checkers=checks), general={"no_checker_emails": only_changes})
        world.loop.run_for(5)
        world.fail(1, "refused")
        world.loop.run_for(30)
        assert post.subjects() == [f"{RS1} - DOWN"]
        world.fail(7, "timeout")
        world.loop.run_for(30)
        more = [(f"{RS1} - DOWN", "TCP_CHECK failed on service: timeout; the real server stays down")]
        assert post.news() == ([] if only_changes else more)
        world.heal(1)
        world.loop.run_for(30)
        more = [(f"{RS1} - DOWN", "TCP_CHECK succeeded on service; the real server stays down")]
        assert post.news() == ([] if only_changes else more)
        world.heal(7)
        world.loop.run_for(30)
        assert post.subjects() == [f"{RS1} - UP"]

    def test_a_reload_tells_nothing_anew(self, post: Recorder, worlds: list[World]) -> None:
        world = self.begin(worlds, alerting(1), alerting(2), smtp_alert=True)
        world.fail(1)
        world.loop.run_for(30)
        post.news()
        new = config(
            virtual(alerting(1, weight=5), alerting(2), smtp_alert=True, scheduler="rr"),
            **MAIL,
            router_id="b",
        )
        world.reload(new)
        world.loop.run_for(60)
        assert not post.news() and post.settings[-1].router_id == "b"
        # The check that held it down goes: that is a change, and nobody else would tell.
        world.reload(
            config(virtual(alerting(1, weight=5, checkers=()), alerting(2), smtp_alert=True), **MAIL)
        )
        assert post.news() == [(f"{RS1} - UP", "the new configuration checks otherwise")]
        world.reload(config(**MAIL))
        assert post.news() == [(f"{VS} - DOWN", "Removing the virtual server")]

    def test_a_successor_tells_nothing_anew(self, post: Recorder, worlds: list[World]) -> None:
        what = config(virtual(alerting(1), alerting(2), smtp_alert=True), **MAIL)
        first = World(what)
        worlds.append(first)
        first.fail(1)
        first.loop.run_for(30)
        assert len(post.news()) == 2
        second = World(what, promises=first.promised, ipvs=first.ipvs)
        worlds.append(second)
        second.fail(1)
        second.loop.run_for(60)
        assert not post.news()

    @pytest.mark.parametrize("omega", [False, True])
    def test_the_stop(self, post: Recorder, worlds: list[World], omega: bool) -> None:
        world = self.begin(worlds, alerting(1, checkers=()), smtp_alert=True, omega=omega)
        post.news()
        asyncio.run(world.child.stop())
        assert post.news() == ([(f"{VS} - DOWN", "Shutting down")] if omega else [])
        assert post.closed == "in order"

    def test_the_parent_is_gone(self, post: Recorder, worlds: list[World]) -> None:
        self.begin(worlds, alerting(1)).child.abandon()
        assert post.closed == "abandoned"


def test_names_are_keepaliveds() -> None:
    mark = Service(family="inet6", fwmark=7)
    one = RealServer(address="2001:db8::1", port=0, family="inet6")
    marked = VirtualServer(name=mark.identity, services=(mark,))
    web = Service(family="inet", protocol="udp", address="10.0.0.1", port=53)
    group = VirtualServer(name="group my web udp", services=(web,))
    assert (service_text(marked), server_text(marked, one)) == ("FWM 7", "[2001:db8::1]:none:0")
    assert (service_text(group), server_text(group, one)) == ("[my web]:0", "[2001:db8::1]:udp:0")
