"""`# kcc: ignore` comments."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kcc.cli import main
from support.diagnostic_texts import GOOD


def _codes(
    capsys: pytest.CaptureFixture[str], text: str, *args: str, exit_code: int | None = None
) -> list[str]:
    Path("a.conf").write_text(text)
    code = main(["check", "--format", "json", *args, "a.conf"])
    if exit_code is not None:
        assert code == exit_code
    return [d["code"] for d in json.loads(capsys.readouterr().out)["diagnostics"]]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _with(line: str) -> str:
    return GOOD.replace("    priority 150\n", line)


@pytest.mark.parametrize("sign", ["#", "!", "# ", "!\t"])
def test_at_the_end_of_the_line(sign: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _codes(capsys, _with("    priorty 150\n"), exit_code=1) == ["KC0201"]
    assert _codes(capsys, _with(f"    priorty 150  {sign}kcc: ignore KC0201\n"), exit_code=0) == []


def test_on_the_line_before(capsys: pytest.CaptureFixture[str]) -> None:
    text = _with("    # kcc: ignore KC0201\n    # another comment\n\n    priorty 150\n")
    assert _codes(capsys, text, exit_code=0) == []


def test_only_what_is_named_and_only_there(capsys: pytest.CaptureFixture[str]) -> None:
    text = _with("    priorty 150 # kcc: ignore KC0201\n    priorty 100\n")
    assert _codes(capsys, text, exit_code=1) == ["KC0201"]


def test_several_codes_and_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    text = _with("    # kcc: ignore KC0303, KC0209 because of the old switch KC0201\n    priority 300 4\n")
    assert _codes(capsys, text, exit_code=0) == []


def test_the_whole_file(capsys: pytest.CaptureFixture[str]) -> None:
    text = _with("    priorty 150\n    priorty 100\n") + "! kcc: ignore-file KC0201\n"
    assert _codes(capsys, text, exit_code=0) == []


def test_unknown_codes_and_unused_comments_are_notes(capsys: pytest.CaptureFixture[str]) -> None:
    text = _with("    priority 150 # kcc: ignore KC9999, KC02, KC0201\n")
    assert _codes(capsys, text, exit_code=0) == ["KC0115", "KC0115", "KC0116"]


def test_a_comment_for_another_target_is_not_unused(capsys: pytest.CaptureFixture[str]) -> None:
    text = _with("    use_vmac # kcc: ignore KC0901\n")
    assert _codes(capsys, text) == []
    assert _codes(capsys, text, "--target", "krun") == []


def test_not_inside_of_quotes(capsys: pytest.CaptureFixture[str]) -> None:
    text = _with('    notify "/n.sh # kcc: ignore KC0401"\n')
    assert "KC0401" in _codes(capsys, text)


def test_in_an_included_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("more.conf").write_text("    priorty 150 # kcc: ignore KC0201\n")
    assert _codes(capsys, _with("    include more.conf\n"), exit_code=0) == []


def test_build_still_sees_it(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.conf").write_text(_with("    priorty 150 # kcc: ignore KC0201\n"))
    assert main(["build", "a.conf", "-o", "ir.json"]) == 1
    assert "KC0201" in capsys.readouterr().err
    assert not Path("ir.json").exists()


def test_the_summary_says_how_many_are_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.conf").write_text(_with("    priorty 150 # kcc: ignore KC0201\n"))
    assert main(["check", "a.conf"]) == 0
    assert "1 hidden by comments" in capsys.readouterr().out
