"""A comment that begins in the middle of a password."""

from __future__ import annotations

import pytest

from kcc.diagnostics.model import Diagnostic
from support.lowering_cases import compile_text

TEXT = """vrrp_instance VI_1 {{
    interface eth0
    virtual_router_id 51
    authentication {{
        auth_type PASS
        {line}
    }}
    virtual_ipaddress {{
        203.0.113.10/24
    }}
}}
"""


def cut(line: str) -> list[Diagnostic]:
    _, findings = compile_text(TEXT.format(line=line))
    return [d for d in findings.items if d.code == "KC0117"]


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("auth_pass ab#cd", 21),
        ("auth_pass ab!cd # a comment", 21),
        ("auth_pass a#", 20),
        ("auth_pass pa$$#x", 23),
        (r"auth_pass a\#b#c", 23),
    ],
)
def test_the_rest_is_lost(line: str, column: int) -> None:
    [found] = cut(line)
    assert (found.span.line, found.span.column) == (6, column)
    assert found.consequence and found.help


@pytest.mark.parametrize(
    "line",
    [
        "auth_pass abcd",
        "auth_pass abcd # a comment",
        "auth_pass abcd\t! a comment",
        'auth_pass "ab#cd"',
        'auth_pass "abcd"# a comment',
        r"auth_pass ab\#cd",
        "auth_pass abcdefgh#ijk",
        "auth_pass abcd ",
    ],
)
def test_a_comment_behind_a_blank_is_one(line: str) -> None:
    assert cut(line) == []


def test_the_line_keeps_its_number_when_it_is_there_twice() -> None:
    text = TEXT.format(line="auth_pass ab#cd")
    _, findings = compile_text(
        text + text.replace("VI_1", "VI_2").replace("51", "52").replace("3.10", "3.11")
    )
    assert [d.span.line for d in findings.items if d.code == "KC0117"] == [6, 17]
