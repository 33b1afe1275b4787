"""`krunctl top`: what fits on a screen, rates, and how it goes on without a krun. On a real terminal: tests/krun/parent/test_seen.py."""

from __future__ import annotations

import copy
import io
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from krun.control.client import NoDaemonError
from krun.control.commands import top
from krun.control.commands.frame import frame, plain


def state(instances: int = 2, services: int = 2, down: int = 1, alarms: int = 0) -> dict[str, Any]:
    now = time.time()
    return {
        "parent": {"release": "1", "pid": 1, "state": "running", "since": now, "kernel": "linux", "run_dir": "/r"},
        "processes": [{"name": "vrrp", "pid": 7, "state": "running", "restarts": 0, "since": now - 60, "answered": True,
                       "problem": None, "pss_kb": 10240}],
        "vrrp": [{"name": f"VI_{n}", "interface": "eth0", "vrid": n + 1, "state": "FAULT" if n == instances - 1 else "BACKUP",
                  "priority": 100, "effective_priority": 90, "master": "192.0.2.1", "since": now - 5,
                  "counters": {"advert_rcvd": 10, "advert_sent": 0, "auth_failure": 4}} for n in range(instances)],
        "virtual_servers": [{"name": f"tcp 10.0.0.{n}:80", "quorum": {"up": n != 1, "weight": 3, "needed": 1},
                             "sorry_server": None,
                             "real_servers": [{"identity": f"10.1.0.{m}:80", "state": "down" if m < down else "up", "weight": 1,
                                               "effective_weight": 0 if m < down else 1, "connections": 4, "overlay": None,
                                               "checkers": [{"checker": "TCP_CHECK 0", "state": "down" if m < down else "up",
                                                             "reason": "connection refused", "runs": 50}]}
                                              for m in range(3)]} for n in range(services)],
        "drains": [], "alarms": [f"alarm {n}" for n in range(alarms)],
        "ir": {"path": "/ir.json", "digest": "sha256:0", "version": "1.0", "loaded_at": now},
        "last_reload": None, "confirm": None, "undo": None,
    }  # fmt: skip


def test_the_worst_is_first_and_rates_are_per_second() -> None:
    before, now = state(), state()
    now["vrrp"][0]["counters"] = {"advert_rcvd": 30, "advert_sent": 0, "auth_failure": 5}
    now["virtual_servers"][0]["real_servers"][0]["checkers"][0]["runs"] = 60
    picture = frame(now, before, 2.0, 60)
    parts = {part.title: part for part in picture.parts}
    assert [row[0] for row in parts["vrrp"].rows] == ["VI_1", "VI_0"]
    assert parts["vrrp"].rows[1][-3:] == ("10.0", "0", "0.5")
    assert parts["vrrp"].rows[0][4] == "90 (100)"
    assert [row[:3] for row in parts["virtual servers"].rows] == [
        ("tcp 10.0.0.1:80", "down", "2/3"),
        ("tcp 10.0.0.0:80", "up", "2/3"),
    ]
    assert parts["virtual servers"].rows[1][-2:] == ("12", "5.0")
    bad = parts["real servers that are not simply up"].rows
    assert bad[0][1:] == ("10.1.0.0:80", "down", "0 (1)", "TCP_CHECK 0: connection refused")


def test_counters_that_began_anew_and_new_things_have_no_rate() -> None:
    before, now = state(instances=1), state(instances=2)
    now["vrrp"][0]["counters"] = {"advert_rcvd": 1, "advert_sent": 1, "auth_failure": 4}
    rows = {row[0]: row for row in frame(now, before, 1.0, 60).parts[1].rows}
    assert rows["VI_0"][-3:] == ("", "1.0", "0")
    assert rows["VI_1"][-3:] == ("", "", "")


@given(st.integers(0, 200), st.integers(0, 60), st.integers(0, 3), st.integers(0, 5), st.integers(10, 80))
def test_it_fits_and_what_does_not_is_counted(
    instances: int, services: int, down: int, alarms: int, lines: int
) -> None:
    document = state(instances, services, down, alarms)
    picture = frame(document, None, 0.0, lines)
    for part in picture.parts:
        assert part.rows
    counts = {part.title: len(part.rows) + part.more for part in picture.parts}
    assert counts.get("vrrp", 0) == instances
    assert counts.get("virtual servers", 0) == services
    assert counts.get("real servers that are not simply up", 0) == services * down
    drawn = io.StringIO()
    console = Console(file=drawn, width=200, highlight=False)
    console.print(top._drawn(picture))
    least = len(picture.head) + sum(6 for _ in picture.parts)
    assert drawn.getvalue().count("\n") <= max(lines, least)
    assert plain(picture).count("\n") <= max(lines, least)
    assert "\x1b" not in plain(picture)


class Script:
    """What the next questions are answered with; an error is raised. After the last one somebody presses Ctrl-C."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)

    def __call__(self, _socket: Path, _request: object, _timeout: float) -> dict[str, Any]:
        if not self.answers:
            raise KeyboardInterrupt
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, dict)
        return answer


def options(**given: Any) -> Any:
    from argparse import Namespace

    return Namespace(**{"interval": 0.0, "count": None, **given})


def test_in_a_pipe_it_repeats_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ok = {"ok": True, "state": state()}
    gone = NoDaemonError("no krun there")
    monkeypatch.setattr(top, "ask", Script(ok, gone, gone, copy.deepcopy(ok)))
    assert top.run(Path("x"), options()) == 0
    out = capsys.readouterr().out
    assert out.count("PROCESSES") == 2
    assert out.count("no krun there; waiting for it") == 1
    assert "\x1b" not in out


def test_a_number_of_pictures(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    ok = {"ok": True, "state": state()}
    monkeypatch.setattr(top, "ask", Script(ok, ok, ok))
    assert top.run(Path("x"), options(count=2)) == 0
    assert capsys.readouterr().out.count("PROCESSES") == 2


def test_without_a_krun_to_begin_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top, "ask", Script(NoDaemonError("no krun there")))
    with pytest.raises(NoDaemonError):
        top.run(Path("x"), options())


def test_a_refusal_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(top, "ask", Script({"ok": False, "error": "not today"}))
    assert top.run(Path("x"), options()) == 1
    assert capsys.readouterr().err == "krunctl: refused: not today\n"
