"""The laboratory itself: what it builds, what it hears, what its judges detect, what it leaves behind."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lab import needs
from lab.capture import Capture
from lab.dissect import dissect
from lab.netns import Namespace, Segment
from lab.packets import Advert, Arp, Frame, checksum, parse
from lab.processes import LabTimeoutError, wait_for

PAIR = {"a": ["192.0.2.1/24", "2001:db8::1/64"], "b": ["192.0.2.2/24", "2001:db8::2/64"]}


def _ethernet(ethertype: int, target: str = "01005e000012") -> bytes:
    return bytes.fromhex(target) + bytes.fromhex("02005e100001") + struct.pack("!H", ethertype)


def _ipv4(payload: bytes, protocol: int = 112) -> bytes:
    header = struct.pack(
        "!BBHHHBBH4s4s",
        0x45,
        0xC0,
        20 + len(payload),
        1,
        0,
        255,
        protocol,
        0,
        bytes([192, 0, 2, 1]),
        bytes([224, 0, 0, 18]),
    )
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def _frame(data: bytes) -> Frame:
    return Frame(1_700_000_000.25, "a", data)


#: Packets of real daemons, recomputed by hand from RFC 3768 and RFC 5798.
V2 = bytes.fromhex("21336e010101e95cc000020a6162630000000000")
V3 = bytes.fromhex("313496010032d3fbc000020b")


def test_parse_version_2() -> None:
    advert = parse(_frame(_ethernet(0x0800) + _ipv4(V2)))
    assert isinstance(advert, Advert)
    assert (advert.version, advert.vrid, advert.priority, advert.interval) == (2, 51, 110, 1.0)
    assert advert.addresses == ("192.0.2.10",)
    assert (advert.auth_type, advert.auth_data) == (1, b"abc\0\0\0\0\0")
    assert advert.checksum_ok and advert.ttl == 255 and advert.source == "192.0.2.1"


def test_parse_version_3() -> None:
    advert = parse(_frame(_ethernet(0x0800) + _ipv4(V3)))
    assert isinstance(advert, Advert)
    assert (advert.version, advert.vrid, advert.priority, advert.interval) == (3, 52, 150, 0.5)
    assert advert.addresses == ("192.0.2.11",)
    assert advert.checksum_ok


@pytest.mark.parametrize("pdu", [V2, V3], ids=["v2", "v3"])
@pytest.mark.parametrize("at", [1, 2, 5, 9])
def test_parse_sees_a_wrong_checksum(pdu: bytes, at: int) -> None:
    broken = pdu[:at] + bytes([pdu[at] ^ 1]) + pdu[at + 1 :]
    advert = parse(_frame(_ethernet(0x0800) + _ipv4(broken)))
    assert isinstance(advert, Advert) and not advert.checksum_ok


@pytest.mark.parametrize("size", range(len(_ethernet(0x0800) + _ipv4(V3))))
def test_parse_of_a_cut_frame_is_none(size: int) -> None:
    assert parse(_frame((_ethernet(0x0800) + _ipv4(V3))[:size])) is None


def test_tshark_finds_nothing_wrong_with_right_packets() -> None:
    needs.require_tshark()
    verdict = dissect([_frame(_ethernet(0x0800) + _ipv4(pdu)) for pdu in (V2, V3)])
    assert verdict.seen == {"vrrp": 2}
    assert verdict.complaints == []


def test_tshark_detects_what_is_broken() -> None:
    """Each kind of complaint is raised by a frame that deserves it: the detector detects."""
    needs.require_tshark()
    good = _ethernet(0x0800) + _ipv4(V3)
    v6_header = struct.pack("!IHBB", 0x6C000000, 24, 112, 255)
    v6_header += bytes.fromhex("fe80" + "00" * 13 + "01") + bytes.fromhex("ff02" + "00" * 13 + "12")
    address = bytes.fromhex("fe80" + "00" * 13 + "64")
    v6 = _ethernet(0x86DD, "333300000012") + v6_header

    def v6_pdu(head: str, value: int | None) -> bytes:
        pdu = bytes.fromhex(head) + b"\0\0" + address
        if value is None:
            value = checksum(v6_header[8:40] + struct.pack("!II", len(pdu), 112) + pdu)
        return pdu[:6] + struct.pack("!H", value) + pdu[8:]

    frames = {
        "good v3 over IPv4": good,
        "good v3 over IPv6": v6 + v6_pdu("313396010064", None),
        "good v2 over IPv6": v6 + v6_pdu("213396010001", None),
        "v3 priority changed": good[:36] + bytes([good[36] ^ 1]) + good[37:],
        "v2 password changed": (_ethernet(0x0800) + _ipv4(V2))[:-1] + b"x",
        "IPv4 header checksum": good[:22] + b"\x7f" + good[23:],
        "v3 over IPv6": v6 + v6_pdu("313396010064", 0x1234),
        "v2 over IPv6": v6 + v6_pdu("213396010001", 0x1234),
        "more addresses than octets": _ethernet(0x0800) + _ipv4(V3[:3] + b"\x05" + V3[4:]),
    }
    verdict = dissect([_frame(data) for data in frames.values()])
    found = {list(frames)[complaint.index] for complaint in verdict.complaints}
    assert found == {name for name in frames if not name.startswith("good")}, verdict


@pytest.mark.netns
def test_segment_joins_its_directors_and_hears_them() -> None:
    needs.require_netns()
    with Segment(PAIR) as segment, Capture(segment) as capture:
        with segment["b"], socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind(("192.0.2.2", 7))
            receiver.settimeout(5)
            with segment["a"], socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                before = time.time()
                sender.sendto(b"hello", ("192.0.2.2", 7))
            assert receiver.recv(16) == b"hello"
        question = wait_for(
            "the ARP request", lambda: next((r for r in capture.records() if isinstance(r, Arp)), None)
        )
        assert (question.port, question.sender, question.target) == ("a", "192.0.2.1", "192.0.2.2")
        assert before <= question.time <= time.time()
        wait_for("the datagram", lambda: any(b"hello" in frame.data for frame in _drained(capture)))
        # Each frame once, although the switch passes it on to a second port.
        assert sum(b"hello" in frame.data for frame in capture.frames) == 1
        assert segment["a"].has("2001:db8::1") and not segment["a"].has("2001:db8::2")


def _drained(capture: Capture) -> list[Frame]:
    capture.drain()
    return capture.frames


@pytest.mark.netns
def test_segments_side_by_side_do_not_meet() -> None:
    needs.require_netns()
    failures: list[BaseException] = []

    def build() -> None:
        try:
            with (
                Segment(PAIR) as segment,
                segment["a"],
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own,
            ):
                own.bind(("192.0.2.1", 9))  # the same address and port in every segment
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=build) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.netns
def test_kill_ends_the_whole_session(tmp_path: Path) -> None:
    needs.require_netns()
    namespace = Namespace("kill")
    script = "import os, time\nos.fork() or os.setsid()\nprint('up', flush=True)\ntime.sleep(600)"
    process = namespace.start([sys.executable, "-c", script], log=tmp_path / "log")
    wait_for("both processes", lambda: process.output().count("up") == 2)
    assert len(namespace.pids()) == 2
    process.kill()
    wait_for("nobody left", lambda: not namespace.pids())
    assert process.returncode == -signal.SIGKILL
    namespace.close()


@pytest.mark.netns
def test_close_leaves_nothing_after_a_failure(tmp_path: Path) -> None:
    needs.require_netns()
    pids: list[int] = []
    with pytest.raises(LabTimeoutError, match="something that never comes"), Segment(PAIR) as segment:
        pids.append(segment["a"].start(["sleep", "600"], log=tmp_path / "log").pid)
        wait_for("something that never comes", lambda: False, timeout=0.1)
    assert _gone(pids[0])


@pytest.mark.netns
def test_a_killed_run_is_swept_by_the_next(tmp_path: Path) -> None:
    needs.require_netns()
    script = (
        "import os, pathlib, sys\n"
        "from lab.netns import Namespace\n"
        "process = Namespace('doomed').start(['sleep', '600'], log=pathlib.Path(sys.argv[1]))\n"
        "print(process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    argv = [sys.executable, "-c", script, str(tmp_path / "log")]
    killed = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    orphan = int(killed.stdout)
    assert not _gone(orphan)
    argv = [sys.executable, "-c", "from lab.processes import sweep; sweep()"]
    subprocess.run(argv, env=environment, check=True)
    wait_for("the orphan to be gone", lambda: _gone(orphan))


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_what_is_lacking_is_a_skip_on_a_laptop_and_a_failure_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="apt install tshark"):
        needs.lacking("tshark is not installed: apt install tshark")
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="apt install tshark"):
        needs.lacking("tshark is not installed: apt install tshark")
