"""Who may ask what: real users at a real control socket."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from krun_world import Running, command, director, krun, krunctl, write
from parent_world import wait_for

from kir import codec
from kir.blind import AUTH_OCTETS, blind
from kir.diff import wire
from kir.model import Authentication, Config, Secret, TlsClient
from kir.plan.plan import plan
from krun.control.access import Access, Peer

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="other users are root's to be")
GROUP = 47110
SECRET, OTHER = "tell0nobody", "aft3rwards"


def as_user(
    run_dir: Path, *arguments: str | Path, uid: int = 65534, groups: str = ""
) -> subprocess.CompletedProcess[str]:
    """``krunctl`` as the user, in the group of the same number and in ``groups``."""
    become = ["setpriv", f"--reuid={uid}", f"--regid={uid}"]
    become += [f"--groups={groups}"] if groups else ["--clear-groups"]
    return subprocess.run(
        [*become, *command("krun.control.cli", "--run-dir", run_dir, *arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def secretive(folder: Path, secret: str, weight: int = 1) -> Config:
    base = director(folder, weight=weight)
    instance = msgspec.structs.replace(
        base.vrrp_instances[0],
        version=2,
        advert_int_us=1_000_000,
        authentication=Authentication(type="PASS", password=Secret(secret=secret)),
    )
    return msgspec.structs.replace(base, vrrp_instances=(instance,))


@ROOT
def test_a_group_looks_and_root_changes(folder: Path, start: Callable[..., Running]) -> None:
    running = start(folder, write(folder, secretive(folder, SECRET)), "--control-group", str(GROUP))
    run_dir = running.run_dir
    details = (run_dir / "krun.sock").stat()
    assert (details.st_mode & 0o777, details.st_gid) == (0o660, GROUP)
    assert run_dir.stat().st_mode & 0o777 == 0o710
    others = [p for p in run_dir.iterdir() if p.name != "krun.sock" and p.stat().st_mode & 0o077]
    assert not others

    looking: list[list[str | Path]] = [
        ["status"],
        ["status", "--json"],
        ["explain", "VI_1"],
        ["events"],
        ["overlays"],
        ["metrics"],
        ["top", "--count", "1"],
    ]
    for words in looking:
        done = as_user(run_dir, *words, groups=str(GROUP))
        assert done.returncode == 0, (words, done.stderr)
        assert SECRET not in done.stdout

    theirs = folder / "theirs"
    theirs.mkdir()
    theirs.chmod(0o777)
    changing: list[tuple[list[str | Path], str]] = [
        (["reload"], "reload"),
        (["confirm"], "confirm"),
        (["undo"], "undo"),
        (["set", "tcp 10.0.0.1:80", "10.0.0.2:80", "--weight", "0", "--for", "1m"], "set"),
        (["unset", "tcp 10.0.0.1:80"], "unset"),
        (["upgrade"], "upgrade"),
        (["stop"], "stop"),
    ]
    for words, operation in changing:
        done = as_user(run_dir, *words, groups=str(GROUP))
        assert done.returncode == 1, words
        assert "you are nobody (uid 65534), pid " in done.stderr
        assert (
            f"members of group {GROUP} may look (events, plan, status), `{operation}` takes root"
            in done.stderr
        )
    # What the processes were told is asked of themselves, and their sockets are root's.
    recorded = as_user(run_dir, "record", "-o", theirs / "recorded", groups=str(GROUP))
    assert (recorded.returncode, "vrrp.sock: permission denied" in recorded.stderr) == (1, True)
    assert not (theirs / "recorded").exists()
    assert running.state()["counters"].get("reloads_done", 0) == 0
    assert "`stop` takes root" in running.log.read_text()

    # By the group itself as by a supplementary one; nobody else comes as far as the socket.
    assert as_user(run_dir, "status", uid=GROUP).returncode == 0
    stranger = as_user(run_dir, "status", groups="47111")
    assert stranger.returncode == 2
    assert "permission denied; it takes krun's user" in stranger.stderr
    assert "--control-group" in stranger.stderr

    assert krunctl(run_dir, "reload").returncode == 0  # root


@ROOT
def test_a_plan_for_the_group_has_no_secret_and_is_the_same(
    folder: Path, start: Callable[..., Running]
) -> None:
    ir = write(folder, secretive(folder, SECRET))
    running = start(folder, ir, "--control-group", str(GROUP))
    # What a plan says depends on the role.
    wait_for("a master", lambda: running.logged("Entering MASTER STATE"))
    new = folder / "new.json"
    codec.write(codec.document(secretive(folder, OTHER, weight=5)), new)
    assert new.stat().st_mode & 0o077 == 0

    done = as_user(running.run_dir, "plan", new, groups=str(GROUP))
    assert done.returncode == 1
    assert f"{new}: cannot be read as nobody (uid 65534)" in done.stderr
    new.chmod(0o644)
    done = as_user(running.run_dir, "plan", "--json", new, groups=str(GROUP))
    assert done.returncode == 0, done.stderr
    theirs, ours = json.loads(done.stdout), json.loads(krunctl(running.run_dir, "plan", "--json", new).stdout)
    assert len(ours["changes"]) == 2
    # What only root can look at is said to be unseen; memory has nothing of the kind.
    assert theirs == ours
    assert "breaking" in done.stdout
    text = as_user(running.run_dir, "plan", new, groups=str(GROUP))
    for said in (done.stdout, text.stdout, text.stderr, json.dumps(ours)):
        assert SECRET not in said
        assert OTHER not in said

    # The file that krun was started with is not the group's to read, and needs not be.
    same = as_user(running.run_dir, "plan", groups=str(GROUP))
    assert same.returncode == 0, same.stderr

    # A descriptor left open for each plan would show here.
    before = len(os.listdir(f"/proc/{running.process.pid}/fd"))
    for _ in range(3):
        as_user(running.run_dir, "plan", new, groups=str(GROUP))
    assert len(os.listdir(f"/proc/{running.process.pid}/fd")) == before
    # What is no IR tells a group member nothing about itself; what it may not see, not even that it is none.
    shadow = as_user(running.run_dir, "plan", "/etc/shadow", groups=str(GROUP))
    assert (shadow.returncode, "cannot be read as nobody" in shadow.stderr) == (1, True)
    pipe = folder / "pipe"
    os.mkfifo(pipe, 0o666)
    stuck = as_user(running.run_dir, "plan", pipe, groups=str(GROUP))
    assert (stuck.returncode, "not a regular file" in stuck.stderr) == (1, True)


@ROOT
def test_without_a_group_nobody_but_root_comes_in(folder: Path, start: Callable[..., Running]) -> None:
    running = start(folder, write(folder, director(folder)))
    assert (running.run_dir / "krun.sock").stat().st_mode & 0o777 == 0o600
    assert as_user(running.run_dir, "status").returncode == 2
    # Even where somebody opened the way to the socket, credentials decide.
    running.run_dir.chmod(0o711)
    (running.run_dir / "krun.sock").chmod(0o666)
    done = as_user(running.run_dir, "status", groups=str(GROUP))
    assert done.returncode == 1
    assert "only root may ask this krun (`krun --control-group GROUP` lets a group look)" in done.stderr


def test_an_unknown_group_is_an_unusable_argument(folder: Path) -> None:
    done = krun(
        write(folder, director(folder)), "--run-dir", folder / "run", "--control-group", "nosuchgroup"
    )
    assert done.returncode == 2
    assert "there is no group `nosuchgroup` here; make it (`groupadd --system nosuchgroup`)" in done.stderr
    assert not (folder / "run").exists()


def test_what_the_rules_say() -> None:
    root, owner = Peer(0, 0, 1), Peer(500, 500, 2)
    member, stranger = Peer(7, 7, 3, frozenset({30, 40})), Peer(8, 8, 4)
    access = Access(500, 40)
    for operation in ("stop", "status", "anything new", None):
        assert access.refusal(root, operation) == ""
        assert access.refusal(owner, operation) == ""
        assert access.refusal(stranger, operation)
        assert access.refusal(None, operation)
    assert access.refusal(member, "status") == ""
    assert access.refusal(member, "anything new")
    assert Access(500).refusal(member, "status")
    assert "krun's own user" in access.refusal(stranger, "status")


def test_blind_configurations_compare_as_the_real_ones_do(folder: Path) -> None:
    assert AUTH_OCTETS == wire.AUTH_OCTETS
    words = ["password", "password-and-more", "passw0rd", "", "geheim"]
    for one in words:
        for two in words:
            old, new = secretive(folder, one), secretive(folder, two)
            real = plan(old, new)
            masked = plan(blind(old, b"k"), blind(new, b"k"))
            assert (real.wire, real.changes) == (masked.wire, masked.changes), (one, two)
    assert blind(secretive(folder, "x"), b"1") != blind(secretive(folder, "x"), b"2")
    assert b"geheim" not in msgspec.json.encode(blind(secretive(folder, "geheim"), b"k"))
    ssl = msgspec.structs.replace(secretive(folder, "x"), tls=TlsClient(password=Secret(secret="geheim")))
    assert b"geheim" not in msgspec.json.encode(blind(ssl, b"k"))
    plain = director(folder)
    assert blind(plain, b"k") is plain
