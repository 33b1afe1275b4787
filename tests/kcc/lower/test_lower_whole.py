"""The whole language reaches the IR: whatever keyword is written changes it, it survives the disk, and can be taken out again."""

from __future__ import annotations

import functools
import json

import pytest

from kcc.language.keywords import ROOT, walk
from kcc.language.tree import CHECKED, Keyword, Kind
from kir import features
from kir.canonical import canonical, digest
from kir.codec import document, dumps, loads
from kir.diff import diff, plain
from kir.model import Config
from support.lowering_cases import compile_text
from support.whole_language import VALUES, WHOLE, without_line

# Keywords without a field of their own: old forms, defaults, what is resolved into other objects.
SAME = ("preempt", "accept", "debug", "include_check", "smtp_alert")

# Defaults that the sample overrides, each with a text where it shows.
ELSEWHERE = (
    "use_pid_dir",
    "global_defs {\nprocess_names\n}",
    "global_defs {\nsmtp_alert off\n}",
    "global_defs {\nvrrp_strict\n}",
    "global_defs {\nvrrp_min_garp\n}",
    "global_defs {\nvrrp_iptables\n}",
    "global_defs {\nenable_snmp_rfc\n}",
)


def test_nothing_is_only_checked() -> None:
    assert [path for path, keyword in walk() if keyword.coverage is CHECKED] == []


def test_the_sample_says_every_block_and_leaf() -> None:
    """Each keyword stands in the sample or has a line of its own in the table."""
    missing = []

    def look(keyword: Keyword, path: str) -> None:
        for child in keyword.children:
            below = f"{path} > {child.name}" if path else child.name
            last = below.rsplit(" > ", 1)[-1]
            if child.alias_of or child.deprecated_by:
                continue
            if not any(line.split()[:1] == [last] for line in WHOLE.splitlines()) and below not in VALUES:
                missing.append(below)
            if child.kind is Kind.BLOCK:
                look(child, below)

    look(ROOT, "")
    assert missing == []


@functools.cache
def whole() -> Config:
    lowered, findings = compile_text(WHOLE)
    errors = [f"{d.span.line}: {d.message}" for d in findings.items if d.severity.word == "error"]
    assert errors == []
    return canonical(lowered.config)


LINES = [
    n
    for n, line in enumerate(WHOLE.splitlines())
    if line.strip() not in ("", "}")
    and not line.rstrip().endswith("{")
    and "# same: " not in line
    and line.split()[0] not in SAME
]


@pytest.mark.parametrize("number", LINES, ids=[WHOLE.splitlines()[n].strip()[:50] for n in LINES])
def test_each_line_changes_the_meaning(number: int) -> None:
    line = WHOLE.splitlines()[number].split()
    lowered, _ = compile_text(without_line(WHOLE, number))
    assert digest(lowered.config) != digest(whole()), f"`{' '.join(line)}` leaves no trace"
    assert diff(canonical(lowered.config), whole())


@pytest.mark.parametrize("text", ELSEWHERE)
def test_what_the_sample_hides_shows_elsewhere(text: str) -> None:
    router = "vrrp_instance V {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1\n}\n}\n"
    pool = (
        "virtual_server 10.0.0.1 80 {\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\n"
        "real_server 10.0.0.2 80 {\nTCP_CHECK {\n}\n}\n}\n"
    )
    before, _ = compile_text(router + pool)
    after, _ = compile_text(f"{text}\n{router}{pool}")
    assert digest(before.config) != digest(after.config)


def test_it_survives_the_disk() -> None:
    config = whole()
    again = loads(dumps(document(config)))
    assert again.config == config
    assert diff(again.config, config) == []


def test_what_krun_does_not_run_can_be_taken_out() -> None:
    config = whole()
    needed = set(features.needed(config))
    assert features.NOT_RUN - needed == set(), "a feature that the sample does not need"
    left = features.without(config)
    assert not set(features.needed(left)) & features.NOT_RUN
    assert set(features.needed(left)) == needed - features.NOT_RUN
    for name in features.NOT_RUN:
        assert name not in features.needed(features.without(config, frozenset((name,)))), name


def test_no_secret_shows() -> None:
    config = whole()
    shown = json.dumps(plain(config)) + repr(config)
    for secret in ("s3cr3t", "tlspw", "30313233"):
        assert secret not in shown
