"""``ip_family`` against the address and the servers, in the order of the text."""

from __future__ import annotations

import pytest

from kcc.diagnostics.model import Severity
from support.lowering_cases import compile_text

TEXT = """virtual_server {head} {{
    lvs_sched rr
    lvs_method NAT
    {protocol}
    {above}
    real_server 10.0.0.1 80 {{
        TCP_CHECK {{
        }}
    }}
    {below}
}}
"""


@pytest.mark.parametrize(
    ("head", "above", "below", "line"),
    [
        ("203.0.113.10 80", "ip_family inet6", "", 5),
        ("203.0.113.10 80", "", "ip_family inet6", 10),
        ("203.0.113.10 80", "ip_family inet", "", 0),
        ("fwmark 7", "", "ip_family inet6", 10),
        ("fwmark 7", "", "ip_family inet", 0),
        ("fwmark 7", "ip_family inet", "", 0),
    ],
)
def test_ip_family(head: str, above: str, below: str, line: int) -> None:
    protocol = "" if head.startswith("fwmark") else "protocol TCP"
    lowered, findings = compile_text(TEXT.format(head=head, above=above, below=below, protocol=protocol))
    errors = [(d.code, d.span.line) for d in findings.items if d.severity is Severity.ERROR]
    assert errors == ([("KC0316", line)] if line else [])
    assert [s.family for v in lowered.config.virtual_servers for s in v.services] == ["inet"]


@pytest.mark.parametrize(
    ("above", "below", "errors"),
    [
        ("persistence_granularity 64", "", ["KC0715"]),
        ("persistence_granularity 64", "persistence_granularity 24", ["KC0715"]),
        ("persistence_granularity 255.255.255.0", "", []),
        ("persistence_granularity 129", "", ["KC0722"]),
        ("", "persistence_granularity 255.255.255.0", []),
    ],
)
def test_the_first_mask_tells_the_family_of_a_mark(above: str, below: str, errors: list[str]) -> None:
    _, findings = compile_text(TEXT.format(head="fwmark 7", above=above, below=below, protocol=""))
    assert [d.code for d in findings.items if d.severity is Severity.ERROR] == errors


@pytest.mark.parametrize(
    ("server", "above", "families"),
    [
        ("10.0.0.1", "", ["inet"]),
        ("2001:db8::1", "", []),
        ("10.0.0.1", "persistence_granularity 64", []),
        ("10.0.0.1", "persistence_granularity 255.255.255.0", ["inet"]),
        ("2001:db8::1", "lvs_method TUN", ["inet"]),
    ],
)
def test_what_fixes_the_family_must_be_that_of_the_group(
    server: str, above: str, families: list[str]
) -> None:
    text = "virtual_server_group g {\n203.0.113.10 80\n}\n" + TEXT.format(
        head="group g", above=above, below="", protocol="protocol TCP"
    ).replace("10.0.0.1", server).replace(
        "    lvs_method NAT\n", "" if "TUN" in above else "    lvs_method NAT\n"
    )
    lowered, findings = compile_text(text)
    assert [s.family for v in lowered.config.virtual_servers for s in v.services] == families
    assert ("KC0704" in [d.code for d in findings.items]) == (not families)
