"""From what was written to what is meant: names resolved, defaults filled in, values adjusted as keepalived adjusts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcc.lower.global_defs import lower_global, read_defaults
from kcc.lower.lowered import Lowered, Place
from kcc.lower.lvs.virtual_server import lower_virtual_servers
from kcc.lower.scope import Scope
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
    scripts, instances, groups = lower_vrrp(root, global_defs, scope)
    servers = lower_virtual_servers(root, scope)
    config = Config(
        global_defs=global_defs,
        vrrp_scripts=scripts,
        vrrp_instances=instances,
        vrrp_sync_groups=groups,
        virtual_servers=servers,
    )
    file = root.blocks[0].statement.line.file if root.blocks else ""
    return Lowered(config, file=file, nodes=scope.nodes)
