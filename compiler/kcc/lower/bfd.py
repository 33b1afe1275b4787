"""``bfd_instance``: a BFD session with another router (RFC 5880)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcc.diagnostics.model import Severity
from kcc.lower.scope import seconds, wrote
from kir.model import BfdInstance

if TYPE_CHECKING:
    from kcc.language.parsed import Node
    from kcc.lower.scope import Scope

LONG_US = 10_000_000
ANY_HOPS = 255
_GONE = "keepalived removes the session, and everything that tracks it"


def lower_bfd(name: str, node: Node, scope: Scope, neighbors: dict[str, Node]) -> BfdInstance | None:
    """One session, None where keepalived removes it. ``neighbors``: whom earlier sessions have."""
    neighbor: str | None = node.get("neighbor_ip")
    if neighbor is None:
        if not wrote(node, "neighbor_ip", "neighbour_ip"):
            scope.say(
                "KC0620",
                f"`bfd_instance {name}` has no `neighbor_ip`",
                node,
                consequence=_GONE,
                help="add `neighbor_ip ADDRESS`",
            )
        return None
    first = neighbors.setdefault(neighbor, node)
    if first is not node:
        scope.say(
            "KC0621",
            f"`bfd_instance {name}`: {neighbor} is the neighbour of another session",
            node.fields["neighbor_ip"],
            consequence=_GONE,
            help="one session a neighbour: remove one of the two",
            also=((first, "the other session"),),
        )
        return None
    source: str | None = node.get("source_ip")
    if source is not None and (":" in source) != (":" in neighbor):
        scope.say(
            "KC0622",
            f"`bfd_instance {name}`: no packet goes from {source} to {neighbor}",
            node.fields["source_ip"],
            consequence=_GONE,
            help="write a source address of the neighbour's family",
        )
        return None
    for leaf in ("min_rx", "min_tx", "idle_tx"):
        if node.get(leaf, 0) > LONG_US:
            scope.say(
                "KC0624",
                f"`bfd_instance {name}`: `{leaf}` of {seconds(node.get(leaf))} is unusually long",
                node.fields[leaf],
                consequence="a failure is seen only after several of these intervals",
                help="the unit is milliseconds: write at most 10000",
                severity=Severity.WARNING,
            )
    v6 = ":" in neighbor
    ttl: int = node.get("ttl", 64 if v6 else 255)
    events = [leaf for leaf in ("vrrp", "checker") if node.has(leaf)]
    return BfdInstance(
        name=name,
        neighbor=neighbor,
        family="inet6" if v6 else "inet",
        source=source,
        min_rx_us=node.get("min_rx", 10_000),
        min_tx_us=node.get("min_tx", 10_000),
        idle_tx_us=node.get("idle_tx", 1_000_000),
        multiplier=node.get("multiplier", 5),
        passive=node.get("passive", False),
        ttl=ttl,
        max_hops=_hops(name, node, scope, ttl),
        multihop=node.get("multihop", False),
        vrrp=not events or "vrrp" in events,
        checker=not events or "checker" in events,
    )


def _hops(name: str, node: Node, scope: Scope, ttl: int) -> int:
    """How many hops a packet may have made; -1 where any number will do."""
    said: int = node.get("max_hops", 0)
    octet = ANY_HOPS if said == -1 else said  # keepalived keeps it in one octet, and compares that
    if octet <= ttl:
        return -1 if octet == ANY_HOPS else octet
    scope.say(
        "KC0623",
        f"`bfd_instance {name}`: `max_hops` {said}{' (any number, for keepalived 255)' if said == -1 else ''} is above `ttl` {ttl}",
        node.fields["max_hops"],
        consequence=f"keepalived uses {ttl}",
        help=f"write at most {ttl}, or `ttl 255` with `max_hops -1` where the hops do not matter",
    )
    return -1 if ttl == ANY_HOPS else ttl
