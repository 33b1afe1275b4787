"""``kcc check --cluster`` and ``--host`` as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kcc.cli import main
from kir.facts import dumps
from support.cluster_cases import facts_of

CONF = """\
vrrp_instance VI_1 {{
    interface {interface}
    virtual_router_id 51
    priority {priority}
    authentication {{
        auth_type PASS
        auth_pass {password}
    }}
    virtual_ipaddress {{
        203.0.113.10/24
    }}
}}
"""


def conf(path: Path, priority: int = 100, password: str = "hunter22", interface: str = "eth0") -> Path:
    path.write_text(CONF.format(priority=priority, password=password, interface=interface))
    return path


def facts(path: Path, hostname: str = "director1", interface: str = "eth0") -> Path:
    address = {"address": "203.0.113.1", "prefix": 24, "family": "inet"}
    link = {"name": interface, "mtu": 1500, "flags": ["multicast", "running"], "addresses": [address]}
    path.write_bytes(dumps(facts_of({"hostname": hostname, "interfaces": [link]})))
    return path


def check(*words: str | Path) -> int:
    return main(["check", *map(str, words)])


def test_two_directors_that_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = conf(tmp_path / "a.conf", 150), conf(tmp_path / "b.conf")
    assert check("--cluster", a, b) == 0
    assert capsys.readouterr().out.count("no findings") == 2


def test_a_difference_is_a_finding_of_the_file_where_it_is_repaired(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = conf(tmp_path / "a.conf", 150), conf(tmp_path / "b.conf", password="hunter23")
    assert check(a, b) == 0, "each file alone is in order"
    capsys.readouterr()
    assert check("--cluster", "--format", "json", a, b) == 1
    out = capsys.readouterr().out
    assert "hunter" not in out
    body = json.loads(out)
    assert body["files"] == [str(a), str(b)]
    [found] = body["diagnostics"]
    assert (found["code"], found["file"], found["line"]) == ("KC1106", str(b), 5)
    assert [(r["file"], r["line"]) for r in found["related"]] == [(str(a), 5)]
    assert body["summary"] == {"errors": 1, "warnings": 0, "notes": 0}
    assert check("--cluster", "--ignore", "KC11", a, b) == 0


def test_an_ir_is_a_director_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = conf(tmp_path / "a.conf", 150), conf(tmp_path / "b.conf", 150)
    assert main(["build", str(a), "-o", str(tmp_path / "a.json")]) == 0
    assert check("--cluster", "--strict", tmp_path / "a.json", b) == 1
    assert "KC1113" in capsys.readouterr().out


def test_an_unreadable_director_does_not_hide_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = conf(tmp_path / "a.conf", 150), conf(tmp_path / "b.conf", password="hunter23")
    assert check("--cluster", a, tmp_path / "none.conf", b) == 2
    out = capsys.readouterr().out
    assert "KC1106" in out
    assert "KC1103" not in out


def test_facts_of_the_host(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, f = conf(tmp_path / "a.conf"), facts(tmp_path / "a.facts", interface="ens3")
    assert check("--host", f, a) == 1
    assert "KC1201" in capsys.readouterr().out
    assert check("--host", facts(tmp_path / "b.facts"), a) == 0


def test_one_file_for_all_directors_is_read_for_each_host(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = tmp_path / "keepalived.conf"
    text = CONF.format(priority=100, password="hunter22", interface="eth0")
    one = tmp_path / "1"
    two = tmp_path / "2"
    facts(one, "director1.example.net"), facts(two, "director2")
    shared.write_text(
        text.replace("    priority 100\n", "@director1 priority 150\n@director2 priority 150\n")
    )
    assert check("--cluster", "--strict", "--host", one, "--host", two, shared, shared) == 1
    out = capsys.readouterr().out
    assert "and so has `VI_1` of director1.example.net" in out
    shared.write_text(
        text.replace("    priority 100\n", "@director1 priority 150\n@director2 priority 100\n")
    )
    assert check("--cluster", "--strict", "--host", one, "--host", two, shared, shared) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cluster", "a.conf"], "at least two"),
        (["--cluster", "a.conf", "a.conf"], "the same file twice"),
        (["--cluster", "--host", "a.facts", "a.conf", "b.conf"], "once for each director"),
        (["--host", "a.facts", "--host", "a.facts", "a.conf"], "2 times for 1 file"),
        (["--host", "none.facts", "a.conf"], "cannot be read"),
        (["--host", "a.conf", "a.conf"], "not JSON"),
        (["--host", "list.facts", "a.conf"], "no host facts"),
        (["--host", "new.facts", "a.conf"], "version 9.0"),
        (["--host", "bad.facts", "a.conf"], "no valid host facts"),
        (["--host", "address.facts", "a.conf"], "no valid host facts"),
        (["--host", ".", "a.conf"], "not a regular file"),
    ],
)
def test_wrong_usage(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    conf(tmp_path / "a.conf"), conf(tmp_path / "b.conf"), facts(tmp_path / "a.facts")
    (tmp_path / "list.facts").write_text("[]")
    (tmp_path / "new.facts").write_text('{"facts": "9.0"}')
    (tmp_path / "bad.facts").write_text('{"facts": "1.0", "hostname": 7}')
    good = (tmp_path / "a.facts").read_text()
    (tmp_path / "address.facts").write_text(good.replace("203.0.113.1", "203.0.113.300"))
    assert check(*words) == 2
    assert said in capsys.readouterr().err
