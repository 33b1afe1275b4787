"""What ``krunctl status`` shows."""

from __future__ import annotations

import io
import time
from typing import Any

from rich.console import Console

from krun.control import table


def state() -> dict[str, Any]:
    now = time.time()
    return {
        "parent": {"release": "1", "pid": 1, "state": "running", "since": now, "kernel": "linux", "run_dir": "/run/krun"},
        "processes": [
            {"name": "vrrp", "pid": 7, "state": "running", "restarts": 0, "since": now - 3700, "answered": True,
             "problem": None, "hello_age_s": 0.1, "pss_kb": 10240},
            {"name": "check", "pid": 0, "state": "waiting", "restarts": 3, "since": now - 5, "answered": False,
             "problem": "it ended with exit status 9", "hello_age_s": None, "pss_kb": None},
        ],
        "vrrp": [
            {"name": "VI_1", "interface": "eth0", "vrid": 51, "version": 3, "state": "MASTER", "priority": 100,
             "effective_priority": 90, "master": "192.0.2.1", "since": now - 200_000, "vips": ["192.0.2.9/24 dev eth0"]}
        ],
        "sync_groups": [{"name": "G", "state": "MASTER", "members": ["VI_1", "VI_2"]}],
        "trackers": [{"kind": "script", "name": "chk", "state": "up", "counter": 3, "rise": 2, "fall": 2}],
        "virtual_servers": [
            {"name": "tcp 10.0.0.1:80", "quorum": {"up": False, "weight": 0, "needed": 1, "hysteresis": 0},
             "sorry_server": {"identity": "10.0.0.9:80", "active": True, "inhibit": False},
             "real_servers": [
                 {"identity": "10.0.0.2:80", "state": "down", "weight": 5, "effective_weight": 0,
                  "checkers": [{"checker": "TCP_CHECK 0", "state": "down", "reason": "connection refused"},
                               {"checker": "HTTP_GET 1", "state": "down", "reason": "connection refused"},
                               {"checker": "PING_CHECK 2", "state": "up", "reason": ""}]}]}
        ],
        "ir": {"path": "/etc/krun/ir.json", "digest": "sha256:" + "0" * 64, "version": "1.0", "loaded_at": now},
        "last_reload": {"result": "done", "at": now, "requested_by": "SIGHUP", "path": "x", "digest": "y",
                        "duration_us": 1500, "operations": {"ipvs.edit_dest": 1}, "total": 1, "failures": ["a"],
                        "reason": None},
    }  # fmt: skip


def test_plain_text_has_no_escapes_and_says_it_all() -> None:
    text = table.plain(state())
    assert "\x1b" not in text
    for words in (
        "1h 1m", "10.0 MB", "exit status 9", "90 (100)", "2d 7h", "192.0.2.9/24 dev eth0", "VI_1 VI_2",
        "3 (rise 2, fall 2)", "down (weight 0, quorum 1), sorry server 10.0.0.9:80 answers", "0 (5)",
        "TCP_CHECK 0, HTTP_GET 1 down (connection refused); PING_CHECK 2 up\n", "last reload done", "ipvs.edit_dest 1, 1 failed",
    ):  # fmt: skip
        assert words in text, words
    assert all(line == line.rstrip() for line in text.splitlines())


def test_the_table_on_a_terminal_says_the_same() -> None:
    out = io.StringIO()
    table.render(state(), Console(file=out, width=200, force_terminal=True, highlight=False))
    text = out.getvalue()
    assert "\x1b[32mMASTER" in text
    assert "sorry server 10.0.0.9:80 answers" in text


def test_markup_in_names_is_text() -> None:
    odd = state()
    odd["vrrp"][0]["name"] = "[bold]X[/bold]"
    out = io.StringIO()
    table.render(odd, Console(file=out, width=200, highlight=False))
    assert "[bold]X[/bold]" in out.getvalue()


def test_empty_parts_are_left_out() -> None:
    small = state() | {"virtual_servers": [], "trackers": [], "last_reload": None}
    text = table.plain(small)
    assert "VIRTUAL SERVERS" not in text
    assert "last reload" not in text


def test_routes_of_masters_and_static_things() -> None:
    routed = state()
    routed["vrrp"][0]["routes"] = [{"name": "10.9.0.0/16 via 192.0.2.254", "present": True}]
    routed["vrrp"].append(
        routed["vrrp"][0]
        | {"name": "VI_2", "state": "BACKUP", "routes": [{"name": "10.8.0.0/16", "present": False}]}
    )
    routed["extra"] = {
        "vrrp": {"static": {"addresses": [], "routes": [], "rules": [
            {"name": "inet 77 from 10.7.0.1/32 table 99", "present": False, "problem": "there is no table x"}]}}
    }  # fmt: skip
    text = table.plain(routed)
    assert "VI_1    10.9.0.0/16 via 192.0.2.254        there" in text
    assert "static  inet 77 from 10.7.0.1/32 table 99  there is no table x" in text
    assert "10.8.0.0/16" not in text, "a backup holds no routes"
