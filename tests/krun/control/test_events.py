"""Events: remembered within bounds, handed out once, lost ones counted."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krun.control import events, follow
from krun.control.client import NoDaemonError
from krun.control.events import Ring, after, event


def record(text: str, level: int = logging.INFO, **extra: Any) -> logging.LogRecord:
    return logging.getLogger("krun.vrrp").makeRecord("krun.vrrp", level, "", 0, text, (), None, extra=extra)


def test_a_log_line_becomes_an_event() -> None:
    ring = Ring("krun-vrrp")
    ring.emit(record("(VI_1) Entering MASTER STATE"))
    ring.emit(record("no", logging.WARNING, **event("reload.refused", "/etc/krun/ir.json")))
    plain, typed = ring.since(0)
    assert (plain.kind, plain.subject, plain.level, plain.text) == (
        "vrrp",
        "",
        "info",
        "(VI_1) Entering MASTER STATE",
    )
    assert (typed.kind, typed.subject, typed.level) == ("reload.refused", "/etc/krun/ir.json", "warning")
    assert (plain.process, plain.pid) == ("krun-vrrp", os.getpid())


@given(st.integers(0, 40), st.integers(0, 45))
def test_only_the_last_are_remembered_and_only_new_ones_handed_out(count: int, known: int) -> None:
    ring = Ring("krun", size=10)
    for number in range(count):
        ring.emit(record(f"{number + 1}"))
    found = [e.number for e in ring.since(known)]
    assert found == list(range(max(known, count - 10) + 1, count + 1))
    assert [e.text for e in ring.since(known)] == [str(n) for n in found]


def test_texts_are_bounded_and_broken_lines_are_no_error() -> None:
    ring = Ring("krun")
    ring.emit(record("x" * 5000))
    broken = record("%d apples")
    broken.args = ("no number",)
    ring.emit(broken)
    long, bad = ring.since(0)
    assert len(long.text) == events.TEXT
    assert "cannot be put together" in bad.text


@pytest.mark.parametrize(
    "since", [None, 5, [], {}, {"krun.x": 3}, {"other.1": 99}, {f"krun.{os.getpid()}": "1"}]
)
def test_nonsense_asks_for_everything(since: object) -> None:
    ring = Ring("krun")
    ring.emit(record("one"))
    assert len(after(ring, since)) == 1
    assert after(ring, {f"krun.{os.getpid()}": 1}) == []


def test_a_new_process_begins_anew() -> None:
    root = logging.getLogger()
    before = root.handlers[:]
    try:
        events.remember("krun")
        second = events.remember("krun-check")
        assert [h for h in root.handlers if isinstance(h, Ring)] == [second]
    finally:
        root.handlers[:] = before


def an_event(number: int, at: float = 0.0, process: str = "krun", pid: int = 1) -> dict[str, Any]:
    return {
        "number": number,
        "at": at,
        "process": process,
        "pid": pid,
        "level": "info",
        "kind": "parent",
        "subject": "",
        "text": f"{process} {number}",
    }


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What the next questions are answered with; after the last one Ctrl-C is pressed."""
    waiting: list[Any] = []

    def answer(_socket: Path, _request: object, _timeout: float) -> dict[str, Any]:
        if not waiting:
            raise KeyboardInterrupt
        found = waiting.pop(0)
        if isinstance(found, Exception):
            raise found
        return {"ok": True, "events": found}

    monkeypatch.setattr(follow, "ask", answer)
    monkeypatch.setattr(follow, "LOOK_S", 0.0)
    yield waiting
    assert not waiting


def test_following(answers: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    answers += [
        [an_event(2, 2.0), an_event(1, 1.0), an_event(7, 1.5, "krun-vrrp", 2)],
        [],
        NoDaemonError("it is gone"),
        NoDaemonError("it is gone"),
        [an_event(6, 3.0), an_event(1, 2.5, "krun-vrrp", 3)],
    ]
    assert follow.show(Path("x"), True, "text") == 0
    said = capsys.readouterr()
    texts = [line.partition(" parent ")[2].strip() for line in said.out.splitlines()]
    assert texts[:3] == ["krun 1", "krun-vrrp 7", "krun 2"]
    assert "3 events of this process came and went" in said.out.splitlines()[4]
    assert texts[3] == "krun-vrrp 1"
    assert texts[5] == "krun 6"
    assert said.err == "krunctl: it is gone; waiting for it\n"


def test_without_a_krun_there_is_nothing_to_follow(answers: list[Any]) -> None:
    answers.append(NoDaemonError("no krun"))
    with pytest.raises(NoDaemonError):
        follow.show(Path("x"), True, "json")


def test_a_line_is_one_line() -> None:
    text = follow.line(an_event(1) | {"text": "a\nb", "level": "error"})
    assert text.endswith("krun        parent             error: a\\nb")
