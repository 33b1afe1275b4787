"""A clock that can stand still."""

from __future__ import annotations

import itertools

from krun.loop.clock import Steady


def test_it_stands_while_it_is_held_and_goes_on_afterwards() -> None:
    ticks = itertools.count(1)
    clock = Steady(lambda: next(ticks))
    assert [clock(), clock()] == [1, 2]
    with clock.still():
        assert [clock(), clock(), clock()] == [3, 3, 3]
    assert clock() == 4
