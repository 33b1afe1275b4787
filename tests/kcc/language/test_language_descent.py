"""The descent: blocks, repetition, order, what is unknown, and recovery from all of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from language_texts import codes, nodes

from kcc.diagnostics.model import Findings
from kcc.language import coverage_findings
from kcc.language.descent import descend
from kcc.language.keywords import walk
from kcc.language.parsed import ScriptValue, ServerHead, TrackLine
from kcc.language.tree import Coverage, Kind
from kcc.syntax import parse_text

PAIR = """\
global_defs {
    router_id one
}
vrrp_script chk {
    script "/usr/bin/killall -0 haproxy"
    weight -20
}
vrrp_instance VI_1 {
    state BACKUP
    interface eth0
    virtual_router_id 51
    advert_int 0.5
    track_script {
        chk weight 5
    }
    virtual_ipaddress {
        10.0.0.1/24 dev eth0
        10.0.0.2
    }
}
vrrp_sync_group G {
    group {
        VI_1 VI_2
        VI_3
    }
}
virtual_server 10.0.0.1 80 {
    lb_algo rr
    lb_kind DR
    protocol tcp
    persistence_timeout
    real_server 192.168.0.1 80 {
        weight 0
        HTTP_GET {
            url {
                path /
                status_code 200 301
                status_code 404
            }
        }
    }
}
"""


def test_a_whole_configuration() -> None:
    root, said = nodes(PAIR)
    assert said == []
    assert root.children("global_defs")[0].get("router_id") == "one"
    script = root.children("vrrp_script")[0]
    assert script.head == ("chk",)
    assert script.get("script") == ScriptValue(("/usr/bin/killall", "-0", "haproxy"))
    assert script.get("weight") == (-20, False)
    instance = root.children("vrrp_instance")[0]
    assert instance.get("advert_int") == 500_000
    assert [line.value.address for line in instance.all_lines("virtual_ipaddress")] == [
        "10.0.0.1",
        "10.0.0.2",
    ]
    assert instance.all_lines("track_script")[0].value == TrackLine("chk", 5)
    members = root.children("vrrp_sync_group")[0].all_lines("group")
    assert [m.value for m in members] == ["VI_1", "VI_2", "VI_3"]
    assert [(m.span().line, m.span().column) for m in members] == [(23, 9), (23, 14), (24, 9)]
    service = root.children("virtual_server")[0]
    assert service.head == (ServerHead("10.0.0.1", 80),)
    assert service.get("lvs_sched") == "rr"
    assert service.get("protocol") == "TCP"
    assert service.get("persistence_timeout") == 360
    server = service.children("real_server")[0]
    assert server.head == ("192.168.0.1", 80)
    url = server.children("HTTP_GET")[0].children("url")[0]
    assert [f.value for f in url.repeated["status_code"]] == [((200, 200), (301, 301)), ((404, 404),)]


def test_places_are_those_of_each_line_even_where_lines_repeat() -> None:
    text = "".join(f"vrrp_instance V{i} {{\n  priority 10\n  priority 300\n}}\n" for i in range(3))
    root, said = nodes(text)
    assert [d.span.line for d in said if d.code == "KC0303"] == [3, 7, 11]
    assert [n.fields["priority"].span().line for n in root.children("vrrp_instance")] == [3, 7, 11]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("priorty 5", ["KC0201 error 1"]),
        ("priority 5", ["KC0208 error 1"]),
        ("foo {\n  bar 1\n}", ["KC0202 error 1"]),
        (
            "foo {\n  bar {\n   x y\n  }\n}\nglobal_defs {\n router_id\n}",
            ["KC0202 error 1", "KC0301 error 7"],
        ),
        ("vrrp_instance {\n}", ["KC0301 error 1"]),
        ("vrrp_instance a b {\n priority x\n}", ["KC0209 error 1"]),
        ("vrrp_instance a {\n}\nvrrp_instance a {\n priority x\n}", ["KC0312 error 3"]),
        ("track_file t {\n file /a\n}\nvrrp_track_file t {\n}", ["KC0313 note 4", "KC0312 warning 4"]),
        ("global_defs x {\n}", ["KC0209 warning 1"]),
        ("global_defs {\n router_id a\n}\nglobal_defs {\n router_id b\n}", ["KC0308 warning 5"]),
        ("global_defs {\n router_id a\n router_id a\n}", ["KC0308 note 3"]),
        ("global_defs {\n notify_fifo /a\n notify_fifo /b\n}", ["KC0308 error 3"]),
        ("global_defs {\n nftables\n vrrp_iptables\n}", ["KC0316 warning 3"]),
        ("global_defs {\n notification_email {\n }\n}", ["KC0301 error 2"]),
        ("vrrp_instance a {\n nopreempt {\n  x\n }\n priority 5\n}", ["KC0206 error 2"]),
        ("vrrp_instance a {\n nopreempt true\n}", ["KC0209 note 2"]),
        ("vrrp_instance a {\n nopreempt off\n}", ["KC0209 warning 2"]),
        ("vrrp_instance a {\n interface eth0 priority 5\n}", ["KC0209 warning 2"]),
        ("vrrp_instance a {\n state MASTER\n state BACKUP\n}", ["KC0308 error 3"]),
        ("vrrp_instance a {\n virtual_ipaddress x {\n 10.0.0.1\n }\n}", ["KC0209 error 2"]),
        ("vrrp_instance a {\n thread_timer_expired\n}", ["KC0313 warning 2"]),
        ("vrrp_sync_group g {\n group {\n a\n }\n group {\n b\n }\n}", ["KC0308 error 5"]),
        ("virtual_server_group g {\n 10.0.0.1 80 90\n}", ["KC0209 warning 2"]),
    ],
)
def test_findings(text: str, expected: list[str]) -> None:
    assert codes(text) == expected


def test_an_extra_word_refuses_a_group_but_not_a_list() -> None:
    assert nodes("virtual_server_group a b {\n 10.0.0.1\n}")[0].blocks == []
    root, _ = nodes("vrrp_instance a {\n virtual_ipaddress x {\n 10.0.0.1\n }\n}")
    assert len(root.blocks[0].all_lines("virtual_ipaddress")) == 1


def test_order_of_statements() -> None:
    head = "virtual_server 10.0.0.1 80 {\n"
    assert codes(head + " sorry_server 10.0.0.2\n sorry_server_inhibit\n}") == []
    assert codes(head + " sorry_server_inhibit\n sorry_server 10.0.0.2\n}") == ["KC0314 error 2"]
    assert codes(head + " lvs_sched sh\n sh-port\n hashed\n}") == []
    assert codes(head + " lvs_sched mh\n sh-port\n}") == ["KC0314 warning 3"]
    assert codes(head + " lvs_sched rr\n sh-port\n}") == ["KC0314 error 3"]


def test_state_master_stays() -> None:
    root, _ = nodes("vrrp_instance a {\n state MASTER\n state BACKUP\n}")
    assert root.blocks[0].get("state") == "MASTER"


def test_help_says_what_was_meant() -> None:
    def help_of(text: str) -> str:
        return nodes(text)[1][0].help or ""

    body = "vrrp_instance a {{\n {}\n}}"
    assert help_of(body.format("priorty 5")) == "did you mean `priority`?"
    assert help_of(body.format("virtual_router_di 5")) == "did you mean `virtual_router_id`?"
    assert "without `=`" in help_of(body.format("mcast_src_ip=10.0.0.1"))
    assert "U+00A0" in help_of(body.format("\u00a0priority 5"))
    assert "`track_interface`" in help_of(body.format("track_interfce {\n }"))
    assert "in `virtual_server`" in help_of(body.format("lvs_sched rr"))
    assert "`}` missing" in help_of("global_defs {\n vrrp_instance x {\n }\n}")
    assert "DPVS" in help_of("local_address_group x {\n}")
    assert "local_address_group" not in [k.name for _, k in walk()]


def test_a_lost_brace_does_not_hide_the_block_behind_it() -> None:
    root, said = nodes(
        "vrrp_instance a {\n virtual_ipaddress {\n  10.0.0.1\n  track_interface {\n   eth0\n  }\n }\n}"
    )
    assert [d.code for d in said] == ["KC0206"]
    assert root.blocks[0].all_lines("track_interface")[0].value == TrackLine("eth0")


def test_old_target() -> None:
    text = "vrrp_instance a {\n owner_ignore_adverts\n}"
    assert codes(text, "keepalived-2.2.7") == ["KC0903 error 2"]
    assert codes(text) == []


def _coverage(text: str, building: bool) -> list[str]:
    findings = Findings()
    root = descend(parse_text(text, "t.conf", findings), findings, "krun")
    coverage_findings(root, findings, "krun", building)
    return [f"{d.code} {d.message}" for d in findings.items]


def test_what_krun_does_not_run_is_said_once() -> None:
    """Keywords that stand alone on their line, as many as krun does not run yet."""
    unrun = [
        keyword.name
        for path, keyword in walk()
        if path == f"vrrp_instance > {keyword.name}"
        and keyword.kind is Kind.LEAF
        and keyword.coverage in (Coverage.CARRIED, Coverage.CHECKED)
        and not keyword.deprecated_by
        and all(arg.optional for arg in keyword.args)
    ]
    if not unrun:
        pytest.skip("krun runs every flag of an instance")
    first, *others = unrun
    text = f"vrrp_instance a {{\n {first}\n}}\nvrrp_instance b {{\n {first}\n" + "\n".join(others) + "\n}\n"
    said = [f"krun does not run `{name}` yet" for name in others]
    assert _coverage(text, False) == [
        f"KC0901 krun does not run `{first}` yet (2 times; the first is here)",
        *(f"KC0901 {line}" for line in said),
    ]
    assert [line[:6] for line in _coverage(text, True)] == ["KC0902"] * len(unrun)


def test_what_has_no_meaning_in_krun_is_said_and_keeps_nobody_from_building() -> None:
    text = "global_defs {\n tmp_config_directory /tmp/x\n json_version 2\n}\nnamespace_with_ipsets"
    said = [
        f"KC0901 `{name}` has no meaning in krun"
        for name in ("namespace_with_ipsets", "tmp_config_directory", "json_version")
    ]
    assert sorted(_coverage(text, True)) == sorted(_coverage(text, False)) == sorted(said)
    for path, keyword in walk():
        assert (keyword.coverage is Coverage.MOOT) == bool(keyword.moot), path


def test_values_that_krun_does_not_run() -> None:
    text = "vrrp_instance a {\n authentication {\n  auth_type AH\n  auth_pass x\n }\n virtual_ipaddress {\n  10.0.0.1 use_vmac\n }\n}"
    assert _coverage(text, True) == [
        "KC0902 krun does not run `auth_type AH` yet",
        "KC0902 krun does not run `virtual_ipaddress … use_vmac` yet",
    ]
    assert _coverage("global_defs {\n use_symlink_paths false\n}", True) == []


def test_nothing_is_said_for_keepalived() -> None:
    findings = Findings()
    root = descend(
        parse_text("bfd_instance c {\n neighbor_ip ::1\n}", "t", findings), findings, "keepalived-2.4.3"
    )
    coverage_findings(root, findings, "keepalived-2.4.3", True)
    assert findings.items == []


_NAMES = [keyword.name for _, keyword in walk()]
_VALUES = st.sampled_from(
    ["1", "0", "-1", "x", "true", "10.0.0.1", "::1", '""', "eth0", "99999999999", '"a b"', "NAT", "1.5"]
)


@st.composite
def _bodies(draw: st.DrawFn, depth: int = 0) -> str:
    lines = []
    for _ in range(draw(st.integers(0, 4))):
        name = draw(st.sampled_from(_NAMES))
        words = " ".join(draw(st.lists(_VALUES, max_size=3)))
        if depth < 3 and draw(st.booleans()):
            lines.append(f"{name} {words} {{\n{draw(_bodies(depth + 1))}\n}}")
        else:
            lines.append(f"{name} {words}")
    return "\n".join(lines)


@settings(max_examples=150, deadline=None)
@given(_bodies())
def test_the_descent_never_raises(text: str) -> None:
    findings = Findings()
    root = descend(parse_text(text, "t.conf", findings), findings, "krun")
    coverage_findings(root, findings, "krun", True)
    assert root.keyword.kind is Kind.BLOCK
    last = text.count("\n") + 1
    assert all(0 <= d.span.line <= last for d in findings.items)


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(walk()), st.lists(_VALUES, max_size=4))
def test_every_keyword_takes_any_words_without_raising(found: tuple[str, object], words: list[str]) -> None:
    path = found[0].split(" > ")
    text = (
        "".join(f"{name} 10.0.0.1 {{\n" for name in path[:-1])
        + f"{path[-1]} {' '.join(words)}\n"
        + "}\n" * (len(path) - 1)
    )
    nodes(text)
