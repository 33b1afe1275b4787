"""Did you mean."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from language_texts import nodes

from kcc.language.history import GONE
from kcc.language.keywords import walk
from kcc.language.suggest import FOREIGN, closest, distance, gone


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


def test_a_keyword_of_old_releases_says_until_when_and_what_there_is_now() -> None:
    text = "global_defs {\n lvs_id a\n}\nvirtual_server 10.0.0.1 80 {\n nat_mask 255.255.255.0\n}\nreal_server_group a {\n}\n"
    said = [d for d in nodes(text)[1] if d.code in ("KC0201", "KC0202")]
    assert [(d.span.line, d.label, d.help) for d in said] == [
        (
            2,
            "no longer a keyword of keepalived",
            "keepalived had it until 1.1.7. Since 1.1.8 it is called `router_id`.",
        ),
        (5, "no longer a keyword of keepalived", "keepalived had it until 1.2.19. Nothing took its place."),
        (7, "no longer a keyword of keepalived", "keepalived had it until 1.0.0. Nothing took its place."),
    ]
    assert all(d.fix is None for d in said)


def test_each_keyword_that_is_gone_is_known() -> None:
    for path in GONE:
        *above, name = path.split(" > ")
        assert gone(name, above[-1] if above else "")
        assert name not in FOREIGN
    assert gone("priority", "vrrp_instance") is None
