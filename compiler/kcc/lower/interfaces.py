"""Settings of interfaces: how their link state is found out and when it counts, and which share the pacing of gratuitous ARP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcc.diagnostics.model import Severity
from kir.model import GarpGroup, InterfaceDelay, Linkbeat

if TYPE_CHECKING:
    from kcc.language.parsed import Field, Node
    from kcc.lower.scope import Scope

_METHODS = {"MII": "mii", "ETHTOOL": "ethtool", "IOCTL": "ioctl"}


def lower_linkbeat(root: Node, scope: Scope) -> tuple[Linkbeat, ...]:
    """``linkbeat_interfaces``: a later line for the same interface replaces an earlier one."""
    found: dict[str, Linkbeat] = {}
    for line in root.all_lines("linkbeat_interfaces"):
        name, method = line.value
        found[name] = Linkbeat(interface=name, method=_METHODS.get(method, "auto"))  # type: ignore[arg-type]
        scope.nodes[f"linkbeat_interfaces/{name}"] = line.statement
    return tuple(found.values())


def lower_delays(root: Node, scope: Scope) -> tuple[InterfaceDelay, ...]:
    """``interface_up_down_delays``."""
    found: dict[str, InterfaceDelay] = {}
    for line in root.all_lines("interface_up_down_delays"):
        value = line.value
        found[value.interface] = InterfaceDelay(
            interface=value.interface, down_us=value.down_us, up_us=value.up_us
        )
        scope.nodes[f"interface_up_down_delays/{value.interface}"] = line.statement
    return tuple(found.values())


def lower_garp_groups(root: Node, scope: Scope) -> tuple[GarpGroup, ...]:
    """``garp_group``: an interface belongs to the first group that names it."""
    found: list[GarpGroup] = []
    taken: dict[str, Field] = {}
    for node in root.children("garp_group"):
        if not node.has("garp_interval") and not node.has("gna_interval"):
            scope.say(
                "KC0560",
                "`garp_group` has neither `garp_interval` nor `gna_interval`",
                node,
                consequence="keepalived removes it: the interfaces are not paced together",
                help="add `garp_interval SECONDS`, or `gna_interval SECONDS`",
            )
            continue
        names: list[str] = []
        for field in (*node.repeated.get("interface", []), *node.all_lines("interfaces")):
            first = taken.setdefault(field.value, field)
            if first is field:
                names.append(field.value)
                continue
            again = field.value in names
            scope.say(
                "KC0561",
                f"{field.value} is in {'this' if again else 'a'} `garp_group` already",
                field.span(),
                consequence="nothing changes"
                if again
                else "keepalived ignores it here: the first group paces it",
                help="remove one of the two",
                also=((first, "first named here"),),
                severity=Severity.WARNING if again else None,
            )
        if not names:
            continue
        group = GarpGroup(
            interfaces=tuple(names),
            arp_interval_us=node.get("garp_interval", 0),
            na_interval_us=node.get("gna_interval", 0),
        )
        scope.nodes[f"garp_group/{group.identity}"] = node
        found.append(group)
    return tuple(found)
