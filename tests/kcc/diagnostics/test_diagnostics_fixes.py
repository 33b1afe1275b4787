"""`kcc check --fix`: what is changed, what is not, and that files are replaced whole."""

from __future__ import annotations

import itertools
import os
import stat
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcc.cli import main
from kcc.compile import compile_input, options_for
from kcc.diagnostics.model import Diagnostic, Edit, Fix, Severity, Span
from kcc.fixes import apply
from kcc.fixes.columns import byte_offset
from kcc.language.keywords import walk
from kcc.source.files import decode
from support.diagnostic_texts import BROKEN, GOOD


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _diagnostic(*edits: Edit, safe: bool = True, code: str = "KC0313") -> Diagnostic:
    return Diagnostic(code, Severity.NOTE, "m", edits[0].span, fix=Fix("t", edits, safe=safe))


def _edit(file: str, line: int, start: int, end: int, text: str) -> Edit:
    return Edit(Span(file, line, start, line, end), text)


def test_safe_fixes_only(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.conf").write_text(BROKEN)
    assert main(["check", "--fix", "a.conf"]) == 1
    assert Path("a.conf").read_text() == BROKEN.replace("nopreempt 1", "nopreempt")
    said = capsys.readouterr().err
    assert "a.conf: fixed 1 of 4:" in said
    assert "a.conf:6: remove the words (KC0209)" in said


def test_everything_else_stays_byte_for_byte() -> None:
    text = GOOD.replace("priority 150", "state backup # caf\xe9").replace("\n", "\r\n")
    data = b"\xef\xbb\xbf" + text.encode("latin-1") + "# \u00e9\u4e2d".encode()
    Path("a.conf").write_bytes(data)
    assert main(["check", "--fix", "a.conf"]) == 0
    assert Path("a.conf").read_bytes() == data[3:].replace(b"state backup", b"state BACKUP")


def test_select_and_suppression_hold_for_fixes() -> None:
    text = GOOD.replace("priority 150", "state backup # kcc: ignore KC0304\n    nopreempt 1")
    Path("a.conf").write_text(text)
    assert main(["check", "--fix", "--ignore", "KC0209", "a.conf"]) == 0
    assert Path("a.conf").read_text() == text


def test_an_included_file_and_a_link_are_followed() -> None:
    Path("real").mkdir()
    Path("real/more.conf").write_text("    state backup\n")
    Path("more.conf").symlink_to("real/more.conf")
    Path("a.conf").write_text(GOOD.replace("    priority 150\n", "    include more.conf\n"))
    Path("real/more.conf").chmod(0o640)
    assert main(["check", "--fix", "a.conf"]) == 0
    assert Path("more.conf").is_symlink()
    assert Path("real/more.conf").read_text() == "    state BACKUP\n"
    assert stat.S_IMODE(Path("real/more.conf").stat().st_mode) == 0o640
    assert sorted(os.listdir("real")) == ["more.conf"]


def test_what_came_out_of_a_definition_is_left_alone() -> None:
    text = "$S=backup\n" + GOOD.replace("priority 150", "state $S")
    Path("a.conf").write_text(text)
    assert main(["check", "--fix", "a.conf"]) == 1
    assert Path("a.conf").read_text() == text


def test_standard_input_cannot_be_fixed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--fix", "-"]) == 2
    assert "standard input" in capsys.readouterr().err


def test_a_file_that_was_changed_meanwhile_is_not_touched() -> None:
    Path("a.conf").write_text("lb_algo rr\n")
    os.utime("a.conf", ns=(0, time.time_ns() + 10**9))
    outcome = apply([_diagnostic(_edit("a.conf", 1, 1, 8, "lvs_sched"))], time.time_ns())
    assert not outcome.changes
    assert "changed while" in outcome.refused[0]
    assert Path("a.conf").read_text() == "lb_algo rr\n"


def test_a_folder_that_cannot_be_written_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    Path("a.conf").write_text(BROKEN)
    monkeypatch.setattr(os, "replace", full)
    assert main(["check", "--fix", "a.conf"]) == 1
    assert "a.conf: cannot be written: No space left on device" in capsys.readouterr().err
    assert Path("a.conf").read_text() == BROKEN
    assert os.listdir() == ["a.conf"]


def test_overlapping_fixes_and_fixes_of_two_places() -> None:
    Path("a.conf").write_text("one two three\n")
    items = [
        _diagnostic(_edit("a.conf", 1, 1, 4, "1"), _edit("a.conf", 1, 9, 14, "3")),
        _diagnostic(_edit("a.conf", 1, 3, 6, "x")),
        _diagnostic(_edit("a.conf", 1, 5, 8, "2"), _edit("a.conf", 1, 9, 14, "y")),
        _diagnostic(_edit("a.conf", 1, 5, 8, "unsafe"), safe=False),
        _diagnostic(_edit("a.conf", 7, 1, 2, "beyond")),
        _diagnostic(_edit("a.conf", 1, 5, 8, "TWO")),
    ]
    assert len(apply(items, time.time_ns()).changes) == 2
    assert Path("a.conf").read_text() == "1 TWO 3\n"


@given(st.binary(max_size=30).filter(lambda b: b"\n" not in b))
def test_columns_are_those_of_the_reader(line: bytes) -> None:
    text, _utf8 = decode(line)
    offsets = [byte_offset(line, column) for column in range(len(text) + 1)]
    assert offsets[0] == 0
    assert offsets[-1] == len(line)
    assert byte_offset(line, len(text) + 1) is None
    for column, (a, b) in enumerate(itertools.pairwise(offsets)):
        assert a is not None
        assert b is not None
        assert line[a:b] in (text[column].encode(), text[column].encode("latin-1", "replace"))


def test_deprecated_keywords_are_fixed_only_where_the_new_one_takes_the_same() -> None:
    """Every fix of a deprecated keyword leads to a file without that finding and without a new one."""
    old = [
        (p, k)
        for p, k in walk()
        if k.deprecated_by and k.alias_of == k.deprecated_by and k.name != "vrrp_track_file"
    ]
    assert len(old) > 8
    for path, keyword in old:
        value = {"UINT(1..254)": "100", "STRING(max 15)": "name", "[VS]": ""}.get(
            keyword.syntax(), "5" if keyword.args else ""
        )
        line = f"{keyword.name} {value}".rstrip()
        block = path.split(" > ")[0]
        head = {
            "global_defs": "global_defs",
            "vrrp_sync_group": "vrrp_sync_group G",
            "vrrp_instance": "vrrp_instance V",
        }.get(block)
        if head is None:
            continue
        Path("a.conf").write_text(f"{head} {{\n    nopreempt\n    {line}\n}}\n")
        main(["check", "--fix", "--select", "KC0313", "a.conf"])
        found = compile_input("a.conf", options_for("keepalived-2.4.3")).findings.items
        assert not [d for d in found if d.span.line == 3 and d.code < "KC04"], path
        assert f"    {keyword.deprecated_by} {value}".rstrip() + "\n" in Path("a.conf").read_text()
