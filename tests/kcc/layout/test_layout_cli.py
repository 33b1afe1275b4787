"""``kcc fmt`` as a user runs it."""

from __future__ import annotations

import argparse
import io
import stat
import sys
from pathlib import Path

import pytest

from kcc.cli import main

MESSY = "vrrp_instance A\n{\n state   BACKUP\n}\n"
TIDY = "vrrp_instance A {\n    state BACKUP\n}\n"


def test_in_place_keeps_the_mode_and_the_link(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    real, link = tmp_path / "real.conf", tmp_path / "link.conf"
    real.write_text(MESSY)
    real.chmod(0o640)
    link.symlink_to(real)
    assert main(["fmt", str(link)]) == 0
    assert link.is_symlink()
    assert real.read_text() == TIDY
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert f"reformatted {link}" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link.conf", "real.conf"]
    before = real.stat().st_mtime_ns
    assert main(["fmt", str(link)]) == 0
    assert real.stat().st_mtime_ns == before


def test_check_changes_nothing_and_says_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    messy, tidy = tmp_path / "messy.conf", tmp_path / "tidy.conf"
    messy.write_text(MESSY)
    tidy.write_text(TIDY)
    assert main(["fmt", "--check", str(tidy)]) == 0
    assert main(["fmt", "--check", str(tidy), str(messy)]) == 1
    assert messy.read_text() == MESSY
    assert f"would reformat {messy}" in capsys.readouterr().err


def test_diff_prints_what_would_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    messy = tmp_path / "messy.conf"
    messy.write_text(MESSY.rstrip("\n"))
    assert main(["fmt", "--diff", str(messy)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[:2] == [f"--- {messy}", f"+++ {messy} (formatted)"]
    assert shown[3:] == [
        "-vrrp_instance A",
        "-{",
        "- state   BACKUP",
        "-}",
        "\\ No newline at end of file",
        "+vrrp_instance A {",
        "+    state BACKUP",
        "+}",
    ]
    assert messy.read_text() == MESSY.rstrip("\n")


def test_standard_input_goes_to_standard_output(monkeypatch: pytest.MonkeyPatch, capfdbinary: object) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(MESSY.encode())))
    assert main(["fmt", "-"]) == 0
    assert capfdbinary.readouterr().out == TIDY.encode()  # type: ignore[attr-defined]


def test_what_is_refused_stays_and_the_others_are_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost, messy = tmp_path / "lost.conf", tmp_path / "messy.conf"
    lost.write_text("vrrp_instance A {\n state BACKUP\n")
    messy.write_text(MESSY)
    assert main(["fmt", str(lost), str(tmp_path / "missing.conf"), str(messy)]) == 2
    said = capsys.readouterr().err
    assert f"{lost}:1: its braces do not balance" in said
    assert "missing.conf: cannot be read" in said
    assert lost.read_text() == "vrrp_instance A {\n state BACKUP\n"
    assert messy.read_text() == TIDY


def test_a_folder_that_cannot_be_written_to_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    messy = tmp_path / "messy.conf"
    messy.write_text(MESSY)

    def full(*_args: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kcc.commands.fmt.os.fsync", full)
    assert main(["fmt", str(messy)]) == 2
    assert "cannot be written: No space left on device" in capsys.readouterr().err
    assert messy.read_text() == MESSY
    assert [p.name for p in tmp_path.iterdir()] == ["messy.conf"]


def test_the_arguments_are_described() -> None:
    from kcc.commands import fmt

    parser = argparse.ArgumentParser()
    fmt.arguments(parser)
    assert parser.parse_args(["--check", "a"]).files == ["a"]
