"""Routes and rules of this network namespace: the part of the Linux backend."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from kir.model import Config, Route, Rule
from kir.plan.route_operations import RoutingOperation
from krun.kernel.door import Failure, Link, RoutingEvent
from krun.kernel.routing.names import Names, folders, numbered
from krun.kernel.routing.watch import Watch
from krun.kernel.routing.writer import RoutingSocket, RoutingWriter, read_routes, read_rules


class LinuxRouting:
    """``links`` gives the interfaces by name as they are now. Raises OSError where netlink cannot be had."""

    def __init__(self, links: Callable[[], Mapping[str, Link]]) -> None:
        self._links = links
        self._socket = RoutingSocket()
        self._writer = RoutingWriter(self._socket, self._devices, self.vrf_tables)
        self._watch: Watch | None = None

    def numbered(self, config: Config) -> tuple[Config, dict[str, list[str]]]:
        return numbered(config, Names(folders(config)))

    def vrf_tables(self) -> Mapping[str, int]:
        return {link.name: link.vrf_table for link in self._links().values() if link.vrf_table}

    def routes(self, protocols: Collection[int]) -> list[Route]:
        return read_routes(self._socket, protocols, self._devices())

    def rules(self) -> list[Rule]:
        return read_rules(self._socket)

    def apply(self, operations: Sequence[RoutingOperation]) -> list[Failure]:
        return self._writer.apply(operations) if operations else []

    def watch(self) -> None:
        if self._watch is None:
            self._watch = Watch()

    def fileno(self) -> int:
        return -1 if self._watch is None else self._watch.fileno()

    def read_events(self) -> list[RoutingEvent]:
        return [] if self._watch is None else self._watch.read(self._devices())

    @property
    def writes(self) -> int:
        return self._writer.writes

    def close(self) -> None:
        self._socket.close()
        if self._watch is not None:
            self._watch.close()

    def _devices(self) -> dict[int, str]:
        return {link.index: link.name for link in self._links().values()}
