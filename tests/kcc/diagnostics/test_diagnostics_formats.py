"""The formats of `kcc check`, against what their readers ask for."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcc.cli import main
from kcc.diagnostics.model import Diagnostic, Edit, Fix, Related, Severity, Span
from kcc.diagnostics.render import github, gitlab, sarif
from kcc.diagnostics.texts import SourceTexts
from support.diagnostic_texts import BROKEN


def _official() -> Path | None:
    """The schema of OASIS, which is no part of this project: a file that is named, or lies beside the checkout."""
    named = os.environ.get("KCC_SARIF_SCHEMA")
    here = Path(__file__).resolve().parents[3].parent
    return Path(named) if named else next(here.glob("*/sarif/sarif-schema-2.1.0.json"), None)


def _validator(path: Path) -> Any:
    schema = json.loads(path.read_text())
    return jsonschema.validators.validator_for(schema)(schema)


OFFICIAL = _official()
VALIDATORS = [
    _validator(path) for path in (Path(__file__).with_name("sarif_subset.schema.json"), OFFICIAL) if path
]

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
SPANS = st.builds(Span, NAMES, st.integers(0, 50), st.integers(1, 80), st.integers(0, 60), st.integers(0, 90))
WORDS = st.text(min_size=1, max_size=40)
DIAGNOSTICS = st.builds(
    Diagnostic,
    st.sampled_from(["KC0303", "KC0201", "KC0720"]),
    st.sampled_from(Severity),
    WORDS,
    SPANS,
    st.text(max_size=5),
    st.none() | WORDS,
    st.none() | WORDS,
    st.lists(st.builds(Related, SPANS, WORDS), max_size=2).map(tuple),
    st.none() | st.builds(Fix, WORDS, st.tuples(st.builds(Edit, SPANS.filter(lambda s: s.line > 0), WORDS))),
)


def _validate(log: Any) -> None:
    for validator in VALIDATORS:
        validator.validate(log)


def _run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str]:
    code = main(["check", *args])
    return code, capsys.readouterr().out


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("broken.conf").write_text(BROKEN)
    return "broken.conf"


def test_sarif_of_a_file(broken: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = _run(capsys, "--format", "sarif", broken)
    assert code == 1
    log = json.loads(out)
    _validate(log)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [rules[r["ruleIndex"]] for r in run["results"]] == [r["ruleId"] for r in run["results"]]
    first = next(r for r in run["results"] if r["ruleId"] == "KC0303")
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == broken
    assert place["region"] == {"startLine": 3, "startColumn": 23, "endLine": 3, "endColumn": 26}
    assert (
        "Why it matters"
        in next(r for r in run["tool"]["driver"]["rules"] if r["id"] == "KC0303")["help"]["markdown"]
    )
    assert run["invocations"] == [{"executionSuccessful": True}]


@pytest.mark.skipif(
    OFFICIAL is None, reason="no official SARIF schema beside the checkout (KCC_SARIF_SCHEMA)"
)
def test_the_official_schema_judges_too() -> None:
    """It is the one meant, and it refuses what is no log: what it says of ours counts."""
    _own, official = VALIDATORS
    assert official.schema["title"].startswith("Static Analysis Results Format (SARIF) Version 2.1.0")
    log = json.loads(sarif.report([], SourceTexts(), True, 0))
    assert official.is_valid(log)
    log["runs"][0]["tool"]["driver"].pop("name")
    assert not official.is_valid(log)


def test_sarif_of_a_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = _run(capsys, "--format", "sarif", str(tmp_path / "no such file"))
    log = json.loads(out)
    _validate(log)
    assert code == 2
    assert not log["runs"][0]["invocations"][0]["executionSuccessful"]
    uri = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri.startswith("file:///")
    assert uri.endswith("/no%20such%20file")


@given(st.lists(DIAGNOSTICS, max_size=4), st.integers(0, 3))
def test_sarif_is_valid_whatever_is_said(items: list[Diagnostic], dropped: int) -> None:
    _validate(json.loads(sarif.report(items, SourceTexts(), True, dropped)))


def test_github_of_a_file(broken: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = _run(capsys, "--format", "github", broken)
    assert code == 1
    line = next(line for line in out.splitlines() if "KC0303" in line)
    assert line.startswith(
        "::error file=broken.conf,line=3,endLine=3,col=23,endColumn=26,title=KC0303::"
        "`virtual_router_id` must be 1 to 255%0Aconsequence: "
    )


@given(DIAGNOSTICS)
def test_github_is_one_command_a_finding(d: Diagnostic) -> None:
    text = github.report([d])
    assert text.count("\n") == 1
    assert "\r" not in text
    match = re.fullmatch(r"::(error|warning|notice) ([^\n]*?)::([^\n]*)\n", text)
    assert match is not None
    properties = dict(part.split("=", 1) for part in match[2].split(","))
    assert properties["title"] == d.code
    assert ("col" in properties) == (
        d.span.file != "-" and d.span.line == d.span.end_line and d.span.line > 0
    )
    assert _undone(match[3]).startswith(d.message)
    if d.span.file != "-":
        assert _undone(properties["file"].replace("%3A", ":").replace("%2C", ",")) == d.span.file


def _undone(text: str) -> str:
    return text.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")


def test_gitlab_of_a_file(broken: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = _run(capsys, "--format", "gitlab", f"./{broken}")
    assert code == 1
    issues = json.loads(out)
    assert {issue["severity"] for issue in issues} == {"major", "info"}
    assert {issue["location"]["path"] for issue in issues} == {"broken.conf"}
    assert len({issue["fingerprint"] for issue in issues}) == len(issues) > 2


def test_gitlab_fingerprints_stay_when_lines_move(broken: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = {i["fingerprint"]: i for i in json.loads(_run(capsys, "--format", "gitlab", broken)[1])}
    Path(broken).write_text("# one more line\n\n" + BROKEN.replace("    priorty", "        priorty"))
    after = {i["fingerprint"]: i for i in json.loads(_run(capsys, "--format", "gitlab", broken)[1])}
    assert before.keys() == after.keys()
    assert all(
        after[f]["location"]["lines"]["begin"] == i["location"]["lines"]["begin"] + 2
        for f, i in before.items()
    )


@given(st.lists(DIAGNOSTICS, max_size=6))
def test_gitlab_fingerprints_differ(items: list[Diagnostic]) -> None:
    issues = json.loads(gitlab.report(items, SourceTexts()))
    assert len({issue["fingerprint"] for issue in issues}) == len(items)
    assert all(issue["location"]["lines"]["begin"] >= 1 for issue in issues)
