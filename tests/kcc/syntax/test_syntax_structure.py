"""Lost and surplus braces: one message each, the rest understood."""

from __future__ import annotations

import pytest

from support.syntax_tools import outline, parse, with_findings

TWO = "vrrp_instance A {{\n    virtual_ipaddress {{\n        1\n{0}    state X\n{1}vrrp_instance B {{\n    state Y\n}}\n"


def test_a_lost_brace_is_reported_where_the_block_opens() -> None:
    text = TWO.format("", "}\n")
    tree, findings = parse(text)
    assert outline(tree.body) == [
        ["vrrp_instance A", [["virtual_ipaddress", ["1"]], "state X"]],
        ["vrrp_instance B", ["state Y"]],
    ]
    (found,) = findings.items
    assert (found.code, found.span.line, found.span.column) == ("KC0204", 2, 5)
    assert [(r.span.line, r.message) for r in found.related] == [(4, "a `}` is missing before this line")]
    block = tree.body[0].body[0]  # type: ignore[attr-defined]
    assert block.closed is None and block.opened is not None


def test_the_outer_brace_lost() -> None:
    made, found = with_findings(TWO.format("    }\n", ""))
    assert made == [
        ["vrrp_instance A", [["virtual_ipaddress", ["1"]], "state X"]],
        ["vrrp_instance B", ["state Y"]],
    ]
    assert found == [("KC0204", 1)]


@pytest.mark.parametrize(
    ("text", "expected", "found"),
    [
        ("a {\n b\n", [["a", ["b"]]], [("KC0204", 1)]),
        ("a {\n b {\n  c\n", [["a", [["b", ["c"]]]]], [("KC0204", 2), ("KC0204", 1)]),
        ("a {\n b\n}\n}\nc\n", [["a", ["b"]], "c"], [("KC0203", 4)]),
        ("}\na\n", ["a"], [("KC0203", 1)]),
        ("}\n}\na {\n}\n", [["a", []]], [("KC0203", 1), ("KC0203", 2)]),
        ("vrrp_instance A\n  state X\n}\nb\n", [["vrrp_instance A", ["state X"]], "b"], [("KC0205", 1)]),
        (
            "vrrp_instance A {\n  virtual_ipaddress\n    1\n  }\n}\nb\n",
            [["vrrp_instance A", [["virtual_ipaddress", ["1"]]]], "b"],
            [("KC0205", 2)],
        ),
        ("{\n a\n}\nb\n", ["a", "b"], [("KC0206", 1)]),
        ("a {\n{\n b\n}\nc 1\n", [["a", ["b"]], "c 1"], [("KC0206", 2)]),
        (
            "virtual_server A {\n  real_server 1 {\n    w\n  }\n  }\n  real_server 2 {\n    w\n  }\n}\nx\n",
            [["virtual_server A", [["real_server 1", ["w"]], ["real_server 2", ["w"]]]], "x"],
            [("KC0203", 5)],
        ),
        (
            "global_defs {\nvrrp_instance A {\nstate X\n}\nvirtual_server 1 {\n}\n",
            [["global_defs", []], ["vrrp_instance A", ["state X"]], ["virtual_server 1", []]],
            [("KC0204", 1)],
        ),
    ],
)
def test_repairs(text: str, expected: list[object], found: list[tuple[str, int]]) -> None:
    assert with_findings(text) == (expected, found)


def test_two_mistakes_that_balance_are_two_messages() -> None:
    text = "vrrp_instance A {\n  state X\nvrrp_instance B {\n  state Y\n}\n}\n"
    made, found = with_findings(text)
    assert made == [["vrrp_instance A", ["state X"]], ["vrrp_instance B", ["state Y"]]]
    assert found == [("KC0204", 1), ("KC0203", 6)]


def test_a_broken_block_does_not_touch_the_others() -> None:
    good = "".join(
        f"virtual_server 10.0.0.{i} 80 {{\n  real_server 1 80 {{\n    weight 1\n  }}\n}}\n" for i in range(50)
    )
    made, found = with_findings(good + "vrrp_script x {\n  script a\n" + good)
    assert found == [("KC0204", 251)]
    assert len(made) == 101 and made[50] == ["vrrp_script x", ["script a"]]


def test_lexical_findings_are_not_said_twice_when_braces_are_repaired() -> None:
    assert with_findings('a "b\nc {\n')[1] == [("KC0101", 1), ("KC0204", 2)]


def test_nesting_is_bounded() -> None:
    tree, findings = parse("a {\n" * 100_000 + "}\n" * 100_000 + "b\n")
    assert [(d.code, d.span.line) for d in findings.items] == [("KC0207", 65)]
    assert [n.words[0].text for n in tree.body] == ["a", "b"]
    assert sum(1 for _ in tree.walk()) == 65


def test_many_lost_braces_stay_bounded() -> None:
    tree, findings = parse("vrrp_instance A {\n" * 20_000)
    assert len(tree.body) == 20_000
    assert len(findings.items) == 10_000 and findings.errors == 20_000


def test_many_nameless_braces_stay_bounded() -> None:
    tree, findings = parse("{\n" * 50_000)
    assert tree.body == [] and {d.code for d in findings.items} == {"KC0206"}
