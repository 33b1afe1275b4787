"""The kernel's routes and rules as the VRRP process deals with them: looked at, written, and watched."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from kir.model import Config, Route, Rule
from kir.model.route import RTPROT_KEEPALIVED
from kir.plan.route_operations import RoutingOperation
from kir.plan.routes import desired_routes
from kir.plan.rules import desired_rules
from kir.route_state import observed_routes, observed_rules
from krun.kernel.door import Failure, RouteChanged, Routing, RoutingEvent, RuleChanged
from krun.vrrp.director import Director
from krun.vrrp.routing import Sight

log = logging.getLogger("krun.vrrp")

SETTLE_S = 0.05
"""How long what others do is let go on before it is looked at: a link that goes down takes its routes one by one."""


class Lookout:
    """``disturbed`` is called, from the loop, when somebody else was at work on what is ours."""

    def __init__(
        self,
        kernel: Routing,
        director: Director,
        loop: asyncio.AbstractEventLoop,
        disturbed: Callable[[], None],
    ) -> None:
        self.director = director
        self._kernel = kernel
        self._loop = loop
        self._disturbed = disturbed
        self._timer: asyncio.TimerHandle | None = None
        self._reading = False

    def numbered(self, config: Config) -> tuple[Config, dict[str, list[str]]]:
        """See `krun.kernel.door.Routing.numbered`."""
        if not (desired_routes(config) or desired_rules(config)):
            return config, {}
        return self._kernel.numbered(config)

    def look(self, config: Config | None = None) -> Sight | None:
        """What of ``config`` (None: what runs) the kernel has; None where it cannot be read."""
        config = self.director.config if config is None else config
        routes, rules = desired_routes(config), desired_rules(config)
        books = self.director.routing
        # What goes with this reload is still ours to see.
        wanted = books.routes.have | routes
        wanted_rules = books.rules.have | rules
        protocols = {RTPROT_KEEPALIVED} | {int(route.protocol) for route in wanted.values()}
        try:
            found, others = observed_routes(self._kernel.routes(protocols), wanted, self._kernel.vrf_tables())
            found_rules, other_rules = observed_rules(self._kernel.rules(), wanted_rules)
        except OSError as error:
            log.error("cannot read routes and rules: %s", error.strerror or error)
            return None
        return Sight(found, found_rules, self._strange(config, others, other_rules))

    def _strange(self, config: Config, routes: list[Route], rules: list[Rule]) -> tuple[Route | Rule, ...]:
        """What an earlier life has left. With ``instance`` in global_defs several share this host: then nobody can tell."""
        if config.global_defs.instance is not None:
            return ()
        strange: list[Route | Rule] = [r for r in routes if r.protocol == RTPROT_KEEPALIVED]
        return (*strange, *(r for r in rules if r.protocol == RTPROT_KEEPALIVED))

    def apply(self, operations: Sequence[RoutingOperation]) -> list[Failure]:
        """See `krun.kernel.door.Routing.apply`."""
        return self._kernel.apply(operations)

    def watch(self) -> None:
        """Listen to what others do, as soon as there is something of ours that they could do it to."""
        if self._reading or not (desired_routes(self.director.config) or desired_rules(self.director.config)):
            return
        try:
            self._kernel.watch()
        except OSError as error:
            log.error(
                "cannot watch routes and rules, so that nobody sees who deletes them: %s", error.strerror
            )
            return
        if self._kernel.fileno() >= 0:
            self._reading = True
            self._loop.add_reader(self._kernel.fileno(), self._read)

    def close(self) -> None:
        """No more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._reading:
            self._loop.remove_reader(self._kernel.fileno())
        self._reading = False
        self._kernel.close()

    def _read(self) -> None:
        events = self._kernel.read_events()
        if events and self._timer is None and self._concern(events):
            self._timer = self._loop.call_later(SETTLE_S, self._settled)

    def _settled(self) -> None:
        self._timer = None
        self._disturbed()

    def _concern(self, events: Sequence[RoutingEvent]) -> bool:
        """Whether something that is ours is touched. Our own deletions are not: what is deleted is no longer in the books."""
        books, vrfs = self.director.routing, self._kernel.vrf_tables()
        places: set[tuple[str, object, str]] = set()
        for key, route in books.routes.have.items():
            table = vrfs.get(route.vrf) if route.vrf is not None else route.table
            places.add((route.family, table, key.slot.destination))
        rules = {key.priority for key in books.rules.have}
        for event in events:
            if isinstance(event, RouteChanged):
                if (event.route.family, event.route.table, event.route.destination) in places:
                    return True
            elif not isinstance(event, RuleChanged) or event.rule.priority in rules:
                return True
        return False
