"""A cheap look at the IPVS table: the text of ``/proc/net/ip_vs``, ten times cheaper than a dump over netlink.

It tells less: no thresholds, no tunnel's type, of the scheduler's flags only one-packet scheduling, and of persistence no time. What it
tells is kept as the kernel's own words and compared with the words that the kernel would use for a table (net/netfilter/ipvs/ip_vs_ctl.c,
ip_vs_info_seq_show), so that a table of 30,000 servers costs some milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_pton

from kir.model import Service
from kir.state import DestKey, ServiceEntry

_PROTOCOLS = frozenset(("TCP", "UDP", "SCTP"))
_METHODS = {"NAT": "Masq", "DR": "Route", "TUN": "Tunnel"}
_LOCAL = "Local"
"""How some kernels show a server that is the director itself, whatever its method."""

Dests = dict[str, tuple[str, str]]
"""Server, as ``C0A80001:0050`` → (method, weight)."""


@dataclass(slots=True)
class Seen:
    """A service: scheduler, ``ops``, ``persistent`` and its mask, as far as they are there; and its servers."""

    words: tuple[str, ...]
    dests: Dests = field(default_factory=dict)


Glance = dict[str, Seen]
"""Service, as ``TCP 0A000001:0050`` or ``FWM 00000007 inet`` → what is seen of it."""


def parse(lines: Iterable[str]) -> Glance:
    """The text of ``/proc/net/ip_vs``. Lines of another form are passed over.

    A mark's line does not tell its family, which is that of its servers; a mark without servers is named ``FWM 00000007 ?``.
    """
    found: Glance = {}
    seen: Seen | None = None
    mark = ""
    for line in lines:
        words = line.split()
        if line.startswith("  -> "):
            if seen is None or len(words) < 6:
                continue
            if mark:
                found.pop(mark + "?", None)
                found[mark + ("inet6" if words[1].startswith("[") else "inet")] = seen
                mark = ""
            seen.dests[words[1]] = (words[2], words[3])
        elif len(words) >= 3 and (words[0] in _PROTOCOLS or words[0] == "FWM"):
            seen = Seen(_options(words[2:]))
            mark = f"FWM {words[1]} " if words[0] == "FWM" else ""
            found[mark + "?" if mark else f"{words[0]} {words[1]}"] = seen
    return found


def _options(words: list[str]) -> tuple[str, ...]:
    """Without the time of persistence, which is in the kernel's own ticks."""
    if "persistent" in words:
        at = words.index("persistent")
        return tuple(words[: at + 1] + words[at + 2 :])
    return tuple(words)


def service_words(service: Service) -> str:
    """How a `Glance` names ``service``."""
    if service.fwmark:
        return f"FWM {service.fwmark:08X} {service.family}"
    return f"{(service.protocol or '').upper()} {_endpoint(service.address or '::', service.port)}"


def expected(entry: ServiceEntry) -> Seen:
    """What a glance shows of a service that is as ``entry`` says."""
    params = entry.params
    words = [params.scheduler]
    if "ops" in params.flags:
        words.append("ops")
    if params.timeout_s:
        mask = params.granularity
        words += [
            "persistent",
            inet_pton(AF_INET, mask).hex().upper() if "." in mask else f"{int(mask):08X}",
        ]
    return Seen(
        tuple(words),
        {dest_words(d): _use(p.forwarding.method, p.weight) for d, p in entry.dests.items()},
    )


def dest_words(dest: DestKey) -> str:
    """How a `Glance` names a server."""
    return _endpoint(dest.address, dest.port)


def same(service: str, want: Seen, glance: Glance) -> bool:
    """Whether ``glance`` shows ``service`` (by `service_words`) as ``want``."""
    seen = glance.get(service)
    if seen is None and service.startswith("FWM") and not want.dests:
        seen = glance.get(service.rpartition(" ")[0] + " ?")
    if seen is None or seen.words != want.words:
        return False
    if seen.dests == want.dests:
        return True
    return seen.dests.keys() == want.dests.keys() and all(
        seen.dests[d] == w or seen.dests[d] == (_LOCAL, w[1]) for d, w in want.dests.items()
    )


@lru_cache(maxsize=1024)
def _use(method: str, weight: int) -> tuple[str, str]:
    """One object for all servers that are used alike."""
    return _METHODS[method], str(weight)


def _endpoint(address: str, port: int) -> str:
    if ":" in address:
        return f"[{inet_pton(AF_INET6, address).hex(':', 2)}]:{port:04X}"
    return f"{inet_pton(AF_INET, address).hex().upper()}:{port:04X}"
