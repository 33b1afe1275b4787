"""What tshark says of captured frames: a judge that nobody here wrote.

tshark 4.0 verifies the VRRP checksum of version 2 and, with the pseudo-header, of version 3 over both
families; the IPv4 header checksum only when told to. ``tests/lab/test_lab.py`` proves with broken
frames that each kind of complaint is in fact raised.

Two things that it says are not about the packets:

* "Duplicate IP address configured": in a takeover an address does change its link-layer address.
* A bad checksum of every version 2 packet over IPv6. RFC 3768 knows IPv4 only; over IPv6 the kernel
  computes the checksum with the pseudo-header that IPv6 asks for (RFC 8200 section 8.1), as it does for
  keepalived, while tshark leaves it out for version 2 of either family. For these packets the verdict
  is that of :mod:`lab.packets`.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.capture import write_pcap
from lab.needs import find_tool
from lab.packets import Advert, Frame, parse

__all__ = ["Complaint", "Dissection", "dissect"]

_FIELDS = (
    "frame.number",
    "frame.protocols",
    "vrrp.version",
    "vrrp.checksum.status",
    "ip.checksum.status",
    "icmpv6.checksum.status",
    "icmpv6.type",
    "_ws.malformed",
    "_ws.expert.severity",
    "_ws.expert.message",
)
_BAD = "0"  # the values of a *.checksum.status field: 0 bad, 1 good, 2 unverified
_WARNING = 0x00600000  # epan/expert.h: PI_WARN
_HARMLESS = ("Duplicate IP address configured",)


@dataclass(frozen=True, slots=True)
class Complaint:
    """One frame that tshark finds wrong: its index in the sequence given, its protocol, what is wrong."""

    index: int
    protocol: str
    message: str


@dataclass(frozen=True, slots=True)
class Dissection:
    """``seen`` counts frames by innermost protocol (``vrrp``, ``arp``, ``icmpv6`` …), so that a clean
    verdict over nothing cannot pass for one; ``complaints`` lists what is wrong, empty when clean."""

    seen: dict[str, int]
    complaints: list[Complaint]


def dissect(frames: Sequence[Frame], timeout: float = 60.0) -> Dissection:
    """tshark's verdict on VRRP, ARP and ICMPv6 among ``frames``. Frames of several captures may be joined.

    ICMP errors are left out: they quote the beginning of somebody's packet, cut short on purpose.
    """
    with tempfile.TemporaryDirectory(prefix="krun-dissect-") as folder:
        file = Path(folder, "frames.pcap")
        write_pcap(file, list(frames))
        argv = [find_tool("tshark") or "tshark", "-n", "-r", str(file), "-T", "fields", "-E", "separator=/t"]
        argv += ["-E", "occurrence=a", "-E", "aggregator=;"]
        argv += ["-o", "ip.check_checksum:TRUE", "-o", "vrrp.v3_checksum_as_in_v2:FALSE"]
        for field in _FIELDS:
            argv += ["-e", field]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"tshark exited with {done.returncode}: {done.stderr.strip()[-2000:]}")
    seen: dict[str, int] = {}
    complaints: list[Complaint] = []
    for line in done.stdout.splitlines():
        values = dict(zip(_FIELDS, line.split("\t"), strict=False))
        layers = values["frame.protocols"].split(":")
        protocol = next((layer for layer in reversed(layers) if layer != "_ws.malformed"), "")
        kind = values.get("icmpv6.type", "").split(";")[0]
        error_quote = "icmp" in layers or (kind.isdigit() and int(kind) < 128)  # RFC 4443 section 2.1
        if error_quote or not {"vrrp", "arp", "icmpv6", "ah"} & set(layers):
            continue
        seen[protocol] = seen.get(protocol, 0) + 1
        index = int(values["frame.number"]) - 1
        complaints += [Complaint(index, protocol, why) for why in _wrong(values, frames[index])]
    return Dissection(seen, complaints)


def _wrong(values: dict[str, str], frame: Frame) -> list[str]:
    over_ipv6 = "ipv6" in values["frame.protocols"].split(":")
    exempt = values.get("vrrp.version") == "2" and over_ipv6
    wrong = []
    if exempt:
        record = parse(frame)
        if not (isinstance(record, Advert) and record.checksum_ok):
            wrong.append("version 2 over IPv6: the checksum with the IPv6 pseudo-header is wrong")
    for name in ("vrrp", "ip", "icmpv6"):
        if _BAD in values.get(f"{name}.checksum.status", "").split(";") and not (exempt and name == "vrrp"):
            wrong.append(f"bad {name} checksum")
    if values.get("_ws.malformed"):
        wrong.append("malformed packet")
    severities = [int(value, 0) for value in values.get("_ws.expert.severity", "").split(";") if value]
    message = values.get("_ws.expert.message", "")
    excused = any(text in message for text in _HARMLESS) or (exempt and "Bad checksum" in message)
    if any(severity >= _WARNING for severity in severities) and not excused:
        wrong.append(message)
    return wrong
