"""The raw sockets of the VRRP process: one for each endpoint, opened when needed, watched by the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from krun.kernel.door import AdvertSocket, Kernel
from krun.loop.books import Books, Entry
from krun.vrrp.endpoint import Endpoint

log = logging.getLogger("krun.vrrp")

PACKETS_AT_ONCE = 512
"""How many packets are read from one socket before the loop gets its turn again; the rest is still there then."""

DRAINS = 64
"""How often so many, where all is to be read: a flood must not keep us for ever."""

Received = Callable[[Endpoint, bytes, str, str, int], None]


class Sockets:
    """``received`` is called for each packet: endpoint, PDU, source, destination, TTL.

    ``failed`` hears of an endpoint that cannot be opened (a sentence) and of one that works again (None).
    """

    def __init__(
        self,
        kernel: Kernel,
        loop: asyncio.AbstractEventLoop,
        received: Received,
        failed: Callable[[Endpoint, str | None], None],
    ) -> None:
        self._kernel = kernel
        self._loop = loop
        self._received = received
        self._failed = failed
        self._open: dict[Endpoint, AdvertSocket] = {}
        self._wanted: dict[Endpoint, tuple[int, ...]] = {}
        self.problems: dict[Endpoint, str] = {}

    def want(self, endpoints: Mapping[Endpoint, tuple[int, ...]]) -> None:
        """These and no others: what stays is not touched, the rest is closed, the new opened."""
        self._wanted = dict(endpoints)
        for at in [at for at in self._open if at not in endpoints]:
            self._close(at)
        for at in [at for at in self.problems if at not in endpoints]:
            del self.problems[at]
            self._failed(at, None)
        for at in endpoints:
            if at not in self.problems:
                self.get(at)

    def books(self) -> Books:
        """What it owns (`krun.loop.books`)."""
        for at, sock in self._open.items():
            yield Entry("socket", str(at), sock)

    def known(self, at: Endpoint) -> AdvertSocket | None:
        """The socket of an endpoint, if it is open."""
        return self._open.get(at)

    def get(self, at: Endpoint) -> AdvertSocket | None:
        """The socket of an endpoint, opened if it is not; None where that fails."""
        known = self._open.get(at)
        if known is not None:
            return known
        try:
            sock = self._kernel.advert_socket(
                at.device, at.family, at.group, at.source, self._wanted.get(at, ())
            )
        except OSError as error:
            first = at not in self.problems
            words = f"cannot open the VRRP socket on {at}: {error.strerror or error}"
            self.problems[at] = words
            if first:
                self._failed(at, words)
            return None
        self._open[at] = sock
        if sock.fileno() >= 0:
            self._loop.add_reader(sock.fileno(), self._readable, at, sock)
        if self.problems.pop(at, None) is not None:
            self._failed(at, None)
        return sock

    def retry(self) -> bool:
        """Try the endpoints that could not be opened again; True when some still cannot."""
        for at in list(self.problems):
            self.get(at)
        return bool(self.problems)

    def read(self, at: Endpoint) -> None:
        """Read what came in, for kernels whose sockets have no descriptor to wait on."""
        sock = self._open.get(at)
        if sock is not None:
            self._readable(at, sock)

    def drain(self) -> None:
        """Read all that came in, of every socket."""
        for at, sock in list(self._open.items()):
            for _ in range(DRAINS):
                if self._open.get(at) is not sock or not self._readable(at, sock):
                    break

    def _readable(self, at: Endpoint, sock: AdvertSocket) -> bool:
        """Whether there may be more."""
        receive, received = sock.receive, self._received
        for _ in range(PACKETS_AT_ONCE):
            try:
                packet = receive()
            except OSError as error:
                log.warning("%s: cannot receive: %s", at, error.strerror or error)
                return False
            if packet is None:
                return False
            pdu, source, destination, ttl = packet
            received(at, pdu, source, destination, ttl)
            if self._open.get(at) is not sock:
                return False  # the packet led to its closing
        return True

    def _close(self, at: Endpoint) -> None:
        sock = self._open.pop(at)
        if sock.fileno() >= 0:
            self._loop.remove_reader(sock.fileno())
        sock.close()

    def close(self) -> None:
        """Close all."""
        for at in list(self._open):
            self._close(at)
