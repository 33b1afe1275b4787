"""Numbers: the rules of decimal integers and decimals, units, ranges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from language_texts import accepts, read, refuses

from kcc.language.arguments.base import REFUSED
from kcc.language.arguments.numbers import INT, MILLISECONDS, SECONDS, UINT, NumArg, c_integer, integer

PRIORITY = UINT(1, 255)


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1), ("255", 255), ("+5", 5), ("010", 10), (" 10", 10), ("0000000000000012", 12)]
)
def test_accepted(text: str, value: int) -> None:
    assert accepts(PRIORITY, text) == value


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("0", "KC0303"),
        ("256", "KC0303"),
        ("-1", "KC0303"),
        ("9" * 5000, "KC0303"),
        ("", "KC0303"),  # as 0
        ("10 ", "KC0302"),
        ("10abc", "KC0302"),
        ("10;", "KC0302"),
        ("0x10", "KC0302"),
        ("1.5", "KC0302"),
        ("ten", "KC0302"),
        ("٣", "KC0302"),
        ("²", "KC0302"),
        ("--5", "KC0302"),
    ],
)
def test_refused(text: str, code: str) -> None:
    assert refuses(PRIORITY, text) == code


def test_missing() -> None:
    assert refuses(PRIORITY) == "KC0301"


def test_a_unit_is_pointed_out_and_can_be_fixed() -> None:
    _, said = read(PRIORITY, "100,")
    assert said[0].fix is not None
    assert said[0].fix.edits[0].replacement == "100"
    assert (said[0].span.column, said[0].span.end_column) == (4, 8)
    _, said = read(PRIORITY, "0x32")
    assert "50" in (said[0].help or "")


def test_adjusted_values() -> None:
    value, said = read(UINT(zero=1), "0")
    assert (value, said[0].code) == (1, "KC0310")
    value, said = read(INT(1, 99, clamp=True), "200")
    assert (value, said[0].code) == (99, "KC0310")
    value, said = read(UINT(1, 255, instead=100), "x")
    assert (value, said[0].code) == (100, "KC0302")


ADVERT = SECONDS("0.01", "255")


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("1", 1_000_000),
        ("0.01", 10_000),
        (".5", 500_000),
        ("5.", 5_000_000),
        ("+1.25", 1_250_000),
        ("255.000000", 255_000_000),
    ],
)
def test_seconds(text: str, us: int) -> None:
    assert accepts(ADVERT, text) == us


@pytest.mark.parametrize("text", ["0", "0.009", "255.1", "-1", "", "1s", "1,5", "1e1", "one", "0x1"])
def test_no_seconds(text: str) -> None:
    assert read(ADVERT, text)[1][0].code in ("KC0302", "KC0303")


def test_too_many_decimals_are_rounded() -> None:
    value, said = read(SECONDS("0", "10"), "1.2345675")
    assert (value, said[0].code) == (1_234_568, "KC0310")
    assert "1.234568" in (said[0].consequence or "")


def test_leading_digits_count_the_smallest_unit() -> None:
    """What keepalived does with `10s`: ten microseconds where the range allows them."""
    value, said = read(SECONDS("0", ""), "10s")
    assert value == 10
    assert "10 µs, not as 10 seconds" in (said[0].consequence or "")
    assert read(ADVERT, "10s")[0] is REFUSED


def test_thousandths() -> None:
    assert accepts(SECONDS("0", "4294", 3), "1.5") == 1_500_000
    assert accepts(MILLISECONDS("1", "4294967"), "10.5") == 10_500
    value, said = read(SECONDS("0", "4294", 3, zero=1), "0")
    assert (value, said[0].code) == (1_000_000, "KC0310")


def test_c_notation() -> None:
    assert [c_integer(t) for t in ("0x1F", "017", "9", "-3", "08", "1a", "", "0x")] == [
        31,
        15,
        9,
        -3,
        None,
        None,
        None,
        None,
    ]
    assert accepts(NumArg(0, 0o777), "0177") == 0o177


@given(st.text(max_size=12))
def test_integers_never_raise_and_follow_one_rule(text: str) -> None:
    value = integer(text)
    body = text.lstrip(" \t\n\v\f\r")
    digits = body[1:] if body[:1] in ("+", "-") else body
    plain = bool(digits) and all(c in "0123456789" for c in digits)
    assert (value is not None) == plain
    if plain:
        assert value == int(digits) * (-1 if body[0] == "-" else 1)


@given(st.text(alphabet="0123456789.+-ex ", max_size=14))
def test_decimals_never_raise(text: str) -> None:
    value, said = read(ADVERT, text)
    assert value is not REFUSED or said
    if not said:
        assert abs(value - float(text) * 1e6) < 1


@given(st.integers(0, 2**40))
def test_accepted_exactly_in_range(number: int) -> None:
    value, said = read(UINT(1, 65535), str(number))
    assert (value == number and not said) == (1 <= number <= 65535)
