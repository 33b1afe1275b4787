"""Whatever happens to whom and when: in the end every process runs the same IR, and it is the one that the answers spoke of."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from parent_world import World, config, wait_for

from krun.control.client import NoDaemonError

FAILURES = (
    "refuse",
    "prepare-die",
    "prepare-wait",
    "commit-die",
    "commit-raise",
    "commit-hang",
    "commit-then-die",
)


class Story:
    """Random steps, and what should run after them: ``may`` holds more than one where the answer got lost."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.random = random.Random(seed)
        self.weight = 1
        self.runs: str = world.state()["ir"]["digest"]
        self.before: str | None = None

    def _ask(self, operation: str, **more: Any) -> dict[str, Any]:
        return self.world.ask(operation, 30.0, **more)

    def reload(self) -> None:
        self.weight += 1
        new = self.world.write(
            config(weight=self.weight, advert_int_us=self.random.choice((1, 2, 3)) * 1_000_000)
        )
        more = {"confirm_within_us": 3_600_000_000} if self.random.random() < 0.5 else {}
        if self._ask("reload", **more)["ok"]:
            self.runs, self.before = new, self.runs

    def fail(self) -> None:
        child, order = self.random.choice(("script", "vrrp", "check")), self.random.choice(FAILURES)
        pid = self.world.process(child)["pid"]
        self.world.order(child, order)
        self.reload()
        if order == "commit-then-die":
            # It dies a moment after its answer: whatever comes next is not to meet that death, which would rightly send it back.
            wait_for("its death", lambda: self.world.process(child)["pid"] not in (0, pid))
        (self.world.run_dir / f"{child}.do").unlink(missing_ok=True)

    def disturb(self) -> None:
        """A signal to a random child in the middle of a reload."""
        pid = self.world.process(self.random.choice(("script", "vrrp", "check")))["pid"]
        number = self.random.choice((signal.SIGKILL, signal.SIGSTOP))
        self.world.order("check", "prepare-wait")
        thread = threading.Thread(target=self.reload)
        thread.start()
        time.sleep(self.random.random() * 0.6)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        thread.join()
        (self.world.run_dir / "check.do").unlink(missing_ok=True)

    def undo(self) -> None:
        answer = self._ask("undo")
        assert answer["ok"] == (self.before is not None), (answer, self.before)
        if self.before is not None:
            self.runs, self.before = self.before, None

    def confirm(self) -> None:
        self._ask("confirm")

    def kill_a_child(self) -> None:
        os.kill(self.world.process(self.random.choice(("script", "vrrp", "check")))["pid"], signal.SIGKILL)

    def kill_everything(self) -> None:
        self.world.kill_all()
        self.world.start()

    def kill_the_parent_in_a_reload(self) -> None:
        """It is the old one or the new one then; which, the next krun says."""
        self.world.order("check", "prepare-wait")

        def lost() -> None:
            with contextlib.suppress(NoDaemonError):
                self.reload()

        thread = threading.Thread(target=lost)
        thread.start()
        time.sleep(self.random.random() * 0.8)
        os.kill(self.world.pid, signal.SIGKILL)
        self.world.wait_end()
        thread.join()
        (self.world.run_dir / "check.do").unlink(missing_ok=True)
        self.world.start()
        state = self.world.state()
        if state["ir"]["digest"] != self.runs:
            assert state["undo"]["digest"] == self.runs
            self.runs, self.before = state["ir"]["digest"], self.runs

    def steps(self) -> tuple[Callable[[], None], ...]:
        return (
            self.reload,
            self.fail,
            self.fail,
            self.disturb,
            self.undo,
            self.confirm,
            self.kill_a_child,
            self.kill_everything,
            self.kill_the_parent_in_a_reload,
        )


@pytest.mark.parametrize("seed", [1, 2])
def test_chaos(world: World, seed: int) -> None:
    story = Story(world, seed)
    told: list[str] = []
    for _ in range(14):
        step = story.random.choice(story.steps())
        told.append(step.__name__)
        wait_for(
            "krun to be itself", lambda: [p["state"] for p in world.state()["processes"]] == ["running"] * 3
        )
        step()
        try:
            world.wait_all_run(story.runs)
        except AssertionError as error:
            raise AssertionError(f"{told}: {error}\n{world.logged()[-3000:]}") from error
        state = world.state()
        assert (state["undo"] or {}).get("digest") == story.before, told
        assert not state["alarms"]
        assert not list(world.run_dir.glob("next-*"))
    assert "internal error" not in world.logged().replace("RuntimeError: half done", "").replace(
        "internal error, this process ends: ", ""
    )
