"""The fuzz target runs, on a taste of noise and on every input that once broke something."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from hypothesis import given, settings
from hypothesis import strategies as st

FUZZ = Path(__file__).parents[3] / "fuzz"


def _target() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_advert", FUZZ / "targets" / "fuzz_advert.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TARGET = _target()
CORPUS = FUZZ / "crashes" / "advert"
HEADS = st.sampled_from([b"\x21\x33\xff\x01\x00\x01", b"\x31\x33\xff\x01\x00\x64", b"\x31\x33\x00\x00", b""])


@given(HEADS, st.binary(max_size=40))
@settings(max_examples=100, deadline=None)
def test_noise(head: bytes, rest: bytes) -> None:
    TARGET.one_input(head + rest)


def test_past_crashes() -> None:
    assert CORPUS.is_dir()
    for path in sorted(CORPUS.iterdir()):
        TARGET.one_input(path.read_bytes())
