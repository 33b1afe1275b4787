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
