"""The store of the run directory: what is written is read; what is damaged is set aside; a full tmpfs is no catastrophe."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parent_world import config

from kir import codec
from krun.parent import store as module
from krun.parent.boot import boot_id, boottime_us
from krun.parent.rundir import RunDir, RunDirError
from krun.parent.store import Confirm, Kept, Store, StoreError


def document(weight: int = 1) -> codec.Document:
    return codec.document(config(weight=weight))


def filled(folder: Path) -> Store:
    """A store with two documents, a deadline, overlays and counters."""
    store = Store(folder)
    old, new = document(1), document(2)
    previous = store.put(old, "/etc/old.json", 1.5)
    running = store.put(new, "/etc/new.json", 2.5)
    confirm = Confirm(
        deadline_us=boottime_us() + 60_000_000,
        boot_id=boot_id(),
        deadline=3.0,
        within_us=60_000_000,
        requested_by="krunctl",
    )
    assert store.update(
        argument="/etc/new.json",
        running=running,
        previous=previous,
        confirm=confirm,
        overlays=({"server": "tcp 10.0.0.1:80", "weight": 0},),
        counters={"reloads_done": 3},
    )
    return store


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    written = filled(tmp_path)
    read = Store(tmp_path)
    assert read.open()
    assert read.kept == written.kept
    assert read.kept.running is not None
    assert read.kept.previous is not None
    assert read.get(read.kept.running).config == document(2).config
    assert read.get(read.kept.previous).digest == document(1).digest
    assert read.problem == ""
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600, path


def test_a_kept_document_is_an_ir_that_any_tool_reads(tmp_path: Path) -> None:
    filled(tmp_path)
    assert {codec.load_path(path).digest for path in tmp_path.glob("ir-*.json")} == {
        document(1).digest,
        document(2).digest,
    }


def test_documents_that_nothing_refers_to_go_and_those_under_way_stay(tmp_path: Path) -> None:
    store = filled(tmp_path)
    third = store.put(document(3), "/etc/third.json", 4.0)
    assert store.update(counters={})
    assert len(list(tmp_path.glob("ir-*.json"))) == 3
    assert store.update(running=third, previous=store.kept.running)
    assert len(list(tmp_path.glob("ir-*.json"))) == 2
    fourth = store.put(document(4), "/etc/fourth.json", 5.0)
    store.drop(fourth)
    assert len(list(tmp_path.glob("ir-*.json"))) == 2
    with pytest.raises(StoreError, match="gone"):
        store.get(fourth)


def test_the_same_ir_again_is_not_written_again(tmp_path: Path) -> None:
    store = filled(tmp_path)
    before = {path.name: path.stat().st_ino for path in tmp_path.glob("ir-*")}
    again = store.put(document(2), "/other.json", 9.0)
    assert (again.path, again.loaded_at) == ("/other.json", 9.0)
    assert {path.name: path.stat().st_ino for path in tmp_path.glob("ir-*")} == before


def test_no_store_is_not_an_event(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(tmp_path)
    assert not store.open()
    assert store.kept == Kept()
    assert not caplog.records


@given(st.data())
def test_damage_anywhere_is_seen(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("store")
    filled(folder)
    path = folder / "krun.store"
    good = path.read_bytes()
    if data.draw(st.booleans()):
        bad = good[: data.draw(st.integers(0, len(good) - 1))]
    else:
        at = data.draw(st.integers(0, len(good) - 1))
        bad = good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1 :]
    path.write_bytes(bad)
    store = Store(folder)
    if store.open():
        # Only white space of the first line may differ without a difference.
        assert store.kept == module._decode(good)
    else:
        assert store.kept == Kept()
        assert not path.exists()
        assert store.aside.read_bytes() == bad


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no store of krun"),
        (b"hello\n", "is no store of krun"),
        (b"\0" * 5000, "is no store of krun"),
        (b"krun-store 99 00 2\n{}", "another release of krun (store version 99"),
        (b"krun-store 1 00 2\n{}", "damaged"),
        (b"x" * (module.LIMIT + 1000), "more than krun ever writes"),
    ],
)
def test_what_is_foreign_is_set_aside_with_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes, words: str
) -> None:
    (tmp_path / "krun.store").write_bytes(content)
    assert not Store(tmp_path).open()
    assert [r.levelname for r in caplog.records] == ["ERROR"]
    assert words in caplog.text
    assert "krun.store.aside" in caplog.text
    assert (tmp_path / "krun.store.aside").exists()


def test_content_of_another_shape_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = filled(tmp_path)
    store.kept = msgspec.structs.replace(store.kept, argument=5)  # type: ignore[arg-type]
    assert store.retry()
    assert not Store(tmp_path).open()
    assert "does not understand" in caplog.text


def test_links_fifos_and_directories_are_not_followed(tmp_path: Path) -> None:
    for number, make in enumerate(
        (
            lambda p: p.symlink_to("/etc/hostname"),
            lambda p: os.mkfifo(p),
            lambda p: p.mkdir(),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        make(folder / "krun.store")
        store = Store(folder)
        assert not store.open()
        assert store.update(argument="x")
        assert Store(folder).open()


def test_a_damaged_document_is_not_used(tmp_path: Path) -> None:
    store = filled(tmp_path)
    running = store.kept.running
    assert running is not None
    path = next(p for p in tmp_path.glob("ir-*") if running.digest[7:20] in p.name)
    path.write_bytes(path.read_bytes().replace(b'"weight":2', b'"weight":3'))
    with pytest.raises(StoreError, match="checksum"):
        store.get(running)


def test_the_limit_of_the_store(tmp_path: Path) -> None:
    store = filled(tmp_path)
    room = module.LIMIT - len(msgspec.json.encode(store.kept)) - len(',{"note":""}')
    fits = (*store.kept.overlays, {"note": "x" * room})
    assert store.update(overlays=fits)
    again = Store(tmp_path)
    assert again.open()
    assert again.kept.overlays == fits
    before = store.kept
    with pytest.raises(StoreError, match="more than the 1,048,576 that may be kept"):
        store.require(overlays=(*store.kept.overlays, {"note": "x"}))
    assert store.kept == before
    assert Store(tmp_path).open()


def test_the_limit_of_a_document(tmp_path: Path) -> None:
    size = Store(tmp_path).put(document(), "a", 0.0).size
    assert Store(tmp_path, document_limit=size).put(document(), "a", 0.0).size == size
    with pytest.raises(StoreError, match="larger than"):
        Store(tmp_path, document_limit=size - 1).put(document(), "a", 0.0)


@pytest.fixture
def small_tmpfs(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs with room for four pages."""
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k,mode=700", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip("a tmpfs cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_run_directory_without_room_is_refused_with_the_reason(small_tmpfs: Path) -> None:
    with (small_tmpfs / "filler").open("wb") as file, pytest.raises(OSError, match="No space"):
        while True:
            os.write(file.fileno(), b"x" * 512)
    with pytest.raises(
        RunDirError, match=r"krun\.pid: cannot be written: No space left on device; make room"
    ):
        RunDir(small_tmpfs)
    (small_tmpfs / "filler").unlink()
    RunDir(small_tmpfs).release()


def test_a_full_tmpfs(small_tmpfs: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(small_tmpfs)
    assert store.update(argument="a")
    with (small_tmpfs / "filler").open("wb") as file, pytest.raises(OSError, match="No space"):
        while True:
            os.write(file.fileno(), b"x" * 512)
    with pytest.raises(StoreError, match="No space left on device"):
        store.put(document(), "a", 0.0)
    with pytest.raises(StoreError, match="No space left on device"):
        store.require(argument="b")
    assert store.kept.argument == "a"
    assert Store(small_tmpfs).open()
    # What a small change needs is freed by the older form; a larger one finds no room.
    assert store.update(argument="c")
    assert Store(small_tmpfs).open()
    assert not store.update(argument="d" * 9000)
    assert not store.update(argument="e" * 9000)
    assert "No space left on device" in store.problem
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    # What was written before is no longer true, so it is not left for the next krun.
    assert {path.name for path in small_tmpfs.iterdir()} == {"filler"}
    (small_tmpfs / "filler").unlink()
    assert store.retry()
    assert store.problem == ""
    again = Store(small_tmpfs)
    assert again.open()
    assert again.kept.argument == "e" * 9000


def test_a_writer_killed_at_any_moment_leaves_a_whole_store(tmp_path: Path) -> None:
    for round_ in range(8):
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                store = Store(tmp_path)
                store.open()
                os.write(writer, b"!")
                number = 0
                while True:
                    number += 1
                    running = store.put(document(number % 7 + 1), "x", float(number))
                    store.update(running=running, previous=store.kept.running, argument="y" * number)
            finally:
                os._exit(1)
        os.close(writer)
        os.read(reader, 1)
        os.close(reader)
        signal.sigtimedwait([], 0.005 + 0.004 * round_)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        found = Store(tmp_path)
        if not found.open():
            assert not found.aside.exists()
            continue
        assert found.kept.running is not None
        assert found.get(found.kept.running).config.virtual_servers
    assert found.kept.argument


def test_time_left() -> None:
    confirm = Confirm(deadline_us=5_000_000, boot_id="a", deadline=0.0, within_us=1, requested_by="krunctl")
    assert confirm.left_us(4_000_000, "a") == 1_000_000
    assert confirm.left_us(6_000_000, "a") == 0
    assert confirm.left_us(4_000_000, "b") == 0
