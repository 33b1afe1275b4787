"""All or nothing: whoever cannot take a new configuration, in whichever step, sends all back to the old one."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from parent_world import World, config, wait_for


def asked(world: World, **more: Any) -> tuple[threading.Thread, list[dict[str, Any]]]:
    """A reload under way in a thread, and where its answer will be."""
    answers: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: answers.append(world.ask("reload", **more)))
    thread.start()
    return thread, answers


def digest(world: World) -> str:
    value: str = world.state()["ir"]["digest"]
    return value


@pytest.mark.parametrize("who", ["script", "vrrp", "check"])
@pytest.mark.parametrize("how", ["commit-die", "commit-raise", "commit-hang"])
def test_a_failure_in_the_change_sends_all_back(world: World, who: str, how: str) -> None:
    old = digest(world)
    world.write(config(weight=7, advert_int_us=2_000_000))
    world.order(who, how)
    answer = world.ask("reload")
    assert not answer["ok"]
    assert f"the {who} process did not change to it" in answer["error"]
    assert "all processes went back" in answer["error"]
    assert answer["reload"]["result"] == "rolled back"
    assert answer["reload"]["operations"] == {}
    world.wait_all_run(old)
    # The others were really sent back, by a second change, and not just left where they were.
    for name in {"script", "vrrp", "check"} - {who}:
        assert len(world.events(name, "changed")) == 2
        assert len(world.events(name, "start")) == 1
    assert world.events("check")[-1].get("weights", [1]) == [1]
    assert world.state()["counters"]["reloads_rolled_back"] == 1
    # And the next one, without a failure, is done.
    assert world.ask("reload")["ok"]
    assert world.digests() == {digest(world)}


def test_a_child_killed_between_judging_and_changing(world: World) -> None:
    old = digest(world)
    world.write(config(weight=7))
    world.order("check", "prepare-wait")
    thread, answers = asked(world)
    world.wait_event("vrrp", "prepare")
    # vrrp has judged; while check still does, it is killed.
    os.kill(world.process("vrrp")["pid"], signal.SIGKILL)
    thread.join()
    assert not answers[0]["ok"]
    assert "the vrrp process was replaced meanwhile" in answers[0]["error"]
    assert answers[0]["reload"]["result"] == "refused"
    assert not world.events(event="changed")
    world.wait_all_run(old)


def test_a_child_that_changed_and_died_before_the_others_had(world: World) -> None:
    old = digest(world)
    world.write(config(weight=7))
    world.order("vrrp", "commit-then-die")
    world.order("check", "commit-hang")
    answer = world.ask("reload")
    assert not answer["ok"]
    world.wait_all_run(old)
    assert world.events("vrrp", "start")[-1]["digest"] == old


def test_a_stop_signal_in_the_middle_is_continued_and_the_reload_done(world: World) -> None:
    world.write(config(weight=7))
    world.order("check", "prepare-wait")
    thread, answers = asked(world)
    world.wait_event("check", "prepare")
    os.kill(world.process("vrrp")["pid"], signal.SIGSTOP)
    thread.join()
    assert answers[0]["ok"], answers
    assert "was stopped by a signal: continued" in world.logged()
    world.wait_all_run(answers[0]["reload"]["digest"])


def test_a_child_that_is_stopped_again_and_again_sends_all_back_or_takes_it(world: World) -> None:
    old = digest(world)
    new = world.write(config(weight=7))
    world.order("check", "prepare-wait")
    pid = world.process("vrrp")["pid"]
    thread, answers = asked(world)
    world.wait_event("check", "prepare")
    while thread.is_alive():
        try:
            os.kill(pid, signal.SIGSTOP)
        except ProcessLookupError:
            break
        time.sleep(0.02)
    thread.join()
    world.wait_all_run(new if answers[0]["ok"] else old)
    assert not answers[0]["ok"]


def test_one_that_cannot_even_go_back_is_replaced(world: World) -> None:
    old = digest(world)
    world.write(config(weight=7))
    world.order("check", "commit-hang")
    thread, answers = asked(world)
    world.wait_event("vrrp", "changed")
    world.order("vrrp", "refuse")
    thread.join()
    assert not answers[0]["ok"]
    assert "it did not go back to the old configuration" in world.wait_logged("did not go back")
    world.wait_all_run(old)
    assert len(world.events("vrrp", "start")) == 2


def test_a_new_process_that_does_not_come_up_sends_all_back(make_world: Callable[..., World]) -> None:
    world = make_world(config(check=False)).start()
    old = digest(world)
    world.write(config(advert_int_us=2_000_000))
    world.order("check", "always start-fail")
    answer = world.ask("reload")
    assert not answer["ok"]
    assert "the check process, which only this IR needs, does not come up" in answer["error"]
    assert not world.events("vrrp", "changed")
    world.wait_all_run(old)
    wait_for(
        "check to be gone", lambda: [p["name"] for p in world.state()["processes"]] == ["script", "vrrp"]
    )
    (world.run_dir / "check.do").unlink()
    assert world.ask("reload")["ok"]
    world.wait_all_run(digest(world))
    assert [p["name"] for p in world.state()["processes"]] == ["script", "vrrp", "check"]


def test_a_new_process_is_up_before_the_others_change(make_world: Callable[..., World]) -> None:
    world = make_world(config(check=False)).start()
    world.write(config(advert_int_us=2_000_000))
    assert world.ask("reload")["ok"]
    order = [(e["child"], e["event"]) for e in world.events()]
    assert order.index(("check", "start")) < order.index(("vrrp", "changed"))


def test_a_new_process_goes_when_the_change_fails(make_world: Callable[..., World]) -> None:
    world = make_world(config(check=False)).start()
    old = digest(world)
    world.write(config(advert_int_us=2_000_000))
    world.order("vrrp", "commit-die")
    assert not world.ask("reload")["ok"]
    wait_for("check to stop", lambda: world.events("check", "stopped"))
    world.wait_all_run(old)
    assert [p["name"] for p in world.state()["processes"]] == ["script", "vrrp"]


def test_a_parent_killed_in_the_change_leaves_the_old_one_as_the_truth(world: World) -> None:
    old = digest(world)
    world.write(config(weight=7))
    world.order("check", "commit-hang")
    thread = threading.Thread(target=lambda: _ignoring(lambda: world.ask("reload")))
    thread.start()
    world.wait_event("vrrp", "changed")
    os.kill(world.pid, signal.SIGKILL)
    world.wait_end()
    thread.join()
    world.start()
    world.wait_all_run(old)
    assert "holds another IR" in world.logged()
    assert world.ask("reload")["ok"]


def test_a_stop_in_the_middle_of_the_change(world: World) -> None:
    world.write(config(weight=7))
    world.order("check", "commit-hang")
    thread, answers = asked(world)
    world.wait_event("vrrp", "changed")
    os.kill(world.pid, signal.SIGTERM)
    assert world.wait_end() == 0
    thread.join()
    assert answers[0]["error"] == "krun is stopping"


def test_a_full_tmpfs_at_the_way_back_ends_in_successors(world: World) -> None:
    """Where the old configuration cannot even be handed to a process, its successor has it from the parent's memory."""
    old = digest(world)
    world.write(config(weight=7))
    world.order("check", "commit-hang")
    thread, answers = asked(world)
    world.wait_event("vrrp", "changed")
    # Nothing can be written there: a directory is in the way.
    (world.run_dir / "next-vrrp.ir").mkdir()
    thread.join()
    (world.run_dir / "next-vrrp.ir").rmdir()
    assert not answers[0]["ok"]
    world.wait_all_run(old)


def _ignoring(what: Callable[[], object]) -> None:
    try:
        what()
    except Exception:
        return
