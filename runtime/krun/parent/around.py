"""What surrounds a reload, beside the reload itself: what it may not change, and what of it concerns the parent."""

from __future__ import annotations

from collections.abc import Callable

from kir.codec import IrError
from kir.model import Config
from kir.plan.daemon import plan_daemon
from kir.plan.operations import DaemonOperation, DaemonRestart


class Around:
    """``adopted`` is called with what runs now, after each reload that was done."""

    def __init__(self, adopted: Callable[[Config], None] = lambda _config: None) -> None:
        self._adopted = adopted

    def judge(self, old: Config, new: Config) -> None:
        """Raises `IrError` where ``new`` differs in what a krun keeps for its life."""
        for order in plan_daemon(old, new):
            if isinstance(order, DaemonRestart):
                raise IrError(
                    f"{', '.join(f'`{keyword}`' for keyword in order.keywords)} cannot change while krun runs: "
                    "stop it and start it with the new IR"
                )

    def applied(self, old: Config, new: Config) -> dict[str, int]:
        """``new`` runs; returns the parent's own operations, by kind."""
        orders: list[DaemonOperation] = plan_daemon(old, new)
        if orders:
            self._adopted(new)
        return {order.op: 1 for order in orders}
