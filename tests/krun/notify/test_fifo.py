"""Notification pipes: made, refused, full, removed by somebody, read by a script that dies."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from kir.model import Account, Config, Fifo, Global, Script
from krun.notify.fifo import MEMO, Pipes
from support.script_bench import NEEDS_ROOT, Bench, bench, script


def settings(**pipes: Fifo) -> Global:
    return Global(**pipes)


def drain(fd: int) -> bytes:
    found = b""
    try:
        while data := os.read(fd, 65536):
            found += data
    except BlockingIOError:
        pass
    return found


async def until(what: Callable[[], object], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not what():
            await asyncio.sleep(0.02)


def in_loop(act: Callable[[asyncio.AbstractEventLoop], Awaitable[None]]) -> None:
    async def main() -> None:
        await act(asyncio.get_running_loop())

    asyncio.run(main())


def test_made_written_and_removed(folder: Path) -> None:
    async def act(loop: asyncio.AbstractEventLoop) -> None:
        pipes = Pipes(folder)
        both, lvs = folder / "both", folder / "lvs"
        pipes.follow(
            settings(notify_fifo=Fifo(path=str(both)), lvs_notify_fifo=Fifo(path=str(lvs))), False, loop
        )
        assert [stat.filemode(p.stat().st_mode) for p in (both, lvs)] == ["prw-------"] * 2
        readers = [os.open(p, os.O_RDONLY | os.O_NONBLOCK) for p in (both, lvs)]
        pipes.line("vrrp", b"one\n")
        pipes.line("lvs", b"two\n")
        assert [drain(fd) for fd in readers] == [b"one\ntwo\n", b"two\n"]
        await pipes.close()
        assert not both.exists() and not lvs.exists() and not (folder / MEMO).exists()
        for fd in readers:
            os.close(fd)

    in_loop(act)


def test_what_is_there_is_used_only_if_it_is_ours_and_a_fifo(folder: Path) -> None:
    os.mkfifo(folder / "ours")
    (folder / "file").touch()
    (folder / "link").symlink_to("ours")
    if os.geteuid() == 0:
        os.mkfifo(folder / "theirs", 0o666)
        os.chown(folder / "theirs", 54321, 0)

    async def act(loop: asyncio.AbstractEventLoop) -> None:
        for name, problem in (
            ("ours", None),
            ("file", "is there, and no FIFO"),
            ("link", "cannot be opened: a symbolic link"),
            ("nowhere/x", "cannot be made: No such file or directory"),
            *([("theirs", "belongs to user 54321, neither to krun nor to")] if os.geteuid() == 0 else []),
        ):
            pipes = Pipes(folder)
            pipes.follow(
                settings(notify_fifo=Fifo(path=str(folder / name), user=str(os.geteuid()))), False, loop
            )
            found = pipes.status()[0]["problem"]
            assert found is None if problem is None else found.startswith(problem), (name, found)
            pipes.line("vrrp", b"x\n")
            assert pipes.status()[0]["lost"] == (problem is not None)
            assert bool(pipes.alarms()) == (problem is not None)
            await pipes.close()
            assert os.path.lexists(folder / name) == (name != "nowhere/x")  # what krun did not make it leaves

    in_loop(act)


def test_a_full_pipe_loses_lines_and_says_so_and_a_removed_one_is_made_again(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = folder / "pipe"

    async def act(loop: asyncio.AbstractEventLoop) -> None:
        pipes = Pipes(folder)
        pipes.follow(settings(vrrp_notify_fifo=Fifo(path=str(path))), False, loop)
        line = b"x" * 1023 + b"\n"
        for _ in range(100):
            pipes.line("vrrp", line)
        (status,) = pipes.status()
        assert (status["written"], status["lost"]) == (64, 36)
        assert caplog.text.count("lines lost: it is full") == 1
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        assert drain(fd) == line * 64
        os.close(fd)
        path.unlink()
        pipes.line("vrrp", b"again\n")
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        assert drain(fd) == b"again\n"
        os.close(fd)
        await pipes.close()
        assert not path.exists()

    in_loop(act)


def test_over_a_reload_what_stays_is_not_touched_and_lines_go_where_they_belong(folder: Path) -> None:
    async def act(loop: asyncio.AbstractEventLoop) -> None:
        pipes = Pipes(folder)
        old, new, same = (Fifo(path=str(folder / name)) for name in ("old", "new", "same"))
        pipes.follow(settings(notify_fifo=same, vrrp_notify_fifo=old), False, loop)
        before = os.stat(same.path).st_ino
        readers = {name: os.open(folder / name, os.O_RDONLY | os.O_NONBLOCK) for name in ("old", "same")}
        pipes.hold()
        pipes.line("vrrp", b"1\n")
        assert drain(readers["same"]) == b""
        pipes.follow(settings(notify_fifo=same, vrrp_notify_fifo=new), False, loop)
        pipes.release()
        assert os.stat(same.path).st_ino == before
        readers["new"] = os.open(folder / "new", os.O_RDONLY | os.O_NONBLOCK)
        assert {name: drain(fd) for name, fd in readers.items()} == {
            "old": b"",
            "same": b"1\n",
            "new": b"1\n",
        }
        await until(lambda: not (folder / "old").exists())
        await pipes.close()
        for fd in readers.values():
            os.close(fd)

    in_loop(act)


def reading(folder: Path, name: str = "reader.sh", text: str = 'exec cat "$1" >> {}/out') -> Script:
    return Script(argv=(script(folder, text.format(folder), name),))


def test_a_reader_is_started_again_and_reads_to_the_last_line(folder: Path) -> None:
    out = folder / "out"
    out.touch()

    async def act(loop: asyncio.AbstractEventLoop) -> None:
        pipes = Pipes(folder)
        pipes.follow(settings(notify_fifo=Fifo(path=str(folder / "p"), script=reading(folder))), False, loop)
        pipes.line("vrrp", b"first\n")
        await until(lambda: out.read_text() == "first\n")
        pid = pipes.status()[0]["reader"]
        os.kill(pid, signal.SIGKILL)
        await until(lambda: pipes.status()[0]["reader"] not in (pid, None))
        pipes.line("vrrp", b"second\n")
        await until(lambda: out.read_text() == "first\nsecond\n")
        for n in range(500):
            pipes.line("lvs", f"{n}\n".encode())
        await pipes.close()
        assert out.read_text().split()[2:] == [str(n) for n in range(500)]

    in_loop(act)


def test_a_successor_ends_the_reader_before_it_starts_another(folder: Path) -> None:
    """Two would take each other's lines."""
    out = folder / "out"
    out.touch()
    loops = "trap '' TERM; while :; do cat \"$1\" >> {}/out; done"

    async def act(loop: asyncio.AbstractEventLoop) -> None:
        wanted = settings(notify_fifo=Fifo(path=str(folder / "p"), script=reading(folder, text=loops)))
        killed = Pipes(folder)
        killed.follow(wanted, False, loop)
        killed.line("vrrp", b"first\n")
        await until(lambda: out.read_text() == "first\n")
        memo = json.loads((folder / MEMO).read_text())
        first = memo[str(folder / "p")]["reader"][0]
        successor = Pipes(folder)
        successor.follow(wanted, False, loop)
        await until(lambda: successor.status()[0]["reader"] is not None)
        assert successor.status()[0]["reader"] != first
        killed.kill()
        successor.line("vrrp", b"second\n")
        await until(lambda: out.read_text() == "first\nsecond\n")
        await successor.close()
        assert not (folder / "p").exists()  # made by the one before, and handed on

    in_loop(act)


@NEEDS_ROOT
def test_pipes_of_another_user(folder: Path) -> None:
    private = folder / "private"
    private.mkdir(0o755)
    os.chown(private, 65534, 65534)

    async def act(loop: asyncio.AbstractEventLoop) -> None:
        pipes = Pipes(folder)
        path = folder / "theirs"
        pipes.follow(settings(notify_fifo=Fifo(path=str(path), user="nobody", group="daemon")), False, loop)
        details = path.stat()
        assert (details.st_uid, details.st_gid) == (65534, 1)
        pipes.line("vrrp", b"x\n")
        assert pipes.status()[0]["written"] == 1
        await pipes.close()

    in_loop(act)


def test_lines_of_a_client_arrive_in_order_also_over_the_death_of_the_script_process(folder: Path) -> None:
    path = folder / "p"
    general = settings(notify_fifo=Fifo(path=str(path)))

    async def main() -> None:
        b = Bench(folder)
        b.child._config = Config(global_defs=general)
        b.client.line("vrrp", "0\n")  # nobody is there yet
        await b.child.start(b.loop)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        for n in range(1, 50):
            b.client.line("vrrp", f"{n}\n")
        found = b""
        while found.count(b"\n") < 50:
            await asyncio.sleep(0.01)
            found += drain(reader)
        for n in range(50, 60):
            b.client.line("lvs", f"{n}\n")
        await asyncio.sleep(0)
        for stream in list(b.child._streams):
            stream.close()  # killed before it has read them
        while found.count(b"\n") < 60:
            await asyncio.sleep(0.01)
            found += drain(reader)
        assert found.split() == [str(n).encode() for n in range(60)]
        b.client.close()
        await b.child.stop()
        os.close(reader)

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_reader_that_cannot_run_is_an_alarm(folder: Path) -> None:
    async def main() -> None:
        async with bench(folder) as b:
            fifo = Fifo(path=str(folder / "p"), script=Script(argv=("/no/such/reader",), account=Account()))
            b.child.prepare(Config(global_defs=settings(notify_fifo=fifo)), "x")
            b.child.commit()
            (alarm,) = b.child.status()["alarms"]
            assert alarm == f"{folder}/p: its reader does not run: /no/such/reader: no such file"
            assert b.child.status()["pipes"][0]["path"] == f"{folder}/p"

    asyncio.run(main())
