"""The checker process on a hand-turned clock: adoption, transitions, minimal writes, scripts, refusals, the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from check_world import SECOND, Ipvs, World, config, key, misc, real, script, sorry, tcp, virtual

from kir.model import Config, Service
from kir.plan.ipvs import desired_table
from kir.plan.operations import AddDest, AddService, DelService, IpvsOperation
from kir.state import DestParams, IpvsTable, ServiceEntry, ServiceParams
from krun.check.outcome import Outcome

Make = Callable[..., World]


@pytest.fixture
def world() -> Iterator[Make]:
    made: list[World] = []

    def make(*args: Any, **kwargs: Any) -> World:
        made.append(World(*args, **kwargs))
        return made[-1]

    yield make
    for one in made:
        one.close()


def foreign() -> IpvsTable:
    """A service that somebody else made."""
    service = Service(family="inet", protocol="udp", address="10.9.9.9", port=53)
    return {service: ServiceEntry(ServiceParams(scheduler="rr"), {key(77): DestParams(weight=5)})}


class TestAdoption:
    def test_an_empty_kernel_gets_the_whole_table(self, world: Make) -> None:
        c = config(virtual(real(1), real(2)), virtual(real(3), n=2))
        w = world(c)
        assert w.ipvs.table == desired_table(c)
        assert len(w.ipvs.log) == 5
        assert w.ipvs.batches == 1

    def test_what_matches_is_not_touched(self, world: Make) -> None:
        c = config(virtual(real(1), real(2)))
        w = world(c, table=desired_table(c))
        assert w.ipvs.log == []

    def test_what_differs_is_put_right(self, world: Make) -> None:
        c = config(virtual(real(1, 4), real(2)))
        w = world(c, table=desired_table(config(virtual(real(1, 3), real(3)))))
        assert w.ipvs.names() == [
            "add_dest 192.168.0.2:80",
            "edit_dest 192.168.0.1:80",
            "del_dest 192.168.0.3:80",
        ]
        assert w.ipvs.table == desired_table(c)

    def test_foreign_services_are_left_alone(self, world: Make) -> None:
        c = config(virtual(real(1)))
        w = world(c, table=foreign())
        assert w.ipvs.table == desired_table(c) | foreign()
        w.loop.run_for(300)
        asyncio.run(w.child.stop())
        assert w.ipvs.table == foreign()

    def test_lvs_flush_removes_everything_else(self, world: Make) -> None:
        c = config(virtual(real(1)), lvs_flush=True)
        w = world(c, table=foreign() | desired_table(config(virtual(real(1)))))
        assert [type(o) for o in w.ipvs.log] == [DelService]
        assert w.ipvs.table == desired_table(c)

    def test_alpha_servers_start_outside(self, world: Make) -> None:
        w = world(config(virtual(real(1, checkers=[tcp("192.168.0.1", alpha=True)]), real(2))))
        assert w.ipvs.weights() == {"192.168.0.2:80": 1}
        w.loop.run_for(2)
        assert w.ipvs.weights() == {"192.168.0.1:80": 1, "192.168.0.2:80": 1}

    def test_lvs_timeouts_are_set(self, world: Make) -> None:
        from kir.model import LvsTimeouts

        w = world(config(virtual(real(1)), lvs_timeouts=LvsTimeouts(tcp_s=900)))
        assert w.ipvs.timeouts == (900, None, None)


class TestTransitions:
    def test_down_after_the_retries_and_up_again(self, world: Make) -> None:
        w = world(config(virtual(real(1), real(2))))
        w.loop.run_for(2)
        w.ipvs.names()
        w.fail(1)
        w.loop.run_for(5.1)
        assert w.ipvs.names() == []  # the first failure: a retry follows
        w.loop.run_for(1.1)
        assert w.ipvs.names() == ["del_dest 192.168.0.1:80"]
        assert w.server(1)["state"] == "down"
        assert w.server(1)["checkers"][0]["reason"] == "connection refused"
        w.heal(1)
        w.loop.run_for(6.1)
        assert w.ipvs.names() == ["add_dest 192.168.0.1:80"]
        assert w.server(1)["state"] == "up"

    def test_inhibit_keeps_it_with_weight_0(self, world: Make) -> None:
        w = world(config(virtual(real(1, 5, inhibit_on_failure=True), real(2))))
        w.fail(1)
        w.loop.run_for(2)
        assert w.ipvs.weights() == {"192.168.0.1:80": 0, "192.168.0.2:80": 1}
        w.heal(1)
        w.loop.run_for(7)
        assert w.ipvs.weights()["192.168.0.1:80"] == 5

    def test_all_at_once_is_one_batch_and_never_empty_with_a_sorry_server(self, world: Make) -> None:
        w = world(config(virtual(*(real(n) for n in range(1, 20)), sorry_server=sorry())))
        w.loop.run_for(2)
        batches = w.ipvs.batches
        empty: list[bool] = []
        w.ipvs.after = lambda table: empty.append(not w.ipvs.weights())
        for n in range(1, 20):
            w.fail(n)
        w.loop.run_for(8)
        assert w.ipvs.weights() == {"192.168.0.250:80": 1}
        assert w.ipvs.batches == batches + 1
        assert empty
        assert not any(empty)

    def test_while_the_sorry_server_serves_the_rest_is_only_remembered(self, world: Make) -> None:
        w = world(config(virtual(real(1), real(2), real(3), quorum=2, sorry_server=sorry())))
        w.loop.run_for(2)
        w.fail(1)
        w.fail(2)
        w.loop.run_for(8)
        w.ipvs.names()
        assert w.child.status()["virtual_servers"][0]["sorry_server"]["active"]
        w.fail(3)
        w.loop.run_for(8)
        assert w.ipvs.names() == []
        w.heal(3)
        w.loop.run_for(8)
        assert w.ipvs.names() == []
        w.heal(1)
        w.loop.run_for(8)
        assert sorted(w.ipvs.weights()) == ["192.168.0.1:80", "192.168.0.3:80"]

    def test_groups_write_to_every_service(self, world: Make) -> None:
        services = tuple(
            Service(family="inet", protocol="tcp", address=f"10.0.0.{n}", port=80) for n in (1, 2)
        )
        v = virtual(real(1), real(2), name="group WEB tcp", services=services)
        w = world(config(v))
        w.fail(1)
        w.loop.run_for(2)
        assert w.ipvs.weights(1) == w.ipvs.weights(2) == {"192.168.0.2:80": 1}

    def test_a_run_that_cannot_be_made_changes_nothing(self, world: Make) -> None:
        w = world(config(virtual(real(1))))
        w.block(1)
        w.loop.run_for(60)
        assert w.ipvs.weights() == {"192.168.0.1:80": 1}
        assert w.server(1)["checkers"][0]["last_result"] == "unable"

    def test_dynamic_weight(self, world: Make) -> None:
        w = world(config(virtual(real(1, 10, checkers=[misc("/c", "a", dynamic=True)]))))
        w.answers["a"] = Outcome("good", weight=40)
        w.loop.run_for(2)
        assert w.ipvs.weights() == {"192.168.0.1:80": 40}
        assert w.server(1)["effective_weight"] == 40
        w.answers["a"] = Outcome("good")
        w.loop.run_for(6)
        assert w.ipvs.weights() == {"192.168.0.1:80": 10}

    def test_checks_are_spread_over_the_warmup(self, world: Make) -> None:
        servers = [real(n, checkers=[tcp(f"192.168.0.{n}", warmup_us=6 * SECOND)]) for n in range(1, 60)]
        w = world(config(virtual(*servers)))
        w.loop.run_for(7.1)
        first = {address: at for at, address in reversed(w.asked)}
        assert len(first) == 59
        assert all(1 <= at - 1000 <= 7.05 for at in first.values())
        assert len({round(at) for at in first.values()}) >= 6


class TestScripts:
    def pool(self, **fields: Any) -> Config:
        servers = [real(n, notify_up=script(f"up{n}"), notify_down=script(f"down{n}")) for n in (1, 2)]
        return config(
            virtual(
                *servers, quorum=2, quorum_up=script("quorum_up"), quorum_down=script("quorum_down"), **fields
            )
        )

    def test_order_and_occasion(self, world: Make) -> None:
        w = world(self.pool())
        assert w.scripts.names() == ["quorum_up"]
        w.loop.run_for(2)
        assert w.scripts.names() == []
        w.fail(1)
        w.loop.run_for(8)
        assert w.scripts.names() == ["down1", "quorum_down"]
        w.heal(1)
        w.loop.run_for(8)
        assert w.scripts.names() == ["up1", "quorum_up"]

    def test_rs_init_notifies(self, world: Make) -> None:
        c = self.pool()
        c = Config(virtual_servers=c.virtual_servers, global_defs=config(rs_init_notifies=True).global_defs)
        assert world(c).scripts.names() == ["up1", "up2", "quorum_up"]

    def test_an_alpha_server_that_fails_its_first_check_is_reported_down(self, world: Make) -> None:
        r = real(1, checkers=[tcp("192.168.0.1", alpha=True)], notify_down=script("down1"))
        w = world(config(virtual(r)))
        w.fail(1)
        w.loop.run_for(30)
        assert w.scripts.names() == ["down1"]

    def test_stop_is_silent_without_omega(self, world: Make) -> None:
        w = world(self.pool())
        w.scripts.names()
        asyncio.run(w.child.stop())
        assert w.scripts.names() == []

    def test_stop_with_omega(self, world: Make) -> None:
        w = world(self.pool(omega=True))
        w.scripts.names()

        async def stop() -> None:
            task = asyncio.ensure_future(w.child.stop())
            await asyncio.sleep(0)
            from krun.notify.client import ScriptResult

            for done in list(w.scripts.waiting.values()):
                done(ScriptResult("exited"))
            await asyncio.wait_for(task, 1)

        asyncio.run(stop())
        assert w.scripts.names() == ["down1", "down2", "quorum_down"]
        assert w.ipvs.table == {}


class TestPromises:
    def test_a_successor_goes_on_where_the_first_one_died(self, world: Make) -> None:
        c = config(
            virtual(
                real(1), real(2), real(3, 10, checkers=[misc("/c", "a", dynamic=True)]), sorry_server=sorry()
            )
        )
        first = world(c)
        first.answers["a"] = Outcome("good", weight=33)
        first.fail(1)
        first.loop.run_for(8)
        assert first.ipvs.weights() == {"192.168.0.2:80": 1, "192.168.0.3:80": 33}
        first.child.abandon()
        second = world(c, table=first.ipvs.table, promises=first.promised)
        assert second.ipvs.log == []
        assert second.scripts.names() == []
        assert second.server(1)["state"] == "down"
        assert second.server(1)["checkers"][0]["reason"] == "connection refused"
        assert second.server(2)["checkers"][0]["known"]
        assert second.server(3)["effective_weight"] == 33
        second.heal(1)
        second.loop.run_for(8)
        assert second.server(1)["state"] == "up"

    def test_a_quorum_between_its_thresholds_is_not_forgotten(self, world: Make) -> None:
        c = config(virtual(*(real(n) for n in (1, 2, 3)), quorum=2, hysteresis=1, sorry_server=sorry()))
        first = world(c)
        first.fail(1)
        first.loop.run_for(8)
        assert first.child.status()["virtual_servers"][0]["quorum"]["up"]
        second = world(c, table=first.ipvs.table, promises=first.promised)
        assert second.ipvs.log == []
        assert second.child.status()["virtual_servers"][0]["quorum"]["up"]

    def test_a_promise_of_another_question_or_of_nonsense_is_void(self, world: Make) -> None:
        first = world(config(virtual(real(1), real(2))))
        first.fail(1)
        first.loop.run_for(8)
        other = config(virtual(real(1, checkers=[tcp("192.168.0.99")]), real(2)))
        promises = dict(first.promised)
        promises["tcp 10.0.0.1:80|192.168.0.2:80|TCP_CHECK 0"] = b"\xff{"
        second = world(other, promises=promises)
        assert second.server(1)["state"] == "up"
        assert not second.server(2)["checkers"][0]["known"]

    def test_quiet_rounds_promise_nothing(self, world: Make) -> None:
        w = world(config(virtual(real(1))))
        w.loop.run_for(2)
        w.promised.clear()
        w.loop.run_for(60)
        assert w.promised == {}


class TestRefusals:
    def test_a_refused_write_is_tried_again(self, world: Make) -> None:
        ipvs = Ipvs()
        ipvs.refuse = lambda o: isinstance(o, AddDest) and o.dest == key(2)
        w = world(config(virtual(real(1), real(2))), ipvs=ipvs)
        assert w.ipvs.weights() == {"192.168.0.1:80": 1}
        assert w.child.status()["ipvs"]["refused"]
        w.loop.run_for(20)
        assert w.ipvs.weights() == {"192.168.0.1:80": 1}
        ipvs.refuse = lambda o: False
        w.loop.run_for(60)
        assert w.ipvs.weights() == {"192.168.0.1:80": 1, "192.168.0.2:80": 1}
        assert not w.child.status()["ipvs"]["refused"]

    def test_a_refused_service_is_made_later_as_it_should_be_then(self, world: Make) -> None:
        ipvs = Ipvs()
        ipvs.refuse = lambda o: isinstance(o, AddService) or (isinstance(o, AddDest) and not ipvs.table)
        w = world(config(virtual(real(1), real(2))), ipvs=ipvs)
        w.fail(1)
        w.loop.run_for(3)
        assert ipvs.table == {}
        ipvs.refuse = lambda o: False
        w.loop.run_for(60)
        assert ipvs.weights() == {"192.168.0.2:80": 1}

    def test_what_others_changed_is_put_back(self, world: Make) -> None:
        w = world(config(virtual(real(1), real(2))))
        w.ipvs.table.clear()
        w.loop.run_for(61)
        assert w.ipvs.weights() == {"192.168.0.1:80": 1, "192.168.0.2:80": 1}
        w.ipvs.log.clear()
        w.loop.run_for(600)
        assert w.ipvs.log == []

    def test_a_service_that_could_not_be_removed_goes_later(self, world: Make) -> None:
        w = world(config(virtual(real(1)), virtual(real(2), n=2)))
        w.ipvs.refuse = lambda o: isinstance(o, DelService)
        w.child.prepare(config(virtual(real(1))), "")
        done = w.child.commit()
        assert len(done["failures"]) == 1
        assert w.ipvs.weights(2)
        w.ipvs.refuse = lambda o: False
        w.loop.run_for(5)
        assert not w.ipvs.weights(2)

    def test_a_kernel_that_raises_is_survived(self, world: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        w = world(config(virtual(real(1), real(2))))

        def broken(*_: Any) -> Any:
            raise OSError(105, "No buffer space available")

        monkeypatch.setattr(w.ipvs, "apply", broken)
        w.fail(1)
        w.loop.run_for(3)
        monkeypatch.setattr(w.ipvs, "dump", broken)
        w.loop.run_for(10)
        monkeypatch.undo()
        w.loop.run_for(60)
        assert w.ipvs.weights() == {"192.168.0.2:80": 1}


class TestEnd:
    def test_stop_removes_what_is_ours_with_one_write_a_service(self, world: Make) -> None:
        w = world(config(virtual(real(1), real(2)), virtual(real(3), n=2)), table=foreign())
        w.ipvs.log.clear()
        asyncio.run(w.child.stop())
        assert w.ipvs.names() == ["del_service tcp 10.0.0.1:80", "del_service tcp 10.0.0.2:80"]
        assert w.ipvs.table == foreign()
        assert w.ipvs.closed

    def test_lvs_flush_on_stop_takes_everything(self, world: Make) -> None:
        w = world(config(virtual(real(1)), lvs_flush_on_stop="all"), table=foreign())
        asyncio.run(w.child.stop())
        assert w.ipvs.table == {}

    def test_abandon_leaves_everything_and_is_quiet(self, world: Make) -> None:
        w = world(config(virtual(real(1, notify_down=script("down")))))
        before = w.ipvs.dump()
        w.fail(1)
        w.child.abandon()
        w.loop.run_for(60)
        assert w.ipvs.table == before
        assert w.scripts.names() == []
        assert w.asked == []


class TestSuspension:
    class Rtnetlink:
        def __init__(self) -> None:
            self.here: dict[Any, str] = {}
            self.listeners: list[Any] = []

        def addresses(self) -> dict[Any, str]:
            return dict(self.here)

        def subscribe(self, listener: Any) -> None:
            self.listeners.append(listener)

        def fileno(self) -> int:
            return -1

        def set(self, *addresses: str) -> None:
            from kir.state import AddressKey
            from krun.kernel.door import AddressChanged

            self.here = {AddressKey("eth0", a, 32): "inet" for a in addresses}
            for listener in self.listeners:
                listener(AddressChanged(AddressKey("eth0", "10.0.0.1", 32), "inet"))

    def test_checks_run_only_where_the_address_is(self, world: Make) -> None:
        links = self.Rtnetlink()
        w = world(config(virtual(real(1), ha_suspend=True), virtual(real(2), n=2)), rtnetlink=links)
        w.loop.run_for(10)
        assert {a for _, a in w.asked} == {"192.168.0.2"}
        assert w.server(1)["checkers"][0]["suspended"]
        links.set("10.0.0.1")
        w.loop.run_for(10)
        assert "192.168.0.1" in {a for _, a in w.asked}
        links.set()
        w.asked.clear()
        w.loop.run_for(30)
        assert "192.168.0.1" not in {a for _, a in w.asked}


def test_the_state_document_is_plain_json(world: Make) -> None:
    import json

    w = world(config(virtual(real(1, checkers=[tcp(), misc("/c", "x")]), sorry_server=sorry())))
    w.loop.run_for(3)
    status = json.loads(json.dumps(w.child.status()))
    [v] = status["virtual_servers"]
    assert v["name"] == "tcp 10.0.0.1:80"
    assert v["services"] == ["tcp 10.0.0.1:80"]
    assert v["quorum"] == {"up": True, "weight": 1, "needed": 1, "hysteresis": 0}
    assert v["sorry_server"] == {"identity": "192.168.0.250:80", "active": False, "inhibit": False}
    [s] = v["real_servers"]
    assert (s["identity"], s["state"], s["weight"], s["effective_weight"]) == ("192.168.0.1:80", "up", 1, 1)
    assert [c["checker"] for c in s["checkers"]] == ["TCP_CHECK 0", "MISC_CHECK 1"]
    assert s["checkers"][0]["last_result"] == "good"
    assert s["checkers"][0]["at"] > 0


class TestFirstLoad:
    def test_a_large_table_is_written_in_batches_and_a_refusal_in_one_is_tried_again_once(
        self, world: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("krun.check.table.BATCH", 2)
        ipvs = Ipvs()
        refused: list[str] = []

        def refuse(operation: IpvsOperation) -> bool:
            if operation.target.endswith("192.168.0.1:80") and len(refused) < 3:
                refused.append(operation.target)
                return True
            return False

        ipvs.refuse = refuse
        virtuals = [virtual(real(1), real(2), n=n) for n in (1, 2, 3)]
        w = world(config(*virtuals), ipvs=ipvs)
        assert ipvs.batches == 3 and len(refused) == 3
        assert w.child._table._refusals == 1
        w.loop.run_for(3)
        assert all(len(entry.dests) == 2 for entry in ipvs.table.values()) and len(ipvs.table) == 3
