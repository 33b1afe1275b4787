"""A recording of a director beside a real keepalived, replayed elsewhere by somebody without any right: the same decisions."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.keepalived import Keepalived
from lab.krun import KRUNCTL, Krun
from lab.needs import require_keepalived, require_netns
from lab.netns import Director, Segment
from lab.processes import wait_for

pytestmark = [pytest.mark.netns, pytest.mark.keepalived]

VIP = "192.0.2.100"


def config(priority: int, password: str, vips: str = f"{VIP}/24") -> str:
    return f"""\
vrrp_instance VI_1 {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority {priority}
    advert_int 1
    authentication {{
        auth_type PASS
        auth_pass {password}
    }}
    virtual_ipaddress {{
        {vips}
    }}
}}
"""


@pytest.fixture
def segment() -> Iterator[Segment]:
    require_netns()
    require_keepalived()
    with Segment({"a": ["192.0.2.1/24"], "b": ["192.0.2.2/24"]}, label="record") as made:
        yield made


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="krun-elsewhere-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def replay(file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """As nobody in a user namespace without any capability, outside of all directors', with another order of sets."""
    return subprocess.run(
        ["unshare", "--user", "--", *KRUNCTL, "replay", *options, str(file)],
        cwd="/",
        env={"PATH": os.environ["PATH"], "PYTHONHASHSEED": "7", "TZ": "UTC", "HOME": "/"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def master(host: Director, yes: bool) -> None:
    wait_for(f"{host.label} to be {'master' if yes else 'backup'}", lambda: host.has(VIP) is yes, timeout=20)


def test_a_bug_report_is_a_file(segment: Segment, elsewhere: Path) -> None:
    a, b = segment["a"], segment["b"]
    peer = Keepalived(b, config(150, "s3cret"), only="vrrp")
    peer.wait_running()
    master(b, True)
    krun = Krun(a, config(100, "s3cret"), folder=a.folder)
    krun.wait_running()
    wait_for("an advert", lambda: krun.status()["vrrp"][0]["counters"]["advert_rcvd"] > 0, timeout=10)
    peer.stop()
    master(a, True)
    peer = Keepalived(b, config(150, "guessed"), only="vrrp")
    peer.wait_running()
    master(b, True)
    wait_for("a drop", lambda: krun.status()["vrrp"][0]["counters"]["auth_failure"] > 2, timeout=10)
    assert a.has(VIP)
    peer.stop()
    peer = Keepalived(b, config(150, "s3cret"), only="vrrp")
    peer.wait_running()
    master(a, False)
    assert krun.reload(config(200, "s3cret", f"{VIP}/24\n        192.0.2.101/24")).status == 0
    master(a, True)

    file = elsewhere / "found.krec"
    said = krun.control("record", "-o", str(file))
    assert said.status == 0, said.stderr
    assert "passwords and keys replaced" in said.stdout
    assert file.stat().st_mode & 0o777 == 0o600
    text = gzip.decompress(file.read_bytes())
    assert b"s3cret" not in text
    assert b"guessed" not in text
    assert krun.stop() == 0

    shown = replay(file)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    lines = shown.stdout.splitlines()
    story = [
        "(VI_1) Entering BACKUP STATE",
        "192.0.2.2 leaves (priority 0)",
        "(VI_1) Entering MASTER STATE",
        f"ip.add_address {VIP}/24 dev eth0",
        "dropped (auth_failure): wrong auth_pass from 192.0.2.2",
        "Entering BACKUP STATE: 192.0.2.2 advertises priority 150, ours is 100",
        f"ip.del_address {VIP}/24 dev eth0",
        "reload",
        "(VI_1) Entering MASTER STATE",
        "ip.add_address 192.0.2.101/24 dev eth0",
    ]
    at = 0
    for words in story:
        found = next((n for n, line in enumerate(lines[at:], at) if words in line), None)
        assert found is not None, f"{words!r} is not in (or not in its order):\n{shown.stdout}"
        at = found
    assert lines[-1] == "all decided as they were"

    objects = [json.loads(line) for line in replay(file, "--json", "--instance", "VI_1").stdout.splitlines()]
    states = [d["data"]["state"] for o in objects for d in o["decided"] if d.get("kind") == "vrrp.state"]
    assert states == ["BACKUP", "MASTER", "BACKUP", "MASTER"]
    other = replay(file, "--instance", "VI_9")
    assert "STATE" not in other.stdout.replace("start", "").partition("-> (VI_1)")[0]

    # Another release that decides otherwise is told apart.
    spoiled = text.replace(
        b'"level":20,"subject":"VI_1","text":"Entering MASTER STATE"',
        b'"level":20,"subject":"VI_1","text":"Entering LIMBO"',
    )
    assert spoiled != text
    file.write_bytes(spoiled)
    differs = replay(file, "--differences")
    assert differs.returncode == 1, differs.stdout
    assert "DIFFERS: it was decided then" in differs.stdout
    assert "LIMBO" in differs.stdout
    file.write_bytes(text[: len(text) // 2])
    half = replay(file)
    assert half.returncode in (0, 2)
    assert "Traceback" not in half.stderr
