"""Pacing of gratuitous ARP and unsolicited NA."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from krun.vrrp.announcements import Pacer

TWO = (("eth0", "a"), ("eth0", "b"))


def test_without_spacing_rounds_over_all_addresses() -> None:
    assert Pacer().add("I", (*TWO, ("eth1", "c")), 2, 0, 0) == [
        ("eth0", ("a", "b")),
        ("eth1", ("c",)),
        ("eth0", ("a", "b")),
        ("eth1", ("c",)),
    ]


@given(st.integers(1, 5), st.integers(1, 50_000), st.integers(0, 3))
def test_with_spacing_each_is_sent_in_turn_and_never_closer(rounds: int, spacing: int, again: int) -> None:
    pacer, now, sent = Pacer(), 0, []
    sent += [(now, b) for b in pacer.add("I", TWO, rounds, spacing, now)]
    for _ in range(again):  # asked again while waiting: not more than the rounds
        sent += [(now, b) for b in pacer.add("I", TWO, rounds, spacing, now)]
    while (at := pacer.next_deadline()) is not None:
        now = at
        sent += [(now, b) for b in pacer.due(now)]
    times = [at for at, _ in sent]
    assert all(later - earlier >= spacing for earlier, later in zip(times, times[1:], strict=False))  # noqa: RUF007
    addresses = [addresses for _, (_, addresses) in sent]
    assert rounds <= addresses.count(("a",)) <= rounds + 1
    assert addresses.count(("b",)) == rounds
    assert addresses[:2] == [("a",), ("b",)]


def test_an_instance_that_leaves_takes_its_messages_along() -> None:
    pacer = Pacer()
    pacer.add("I", TWO, 3, 1000, 0)
    pacer.add("J", (("eth0", "z"),), 1, 1000, 0)
    pacer.forget("I")
    assert pacer.due(10_000) == [("eth0", ("z",))]
    assert pacer.next_deadline() is None
