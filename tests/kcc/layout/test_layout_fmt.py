"""The canonical layout: what it looks like, and that it says what the text said before."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcc.diagnostics.model import Findings
from kcc.language.descent import descend
from kcc.layout import Refused, formatted
from kcc.lower import lower
from kcc.source.options import Options
from kcc.syntax import parse_text
from kir.canonical import digest


def fmt(text: str, **options: bool) -> str:
    """The formatted text, which must not change when it is formatted again."""
    made = formatted(text.encode(), "t.conf", **options)
    assert formatted(made, "t.conf", **options) == made
    return made.decode()


def meaning(text: str, config_id: str = "me") -> str:
    """The digest of the IR, errors or not."""
    options = Options(target="krun", config_id=config_id)
    findings = Findings()
    tree = parse_text(text, "t.conf", findings, options)
    return digest(lower(descend(tree, findings, "krun"), findings, "krun").config)


def test_the_rules_of_the_layout() -> None:
    made = fmt(
        "! director 1\r\n\r\n\r\n\r\nvrrp_instance   VI_1\n{   # the only one\n\tstate\tMASTER     # for now\n"
        "  interface eth0\n\n\n  virtual_ipaddress { 10.0.0.1/24 }\n}   # end\n\n\n"
    )
    assert made == (
        "! director 1\n\nvrrp_instance VI_1 {  # the only one\n    state MASTER  # for now\n    interface eth0\n\n"
        "    virtual_ipaddress {\n        10.0.0.1/24\n    }\n}  # end\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        " _: {\n _:\n }\n",
        " _:\n _:\n",
        "_: { _: }\n",
        "_: x\n_ { _: }\n",
        "a { b: }\nc: 1\n",
        "_:\n{\n}\n_:\n",
    ],
)
def test_the_layout_does_not_decide_what_kind_of_file_it_is(text: str) -> None:
    """Two keys like those of YAML on top make it no configuration, or do not: before and after formatting alike."""
    try:
        made = fmt(text)
    except Refused as e:
        assert "not a keepalived configuration but YAML" in e.reason
        return
    assert fmt(f"  {text}") == made


def test_a_comment_glued_to_a_word_stays_glued() -> None:
    """It may be the end of a password: `kcc check` must be able to say so afterwards."""
    assert fmt("a {\nauth_pass   Test123!   x\nb c! d\n}# e\n") == (
        "a {\n    auth_pass Test123!   x\n    b c! d\n}  # e\n"
    )


def test_comments_between_a_keyword_and_its_brace_go_into_the_block() -> None:
    assert fmt("vrrp_instance A # one\n# two\n\n{ # three\nstate BACKUP\n}\n") == (
        "vrrp_instance A {  # one\n    # two\n\n    # three\n    state BACKUP\n}\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        "$ADDR=10.0.0.1   10.0.0.2",
        "include   a{b,c}.conf",
        "~SEQ(i,  1, 3) real_server  10.0.0.$i 80 { }",
        "@director1   priority   150",
        "notify_master '/bin/say  hello'",
        "script a\\ \\#b   c",
        "priority ${UNKNOWN}   {",
    ],
)
def test_lines_that_are_expanded_before_parsing_stay_as_they_are(line: str) -> None:
    closing = "}\n" if line.endswith("{") else ""
    assert fmt(f"   {line}   \n{closing}", fragment=True) == f"{line}\n{closing}"


def test_a_definition_of_several_lines_keeps_its_text() -> None:
    text = "vrrp_instance A {\n    $BODY= \\\n          state BACKUP \\\n\t  virtual_ipaddress {   \\\n  10.0.0.1   }\n$BODY\n}\n"
    assert fmt(text, fragment=True) == text.replace("\n$BODY\n", "\n    $BODY\n")


def test_references_to_plain_values_do_not_keep_a_line_as_it_is() -> None:
    text = "$IP=10.0.0.1\nvirtual_server   $IP 80 { protocol TCP }\n"
    assert fmt(text) == "$IP=10.0.0.1\nvirtual_server $IP 80 {\n    protocol TCP\n}\n"


def test_conditions_count_for_the_director_that_they_name() -> None:
    text = "@a vrrp_instance ONE {\n@b vrrp_instance TWO {\nstate BACKUP\n@^a priority 5\n}\n"
    assert (
        fmt(text)
        == "@a vrrp_instance ONE {\n@b vrrp_instance TWO {\n    state BACKUP\n    @^a priority 5\n}\n"
    )


def test_quotes_hold_braces_comment_signs_and_blanks() -> None:
    assert fmt('a {\nnotify "x  { # ! }"   y\n}\n') == 'a {\n    notify "x  { # ! }" y\n}\n'


def test_nothing_stays_nothing() -> None:
    assert fmt("") == ""
    assert fmt("\n\n  \n") == ""
    assert fmt("# only this") == "# only this\n"


def test_bytes_that_are_no_utf8_survive() -> None:
    made = formatted(b"# caf\xe9\n a  b\n", "t.conf")
    assert made == b"# caf\xe9\na b\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("vrrp_instance A {\nstate MASTER\n", 1, "not closed"),
        ("vrrp_instance A {\n}\n}\n", 3, "braces do not balance"),
        ("{% if x %}\nvrrp_instance A {\n}\n{% endif %}\n", 1, "template"),
        ("vrrp_instance A {\nstate ${STATE}\npriority ${PRIO}\n}\n", 2, "not a keepalived configuration"),
        ("vrrp_instance A {\nstate MASTER\nvrrp_instance B {\n}\n}\n", 1, "braces do not balance"),
    ],
)
def test_refusals_name_the_line(text: str, line: int, words: str) -> None:
    with pytest.raises(Refused) as caught:
        formatted(text.encode(), "t.conf")
    assert words in caught.value.reason
    assert caught.value.line == line


def test_a_fragment_may_refer_to_names_of_its_includer() -> None:
    text = "priority   ${PRIO}\nstate ${STATE}\n"
    assert fmt(text, fragment=True) == text
    with pytest.raises(Refused, match="envsubst"):
        formatted(text.encode(), "t.conf")


# --- any text that balances, laid out in any way

BLANKS = st.sampled_from(["", " ", "   ", "\t", " \t "])
SOME = st.sampled_from([" ", "  ", "\t"])
COMMENT = st.sampled_from(["", "", "", "# note { ", '! x } "y', "#", "# end \\"])
LINE_END = st.sampled_from(["\n", "\n", "\n\n\n", "\r\n", "  \n"])
NAMES = ["VI_1", "10.0.0.1/24", '"a { b # c }"', "$VIP", "${VIP}", "'x  y'", "\\#", "${_INSTANCE}", "eth0"]
STATEMENT = st.lists(st.sampled_from(["state", "priority", "interface", *NAMES]), min_size=1, max_size=3)
SPECIAL = st.sampled_from(
    [
        "$MORE= \\\n   state  BACKUP \\\n  { \\\n}",
        "$MORE=a  b",
        "include nowhere/*.conf",
        "~SEQ(i, 1, 2) 10.0.0.$i",
        "@me   nopreempt",
        "@other accept",
        "@^me url {\n@^me }",
        "$MORE",
    ]
)


@st.composite
def messy(draw: st.DrawFn, depth: int = 0) -> str:
    """Statements, blocks, comments and special lines in no order and no layout."""
    out: list[str] = []
    for _ in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["statement", "block", "block", "comment", "special", "empty"]))
        if kind == "empty":
            out.append(draw(LINE_END))
        elif kind == "comment":
            out.append(draw(BLANKS) + "#" + draw(st.sampled_from([" c", "", "{", "}", '"'])) + draw(LINE_END))
        elif kind == "special":
            out.append(draw(BLANKS) + draw(SPECIAL) + "\n")
        elif kind == "statement":
            out.append(draw(BLANKS) + draw(SOME).join(draw(STATEMENT)) + " " + draw(COMMENT) + draw(LINE_END))
        elif depth < 3:
            out.append(draw(BLANKS) + draw(st.sampled_from(["unicast_peer", "url", "track_script"])))
            out.append(draw(st.sampled_from([" {", "{", "\n{", " # a\n\n{", "\n# b\n  {"])))
            out.append(draw(BLANKS) + draw(COMMENT) + "\n")
            out.append(draw(messy(depth=depth + 1)))
            out.append(draw(BLANKS) + "}" + draw(SOME) + draw(COMMENT) + draw(LINE_END))
    return "".join(out)


@given(messy())
@settings(max_examples=150, deadline=None)
def test_any_layout_becomes_the_canonical_one(text: str) -> None:
    text = f"$VIP=10.9.9.9\nvrrp_instance X {{\n{text}\n}}\n"
    made = fmt(text)
    for config_id in ("me", "other", "third"):
        assert meaning(made, config_id) == meaning(text, config_id)
    assert Counter(re.findall(r"[#!{}\"]", made)) == Counter(re.findall(r"[#!{}\"]", text))
    assert "\r" not in made
    assert "\n\n\n" not in made


TOKENS = [
    *("{", "}", "\n", "\n", " ", '"a { b"', '"', "# c", "! d", "\\#", "\\", "\\\n", "'q  r'", "\r\n", ";"),
    *(
        "$X=",
        "$X",
        "${X}",
        "${_HASH}",
        "$Y=5",
        "${Y}",
        "@h1 ",
        "@^h1 ",
        "include foo",
        "~SEQ(i, 1, 2) ",
        "$X = 5",
    ),
    *("vrrp_instance", "VI_1", "priority 5", "real_server 10.0.0.1 80"),
]


@given(st.lists(st.sampled_from(TOKENS), max_size=30))
@settings(max_examples=150, deadline=None)
def test_whatever_it_is_given_it_formats_faithfully_or_refuses(tokens: list[str]) -> None:
    text = " ".join(tokens)
    try:
        made = formatted(text.encode(), "t.conf", fragment=True)
    except Refused as e:
        assert e.reason
        return
    assert formatted(made, "t.conf", fragment=True) == made
    for config_id in ("h1", "me"):
        assert meaning(made.decode(), config_id) == meaning(text, config_id)
