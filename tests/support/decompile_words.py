"""Hypothesis strategies for the words of a configuration: names, commands, accounts, durations, addresses.

Beside `support.ir_strategies`, whose small worlds overlap for diffs: here everything is said that text can say.
"""

from __future__ import annotations

import ipaddress

from hypothesis import strategies as st

from kir.model import Account, Script

SECOND = 1_000_000
ODD = " #!{}@$~'\\.,:;=%äé°"
words = st.one_of(
    st.sampled_from(
        ["edge1", "@x", "$X", "$X=1", "~SEQ(a)", "include", "a b", "#", "!", "{", "}", "it's", "-"]
    ),
    st.text(st.sampled_from("abcXYZ019_-/" + ODD), min_size=1, max_size=10),
).filter(lambda w: not w.endswith("\\"))
"""Words of the language: anything but double quotes and line ends, and no backslash at the end."""

arguments = st.text(
    st.one_of(
        st.sampled_from("abc/ \"'\\$#!{}\n\t~`°"),
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    ),
    max_size=8,
)
users = st.sampled_from(["nobody", "www-data", "keepalived script"])
accounts = st.one_of(
    st.just(Account()),
    st.builds(Account, user=users, group=st.none() | users, supplementary=st.booleans()),
)
programs = st.one_of(st.sampled_from(["/bin/true", "/opt/a b/c", "check"]), arguments).filter(
    lambda a: a != "" and not a.startswith("<")
)
argvs = st.builds(lambda first, rest: (first, *rest), programs, st.lists(arguments, max_size=3))
scripts = st.builds(Script, argv=argvs, account=accounts)
maybe_script = st.none() | scripts


def us(low: int, high: int) -> st.SearchStrategy[int]:
    """Microseconds: whole seconds, or anything."""
    return st.one_of(
        st.integers(low // SECOND + 1, high // SECOND).map(lambda s: s * SECOND), st.integers(low, high)
    )


whole = st.integers(0, 4294).map(lambda s: s * SECOND)


def address(family: str) -> st.SearchStrategy[str]:
    if family == "inet":
        return st.integers(0x0A000001, 0x0A0000FF).map(lambda n: str(ipaddress.IPv4Address(n)))
    base = int(ipaddress.IPv6Address("2001:db8::"))
    return st.integers(1, 0xFFFF).map(lambda n: str(ipaddress.IPv6Address(base + n)))
