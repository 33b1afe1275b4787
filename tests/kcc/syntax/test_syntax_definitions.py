"""Definitions, conditions, replication."""

from __future__ import annotations

import pytest

from kcc.source import Limits
from support.syntax_tools import codes, outline, parse, read, with_findings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A=x\na $A\n", ["a x"]),
        ("$A=  x y  # c\na $A.\na ${A}.\n", ["a $A.", "a x y."]),
        ("$A=x\na $A,$A)$A\n", ["a x,x)x"]),
        ("$A=x\n$B=y\na $A$B ${A}${B}\n", ["a $Ay xy"]),
        ('$A=x\na $A/5 \'$A\' "$A" "${A}"\n', ['a $A/5 \'$A\' "$A" "x"']),
        ("$A=\na b$A\n", ["a b"]),
        ("$A=x\n$A=y\na $A\n", ["a y"]),
        ("$B=1\n$A=${B}\n$B=2\na $A\n", ["a 2"]),
        ("$A1=x\n$B=1\na ${A${B}}\n", ["a x"]),
        ("$A=x\na \\$A $$A\n", ["a \\x $x"]),
        ('$A="a#b"\nx $A\n', ['x "a#b"']),
        ("$_PWD=here\na $_PWD\n", ["a here"]),
        ("a { $A=x\n b $A }\n c ${A}\n", [["a", ["b x"]], "c x"]),
        ('a${_HASH}b\na ${_BANG} b\n"a${_HASH}b c" d\n', ["a", "a", '"a#b c" d']),
        ("a ${_INSTANCE} $_INSTANCE\n", ["a me me"]),
        ("$K=a {\n${K} b\n}\n", [["a", ["b"]]]),
    ],
)
def test_references(text: str, expected: list[object]) -> None:
    tree, findings = parse(text)
    assert outline(tree.body) == expected
    assert [d for d in findings.items if d.code != "KC0108"] == []


def test_what_is_no_definition() -> None:
    assert with_findings("$A = 3\na $A\n") == (["a 3"], [("KC0111", 1)])
    assert with_findings("$1D=4\na\n") == (["a"], [("KC0111", 1)])
    assert with_findings("$A-B=4\na\n") == (["a"], [("KC0111", 1)])


def test_environment_and_options() -> None:
    assert read('a ${_ENV X} "${_ENV Y}"\n', env={"X": "1"}) == ['a 1 ""']
    assert read("a ${N}\n", defines={"N": "7"}) == ["a 7"]


def test_the_directory_is_that_of_the_file(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    assert read("a ${_PWD}\n") == [f"a {tmp_path.resolve()}"]


def test_random_numbers_repeat() -> None:
    first, notes = with_findings("a ${_RANDOM} ${_RANDOM 5 6} ${_RANDOM 32767}\n")
    assert first == with_findings("a ${_RANDOM} ${_RANDOM 5 6} ${_RANDOM 32767}\n")[0]
    assert first[0].split()[3] == "32767" and first[0].split()[2] in "56"
    assert {code for code, _ in notes} == {"KC0106"}
    seeded = "random_seed 3\na ${_RANDOM}\n"
    assert read(seeded) == read(seeded)
    assert read("a ${_RANDOM}\n", random_seed=4) == read("a ${_RANDOM}\n", random_seed=4)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a ${_RANDOM 3 2}\n", ["a 3"]),
        ("a ${_RANDOM x}\n", ["a ${_RANDOM x}"]),
        ("a ${_RANDOM 1 2 3}\n", ["a ${_RANDOM 1 2 3}"]),
        ("a ${_ENV}\n", ["a ${_ENV}"]),
        ("a ${_PWD 1}\n", ["a ${_PWD 1}"]),
        ("$A=1\na ${A 1}\n", ["a ${A 1}"]),
    ],
)
def test_predefined_used_badly(text: str, left: list[str]) -> None:
    found, findings = with_findings(text)
    assert found == left
    assert [code for code, _ in findings] == ["KC0106"]


def test_undefined_names_keep_their_text() -> None:
    tree, findings = parse('$INTERFACE=x\na ${INTERFACES} {\n}\nb $NO\nc "$NO ${HOME}"\n')
    assert [[w.text for w in n.words] for n in tree.walk()] == [
        ["a", "${INTERFACES}"],
        ["b", "$NO"],
        ["c", "$NO ${HOME}"],
    ]
    assert [(d.code, d.severity.word, d.span.line, d.span.column) for d in findings.items] == [
        ("KC0108", "error", 2, 3),
        ("KC0108", "warning", 4, 3),
        ("KC0108", "note", 5, 8),
    ]
    assert findings.items[0].help == "did you mean `$INTERFACE`?"


def test_a_password_with_a_dollar_is_left_alone() -> None:
    assert read("auth_pass pa$word\n") == ["auth_pass pa$word"]


def test_shell_forms_are_no_references() -> None:
    tree, findings = parse("$B=1\na ${A:-x y} b\n")
    assert [w.text for w in tree.body[0].words] == ["a", "${A:-x y}", "b"]
    assert [d.code for d in findings.items] == ["KC0108"]


def test_definitions_that_refer_to_themselves() -> None:
    assert with_findings("$A=${A}x\na ${A}\nb ${A}\n") == (["a ${A}", "b ${A}"], [("KC0104", 2)])
    assert codes("$A=${B}\n$B=${A}\na ${A} ${B}\n") == [("KC0104", 3, 3)]
    made, found = with_findings("$A=\\\n x \\\n $A\n$A\n")
    assert made == ["x"] and [code for code, _ in found] == ["KC0104"]


def test_expansion_has_a_limit() -> None:
    text = "$A=" + "x" * 1000 + "\na ${A}${A}\nb ${A}\n"
    made, found = with_findings(text)
    assert found == [("KC0105", 2)]
    assert made == ["a " + "x" * 1000 + "${A}", "b " + "x" * 1000]
    doubling = "$A0=xxxxxxxx\n" + "".join(f"$A{i}=${{A{i - 1}}}${{A{i - 1}}}\n" for i in range(1, 60))
    assert [code for code, _ in with_findings(doubling + "a ${A59}\n")[1]] == ["KC0105"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A=x 1 \\\n  y 2 \\\nz\n$A\nb\n", ["x 1", "y 2", "z", "b"]),
        ("$A=\\\n  y\nx $A\n", ["x", "y"]),
        ("$A=b {\\\n c \\\n}\na $A\n", [["a b", ["c"]]]),
        ("$A=x \\\n# comment \\\ny\n$A\n", ["x", "y"]),
        ("$A=x \\\n# comment\ny\n$A\n", ["x", "y"]),
        ("$A=x \\\n\ny\n$A\n", ["y", "x"]),
        ("$A=x \\\n   \\\ny\n$A\n", ["x", "y"]),
        ("$A=x \\\ny # c \\\nz\n$A\n", ["x", "y", "z"]),
        ("$N=1\n$A=x \\\ny ${N}\n$N=2\n$A\n", ["x", "y 2"]),
        ("$A=x \\\n@me y \\\n@^me z\n$A\n", ["x", "y"]),
        ("$I=p \\\nq\n$A=x \\\n$I \\\ny\n$A\n", ["x", "p", "q", "y"]),
        ("@no $A=x\n@me $A=y\na $A\n", ["a y"]),
    ],
)
def test_definitions_of_several_lines(text: str, expected: list[object]) -> None:
    assert read(text) == expected


def test_several_lines_only_at_the_end() -> None:
    assert with_findings("$A=x \\\ny\na $A b\n")[1][0] == ("KC0111", 3)


def test_places_lead_through_definitions() -> None:
    tree, _ = parse("$IF=eth0\n$BODY=\\\n  x \\\n  dev $IF\n\n   a   ${IF}  b\n$BODY\n")
    first, _x, dev = tree.body
    spans = [first.word_span(i) for i in range(3)]
    assert [(s.line, s.column, s.end_column) for s in spans] == [(6, 4, 5), (6, 8, 13), (6, 15, 16)]
    assert [(r.span.line, r.message) for r in first.via()] == [(1, "`$IF` is defined here")]
    assert (dev.word_span(1).line, dev.word_span(1).column, dev.word_span(1).end_column) == (7, 1, 6)
    assert [(r.span.line, r.message) for r in dev.via()] == [
        (1, "`$IF` is defined here"),
        (4, "this line of `$BODY`"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@me a\n@other b\n@^me c\n@^other d\n", ["a", "d"]),
        ("@me\n@ a\n@^ b\n x\n", ["b", "x"]),
        ("@me\ta {\n@me }\n@no }\n", [["a", []]]),
        ("@a|me b\nx\n", ["x"]),
        ("@ME b\n@mee b\nx\n", ["x"]),
        ("@me @me x\n", ["@me x"]),
        ("a { @no b\n @me c\n}\n", [["a", ["c"]]]),
        ("@me $A=1\n@no $A=2\na $A\n", ["a 1"]),
    ],
)
def test_conditions(text: str, expected: list[object]) -> None:
    assert read(text) == expected


def test_conditions_made_by_definitions() -> None:
    text = "$IF_MAIN=@main\n$IF_MAIN priority 240\nx\n"
    assert with_findings(text, config_id="main") == (["priority 240", "x"], [("KC0112", 2)])
    assert with_findings(text, config_id="other") == (["x"], [("KC0112", 2)])
    assert read(text, config_id="main", target="keepalived-2.2.7") == ["priority 240", "x"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("~SEQ(X,3) a $X\n", ["a 1", "a 2", "a 3"]),
        ("~SEQ(X,0) a $X\n", ["a 1", "a 0"]),
        ("~SEQ(X,-2) a $X\n", ["a -1", "a -2"]),
        ("~SEQ(X, 3, 1)a${X}\n", ["a3", "a2", "a1"]),
        ("~SEQ(X,1,3,8) a $X\n", ["a 1", "a 4", "a 7"]),
        ("~SEQ(X,0x8,010) a $X\n", ["a 8"]),
        ("~SEQx(X,9,11) a $X\n", ["a 9", "a a", "a b"]),
        ("$N=2\n~SEQ(X, $N) a $X\n", ["a 1", "a 2"]),
        ("~SEQ(X,2) ~SEQ(Y,2) a $X $Y\n", ["a 1 1", "a 1 2", "a 2 1", "a 2 2"]),
        ("~SEQ(X,2) a $X { b ${X} }\n", [["a 1", ["b 1"]], ["a 2", ["b 2"]]]),
        ("$M=x $X {\\\n y \\\n}\n~SEQ(X,2) $M\n", [["x 1", ["y"]], ["x 2", ["y"]]]),
        ("~SEQ(X,2) a\nb ${X}\n", ["a", "a", "b 2"]),
        ("z { ~SEQ(X,2) a $X\n}\n", [["z", ["a 1", "a 2"]]]),
        ("@me ~SEQ(X,1) a\n@no ~SEQ(X,1) b\n", ["a"]),
        ("~LST(X,p, q) a $X\n", ["a p", "a q"]),
        ("~LST({X,Y},{1,2},{3}) a $X ${Y}.\n", ["a 1 2.", "a 3 ."]),
        ("~SEQ(X,2)\nb\n", ["b"]),
    ],
)
def test_replication(text: str, expected: list[object]) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    "line",
    [
        "~SEQ(X,1,0,3) a",
        "~SEQ(X,1,-1,3) a",
        "~SEQ(X) a",
        "~SEQ(,3) a",
        "~SEQ(X,1,2,3,4) a",
        "~SEQ(X,y) a",
        "~SEQ(X,09) a",
        "~SEQ (X,2) a",
        "~SEQ(X,2 a",
        "~SEQx(X,-1,1) a",
        "~LST(X) a",
        "~LST(X, a b) c",
        "~LST({X,Y},{1,2,3}) a",
        "~LST({X}{1}) a",
        "~LST a",
    ],
)
def test_bad_replication_costs_its_line_only(line: str) -> None:
    assert with_findings(f"{line}\nnext\n") == (["next"], [("KC0107", 1)])


def test_replication_is_bounded() -> None:
    limits = Limits(max_made_lines=100)
    tree, findings = parse("~SEQ(A,10000) ~SEQ(B,10000) a\nb\n", limits=limits)
    assert [d.code for d in findings.items] == ["KC0105"]
    assert len(tree.body) <= 101 and tree.body[-1].words[0].text == "b"
    assert codes("~SEQ(A,1,99999999999999999) a $A\n", limits=limits) == [("KC0105", 1, 29)]


def test_places_of_replicated_lines() -> None:
    tree, _ = parse("\n  ~SEQ(X,2) a  $X\n")
    assert [(n.word_span(0).line, n.word_span(0).column, n.word_span(1).column) for n in tree.body] == [
        (2, 13, 16),
        (2, 13, 16),
    ]
    assert [r.message for r in tree.body[1].via()] == ["in the round where $X is 2"]
