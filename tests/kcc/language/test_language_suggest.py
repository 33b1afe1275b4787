"""Did you mean."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kcc.language.keywords import walk
from kcc.language.suggest import FOREIGN, closest, distance


def test_nearest() -> None:
    words = ("priority", "preempt", "interface", "lvs_sched")
    assert closest("pirority", words) == "priority"
    assert closest("Priority", words) == "priority"
    assert closest("lvs-sched", words) == "lvs_sched"
    assert closest("interfac", words) == "interface"
    assert closest("banana", words) is None
    assert closest("", words) is None
    assert closest("x" * 1000, words) is None


def test_a_transposition_is_one_step() -> None:
    assert distance("abcd", "abdc", 4) == 1
    assert distance("abcd", "wxyz", 3) == 3


@given(st.text(max_size=12), st.text(max_size=12))
def test_distance_is_symmetric_and_bounded(a: str, b: str) -> None:
    assert distance(a, b, 99) == distance(b, a, 99) <= max(len(a), len(b))
    assert (distance(a, b, 99) == 0) == (a == b)


def test_foreign_words_are_not_keywords() -> None:
    assert not FOREIGN.keys() & {keyword.name for path, keyword in walk() if path != ""} - {"dynamic"}
