"""Argument types that few configurations need, loaded when they are read."""

from __future__ import annotations

from kcc.language.arguments.base import Rare

_ROUTE = "[TYPE] [to] DEST [OPTION …]"
_RULE = "[SELECTOR …] ACTION"
_LINK = "[[name] IFNAME] {} [group GROUP]"

ROUTE_LINE = Rare(_ROUTE, "routes", "ROUTE_LINE")
STATIC_ROUTE = Rare(_ROUTE, "routes", "STATIC_ROUTE")
RULE_LINE = Rare(_RULE, "rules", "RULE_LINE")
STATIC_RULE = Rare(_RULE, "rules", "STATIC_RULE")
USE_VMAC = Rare(_LINK.format("[MAC] [netlink_notify_msg]"), "vmac", "USE_VMAC", optional=True)
USE_IPVLAN = Rare(_LINK.format("[IP[/LEN]] [bridge|private|vepa]"), "vmac", "USE_IPVLAN", optional=True)
