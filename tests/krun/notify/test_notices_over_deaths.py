"""A whole krun whose script process, and then whose VRRP process, is killed while notify scripts run: nothing is lost, nothing is told
twice, and nothing later begins before what is earlier has ended.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import msgspec

from kir.model import Account, Notify, Script
from krun.notify.client import ScriptRun
from krun.notify.told import Told
from krun.vrrp.effects import TellOutside
from krun.vrrp.scripts import Notifier

sys.path.insert(0, str(Path(__file__).parent.parent / "parent"))
from krun_world import Running, director, krunctl, write
from parent_world import wait_for


def test_no_notice_is_lost_or_doubled(folder: Path) -> None:
    base = director(folder)
    out = folder / "notified"
    told = folder / "slow.sh"
    told.write_text(
        f'#!/bin/sh\necho "begin $KRUN_STATE $KRUN_SEQUENCE" >> {out}\n'
        f"while ! [ -e {folder}/go-$KRUN_STATE ]; do sleep 0.02; done\n"
        f'echo "end $KRUN_STATE $KRUN_SEQUENCE" >> {out}\n'
    )
    told.chmod(0o755)
    account = Account(user="nobody") if os.geteuid() == 0 else Account()
    instance = msgspec.structs.replace(
        base.vrrp_instances[0], notify=Notify(any=Script(argv=(str(told),), account=account))
    )
    running = Running(folder, write(folder, msgspec.structs.replace(base, vrrp_instances=(instance,))))

    def process(name: str) -> int:
        return next(p["pid"] for p in running.state()["processes"] if p["name"] == name)

    def scripts() -> dict[str, object]:
        found: dict[str, object] = running.state()["extra"].get("script", {})
        return found

    try:
        wait_for("the first script", lambda: "begin BACKUP" in out.read_text())
        wait_for("the next to wait behind it", lambda: scripts().get("waiting") == 1)
        pid = process("script")
        os.kill(pid, signal.SIGKILL)
        wait_for("another script process", lambda: process("script") not in (0, pid))
        wait_for("what was handed on", lambda: scripts().get("waiting") == 1 and scripts()["running"])
        assert out.read_text().splitlines() == [
            "begin BACKUP 1"
        ]  # the first still runs, so the next has to wait
        (folder / "go-BACKUP").touch()
        wait_for("the next", lambda: "begin MASTER" in out.read_text())

        pid = process("vrrp")
        os.kill(pid, signal.SIGKILL)
        wait_for("another VRRP process", lambda: process("vrrp") not in (0, pid))
        wait_for("its role", lambda: running.state()["vrrp"][0]["state"] == "MASTER")
        (folder / "go-MASTER").touch()
        (folder / "go-STOP").touch()
        wait_for("its end", lambda: "end MASTER" in out.read_text())
        assert krunctl(running.run_dir, "stop").returncode == 0
        assert out.read_text().splitlines() == [
            "begin BACKUP 1",
            "end BACKUP 1",
            "begin MASTER 2",
            "end MASTER 2",
            "begin STOP 3",
            "end STOP 3",
        ]
    finally:
        running.end()


class Client:
    """In place of the script process: takes what it is given, or does not."""

    def __init__(self, *, takes: bool = True) -> None:
        self.runs: list[ScriptRun] = []
        self.takes = takes

    def run(self, spec: ScriptRun, done: object = None, *, taken: object = None) -> int:
        self.runs.append(spec)
        if self.takes and taken is not None:
            taken()  # type: ignore[operator]
        return len(self.runs)

    def cancel(self, token: int) -> None: ...


class Keeper(dict[str, bytes]):
    def promise(self, key: str, value: bytes) -> None:
        self[key] = value

    def withdraw(self, key: str) -> None:
        self.pop(key, None)


NOTIFY = Notify(master=Script(argv=("/m",)), any=Script(argv=("/any",)))


def change(word: str) -> TellOutside:
    return TellOutside("INSTANCE", "VI_1", word, 100, NOTIFY)


def words(client: Client) -> list[tuple[str, int]]:
    return [(dict(run.facts)["KRUN_STATE"], run.sequence) for run in client.runs]


def test_a_successor_tells_what_its_predecessor_did_not_come_to_tell() -> None:
    keeper, dying = Keeper(), Client()
    before = Notifier(dying, Told(keeper, {}))
    before.tell(change("BACKUP"))
    dying.takes = False
    before.tell(change("MASTER"))  # the script process was not there, and then this one was killed
    after = Client()
    successor = Notifier(after, Told(keeper, dict(keeper)))
    successor.catch_up(change("MASTER"))
    assert words(after) == [("MASTER", 2), ("MASTER", 2)]
    again = Client()
    third = Notifier(again, Told(keeper, dict(keeper)))
    third.catch_up(change("MASTER"))
    assert words(again) == []
    third.tell(change("BACKUP"))
    assert words(again) == [("BACKUP", 3)]
    fourth = Client()
    last = Notifier(fourth, Told(keeper, dict(keeper)))
    last.tell(change("BACKUP"))  # it starts as what it was: everybody knows
    assert words(fourth) == []
    last.tell(change("BACKUP"))
    assert words(fourth) == [("BACKUP", 4)]
    last.tell(change("STOP"))
    assert keeper == {}
