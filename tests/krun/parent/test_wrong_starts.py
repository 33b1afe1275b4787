"""``krun`` started wrong: one precise line, the exit status of the contract, nothing touched."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from krun_world import Running, command, director, krun, write

from lab.needs import find_tool

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="other users and mounts are root's")


def lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert "Traceback" not in done.stderr
    found = done.stderr.splitlines()
    assert found[-1].startswith("krun: "), done.stderr
    return found


def test_a_run_directory_whose_sockets_have_too_long_paths(folder: Path) -> None:
    run_dir = folder / ("x" * 100)
    done = krun(write(folder, director(folder)), "--kernel", "memory", "--run-dir", run_dir)
    (line,) = lines(done)
    assert done.returncode == 2
    assert "a unix socket's path may have 107 octets, this one has " in line
    assert "choose a shorter --run-dir" in line
    assert not run_dir.exists()


def test_a_run_directory_that_is_something_else(folder: Path) -> None:
    (folder / "run").write_text("a file")
    done = krun(write(folder, director(folder)), "--kernel", "memory", "--run-dir", folder / "run")
    (line,) = lines(done)
    assert done.returncode == 1
    assert (
        "cannot be made the run directory: File exists; there is something else; choose another --run-dir"
        in line
    )


@ROOT
def test_a_run_directory_of_somebody_else(folder: Path) -> None:
    (folder / "run").mkdir()
    os.chown(folder / "run", 65534, 65534)
    done = krun(write(folder, director(folder)), "--kernel", "memory", "--run-dir", folder / "run")
    (line,) = lines(done)
    assert (done.returncode, "belongs to user 65534" in line) == (1, True)
    os.chown(folder / "run", 0, 0)
    (folder / "run").chmod(0o777)
    done = krun(folder / "ir.json", "--kernel", "memory", "--run-dir", folder / "run")
    (line,) = lines(done)
    assert (done.returncode, "others may write there (mode 0777)" in line) == (1, True)


@ROOT
def test_not_root_and_a_run_directory_that_root_would_make(folder: Path) -> None:
    ir = write(folder, director(folder))
    ir.chmod(0o644)
    done = subprocess.run(
        [
            "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
            *command("krun.cli", ir, "--kernel", "memory", "--run-dir", folder / "run"),
        ],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    (line,) = lines(done)
    assert done.returncode == 1
    assert (
        "cannot be made the run directory: Permission denied; krun runs as uid 65534: start it as root"
        in line
    )


@ROOT
def test_a_read_only_file_system(folder: Path) -> None:
    if find_tool("unshare") is None:
        pytest.fail("unshare is part of util-linux")
    ir = write(folder, director(folder))
    (folder / "ro").mkdir()
    shell = 'mount -t tmpfs -o ro tmpfs "$1" && shift && exec "$@"'
    done = subprocess.run(
        [
            "unshare", "-m", "sh", "-c", shell, "sh", str(folder / "ro"),
            *command("krun.cli", ir, "--kernel", "memory", "--run-dir", folder / "ro" / "run"),
        ],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    (line,) = lines(done)
    assert done.returncode == 1
    assert "Read-only file system; mount a tmpfs there (in a container: `--tmpfs /run/krun`)" in line


def test_a_second_krun_says_who_is_there(folder: Path, start: Callable[..., Running]) -> None:
    ir = write(folder, director(folder))
    running = start(folder, ir)
    done = krun(ir, "--kernel", "memory", "--run-dir", running.run_dir)
    (line,) = lines(done)
    assert done.returncode == 1
    assert (
        f"(pid {running.process.pid}); stop it with `krunctl stop`, or give this one another --run-dir"
        in line
    )
