"""The kernel lab: exit statuses, what reaches the host and what does not, and the count of writes in it."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

import pytest

from lab import kernel_lab, needs

pytestmark = [pytest.mark.lab, pytest.mark.slow]

TESTS = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _lab_is_there() -> None:
    needs.require_kernel_lab()


def test_a_command_is_the_hosts_with_a_kernel_of_its_own(tmp_path: Path) -> None:
    """This interpreter with its packages, arguments, stdin, both outputs, status; the guest's writes stay
    in the guest except where they were let out."""
    private, shared = tmp_path / "private", tmp_path / "shared"
    private.mkdir()
    shared.mkdir()
    script = (
        "import os, pathlib, sys, msgspec, pytest\n"
        "print(os.uname().nodename, os.getuid(), sys.prefix, sys.argv[1], sys.stdin.read().strip())\n"
        "print('to stderr', file=sys.stderr)\n"
        "pathlib.Path(sys.argv[2], 'x').write_text('no')\n"
        "pathlib.Path(sys.argv[3], 'x').write_text('yes')\n"
        "sys.exit(7)\n"
    )
    followed = io.BytesIO(), io.BytesIO()
    outcome = kernel_lab.run(
        [sys.executable, "-c", script, "it's", str(private), str(shared)],
        stdin=b"hello\n",
        writable=[shared],
        follow=followed,
        timeout=60,
    )
    assert (outcome.status, outcome.lab_error) == (7, "")
    assert outcome.stdout == f"kernel-lab 0 {sys.prefix} it's hello\n"
    assert outcome.stderr == "to stderr\n"
    assert [stream.getvalue().decode() for stream in followed] == [outcome.stdout, outcome.stderr]
    assert not list(private.iterdir())
    assert (shared / "x").read_text() == "yes"


def test_a_command_that_does_not_end_is_124() -> None:
    assert kernel_lab.run(["/bin/sleep", "60"], timeout=1).status == kernel_lab.TIMED_OUT


def test_a_lab_that_does_not_start_is_125_and_says_why() -> None:
    outcome = kernel_lab.run(["/bin/true"], modules=["no_such_module"], timeout=10)
    assert outcome.status == kernel_lab.LAB_FAILED
    assert "modprobe no_such_module" in outcome.lab_error


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert kernel_lab.run(["/bin/true"], timeout=10).status == 0
    assert not list(tmp_path.iterdir())


def test_netlink_writes_are_counted() -> None:
    """The watch sees each write, tells them apart, and is blind to reads."""
    script = (
        "from lab.netns import Namespace\n"
        "from lab.netlink_watch import NetlinkWatch\n"
        "namespace = Namespace('watched')\n"
        "with NetlinkWatch(namespace) as watch:\n"
        "    namespace.ip('addr add 192.0.2.1/24 dev lo')\n"
        "    for line in ('-A -t 192.0.2.1:80 -s rr', '-a -t 192.0.2.1:80 -r 192.0.2.1 -m -w 1',\n"
        "                 '-e -t 192.0.2.1:80 -r 192.0.2.1 -m -w 2', '-Ln', '-D -t 192.0.2.1:80'):\n"
        "        namespace.run(['ipvsadm', *line.split()])\n"
        "    namespace.addresses('lo')\n"
        "    namespace.ip('addr del 192.0.2.1/24 dev lo')\n"
        "    print(*(write.name for write in watch.take()))\n"
        "    namespace.run(['ipvsadm', '-Sn'])\n"
        "    print(*(write.name for write in watch.take()))\n"
    )
    env = {"PYTHONPATH": str(TESTS)}
    outcome = kernel_lab.run([sys.executable, "-c", script], env=env, timeout=60)
    assert outcome.status == 0, outcome.stderr
    assert outcome.stdout == "new_address new_service new_dest set_dest del_service del_address\n\n"
