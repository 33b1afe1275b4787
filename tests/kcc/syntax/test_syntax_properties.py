"""What must hold for any input."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcc.syntax import Block, Statement
from support.syntax_tools import outline, parse

ROOT = Path(__file__).resolve().parents[3]


def _target() -> Any:
    spec = importlib.util.spec_from_file_location("fuzz_syntax", ROOT / "fuzz/targets/fuzz_syntax.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TARGET = _target()

LEXEMES = (
    *(
        "{",
        "}",
        '"',
        "$A",
        "${A}",
        "$A=",
        "\\",
        "\n",
        "\n",
        " ",
        "\t",
        "#",
        "!",
        "@me ",
        "@",
        "${X}",
        "$X",
        "\0",
    ),
    *(
        "~SEQ(X,3) ",
        "~LST(X,a,b) ",
        "vrrp_instance",
        "state",
        "é",
        "\u00a0",
        "${_HASH}",
        "${_RANDOM 1 2}",
        "\r\n",
    ),
)
lexemes = st.sampled_from(LEXEMES)


@given(st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_bytes(data: bytes) -> None:
    TARGET.one_input(data)


@given(st.lists(lexemes, max_size=60).map("".join))
@settings(max_examples=300, deadline=None)
def test_any_mixture_of_syntax(text: str) -> None:
    TARGET.one_input(text.encode())


@pytest.mark.parametrize("path", sorted((ROOT / "fuzz/crashes/syntax").glob("*")), ids=lambda p: p.name)
def test_past_crashes(path: Path) -> None:
    TARGET.one_input(path.read_bytes())


plain = st.text(st.sampled_from("abcxyz019._-:/+é中<>%()"), min_size=1, max_size=8)
quoted = st.text(st.sampled_from("ab #!{}' é"), max_size=6).map(lambda t: f'"{t}"')
word = st.one_of(plain, plain, plain, quoted)
gap = st.sampled_from([" ", "  ", "\t", " \t "])
newline = st.sampled_from(["\n", "\n", "\r\n", " # c }\n", "\n\n", "!\n"])


@st.composite
def statements(draw: st.DrawFn, depth: int = 0) -> str:
    parts: list[str] = []
    for _ in range(draw(st.integers(0, 4))):
        line = draw(gap) + draw(plain.filter(lambda w: w != "include"))
        for _ in range(draw(st.integers(0, 3))):
            line += draw(gap) + draw(word)
        if depth < 3 and draw(st.booleans()):
            line += draw(st.sampled_from([" {", "{", "\n{", "\n  { "])) + draw(newline)
            line += draw(statements(depth + 1)) + draw(gap) + "}"
        parts.append(line + draw(newline))
    return "".join(parts)


@given(statements())
@settings(max_examples=200, deadline=None)
def test_spans_show_the_words(text: str) -> None:
    tree, findings = parse(text)
    if [d for d in findings.items if d.code == "KC0002"]:
        return
    assert [d for d in findings.items if d.code != "KC0007"] == []
    lines = text.split("\n")
    for node in tree.walk():
        for index, w in enumerate(node.words):
            span = node.word_span(index)
            shown = lines[span.line - 1][span.column - 1 : span.end_column - 1]
            assert shown == (f'"{w.text}"' if w.quoted else w.text)
        if isinstance(node, Block):
            for place, brace in ((node.opened, "{"), (node.closed, "}")):
                assert place is not None
                assert lines[place.line - 1][place.column - 1] == brace


def _written(body: list[Statement], indent: str = "") -> str:
    text = ""
    for node in body:
        text += indent + " ".join(f'"{w.text}"' if w.quoted else w.text for w in node.words)
        if isinstance(node, Block):
            text += " {\n" + _written(node.body, indent + "  ") + indent + "}"
        text += "\n"
    return text


@given(statements())
@settings(max_examples=100, deadline=None)
def test_written_again_it_means_the_same(text: str) -> None:
    tree, findings = parse(text)
    if not findings.items:
        again, more = parse(_written(tree.body))
        assert outline(again.body) == outline(tree.body) and not more.items


@given(statements())
@settings(max_examples=100, deadline=None)
def test_the_fast_way_and_the_careful_way_agree(text: str) -> None:
    """A condition before each line sends it through the reader; the tree must be the same."""
    tree, findings = parse(text)
    if findings.items:
        return
    slow = "\n".join(f"@me {line}" if line.strip() else line for line in text.split("\n"))
    assert outline(parse(slow)[0].body) == outline(tree.body)
    one_file_more = parse(text + "$UNUSED=1\n")
    assert outline(one_file_more[0].body) == outline(tree.body)
