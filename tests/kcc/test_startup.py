"""What a run of ``kcc`` does not load: a check of a small clean file costs little more than Python and msgspec themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CLEAN = """\
vrrp_instance VI_1 {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 1
    virtual_ipaddress {
        192.0.2.10/24
    }
}
"""

NEVER = ("asyncio", "krun", "ply.lex", "ply.yacc", "pyroute2", "rich")
"""Neither the version nor a report that is no terminal's needs these."""

SELDOM = (
    "bisect",
    "dataclasses",
    "difflib",
    "hashlib",
    "json",
    "random",
    "socket",
    "subprocess",
    "tempfile",
    "unicodedata",
    "kcc.cluster",
    "kcc.decompile",
    "kcc.diagnostics.areas",
    "kcc.diagnostics.codes",
    "kcc.diagnostics.pages",
    "kcc.diagnostics.suppress",
    "kcc.fixes",
    "kcc.hosts",
    "kcc.layout",
    "kcc.lower.daemon",
    "kcc.lower.interfaces",
    "kcc.lower.routes",
    "kcc.manual",
    "kcc.source.complaints",
    "kcc.source.definitions",
    "kcc.source.includes",
    "kcc.source.replication",
    "kcc.source.rewriting",
    "kcc.source.steps",
    "kir.codec",
    "kir.diff",
    "kir.facts",
    "kir.plan",
    "kir.schema",
)
"""A file without definitions, includes and mistakes needs none of these."""


def _loaded(*args: str | Path) -> set[str]:
    """The modules that ``kcc ARGS`` loads beyond those that msgspec and argparse bring with them."""
    script = (
        "import sys, argparse, msgspec; before = set(sys.modules)\n"
        "from kcc.cli import main\n"
        "code = main(sys.argv[1:])\n"
        "print(*sorted(set(sys.modules) - before), file=sys.stderr); sys.exit(code)"
    )
    env = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "COVERAGE_PROCESS_START")}
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, args)], capture_output=True, text=True, env=env, check=True
    )
    return set(done.stderr.split())


def _of(names: tuple[str, ...], loaded: set[str]) -> list[str]:
    return sorted(m for m in loaded if any(m == name or m.startswith(name + ".") for name in names))


def test_the_version_needs_no_compiler() -> None:
    loaded = _loaded("--version")
    assert not _of((*NEVER, *SELDOM), loaded)
    assert _of(("kcc",), loaded) == ["kcc", "kcc.cli"]


def test_a_clean_file_needs_no_more_than_it_says(tmp_path: Path) -> None:
    path = tmp_path / "clean.conf"
    path.write_text(CLEAN)
    assert not _of((*NEVER, *SELDOM), _loaded("check", path))


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        (f"$NAME=eth0\n{CLEAN.replace('eth0', '$NAME')}", "kcc.source.rewriting"),
        (f"include clean.con[f]\n{CLEAN.replace('VI_1', 'VI_2').replace('51', '52')}", "kcc.source.includes"),
    ],
    ids=["definition", "include"],
)
def test_what_a_file_says_is_loaded(text: str, needed: str, tmp_path: Path) -> None:
    """The other side: the lists above would be empty words if these names were misspelt."""
    (tmp_path / "clean.conf").write_text(CLEAN.replace("192.0.2.10", "192.0.2.11"))
    path = tmp_path / "more.conf"
    path.write_text(text)
    loaded = _loaded("check", path)
    assert needed in loaded
    assert not _of(NEVER, loaded)


def test_the_names_are_those_of_modules() -> None:
    for name in SELDOM:
        if name.startswith(("kcc.", "kir.")):
            __import__(name)


def test_a_caller_keeps_its_collector() -> None:
    """What suits a process that ends at once would let one that calls `main` again and again grow."""
    script = "import gc; from kcc.cli import main; main(['--version']); sys = __import__('sys'); sys.exit(not gc.isenabled())"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0
