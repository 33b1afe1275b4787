"""What comes before the children and after them: the scripts of the daemon's own life, and how long its processes may take to stop."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from krun_world import Running, director, krunctl, write
from parent_world import wait_for

from kir.model import Account, Config, Global, Script

USER = "nobody" if os.geteuid() == 0 else None


def script(folder: Path, name: str, body: str) -> Script:
    path = folder / f"{name}.sh"
    path.write_text(f"#!/bin/sh\nexec >> {folder}/said 2>&1\n{body}\n")
    path.chmod(0o755)
    said = folder / "said"
    said.touch()
    said.chmod(0o666)
    return Script(argv=(str(path), name), account=Account(user=USER))


def said(folder: Path) -> list[str]:
    return (folder / "said").read_text().splitlines()


def with_scripts(folder: Path, **settings: Any) -> Config:
    return msgspec.structs.replace(director(folder), global_defs=Global(**settings))


CHILDREN = 'ls {run} | grep -E "^(vrrp|check).sock$" | tr "\\n" " "'


def test_before_the_children_and_after_them(folder: Path, start: Callable[..., Running]) -> None:
    there = CHILDREN.format(run=folder / "run")
    first = script(folder, "first", f'echo "$1 $(id -u) $(umask) children: $({there})"\nexit 3')
    (folder / "run").mkdir(mode=0o755)  # so that the script's user may look into it
    last = script(folder, "last", f'echo "$1 $(id -u) notified: $(tail -1 {folder}/notified)"')
    ir = write(folder, with_scripts(folder, startup_script=first, shutdown_script=last, umask=0o2))
    running = start(folder, ir)
    uid = 65534 if os.geteuid() == 0 else os.geteuid()
    assert said(folder) == [f"first {uid} 0002 children: "]
    assert running.logged("startup script ended with exit status 3"), "it is said, and it changes nothing"
    wait_for("a master", lambda: running.logged("Entering MASTER STATE"))
    assert krunctl(running.run_dir, "stop").returncode == 0
    assert running.process.wait(20) == 0
    assert said(folder)[1:] == [f"last {uid} notified: {uid} INSTANCE VI_1 STOP 100"]
    text = running.log.read_text()
    assert "Traceback" not in text
    assert text.index("shutdown script succeeded") < text.index("stopped")


def test_a_script_that_takes_too_long_is_ended_and_the_director_goes_on(
    folder: Path, start: Callable[..., Running]
) -> None:
    """SIGTERM to its process group, SIGKILL two seconds later; meanwhile a reload waits, and a stop does not."""
    stubborn = script(
        folder, "stubborn", "trap 'echo term' TERM\necho $$ begins\nsleep 30 &\nwait\necho goes on\nsleep 30"
    )
    config = with_scripts(folder, startup_script=stubborn, startup_script_timeout_us=300_000)
    running = Running(folder, write(folder, config))
    try:
        wait_for("the script", lambda: len(said(folder)) == 1 or None)
        pid = int(said(folder)[0].split()[0])
        assert os.getpgid(pid) == pid != running.process.pid
        write(folder, with_scripts(folder, startup_script=stubborn))
        running.process.send_signal(signal.SIGHUP)
        wait_for("the children", lambda: running.logged("ready"), 30)
        assert "term" in said(folder)
        assert running.logged("startup script took longer than 0.3 s and was ended")
        wait_for("the reload that waited", lambda: running.logged("reloaded in"))
        assert not Path(f"/proc/{pid}").exists()
    finally:
        running.end()


def test_a_stop_does_not_wait_for_the_startup_script(folder: Path) -> None:
    slow = script(folder, "slow", "echo $$ begins\nexec sleep 30")
    last = script(folder, "last", "echo last")
    config = with_scripts(folder, startup_script=slow, shutdown_script=last)
    running = Running(folder, write(folder, config))
    try:
        wait_for("the script", lambda: len(said(folder)) == 1 or None)
        pid = int(said(folder)[0].split()[0])
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(15) == 0
        assert not Path(f"/proc/{pid}").exists()
        assert said(folder)[1:] == ["last"], "what the first one began, the last one may have to undo"
    finally:
        running.end()


def test_scripts_alone_are_something_to_do(folder: Path, start: Callable[..., Running]) -> None:
    config = Config(
        global_defs=Global(
            startup_script=script(folder, "first", "echo $1"),
            shutdown_script=script(folder, "last", "echo $1"),
        )
    )
    running = start(folder, write(folder, config))
    assert [process["name"] for process in running.state()["processes"]] == ["script"]
    assert krunctl(running.run_dir, "stop").returncode == 0
    assert said(folder) == ["first", "last"]


def test_a_script_that_others_may_write_is_not_run_as_root(
    folder: Path, start: Callable[..., Running]
) -> None:
    if os.geteuid() != 0:
        return
    evil = msgspec.structs.replace(script(folder, "evil", "echo evil"), account=Account(user="root"))
    Path(evil.argv[0]).chmod(0o777)
    config = with_scripts(folder, startup_script=evil, enable_script_security=True)
    running = start(folder, write(folder, config))
    assert running.logged("startup script was not run")
    assert said(folder) == []
    assert running.state()["vrrp"], "and the children run all the same"


def test_child_wait_time(folder: Path, start: Callable[..., Running]) -> None:
    """A notify script that hangs does not hold the stop up for longer than the configuration allows."""
    running = start(folder, write(folder, with_scripts(folder, child_wait_time_us=1_000_000)))
    pid = next(p["pid"] for p in running.state()["processes"] if p["name"] == "check")
    os.kill(pid, signal.SIGSTOP)
    os.kill(pid, signal.SIGSTOP)
    began = os.times().elapsed
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(15) == 0
    assert os.times().elapsed - began < 4
