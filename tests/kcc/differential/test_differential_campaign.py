"""`keepalived -t` and `kcc check` on configurations grown from the keyword tree: no disagreement that is not explained."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

FUZZ = Path(__file__).resolve().parents[3] / "fuzz"


@pytest.fixture(scope="module")
def differential() -> Iterator[ModuleType]:
    sys.path.insert(0, str(FUZZ))
    try:
        yield importlib.import_module("differential")
    finally:
        sys.path.remove(str(FUZZ))


def test_what_is_grown_is_mostly_valid(differential: ModuleType) -> None:
    """Without mistakes made on purpose most configurations have no error: else the campaign would test refusals only."""
    import random

    clean = 0
    for seed in range(60):
        text = "\n".join(differential.render(differential.Grower(random.Random(seed)).configuration())) + "\n"
        clean += not [d for d in differential.check(text) if d.severity is differential.Severity.ERROR]
    assert clean >= 20


def test_every_type_of_argument_is_grown(differential: ModuleType) -> None:
    import random

    from kcc.language.arguments.base import Arg, Many, Optional, Rare
    from kcc.language.keywords import walk

    def kind(arg: Arg) -> str:
        if isinstance(arg, (Many, Optional)):
            return kind(arg.arg)
        return arg.name if isinstance(arg, Rare) else type(arg).__name__

    known = sys.modules["values"].VALID
    used = set()
    for path, keyword in walk():
        for arg in (*keyword.args, *([keyword.line] if keyword.line is not None else [])):
            used.add(kind(arg))
            grower = differential.Grower(random.Random(path))
            assert all(isinstance(word, str) for word in grower.words(arg, keyword)), path
    assert used <= known.keys()


def test_patterns_are_narrow(differential: ModuleType) -> None:
    """A pattern that a code or a keyword alone matches would hide the next mistake there."""
    pattern = differential.explained()
    for keyword in (
        "vrrp_instance > use_vmac",
        "virtual_server > real_server",
        "track_script",
        "static_routes",
        "",
    ):
        for message in (
            "KC0702 ",
            "KC0714 x",
            "KC0506 x",
            "KC0307 x",
            "Unknown keyword",
            "(n1) something is wrong",
        ):
            assert not pattern.search(f"{keyword}: {message}"), (keyword, message)
    assert pattern.search(" > virtual_server: KC0702 `virtual_server 10.0.0.1 80` is defined twice")


def test_what_is_gone_with_its_definition_is_one_mistake(differential: ModuleType) -> None:
    from kcc.diagnostics.model import Severity

    text = ["track_file n1 {", "}", "vrrp_instance a {", "    track_file {", "        n1", "    }", "}"]
    ours = [d for d in differential.check("\n".join(text) + "\n") if d.severity is Severity.ERROR]
    message = "(a) track file n1 not found, ignoring..."
    verdict = sys.modules["oracle"].Verdict(5, {5: [message]}, [], set(), False)
    assert not [d for d in differential.compare(text, verdict, ours) if d.missed]
    other = sys.modules["oracle"].Verdict(5, {5: [message.replace("n1", "n2")]}, [], set(), False)
    assert [d.line for d in differential.compare(text, other, ours) if d.missed] == [5]


def test_a_refused_value_may_have_fixed_the_family(differential: ModuleType) -> None:
    text = [
        "vrrp_instance a {",
        "    mcast_dst_ip ::1",
        "    virtual_ipaddress {",
        "        10.0.0.1",
        "    }",
        "}",
    ]
    message = "(a): address family must match VRRP instance [10.0.0.1/32] - ignoring"
    verdict = sys.modules["oracle"].Verdict(5, {4: [message]}, [], set(), False)
    ours = [d for d in differential.check("\n".join(text) + "\n") if d.span.line == 2]
    assert [d.code for d in ours] == ["KC0306"]
    assert not [d for d in differential.compare(text, verdict, ours) if d.missed]
    assert [d.line for d in differential.compare(text, verdict, []) if d.missed] == [4]


def test_a_difference_is_seen_and_made_small(differential: ModuleType) -> None:
    text = ["vrrp_instance a {", "    state MASTER", "}"]
    verdict = sys.modules["oracle"].Verdict(5, {2: ["nonsense"]}, [], set(), False)
    found = list(differential.compare(text, verdict, []))
    assert [(d.missed, d.keyword, d.line) for d in found] == [(True, "vrrp_instance > state", 2)]
    assert not list(
        differential.compare(text, sys.modules["oracle"].Verdict(139, {2: ["x"]}, [], set(), False), [])
    )


@pytest.mark.keepalived
@pytest.mark.netns
@pytest.mark.slow
def test_no_unexplained_disagreement(differential: ModuleType) -> None:
    if "v2.2.7" not in differential.release():
        pytest.skip("the expectations are of keepalived 2.2.7")
    try:
        oracle = differential.Oracle()
    except OSError as e:
        pytest.skip(str(e))
    with oracle:
        judged, found = differential.campaign(oracle, 20_000, 600, 400, differential.explained())
    assert judged == 400
    assert not found, "\n\n".join(found.values())
