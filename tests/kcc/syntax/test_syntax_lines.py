"""Lines, comments, quotes, words, braces."""

from __future__ import annotations

import pytest

from support.syntax_tools import codes, parse, read, with_findings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("# only\n! comments\n\n", []),
    ],
)
def test_nothing_to_read_is_a_warning(text: str, expected: list[str]) -> None:
    assert with_findings(text) == (expected, [("KC0007", 0)])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b", ["a b"]),
        ("a\tb  c \t\n", ["a b c"]),
        ("a b\r\nc\r\n", ["a b", "c"]),
        ("\x0ba\x0cb\rc\n", ["a b c"]),
        ("3#x\n", ["3"]),
        ("a b!c\n", ["a b"]),
        ("a '#b\n", ["a '"]),
        ('a "b#c!" d # e\n', ['a "b#c!" d']),
        ("a \\# b \\! c # d\n", ["a # b ! c"]),
        ("a \\\\#b\n", ["a \\\\"]),
        ("a \\n b\n", ["a \\n b"]),
        ('a"b c"d ""\n', ['a "b c" d ""']),
        ('"a b" c\n', ['"a b" c']),
        ("a 'b c'\n", ["a 'b c'"]),
        ("\u00a0a b\n", ["\u00a0a b"]),
        ('a "b\\\\" c\n', ['a "b\\\\" c']),
    ],
)
def test_words_and_comments(text: str, expected: list[str]) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a {\n b\n}\n", [["a", ["b"]]]),
        ("a x{b}\n", [["a x", ["b"]]]),
        ("a\n{\n b\n}\n", [["a", ["b"]]]),
        ("a\n\n# c\n  { b 1\n}\n", [["a", ["b 1"]]]),
        ("a { b 1\n c }\n", [["a", ["b 1", "c"]]]),
        ("a { b { c } } d\n", [["a", [["b", ["c"]]]], "d"]),
        ("a { b {\n} }\nc\n", [["a", [["b", []]]], "c"]),
        ('a "{" {\n b "}"\n}\n', [['a "{"', ['b "}"']]]),
        ("x\na\n{\n}\n", ["x", ["a", []]]),
        ("a { }\na { }\n", [["a", []], ["a", []]]),
        ("a {" + " " * 150 + "}\n", [["a", []]]),
        ("a{ # x }\nb\n} ! y\n", [["a", ["b"]]]),
    ],
)
def test_braces_stand_anywhere(text: str, expected: list[object]) -> None:
    assert read(text) == expected


def test_a_quote_that_is_not_closed_takes_the_rest_of_its_line() -> None:
    assert with_findings('a b"c # d\ne\n') == (['a b "c # d"', "e"], [("KC0101", 1)])


def test_a_backslash_quote_hides_the_quote_from_the_comment_but_not_from_the_words() -> None:
    # keepalived too: 'Unterminated quote', and the word ends at the first quote.
    assert with_findings('a\\"us x"y #z\n')[1] == [("KC0101", 1)]


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        ('router_id "a\\"', ["KC0101"]),  # the backslash takes the quote with it
        ('router_id \\"a', ["KC0101"]),  # and splitting into words does not know it
        ('router_id "a\\"b" c', ["KC0101"]),
        ('router_id a\\"b" c', ["KC0101"]),
        ('router_id "x\\" ! y"', ["KC0101"]),
        ('router_id "a\\\\"', []),
        ('notify "/bin/echo \\"a b\\" c"', []),
        ('notify "/bin/echo \\"a"', []),  # commands are split anew
    ],
)
def test_quotes_behind_backslashes(line: str, codes: list[str]) -> None:
    """As `keepalived -t` 2.2.7 reports them, `Unterminated quote` and `Unmatched quote`."""
    assert [code for code, _line in with_findings(line + "\n")[1]] == codes


def test_a_brace_in_quotes_is_text() -> None:
    assert with_findings('a "b { c" {\nd "}"\n}\n')[0] == with_findings('a "b { c" {\nd "}" }\n')[0]


def test_no_line_continuation() -> None:
    assert with_findings("priority \\\n 100\n") == (["priority", "100"], [("KC0114", 1)])
    assert read("$A=1 \\\n\nb $A\n") == ["b 1"]


def test_the_longest_line() -> None:
    fits = "a " + "b" * 1020
    assert len(fits) == 1022
    assert read(fits + "\n") == [fits]
    assert with_findings(fits + "b\nc\n") == (["c"], [("KC0004", 1)])
    assert codes("#" + "é" * 511 + "\na\n") == [("KC0004", 1, 1023)]


def test_a_nul_byte_costs_its_line() -> None:
    assert with_findings(b"a\nb \0 c\nd\n") == (["a", "d"], [("KC0003", 2)])
    assert codes(b"a\nb \0 c\nd\n") == [("KC0003", 2, 3)]


def test_a_byte_order_mark_is_reported_and_removed() -> None:
    outline, found = with_findings(b"\xef\xbb\xbfa 1\n")
    assert (outline, found) == (["a 1"], [("KC0008", 1)])
    _tree, findings = parse(b"\xef\xbb\xbfa 1\n")
    assert findings.items[0].fix is not None and findings.items[0].fix.safe


def test_other_encodings_are_read_byte_by_byte() -> None:
    comment = "# 中文\na b\n".encode("gbk")
    assert read(comment) == ["a b"]
    tree, findings = parse("# ok\na \xe9 b\n".encode("latin-1"))
    assert [(d.code, d.span.line, d.span.column) for d in findings.items] == [("KC0006", 2, 3)]
    assert [w.text for w in tree.body[0].words] == ["a", "é", "b"]
    assert [w.start for w in tree.body[0].words] == [0, 2, 4]


def test_positions_count_characters_from_one() -> None:
    tree, _ = parse('é { ü  "x y" # c\n}\n')
    inner = tree.body[0].body[0]  # type: ignore[attr-defined]
    spans = [inner.word_span(i) for i in range(2)]
    assert [(s.line, s.column, s.end_column) for s in spans] == [(1, 5, 6), (1, 8, 13)]
    assert inner.raw == 'ü  "x y"'
    assert inner.span().column == 5 and inner.end_span().column == 13


def test_positions_of_escapes() -> None:
    tree, _ = parse("a \\#b c\n")
    assert [w.text for w in tree.body[0].words] == ["a", "#b", "c"]
    assert [(tree.body[0].word_span(i).column, tree.body[0].word_span(i).end_column) for i in range(3)] == [
        (1, 2),
        (4, 6),
        (7, 8),
    ]


def test_braces_have_places() -> None:
    tree, _ = parse("a\n  {\n b }\n")
    block = tree.body[0]
    assert (block.opened.line, block.opened.column) == (2, 3)  # type: ignore[attr-defined]
    assert (block.closed.line, block.closed.column) == (3, 4)  # type: ignore[attr-defined]
    assert block.span().line == 1


def test_equal_lines_have_their_own_numbers() -> None:
    tree, _ = parse("a {\n  w 1\n}\na {\n  w 1\n}\na {\n  w 2\n}\n")
    assert [(n.number, n.line.number, n.word_span(0).line) for n in tree.walk()] == [
        (n, n, n) for n in (1, 2, 4, 5, 7, 8)
    ]
    assert [node.words[-1].text for node in tree.walk()] == ["a", "1", "a", "1", "a", "2"]
    assert (tree.lines, tree.files) == (9, ("t.conf",))
