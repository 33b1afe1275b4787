"""Several files at once: the same answers in the same order, however many processes there are."""

from __future__ import annotations

import json
import os
import pickle
import signal
from pathlib import Path

import pytest

from kcc.cli import main
from kcc.commands import verdicts
from kcc.compile import options_for
from support.diagnostic_texts import BROKEN, GOOD


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    names = [f"{n}.conf" for n in range(7)]
    for n, name in enumerate(names):
        Path(name).write_text((BROKEN if n % 2 else GOOD) * (7 - n))
    return [*names, "missing.conf", names[0]]


@pytest.mark.parametrize("form", ["json", "github", "gitlab", "sarif"])
def test_the_same_answers(form: str, files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    outputs = set()
    for jobs in ("1", "2", "5"):
        assert main(["check", "-j", jobs, "--format", form, *files]) == 2
        outputs.add(capsys.readouterr().out)
    assert len(outputs) == 1


def test_in_the_order_of_the_arguments(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "-j", "3", *reversed(files)])
    summaries = [
        line.split(":")[0]
        for line in capsys.readouterr().out.splitlines()
        if ".conf: " in line and line[0] not in " ="
    ]
    assert [s for s in summaries if s in files] == list(reversed(files))


def test_a_process_that_fails_is_made_up_for(files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle, "dumps", lambda *_args: 1 / 0)
    found = verdicts.judge_all(files, options_for("keepalived-2.4.3"), 3)
    assert [v.name for v in found] == files
    assert [bool(v.items) for v in found] == [
        bool(v.items) for v in verdicts.judge_all(files, options_for("keepalived-2.4.3"), 1)
    ]


def test_a_process_that_the_kernel_took_is_an_internal_limit(
    files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pickle, "dumps", lambda *_args: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(MemoryError):
        verdicts.judge_all(files, options_for("keepalived-2.4.3"), 2)


@pytest.mark.parametrize("number", ["0", "-1", "many", "9999"])
def test_a_bad_number_is_refused(number: str, files: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["check", f"-j{number}", files[0]])
    assert exit_.value.code == 2


def test_json_holds_all_files(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "-j", "2", "--format", "json", *files])
    assert json.loads(capsys.readouterr().out)["files"] == files
