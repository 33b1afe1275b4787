"""`kcc diff` and `kcc check --against` as a user runs them: arguments, exit codes, directories of directors, every format."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from kcc.cli import main
from kcc.commands.diff import drain_time

CASES = Path(__file__).parent / "cases"


class Done(NamedTuple):
    status: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def kcc(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*words: object) -> Done:
        try:
            status = main([str(w) for w in words])
        except SystemExit as e:  # argparse
            status = int(str(e.code))
        return Done(status, *capsys.readouterr())

    return run


def sides(name: str) -> tuple[Path, Path]:
    return CASES / name / "old.conf", CASES / name / "new.conf"


@pytest.mark.parametrize(
    ("words", "us"),
    [("300", 300_000_000), ("300s", 300_000_000), ("5m", 300_000_000), ("1h", 3_600_000_000), ("1500ms", 1_500_000), ("0", 0), ("0.5s", 500_000)],
)  # fmt: skip
def test_times(words: str, us: int) -> None:
    assert drain_time(words) == us


@pytest.mark.parametrize("words", ["", "soon", "-5s", "5 s", "5d", "1e9"])
def test_what_is_no_time_is_wrong_usage(words: str, kcc: Run) -> None:
    done = kcc("diff", f"--drain={words}", *sides("one_weight"))
    assert done.status == 2
    assert "is not a time" in done.err


def test_a_drain_comes_in_two_phases(kcc: Run) -> None:
    body = json.loads(kcc("diff", "--drain", "5m", "--format", "json", *sides("server_removed")).out)
    assert [(o["op"], o["phase"], o["connections"]) for o in body["operations"] if o["op"][:4] == "ipvs"] == [
        ("ipvs.edit_dest", "now", "kept"),
        ("ipvs.del_dest", "after_drain", "after_drain"),
    ]
    assert body["drain_us"] == 300_000_000
    assert body["impact"] == "hitless"


# --- directories of directors


def test_directors_are_found_by_name(kcc: Run, tmp_path: Path) -> None:
    for side in ("old", "new"):
        (tmp_path / side).mkdir()
        for name in ("lb1.conf", "lb2.conf"):
            source = CASES / "cluster_together" / side / name
            (tmp_path / side / name).write_text(source.read_text())
    (tmp_path / "old" / ".hidden.conf").write_text("no configuration {")
    (tmp_path / "old" / "README.md").write_text("# no configuration")
    assert kcc("build", tmp_path / "new" / "lb2.conf", "-o", tmp_path / "new" / "lb2.json").status == 0
    (tmp_path / "new" / "lb2.conf").unlink()
    done = kcc("diff", "--cluster", "--format", "json", tmp_path / "old", tmp_path / "new")
    assert done.status == 1
    body = json.loads(done.out)
    assert [d["name"] for d in body["directors"]] == ["lb1", "lb2"]
    assert body["directors"][0]["master_of"] == body["directors"][1]["backup_of"] == ["VI_1"]
    assert body["rollout"]["order"] is None
    assert body["rollout"]["together_us"] == 3_007_812


def test_directories_that_cannot_be_compared(kcc: Run, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    old = CASES / "cluster_together" / "old"
    for words, said in (
        ((old, tmp_path / "missing"), "no such file or directory"),
        ((old, old / "lb1.conf"), "is no directory"),
        ((old, empty), "holds no director"),
    ):
        done = kcc("diff", "--cluster", *words)
        assert done.status == 2
        assert said in done.err
    (empty / "lb1.conf").write_text("")
    (empty / "lb1.json").write_text("")
    assert "two files" in kcc("diff", "--cluster", old, empty).err


def test_a_director_with_errors_stops_the_comparison(kcc: Run, tmp_path: Path) -> None:
    (tmp_path / "lb1.conf").write_text("vrrp_instance A {\n    virtual_router_id 300\n}\n")
    done = kcc("diff", "--cluster", CASES / "cluster_together" / "old", tmp_path)
    assert done.status == 2
    assert "has errors; --allow-errors" in done.err
    assert (
        kcc("diff", "--cluster", "--allow-errors", CASES / "cluster_together" / "old", tmp_path).status == 1
    )


def test_a_cluster_without_changes(kcc: Run) -> None:
    old = CASES / "cluster_together" / "old"
    done = kcc("diff", "--cluster", old, old)
    assert done.status == 0
    assert "rollout: nothing to do" in done.out


def test_id_lines_are_those_of_each_director(kcc: Run, tmp_path: Path) -> None:
    text = (CASES / "one_weight" / "old.conf").read_text()
    for side, prio in (("old", 150), ("new", 160)):
        (tmp_path / side).mkdir()
        for name in ("lb1", "lb2"):
            changed = text.replace("    priority 150", f"    @lb1 priority {prio}\n    @lb2 priority 100")
            (tmp_path / side / f"{name}.conf").write_text(changed)
    body = json.loads(kcc("diff", "--cluster", "--format", "json", tmp_path / "old", tmp_path / "new").out)
    assert [bool(d["changes"]) for d in body["directors"]] == [True, False]


def test_older_releases_need_all_directors_at_once_for_an_address(kcc: Run, tmp_path: Path) -> None:
    text = (
        (CASES / "one_weight" / "old.conf").read_text().replace("advert_int 1", "advert_int 1\n    version 3")
    )
    for side in ("old", "new"):
        (tmp_path / side).mkdir()
        for name, prio in (("lb1", 150), ("lb2", 100)):
            body = text.replace("priority 150", f"priority {prio}")
            if side == "new":
                body = body.replace("203.0.113.10/24\n", "203.0.113.10/24\n        203.0.113.11/24\n")
            (tmp_path / side / f"{name}.conf").write_text(body)
    paths = tmp_path / "old", tmp_path / "new"
    assert "any other order is safe" in kcc("diff", "--cluster", *paths).out
    done = kcc("diff", "--cluster", "--target", "keepalived-2.2.7", *paths)
    assert "no order is safe" in done.out


# --- check --against


def test_check_against_prints_findings_then_the_diff(kcc: Run) -> None:
    old, new = sides("service_removed")
    done = kcc("check", new, "--against", old)
    assert done.status == 0
    assert done.out.index("no findings") < done.out.index("impact: outage")


@pytest.mark.parametrize(
    ("limit", "status", "codes"),
    [("none", 1, 3), ("hitless", 1, 3), ("degraded", 1, 3), ("failover", 1, 2), ("outage", 0, 0)],
)
def test_a_limit_makes_findings(limit: str, status: int, codes: int, kcc: Run) -> None:
    old, new = sides("service_removed")
    done = kcc("check", "--format", "json", new, "--against", old, "--max-impact", limit)
    body = json.loads(done.out)
    assert done.status == status
    found = [d for d in body["diagnostics"] if d["code"] == "KC1301"]
    assert len(found) == codes
    assert all(d["consequence"] and d["help"] for d in found)
    assert body["diff"]["impact"] == "outage"


def test_a_finding_stands_where_it_was_written(kcc: Run) -> None:
    old, new = sides("interval_and_password_v2")
    done = kcc("check", "--format", "json", new, "--against", old, "--max-impact", "hitless")
    [found] = [d for d in json.loads(done.out)["diagnostics"] if d["code"] == "KC1301"]
    assert (found["line"], found["column"]) == (1, 15)


@pytest.mark.parametrize(
    ("form", "holds"),
    [
        ("github", "::notice title=kcc::against "),
        ("gitlab", '"check_name": "KC1301"'),
        ("sarif", '"ruleId": "KC1301"'),
        ("text", "error[KC1301]"),
    ],
)
def test_every_format_has_it(form: str, holds: str, kcc: Run) -> None:
    old, new = sides("service_removed")
    done = kcc("check", "--format", form, new, "--against", old, "--max-impact", "hitless")
    assert done.status == 1
    assert holds in done.out


def test_a_comment_allows_it(kcc: Run, tmp_path: Path) -> None:
    old, new = sides("server_removed")
    allowed = tmp_path / "new.conf"
    allowed.write_text("! kcc: ignore-file KC1301\n" + new.read_text())
    assert kcc("check", new, "--against", old, "--max-impact", "hitless").status == 1
    assert kcc("check", allowed, "--against", old, "--max-impact", "hitless").status == 0
    assert kcc("check", new, "--against", old, "--max-impact", "hitless", "--ignore", "KC13").status == 0


def test_wrong_usage_of_against(kcc: Run, tmp_path: Path) -> None:
    old, new = sides("one_weight")
    for words, said in (
        ((new, "--max-impact", "hitless"), "needs --against"),
        ((new, old, "--against", old), "one FILE"),
        (("-", "--against", "-"), "standard input"),
        ((new, "--against", tmp_path / "missing"), "nothing to compare with"),
        ((new, "--against", old, "--max-impact", "some"), "invalid choice"),
    ):
        done = kcc("check", *words)
        assert done.status == 2, words
        assert said in done.err


def test_what_runs_may_have_errors_and_what_shall_run_is_still_compared(kcc: Run, tmp_path: Path) -> None:
    """keepalived runs such a file without what is wrong in it: that is what the change starts from."""
    old, new = sides("one_weight")
    broken = tmp_path / "broken.conf"
    broken.write_text(old.read_text() + "\nbogus_keyword 1\n")
    done = kcc("check", new, "--against", broken)
    assert done.status == 0
    assert "ipvs.edit_dest" in done.out
    done = kcc("check", broken, "--against", new)
    assert done.status == 1
    assert "ipvs.edit_dest" in done.out
