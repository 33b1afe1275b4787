"""Open texts stand for files, and a file is judged as part of what includes it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kcc.diagnostics.model import Findings, Severity
from kcc.lsp.completion import proposals
from kcc.lsp.context import place_at
from kcc.lsp.hover import hover, targets
from kcc.lsp.project import Project
from kcc.source.options import Options
from kcc.syntax import parse_file

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.conf"))
INSTANCE = "vrrp_instance V {\n    interface eth0\n    virtual_router_id ${ID}\n}\n"


def errors(project: Project, main: str, path: Path) -> list[str]:
    found = project.judge(main).findings[str(path)]
    return [d.code for d in found if d.severity is Severity.ERROR]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "keepalived.conf").write_text("$ID=51\ninclude conf.d/*.conf\n")
    (tmp_path / "conf.d" / "v.conf").write_text(INSTANCE)
    return tmp_path


def test_a_text_at_hand_stands_for_a_file(site: Path) -> None:
    main, part = site / "keepalived.conf", site / "conf.d" / "v.conf"
    held = {str(part): b"vrrp_script s {\n}\n"}
    tree = parse_file(main, Findings(), Options(overlay=held))
    assert [node.keyword for node in tree.body] == ["vrrp_script"]
    assert tree.files == (str(main), str(part))


def test_a_text_at_hand_does_not_make_an_executable_includable(site: Path) -> None:
    part = site / "conf.d" / "v.conf"
    part.chmod(0o755)
    findings = Findings()
    parse_file(site / "keepalived.conf", findings, Options(overlay={str(part): b"vrrp_script s {\n}\n"}))
    assert any("executable" in d.message for d in findings.items)


def test_links_are_one_file(site: Path) -> None:
    link = site / "link.conf"
    link.symlink_to(site / "conf.d" / "v.conf")
    project = Project(Options(config_id="lb1"))
    project.open(str(link), INSTANCE.replace("${ID}", "300"))
    assert project.lines(str(site / "conf.d" / "v.conf"))[2].endswith("300")


def test_the_main_file_is_found(site: Path) -> None:
    main, part = site / "keepalived.conf", site / "conf.d" / "v.conf"
    project = Project(Options(config_id="lb1"))
    assert project.open(str(part), INSTANCE) == str(main)
    assert "KC0303" not in errors(project, str(main), part)
    project.change(str(part), INSTANCE.replace("${ID}", "300"))
    assert "KC0303" in errors(project, str(main), part)
    assert project.close(str(part)) == str(main)
    assert "KC0303" not in errors(project, str(main), part)


def test_a_main_file_of_another_name(site: Path) -> None:
    part = site / "conf.d" / "v.conf"
    (site / "keepalived.conf").rename(site / "lb1.cfg")
    assert Project().open(str(part), INSTANCE) == str(part)
    assert Project(main=str(site / "lb1.cfg")).open(str(part), INSTANCE) == str(site / "lb1.cfg")
    project = Project()
    project.open(str(site / "lb1.cfg"), (site / "lb1.cfg").read_text())
    assert project.open(str(part), INSTANCE) == str(site / "lb1.cfg"), (
        "an open file that includes it is its main file"
    )


def test_what_is_saved_is_read_again(site: Path) -> None:
    main, part = site / "keepalived.conf", site / "conf.d" / "v.conf"
    project = Project(Options(config_id="lb1"))
    project.open(str(part), INSTANCE)
    main.write_text("$ID=300\ninclude conf.d/*.conf\n")
    assert project.reread() == [str(main)]
    assert "KC0303" in errors(project, str(main), part)
    main.write_text("$ID=300\n")
    assert project.reread() == [str(part)], "it includes it no more"


def _corpus() -> list[Path]:
    given = os.environ.get("KCC_CORPUS")
    folder = Path(given) if given else next(ROOT.parent.glob("*/corpus/configs"), None)
    return sorted(folder.iterdir()) if folder is not None and folder.is_dir() else []


@pytest.mark.parametrize("path", [*EXAMPLES, *_corpus()], ids=lambda p: p.stem[:40])
def test_any_place_of_any_file_can_be_asked_about(path: Path) -> None:
    name = str(path)
    project = Project(Options(config_id="director"))
    project.open(name, path.read_bytes().decode("utf-8", "replace"))
    lines = project.lines(name)
    for number in range(0, len(lines), max(1, len(lines) // 8)):
        for offset in {0, len(lines[number]) // 2, len(lines[number])}:
            shown = hover(project, name, number, offset)
            assert shown is None or (shown.markdown and 0 <= shown.start <= shown.end <= len(lines[number]))
            for target in targets(project, name, number, offset):
                assert Path(target.file).exists()
            for proposal in proposals(place_at(lines, number, offset), project.named(name), "krun"):
                assert proposal.text


@pytest.mark.parametrize("path", [p for p in EXAMPLES if p.stem != "mistakes"], ids=lambda p: p.stem)
def test_every_keyword_of_an_example_is_explained(path: Path) -> None:
    project = Project(Options(config_id="director"))
    project.open(str(path), path.read_text())
    lines = project.lines(str(path))
    for number, line in enumerate(lines):
        word = line.strip()
        if not word or word[0] in "#!}{$@~" or word.startswith("include"):
            continue
        assert hover(project, str(path), number, len(line) - len(line.lstrip())) is not None, line
