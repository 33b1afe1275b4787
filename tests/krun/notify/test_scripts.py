"""Scripts, run for real: as whom, in what environment, for how long, how many at once, and what is refused."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
import time
from pathlib import Path

from kir.model import Account, Config, Global
from krun.notify import security
from krun.notify.client import SOCKET_NAME, ScriptClient, ScriptResult, ScriptRun
from krun.notify.helper import ScriptChild
from support.script_bench import NEEDS_ROOT, Bench, bench, context, script


def test_exit_status_output_and_duration(folder: Path) -> None:
    async def main() -> None:
        async with bench(folder) as b:
            result = await b.run(script(folder, "echo out; echo err >&2; exit 3"))
            assert (result.status, result.code) == ("exited", 3)
            assert set(result.output.split()) == {"out", "err"}
            assert 0 < result.duration_us < 10_000_000
            killed = await b.run(script(folder, "kill -USR1 $$; sleep 5"))
            assert (killed.status, killed.code) == ("signaled", 10)

    asyncio.run(main())


def test_arguments_are_never_seen_by_a_shell(folder: Path) -> None:
    async def main() -> None:
        async with bench(folder) as b:
            path = script(folder, 'for a; do printf "%s;" "$a"; done')
            result = await b.run(path, "a b", "$HOME", "`id`", "*", "")
            assert result.output == "a b;$HOME;`id`;*;;"

    asyncio.run(main())


def test_environment_directory_input_session_and_descriptors_are_clean(folder: Path) -> None:
    leak = (folder / "leak").open("w")
    os.set_inheritable(leak.fileno(), True)

    async def main() -> None:
        os.environ["SECRET_OF_THE_DAEMON"] = "1"
        async with bench(folder) as b:
            result = await b.run(
                script(
                    folder,
                    "pwd; cat; env | cut -d= -f1 | sort | tr '\\n' ' '; echo;"
                    # Builtins alone: a pipeline would show its own pipe, and the pattern the folder that it reads, gone by then.
                    " for f in /proc/$$/fd/*; do [ -e $f ] && printf '%s ' ${f##*/}; done; echo; umask;"
                    " ulimit -c; cut -d' ' -f 5,6 /proc/$$/stat; echo $$",
                )
            )
            cwd, names, fds, umask, core, group, pid = result.output.splitlines()
            assert cwd == "/"
            assert set(names.split()) <= {
                "PATH",
                "HOME",
                "USER",
                "LOGNAME",
                "SHELL",
                "LANG",
                "PWD",
                "OLDPWD",
                "SHLVL",
                "_",
            }
            assert set(fds.split()) <= {"0", "1", "2", "10", "255"}  # the last two: the shell's own script
            assert umask == "0022"
            assert core == "0"
            assert group == f"{pid} {pid}"  # leader of a process group and of a session

    asyncio.run(main())
    leak.close()


@NEEDS_ROOT
def test_runs_as_its_user_and_group(folder: Path) -> None:
    async def main() -> None:
        async with bench(folder) as b:
            path = script(folder, "id -u; id -g; id -G; echo $HOME $USER")
            nobody = await b.run(path, account=Account(user="nobody"))
            assert nobody.output.split()[:3] == ["65534", "65534", "65534"]
            assert nobody.output.split()[3:] == ["/nonexistent", "nobody"]
            group = await b.run(path, account=Account(user="nobody", group="daemon"))
            assert group.output.split()[:3] == ["65534", "1", "1"]
            number = await b.run(path, account=Account(user="54321", group="54322"))
            assert number.output.split()[:3] == ["54321", "54322", "54322"]
            denied = await b.run(script(folder, "cat /etc/shadow", "shadow"), account=Account(user="nobody"))
            assert denied.code != 0

    asyncio.run(main())


@NEEDS_ROOT
def test_refusals_name_the_reason(folder: Path) -> None:
    async def main() -> None:
        async with bench(folder) as b:
            private = folder / "private"
            private.mkdir(0o700)
            inside = script(private, "exit 0")
            (folder / "broken").write_text("#!/no/such/interpreter\n")
            (folder / "broken").chmod(0o755)
            plain = script(folder, "exit 0", "plain", 0o644)
            cases = [
                (("/no/such/script",), Account(), "no such file"),
                ((plain,), Account(), "may not execute it"),
                ((inside,), Account(user="nobody"), "user nobody may not execute it"),
                ((str(folder / "broken"),), Account(), "interpreter"),
                ((plain + "/x",), Account(), "not a directory"),
                (("relative.sh",), Account(), "no such program in /usr/local/sbin"),
                ((plain,), Account(user="nobody-here"), "there is no user `nobody-here`"),
                ((plain,), Account(group="none-here"), "there is no group `none-here`"),
                ((plain, "a\0b"), Account(), "null"),
                ((), Account(), "no command"),
            ]
            for argv, account, words in cases:
                result = await b.run(*argv, account=account)
                assert result.status == "refused", argv
                assert words in result.output, result.output

    asyncio.run(main())


def test_a_slow_script_gets_term_then_kill_with_all_that_it_started(folder: Path) -> None:
    pid_file = folder / "pid"

    async def main() -> None:
        async with bench(folder) as b:
            polite = await b.run(script(folder, "sleep 60"), timeout_us=100_000)
            assert polite.status == "timeout"
            assert polite.duration_us < 1_500_000
            stubborn = await b.run(
                script(
                    folder,
                    f"trap '' TERM; sleep 60 & echo $! > {pid_file}; echo last words; while :; do wait; done",
                    "stubborn",
                ),
                timeout_us=100_000,
            )
            assert stubborn.status == "timeout"
            assert stubborn.duration_us >= 2_000_000
            assert "last words" in stubborn.output

    asyncio.run(main())
    grandchild = int(pid_file.read_text())
    deadline = time.monotonic() + 5
    while Path(f"/proc/{grandchild}").exists() and time.monotonic() < deadline:
        if Path(f"/proc/{grandchild}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
            break
        time.sleep(0.01)
    else:
        assert not Path(f"/proc/{grandchild}").exists()


def test_output_is_bounded_to_its_tail(folder: Path) -> None:
    async def main() -> None:
        async with bench(folder) as b:
            result = await b.run(sys.executable, "-c", "print('x' * 300_000); print('the end')")
            assert result.status == "exited"
            assert len(result.output) <= 4096
            assert result.output.endswith("the end\n")

    asyncio.run(main())


def test_a_queue_is_strictly_in_order_and_others_pass(folder: Path) -> None:
    out = folder / "out"

    async def main() -> None:
        async with bench(folder) as b:
            path = script(folder, f"sleep $1; echo $2 >> {out}")
            queued = [
                b.begin(path, delay, name, queue="VI_1")
                for delay, name in (("0.3", "first"), ("0.1", "second"), ("0", "third"))
            ]
            free = b.begin(path, "0", "free", queue="VI_2")
            await asyncio.gather(*queued, free)

    asyncio.run(main())
    assert out.read_text().split() == ["free", "first", "second", "third"]


def test_no_more_at_once_than_allowed_and_no_more_waiting(folder: Path) -> None:
    async def main() -> None:
        async with bench(folder, at_once=4, waiting=5) as b:  # one place is kept for notices
            path = script(folder, "sleep 0.2")
            runs = [b.begin(path) for _ in range(10)]
            await asyncio.sleep(0.1)
            status = b.child.status()
            assert (len(status["running"]), status["waiting"]) == (3, 5)
            results = [r.status for r in await asyncio.gather(*runs)]
            assert sorted(results) == ["exited"] * 8 + ["refused"] * 2

    asyncio.run(main())


def test_cancel_kills_and_says_nothing(folder: Path) -> None:
    async def main() -> None:
        async with bench(folder, at_once=1) as b:
            heard: list[ScriptResult] = []
            path = script(folder, "sleep 60")
            first = b.client.run(ScriptRun((path,)), heard.append)
            second = b.client.run(ScriptRun((path,)), heard.append)
            third = b.client.run(ScriptRun((path,)), heard.append)
            b.client.cancel(third)
            await asyncio.sleep(0.2)
            b.client.cancel(second)
            b.client.cancel(first)
            b.client.cancel(12345)
            quick = await b.run(script(folder, "exit 0", "quick"))
            assert quick.status == "exited"
            assert not heard
            assert b.client.outstanding == 0

    asyncio.run(main())


def test_runs_wait_for_a_script_process_that_is_not_there_yet(folder: Path) -> None:
    async def main() -> None:
        b = Bench(folder)
        future = b.begin(script(folder, "exit 0"))
        await asyncio.sleep(0.1)
        assert not future.done()
        await b.child.start(b.loop)
        assert (await asyncio.wait_for(future, 5)).status == "exited"
        b.client.close()
        await b.child.stop()

    asyncio.run(main())


def test_without_a_script_process_runs_are_lost_in_the_end(folder: Path) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        client = ScriptClient(folder, loop, patience_s=0.2)
        future: asyncio.Future[ScriptResult] = loop.create_future()
        client.run(ScriptRun(("/bin/true",)), future.set_result)
        result = await asyncio.wait_for(future, 5)
        assert result.status == "lost"
        assert "no script process" in result.output
        client.close()
        refused: asyncio.Future[ScriptResult] = loop.create_future()
        client.run(ScriptRun(("/bin/true",)), refused.set_result)
        assert (await refused).status == "refused"

    asyncio.run(main())


def test_a_script_process_that_dies_loses_what_it_ran_and_its_successor_takes_the_next(folder: Path) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(folder / SOCKET_NAME))
        listener.listen()
        client = ScriptClient(folder, loop)
        lost: asyncio.Future[ScriptResult] = loop.create_future()
        client.run(ScriptRun(("/bin/true",)), lost.set_result)
        connection, _ = listener.accept()
        connection.close()
        listener.close()
        assert (await asyncio.wait_for(lost, 5)).status == "lost"
        (folder / SOCKET_NAME).unlink()
        again: asyncio.Future[ScriptResult] = loop.create_future()
        client.run(ScriptRun(("/bin/true",)), again.set_result)
        child = ScriptChild(context(folder))
        await child.start(loop)
        assert (await asyncio.wait_for(again, 5)).status == "exited"
        client.close()
        await child.stop()

    asyncio.run(main())


def test_when_the_asker_dies_wanted_results_die_with_it_and_notices_go_on(folder: Path) -> None:
    out = folder / "out"

    async def main() -> None:
        async with bench(folder) as b:
            path = script(folder, f"sleep 0.3; echo $1 >> {out}")
            other = ScriptClient(folder, b.loop)
            other.run(ScriptRun((path, "notice")))
            other.run(ScriptRun((path, "check")), lambda _result: None)
            while len(b.child.status()["running"]) < 2:
                await asyncio.sleep(0.01)
            other.close()
            while b.child.status()["running"]:
                await asyncio.sleep(0.01)

    asyncio.run(main())
    assert out.read_text().split() == ["notice"]


def test_the_last_notices_of_a_stop_are_run(folder: Path) -> None:
    out = folder / "out"

    async def main() -> None:
        async with bench(folder) as b:
            path = script(folder, f"sleep 0.2; echo $1 >> {out}")
            b.client.run(ScriptRun((path, "stop")))
            b.client.close()
            await asyncio.sleep(0.05)

    asyncio.run(main())
    assert out.read_text().split() == ["stop"]


def test_a_script_for_the_stop_runs_though_the_one_before_it_hangs(folder: Path) -> None:
    out = folder / "out"

    async def main() -> float:
        async with bench(folder) as b:
            hangs = script(folder, "trap '' TERM; while :; do sleep 60; done", "hangs")
            stops = script(folder, f"echo stop >> {out}", "stops")
            state = {"queue": "VI_1", "topic": "state"}
            b.client.run(ScriptRun((hangs,), sequence=1, **state))
            while not b.child.status()["running"]:
                await asyncio.sleep(0.01)
            b.client.run(
                ScriptRun((stops,), sequence=2, patience_us=1_000_000, timeout_us=1_000_000, **state)
            )
            began = time.monotonic()
        return time.monotonic() - began

    assert asyncio.run(main()) < 5
    assert out.read_text() == "stop\n"


def test_a_stop_does_not_wait_for_ever(folder: Path) -> None:
    async def main() -> float:
        async with bench(folder) as b:
            b.client.run(ScriptRun((script(folder, "trap '' TERM; while :; do sleep 60; done"),)))
            await asyncio.sleep(0.1)
            began = time.monotonic()
        return time.monotonic() - began

    assert asyncio.run(main()) < 4


# -- enable_script_security


@NEEDS_ROOT
def test_what_others_may_write_is_not_run_as_root(folder: Path) -> None:
    def reason(path: str) -> str:
        return security.insecure_component(path) or ""

    # /tmp is sticky: what is in it and belongs to root is safe.
    good = script(folder, "exit 0")
    assert reason(good) == ""
    assert reason("/bin/true") == ""  # /bin may be a symbolic link; judged where it leads
    wide = script(folder, "exit 0", "wide", 0o757)
    assert reason(wide) == f"{wide} can be written by everybody"
    group = script(folder, "exit 0", "group", 0o775)
    assert reason(group) == ""  # root's own group
    os.chown(group, 0, 12)
    assert reason(group) == f"{group} can be written by group 12"
    theirs = script(folder, "exit 0", "theirs")
    os.chown(theirs, 65534, 0)
    assert reason(theirs) == f"{theirs} belongs to user 65534, not to root"
    directory = folder / "d"
    directory.mkdir()
    inside = script(directory, "exit 0")
    directory.chmod(0o777)
    assert reason(inside) == f"{directory} can be written by everybody"
    directory.chmod(0o755)
    (folder / "link").symlink_to(theirs)
    assert "belongs to user 65534" in reason(str(folder / "link"))
    (folder / "up").symlink_to("d/../theirs")
    assert "belongs to user 65534" in reason(str(folder / "up"))
    (folder / "loop").symlink_to("loop")
    assert "too many symbolic links" in reason(str(folder / "loop"))
    assert stat.S_ISLNK((folder / "loop").lstat().st_mode)

    async def main() -> None:
        async with bench(folder, secure=True) as b:
            refused = await b.run(wide)
            assert refused.status == "refused"
            assert "can be written by everybody (enable_script_security)" in refused.output
            assert (await b.run(wide, account=Account(user="nobody"))).status == "exited"
            assert (await b.run(good)).status == "exited"
        async with bench(folder, secure=False) as b:
            assert (await b.run(wide)).status == "exited"

    asyncio.run(main())


def test_a_reload_switches_script_security(folder: Path) -> None:
    async def main() -> None:
        async with bench(folder) as b:
            assert b.child.prepare(Config(global_defs=Global(enable_script_security=True)), "x") == {}
            b.child.abort()
            path = script(folder, "exit 0", mode=0o757)
            assert (await b.run(path)).status == "exited"
            b.child.prepare(Config(global_defs=Global(enable_script_security=True)), "x")
            assert b.child.commit() == {"operations": {}, "failures": []}
            if os.geteuid() == 0:
                assert (await b.run(path)).status == "refused"

    asyncio.run(main())
