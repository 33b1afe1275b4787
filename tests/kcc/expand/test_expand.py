"""``kcc expand``: one text instead of many files and definitions, with the place that each line came from."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcc.cli import main
from kcc.compile import compile_input, options_for
from kcc.diagnostics.model import Findings
from kcc.layout.expanded import escaped, expanded, expanded_text
from kcc.layout.verify import signature
from kcc.source.options import Options
from kcc.syntax import parse_text
from support.syntax_tools import write

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted([*(ROOT / "examples").glob("*.conf"), *(ROOT / "examples" / "templated").glob("*.conf")])


def lines_of(text: str, *, origins: bool = False) -> list[str]:
    return list(expanded(parse_text(text, "t.conf", Findings(), Options(config_id="me")), origins=origins))


def test_definitions_conditions_and_replication_are_carried_out() -> None:
    text = (
        "$VIP=10.0.0.1\n$CHECK= \\\nTCP_CHECK { \\\n  retry 2 \\\n}\nvirtual_server $VIP 80 {\n@me quorum 1\n@other quorum 2\n"
        "~SEQ(i, 1, 2) real_server 10.0.1.$i 80 { weight $i }\n$CHECK\n}\n"
    )
    assert lines_of(text) == [
        "virtual_server 10.0.0.1 80 {",
        "    quorum 1",
        "    real_server 10.0.1.1 80 {",
        "        weight 1",
        "    }",
        "    real_server 10.0.1.2 80 {",
        "        weight 2",
        "    }",
        "    TCP_CHECK {",
        "        retry 2",
        "    }",
        "}",
    ]


def test_origins_name_every_place_on_the_way(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, {"a.conf": "$P=150\ninclude b.conf\n", "b.conf": "vrrp_instance A {\n  priority $P\n}\n"})
    assert main(["expand", str(tmp_path / "a.conf"), "--config-id", "me"]) == 0
    a, b = tmp_path / "a.conf", tmp_path / "b.conf"
    assert capfd.readouterr().out.splitlines() == [
        f"vrrp_instance A {{  # {b}:1 < {a}:2",
        f"    priority 150  # {b}:2 < {a}:1 < {a}:2",
        "}",
    ]


def test_a_long_origin_stands_above_its_line() -> None:
    tree = parse_text("state BACKUP\n", "d/" * 600 + "t.conf", Findings())
    comment, text = expanded(tree)
    assert comment.startswith("# d/d/")
    assert len(comment) < 300
    assert text == "state BACKUP"


def test_comment_signs_that_were_meant_stay_meant() -> None:
    assert lines_of('notify /a\\#b "c # d" \\! x # gone\n') == ['notify /a\\#b "c # d" \\! x']
    assert escaped('a # "#" b!') == 'a \\# "#" b\\!'


@pytest.mark.parametrize("origins", [True, False])
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_the_digest_of_examples_stays(path: Path, origins: bool, tmp_path: Path) -> None:
    options = options_for("krun", "vm")
    first = compile_input(str(path), options)
    from kcc.syntax import parse_file

    text = expanded_text(parse_file(path, Findings(), options), origins=origins)
    (tmp_path / "one.conf").write_text(text)
    again = compile_input(str(tmp_path / "one.conf"), options)
    assert again.files == (str(tmp_path / "one.conf"),)
    assert again.document(allow_errors=True).digest == first.document(allow_errors=True).digest


WORDS = st.sampled_from(
    [
        "state",
        "$A",
        "${A}",
        "${B}",
        '"x { # y"',
        "'p  q'",
        "\\#z",
        "${_HASH}",
        "${_INSTANCE}",
        "a",
        "${UNKNOWN}",
        "\\a",
    ]
)
LINES = st.one_of(
    st.lists(WORDS, min_size=1, max_size=4).map(" ".join),
    st.sampled_from(
        ["@me b", "@you c", "~SEQ(i, 1, 3) d $i", "~LST(j, x, y) e { f ${j} }", "# comment", "", "$A=new"]
    ),
    st.lists(WORDS, min_size=1, max_size=2).map(lambda w: f"track_script {{ {' '.join(w)} }}"),
)


@given(st.lists(LINES, max_size=8))
@settings(max_examples=200, deadline=None)
def test_the_expanded_text_says_the_same(body: list[str]) -> None:
    text = "\n".join(["$A=plain", "$B= \\", "one \\", "two {\\", "}", "vrrp_instance X {", *body, "}"]) + "\n"
    options = Options(config_id="me")
    tree = parse_text(text, "t.conf", Findings(), options)
    for origins in (True, False):
        out = expanded_text(tree, origins=origins)
        again = parse_text(out, "t.conf", Findings(), options)
        assert signature(again.body).digest() == signature(tree.body).digest()


def test_exit_codes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(
        tmp_path,
        {"t.conf": "{% if x %}\na\n{% endif %}\n", "lost.conf": "vrrp_instance A {\n  state BACKUP\n"},
    )
    assert main(["expand", str(tmp_path / "none.conf")]) == 2
    assert main(["expand", str(tmp_path / "t.conf")]) == 2
    capfd.readouterr()
    assert main(["expand", str(tmp_path / "lost.conf"), "--no-origins"]) == 1
    captured = capfd.readouterr()
    assert captured.out == "vrrp_instance A {\n    state BACKUP\n}\n"
    assert "KC0204" in captured.err
