"""Reload: all or nothing, whatever the children do meanwhile."""

from __future__ import annotations

import os
import signal
import threading

from parent_world import World, config, wait_for


def digest(world: World) -> str:
    value: str = world.state()["ir"]["digest"]
    return value


def test_an_agreed_reload_is_committed_everywhere(world: World) -> None:
    new = world.write(config(weight=7))
    answer = world.ask("reload")
    assert answer["ok"], answer
    report = answer["reload"]
    assert report["result"] == "done"
    assert report["operations"] == {"check.update": 1}
    assert report["total"] == 1
    assert report["failures"] == []
    assert report["duration_us"] > 0
    state = world.state()
    assert state["ir"]["digest"] == new
    assert state["last_reload"] == report
    assert len(world.events(event="commit")) == 3
    assert len(world.events(event="start")) == 3
    assert not list(world.run_dir.glob("next-*"))


def test_the_successor_of_a_child_runs_the_new_configuration(world: World) -> None:
    world.write(config(weight=7))
    assert world.ask("reload")["ok"]
    os.kill(world.process("check")["pid"], signal.SIGKILL)
    assert world.wait_event("check", "start", 2)["weights"] == [7]


def test_sighup_reloads_and_two_more_meanwhile_are_one(world: World) -> None:
    world.write(config(weight=8))
    os.kill(world.pid, signal.SIGHUP)
    wait_for("the reload", lambda: world.state()["last_reload"])
    last = world.state()["last_reload"]
    assert (last["result"], last["requested_by"]) == ("done", "SIGHUP")


def test_another_path_is_kept_for_later(world: World) -> None:
    other = world.folder / "other.json"
    world.write(config(weight=9))
    world.ir.rename(other)
    assert world.ask("reload", path=str(other))["ok"]
    assert world.state()["ir"]["path"] == str(other)
    assert world.ask("reload")["ok"]


def test_bad_files_are_refused_and_the_old_one_goes_on(world: World) -> None:
    good = digest(world)
    text = world.ir.read_bytes()
    for bad in (
        b"",
        b"{",
        text[:-40],
        text.replace(b'"weight": 1', b'"weight": 2'),
        b'{"a": 1}',
        b"vrrp_instance A {",
    ):
        world.ir.write_bytes(bad)
        answer = world.ask("reload")
        assert not answer["ok"]
        assert answer["error"]
        assert answer["reload"]["result"] == "refused"
    world.ir.unlink()
    assert "cannot be read" in world.ask("reload")["error"]
    assert digest(world) == good
    assert not world.events(event="prepare")
    assert "the old configuration goes on" in world.logged()


def test_one_child_refuses_and_all_abort(world: World) -> None:
    good = digest(world)
    world.write(config(weight=3))
    world.order("check", "refuse")
    answer = world.ask("reload")
    assert not answer["ok"]
    assert answer["error"] == "check: interface eth9 does not exist"
    wait_for(
        "aborts", lambda: {e["child"] for e in world.events(event="abort")} == {"vrrp", "check", "script"}
    )
    assert not world.events(event="commit")
    assert digest(world) == good
    assert world.state()["last_reload"]["result"] == "refused"
    assert world.ask("reload")["ok"]


def test_a_child_that_dies_while_it_judges_refuses(world: World) -> None:
    good = digest(world)
    world.write(config(weight=3))
    world.order("vrrp", "prepare-die")
    answer = world.ask("reload")
    assert not answer["ok"]
    assert "vrrp" in answer["error"]
    assert digest(world) == good
    assert world.wait_event("vrrp", "start", 2)["digest"] == good
    assert not world.events(event="commit")


def test_a_child_that_hangs_while_it_judges_refuses_and_is_replaced(world: World) -> None:
    world.write(config(weight=3))
    world.order("check", "prepare-hang")
    answer = world.ask("reload")
    assert not answer["ok"]
    assert "no answer within 1 s" in answer["error"]
    world.wait_event("check", "start", 2)


def test_a_reload_cures_a_child_in_back_off(world: World) -> None:
    world.order("vrrp", "always start-die")
    os.kill(world.process("vrrp")["pid"], signal.SIGKILL)
    world.wait_event("vrrp", "start", 4)
    (world.run_dir / "vrrp.do").unlink()
    new = world.write(config(weight=4))
    wait_for("a reload that is taken", lambda: world.ask("reload")["ok"])
    world.wait_running()
    assert world.events("vrrp", "start")[-1]["digest"] == new


def test_children_come_and_go_with_the_configuration(world: World) -> None:
    world.write(config(vrrp=False))
    assert world.ask("reload")["ok"]
    wait_for("vrrp to stop", lambda: world.events("vrrp", "stopped"))
    assert [p["name"] for p in world.state()["processes"]] == ["script", "check"]
    wait_for("its socket to go", lambda: not (world.run_dir / "vrrp.sock").exists())
    world.write(config())
    assert world.ask("reload")["ok"]
    world.wait_running()
    assert [p["name"] for p in world.state()["processes"]] == ["script", "vrrp", "check"]
    assert world.events("vrrp", "start")[-1]["promises"] == {}
    os.kill(world.pid, signal.SIGTERM)
    assert world.wait_end() == 0


def test_a_plan_changes_nothing(world: World) -> None:
    good = digest(world)
    world.write(config(weight=5))
    answer = world.ask("plan")
    assert answer["ok"]
    assert answer["reload"]["operations"] == {"check.update": 1}
    assert answer["reload"]["result"] == "planned"
    assert digest(world) == good
    assert not world.events(event="commit")
    assert world.state()["last_reload"] is None


def test_reloads_side_by_side_are_done_one_after_the_other(world: World) -> None:
    world.write(config(weight=6))
    answers: list[bool] = []
    threads = [threading.Thread(target=lambda: answers.append(world.ask("reload")["ok"])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 8
    assert len(world.events("vrrp", "commit")) == 8


def test_a_stop_during_a_reload(world: World) -> None:
    world.write(config(weight=6))
    world.order("check", "prepare-hang")
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(world.ask("reload")["ok"]))
    thread.start()
    world.wait_event("check", "prepare")
    os.kill(world.pid, signal.SIGTERM)
    assert world.wait_end() == 0
    thread.join()
    assert answers == [False]
    assert world.events(event="stopped")[0]["child"] == "vrrp"


def test_a_process_with_work_left_stays_until_the_next_reload(world: World) -> None:
    """Drains, say, that the last virtual server left behind."""
    pid = world.process("check")["pid"]
    world.write(config(vrrp=False, check=False))
    world.order("check", "commit-busy")
    done = world.ask("reload")
    assert done["reload"]["ended"] == ["vrrp"]
    assert not world.events("check", "stop")
    assert {p["name"]: p["pid"] for p in world.state()["processes"]}["check"] == pid
    assert "vrrp" not in {p["name"] for p in world.state()["processes"]}
    assert world.ask("reload")["ok"]
    assert world.state()["processes"] == []
    world.wait_event("check", "stop")
    assert "check process ended, script process ended" in world.logged()
    world.write(config(vrrp=False))
    assert world.ask("reload")["reload"]["started"] == ["script", "check"]
    assert "script process started, check process started" in world.logged()
