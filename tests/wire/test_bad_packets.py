"""Bad adverts on the wire change nothing: each would make the master give way, were it accepted."""

from __future__ import annotations

import itertools
import random
import time
from dataclasses import replace

import pytest

from lab import needs
from lab.capture import Capture
from lab.inject import Forged, garbage, send
from lab.keepalived import Keepalived
from lab.krun import Krun
from lab.netns import Segment
from lab.processes import wait_for
from wire.cell import LATITUDE, OWN, VRID, Cell, Peers

pytestmark = [pytest.mark.netns, pytest.mark.keepalived, pytest.mark.slow]

SEED = 20210


def forgeries(good: Forged) -> dict[str, bytes]:
    """Frames, by what is wrong with each; ``good`` would be accepted."""
    wrong = {
        "TTL 254": replace(good, ttl=254),
        "TTL 1": replace(good, ttl=1),
        "checksum": replace(good, checksum_xor=0x0101),
        "another VRID": replace(good, vrid=VRID + 1),
        "version 5": replace(good, version=5),
        "the other version": replace(good, version=5 - good.version, interval=1),
        "packet type 2": replace(good, kind=2),
        "more addresses than octets": replace(good, count=200),
        "cut in the addresses": replace(good, cut=3 + 8 * (good.version == 2)),
        "cut in the header": replace(good, cut=len(good.pdu()) - 5),
        "octets behind": replace(good, tail=bytes(64)),
    }
    if good.version == 2:
        wrong |= {
            "another password": replace(good, auth_data=b"guessed\0"),
            "no password": replace(good, auth_type=0, auth_data=bytes(8)),
            "an unknown authentication": replace(good, auth_type=9),
            "another interval": replace(good, interval=2),
        }
    frames = {name: forged.frame() for name, forged in wrong.items()}
    frames["nothing"] = garbage(good.source, good.target, b"")
    noise = random.Random(SEED)
    for number in range(50):
        payload = noise.randbytes(noise.randrange(1, 100))
        frames[f"noise {number} of seed {SEED}"] = garbage(good.source, good.target, payload)
    return frames


@pytest.mark.parametrize("program", ["krun", "keepalived"])
@pytest.mark.parametrize(
    ("version", "family", "password"),
    [(2, 4, "s3cret"), (3, 4, ""), (3, 6, "")],
    ids=["v2-ipv4-pass", "v3-ipv4", "v3-ipv6"],
)
def test_bad_adverts_change_nothing(program: str, version: int, family: int, password: str) -> None:
    needs.require_netns()
    if program == "keepalived":
        needs.require_keepalived()
    cell = Cell(Peers(program, "forger"), version, family, unicast=False, password=password)
    addresses = {name: [f"{OWN[4][name]}/24", f"{OWN[6][name]}/64"] for name in ("a", "b")}
    with Segment(addresses, label="forged") as segment, Capture(segment) as capture:
        host = segment["a"]
        running = (
            Krun(host, cell.config("a"), folder=host.folder)
            if program == "krun"
            else Keepalived(host, cell.config("a"), only="vrrp")
        )
        running.wait_running()
        wait_for("the master", lambda: capture.adverts(port="a"), timeout=20)
        good = Forged(
            source=OWN[4]["b"] if family == 4 else "fe80::ffff",
            target="224.0.0.18" if family == 4 else "ff02::12",
            version=version,
            vrid=VRID,
            priority=200,
            interval=cell.interval,
            addresses=cell.vips,
            auth_type=1 if password else 0,
            auth_data=password.encode().ljust(8, b"\0"),
        )
        begun = time.time()
        for frame in forgeries(good).values():
            send(segment["b"], frame)
            time.sleep(0.02)
        time.sleep(2 * cell.interval)
        times = [advert.time for advert in capture.adverts(port="a", since=begun - cell.interval)]
        longest = max(later - earlier for earlier, later in itertools.pairwise(times))
        assert longest < cell.interval + LATITUDE, f"{longest:.3f} s without an advert\n{running.logged()}"
        assert all(host.has(vip) for vip in cell.vips), running.logged()
        assert {advert.priority for advert in capture.adverts(port="a", since=begun)} == {150}
        if isinstance(running, Krun):
            counters = running.status()["vrrp"][0]["counters"]
            expected = {"ip_ttl_err", "version_err", "invalid_type_rcvd", "packet_len_err"}
            if family == 4:  # over IPv6 the kernel drops what has a wrong checksum
                expected.add("checksum_err")
            if version == 2:
                expected |= {"auth_failure", "authtype_mismatch", "invalid_authtype", "advert_interval_err"}
            assert not [name for name in expected if counters[name] == 0], counters
            assert counters["ip_ttl_err"] == 2, counters

        # The forger is able: the same advert with nothing wrong is obeyed at once.
        send(segment["b"], good.frame())
        wait_for("the master to give way", lambda: not any(map(host.has, cell.vips)), timeout=5)
        assert running.stop() == 0
