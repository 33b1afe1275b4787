"""``krunctl plan``: what is printed is what runs."""

from __future__ import annotations

import json
import re
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from krun_world import Running, director, krunctl, write
from parent_world import wait_for

from kir.model import Config, RealServer, Service, VirtualServer
from kir.model.checkers import Endpoint, TcpCheck, Timing


def change(config: Config, **fields: Any) -> Config:
    return msgspec.structs.replace(config, **fields)


def instance(config: Config, **fields: Any) -> Config:
    return change(config, vrrp_instances=(msgspec.structs.replace(config.vrrp_instances[0], **fields),))


def virtual(config: Config, **fields: Any) -> Config:
    return change(config, virtual_servers=(msgspec.structs.replace(config.virtual_servers[0], **fields),))


def another(number: int) -> VirtualServer:
    address = f"10.0.1.{number}"
    return VirtualServer(
        name=f"tcp {address}:80",
        services=(Service(family="inet", protocol="tcp", address=address, port=80),),
        real_servers=tuple(
            RealServer(address=f"10.0.2.{n}", port=80, family="inet", weight=n) for n in (1, 2, 3)
        ),
    )


def servers(*weights: int, checked: int = 0) -> tuple[RealServer, ...]:
    """Servers on ports of this machine from 1 on; the port ``checked`` has a check that fails there."""
    return tuple(
        RealServer(
            address="127.0.0.1",
            port=port,
            family="inet",
            weight=weight,
            checkers=() if port != checked else (check(port),),
        )
        for port, weight in enumerate(weights, 1)
    )


def check(port: int) -> TcpCheck:
    return TcpCheck(
        timing=Timing(delay_loop_us=200_000, retry=0, delay_before_retry_us=100_000, warmup_us=0),
        endpoint=Endpoint(address="127.0.0.1", port=port),
    )


STEPS: dict[str, Callable[[Config], Config]] = {
    "nothing": lambda c: c,
    "a weight": lambda c: virtual(
        c, real_servers=(msgspec.structs.replace(c.virtual_servers[0].real_servers[0], weight=9),)
    ),
    "a scheduler": lambda c: virtual(c, scheduler="rr"),
    "another server": lambda c: virtual(
        c, real_servers=(RealServer(address="10.0.9.9", port=80, family="inet", weight=1),)
    ),
    "a service more": lambda c: change(c, virtual_servers=(*c.virtual_servers, another(1), another(2))),
    "no service": lambda c: change(c, virtual_servers=(another(3),)),
    "priority": lambda c: instance(c, priority=120),
    "no VIP": lambda c: instance(c, vips=()),
    "another VRID": lambda c: instance(c, vrid=77),
    "everything at once": lambda c: instance(
        virtual(c, scheduler="sh", real_servers=()), priority=90, advert_int_us=300_000
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="kr") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Running]:
    """One krun for all steps; each begins from the same configuration."""
    found = Running(folder, write(folder, director(folder)))
    try:
        wait_for("a master", lambda: found.logged("Entering MASTER STATE"))
        yield found
    finally:
        found.end()


@pytest.mark.parametrize("step", list(STEPS))
def test_what_is_planned_is_what_is_done(folder: Path, running: Running, step: str) -> None:
    base = director(folder)
    write(folder, base)
    assert krunctl(running.run_dir, "reload").returncode == 0
    wait_for("a master", lambda: running.state()["vrrp"][0]["state"] == "MASTER")
    write(folder, STEPS[step](base))
    planned = krunctl(running.run_dir, "plan", "--format", "json")
    assert planned.returncode == 0, planned.stderr
    document = json.loads(planned.stdout)
    dry = krunctl(running.run_dir, "reload", "--dry-run", "--json")
    assert json.loads(dry.stdout) == document
    done = krunctl(running.run_dir, "reload", "--json")
    assert done.returncode == 0, done.stderr
    assert document["summary"] == json.loads(done.stdout)["operations"]
    assert (document["impact"] == "none") == (not document["operations"] or step == "nothing")
    again = json.loads(krunctl(running.run_dir, "plan", "--format", "json").stdout)
    if step != "another VRID":
        assert again["operations"] == []


def test_a_server_that_is_down_is_no_drift(start: Callable[..., Running]) -> None:
    with tempfile.TemporaryDirectory(prefix="kr") as name:
        Path(name).chmod(0o755)
        base = virtual(director(Path(name)), real_servers=servers(3, 5, checked=2))
        ir = write(Path(name), base)
        live = start(Path(name), ir)
        wait_for(
            "a failed check",
            lambda: live.state()["virtual_servers"][0]["real_servers"][1]["state"] == "down",
            30,
        )
        assert json.loads(krunctl(live.run_dir, "plan", "--json").stdout)["operations"] == []
        write(Path(name), virtual(base, real_servers=servers(3, 7, checked=2)))
        planned = json.loads(krunctl(live.run_dir, "plan", "--json").stdout)["summary"]
        done = json.loads(krunctl(live.run_dir, "reload", "--json").stdout)["operations"]
        assert planned == done


def test_plan_for_eyes(folder: Path, running: Running) -> None:
    base = director(folder)
    write(folder, base)
    assert krunctl(running.run_dir, "reload").returncode == 0
    nothing = krunctl(running.run_dir, "plan")
    assert (
        nothing.stdout
        == f"no operation: {folder}/ir.json is what runs, and the director is as it should be\n"
    )
    write(folder, STEPS["no service"](instance(base, priority=120)))
    lines = krunctl(running.run_dir, "plan").stdout.splitlines()
    assert lines[0].startswith("impact: outage (tcp 10.0.0.1:80")
    assert lines[2] == "outage (1)"
    assert re.match(r"  ipvs.del_service +tcp 10.0.0.1:80 +\S", lines[3])
    assert re.fullmatch(r"\d+ operations: .*ipvs.add_service 1.*; impact outage", lines[-1])
    assert any(line.split()[:2] == ["vrrp.update", "VI_1"] for line in lines)
    comment = krunctl(running.run_dir, "plan", "--format", "markdown").stdout
    assert comment.startswith("**impact: outage (tcp 10.0.0.1:80")
    assert "| ipvs.del\\_service | tcp 10.0.0.1:80 |" in comment


def test_a_plan_that_is_refused(folder: Path, running: Running) -> None:
    write(folder, director(folder))
    missing = krunctl(running.run_dir, "plan", folder / "none.json")
    assert missing.returncode == 1
    assert missing.stderr.startswith("krunctl: refused: ")
    assert "cannot be read" in missing.stderr
    assert krunctl(running.run_dir, "plan", "--format", "xml").returncode == 2


def test_the_way_back_as_users_call_it(start: Callable[..., Running]) -> None:
    with tempfile.TemporaryDirectory(prefix="kr") as name:
        place = Path(name)
        place.chmod(0o755)
        ir = write(place, director(place))
        live = start(place, ir)
        write(place, director(place, weight=7))
        for wrong in (("--confirm-within", "soon"), ("--max-delete", "lots"), ("--confirm-within",)):
            done = krunctl(live.run_dir, "reload", *wrong)
            assert done.returncode == 2, wrong
        done = krunctl(live.run_dir, "reload", "--confirm-within", "1h", "--max-delete", "10%")
        assert (done.returncode, done.stderr) == (0, "")
        assert "it goes away at " in done.stdout
        text = krunctl(live.run_dir, "status").stdout
        assert "waits for `krunctl confirm`: in 59m " in text
        live.process.send_signal(signal.SIGKILL)
        live.process.wait()
        again = start(place, ir)
        assert "waits for `krunctl confirm`: in 59m " in krunctl(again.run_dir, "status").stdout
        assert again.state()["virtual_servers"][0]["real_servers"][0]["weight"] == 7
        done = krunctl(again.run_dir, "confirm")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.endswith("stays\n")
        done = krunctl(again.run_dir, "confirm")
        assert (done.returncode, done.stderr) == (1, "krunctl: refused: no reload waits for a confirmation\n")
        assert "`krunctl undo` goes back to " in krunctl(again.run_dir, "status").stdout
        done = krunctl(again.run_dir, "undo")
        assert (done.returncode, done.stderr) == (0, "")
        assert again.state()["virtual_servers"][0]["real_servers"][0]["weight"] == 1
        assert krunctl(again.run_dir, "undo").returncode == 1
        write(place, change(director(place), virtual_servers=()))
        done = krunctl(again.run_dir, "reload", "--max-delete", "50%")
        assert done.returncode == 1
        assert "  - services: tcp 10.0.0.1:80\n" in done.stderr
        assert "and the limit is 50 %" in done.stderr
