"""The recipes of docs/ci.md and the pre-commit hooks: every kcc command in them runs, and its output is what the other side reads."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RECIPES = (ROOT / "docs" / "ci.md").read_text()
GOOD = (ROOT / "examples" / "nat-http.conf").read_text()
BAD = GOOD + "\nvrrp_instance BAD {\n    interface eth0\n    virtual_router_id 300\n}\n"


def commands() -> list[str]:
    """The shell lines of the YAML blocks that call kcc."""
    found = []
    for block in re.findall(r"```yaml\n(.*?)```", RECIPES, re.DOTALL):
        found += re.findall(r"^ +- (?:run: )?(kcc .*)$", block, re.MULTILINE)
    return found


@pytest.fixture
def site(tmp_path: Path) -> Path:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "kcc").write_text(f'#!/bin/sh\nexec {sys.executable} -m kcc "$@"\n')
    (tools / "kcc").chmod(0o755)
    site = tmp_path / "site"
    site.mkdir()
    for name in ("keepalived.conf", "old.conf"):
        (site / name).write_text(GOOD)
    return site


def shell(line: str, site: Path) -> subprocess.CompletedProcess[str]:
    path = f"{site.parent / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "-euc", line],
        cwd=site,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PATH": path},
    )


def test_the_recipes_hold_commands() -> None:
    assert len(commands()) >= 5
    assert {"github", "sarif", "gitlab"} <= set(re.findall(r"--format (\w+)", "\n".join(commands())))


@pytest.mark.parametrize("line", commands())
def test_a_recipe_passes_a_good_file_and_fails_a_bad_one(line: str, site: Path) -> None:
    if "fmt" in line:
        shell("kcc fmt keepalived.conf", site)
    done = shell(line, site)
    assert done.returncode == 0, done.stderr
    text = BAD if "fmt" not in line else GOOD.replace("    ", " ")
    (site / "keepalived.conf").write_text(text)
    done = shell(line, site)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_uploaded_is_what_is_wanted(site: Path) -> None:
    (site / "keepalived.conf").write_text(BAD)
    for line in commands():
        shell(line, site)
    (result,) = [
        r for r in json.loads((site / "kcc.sarif").read_text())["runs"][0]["results"] if r["level"] == "error"
    ]
    assert result["ruleId"] == "KC0303"
    report = json.loads((site / "gl-code-quality-report.json").read_text())
    assert "keepalived.conf" in {entry["location"]["path"] for entry in report}
    assert {"description", "check_name", "fingerprint", "severity", "location"} <= report[0].keys()
    annotations = shell("kcc check --format github keepalived.conf", site).stdout
    assert re.search(r"^::error file=keepalived\.conf,line=\d+,", annotations, re.MULTILINE)


@pytest.mark.parametrize("line", [c for c in commands() if c.startswith("kcc diff")])
def test_a_diff_with_changes_is_no_failure_and_a_broken_file_is(line: str, site: Path) -> None:
    (site / "keepalived.conf").write_text(
        GOOD.replace("delay_loop", "delay_before_retry 2\n    delay_loop", 1)
    )
    assert shell(line, site).returncode == 0
    (site / "keepalived.conf").write_text(BAD)
    assert shell(line, site).returncode != 0


def test_a_limit_stops_what_does_more(site: Path) -> None:
    (line,) = [c for c in commands() if "--max-impact" in c]
    (site / "keepalived.conf").write_text(GOOD.replace("weight 1", "weight 2"))
    assert shell(line, site).returncode == 0
    (site / "keepalived.conf").write_text(GOOD.replace("virtual_server 203", "virtual_server 198"))
    done = shell(line, site)
    assert done.returncode == 1
    assert "title=KC1301::" in done.stdout


def hooks() -> list[dict[str, str]]:
    """The hooks of the manifest: plain ``key: value`` lines, so that no YAML library is needed to read them."""
    found: list[dict[str, str]] = []
    for line in (ROOT / ".pre-commit-hooks.yaml").read_text().splitlines():
        match = re.fullmatch(r"(- |  )([a-z_]+): (.*)", line)
        if match is None:
            assert line.startswith("#") or not line, line
            continue
        if match[1] == "- ":
            found.append({})
        found[-1][match[2]] = match[3]
    return found


def test_the_hooks_are_those_of_the_recipe() -> None:
    named = re.findall(r"- id: (\S+)", RECIPES)
    assert [h["id"] for h in hooks()] == named == ["kcc-check", "kcc-fmt"]


@pytest.mark.parametrize("hook", hooks(), ids=lambda h: h["id"])
def test_a_hook_runs(hook: dict[str, str], site: Path) -> None:
    assert hook["language"] == "python"
    pattern = re.compile(hook["files"])
    assert pattern.search("keepalived.conf") and pattern.search("lb/keepalived-edge.conf")
    assert not pattern.search("nginx.conf") and not pattern.search("keepalived.conf.j2")
    assert shell(f"{hook['entry']} keepalived.conf old.conf", site).returncode == 0
    (site / "keepalived.conf").write_text("vrrp_instance V {\n")
    assert shell(f"{hook['entry']} keepalived.conf", site).returncode != 0
