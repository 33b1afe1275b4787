"""Commands that the manual shows are commands that run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
GOOD = (ROOT / "examples" / "nat-http.conf").read_text()


def commands() -> list[tuple[str, str]]:
    """(page, command line) of every ``$ kcc …`` in a console block."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```console\n(.*?)```", page.read_text(), re.DOTALL):
            for line in block.splitlines():
                line = re.sub(r"\s+#.*$", "", line)
                if re.match(r"[$#] kcc ", line):
                    found.append((page.name, line[2:].strip()))
    return found


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "new").mkdir()
    for name in (
        "keepalived.conf",
        "new/keepalived.conf",
        "old.conf",
        "new.conf",
        "edge.conf",
        "a.conf",
        "b.conf",
    ):
        (tmp_path / name).write_text(GOOD)
    subprocess.run(
        [sys.executable, "-m", "kcc", "build", "keepalived.conf", "-o", "ir.json"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    return tmp_path


@pytest.mark.parametrize(("page", "line"), commands())
def test_shown_commands_run(page: str, line: str, site: Path) -> None:
    words = [
        w.replace("/etc/keepalived/", "").replace("/etc/krun/", "")
        for w in shlex.split(line.split("|")[0].split(">")[0])
    ]
    if "lsp" in words[:2]:
        words = ["kcc", "lsp", "--help"]
    done = subprocess.run(
        [sys.executable, "-m", "kcc", *words[1:]],
        cwd=site,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (0, 1), f"{page}: {line}\n{done.stderr}"
    assert "Traceback" not in done.stderr


def test_the_manual_shows_commands() -> None:
    assert len(commands()) >= 4


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        prose = re.sub(r"`[^`\n]*`", "", page.read_text())  # a pattern in code is no link
        for target in re.findall(r"\]\(([^)#:]+)\)", prose):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_what_make_offers_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for page in PAGES:
        for target in re.findall(r"\$ make ([a-z]+)", page.read_text()):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{page.name}: make {target}"


def test_no_merge_is_left_half_done() -> None:
    """A file with the marks of a conflict is neither of the two texts that it was made of."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False).stdout
    for name in filter(None, tracked.decode().split("\0")):
        path = ROOT / name
        if path.is_file():
            assert not re.search(rb"^(<{7}|>{7}) ", path.read_bytes(), re.MULTILINE), name
