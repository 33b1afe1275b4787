"""krun and real log daemons: systemd-journald and a syslogd, each in a mount namespace of its own, with nothing else in its /run and /dev."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.krun import KRUN, KRUNCTL, build
from lab.needs import find_tool, lacking

pytestmark = [pytest.mark.netns]

JOURNALD = Path("/lib/systemd/systemd-journald")

CONFIG = """
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 100
    version 3
    advert_int 0.1
    virtual_ipaddress {
        192.0.2.10/24
    }
}
"""

BEGIN = """
set -e
mount -t tmpfs none /run
mount -t tmpfs none /dev
for d in "null 1 3" "zero 1 5" "urandom 1 9" "random 1 8"; do set -- $d; mknod -m 666 /dev/$1 c $2 $3; done
await() { for n in $(seq 200); do if eval "$1"; then return 0; fi; sleep 0.05; done; echo "never: $1" >&2; exit 9; }
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not below /run, which is another one there."""
    with tempfile.TemporaryDirectory(prefix="krun-daemons-", dir="/var/tmp") as name:
        yield Path(name)


def play(folder: Path, script: str) -> str:
    if os.geteuid() != 0:
        lacking("mount namespaces need root here")
    file = folder / "play.sh"
    file.write_text(BEGIN + script)
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "--", "sh", str(file)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def commands(folder: Path, *options: str) -> tuple[str, str]:
    """krun on a kernel in memory, and its krunctl."""
    ir = build(CONFIG, folder)
    own = ["--run-dir", str(folder / "run")]
    krun = shlex.join([*KRUN, str(ir), "--kernel", "memory", *own, *options])
    return krun, shlex.join([*KRUNCTL, *own])


def test_journald_finds_what_happened_by_kind(folder: Path) -> None:
    if not JOURNALD.exists() or shutil.which("journalctl") is None:
        lacking("systemd-journald is not installed: apt install systemd")
    krun, krunctl = commands(folder, "--log", "journal")
    said = play(
        folder,
        f"""
mkdir -p /run/systemd/journal /run/log/journal
{JOURNALD} > {folder}/journald.log 2>&1 &
journald=$!
await '[ -S /run/systemd/journal/socket ]'
{krun} > {folder}/stdout 2> {folder}/stderr &
krun=$!
await 'journalctl -q --no-pager KRUN_KIND=vrrp.state KRUN_STATE=MASTER | grep -q .'
{krunctl} stop
wait $krun
await 'journalctl -q --no-pager KRUN_KIND=krun.stopped | grep -q .'
journalctl -q --no-pager -o json KRUN_KIND=vrrp.state
kill $journald
""",
    )
    found = [json.loads(text) for text in said.splitlines()]
    assert [entry["KRUN_STATE"] for entry in found][:2] == ["BACKUP", "MASTER"]
    first = found[0]
    assert (first["KRUN_SUBJECT"], first["SYSLOG_IDENTIFIER"], first["PRIORITY"]) == (
        "VI_1",
        "krun-vrrp",
        "6",
    )
    assert first["MESSAGE"] == "(VI_1) Entering BACKUP STATE"
    assert (folder / "stderr").read_text() == ""


def test_a_syslog_daemon_that_comes_late_has_every_line(folder: Path) -> None:
    if find_tool("busybox") is None:
        lacking("busybox is not installed: apt install busybox-static")
    krun, krunctl = commands(folder, "--log", "syslog:local3")
    play(
        folder,
        f"""
{krun} > {folder}/stdout 2> {folder}/stderr &
krun=$!
ctl() {{ {krunctl} "$@"; }}
await 'ctl status 2>&1 | grep -q MASTER'
ctl status --json > {folder}/state.json
busybox syslogd -n -O {folder}/messages &
syslogd=$!
await 'grep -q "Entering MASTER" {folder}/messages'
kill $syslogd
wait $syslogd || true
{krunctl} stop
wait $krun
""",
    )
    lines = (folder / "messages").read_text().splitlines()
    ours = [line for line in lines if " krun" in line]
    assert any("local3.info krun-vrrp[" in line and "(VI_1) Entering MASTER STATE" in line for line in ours)
    assert any("local3.info krun[" in line and " runs " in line for line in ours), lines
    assert "log lines wait: /dev/log: No such file or directory" in (folder / "stderr").read_text()
    state = json.loads((folder / "state.json").read_text())
    assert state["parent"]["log"]["waiting"] > 0
    assert any("/dev/log" in alarm for alarm in state["alarms"])
