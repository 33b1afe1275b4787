"""A state document in which everything happens at once: for what is made from it."""

from __future__ import annotations

import time
from typing import Any

from krun.vrrp.counters import NAMES


def state() -> dict[str, Any]:
    now = time.time()
    counters = dict.fromkeys(NAMES, 0) | {
        "advert_rcvd": 7,
        "advert_sent": 3,
        "auth_failure": 2,
        "become_master": 1,
    }
    return {
        "parent": {"release": "1", "pid": 1, "state": "running", "since": now, "kernel": "linux", "run_dir": "/r"},
        "processes": [
            {"name": "vrrp", "pid": 7, "state": "running", "restarts": 2, "since": now, "answered": True,
             "problem": None, "hello_age_s": 0.25, "pss_kb": 10, "reasons": {"stuck": 2}, "loop": {
                 "bounds_us": [1000, 500000], "budget_us": 20000,
                 "lateness": {"timer": {"count": 5, "sum_us": 702000, "max_us": 700000, "p99_us": 700000, "buckets": [3, 1, 1]},
                              "advert": {"count": 2, "sum_us": 1500, "max_us": 1100, "p99_us": 1100, "buckets": [1, 1, 0]}},
                 "overruns": {"krun.vrrp.process.VrrpChild.commit": {"count": 4, "max_us": 90000}},
                 "pauses": {"count": 2, "total_us": 4400000, "longest_us": 4000000, "last_at": now},
                 "gc": {"frozen": 9, "skipped": 0, "pauses": {"count": 6, "sum_us": 3000, "max_us": 900, "p99_us": 900,
                                                              "buckets": [6, 0, 0]}}}},
            {"name": "check", "pid": 0, "state": "waiting", "restarts": 3, "since": 0.0, "answered": False,
             "problem": "x", "hello_age_s": None, "pss_kb": None}],
        "vrrp": [
            {"name": "VI_1", "interface": "eth0", "vrid": 51, "version": 2, "family": "inet", "state": "MASTER",
             "priority": 100, "effective_priority": 90, "master": "192.0.2.1", "since": now, "faults": [],
             "vips": ["192.0.2.9/24 dev eth1"], "garp_delay_us": 5_000_000, "counters": counters,
             "addresses": [
                 {"address": "192.0.2.9", "prefix": 24, "device": "eth1", "excluded": False},
                 {"address": "192.0.2.8", "prefix": 32, "device": "eth1", "excluded": True}]}],
        "sync_groups": [{"name": "G", "state": "FAULT", "members": ["VI_1"]}],
        "trackers": [{"kind": "script", "name": "chk", "state": "up"}, {"kind": "script", "name": "new", "state": "undecided"}],
        "virtual_servers": [
            {"name": "tcp 10.0.0.1:80", "services": ["tcp 10.0.0.1:80"], "scheduler": "wlc",
             "quorum": {"up": False, "weight": 0, "needed": 1, "hysteresis": 0},
             "sorry_server": {"identity": "10.0.0.9:80", "active": True, "inhibit": False},
             "real_servers": [
                 {"identity": "10.0.0.2:80", "state": "down", "weight": 5, "effective_weight": 0, "connections": 12,
                  "checkers": [{"checker": "TCP_CHECK 0", "state": "down", "runs": 9, "failed_runs": 4}]}]}],
        "ir": {"path": "/ir.json", "digest": "sha256:0", "version": "1.0", "loaded_at": now, "source": "kept"},
        "last_reload": {"result": "rolled back", "at": now, "duration_us": 1500, "operations": {"ipvs.edit_dest": 1},
                        "failures": ["a"]},
        "confirm": {"left_s": 12.5}, "undo": {"digest": "x"},
        "store": {"file": "f", "problem": "disk full", "writes": 4, "failures": 2, "overlays": 1},
        "promises": [{"name": "vrrp", "file": None, "problem": "not on tmpfs", "octets": 128, "lost": 3}],
        "overlays": [{"virtual_server": "tcp 10.0.0.1:80", "real_server": "10.0.0.2:80", "left_s": 3.0, "in_effect": True}],
        "drains": [{"service": "tcp 10.0.0.1:80", "real_server": None, "connections": None},
                   {"service": "tcp 10.0.0.1:80", "real_server": "10.0.0.7:80", "connections": 3}],
        "alarms": ["a", "b"],
        "counters": {"reloads_done": 3, "reloads_rolled_back": 1, "restarts": 5},
        "extra": {
            "vrrp": {"mail": {"queue": 2, "sent": 5, "failed": 1, "dropped": 0, "retries": 3},
                     "unknown_vrids": [{"socket": "224.0.0.18 on eth0", "vrid": 99, "count": 5}]},
            "check": {"ipvs": {"writes": 8, "services": 1, "foreign_services": 2, "refused": True, "repairs": 1,
                               "drift": 3, "left_alone": ["x"]}, "checks": {"under_way": 1, "waiting": 0}},
            "script": {"running": [{}], "waiting": 2, "ended": {"exited": 4}},
            "metrics": {"address": "unix:/m", "scrapes": 6, "refused": 1}},
    }  # fmt: skip
