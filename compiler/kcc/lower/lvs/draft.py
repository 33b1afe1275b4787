"""A virtual server while its pool is being worked out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from kcc.lower.scope import before
from kir.model import Forwarding

if TYPE_CHECKING:
    from kcc.language.parsed import Field, Node, ServerHead
    from kcc.lower.scope import Scope
    from kcc.syntax.tree import Statement
    from kir.model import Script, Service

NAT = Forwarding()
DR = Forwarding(method="DR")


class PoolDraft(msgspec.Struct, eq=False):
    """What a virtual server gives to its real servers, and they to their checks. Durations in microseconds.

    ``text`` names it in messages; ``path`` is that of the IR. ``port`` is the service's (0: none or several).
    ``mask_first``: a ``persistence_granularity`` that is no prefix length stands before anything tells the family.
    ``family_known``: it does not depend on the real servers any more. ``methods``: what ``lvs_method`` said, in the order of the text.
    """

    node: Node
    scope: Scope
    head: ServerHead
    text: str
    path: str = ""
    family: str = "inet"
    family_known: bool = True
    mask_first: bool = False
    protocol: str | None = None
    port: int = 0
    services: tuple[Service, ...] = ()
    methods: list[Field] = msgspec.field(default_factory=list)
    weight: int = 1
    inhibit: bool = False
    alpha: bool = False
    alert: bool = True
    virtualhost: str | None = None
    timing: tuple[int | None, int | None, int | None, int | None, int | None] = (None, None, None, None, None)
    without_method: list[Node] = msgspec.field(default_factory=list)

    def method_at(self, statement: Statement) -> Field | None:
        """The ``lvs_method`` of a server at ``statement`` that says none: the last one above it, else the last one below it."""
        methods = self.methods
        if len(methods) == 1:
            return methods[0]
        return self.method_above(statement) or (methods[-1] if methods else None)

    def method_above(self, statement: Statement) -> Field | None:
        """The last ``lvs_method`` above ``statement``."""
        above = [field for field in self.methods if before(field.statement, statement)]
        return above[-1] if above else None

    def get(self, name: str, default: Any = None) -> Any:
        return self.node.get(name, default)

    def at(self, *names: str) -> Node | Field:
        """The first of the leaves that was written, else the block."""
        for name in names:
            found = self.node.fields.get(name)
            if found is not None:
                return found
        return self.node


class ServerDraft(msgspec.Struct, eq=False):
    """What a check takes from its real server. ``sessions``: the BFD sessions that it watches, and where that is said."""

    address: str
    port: int
    alpha: bool
    virtualhost: str | None
    timing: tuple[int | None, int | None, int | None, int | None, int | None]
    pool: PoolDraft
    path: str
    scripts: dict[str, Script] = msgspec.field(default_factory=dict)
    sessions: dict[str, Field] = msgspec.field(default_factory=dict)


TIMING_LEAVES = ("delay_loop", "warmup", "retry", "delay_before_retry", "connect_timeout")


def timing_of(
    node: Node, outer: tuple[int | None, int | None, int | None, int | None, int | None]
) -> tuple[int | None, int | None, int | None, int | None, int | None]:
    """The five timing leaves of a block, each from ``outer`` where the block does not say it."""
    fields = node.fields
    if not fields:
        return outer
    loop, warmup, retry, before, connect = (fields.get(name) for name in TIMING_LEAVES)
    if loop is None and warmup is None and retry is None and before is None and connect is None:
        return outer
    return (
        outer[0] if loop is None else loop.value,
        outer[1] if warmup is None else warmup.value,
        outer[2] if retry is None else retry.value,
        outer[3] if before is None else before.value,
        outer[4] if connect is None else connect.value,
    )
