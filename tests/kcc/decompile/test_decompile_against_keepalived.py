"""What `kcc decompile` prints is a configuration for keepalived itself: `keepalived -t` has nothing to say about it.

Debian's keepalived is 2.2.7. It runs unprivileged in an empty directory; what it says about the machine (scripts, users,
interfaces) is not about the configuration.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings

from kcc.compile import compile_input, options_for
from kcc.decompile import text_of
from kcc.diagnostics.model import Severity
from kir.canonical import canonical
from kir.model import Config
from support.decompile_configs import compiled_configs, plain, without_news

KEEPALIVED = shutil.which("keepalived") or shutil.which("keepalived", path="/usr/sbin")
TARGET = "keepalived-2.2.7"
ROOT = Path(__file__).parents[3]


def _release() -> str:
    if KEEPALIVED is None:
        return ""
    return subprocess.run([KEEPALIVED, "--version"], capture_output=True, text=True).stderr


pytestmark = [
    pytest.mark.keepalived,
    pytest.mark.skipif("v2.2.7" not in _release(), reason="the expectations are of keepalived 2.2.7"),
]

_MACHINE = re.compile(
    r"[Ss]cript|user|uid/gid|SECURITY VIOLATION|not found/accessible|Opening file|doesn't exist|Non-existent interface|Invalid smtp server|unknown interface|has only 1 virtual router|must be link local"
    r"|interface .*not found|[Ii]nterface .* is not|^$"
)


def _corpus() -> list[Path]:
    given_folder = os.environ.get("KCC_CORPUS")
    folder = Path(given_folder) if given_folder else next(ROOT.parent.glob("*/corpus/configs"), None)
    return sorted(p for p in folder.iterdir() if p.is_file()) if folder and folder.is_dir() else []


EXAMPLES = sorted(p for p in (ROOT / "examples").glob("*.conf") if p.stem != "mistakes")


@pytest.fixture(scope="module")
def empty() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def complaints(text: str, folder: Path) -> list[str]:
    file = folder / "keepalived.conf"
    file.write_text(text)
    file.chmod(0o644)
    as_whom = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*as_whom, str(KEEPALIVED), "-t", "-f", str(file)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return [line for line in (done.stdout + done.stderr).splitlines() if not _MACHINE.search(line)]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples_are_taken(path: Path, empty: Path) -> None:
    result = compile_input(str(path), options_for(TARGET, "vm"))
    assert not result.broken
    assert complaints(text_of(result.document().config), empty) == []


@pytest.mark.skipif(not _corpus(), reason="no corpus of real configurations beside the checkout")
def test_real_configurations_are_taken(empty: Path) -> None:
    """All that are clean for this release; together, for the cost of starting the daemon counts."""
    tried = 0
    for path in _corpus():
        result = compile_input(str(path), options_for(TARGET, "vm"))
        if result.broken:
            continue
        tried += 1
        assert complaints(text_of(result.document().config), empty) == [], path
    assert tried >= 20


@given(compiled_configs())
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_ir_that_this_release_can_run_is_taken(config: Config) -> None:
    from kcc.diagnostics.model import Findings
    from kcc.language.descent import descend
    from kcc.lower import lower
    from kcc.source.options import Options
    from kcc.syntax import parse_text

    text = text_of(canonical(without_news(plain(config))))
    findings = Findings()
    options = Options(target=TARGET, config_id="vm")
    lower(descend(parse_text(text, "t.conf", findings, options), findings, TARGET), findings, TARGET)
    errors = [d for d in findings.items if d.severity is Severity.ERROR]
    assume(not any(d.code.startswith("KC09") for d in errors))  # what this release does not know yet
    assert [d.message for d in errors] == []
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        assert complaints(text, Path(name)) == []
