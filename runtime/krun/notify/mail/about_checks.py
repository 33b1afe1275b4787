"""What letters say of real servers and virtual servers, and which news are worth one (keepalived.conf(5): ``smtp_alert``,
``no_checker_emails``).
"""

from __future__ import annotations

from collections.abc import Iterable

from kir.model import Config, RealServer, VirtualServer
from krun.check.identity import kind_of
from krun.check.machine import Judged
from krun.check.pool import News, QuorumGained, QuorumLost, ServerDown, ServerUp
from krun.check.runner import Runner
from krun.notify.mail.sender import Sender


class CheckLetters:
    """With ``no_checker_emails`` there are no letters about checks that leave their server what it is."""

    def __init__(self, post: Sender) -> None:
        self._post = post
        self._only_changes = False

    def follow(self, config: Config) -> None:
        """From now on this configuration counts."""
        self._post.configure(config.global_defs)
        self._only_changes = config.global_defs.no_checker_emails

    def judged(self, runner: Runner, judged: Judged, up: bool, news: Iterable[News]) -> None:
        """A check changed its mind, or fails for the first time. ``up``: what its server is after that; ``news``: what followed."""
        server = runner.server
        if not server.smtp_alert:
            return
        changed = any(
            isinstance(item, ServerUp) or (isinstance(item, ServerDown) and not item.confirmed)
            for item in news
        )
        if self._only_changes and not changed:
            return
        check = kind_of(runner.checker)
        said = f"{check} succeeded on service" if judged.up else f"{check} failed on service: {judged.reason}"
        if not changed:
            said += f"; the real server stays {'up' if up else 'down'}"
        self._server(runner.virtual, server, up, said)

    def tell(self, virtual: VirtualServer, news: Iterable[News], *, removed: bool = False) -> None:
        """The quorum was gained or lost. ``removed``: because the new configuration has no such virtual server."""
        if not virtual.smtp_alert:
            return
        for item in news:
            if isinstance(item, (QuorumGained, QuorumLost)):
                up = isinstance(item, QuorumGained)
                body = "Removing the virtual server" if removed else _quorum(virtual, item)
                self._virtual(virtual, up, body)

    def reloaded(self, virtual: VirtualServer, news: Iterable[News]) -> None:
        """A reload took a check away, or brought one, and the server is another by that."""
        for item in news:
            if isinstance(item, (ServerUp, ServerDown)) and item.server.smtp_alert:
                up = isinstance(item, ServerUp)
                if item.initial if isinstance(item, ServerUp) else (item.removed or item.confirmed):
                    continue
                self._server(virtual, item.server, up, "the new configuration checks otherwise")

    def farewell(self, virtual: VirtualServer, news: Iterable[News]) -> None:
        """The daemon stops."""
        if virtual.smtp_alert and any(isinstance(item, QuorumLost) for item in news):
            self._virtual(virtual, False, "Shutting down")

    def _server(self, virtual: VirtualServer, server: RealServer, up: bool, said: str) -> None:
        subject = f"Realserver {server_text(virtual, server)} of virtual server {service_text(virtual)}"
        self._post.send(f"{subject} - {'UP' if up else 'DOWN'}", f"=> {said} <=")

    def _virtual(self, virtual: VirtualServer, up: bool, said: str) -> None:
        self._post.send(f"Virtualserver {service_text(virtual)} - {'UP' if up else 'DOWN'}", f"=> {said} <=")


def _quorum(virtual: VirtualServer, item: QuorumGained | QuorumLost) -> str:
    gained = isinstance(item, QuorumGained)
    sign, relation = ("+", "<=") if gained else ("-", ">")
    sums = f"{virtual.quorum}{sign}{virtual.hysteresis}={item.threshold} {relation} {item.weight}"
    if item.initial:
        if gained:
            return f"Starting with quorum: {sums}"
        return (
            f"Starting without quorum: {virtual.quorum}+{virtual.hysteresis}={item.threshold} > {item.weight}"
        )
    return f"{'Gained' if gained else 'Lost'} quorum: {sums}"


def service_text(virtual: VirtualServer) -> str:
    """A virtual server in keepalived's words: ``[10.0.0.1]:tcp:80``, ``FWM 7``, ``[web]:0`` for a group."""
    if virtual.name.startswith("group "):
        return f"[{virtual.name.removeprefix('group ').rpartition(' ')[0]}]:0"
    service = virtual.services[0]
    if service.fwmark:
        return f"FWM {service.fwmark}"
    return f"[{service.address}]:{service.protocol}:{service.port}"


def server_text(virtual: VirtualServer, server: RealServer) -> str:
    """A real server in keepalived's words: ``[192.168.0.1]:tcp:80``."""
    protocol = virtual.services[0].protocol if virtual.services else None
    return f"[{server.address}]:{protocol or 'none'}:{server.port}"
