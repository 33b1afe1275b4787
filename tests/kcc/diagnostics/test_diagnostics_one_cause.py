"""One mistake, one message: each line of a good configuration is spoilt in turn, and each time at most one finding may come of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kcc.compile import compile_input, options_for
from kcc.diagnostics.causes import one_cause
from kcc.diagnostics.model import Diagnostic, Findings, Severity, Span

GOOD = """\
global_defs {
    router_id director1
    enable_script_security
    script_user nobody
    notification_email {
        ops@example.net
    }
    smtp_server 192.0.2.25
    vrrp_garp_master_refresh 60
}
vrrp_script chk_web {
    script "/usr/bin/pgrep -x nginx"
    interval 2
    timeout 2
    weight -60
}
vrrp_sync_group BOTH {
    group {
        VI_1
        VI_2
    }
    sync_group_tracking_weight
}
vrrp_instance VI_1 {
    state BACKUP
    interface eth0
    virtual_router_id 51
    version 2
    priority 150
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass secret
    }
    unicast_src_ip 192.0.2.1
    unicast_peer {
        192.0.2.2
    }
    virtual_ipaddress {
        203.0.113.10/24 dev eth0
    }
    track_script {
        chk_web
    }
    track_interface {
        eth1
    }
}
vrrp_instance VI_2 {
    state BACKUP
    interface eth1
    virtual_router_id 52
    priority 150
    version 3
    virtual_ipaddress {
        10.0.0.1/24
    }
}
virtual_server_group web {
    203.0.113.10 80
    203.0.113.11 80
}
virtual_server group web {
    delay_loop 6
    lvs_sched wlc
    lvs_method NAT
    protocol TCP
    persistence_timeout 60
    sorry_server 10.0.0.9 80
    quorum 2
    hysteresis 1
    real_server 10.0.0.11 80 {
        weight 2
        TCP_CHECK {
            connect_timeout 3
        }
    }
    real_server 10.0.0.12 80 {
        HTTP_GET {
            url {
                path /
                status_code 200
            }
        }
    }
    real_server 10.0.0.13 80 {
        MISC_CHECK {
            misc_path "/usr/bin/true"
            misc_timeout 5
        }
    }
}
virtual_server 203.0.113.12 443 {
    lvs_sched wlc
    lvs_method DR
    protocol TCP
    real_server 10.0.0.11 443 {
        TCP_CHECK {
        }
    }
}
"""
LINES = GOOD.splitlines()

RENAMED = "vrrp_script chk_web {"
"""Another name for it is two findings: nothing says that the unknown name and the unused one are the same mistake."""


def _spoilt() -> Iterator[tuple[str, int, str]]:
    """What was done, at which line, and the line after it."""
    for n, line in enumerate(LINES):
        words = line.split()
        if not words or words == ["}"]:
            continue
        first = words[0]
        if first[0].isalpha():
            swapped = first[:-2] + first[-1] + first[-2] if first[-1] != first[-2] else first[:-1]
            yield "misspelt", n, line.replace(first, swapped, 1)
        if len(words) > 1 and words[1] != "{":
            if line != RENAMED:
                yield "nonsense", n, line.replace(words[1], "%&/", 1)
            yield "missing", n, line.replace(" " + words[1], "", 1)
        elif len(words) == 1:
            yield "longer", n, line.replace(first, first + "%x")
        if words[-1] == "{":
            yield "braceless", n, line.replace(" {", "", 1)


@pytest.mark.parametrize(("what", "number", "line"), list(_spoilt()), ids=lambda v: str(v).strip())
def test_one_message(what: str, number: int, line: str, tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    path.write_text("\n".join([*LINES[:number], line, *LINES[number + 1 :]]) + "\n")
    found = compile_input(str(path), options_for("keepalived-2.2.7")).findings
    assert len(found.items) <= 1, [(d.code, d.span.line, d.message) for d in found.items]
    assert found.errors == sum(d.severity is Severity.ERROR for d in found.items)
    for d in found.items if what != "nonsense" else ():
        assert d.span.line == number + 1


def test_what_is_right_has_no_message(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    path.write_text(GOOD)
    assert compile_input(str(path), options_for("keepalived-2.2.7")).findings.items == []


def test_two_mistakes_are_two_messages(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    path.write_text(GOOD.replace("lvs_sched wlc", "lvs_shced wlc", 1).replace("    lvs_sched wlc\n", "", 1))
    codes = [d.code for d in compile_input(str(path), options_for("keepalived-2.2.7")).findings.items]
    assert codes == ["KC0201", "KC0709"]


def test_a_warning_becomes_the_error_that_it_caused() -> None:
    findings = Findings()
    findings.report("KC0108", "`$PRIO` is not defined", Span("a", 4, 14, 4, 19), consequence="stays as it is")
    findings.report("KC0302", "no number", Span("a", 4, 14, 4, 19), consequence="100 is used instead")
    one_cause(findings)
    (only,) = findings.items
    assert (only.code, only.severity, only.consequence) == ("KC0108", Severity.ERROR, "100 is used instead")
    assert findings.errors == 1


def test_what_is_left_points_at_the_names_that_lead_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    path.write_text(GOOD.replace("vrrp_script chk_web", "vrrp_scritp chk_web"))
    (only,) = compile_input(str(path), options_for("keepalived-2.2.7")).findings.items
    assert isinstance(only, Diagnostic)
    assert [(r.span.line, r.message) for r in only.related] == [(43, "there is no `vrrp_script chk_web`")]


def test_a_value_that_was_only_cut_hides_nothing(tmp_path: Path) -> None:
    """A password that is too long is still a password: what version 3 makes of it is a mistake of its own."""
    conf = tmp_path / "keepalived.conf"
    conf.write_text(
        "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n version 3\n"
        " authentication {\n  auth_type PASS\n  auth_pass muchtoolong\n }\n virtual_ipaddress {\n  10.0.0.1/24\n }\n}\n"
    )
    found = compile_input(str(conf), options_for("keepalived-2.2.7")).findings.items
    assert [(d.code, d.span.line) for d in found if d.severity is Severity.ERROR] == [
        ("KC0514", 6),
        ("KC0309", 7),
    ]


ONE_CAUSE = {
    "a retry that is refused": (
        "virtual_server 10.0.0.1 80 {\n delay_loop 10\n protocol TCP\n lvs_sched rr\n lvs_method NAT\n"
        " real_server 10.0.0.2 80 {\n  TCP_CHECK {\n   connect_timeout 20\n   retry three\n  }\n }\n}\n",
        "KC0302",
    ),
    "a link-local address that is refused": (
        "vrrp_instance VI_6 {\n interface eth0\n virtual_router_id 6\n virtual_ipaddress {\n  fe80::zz/64\n"
        "  2001:db8::10/64\n }\n}\n",
        "KC0306",
    ),
    "a group without a line": (
        "virtual_server_group web {\n}\nvirtual_server group web {\n protocol TCP\n lvs_sched rr\n lvs_method NAT\n"
        " real_server 10.0.0.2 80 {\n  TCP_CHECK {\n  }\n }\n}\n",
        "KC0704",
    ),
    "a number in typographic quotes": (
        "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id “51”\n virtual_ipaddress {\n  10.0.0.1/24\n }\n}\n",
        "KC0118",
    ),
    "an assignment": (
        "vrrp_instance VI_1 {\n interface = eth0\n virtual_router_id 51\n virtual_ipaddress {\n  10.0.0.1/24\n }\n}\n",
        "KC0307",
    ),
    "a keyword behind a blank that is none": (
        "vrrp_instance VI_1 {\n\u00a0interface eth0\n virtual_router_id 51\n virtual_ipaddress {\n  10.0.0.1/24\n }\n}\n",
        "KC0201",
    ),
    "a source address that is refused": (
        "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n mcast_src_ip 192.0.2.300\n track_src_ip\n"
        " virtual_ipaddress {\n  10.0.0.1/24\n }\n}\n",
        "KC0306",
    ),
}


@pytest.mark.parametrize(("text", "code"), ONE_CAUSE.values(), ids=ONE_CAUSE.keys())
def test_what_follows_is_not_told(text: str, code: str, tmp_path: Path) -> None:
    path = tmp_path / "keepalived.conf"
    path.write_text(text)
    findings = compile_input(str(path), options_for("keepalived-2.4.3")).findings
    assert [(d.code, d.severity) for d in findings.items] == [(code, Severity.ERROR)]
    assert findings.errors == 1
