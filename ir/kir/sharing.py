"""One object for what is equal: in a large configuration timings, forwarding and addresses are the same thousands of times.

Only for objects that nobody else has yet, as they come out of a decoder: they are changed in place. That is seen by nobody, for what
takes a part's place is equal to it.
"""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import force_setattr

from kir.model import RealServer, TcpCheck, VirtualServer

T = TypeVar("T")

MOST = 10_000
"""So many different parts are remembered: where more differ there is little to share."""


class Sharing:
    """Remembers the parts that it saw."""

    def __init__(self) -> None:
        self._seen: dict[object, object] = {}

    def virtual(self, server: VirtualServer) -> VirtualServer:
        """``server``, as it was, of parts that others have too."""
        for real in server.real_servers:
            self.real(real)
        return server

    def real(self, real: RealServer) -> RealServer:
        """The same of a real server."""
        force_setattr(real, "forwarding", self._one(real.forwarding))
        if real.port > 256:  # CPython has the smaller ones once
            force_setattr(real, "port", self._one(real.port))
        for check in real.checkers:
            timing = getattr(check, "timing", None)
            if timing is not None and "timing" in check.__struct_fields__:
                force_setattr(check, "timing", self._one(timing))
            if isinstance(check, TcpCheck):
                endpoint = check.endpoint
                if endpoint.address == real.address:
                    force_setattr(endpoint, "address", real.address)
                force_setattr(endpoint, "port", self._one(endpoint.port))
                force_setattr(endpoint, "timeout_us", self._one(endpoint.timeout_us))
        return real

    def _one(self, part: T) -> T:
        seen = self._seen
        found = seen.get(part)
        if found is None:
            if len(seen) < MOST:
                seen[part] = part
            return part
        return found  # type: ignore[return-value]
