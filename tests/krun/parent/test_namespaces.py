"""net_namespace: krun goes there before it does anything, or does not start; a reload cannot move it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from krun_world import command, director, krunctl, write
from parent_world import wait_for

from kir.model import Config, Global, Namespaces
from krun.kernel.namespaces import NamespaceError, enter

pytestmark = pytest.mark.netns


@pytest.fixture
def blue() -> Iterator[str]:
    """A network namespace with a name, and an interface ``eth0`` in it."""
    name = f"kr{os.getpid()}"
    try:
        subprocess.run(["ip", "netns", "add", name], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no named namespaces here: {error}")
    try:
        for words in (
            "link set lo up",
            "link add eth0 type veth peer name eth1",
            "link set eth1 up",
            "link set eth0 up",
            "addr add 192.0.2.1/24 dev eth0",
        ):
            subprocess.run(["ip", "-n", name, *words.split()], check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False)


def living_in(folder: Path, name: str | None) -> Config:
    config = director(folder)
    return msgspec.structs.replace(
        config, virtual_servers=(), global_defs=Global(namespaces=Namespaces(network=name))
    )


def test_all_of_it_lives_there(folder: Path, blue: str) -> None:
    ir = write(folder, living_in(folder, blue))
    run, log = folder / "run", folder / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            command("krun.cli", ir, "--run-dir", run), stdout=out, stderr=out, start_new_session=True
        )
    try:
        wait_for("a master", lambda: "Entering MASTER STATE" in log.read_text(), 30)
        there = Path(f"/run/netns/{blue}").stat().st_ino
        document = json.loads(krunctl(run, "status", "--json").stdout)
        for pid in (process.pid, *(p["pid"] for p in document["processes"])):
            assert os.stat(f"/proc/{pid}/ns/net").st_ino == there
        assert document["vrrp"][0]["state"] == "MASTER"
        assert document["parent"]["net_namespace"] == blue
        shown = subprocess.run(
            ["ip", "-n", blue, "addr", "show", "dev", "eth0"], capture_output=True, text=True, check=True
        )
        assert "192.0.2.10/24" in shown.stdout

        write(folder, living_in(folder, None))
        planned = krunctl(run, "plan")
        assert planned.returncode == 1
        refused = krunctl(run, "reload")
        assert refused.returncode == 1
        assert "`net_namespace` cannot change while krun runs" in refused.stderr
        assert krunctl(run, "stop").returncode == 0
        assert process.wait(20) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, 9)
            process.wait()


def test_one_that_is_not_there_is_refused_before_anything_is_touched(folder: Path) -> None:
    ir = write(folder, living_in(folder, "kr-nowhere"))
    done = subprocess.run(
        command("krun.cli", ir, "--run-dir", folder / "run"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.endswith(
        "krun: net_namespace kr-nowhere: there is no network namespace of that name (/run/netns/kr-nowhere); `ip netns add kr-nowhere` "
        "makes one, and it must be there before krun starts\n"
    )
    # Nothing of it is remembered as what ran: the next start takes what the file says then.
    write(folder, living_in(folder, None))
    again = subprocess.run(
        command("krun.cli", ir, "--run-dir", folder / "run", "--kernel", "memory", "--version"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 0


@pytest.mark.parametrize("name", ["a/b", "..", ""])
def test_names_that_are_no_names(name: str) -> None:
    with pytest.raises(NamespaceError, match="is a file name in /run/netns"):
        enter(Namespaces(network=name))


def test_a_file_that_is_no_namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "red").touch()
    monkeypatch.setattr("krun.kernel.namespaces.FOLDERS", (tmp_path,))
    with pytest.raises(NamespaceError, match=r"is no network namespace|not permitted"):
        enter(Namespaces(network="red"))
