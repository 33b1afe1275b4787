"""``krunctl record`` of a real krun on the kernel in memory: both processes, a reload, weights by hand; and what it says when it cannot."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
from krun_world import Running, director, krunctl, write
from parent_world import wait_for

from kir.model import (
    Authentication,
    Config,
    Endpoint,
    RealServer,
    Secret,
    Service,
    TcpCheck,
    Timing,
    VirtualServer,
)

Start = Callable[..., Running]


def both(folder: Path, priority: int, password: str) -> Config:
    """An instance with a password, and a pool whose server refuses."""
    base = director(folder, priority)
    instance = msgspec.structs.replace(
        base.vrrp_instances[0],
        version=2,
        advert_int_us=1_000_000,
        authentication=Authentication(type="PASS", password=Secret(secret=password)),
    )
    timing = Timing(delay_loop_us=500_000, warmup_us=0, retry=0, delay_before_retry_us=500_000)
    check = TcpCheck(timing=timing, endpoint=Endpoint(address="127.0.0.1", port=1))
    service = Service(family="inet", protocol="tcp", address="10.0.0.1", port=80)
    pool = VirtualServer(
        name=service.identity,
        services=(service,),
        real_servers=(RealServer(address="127.0.0.1", port=1, family="inet", weight=1, checkers=(check,)),),
    )
    return msgspec.structs.replace(base, vrrp_instances=(instance,), virtual_servers=(pool,))


def test_both_processes_are_in_the_file_and_decide_alike(folder: Path, start: Start) -> None:
    running = start(folder, write(folder, both(folder, 100, "fir5t")))
    wait_for("the check", lambda: running.logged("lost its quorum"), 20)
    run_dir, file = running.run_dir, folder / "x.krec"
    done = krunctl(run_dir, "set", "tcp 10.0.0.1:80", "127.0.0.1:1", "--weight", "0", "--for", "1m")
    assert done.returncode == 0, done.stderr
    write(folder, both(folder, 120, "s3cond"))
    assert krunctl(run_dir, "reload").returncode == 0
    wait_for("the master", lambda: running.logged("Entering MASTER STATE"), 20)

    saved = krunctl(run_dir, "record", "-o", file)
    assert saved.returncode == 0, saved.stderr
    assert "vrrp" in saved.stdout
    assert "check" in saved.stdout
    shown = krunctl(folder, "replay", file)  # no krun is there
    assert shown.returncode == 0, shown.stdout + shown.stderr
    for words in (
        "tcp 10.0.0.1:80 lost its quorum: weight 0 of 1",
        "by hand: tcp 10.0.0.1:80 -> 127.0.0.1:1 weight 0",
        "vrrp   reload",
        "check  reload",
        "Effective priority changes from 100 to 120",
        "Entering MASTER STATE",
        "all decided as they were",
    ):
        assert words in shown.stdout, f"{words}\n{shown.stdout}"
    text = krunctl(folder, "replay", file, "--json", "--all").stdout
    assert {json.loads(line)["process"] for line in text.splitlines()} == {"vrrp", "check"}

    with_secrets = krunctl(run_dir, "record", "-o", file, "--with-secrets")
    assert "secrets as they are" in with_secrets.stdout
    assert krunctl(folder, "replay", file).returncode == 0
    assert krunctl(run_dir, "record", "-o", folder / "no" / "such").returncode == 1
    (folder / "cwd").mkdir()
    here = os.getcwd()
    os.chdir(folder / "cwd")
    try:
        assert krunctl(run_dir, "record").returncode == 0
        (made,) = (folder / "cwd").glob("krun-*.krec")
    finally:
        os.chdir(here)
    assert krunctl(folder, "replay", made).returncode == 0


def test_who_remembers_nothing_says_so(folder: Path, start: Start) -> None:
    running = start(folder, write(folder, both(folder, 100, "fir5t")), "--record", "0")
    done = krunctl(running.run_dir, "record", "-o", folder / "x.krec")
    assert done.returncode == 1
    assert "the vrrp process: it remembers nothing (krun --record 0" in done.stderr
    assert not (folder / "x.krec").exists()
    nobody = krunctl(folder / "nowhere", "record", "-o", folder / "x.krec")
    assert nobody.returncode == 2
    assert "no krun runs" in nobody.stderr
    assert not (folder / "x.krec").exists()
