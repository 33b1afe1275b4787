"""Promises in memory: whenever the writer dies, whoever reads finds the old or the new value, and nothing that is no longer so."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parent_world import config, wait_for

from krun.loop.clock import now_us
from krun.parent import region
from krun.parent.promises import PromiseStore, PromiseWriter, forget, fresh
from krun.parent.region import RegionError, Writer, here


@pytest.fixture
def tmpfs() -> Iterator[Path]:
    """A folder on tmpfs."""
    if not region.on_tmpfs(Path("/dev/shm")):
        pytest.skip("/dev/shm is no tmpfs here")
    folder = Path("/dev/shm") / f"krun-test-{os.getpid()}-{time.monotonic_ns()}"
    folder.mkdir(mode=0o700)
    yield folder
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def memory(size: int = 0) -> int:
    fd = os.memfd_create("test")
    region.form(fd, "vrrp", here(), size)
    return fd


def writer(fd: int) -> Writer:
    return Writer(fd, lambda _why: None)


def left(fd: int) -> region.Left:
    return writer(os.dup(fd)).left


said = st.lists(
    st.tuples(st.sampled_from(("a", "b", "", "ключ")), st.none() | st.binary(max_size=90)), max_size=60
)


@given(said)
def test_the_last_word_of_each_key_is_what_is_left(words: list[tuple[str, bytes | None]]) -> None:
    fd = memory()
    one = writer(fd)
    for n, (key, value) in enumerate(words):
        one.renew(key, n + 1)
        if value is None:
            one.drop(key)
        else:
            one.put(key, value)
        if n % 7 == 6:
            one = writer(fd)  # it died, and a successor goes on
    after = left(fd)
    assert after.values == {k: v for k, v in dict(words).items() if v is not None}
    assert after.renewed == {
        k: max(n for n, (key, _) in enumerate(words) if key == k) + 1 for k in after.values
    }
    assert not after.damaged and not after.lost
    os.close(fd)


def test_whenever_the_writer_is_killed_old_or_new_is_there() -> None:
    """Two keys that are written in turn, one number ahead at most; values of many lengths."""
    fd = memory()
    chance = random.Random(4)
    before = 0
    for _ in range(80):
        pid = os.fork()
        if pid == 0:
            one, n = writer(fd), before
            while True:
                n += 1
                for key in ("left", "right"):
                    one.put(key, b"%d " % n * (1 + n % 50))
                    one.renew(key, n)
        time.sleep(chance.random() * 0.01)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        found = left(fd)
        assert not found.damaged
        numbers: list[int] = []
        for key in ("left", "right"):
            words = {int(word) for word in found.values.get(key, b"%d" % before).split()}
            assert len(words) == 1, found.values
            numbers += words
        assert before <= numbers[1] <= numbers[0] <= numbers[1] + 1
        before = numbers[1]
    assert before > 1000
    assert os.fstat(fd).st_size <= 64 * 1024  # cells are used again
    os.close(fd)


def test_it_grows_and_what_has_no_room_leaves_nothing_old_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    fd = memory()
    said: list[str] = []
    one = Writer(fd, said.append)
    for n in range(5000):
        one.put(f"key {n}", b"x" * 100)
    assert len(left(fd).values) == 5000 and os.fstat(fd).st_size > 500_000
    monkeypatch.setattr(region, "LIMIT", os.fstat(fd).st_size)
    one = Writer(fd, said.append)
    for n in range(5000):
        one.put(f"more {n}", b"x" * 100)
    one.put("key 7", b"x" * 16_000)
    after = left(fd)
    assert len(said) == 1 and "more than" in said[0]
    assert "key 6" in after.values and "key 7" not in after.values
    assert after.lost == 10_001 - len(after.values) - 1
    one.drop("key 6")
    one.put("new 1", b"x" * 100)  # in the room of another
    assert "new 1" in left(fd).values
    with pytest.raises(ValueError, match="longer"):
        one.put("k", b"x" * 20_000)
    os.close(fd)


def test_a_full_file_system_is_an_error_and_not_a_sigbus(tmp_path: Path) -> None:
    """In a mount namespace of its own: a tmpfs of 64 kB, filled up."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    libc = ctypes.CDLL(None, use_errno=True)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.unshare(os.CLONE_NEWNS) if hasattr(os, "unshare") else libc.unshare(0x00020000)
            subprocess.run(["mount", "--make-rprivate", "/"], check=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(tmp_path)], check=True)
            first = PromiseStore("vrrp", tmp_path, 8192)
            assert not first.problem
            keeper = PromiseWriter(first.fd)
            keeper.promise("VI_1", b"MASTER")
            with (tmp_path / "filler").open("wb") as file:
                try:
                    while True:
                        os.write(file.fileno(), bytes(4096))
                except OSError:
                    pass
            for n in range(1000):
                keeper.promise(f"k{n}", bytes(100))
            for n in range(100):
                keeper.promise("VI_1", b"MASTER %d" % n)
            second = PromiseStore(
                "vrrp", tmp_path
            )  # the next krun's: there is no room for a new file, and none is needed
            assert second.problem == "" and second.taken_over_us is None
            after = PromiseWriter(second.fd).left
            assert after.values["VI_1"] == b"MASTER 99" and after.lost > 0
            third = PromiseStore("check", tmp_path, 65536)
            assert "No space left" in third.problem and third.file is None
            PromiseWriter(third.fd).promise("k", b"v")  # in memory without a name
            assert left(third.fd).values == {"k": b"v"}
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_what_does_not_count_is_said_and_nothing_raises(
    tmpfs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmpfs / "vrrp.promises"

    def fresh() -> bytes:
        path.unlink(missing_ok=True)
        store = PromiseStore("vrrp", tmpfs)
        assert store.file == path and path.stat().st_mode & 0o777 == 0o600
        PromiseWriter(store.fd).promise("VI_1", b"MASTER")
        os.pwrite(store.fd, bytes(16), 64)  # no writer lives
        os.close(store.fd)
        return path.read_bytes()

    good = fresh()
    spoilt: dict[str, bytes] = {
        "size": good[:100],
        "holds no promises": b"nonsense" + good[8:],
        "another release": good[:8] + b"\2\0\0\0" + good[12:],
        "checksum": good[:20] + b"\xff" + good[21:],
        "ends where": good[:80] + b"\xff" * 8 + good[88:],
    }
    for why, data in spoilt.items():
        path.unlink()
        path.write_bytes(data)
        store = PromiseStore("vrrp", tmpfs)
        assert why in store.void, (why, store.void)
        assert not store.problem and store.taken_over_us is None
        assert left(store.fd).values == {}
        os.close(store.fd)
        fresh()
    elsewhere = here()
    for why, place in {
        "another boot": region.Place(b"x" * 16, elsewhere.netns, elsewhere.timens),
        "network or time": region.Place(elsewhere.boot, elsewhere.netns + 1, elsewhere.timens),
        "time namespace": region.Place(elsewhere.boot, elsewhere.netns, elsewhere.timens + 1),
    }.items():
        fd = os.memfd_create("test")
        region.form(fd, "vrrp", place, 0)
        with pytest.raises(RegionError, match=why):
            region.check(fd, "vrrp", elsewhere)
        os.close(fd)
    path.unlink()
    path.symlink_to("/etc/passwd")
    assert PromiseStore("vrrp", tmpfs).void
    path.unlink()
    with path.open("wb") as file:
        os.ftruncate(file.fileno(), 8192)  # sparse: a write there could end in a SIGBUS
    assert "size" in PromiseStore("vrrp", tmpfs).void
    assert any("does not count" in record.message for record in caplog.records)


@given(st.integers(128, 400), st.integers(0, 255))
def test_damage_costs_what_is_damaged(at: int, octet: int) -> None:
    fd = memory()
    one = writer(fd)
    for key in "abcdef":
        one.put(key, key.encode() * 40)
    was = os.pread(fd, 1, at)[0]
    os.pwrite(fd, bytes((octet,)), at)
    after = left(fd)
    for key, value in after.values.items():
        assert value == key.encode() * 40  # a number or a renewal may be wrong, never a value
    if octet == was:
        assert len(after.values) == 6
    os.close(fd)


def test_an_orphan_that_still_lives_is_ended_first(tmpfs: Path) -> None:
    store = PromiseStore("vrrp", tmpfs)
    pid = os.fork()
    if pid == 0:
        PromiseWriter(store.fd).promise("VI_1", b"MASTER")
        PromiseWriter(store.fd).alive(now_us())
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(0)
    wait_for("it to be stopped", lambda: os.waitpid(pid, os.WUNTRACED)[0])
    again = PromiseStore("vrrp", tmpfs)
    assert again.taken_over_us is not None and again.taken_over_us < 5_000_000
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert left(again.fd).values == {"VI_1": b"MASTER"}
    again.close()
    assert not list(tmpfs.iterdir())


def test_those_that_nobody_keeps_true_are_removed(tmpfs: Path) -> None:
    for name in ("vrrp", "check"):
        os.close(PromiseStore(name, tmpfs).fd)
    forget(tmpfs, frozenset({"vrrp"}))
    assert [path.name for path in tmpfs.iterdir()] == ["vrrp.promises"]


def test_a_krun_that_was_there_a_moment_ago_goes_on(tmpfs: Path) -> None:
    """Then peers wait for its adverts, and no startup script may keep them waiting."""
    quick, slow = config(advert_int_us=10_000), config(advert_int_us=1_000_000)
    assert not fresh(tmpfs, slow)
    store = PromiseStore("vrrp", tmpfs)
    assert not fresh(tmpfs, slow), "nobody has been alive yet"
    PromiseWriter(store.fd).alive(now_us())
    assert fresh(tmpfs, slow)
    time.sleep(0.05)
    assert not fresh(tmpfs, quick)
    assert not fresh(tmpfs, config(vrrp=False))
    store.close()


def test_on_a_disk_the_memory_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(region, "on_tmpfs", lambda _folder: False)
    store = PromiseStore("vrrp", tmp_path)
    assert store.file is None and "not on tmpfs" in store.problem
    PromiseWriter(store.fd).promise("VI_1", b"MASTER")
    assert left(store.fd).values == {"VI_1": b"MASTER"}
    assert not list(tmp_path.iterdir())
    store.close()


def test_sleep_counts_as_age(monkeypatch: pytest.MonkeyPatch) -> None:
    """Suspended for 10 s between the writer's death and the reader: CLOCK_BOOTTIME knows, CLOCK_MONOTONIC does not."""
    fd = memory()
    one = writer(fd)
    one.put("VI_1", b"MASTER")
    now = now_us()
    one.renew("VI_1", now)
    one.alive(now)
    real = time.clock_gettime_ns
    monkeypatch.setattr(time, "clock_gettime_ns", lambda clock: real(clock) + 10_000_000_000)
    after = left(fd)
    assert 9_900_000 < now - after.renewed["VI_1"] < 10_100_000
    assert 9_900_000 < now - after.alive_us < 10_100_000
    os.close(fd)
