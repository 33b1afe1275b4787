"""A recording that somebody broke, cell by cell: refused or replayed with a sentence, never with a traceback."""

from __future__ import annotations

import copy
import importlib.util
import json
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from krun.control import cli
from krun.record import file

FUZZ = Path(__file__).resolve().parents[3] / "fuzz"
SEED = FUZZ / "seeds" / "record" / "both"


def target() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_record", FUZZ / "targets" / "fuzz_record.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


WORDS: list[Any] = [
    None, True, -1, 0, 1 << 70, 1e300, "", "!", "receive", "\0", "VI_1", [], {}, [[]], ["tick"], "AAAA", "a" * 5000,
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += places(inner, (*path, key))
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            found += places(inner, (*path, n))
    return found


def test_any_cell_may_be_anything() -> None:
    one_input = target().one_input
    chance = random.Random(11)
    lines = [json.loads(text) for text in SEED.read_text().splitlines()]
    for _ in range(250):
        broken = copy.deepcopy(lines)
        for _ in range(chance.choice([1, 1, 3])):
            line = chance.randrange(len(broken))
            path = chance.choice(places(broken[line]) or [()])
            inner: Any = broken[line]
            for step in path[:-1]:
                inner = inner[step]
            if path:
                inner[path[-1]] = copy.deepcopy(chance.choice(WORDS))
        one_input("\n".join(map(json.dumps, broken)).encode())


def test_lines_may_be_missing_or_twice() -> None:
    one_input = target().one_input
    chance = random.Random(5)
    lines = SEED.read_text().splitlines()
    for _ in range(100):
        order = [chance.choice(lines) if chance.random() < 0.2 else line for line in lines]
        del order[chance.randrange(1, len(order)) :]
        one_input("\n".join(order).encode())


def test_what_is_wrong_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = SEED.read_text()
    cases = {
        "no recording of krun": b'{"kir": "1.0"}\n',
        "it is empty": b"",
        "format 2, written by krun 9.9; this release reads format 1": b'{"krun_record": 2, "release": "9.9", "saved_at": 0}\n',
        "its compression is damaged": b"\x1f\x8b" + b"x" * 50,
        "an input 'warp', which this release does not know": text.replace('["tick"]', '["warp"]').encode(),
        "a process 'bfd', which this release does not have": text.replace(
            '"name":"vrrp"', '"name":"bfd"'
        ).encode(),
        "the end counts": text.replace('"tick"', '"tick"').replace('{"end": 1', '{"end": 9').encode(),
        "something is missing": "\n".join(text.splitlines()[:5] + text.splitlines()[-1:]).encode(),
    }
    for words, data in cases.items():
        (tmp_path / "x.krec").write_bytes(data)
        assert cli.main(["replay", str(tmp_path / "x.krec")]) == 2, words
        assert words in capsys.readouterr().err
    (tmp_path / "half").write_text("\n".join(text.splitlines()[:8]))
    assert cli.main(["replay", str(tmp_path / "half")]) == 0
    assert "is not whole: its end is missing" in capsys.readouterr().err
    assert cli.main(["replay", str(tmp_path / "nothing")]) == 2
    assert cli.main(["replay", str(SEED), "--since", "tomorrow"]) == 2


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import gzip

    monkeypatch.setattr(file, "MAX_TEXT", 5_000_000)
    with pytest.raises(file.RecordError, match="when unpacked"):
        file.loads(gzip.compress(b'{"krun_record": 1, "release": "", "saved_at": 0}\n' + b" " * 20_000_000))


def test_filters(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["replay", str(SEED), "--instance", "VI_1"]) == 0
    shown = capsys.readouterr().out
    assert "Entering MASTER STATE" in shown
    assert "TCP_CHECK" not in shown
    assert cli.main(["replay", str(SEED), "--subject", "127.0.0.2:82"]) == 0
    shown = capsys.readouterr().out
    assert "127.0.0.2:82 down" in shown
    assert "127.0.0.2:81" not in shown.replace("starts", "").partition("reload")[0]
    assert cli.main(["replay", str(SEED), "--all", "--json"]) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(objects) == 81
    assert {one["process"] for one in objects} == {"vrrp", "check"}
    assert cli.main(["replay", str(SEED), "--since", "5s", "--until", "1s"]) == 0
    assert "Entering" not in capsys.readouterr().out
