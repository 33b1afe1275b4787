"""Health checks go on by what they ask, wherever they stand in the list."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kir.canonical import digest
from kir.diff import Change, diff
from kir.diff.checks import paired
from kir.model import (
    Checker,
    Config,
    Endpoint,
    MiscCheck,
    RealServer,
    Service,
    TcpCheck,
    Timing,
    VirtualServer,
)
from kir.plan.check import plan_checkers
from kir.plan.operations import CheckerUpdate


def tcp(port: int, retry: int = 1) -> TcpCheck:
    return TcpCheck(timing=Timing(retry=retry), endpoint=Endpoint(address="192.0.2.1", port=port))


def misc(name: str) -> MiscCheck:
    return MiscCheck(timing=Timing(), argv=(name,))


def config(*checkers: Checker) -> Config:
    real = RealServer(address="192.0.2.1", port=80, family="inet", checkers=checkers)
    service = Service(family="inet", protocol="tcp", address="198.51.100.1", port=80)
    return Config(virtual_servers=(VirtualServer(name="v", services=(service,), real_servers=(real,)),))


def orders(old: Config, new: Config) -> list[tuple[str, str]]:
    return [(o.op, o.checker) for o in plan_checkers(old, new)]


def changes(old: Config, new: Config) -> list[Change]:
    return diff(old, new)


def test_another_order_is_no_order_to_anybody() -> None:
    old, new = config(tcp(1), misc("/a"), tcp(2)), config(tcp(2), tcp(1), misc("/a"))
    assert orders(old, new) == []
    # It is said all the same: the digests differ.
    assert [(c.action, c.path[-2:]) for c in changes(old, new)] == [("change", ("checker", "order"))]


def test_the_first_goes_and_the_second_goes_on() -> None:
    old, new = config(tcp(1), tcp(2)), config(tcp(2))
    assert orders(old, new) == [("checker.stop", "TCP_CHECK 0 (before)")]
    assert [(c.action, c.path[-1]) for c in changes(old, new)] == [("remove", "TCP_CHECK 0 (before)")]
    assert orders(new, old) == [("checker.start", "TCP_CHECK 0")]


def test_moved_and_changed_under_way_keeps_its_state() -> None:
    old, new = config(tcp(1), tcp(2)), config(tcp(2, retry=9), tcp(1))
    (step,) = plan_checkers(old, new)
    assert isinstance(step, CheckerUpdate)
    assert (step.checker, step.fields, step.reason) == ("TCP_CHECK 0", ("timing",), "its state stays")


def test_another_question_of_the_same_kind_is_judged_anew() -> None:
    (step,) = plan_checkers(config(tcp(1), misc("/a")), config(misc("/a"), tcp(3)))
    assert isinstance(step, CheckerUpdate)
    assert step.checker == "TCP_CHECK 1"
    assert "judged anew" in step.reason


def test_of_two_with_one_question_each_goes_on_as_the_one_that_is_like_it() -> None:
    old, new = config(tcp(2), tcp(2), tcp(2, retry=2)), config(tcp(2), tcp(2, retry=2), tcp(2))
    assert orders(old, new) == []


LISTS = st.lists(
    st.builds(tcp, st.integers(1, 3), st.integers(1, 2)) | st.builds(misc, st.sampled_from(["/a", "/b"])),
    max_size=4,
).map(tuple)


@given(LISTS, LISTS)
def test_every_checker_has_one_name_and_no_difference_is_lost(
    old: tuple[Checker, ...], new: tuple[Checker, ...]
) -> None:
    before, after = paired(old, new)
    assert tuple(before.values()) == old
    assert tuple(after.values()) == new
    a, b = config(*old), config(*new)
    assert (not changes(a, b)) == (digest(a) == digest(b))
    assert (not plan_checkers(a, b)) == (sorted(map(repr, old)) == sorted(map(repr, new)))
