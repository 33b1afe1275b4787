"""Notification pipes beside keepalived's: the same happens to both, and the same lines arrive."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest

from lab.inject import Forged, send
from lab.keepalived import Keepalived
from lab.krun import Krun
from lab.needs import require_keepalived, require_netns
from lab.netns import Segment
from lab.processes import wait_for

pytestmark = [pytest.mark.netns, pytest.mark.keepalived]

ADDRESSES = {"a": ["192.0.2.1/24"], "b": ["192.0.2.9/24"]}


def configuration(folder: Path, more: str = "") -> str:
    return f"""global_defs {{
 enable_script_security
 script_user root
 vrrp_notify_priority_changes true
 fifo_write_vrrp_states_on_reload
 notify_fifo {folder}/all
 notify_fifo_script {folder}/all.sh
 vrrp_notify_fifo {folder}/vrrp nobody nogroup
}}
vrrp_script chk {{
 script "/usr/bin/test -e {folder}/good"
 interval 1
 weight 20
}}
vrrp_sync_group G {{
 group {{
  G1
  G2
 }}
}}
vrrp_instance ONE {{
 state BACKUP
 interface eth0
 virtual_router_id 51
 priority 100
 advert_int 1
 track_script {{
  chk
 }}
 virtual_ipaddress {{
  192.0.2.51/24
 }}
}}
vrrp_instance G1 {{
 state BACKUP
 interface eth0
 virtual_router_id 52
 priority 100
 advert_int 1
 virtual_ipaddress {{
  192.0.2.52/24
 }}
}}
vrrp_instance G2 {{
 state BACKUP
 interface eth0
 virtual_router_id 53
 priority 100
 advert_int 1
 virtual_ipaddress {{
  192.0.2.53/24
 }}
}}
{more}"""


class Told:
    """A director on a segment of its own, its pipes, and what their readers wrote down."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.folder = folder
        folder.mkdir()
        reader = folder / "all.sh"
        reader.write_text(f'#!/bin/sh\nexec cat "$1" >> {folder}/all.out\n')
        reader.chmod(0o755)
        self.pipe = -1
        self.read = b""
        (folder / "good").touch()
        self.segment = Segment(ADDRESSES, label=kind)
        self.text = configuration(folder)
        director = self.segment["a"]
        if kind == "keepalived":
            self.daemon: Keepalived | Krun = Keepalived(director, self.text, only="vrrp")
        else:
            self.daemon = Krun(director, self.text, folder=folder / "krun")

    def lines(self) -> list[str]:
        """Of the pipe that the test reads itself."""
        with contextlib.suppress(FileNotFoundError):
            there = (self.folder / "vrrp").stat().st_ino
            if self.pipe >= 0 and os.fstat(self.pipe).st_ino != there:
                self._take()  # keepalived makes its pipes anew at a reload
                os.close(self.pipe)
                self.pipe = -1
            if self.pipe < 0:
                self.pipe = os.open(self.folder / "vrrp", os.O_RDWR | os.O_NONBLOCK)
        self._take()
        return self.read.decode().splitlines()

    def _take(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self.pipe >= 0:
                self.read += os.read(self.pipe, 65536)

    def by_script(self) -> list[str]:
        """What the daemon's own reader wrote down."""
        return (self.folder / "all.out").read_text().splitlines()

    def close(self) -> None:
        self.segment.close()
        if self.pipe >= 0:
            os.close(self.pipe)
            self.pipe = -1


def _story(told: list[Told]) -> None:
    def until(what: str, line: str, count: int = 1) -> None:
        for one in told:
            wait_for(
                f"{what}: {line} of {one.kind}",
                lambda one=one: one.lines().count(line) >= count,  # type: ignore[misc]
                30,
            )

    until("the start", 'GROUP "G" MASTER 0')
    until("the start", 'INSTANCE "ONE" MASTER 120')
    for one in told:
        details = [(one.folder / name).stat() for name in ("all", "vrrp")]
        assert [(d.st_mode & 0o7777, d.st_uid, d.st_gid) for d in details] == [
            (0o600, 0, 0),
            (0o600, 65534, 65534),
        ], one.kind
        (one.folder / "good").unlink()
    until("a script fails", 'INSTANCE "ONE" MASTER_PRIORITY 100')
    for one in told:
        for _ in range(2):
            lower = Forged("192.0.2.9", "224.0.0.18", 2, 51, 50, 1, ("192.0.2.51",))
            send(one.segment["b"], lower.frame())
            time.sleep(0.1)
    until("a lower advert", 'INSTANCE "ONE" MASTER_RX_LOWER_PRI 100', 2)
    for one in told:
        one.segment.link_down("a")
    until("no carrier", 'GROUP "G" FAULT 0')
    until("no carrier", 'INSTANCE "ONE" FAULT 100')
    for one in told:
        (one.folder / "good").touch()
    until("the script is good again", 'INSTANCE "ONE" BACKUP_PRIORITY 120', 2)
    for one in told:
        one.segment.link_up("a")
    until("master again", 'GROUP "G" MASTER 0', 2)
    until("master again", 'INSTANCE "ONE" MASTER 120', 2)
    assert_alike(told, 0)
    before = [len(one.lines()) for one in told]
    for one in told:
        one.daemon.reload(one.text + "\n# the same\n")
    # keepalived 2.2.7 writes the groups (and a BACKUP_PRIORITY of an instance that is master); we do what its manual says.
    until("a reload", 'GROUP "G" MASTER 0', 3)
    ours = told[1].lines()[before[1] :]
    assert sorted(ours) == [
        'GROUP "G" MASTER 0',
        'INSTANCE "G1" MASTER 100',
        'INSTANCE "G2" MASTER 100',
        'INSTANCE "ONE" MASTER 120',
    ]
    before = [len(one.lines()) for one in told]
    for one in told:
        one.daemon.stop()
    until("the stop", 'GROUP "G" STOP 0')
    assert_alike(told, *before)


def assert_alike(told: list[Told], *since: int) -> None:
    """For each subject the same, in the same order; how subjects follow each other is chance."""
    theirs, ours = (one.lines()[n:] for one, n in zip(told, (since * 2)[:2], strict=True))
    for subject in ("ONE", "G1", "G2", "G"):
        mine, other = ([line for line in lines if line.split('"')[1] == subject] for lines in (ours, theirs))
        assert mine == other, subject


def test_the_same_lines_as_keepalived(tmp_path: Path) -> None:
    require_netns()
    require_keepalived()
    told: list[Told] = []
    try:
        told += [Told("keepalived", tmp_path / "k"), Told("krun", tmp_path / "o")]
        _story(told)
        assert (
            told[1].by_script() == told[1].lines()
        )  # to the last line: keepalived ends its reader before it has read STOP
        for one in told:
            assert not (one.folder / "all").exists() and not (one.folder / "vrrp").exists(), one.kind
    finally:
        for one in told:
            if os.environ.get("SHOW"):
                print(one.kind, *one.lines(), sep="\n  ")
            one.close()
