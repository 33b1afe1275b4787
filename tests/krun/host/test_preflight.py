"""What krun lacks is said before anything is touched: which capability, for which configured thing, and what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kir import codec
from kir.model import Config, Fifo
from krun.parent.preflight import FATAL, Rights, missing
from krun.parent.privileges import (
    CHOWN,
    IPC_LOCK,
    KILL,
    NAMES,
    NET_ADMIN,
    NET_BIND_SERVICE,
    NET_RAW,
    SETGID,
    SETUID,
    SYS_NICE,
)
from lab import needs
from lab.krun import KRUN, build
from lab.netns import Segment
from lab.processes import wait_for

CONFIG = """
global_defs {
    script_user nobody
}
vrrp_script chk {
    script "/bin/true"
    interval 1
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 0.3
    version 3
    virtual_ipaddress {
        192.0.2.10/24
        192.0.2.11/24
    }
    track_script {
        chk
    }
}
"""

ALL = frozenset(NAMES)
VIRTUAL_SERVER = """
virtual_server 10.0.0.1 80 {
    lvs_method NAT
    lvs_sched wlc
    protocol TCP
    real_server 10.0.0.2 80 {
        TCP_CHECK {
            bind_port 20
            bindto 10.0.0.9
        }
    }
}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Config:
    ir = build(CONFIG + VIRTUAL_SERVER, tmp_path_factory.mktemp("preflight"))
    return codec.load_path(ir).config


def words(config: Config, lacks: int, **rights: object) -> list[str]:
    return [str(one) for one in missing(config, Rights(uid=0, effective=ALL - {lacks}, **rights))]  # type: ignore[arg-type]


def test_each_is_named_with_what_needs_it(made: Config) -> None:
    assert missing(made, Rights(uid=0, effective=ALL)) == []
    assert words(made, NET_ADMIN) == [
        "CAP_NET_ADMIN is missing: VIP 192.0.2.10 of VI_1 (and 1 more) cannot be added; run with --cap-add NET_ADMIN",
        "CAP_NET_ADMIN is missing: virtual server tcp 10.0.0.1:80 cannot be put into the IPVS table; "
        "run with --cap-add NET_ADMIN",
    ]
    assert words(made, NET_RAW) == [
        "CAP_NET_RAW is missing: adverts of VI_1 cannot be sent; run with --cap-add NET_RAW"
    ]
    for number in (SETUID, SETGID):
        assert words(made, number) == [
            f"{NAMES[number]} is missing: /bin/true as user nobody (vrrp_script/chk) cannot be run; "
            f"run with --cap-add {NAMES[number][4:]}"
        ]
    assert words(made, KILL) == [
        "CAP_KILL is missing: /bin/true as user nobody (vrrp_script/chk) cannot be ended when it takes too long; "
        "run with --cap-add KILL"
    ]
    assert words(made, NET_BIND_SERVICE) == [
        "CAP_NET_BIND_SERVICE is missing: the check of tcp 10.0.0.1:80 -> 10.0.0.2:80 from port 20 cannot be made; "
        "run with --cap-add NET_BIND_SERVICE"
    ]
    assert words(made, NET_BIND_SERVICE, lowest_port=0) == []
    assert words(made, SYS_NICE) == words(made, IPC_LOCK) == words(made, CHOWN) == []
    pipe = msgspec.structs.replace(made.global_defs, notify_fifo=Fifo(path="/run/told", user="nobody"))
    assert words(msgspec.structs.replace(made, global_defs=pipe), CHOWN) == [
        "CAP_CHOWN is missing: the pipe /run/told of user nobody cannot be given to its user; run with --cap-add CHOWN"
    ]


def test_limits_do_as_well_as_capabilities(made: Config) -> None:
    process = msgspec.structs.replace(made.global_defs.vrrp_process, no_swap=True)
    settings = msgspec.structs.replace(made.global_defs, vrrp_rt_priority=50, vrrp_process=process)
    new = msgspec.structs.replace(made, global_defs=settings)
    (line,) = words(new, SYS_NICE)
    assert line.startswith("CAP_SYS_NICE is missing: `vrrp_rt_priority 50` is not possible")
    assert words(new, SYS_NICE, real_time=50) == []
    assert words(new, SYS_NICE, real_time=49) != []
    (line,) = words(new, IPC_LOCK)
    assert "`vrrp_no_swap`" in line
    assert words(new, IPC_LOCK, locked=True) == []
    assert {SYS_NICE, IPC_LOCK, KILL}.isdisjoint(FATAL), "krun starts without them"


def test_the_advice_is_for_where_krun_runs(made: Config) -> None:
    assert "add CapabilityBoundingSet=CAP_NET_RAW to the unit" in words(made, NET_RAW, systemd=True)[0]
    as_user = missing(made, Rights(uid=1000, effective=frozenset()))
    assert all("krun runs as uid 1000: start it as root" in str(one) for one in as_user)
    foreign = missing(made, Rights(uid=0, effective=ALL, foreign=frozenset({NET_RAW})))
    assert [str(one) for one in foreign] == [
        "CAP_NET_RAW does not count in this network namespace, which belongs to another user namespace: adverts of VI_1 cannot be "
        "sent; give krun a network namespace of its own (in a container: no --network host), or run it without a user namespace"
    ]


def test_the_manual_lists_them_all() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "containers.md").read_text()
    table = page.partition("| capability | for |")[2]
    for number, name in NAMES.items():
        (row,) = [
            line
            for line in table.splitlines()
            if line.startswith("|") and f"`{name[4:]}`" in line.split("|")[1]
        ]
        assert ("| does not start" in row) == (number in FATAL), row


# -- the real thing


@pytest.fixture(scope="module")
def segment() -> Iterator[Segment]:
    needs.require_netns()
    if shutil.which("setpriv") is None:
        needs.lacking("setpriv is not installed: apt install util-linux")
    with Segment({"lb1": ["192.0.2.1/24"]}, label="preflight") as made:
        yield made


@pytest.mark.netns
@pytest.mark.skipif(os.geteuid() != 0, reason="to have capabilities and lose them takes root")
@pytest.mark.parametrize(
    ("lacks", "said"),
    [
        ("net_admin", "CAP_NET_ADMIN is missing: VIP 192.0.2.10 of VI_1 (and 1 more) cannot be added"),
        ("net_raw", "CAP_NET_RAW is missing: adverts of VI_1 cannot be sent"),
        ("setuid", "CAP_SETUID is missing: /bin/true as user nobody (vrrp_script/chk) cannot be run"),
        ("setgid", "CAP_SETGID is missing: /bin/true as user nobody (vrrp_script/chk) cannot be run"),
    ],
)
def test_without_one_of_them_nothing_is_touched(
    segment: Segment, tmp_path: Path, lacks: str, said: str
) -> None:
    run_dir = tmp_path / "run"
    ir = build(CONFIG, tmp_path)
    done = segment["lb1"].run(
        ["setpriv", f"--bounding-set=-{lacks}", "--inh-caps=-all", *KRUN, str(ir), "--run-dir", str(run_dir)],
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines() == [f"krun: {said}; run with --cap-add {lacks.upper()}"]
    assert not run_dir.exists()
    assert segment["lb1"].addresses("eth0")[:1] == ["192.0.2.1/24"]
    assert not segment["lb1"].has("192.0.2.10")


@pytest.mark.netns
@pytest.mark.skipif(os.geteuid() != 0, reason="to have capabilities and lose them takes root")
def test_with_what_it_asks_for_it_runs(segment: Segment) -> None:
    """And with no other capability at all: NET_ADMIN, NET_RAW, SETUID, SETGID; without KILL it warns."""
    director = segment["lb1"]
    with tempfile.TemporaryDirectory(prefix="kr") as name:
        folder = Path(name)
        few = ["setpriv", "--bounding-set=-all,+net_admin,+net_raw,+setuid,+setgid", "--inh-caps=-all"]
        ir = build(CONFIG, folder)
        process = director.start(
            [*few, *KRUN, str(ir), "--run-dir", str(folder / "run")], log=folder / "krun.log"
        )
        try:
            wait_for("the VIP", lambda: director.has("192.0.2.11"), 20)
            text = process.output()
            assert "warning: CAP_KILL is missing" in text
            assert "Traceback" not in text
            assert process.stop() == 0
            assert not director.has("192.0.2.11")
        finally:
            process.kill()


@pytest.mark.netns
def test_a_user_namespace_that_does_not_own_its_network(segment: Segment, tmp_path: Path) -> None:
    """As ``docker run --userns … --network host``: all capabilities are there, and do not count."""
    ir = build(CONFIG, tmp_path)
    probe = subprocess.run(["unshare", "-Ur", "true"], capture_output=True, check=False)
    if probe.returncode != 0:
        needs.lacking("user namespaces are not allowed here")
    done = segment["lb1"].run(
        ["unshare", "-Ur", *KRUN, str(ir), "--run-dir", str(tmp_path / "run")], check=False
    )
    assert done.returncode == 2
    assert "krun: CAP_NET_ADMIN does not count in this network namespace" in done.stderr
    assert "krun: CAP_NET_RAW does not count in this network namespace" in done.stderr
