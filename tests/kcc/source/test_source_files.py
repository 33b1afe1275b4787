"""Reading bytes: bounded, never blocking, every character one column."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcc.source import files
from kcc.source.files import Unusable, decode, read_file, split_lines


@given(st.binary(max_size=60))
def test_decoding_never_fails_and_makes_no_surrogates(data: bytes) -> None:
    text, exact = decode(data)
    text.encode("utf-8")
    assert exact == (text.encode("utf-8") == data)
    assert text.count("\n") == data.count(b"\n")


@given(st.text(st.sampled_from("ab\n\r"), max_size=60), st.integers(1, 10))
def test_lines_are_split_at_newlines_only(text: str, size: int) -> None:
    before = files.CHUNK
    files.CHUNK = size
    try:
        lines = [line for chunk in split_lines(text) for line in chunk]
    finally:
        files.CHUNK = before
    expected = text.split("\n")
    assert lines == (expected[:-1] if expected[-1] == "" else expected)


@pytest.mark.parametrize("kind", ["irregular", "directory", "missing", "large", "executable"])
def test_unusable_files(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "f"
    if kind == "irregular":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes(b"12345")
        path.chmod(0o755 if kind == "executable" else 0o644)
    with pytest.raises(Unusable) as caught:
        read_file(str(path), 4 if kind == "large" else 100, included=True)
    assert caught.value.kind == kind and caught.value.reason


def test_a_socket_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        with pytest.raises(Unusable, match="not a regular file"):
            read_file(str(tmp_path / "s"), 100)


@pytest.mark.parametrize(
    "name", ["/proc/kmsg", "/proc/self/status", "/sys/kernel/notes", "/proc/../proc/version"]
)
def test_an_include_of_the_kernel_s_files_is_refused_unread(tmp_path: Path, name: str) -> None:
    """Reading /proc/kmsg waits for the next message of the kernel, and takes it from whoever logs it."""
    (tmp_path / "link").symlink_to(name)
    for path in (name, str(tmp_path / "link")):
        if Path(path).exists():
            with pytest.raises(Unusable, match="of the kernel") as caught:
                read_file(path, 100, included=True)
            assert caught.value.kind == "irregular"


def test_a_file_without_a_size_is_read_to_its_end() -> None:
    assert b"Name:" in read_file("/proc/self/status", 1 << 20)
