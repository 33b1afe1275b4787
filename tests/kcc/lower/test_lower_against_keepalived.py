"""The golden cases and the examples against `keepalived -t`: where we find an error, keepalived complains, and nowhere else.

Debian's keepalived is 2.2.7. It runs unprivileged in an empty directory of its own network namespace, which has the interfaces
that the configurations name: what it says about the machine (scripts, users) is not about the configuration.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.keepalived_says import AGAINST_2_2_7, KEEPALIVED
from support.lowering_cases import Case, compile_file

HERE = Path(__file__).parent
CASES = sorted([*HERE.glob("cases/*.case"), *HERE.parent.glob("rules/cases/*.case")])
ROOT = HERE.parents[2]
EXAMPLES = [*sorted((ROOT / "examples").glob("*.conf")), ROOT / "examples" / "templated" / "keepalived.conf"]

# What the oracle is known to see otherwise, and why ours is right.
KERNEL = "only the kernel refuses it"
LOG_ONLY = "keepalived drops it with a log line, which -t does not count"
BUILD = "the oracle is built without iptables"
NEWER = "2.4.3 does, 2.2.7 does not"
WORKS = "keepalived counts it as an error but does what was written: a warning here"
DIFFERENT = {
    "kc0405_default_user": "the oracle's user database decides",
    "kc0502_loopback_unicast_ok": NEWER,
    "kc0502_no_interface_ok": NEWER,
    "kc0506_address_twice": NEWER,
    "kc0506_address_twice_excluded": NEWER,
    "kc0508_no_address_v2": WORKS,
    "kc0508_no_address_v2_ok": NEWER,
    "kc0516_check_without_peers": WORKS,
    "kc0517_track_source": "keepalived clears it without a word",
    "kc0518_strict_no_addresses": NEWER,
    "kc0518_strict_no_addresses_ok": NEWER,
    "kc0518_strict_unicast": NEWER,
    "kc0519_owner_ignores_ok": NEWER,
    "kc0520_timer_expired_ok": NEWER,
    "kc0521_address_without_device_ok": NEWER,
    "kc0524_peer_twice": NEWER,
    "kc0527_unicast_ok": NEWER,
    "kc0528_other": NEWER,
    "kc0528_third": NEWER,
    "kc0533_lonely_group": WORKS,
    "kc0549_route_without_interface": WORKS,
    "kc0610_interface_twice": WORKS,
    "kc0610_own_interface": WORKS,
    "kc0406_ipsets_alone": BUILD,
    "kc0407_one_chain": BUILD,
    "kc0407_one_chain_ok": BUILD,
    "kc0408_sync_daemon_old_form_ok": WORKS,
    "kc0409_unknown_instance": "keepalived finds it when it starts, not in a test",
    "kc0518_strict_hmac_mode_ok": NEWER,
    "kc0547_no_members": NEWER,
    "kc0551_unicast_vmac_ok": NEWER,
    "kc0552_name_twice_ok": NEWER,
    "kc0555_family_ok": NEWER,
    "kc0561_same_group": WORKS,
    "kc0557_vrf_ok": "the oracle's machine has no VRF",
    "kc0558_no_active_key_ok": NEWER,
    "kc0558_unknown_active_key_ok": NEWER,
    "kc0559_key_twice_ok": NEWER,
    "kc0617_proc": NEWER,
    "kc0617_sys": NEWER,
    "kc0702_service_in_group": KERNEL,
    "kc0702_service_twice": KERNEL,
    "kc0703_unknown_group": LOG_ONLY,
    "kc0704_group_families": LOG_ONLY,
    "kc0704_group_of_other_family": LOG_ONLY,
    "kc0719_thresholds": KERNEL,
    "kc0813_class": LOG_ONLY,
    "kc0813_group": LOG_ONLY,
    "kc0813_nothing": LOG_ONLY,
    "kc0813_range": LOG_ONLY,
    "kc0721_huge_range": "keepalived would make 2^64 services",
}
_MACHINE = re.compile(
    r"Disabling .*script|Unable to set default user|SECURITY VIOLATION|not found/accessible|default user|Opening file|^$"
)
_SCRIPT = r"""
for name in eth0 eth1 eth9; do ip link add $name type veth peer name p$name && ip link set $name up && ip link set p$name up; done
ip link set lo up; ip address add 192.0.2.1/24 dev eth0
drop=
[ "$OUTSIDE_ROOT" = 1 ] && drop="setpriv --reuid 65534 --regid 65534 --clear-groups"
cd "$1"; shift
while [ $# -gt 0 ]; do
    out=$($drop timeout 20 "$KEEPALIVED" -t -i director1 -f "$1" 2>&1); rc=$?
    printf '\001%s\002%s\002%s' "$1" "$rc" "$out"
    shift
done
"""


pytestmark = [*AGAINST_2_2_7, pytest.mark.netns]


@pytest.fixture(scope="module")
def oracle() -> Iterator[dict[str, list[str]]]:
    """What keepalived complains about in each file; empty where it is content."""
    # Not below pytest's own folder: every other run of pytest by this user closes that one to others again.
    with tempfile.TemporaryDirectory(prefix="oracle-") as name:
        Path(name).chmod(0o755)
        yield _ask(Path(name))


def _ask(folder: Path) -> dict[str, list[str]]:
    empty = folder / "empty"
    empty.mkdir()
    files = {}
    for path in CASES:
        file = folder / f"{path.stem}.conf"
        file.write_text(Case.load(path).text)
        files[str(file)] = path.stem
    for path in EXAMPLES:
        copy = folder / path.parent.name
        if not copy.exists():
            shutil.copytree(path.parent, copy)
        files[str(copy / path.name)] = path.stem
    root = os.geteuid() == 0
    command = ["unshare", "-n" if root else "-rn", "sh", "-c", _SCRIPT, "oracle", str(empty), *files]
    environment = {**os.environ, "KEEPALIVED": KEEPALIVED or "", "OUTSIDE_ROOT": "1" if root else "0"}
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    if run.returncode and not run.stdout:
        pytest.skip(f"no network namespace here: {run.stderr.strip()}")
    verdicts: dict[str, list[str]] = {}
    for part in run.stdout.split("\001")[1:]:
        name, status, output = part.split("\002")
        messages = [line for line in output.splitlines() if not _MACHINE.search(line)]
        content = status == "0" or (status in ("5", "6") and not messages)  # 6 (scripts) outranks 5
        verdicts[files[name]] = [] if content else [f"exit {status}", *messages]
    return verdicts


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_case_agrees(path: Path, oracle: dict[str, list[str]]) -> None:
    complaints = oracle[path.stem]
    errors = [line for line in Case.load(path).expected if line.startswith("error")]
    if path.stem in DIFFERENT:
        assert bool(errors) != bool(complaints), f"no difference any more: {DIFFERENT[path.stem]}"
        return
    assert bool(errors) == bool(complaints), (errors, complaints)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_example_agrees(path: Path, oracle: dict[str, list[str]]) -> None:
    _, findings = compile_file(path, config_id="director1")
    assert bool(findings.errors) == bool(oracle[path.stem]), (findings.items[:3], oracle[path.stem])
    assert bool(findings.errors) == (path.stem == "mistakes")
