"""Text that remembers its columns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kcc.source.text import Text, strip_comment

pieces = st.text(st.sampled_from("ab {}$ "), min_size=1, max_size=12)


@given(pieces, st.integers(0, 12), st.integers(0, 12))
def test_a_slice_keeps_its_columns(value: str, start: int, length: int) -> None:
    text = Text("xy" + value, 3).slice(2)
    start = min(start, len(value))
    part = text.slice(start, start + length)
    assert part.value == value[start : start + length]
    assert all(part.column(i) == 5 + start + i for i in range(len(part.value)))


@given(pieces, st.integers(0, 11), st.integers(1, 12), st.text("XY", max_size=5))
def test_a_replacement_has_the_columns_of_what_it_replaced(
    value: str, start: int, length: int, new: str
) -> None:
    start = min(start, len(value) - 1)
    end = min(start + length, len(value))
    text = Text(value).replace([(start, end, new, "N")])
    assert text.value == value[:start] + new + value[end:]
    assert [text.column(i) for i in range(start)] == list(range(start))
    assert {text.column(start + i) for i in range(len(new))} <= {start}
    assert {text.end_column(start + i + 1) for i in range(len(new))} <= {end}
    behind = start + len(new)
    assert [text.column(behind + i) for i in range(len(value) - end)] == list(range(end, len(value)))


@given(pieces, pieces)
def test_join_is_concatenation(left: str, right: str) -> None:
    text = Text(left, 2).join(Text(right, 40))
    assert text.value == left + right
    assert [text.column(i) for i in range(len(left))] == list(range(2, 2 + len(left)))
    assert [text.column(len(left) + i) for i in range(len(right))] == list(range(40, 40 + len(right)))


def test_replacing_inside_a_replacement_keeps_the_outer_columns() -> None:
    text = Text("a $X b").replace([(2, 4, "<${Y}>", "X")])
    again = text.replace([(3, 7, "y", "Y")])
    assert again.value == "a <y> b"
    assert [again.column(i) for i in (0, 2, 3, 4)] == [0, 2, 2, 2]
    assert again.column(6) == 5


def test_comments_and_escapes() -> None:
    text, marks, unclosed = strip_comment(Text("  a \\# b # c"))
    assert (text.value, sorted(marks), unclosed) == ("a # b", [2], None)
    assert [text.column(i) for i in range(5)] == [2, 3, 5, 6, 7]
    again, kept, _ = strip_comment(text, marks)
    assert (again.value, sorted(kept)) == ("a # b", [2])
    assert strip_comment(Text('a "b # c'))[2] == 2
    assert strip_comment(Text('a \\" b'))[2] is None
    assert strip_comment(Text(" \t# x"))[0].value == ""
