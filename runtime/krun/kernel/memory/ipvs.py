"""The IPVS table in memory."""

from __future__ import annotations

import errno
import struct
from collections import deque
from collections.abc import Callable, Collection, Sequence

from kir.model import Service
from kir.plan.operations import (
    AddDest,
    AddService,
    DelService,
    DestOperation,
    EditDest,
    EditService,
    IpvsOperation,
)
from kir.state import DestKey, DestParams, IpvsTable, ServiceEntry, ServiceParams
from krun.kernel.door import Failure
from krun.kernel.glance import Glance, expected, service_words
from krun.kernel.netlink import ipvs as wire
from krun.kernel.netlink.codec import ATTRIBUTE, Refusal
from krun.kernel.refusals import failure

LOG_LIMIT = 100_000

SCHEDULERS = frozenset(
    ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos")
)
"""Those of Linux 6 (net/netfilter/ipvs/Kconfig)."""
ENGINES = frozenset(("sip",))

Refuse = Callable[[IpvsOperation], int | None]


class MemoryIpvs:
    """Services and servers in dicts. What is put in goes through the wire format, so it is given back as the kernel would.

    ``refuse``: a test's way to have an operation refused, by returning an errno. ``log``: the operations that came in.
    ``counts``: what `connections` gives. ``timeouts``: what `set_timeouts` set.
    """

    def __init__(self) -> None:
        self._table: IpvsTable = {}
        self._writes = 0
        self.refuse: Refuse | None = None
        self.log: deque[IpvsOperation] = deque(maxlen=LOG_LIMIT)
        self.counts: dict[tuple[str, str], int] = {}
        self.timeouts: tuple[int | None, int | None, int | None] = (None, None, None)

    def dump(self) -> IpvsTable:
        return {
            service: ServiceEntry(entry.params, dict(entry.dests)) for service, entry in self._table.items()
        }

    def look(self, services: Collection[Service]) -> IpvsTable:
        return {service: entry for service, entry in self.dump().items() if service in services}

    def glance(self) -> Glance | None:
        return {service_words(service): expected(entry) for service, entry in self._table.items()}

    def apply(self, operations: Sequence[IpvsOperation]) -> list[Failure]:
        failures = []
        for operation in operations:
            self._writes += 1
            self.log.append(operation)
            refused = self.refuse(operation) if self.refuse is not None else None
            if refused is None:
                try:
                    refused = self._carry_out(operation)
                except (OSError, ValueError, KeyError, OverflowError, struct.error):
                    refused = errno.EINVAL
            if refused:
                failures.append(failure(operation, Refusal(refused)))
        return failures

    def connections(self) -> dict[tuple[str, str], int]:
        return dict(self.counts)

    def set_timeouts(self, tcp_s: int | None, tcpfin_s: int | None, udp_s: int | None) -> None:
        old = self.timeouts
        new = (tcp_s, tcpfin_s, udp_s)
        if new == (None, None, None):
            return
        self._writes += 1
        self.timeouts = tuple(a if b is None else b for a, b in zip(old, new, strict=True))  # type: ignore[assignment]

    @property
    def writes(self) -> int:
        return self._writes

    def close(self) -> None:
        """Nothing is open."""

    def _carry_out(self, operation: IpvsOperation) -> int:
        """Returns 0 or an errno, checked in the kernel's order."""
        service = operation.service
        entry = self._table.get(service)
        if isinstance(operation, AddService):
            if entry is not None:
                return errno.EEXIST
            refused, params = _service(service, operation.params)
            if not refused:
                self._table[service] = ServiceEntry(params)
            return refused
        if entry is None:
            return errno.ESRCH
        if isinstance(operation, EditService):
            refused, params = _service(service, operation.params)
            if not refused:
                entry.params = params
            return refused
        if isinstance(operation, DelService):
            del self._table[service]
            return 0
        assert isinstance(operation, DestOperation)
        return _change_dest(entry, service, operation)


def _change_dest(entry: ServiceEntry, service: Service, operation: DestOperation) -> int:
    present = operation.dest in entry.dests
    if not isinstance(operation, AddDest | EditDest):
        return 0 if entry.dests.pop(operation.dest, None) is not None else errno.ENOENT
    params = operation.params
    foreign = (":" in operation.dest.address) != (service.family == "inet6")
    if foreign and params.forwarding.method != "TUN":
        return errno.EINVAL
    if params.weight < 0 or params.lower_threshold > params.upper_threshold:
        return errno.ERANGE
    if params.forwarding.tunnel_type == "gue" and not params.forwarding.tunnel_port:
        return errno.EINVAL
    if isinstance(operation, AddDest) and present:
        return errno.EEXIST
    if isinstance(operation, EditDest) and not present:
        return errno.ENOENT
    key, value = _dest(operation.dest, params, service)
    entry.dests[key] = value
    return 0


def _service(service: Service, params: ServiceParams) -> tuple[int, ServiceParams]:
    if params.scheduler not in SCHEDULERS or (params.engine is not None and params.engine not in ENGINES):
        return errno.ENOENT, params
    packed = wire.pack_service(wire.pack_key(service), params)
    read = wire.read_service(wire.SERVICE.unpack(packed, ATTRIBUTE.size))
    if read is None:
        return errno.EINVAL, params
    if service.family == "inet6" and not 1 <= int(params.granularity) <= 128:
        return errno.EINVAL, params
    return 0, read[1]


def _dest(dest: DestKey, params: DestParams, service: Service) -> tuple[DestKey, DestParams]:
    packed = wire.pack_dest(dest, params)
    read = wire.read_dest(wire.DEST.unpack(packed, ATTRIBUTE.size), service.family)
    assert read is not None
    return read
