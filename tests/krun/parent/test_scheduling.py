"""How the kernel treats krun's processes: what the configuration says about it, as /proc shows it."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from krun_world import Running, director, krunctl, write
from parent_world import wait_for

from kir.model import Buffer, Config, Global, Process
from kir.plan.daemon import replaced_processes
from krun.kernel import adverts
from krun.kernel.adverts import receive_buffer
from krun.parent import promises
from krun.parent.lateness import Lateness, waited_ns
from krun.parent.needs import needed_capabilities
from krun.parent.own import advert_room
from krun.parent.privileges import gained, keeps

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="priorities and memory locks are root's")

RR = os.SCHED_RR | os.SCHED_RESET_ON_FORK
OURS = (os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0), sorted(os.sched_getaffinity(0)))


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def limit(pid: int, name: str) -> str:
    """The soft limit, as /proc/PID/limits has it."""
    line = next(
        line for line in Path(f"/proc/{pid}/limits").read_text().splitlines() if line.startswith(name)
    )
    return line.removeprefix(name).split()[0]


def scheduled(pid: int) -> tuple[int, int, int, list[int]]:
    """Policy, real-time priority, nice value, processors."""
    return (
        os.sched_getscheduler(pid),
        os.sched_getparam(pid).sched_priority,
        os.getpriority(os.PRIO_PROCESS, pid),
        sorted(os.sched_getaffinity(pid)),
    )


def capabilities(pid: int) -> int:
    return int(status(pid)["CapEff"], 16)


def settings(folder: Path, **changes: Any) -> Config:
    return msgspec.structs.replace(director(folder), global_defs=Global(**changes))


def pids(running: Running) -> dict[str, int]:
    return {process["name"]: process["pid"] for process in running.state()["processes"]}


def reload(running: Running, folder: Path, **changes: Any) -> str:
    write(folder, settings(folder, **changes))
    done = krunctl(running.run_dir, "reload")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_life_with_priorities(folder: Path, start: Callable[..., Running]) -> None:
    cpu = OURS[2][-1]
    vrrp = Process(name="kv", cpus=(cpu,), rttime_us=500_000, monitor=Buffer(size=65536))
    running = start(
        folder,
        write(
            folder,
            settings(
                folder,
                vrrp_rt_priority=20,
                vrrp_priority=-3,
                vrrp_process=vrrp,
                checker_priority=5,
                checker_process=Process(no_swap=True),
                parent_process=Process(name="kparent"),
                umask=0o27,
            ),
        ),
    )
    first = pids(running)
    assert scheduled(first["vrrp"]) == (RR, 20, -3, [cpu])
    assert limit(first["vrrp"], "Max realtime timeout") == "500000"
    assert status(first["vrrp"])["Name"] == "kv"
    assert scheduled(first["check"]) == (OURS[0], 0, 5, OURS[2])
    assert int(status(first["check"])["VmLck"].split()[0]) > 10_000
    assert capabilities(first["check"]) >> 14 & 1, "what it maps later is locked as well: IPC_LOCK stays"
    assert not capabilities(first["vrrp"]) & (1 << 14 | 1 << 23), (
        "the parent schedules: no child needs SYS_NICE"
    )
    assert scheduled(first["script"])[:3] == (*OURS[:1], 0, OURS[1])
    assert (status(running.process.pid)["Name"], status(running.process.pid)["Umask"]) == ("kparent", "0027")
    assert running.state()["processes"][1]["scheduling"] == {
        "policy": "rr",
        "priority": 20,
        "nice": -3,
        "cpus": [cpu],
    }

    # Under way: the processes stay what they are.
    said = reload(
        running, folder, vrrp_rt_priority=30, checker_process=Process(no_swap=True), checker_priority=-1
    )
    assert "daemon.update 1" in said
    assert pids(running) == first
    assert scheduled(first["vrrp"]) == (RR, 30, OURS[1], OURS[2])
    assert limit(first["vrrp"], "Max realtime timeout") == "1000000"
    assert status(first["vrrp"])["Name"] == "krun-vrrp"
    assert scheduled(first["check"])[2] == -1

    # All taken back.
    reload(running, folder)
    assert pids(running) == first
    for name in ("vrrp", "check"):
        assert scheduled(first[name]) == (OURS[0], 0, OURS[1], OURS[2])
        assert status(first[name])["VmLck"] == "0 kB"
    assert limit(first["vrrp"], "Max realtime timeout") == _text(
        resource.getrlimit(resource.RLIMIT_RTTIME)[0]
    )
    assert status(running.process.pid)["Umask"] == "0177"

    # Locked memory needs a privilege that the process gave up: its successor has it, and goes on in its role.
    wait_for("a master", lambda: running.state()["vrrp"][0]["state"] == "MASTER")
    reload(running, folder, vrrp_process=Process(no_swap=True), vrrp_rt_priority=5)
    second = wait_for(
        "the successor", lambda: None if (now := pids(running))["vrrp"] in (0, first["vrrp"]) else now
    )
    assert second["check"] == first["check"]
    assert running.logged("it needs CAP_IPC_LOCK: its successor takes over")
    wait_for("its status", lambda: running.state()["vrrp"])
    assert running.state()["vrrp"][0]["state"] == "MASTER"
    assert int(status(second["vrrp"])["VmLck"].split()[0]) > 10_000
    assert scheduled(second["vrrp"])[:2] == (RR, 5)

    # And a successor of a killed one has it from its first moment.
    os.kill(second["vrrp"], 9)
    third = wait_for(
        "the next", lambda: None if (now := pids(running))["vrrp"] in (0, second["vrrp"]) else now
    )
    assert scheduled(third["vrrp"])[:2] == (RR, 5)
    assert running.state()["alarms"] == []


def _text(value: int) -> str:
    return "unlimited" if value == resource.RLIM_INFINITY else str(value)


def test_what_the_kernel_does_not_let_through_is_an_alarm(
    folder: Path, start: Callable[..., Running]
) -> None:
    running = start(folder, write(folder, settings(folder, vrrp_process=Process(cpus=(4000,)))))
    [alarm] = running.state()["alarms"]
    assert alarm == "vrrp process: it cannot be bound to CPU 4000: there is none of them here"
    assert running.logged(alarm.partition(": ")[2])
    reload(running, folder)
    assert running.state()["alarms"] == []


def test_a_process_that_computes_in_real_time_for_too_long_leaves_it(
    folder: Path, start: Callable[..., Running]
) -> None:
    """A limit of a hundred milliseconds, and a reload that takes longer: SIGXCPU costs it real time and not its life."""
    running = start(folder, write(folder, settings(folder, checker_rt_priority=10)))
    pid = pids(running)["check"]
    assert scheduled(pid)[0] == RR
    os.kill(pid, 24)  # SIGXCPU, as the kernel sends it
    wait_for("the warning", lambda: running.logged("ran in real time for 1000 ms without a pause"))
    wait_for("real time again", lambda: scheduled(pid)[:2] == (RR, 10))
    assert pids(running)["check"] == pid


def test_plan_and_runtime_agree_on_who_is_replaced(folder: Path) -> None:
    for field, name in (("vrrp_process", "vrrp"), ("checker_process", "check")):
        old, new = settings(folder), settings(folder, **{field: Process(no_swap=True)})
        assert replaced_processes(old.global_defs, new.global_defs) == (name,)
        assert gained(name, old, new) == {14}
        assert gained(name, new, old) == frozenset()
        needs = {need.capability for need in needed_capabilities(new) if need.process == name}
        assert needs == (keeps(name, new) or frozenset()) - {10}, "a check's low port is kept and not needed"


SPIN = """
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(60))
end = time.monotonic() + 0.3
while time.monotonic() < end:
    pass
"""


def test_a_process_that_is_kept_waiting_is_raised_step_by_step(
    folder: Path, start: Callable[..., Running]
) -> None:
    cpu = OURS[2][-1]
    running = start(
        folder,
        write(
            folder,
            settings(
                folder,
                max_auto_priority=2,
                min_auto_priority_delay_us=100_000,
                vrrp_process=Process(cpus=(cpu,)),
            ),
        ),
    )
    pid = pids(running)["vrrp"]
    assert scheduled(pid)[:2] == (OURS[0], 0)
    for priority in (1, 2):
        subprocess.run([sys.executable, "-c", SPIN, str(cpu)], check=True)
        wait_for(f"real time {priority}", lambda priority=priority: scheduled(pid)[:2] == (RR, priority))
    subprocess.run([sys.executable, "-c", SPIN, str(cpu)], check=True)
    wait_for("the last word", lambda: running.log.read_text().count("the machine kept it waiting") == 3)
    assert scheduled(pid)[:2] == (RR, 2), "no further than max_auto_priority"
    # What is not configured any more is not so any more.
    reload(running, folder, vrrp_process=Process(cpus=(cpu,)))
    assert scheduled(pid)[:2] == (OURS[0], 0)
    assert pids(running)["vrrp"] == pid


def test_a_loop_that_was_busy_itself_is_not_late() -> None:
    ours, theirs = promises.pair()
    before = waited_ns() or 0
    lateness = Lateness(theirs, 20_000)
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    # Whatever this busy machine made of it: we waited for less than half of that time.
    lateness.turned(2 * ((waited_ns() or 0) - before) // 1000 + 200_000)
    with pytest.raises(BlockingIOError):
        ours.recv(100)
    for end_of in (ours, theirs):
        end_of.close()


def test_room_for_adverts_is_made_in_open_sockets_too() -> None:
    def room(**changes: Any) -> int:
        receive_buffer(advert_room(Config(global_defs=Global(**changes))))
        return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            adverts._make_room(sock)
            assert room() == 4 << 20
            assert room(rx_buffer_policy="mtu", rx_buffer_multiplier=3) == 4 << 20, "more than was asked for"
            assert room(rx_buffer_size=16 << 20) == 16 << 20
            assert room(rx_buffer_policy="advert", rx_buffer_multiplier=100) == 6_553_500
        finally:
            receive_buffer(0)
