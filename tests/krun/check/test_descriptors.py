"""More checks than descriptors: the need is known, the limit is raised, and where it cannot be that is said, and the checks wait their turn."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kir import codec
from kir.model import (
    Config,
    Endpoint,
    MiscCheck,
    RealServer,
    Service,
    TcpCheck,
    Timing,
    VirtualServer,
    VrrpInstance,
)
from krun.check.limit import room
from krun.control.client import NoDaemonError, ask
from krun.loop import descriptors
from krun.loop.descriptors import OWN, Budget, of_checks, of_routers, of_scripts


def servers(count: int, misc: int = 0, port: int = 9) -> Config:
    timing = Timing(delay_loop_us=1_000_000, warmup_us=1_000_000)

    def real(n: int) -> RealServer:
        address = f"127.1.{n // 250}.{n % 250 + 1}"
        endpoint = Endpoint(address=address, port=port, timeout_us=1_000_000)
        check = TcpCheck(timing=timing, endpoint=endpoint)
        return RealServer(
            address=address, port=port, family="inet", weight=1,
            checkers=(check if n < count else MiscCheck(argv=("/bin/true",), timing=timing),),
        )  # fmt: skip

    service = Service(family="inet", protocol="tcp", address="192.0.2.1", port=80)
    reals = tuple(real(n) for n in range(count + misc))
    return Config(
        virtual_servers=(VirtualServer(name="tcp 192.0.2.1:80", services=(service,), real_servers=reals),)
    )


def routers(count: int, unicast: bool, sources: bool = False) -> Config:
    from kir.model import Peer

    return Config(
        vrrp_instances=tuple(
            VrrpInstance(
                name=f"VI_{n}", interface="eth0", vrid=n % 255 + 1, version=3, family="inet", initial_state="BACKUP",
                priority=100, advert_int_us=1_000_000, unicast=unicast,
                source=f"10.0.{n >> 8}.{n & 255}" if sources else None, peers=(Peer(address="192.0.2.9"),) if unicast else (),
            )
            for n in range(count)
        )
    )  # fmt: skip


def test_what_is_needed() -> None:
    assert of_checks(servers(1000, misc=50)) == OWN + 1000, "a script takes no socket of this process"
    assert of_routers(routers(1000, unicast=False)) == OWN + 2, "all share the socket of their interface"
    assert of_routers(routers(1000, unicast=True)) == OWN + 2, "and of the address that they send from"
    assert of_routers(routers(1000, unicast=True, sources=True)) == OWN + 2000
    assert of_scripts(64) == OWN + 192
    assert room(Budget(0, 1024)) == 1024 - OWN and room(Budget(0, 10)) == 16


CODE = """
import resource, sys
from krun.loop.descriptors import provide, open_up
soft, hard, needed, up = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
if up: open_up()
found = provide(needed)
print(*found, *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "needed", "limit"),
    [
        (512, 4096, 511, 512),  # never lowered
        (512, 4096, 512, 512),  # at the limit
        (512, 4096, 513, 513),  # one beyond: raised to just that
        (512, 4096, 4096, 4096),
        (512, 4096, 4097, 4096),  # the hard limit is the end
    ],
)
def test_the_soft_limit_is_raised_to_what_is_needed(soft: int, hard: int, needed: int, limit: int) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", CODE, *map(str, (soft, hard, needed, 0))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(n) for n in (needed, limit, limit, hard)]


def test_the_hard_limit_gives_way_where_that_is_allowed() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", CODE, "512", "4096", "9000", "1"],
        capture_output=True,
        text=True,
        check=True,
    )
    needed, limit, soft, _hard = map(int, done.stdout.split())
    may = os.geteuid() == 0 and _capable(24)  # CAP_SYS_RESOURCE
    assert (needed, limit, soft) == ((9000, 9000, 9000) if may else (9000, 4096, 4096))


def _capable(number: int) -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def test_the_words_say_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    words = Budget(10_128, 1024).words("896 checks run at a time, the others wait their turn")
    assert "up to 10128 descriptors are needed at once, and this process may have 1024: 896 checks" in words
    assert "LimitNOFILE=10128" in words and "ulimit -Hn 10128" in words and "nr_open" not in words
    (tmp_path / "nr_open").write_text("8192\n")
    monkeypatch.setattr(descriptors, "NR_OPEN", tmp_path / "nr_open")
    assert "fs.nr_open is 8192, which must be higher" in Budget(10_128, 1024).words("x")


@pytest.fixture
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="kd") as name:
        yield Path(name)


def test_more_checks_than_descriptors(run_dir: Path) -> None:
    """700 checks that hang, and 400 descriptors: it is said, 272 run at a time, the others have their turn, and nothing else suffers."""
    hard = 400
    ir = run_dir / "ir.json"
    deaf = socket.socket()  # its queue is full: whoever connects is neither taken nor refused
    deaf.bind(("0.0.0.0", 0))
    deaf.listen(0)
    port = deaf.getsockname()[1]
    full = [socket.socket() for _ in range(4)]
    for sock in full:
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", port))
    codec.write(codec.document(servers(700, port=port)), ir)
    log = run_dir / "log"
    code = (
        "import resource, sys; from krun.loop import descriptors; descriptors.open_up = lambda: None;"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({hard}, {hard})); from krun.cli import main; sys.exit(main())"
    )
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", code, str(ir), "--kernel", "memory", "--run-dir", str(run_dir / "run")],
            stderr=out, stdout=out, start_new_session=True,
        )  # fmt: skip
    try:
        until = time.monotonic() + 60
        checks: dict[str, Any] = {}
        waited = 0
        while time.monotonic() < until:
            time.sleep(0.1)
            assert process.poll() is None, log.read_text()
            try:
                state = ask(run_dir / "run/krun.sock", {"op": "status"}, 5)["state"]
            except NoDaemonError:
                continue
            checks = state["extra"].get("check", {}).get("checks", {})
            waited = max(waited, checks.get("waiting", 0))
            ran = [
                c["runs"] for v in state["virtual_servers"] for r in v["real_servers"] for c in r["checkers"]
            ]
            if ran and min(ran) >= 1:
                break
        else:
            raise AssertionError(f"not all had their turn: {json.dumps(checks)}\n{log.read_text()[-2000:]}")
        assert waited > 100, "or nothing was tried at the limit"
        assert checks["limit"] == hard - OWN and checks["descriptors"] == {"needed": 700 + OWN, "limit": hard}
        text = log.read_text()
        assert (
            f"up to {700 + OWN} descriptors are needed at once, and this process may have {hard}: {hard - OWN} checks run"
            in text
        )
        assert "Too many open files" not in text and "internal error" not in text
        assert state["counters"]["restarts"] == 0
        assert all(p["answered"] for p in state["processes"])
    finally:
        process.terminate()
        process.wait(20)
        for sock in (deaf, *full):
            sock.close()


def test_this_process_kept_its_limit() -> None:
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 256
