"""The objects of a configuration and what connects them, before anyone draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kir.diff import checker_identity
from kir.model import (
    BfdCheck,
    Config,
    FileCheck,
    RealServer,
    SyncGroup,
    TrackedBfd,
    TrackedInterface,
    TrackedProcess,
    TrackedScript,
    VirtualServer,
    VrrpInstance,
)

__all__ = ["KINDS", "Edge", "Graph", "Node", "graph_of"]

KINDS = ("tracker", "group", "instance", "address", "service", "server")
"""In the order from cause to effect: also the columns of a drawing."""


@dataclass(frozen=True, slots=True)
class Node:
    """``key`` is unique in its graph; ``kind`` one of KINDS; ``title`` what it is called; ``details`` one short line."""

    key: str
    kind: str
    title: str
    details: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """From cause to effect; ``label`` a word or two. ``dashed``: only in need (a sorry server) or by watching (a tracker)."""

    start: str
    end: str
    label: str = ""
    dashed: bool = False


@dataclass(slots=True)
class Graph:
    """Nodes in the order in which they are to be read, and edges."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)

    def add(self, kind: str, key: str, title: str, details: str = "") -> str:
        """A node, unless it is there; its key."""
        key = f"{kind}/{key}"
        if key not in self.nodes:
            self.nodes[key] = Node(key, kind, title, details)
        return key

    def children(self) -> dict[str, list[Edge]]:
        """The edges by their start."""
        found: dict[str, list[Edge]] = {}
        for edge in self.edges:
            found.setdefault(edge.start, []).append(edge)
        return found


def graph_of(config: Config, *, most_servers: int = 0) -> Graph:
    """The graph of ``config``. ``most_servers``: of a longer pool the rest is one node that counts them (0: all are shown)."""
    graph = Graph()
    groups = {group.name: group for group in config.vrrp_sync_groups}
    grouped: set[str] = set()
    by_name = {i.name: i for i in config.vrrp_instances}
    addresses: dict[str, list[str]] = {}
    for group in groups.values():
        key = graph.add("group", group.name, group.name, "sync group")
        _trackers(graph, group, key)
        for name in group.members:
            if name in by_name:
                grouped.add(name)
                graph.edges.append(Edge(key, _instance(graph, by_name[name], addresses)))
    for instance in config.vrrp_instances:
        if instance.name not in grouped:
            _instance(graph, instance, addresses)
    for server in config.virtual_servers:
        _service(graph, server, addresses, most_servers)
    return graph


def _instance(graph: Graph, i: VrrpInstance, addresses: dict[str, list[str]]) -> str:
    how = "unicast" if i.unicast else "multicast"
    where = i.interface or (f"vrf {i.vrf}" if i.vrf else "no interface")
    details = f"{where} · VRID {i.vrid} · v{i.version} {how} · {i.initial_state} {i.priority}"
    key = graph.add("instance", i.name, i.name, details)
    _trackers(graph, i, key)
    for address in (*i.vips, *i.excluded_vips):
        device = "" if address.device == i.interface else f"dev {address.device}"
        vip = graph.add("address", address.identity, f"{address.address}/{address.prefix}", device)
        graph.edges.append(Edge(key, vip))
        addresses.setdefault(address.address, []).append(vip)
    return key


def _trackers(graph: Graph, watcher: VrrpInstance | SyncGroup, key: str) -> None:
    added: list[tuple[str, TrackedScript | TrackedInterface | TrackedProcess | TrackedBfd]] = [
        *(("script", t) for t in watcher.track_scripts),
        *(("interface", t) for t in watcher.track_interfaces),
        *(("process", t) for t in watcher.track_processes),
        *(("bfd", t) for t in watcher.track_bfds),
    ]
    for what, tracked in added:
        _tracker(graph, what, tracked.name, key, f"{tracked.weight:+d}", tracked.weight, tracked.reverse)
    for file in watcher.track_files:
        _tracker(graph, "file", file.name, key, f"×{file.weight}", file.weight, file.reverse)


def _tracker(graph: Graph, what: str, name: str, key: str, effect: str, weight: int, reverse: bool) -> None:
    """``effect`` on what follows it, here where it has a ``weight``; without one it brings it down."""
    start = graph.add("tracker", f"{what} {name}", name, what)
    label = effect if weight else "down" if key.startswith("server/") else "FAULT"
    graph.edges.append(Edge(start, key, label + (" reverse" if reverse else ""), dashed=True))


def _watched(graph: Graph, server: RealServer, key: str) -> None:
    """The files and sessions that checks of ``server`` follow."""
    for check in server.checkers:
        if isinstance(check, FileCheck):
            _tracker(graph, "file", check.track_file, key, f"×{check.weight}", check.weight, check.reverse)
        elif isinstance(check, BfdCheck):
            _tracker(graph, "bfd", check.bfd, key, "", 0, False)


def _service(graph: Graph, v: VirtualServer, addresses: dict[str, list[str]], most: int) -> None:
    methods = sorted({r.forwarding.method for r in v.real_servers})
    more = [] if v.quorum == 1 else [f"quorum {v.quorum}"]
    key = graph.add("service", v.name, v.name, " · ".join([v.scheduler, "/".join(methods), *more]))
    held = dict.fromkeys(
        vip for service in v.services if service.address for vip in addresses.get(service.address, ())
    )
    graph.edges += [Edge(vip, key) for vip in held]
    shown: Sequence[RealServer] = v.real_servers
    if most and len(shown) > most:
        shown = shown[: most - 1]
    for server in shown:
        checks = [checker_identity(c, n).rpartition(" ")[0] for n, c in enumerate(server.checkers)]
        end = graph.add(
            "server", f"{v.name} {server.identity}", server.identity, ", ".join(checks) or "no check"
        )
        graph.edges.append(Edge(key, end, f"weight {server.weight}"))
        _watched(graph, server, end)
    if len(shown) < len(v.real_servers):
        rest = len(v.real_servers) - len(shown)
        graph.edges.append(Edge(key, graph.add("server", f"{v.name} more", f"… {rest} more servers")))
    if v.sorry_server is not None:
        sorry = graph.add("server", f"{v.name} sorry", v.sorry_server.identity, "sorry server")
        graph.edges.append(Edge(key, sorry, "without quorum", dashed=True))
