"""A virtual router while its settings are being worked out. keepalived completes an instance in a fixed order, where each
step sees what earlier ones changed; the modules beside this one are those steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from kcc.diagnostics.model import Severity, Span
    from kcc.language.parsed import Field, Node
    from kcc.lower.lowered import Where
    from kcc.lower.scope import Scope
    from kcc.syntax.tree import Statement
    from kir.model import Address, Authentication, Hmac, Ipvlan, Peer, Vmac

MULTICAST_MTU = 1500
OWNER = 255


class Draft(msgspec.Struct, eq=False):
    """The settings so far. ``group_node`` is the sync group that the instance belongs to; ``tracking_weight`` whether that
    group allows weights.
    """

    node: Node
    scope: Scope
    name: str
    group_node: Node | None = None
    tracking_weight: bool = True
    interface: str = ""
    family: str = "inet"
    family_at: Statement | None = None
    version: int = 2
    strict: bool = False
    state: str = "BACKUP"
    priority: int = 100
    advert_int_us: int = 1_000_000
    down_timer_adverts: int = 3
    nopreempt: bool = False
    preempt_delay_us: int = 0
    accept: bool = True
    unicast: bool = False
    peers: list[Peer] = msgspec.field(default_factory=list)
    check_unicast_src: bool = False
    fault_no_peer: bool = False
    source: str | None = None
    multicast: str | None = None
    ttl: int | None = None
    authentication: Authentication | None = None
    hmac: Hmac | None = None
    vmac: Vmac | None = None
    ipvlan: Ipvlan | None = None
    xmit_base: bool = False
    promote_secondaries: bool = False
    vrf: str | None = None
    vips: list[Address] = msgspec.field(default_factory=list)
    excluded: list[Address] = msgspec.field(default_factory=list)

    @property
    def path(self) -> str:
        return f"vrrp_instance/{self.name}"

    @property
    def owner(self) -> bool:
        return self.priority == OWNER

    def get(self, name: str, default: Any = None) -> Any:
        return self.node.get(name, default)

    def at(self, *names: str) -> Node | Field:
        """The first of the leaves that was written, else the block."""
        for name in names:
            found = self.node.fields.get(name)
            if found is not None:
                return found
        return self.node

    def say(
        self,
        code: str,
        message: str,
        at: Where | Span | None = None,
        *,
        label: str = "",
        consequence: str | None = None,
        help: str | None = None,
        also: tuple[tuple[Where, str], ...] = (),
        severity: Severity | None = None,
    ) -> None:
        """Report about this instance."""
        self.scope.say(
            code,
            message,
            self.node if at is None else at,
            label=label,
            consequence=consequence,
            help=help,
            also=also,
            severity=severity,
        )

    def strictly(self) -> tuple[tuple[Field, str], ...]:
        """The place that switched strict mode on, for a message about it (nothing where it is not to be pointed at)."""
        found = self.node.fields.get("strict_mode")
        return () if found is None else ((found, "strict mode is switched on here"),)

    def vip_text(self) -> str:
        """The addresses of the instance as they stand in the text, for a consequence."""
        names = [line.value.address for line in self.node.all_lines("virtual_ipaddress")]
        if not names:
            return "its addresses"
        return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
