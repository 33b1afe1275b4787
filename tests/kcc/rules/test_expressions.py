"""What is surely wrong with a PCRE2 expression; and never a word about one that PCRE2 takes.

The verdicts were compared with pcre2_compile(3) of PCRE2 10.42.
"""

from __future__ import annotations

import re
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcc.lower.lvs.pcre import LONGEST, mistake

VALID = (
    r"ok", r"^OK\b", r"a++b", r"a*+", r"a?+", r"a{2,3}+", r"x{0,65535}", r"(?>a|ab)c", r"(?|(a)|(b))\1", r"\K", r"foo\Kbar",
    r"\R", r"\h+\H*", r"\v\V", r"\X", r"\N+", r"\p{L}\P{Lu}", r"\p{^Greek}", r"\pL\PL", r"\x{ff}", r"\x41", r"\o{101}",
    r"\Q(a[b*\E", r"\Qabc", r"[\Q]\E]", r"\Q\Ea", r"a\E*", r"(?<n>a)\k<n>", r"(?<n>a)\k{n}", r"(?'n'a)\k'n'", r"(?P<n>a)(?P=n)(?P>n)",
    r"(a)\g1", r"(a)\g{1}", r"(a)\g{-1}", r"(a)(?1)", r"(a)(?-1)", r"(?+1)(a)", r"(?R)?a", r"(?&n)(?<n>a)",
    r"(?(1)a|b)(c)", r"(?(<n>)a|b)(?<n>c)", r"(?('n')a|b)(?<n>c)", r"(?(R)a|b)", r"(?(R1)a|b)(c)", r"(?(DEFINE)(?<n>a))(?&n)",
    r"(?(?=a)b|c)", r"(?(?<!a)b|c)", r"(?(+1)a|b)(c)", r"(?(VERSION>=10.0)a|b)", r"(?i)a", r"a(?i)b(?-i)c", r"(?i:a)b", r"(?^)a",
    r"(?s-m:.)", r"(?J)(?<n>a)|(?<n>b)", r"(?U)a+", r"(?#a comment (with)a", r"a(?#c)*", r"(?C)a", r"(?C255)a", r'(?C"a)b")a', r"(?C{a)b}})})a",
    r"(*UTF)a", r"(*ANYCRLF)a", r"(*ACCEPT)", r"a(*SKIP)(*FAIL)|b", r"(*MARK:name)a", r"(*:name)a", r"(*LIMIT_MATCH=10)a",
    r"(*pla:a)b", r"(*atomic:a)", r"(*nlb:a)b", r"(?*a)b", r"(?<*a)b", r"(?<=a|bc)x", r"(?<!ab|c)x", r"(?=a)*", r"(?=a)+b",
    r"[]a]", r"[^]a]", r"[a\]]", r"[a-]", r"[-a]", r"[a-z-9]", r"[a-z--9]", r"[--a]", r"[+--]", r"[\w-]", r"[\d.-]",
    r"[[:alpha:]]", r"[[:^alpha:]_]", r"[[:<:]]a[[:>:]]", r"[a[:digit]b]", r"[a[.b]", r"[\n-\r]", r"[\x00-\x{ff}]", r"[\b]", r"[(]", r"[{*+?]",
    r"a]", r"}", r"{", r"{a}", r"a{,", r"a{b}", r"a{1", r"x{ 1}", r"\(", r"\[", r"\\", r"\.", r"\/", r"\-", r"\é", r"(a|)", r"(|a)", r"()", r"|", r"a||b",
    r"\cA", r"\c[", r"\e\f\a\t", r"\0", r"\012", r"\A\z\Z\G\B", "a b # c", "ä+", "\"'", r"a{2}?", r"\d{3}\s\w+",
)  # fmt: skip

WRONG = (
    (r"(a", "never closed"), (r"((a)", "never closed"), (r"(?:a", "never closed"), (r"(?<n>a", "never closed"), (r"(?(1)a|b", "never closed"),
    (r"a)", "closes nothing"), (r"(a))", "closes nothing"), (r")", "closes nothing"), (r"[a", "never closed"), (r"[]", "never closed"),
    (r"[^]", "never closed"), (r"[a\]", "never closed"), (r"[[:alpha:]", "never closed"), (r"[\Qa]", "never closed"),
    (r"*a", "nothing stands before"), (r"+", "nothing stands before"), (r"(*a)", None), (r"(?:*)", "nothing stands before"), (r"a|*", "nothing stands before"),
    (r"(|+a)", "nothing stands before"), (r"{3}", "nothing stands before"), (r"a|{2,}", "nothing stands before"), (r"a**", "repeated already"),
    (r"a*??", "repeated already"), (r"a{2}?+", "repeated already"), (r"a{5,2}", "ascending"), (r"a{65536}", "65535"), (r"a{1,70000}", "65535"),
    (r"[z-a]", "backwards"), (r"[b-a-]", "backwards"), (r"[0-9z-a]", "backwards"), (r"[[:foo:]]", "there is no class"), (r"[[:Alpha:]]", "there is no class"),
    (r"[:alpha:]", "inside a class"), (r"[[.a.]]", "does not exist"), (r"[[=a=]]", "does not exist"), ("a\\", "escapes nothing"), ("[a\\", "escapes nothing"),
    (r"\y", "means nothing"), (r"\L", "means nothing"), (r"\u0041", "means nothing"), (r"\c", "names no character"), (r"\2(a)", "does not exist"),
    (r"\1", "does not exist"), (r"(?:a)\1", "does not exist"), (r"(?#a", "never closed"),
)  # fmt: skip


@pytest.mark.parametrize("pattern", VALID)
def test_what_pcre2_takes_is_never_refused(pattern: str) -> None:
    assert mistake(pattern) is None


@pytest.mark.parametrize(("pattern", "words"), WRONG)
def test_what_is_surely_wrong_is_named(pattern: str, words: str | None) -> None:
    found = mistake(pattern)
    assert (found is None) if words is None else (found is not None and words in found)


def test_most_of_the_valid_ones_are_beyond_another_engine() -> None:
    """They are worth testing because they are PCRE2's: an engine that knows less refuses them."""
    refused = 0
    for pattern in VALID:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                re.compile(pattern)
        except re.error:
            refused += 1
    assert refused >= 50


@pytest.mark.parametrize(
    ("pattern", "options"),
    [
        ("a # (", ("extended",)),
        ("a # [\n b", ("extended",)),
        ("[]", ("allow_empty_class",)),
        (r"\u0041\U", ("alt_bsux",)),
        (r"(a)\1", ("no_auto_capture",)),
    ],
)
def test_options_change_what_is_valid(pattern: str, options: tuple[str, ...]) -> None:
    assert mistake(pattern, options) is None
    assert mistake("(", options) is not None


@given(st.text(max_size=40) | st.text("()[]{}*+?|\\^$.-:=!<>'QE#0159aznxpk", max_size=30))
def test_any_text_is_judged(pattern: str) -> None:
    found = mistake(pattern)
    assert found is None or len(found) > 10


@given(st.text("(){}[]*+?\\|^$.-", max_size=30))
def test_quoted_text_is_valid(pattern: str) -> None:
    assert mistake(re.escape(pattern)) is None


def test_what_is_very_long_is_not_judged() -> None:
    assert mistake("(" * (LONGEST + 1)) is None
    assert mistake("(" * 10_000) is not None
