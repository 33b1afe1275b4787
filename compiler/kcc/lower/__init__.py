"""From what was written to what is meant: names resolved, defaults filled in, values adjusted as keepalived adjusts them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kcc.lower.global_defs import lower_global, read_defaults
from kcc.lower.lowered import Lowered, Place
from kcc.lower.lvs.virtual_server import lower_virtual_servers
from kcc.lower.scope import Scope
from kcc.lower.tracked import made, read_tracked
from kcc.lower.vrrp.all import lower_vrrp
from kir.model import Config

if TYPE_CHECKING:
    from kcc.diagnostics.model import Findings
    from kcc.language.parsed import Node

__all__ = ["Lowered", "Place", "lower"]


def lower(root: Node, findings: Findings, target: str) -> Lowered:
    """Resolve the parsed configuration ``root`` to a `Config`.

    What keepalived drops or changes is dropped or changed the same way, and each time a diagnostic says so. ``target`` is
    ``keepalived-X.Y.Z`` or ``krun``. Never raises for bad input: what cannot be carried is reported and left out.
    """
    scope = Scope(findings, target, read_defaults(root))
    global_defs = lower_global(root, scope)
    read_tracked(root, scope)
    seldom = _seldom(root, scope)
    scripts, instances, groups = lower_vrrp(root, scope)
    servers = lower_virtual_servers(root, scope)
    config = Config(
        global_defs=global_defs,
        vrrp_scripts=scripts,
        vrrp_instances=instances,
        vrrp_sync_groups=groups,
        bfd_instances=made(scope, "bfd_instance"),
        track_files=made(scope, "track_file"),
        track_processes=made(scope, "vrrp_track_process"),
        virtual_servers=servers,
        **seldom,
    )
    file = root.blocks[0].statement.line.file if root.blocks else ""
    return Lowered(config, file=file, nodes=scope.nodes)


_STATIC = frozenset(("track_group", "static_ipaddress", "static_routes", "static_rules"))
_INTERFACES = frozenset(("linkbeat_interfaces", "interface_up_down_delays", "garp_group"))


def _seldom(root: Node, scope: Scope) -> dict[str, Any]:
    """The parts of the configuration that most files do not have; their modules are loaded only for those that do."""
    kinds = {node.keyword.name for node in root.blocks}
    found: dict[str, Any] = {}
    if kinds & _STATIC or any(
        inner.keyword.name == "virtual_rules"
        for node in root.children("vrrp_instance")
        for inner in node.blocks
    ):
        from kcc.lower.routes import lower_static, number_rules

        number_rules(root, scope)
        static = lower_static(root, scope)
        found["track_groups"] = static.groups
        found["static_addresses"] = static.addresses
        found["static_routes"] = static.routes
        found["static_rules"] = static.rules
    if kinds & _INTERFACES:
        from kcc.lower.interfaces import lower_delays, lower_garp_groups, lower_linkbeat

        found["linkbeat_interfaces"] = lower_linkbeat(root, scope)
        found["interface_delays"] = lower_delays(root, scope)
        found["garp_groups"] = lower_garp_groups(root, scope)
    if "SSL" in kinds:
        from kcc.lower.lvs.tls import lower_tls

        found["tls"] = lower_tls(root, scope)
    return found
