"""Times as people write and read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krun.control.duration import parse_us, span


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("2d", 172800), (" 1m1s ", 61)],
)
def test_times_are_read(text: str, seconds: int) -> None:
    assert parse_us(text) == seconds * 1_000_000


@pytest.mark.parametrize("text", ["", "0", "0s", "m", "5 m", "1.5h", "-5", "5m5h", "5ms", "soon", "9" * 50])
def test_nonsense_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        parse_us(text)


@given(st.integers(1, 10**8))
def test_spans_are_short_and_begin_with_their_largest_unit(seconds: int) -> None:
    words = span(seconds).split()
    assert len(words) <= 2
    shown = sum(int(w[:-1]) * {"d": 86400, "h": 3600, "m": 60, "s": 1}[w[-1]] for w in words)
    assert 0 <= seconds - shown < {"d": 3600, "h": 60, "m": 1, "s": 1}[words[0][-1]]
