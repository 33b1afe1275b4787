"""What `kcc decompile` prints is a configuration for keepalived itself: `keepalived -t` has nothing to say about it.

Debian's keepalived is 2.2.7. It runs unprivileged in an empty directory; what it says about the machine (scripts, users,
interfaces) is not about the configuration.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings

from kcc.compile import compile_input, options_for
from kcc.decompile import text_of
from kcc.diagnostics.model import Severity
from kir.canonical import canonical
from kir.model import Config
from support.decompile_configs import compiled_configs
from support.decompile_for_2_2_7 import plain, without_news
from support.keepalived_says import AGAINST_2_2_7, keepalived_says

TARGET = "keepalived-2.2.7"
UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)
"""Whole configurations, each read by a program that must be started: to make one smaller takes longer than to read it."""
ROOT = Path(__file__).parents[3]


pytestmark = AGAINST_2_2_7

_MACHINE = re.compile(
    r"[Ss]cript|user|uid/gid|SECURITY VIOLATION|not found/accessible|Opening file|doesn't exist|Non-existent interface|Invalid smtp server|unknown interface|has only 1 virtual router"
    r"|VRF red|Unknown interface|Cannot use VMAC|interface .*not found|[Ii]nterface .* is not|^$"
)


def _corpus() -> list[Path]:
    given_folder = os.environ.get("KCC_CORPUS")
    folder = Path(given_folder) if given_folder else next(ROOT.parent.glob("*/corpus/configs"), None)
    return sorted(p for p in folder.iterdir() if p.is_file()) if folder and folder.is_dir() else []


EXAMPLES = sorted(p for p in (ROOT / "examples").glob("*.conf") if p.stem != "mistakes")


def complaints(text: str) -> list[str]:
    return [line for line in keepalived_says(text).splitlines() if not _MACHINE.search(line)]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples_are_taken(path: Path) -> None:
    result = compile_input(str(path), options_for(TARGET, "vm"))
    assert not result.broken
    assert complaints(text_of(result.document().config)) == []


def _kinds(said: list[str]) -> set[str]:
    """What was said, without where."""
    return {re.sub(r"^\(.*?Line \d+\) ", "", line) for line in said}


@pytest.mark.skipif(not _corpus(), reason="no corpus of real configurations beside the checkout")
def test_real_configurations_are_taken() -> None:
    """All that are clean for this release: of the text of theirs, keepalived says nothing that it does not say of them."""
    tried = 0
    for path in _corpus():
        result = compile_input(str(path), options_for(TARGET, "vm"))
        if result.broken:
            continue
        tried += 1
        said = complaints(text_of(result.document().config))
        if said:
            original = path.read_text(errors="surrogateescape")
            assert _kinds(said) <= _kinds(complaints(original)), path
    assert tried >= 20


@given(compiled_configs())
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), phases=UNSHRUNK)
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
    said = complaints(text)
    if _mixes_owners(config):  # KC0534: keepalived says so, and takes it
        said = [line for line in said if "as address owner and some not" not in line]
    assert said == []


def _mixes_owners(config: Config) -> bool:
    owners = {i.name for i in config.vrrp_instances if i.priority == 255}
    return any(owners & {*g.members} and {*g.members} - owners for g in config.vrrp_sync_groups)
