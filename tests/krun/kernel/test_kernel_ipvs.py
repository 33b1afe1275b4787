"""IPVS: against the real one in the lab's kernel, and what can be said without it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from kernel_guest.ipvs_scenarios import SCENARIOS
from krun.kernel.door import KernelUnavailable
from krun.kernel.ipvs import LinuxIpvs, parse_connections
from krun.kernel.netlink import generic
from lab import kernel_lab, needs

TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def played() -> dict[str, dict[str, Any]]:
    """Every scenario, played in one kernel; by name."""
    needs.require_kernel_lab()
    # One kernel for all: booting takes longer than most of them.
    argv = [sys.executable, "-m", "kernel_guest.ipvs_scenarios"]
    outcome = kernel_lab.run(argv, timeout=180, cwd=TESTS, env={"PYTHONPATH": str(TESTS)})
    assert outcome.status == 0, f"{outcome.lab_error}\n{outcome.stdout}\n{outcome.stderr}"
    results = [json.loads(line) for line in outcome.stdout.splitlines() if line.startswith('{"name"')]
    return {result["name"]: result for result in results}


@pytest.mark.lab
@pytest.mark.parametrize("name", SCENARIOS)
def test_in_a_real_kernel(name: str, played: dict[str, dict[str, Any]], record_property: Any) -> None:
    result = played[name]
    if result["figures"]:
        record_property("figures", {"table": "IPVS by netlink, in the lab", "row": name, **result["figures"]})
    assert result["error"] is None, result["error"]


def test_a_kernel_without_ipvs_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("krun.kernel.ipvs.family_number", lambda sock, name: None)
    monkeypatch.setattr("krun.kernel.ipvs._load_module", lambda: None)
    with pytest.raises(KernelUnavailable) as refused:
        LinuxIpvs()
    assert "modprobe ip_vs" in str(refused.value) and "CONFIG_IP_VS" in str(refused.value)


def test_a_module_that_can_be_loaded_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[bool] = []
    monkeypatch.setattr("krun.kernel.ipvs.family_number", lambda sock, name: 33 if loaded else None)
    monkeypatch.setattr("krun.kernel.ipvs._load_module", lambda: loaded.append(True))
    LinuxIpvs().close()
    assert loaded == [True]


def test_generic_netlink_families_have_numbers() -> None:
    sock = generic.NetlinkSocket(generic.NETLINK_GENERIC)
    try:
        assert generic.family_number(sock, "nlctrl") == generic.GENL_ID_CTRL
        assert generic.family_number(sock, "no such one") is None
    finally:
        sock.close()


TABLE = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
UDP  0A000002:13C4 rr ops  persistent 6000 FFFFFFFF
TCP  0A000001:0050 wlc
  -> [2001:0db8:0000:0000:0000:0000:0000:0005]:0050      Tunnel  1      4          5
  -> C0A80002:1F90      Route   -1      1          2
TCP  [2001:0db8:0000:0000:0000:0000:0000:0001]:01BB mh persistent 5000 40000000
  -> [2001:0db8:0000:0000:0000:0000:0000:0002]:01BB      Masq    2147483647 7          0
FWM  00000007 wrr
  -> [2001:0db8:0000:0000:0000:0000:0000:0003]:0000      Masq    1      1          0
FWM  00000007 wrr
  -> C0A80001:0000      Masq    1      2          0
"""


def test_connection_counts() -> None:
    assert parse_connections(TABLE.splitlines()) == {
        ("tcp 10.0.0.1:80", "[2001:db8::5]:80"): 9,
        ("tcp 10.0.0.1:80", "192.168.0.2:8080"): 3,
        ("tcp [2001:db8::1]:443", "[2001:db8::2]:443"): 7,
        ("fwmark 7 inet6", "[2001:db8::3]:0"): 1,
        ("fwmark 7 inet", "192.168.0.1:0"): 2,
    }


@pytest.mark.parametrize(
    "line", ["", "TCP", "TCP  zz:0050 rr", "  -> C0A80001:0050 Masq 1", "FWM  7 rr", "\0"]
)
def test_lines_of_another_form_are_passed_over(line: str) -> None:
    server = "  -> C0A80001:0050      Masq    1      2          0"
    assert parse_connections([line, server]) == {}
