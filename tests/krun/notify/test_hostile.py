"""Scripts that mean no good, or know no better: none keeps a place, disturbs another, or outlives its time."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from kir.model import Account
from krun.notify import family, limits
from krun.notify.client import ScriptRun
from support.script_bench import NEEDS_ROOT, bench, script

SOMEBODY = "54399"
"""A user number that nobody has: what counts against it is ours."""


def processes_of(user: str) -> int:
    found = 0
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                if entry.stat().st_uid == int(user) and family.began_at(int(entry.name)) is not None:
                    found += 1
            except FileNotFoundError:
                continue
    return found


async def until(what: object, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not what():  # type: ignore[operator]
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


@NEEDS_ROOT
def test_a_fork_bomb_is_bounded_and_wholly_gone_after_its_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PROCESSES", 30)

    async def main() -> None:
        async with bench(folder) as b:
            # Each gives its children a group of their own, and none listens to SIGTERM.
            bomb = script(
                folder,
                # (A shell that cannot fork ends: the first one does so once, before there are others.)
                "trap '' TERM; set -m 2>/dev/null; b() { b & b & sleep 5; }; b & while :; do :; done",
                "bomb",
            )
            run = b.begin(bomb, account=Account(user=SOMEBODY), timeout_us=700_000)
            await until(lambda: processes_of(SOMEBODY) > 5)
            other = await b.run(script(folder, "exit 0", "other"))
            assert other.status == "exited"  # nobody else suffers
            assert processes_of(SOMEBODY) <= 31
            result = await asyncio.wait_for(run, 20)
            assert result.status == "timeout"
            await until(lambda: processes_of(SOMEBODY) == 0)

    asyncio.run(main())


def test_children_with_groups_of_their_own_and_without_parents_end_with_it(folder: Path) -> None:
    pids = folder / "pids"

    async def main() -> None:
        async with bench(folder) as b:
            path = script(
                folder,
                f"""set -m
sleep 301 & echo $! >> {pids}
setsid sh -c 'trap "" TERM; echo $$ >> {pids}; while :; do sleep 303; done' &
sh -c 'sleep 302 & echo $! >> {pids}'
wait
""",
            )
            result = await b.run(path, timeout_us=500_000)
            assert result.status == "timeout"
            found = [int(line) for line in pids.read_text().split()]
            assert len(found) == 3
            await until(lambda: all(family.began_at(pid) is None for pid in found), 5)

    asyncio.run(main())


def test_a_daemon_lives_on_and_holds_nothing_up(folder: Path) -> None:
    """Also one that goes on writing to what it inherited: nobody closes its output under it."""
    wrote, closed = folder / "wrote", folder / "closed"

    async def main() -> None:
        async with bench(folder, at_once=2) as b:
            writes = script(
                folder,
                f"(setsid sh -c 'while ! [ -e {folder}/go ]; do sleep 0.02; done; echo hello && echo again && touch {wrote}' &)",
                "writes",
            )
            closes = script(
                folder,
                f"exec >&- 2>&-; (setsid sh -c 'echo $$ > {closed}.t; mv {closed}.t {closed}; exec sleep 30' &)",
                "closes",
            )
            for path in (writes, closes):
                result = await b.run(path, timeout_us=10_000_000)
                assert (result.status, result.code) == ("exited", 0)
            await until(closed.exists)
            daemon = int(closed.read_text())
            assert family.began_at(daemon) is not None
            assert b.child.status()["running"] == []
            (folder / "go").touch()
            await until(wrote.exists)
            os.kill(daemon, signal.SIGKILL)

    asyncio.run(main())


def test_a_hundred_megabytes_of_output(folder: Path) -> None:
    async def main() -> None:
        async with bench(folder) as b:
            run = b.begin(script(folder, "head -c 100000000 /dev/zero; echo; echo the end; exit 3", "loud"))
            for _ in range(5):
                quiet = await b.run("/bin/true", timeout_us=20_000_000)
                assert quiet.status == "exited"
            result = await asyncio.wait_for(run, 60)
            assert (result.code, len(result.output)) == (3, 4096)
            assert result.output.endswith("the end\n")

    asyncio.run(main())


def test_a_script_that_is_being_written_is_waited_for(folder: Path) -> None:
    program = folder / "program"
    shutil.copy("/bin/true", program)
    program.chmod(0o755)

    async def main() -> None:
        async with bench(folder) as b:
            with program.open("ab"):
                run = b.begin(str(program))
                await asyncio.sleep(0.15)
                assert not run.done()
            assert (await asyncio.wait_for(run, 10)).status == "exited"
            with program.open("ab"):
                result = await asyncio.wait_for(b.begin(str(program)), 20)
                assert result.status == "refused"
                assert "open for writing" in result.output

    asyncio.run(main())


def test_a_new_version_in_its_place_is_what_runs_next(folder: Path) -> None:
    async def main() -> None:
        async with bench(folder) as b:
            path = script(
                folder, f"touch {folder}/began; while ! [ -e {folder}/go ]; do sleep 0.02; done; echo old"
            )
            first = b.begin(path)
            await until((folder / "began").exists)
            os.rename(script(folder, "echo new", "fresh"), path)
            assert (await b.run(path)).output == "new\n"
            (folder / "go").touch()
            assert (await first).output == "old\n"

    asyncio.run(main())


def test_names_without_a_path_and_texts_without_an_interpreter(folder: Path) -> None:
    bare = folder / "bare"
    bare.write_text('echo "$1" $0\n')
    bare.chmod(0o755)

    async def main() -> None:
        async with bench(folder) as b:
            assert (await b.run("true")).status == "exited"
            assert (await b.run("test", "-e", "/nowhere")).code == 1
            result = await b.run(str(bare), "a  $HOME `id`")
            assert result.output == f"a  $HOME `id` {bare}\n"  # the shell reads the file, and not the words
            for wrong in ("no-such-program-here", "./relative", "dir/relative"):
                assert (await b.run(wrong)).status == "refused"

    asyncio.run(main())


def test_who_waits_has_patience_and_no_more(folder: Path) -> None:
    out = folder / "out"

    async def main() -> None:
        async with bench(folder) as b:
            hangs = script(folder, f"echo $KRUN_STATE >> {out}; sleep 60", "hangs")
            says = script(folder, f"echo $KRUN_STATE >> {out}", "says")
            for number, (path, state) in enumerate(
                [(hangs, "MASTER"), (says, "BACKUP"), (says, "FAULT"), (says, "MASTER")], 1
            ):
                b.client.run(
                    ScriptRun(
                        (path,),
                        queue="VI_1",
                        topic="state",
                        sequence=number,
                        patience_us=300_000,
                        facts=(("KRUN_STATE", state), ("PATH", "/nowhere")),
                    )
                )
            await until(lambda: b.client.outstanding == 0)
            assert b.child.status()["ended"] == {"exited": 1, "superseded": 2, "timeout": 1}

    asyncio.run(main())
    assert out.read_text().split() == ["MASTER", "MASTER"]


@NEEDS_ROOT
def test_what_cannot_be_run_is_known_before(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    good = script(folder, "exit 0", "good")
    private = folder / "private"
    private.mkdir(0o700)
    inside = script(private, "exit 0")
    (folder / "broken").write_text("#!/no/such/interpreter\n")
    (folder / "broken").chmod(0o755)
    wide = script(folder, "exit 0", "wide", 0o757)
    nobody = Account(user="nobody")

    async def main() -> None:
        async with bench(folder, secure=True) as b:
            b.client.programs(
                [
                    ("vrrp_script good", good, Account()),
                    ("vrrp_script gone", "/no/such/script", Account()),
                    ("vrrp_script inside", inside, nobody),
                    ("vrrp_script inside as root", inside, Account()),
                    ("vrrp_script broken", str(folder / "broken"), Account()),
                    ("vrrp_script wide", wide, Account()),
                    ("vrrp_script wide as nobody", wide, nobody),
                    ("vrrp_script stranger", good, Account(user="nobody-here")),
                ]
            )
            await until(lambda: b.child.status().get("alarms"))
            alarms = b.child.status()["alarms"]
            owners = {alarm.rpartition("(vrrp_script ")[2].rstrip(")") for alarm in alarms}
            assert owners == {"gone", "inside", "broken", "wide", "stranger"}
            assert any("can be written by everybody (enable_script_security)" in alarm for alarm in alarms)
            assert "(vrrp_script wide as nobody): others can change what it does" in caplog.text
            Path(wide).chmod(0o755)
            assert (await b.run(wide)).status == "exited"
            assert not any("wide" in alarm for alarm in b.child.status()["alarms"])
            Path(good).unlink()
            assert (await b.run(good)).status == "refused"
            assert any("(vrrp_script good)" in alarm for alarm in b.child.status()["alarms"])
            assert os.geteuid() == 0

    asyncio.run(main())


def test_failures_are_logged_with_their_last_words_but_not_each_time(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with bench(folder) as b:
            path = script(folder, "echo trying; echo 'no \033[31mroute' >&2; exit 7")
            for _ in range(5):
                await b.run(path, label="track script chk")
            await b.run("/bin/true", label="track script chk")
            await b.run(path, label="track script chk")

    asyncio.run(main())
    lines = [r.getMessage() for r in caplog.records if "chk" in r.getMessage()]
    assert lines == ["track script chk: ended with exit status 7: trying | no ?[31mroute"] * 2


def test_what_scripts_inherit(folder: Path) -> None:
    async def main() -> None:
        async with bench(folder) as b:
            result = await b.run(
                script(
                    folder,
                    "ulimit -c; ulimit -n; grep -E '^(policy|prio)' /proc/self/sched 2>/dev/null; cut -d' ' -f19,41 /proc/self/stat",
                )
            )
            words = result.output.split()
            assert words[0] == "0" and int(words[1]) <= limits.OPEN_FILES
            assert words[-2:] == ["0", "0"]  # nice, and SCHED_OTHER

    asyncio.run(main())
