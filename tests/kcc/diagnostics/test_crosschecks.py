"""The table of cross-checks says what is true: every code in it comes for the configuration that its row describes.

``crosschecks/*.txt`` hold the configurations. ``=== ROW CODE KIND`` begins one: the row of the table, the code that must come (``-``
for none in particular), and what the text is: a whole ``file``, what stands ``beside`` an instance, or lines inside an
``instance``, a virtual ``server`` or its ``real`` server. Behind ``--- ir`` stand paths into the IR with the JSON that is there.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import Any

import msgspec
import pytest

from kcc.compile import Compiled, compile_input, options_for
from kcc.diagnostics.codes import CODES
from kcc.diagnostics.pages import FOLDER, all_pages
from support.diagnostic_pages import check

TABLE = Path(__file__).parents[3] / "docs" / "crosschecks.md"
TEXTS = Path(__file__).parent / "crosschecks"
REASONS = ("**in the IR**", "**needs the host**", "**at run time**")
OF_HOSTS = "KC12"
"""These codes need facts of a host: the bad example of their page has some, and shows that they come."""

INSTANCE = """\
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
%s    virtual_ipaddress {
        203.0.113.10/24
    }
}
"""
SERVER = """\
virtual_server 10.0.0.1 80 {
    protocol TCP
    lvs_sched rr
    lvs_method NAT
%s}
"""
REAL = """\
    real_server 192.168.0.1 80 {
%s    }
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table. ``says``: what kcc makes of the rule."""

    name: str
    rule: str
    says: str

    @property
    def codes(self) -> list[str]:
        return re.findall(r"KC\d{4}", self.says)

    @property
    def shown(self) -> set[str]:
        """The codes that the text alone gives, without facts of a host. A reason may name others; those are not the row's."""
        own = [] if self.says.startswith("**") else self.codes
        return {code for code in own if not code.startswith(OF_HOSTS)}


@dataclass(frozen=True, slots=True)
class Sample:
    """A configuration of a row. ``ir``: paths with what the IR has there."""

    row: str
    code: str
    text: str
    ir: tuple[tuple[str, Any], ...]

    def compiled(self, folder: Path) -> Compiled:
        path = folder / "keepalived.conf"
        path.write_text(self.text)
        return compile_input(str(path), options_for("keepalived-2.4.3", "director1"))


def _rows() -> list[Row]:
    found = re.findall(r"^\| ([A-Z]\d+) \| (.+) \| (.+) \|$", TABLE.read_text(), re.MULTILINE)
    return [Row(*cells) for cells in found]


def _whole(kind: str, text: str) -> str:
    match kind:
        case "file":
            return text
        case "beside":
            return text + INSTANCE % ""
        case "instance":
            return INSTANCE % indent(text, " " * 4)
        case "server":
            return SERVER % indent(text, " " * 4)
        case "real":
            return SERVER % (REAL % indent(text, " " * 8))
    raise ValueError(f"{kind}: no such kind of text")


def _samples() -> list[Sample]:
    found = []
    for path in sorted(TEXTS.glob("*.txt")):
        parts = re.split(r"^=== (.+)\n", path.read_text(), flags=re.MULTILINE)[1:]
        for head, body in zip(parts[::2], parts[1::2], strict=True):
            row, code, kind = head.split()
            text, _, values = body.partition("--- ir\n")
            pairs = [line.split(" ", 1) for line in values.splitlines()]
            found.append(Sample(row, code, _whole(kind, text), tuple((p, json.loads(v)) for p, v in pairs)))
    return found


ROWS = _rows()
SAMPLES = _samples()
HOSTS = sorted({code for row in ROWS for code in row.codes if code.startswith(OF_HOSTS)})


def test_the_table_is_there() -> None:
    names = [row.name for row in ROWS]
    assert len(names) > 150
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("row", ROWS, ids=lambda r: r.name)
def test_a_row_has_a_code_or_a_reason(row: Row) -> None:
    assert row.codes or row.says.startswith(REASONS), row.says
    for code in row.codes:
        assert code in CODES
        assert (FOLDER / f"{code}.md").is_file()


@pytest.mark.parametrize("row", ROWS, ids=lambda r: r.name)
def test_what_a_row_says_is_shown(row: Row) -> None:
    own = [sample for sample in SAMPLES if sample.row == row.name]
    assert row.shown == {sample.code for sample in own if sample.code != "-"}
    if row.says.startswith("**in the IR**"):
        assert any(sample.ir for sample in own), "nothing shows that the IR has it"


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: f"{s.row}-{s.code}")
def test_the_code_comes(sample: Sample, tmp_path: Path) -> None:
    assert sample.row in {row.name for row in ROWS}
    result = sample.compiled(tmp_path)
    if sample.code != "-":
        assert sample.code in {d.code for d in result.findings.items}
    assert result.lowered is not None
    config = json.loads(msgspec.json.encode(result.lowered.config))
    for path, value in sample.ir:
        assert _at(config, path) == value, path


@pytest.mark.parametrize("code", HOSTS)
def test_the_code_comes_with_facts_of_the_host(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = next(page for page in all_pages() if page.code == code)
    monkeypatch.chdir(tmp_path)
    assert code in {d.code for d in check(page.bad(), tmp_path)}


def _at(value: Any, path: str) -> Any:
    for step in path.split("/"):
        value = value[int(step) if step.isdigit() else step]
    return value
