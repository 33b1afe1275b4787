"""``krunctl upgrade`` with real programs that are exchanged under a running master: nobody on the wire notices, nothing is lost."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import needs
from lab.capture import Capture
from lab.keepalived import Keepalived
from lab.krun import Krun, build
from lab.netns import Segment
from lab.processes import wait_for
from wire.address_events import AddressEvents
from wire.cell import OWN, VRID, Cell, Peers

pytestmark = [pytest.mark.netns, pytest.mark.keepalived, pytest.mark.slow]

CELL = Cell(Peers("krun", "keepalived"), 3, 4, unicast=False)
ADDRESSES = {name: [f"{OWN[4][name]}/24"] for name in ("a", "b")}
VIP = CELL.vips[0]

PROGRAM = """\
#!{python}
import sys
{before}
from krun.cli import main
sys.exit(main())
"""
RELEASE = "import kir; kir.__version__ = {!r}"

USELESS = {
    "half installed": "raise ImportError('half installed')",
    "exit status 3": "sys.exit(3)",
    "does not know --check-start": "sys.argv = [a for a in sys.argv if a != '--check-start'] + ['--no-such-option']",
    "cannot take over": "import krun.parent.legacy; krun.parent.legacy.VERSION = 99",
    "store version 1, this one has 2": "import krun.parent.store; krun.parent.store.VERSION = 2",
    "needs": "import krun.features; krun.features.SUPPORTED = frozenset()",
    "(exit status 0)": "print('{\"nonsense\": 1}'); sys.exit(0)",
}
"""Why a program is of no use, as the refusal says it, and what makes it so."""


def install(program: Path, before: str) -> None:
    """As a package manager does: a new file in the place of the old one."""
    new = program.with_suffix(".new")
    new.write_text(PROGRAM.format(python=sys.executable, before=before))
    new.chmod(0o755)
    new.replace(program)


@pytest.fixture
def tmpfs() -> Iterator[Path]:
    needs.require_netns()
    needs.require_keepalived()
    folder = Path(tempfile.mkdtemp(prefix="kr", dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder)


def descriptors(pid: int) -> list[str]:
    return sorted(os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir())


def test_an_upgrade_is_no_event_on_the_network(tmpfs: Path) -> None:
    program = tmpfs / "krun"
    install(program, RELEASE.format("1.0"))
    with Segment(ADDRESSES, label="upgrade", folder=tmpfs) as segment, Capture(segment) as capture:
        host = segment["a"]
        krun = Krun(host, CELL.config("a"), folder=host.folder, program=program)
        krun.wait_running()
        peer = Keepalived(segment["b"], CELL.config("b"), only="vrrp")
        peer.wait_running()
        wait_for("krun to be the master", lambda: host.has(VIP))
        wait_for("its peer to be quiet", lambda: not capture.adverts(port="b", since=time.time() - 1))
        build(CELL.config("a").replace("priority 150", "priority 151"), host.folder)
        assert krun.control("reload", "--confirm-within", "1h").status == 0
        before = krun.status()
        began = time.time()
        with AddressEvents(host) as events:
            for why, what in USELESS.items():
                install(program, what)
                answer = krun.control("upgrade")
                assert answer.status == 1 and why in answer.stderr, (why, answer)
            program.unlink()
            answer = krun.control("upgrade")
            assert answer.status == 1 and "No such file" in answer.stderr, answer
            untouched = krun.status()
            assert [p["pid"] for p in untouched["processes"]] == [p["pid"] for p in before["processes"]]
            assert untouched["parent"]["since"] == before["parent"]["since"]

            open_before = descriptors(before["parent"]["pid"])
            for release in ("1.1", "1.2", "0.9"):
                install(program, RELEASE.format(release))
                answer = krun.control("upgrade")
                assert answer.status == 0, (answer, krun.logged()[-3000:])
                assert f"-> {release} (pid {before['parent']['pid']})" in answer.stdout
            time.sleep(3 * CELL.interval)
            changed = [event for event in events.take() if VIP in event]
        after = krun.status()
        assert after["parent"]["release"] == "0.9"
        assert after["parent"]["pid"] == before["parent"]["pid"] == krun.process.pid
        assert not {p["pid"] for p in after["processes"]} & {p["pid"] for p in before["processes"]}
        assert after["vrrp"][0]["state"].upper() == "MASTER"
        assert after["ir"]["digest"] == before["ir"]["digest"]
        assert after["undo"]["digest"] == before["undo"]["digest"]
        assert 3500 < after["confirm"]["left_s"] < before["confirm"]["left_s"]
        assert not after["alarms"]
        assert len(descriptors(after["parent"]["pid"])) <= len(open_before) + 1
        adverts = capture.adverts(vrid=VRID, since=began - 1)
        assert {advert.port for advert in adverts} == {"a"}, krun.logged()[-3000:]
        assert all(advert.priority == 151 for advert in adverts[3:])
        gap = max(b.time - a.time for a, b in itertools.pairwise(adverts))
        assert gap < 2 * CELL.interval, (gap, krun.logged()[-3000:])
        assert not changed, changed
        assert "Traceback" not in krun.logged()

        # It takes signals as before, also right after an upgrade.
        install(program, RELEASE.format("1.3"))
        assert krun.control("upgrade").status == 0
        krun.process.send(signal.SIGTERM)
        wait_for("krun to end", lambda: not krun.process.running(), timeout=15)
        assert krun.process.returncode == 0
        assert not host.has(VIP)
        assert [advert.priority for advert in capture.adverts(port="a")][-1] == 0


def test_check_start_touches_nothing(tmpfs: Path) -> None:
    """Beside a director that does not run at all."""
    from lab.krun import KRUN

    with Segment({"a": ADDRESSES["a"]}, label="check-start", folder=tmpfs) as segment:
        host = segment["a"]
        ir = build(CELL.config("a"), host.folder)
        run_dir = host.folder / "run"
        arguments = [*KRUN, str(ir), "--run-dir", str(run_dir), "--check-start"]
        done = host.run(arguments, check=False, timeout=30)
        found = json.loads(done.stdout)
        assert done.returncode == 0 and found["ok"] and found["digest"].startswith("sha256:")
        assert not run_dir.exists()
        ir.write_text("no JSON")
        done = host.run(arguments, check=False, timeout=30)
        assert done.returncode == 2 and not json.loads(done.stdout)["ok"] and "Traceback" not in done.stderr
