"""From octets at a socket to an advert for one instance: who it is for, whether it is believed, and what is counted and said of it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

from krun.vrrp.endpoint import Endpoint
from krun.vrrp.events import AdvertReceived
from krun.vrrp.instance import Heard, Instance
from krun.vrrp.packet import pack_address
from krun.vrrp.reception import Accepted, Dropped, judge

UNKNOWN_LIMIT = 1024
"""How many kinds of unknown VRIDs are told apart; more are counted together."""

Say = Callable[..., None]
"""Level, subject, text, and, where it is no mere line of this part, kind and data (`krun.vrrp.outbox.Outbox.say`)."""


class Intake:
    """``routes``: which instances listen at which socket, by VRID. ``unknown``: adverts for nobody here, by socket and VRID.

    ``say`` writes a line: level, subject, text. ``log_unknown_vrids``: strangers are worth a line each.
    """

    def __init__(self, say: Say) -> None:
        self.routes: dict[Endpoint, dict[int, Instance]] = {}
        self.unknown: Counter[tuple[str, int]] = Counter()
        self.log_unknown_vrids = False
        self._say = say

    def hear(
        self, at: Endpoint, pdu: bytes, source: str, destination: str, ttl: int, now: int = 0
    ) -> tuple[Instance, AdvertReceived] | None:
        """The advert that a packet holds and whose it is; None where nothing is to be believed. Never raises."""
        instance = self.routes.get(at, {}).get(pdu[1]) if len(pdu) >= 2 else None
        if instance is None:
            self._stranger(at, pdu, source, destination)
            return None
        heard = instance.heard
        if (
            heard is not None
            and heard.pdu == pdu
            and heard.source == source
            and heard.destination == destination
            and heard.ttl == ttl
        ):
            accepted = heard.accepted
        else:
            judged = judge(instance.rules, pdu, source, destination, ttl, priority=instance.state.speaks)
            if isinstance(judged, Dropped):
                instance.recent.note(judged, pdu, source, destination, ttl, now)
                instance.counters.count(judged.reason.value)
                if not judged.quiet:
                    why = judged.reason.value
                    text = f"Advert dropped: {judged.text}"
                    self.once(instance, logging.WARNING, text, why, "vrrp.advert_dropped", reason=why)
                return None
            accepted = judged
            self._follow_checksum(instance, accepted, source)
            instance.heard = Heard(pdu, source, destination, ttl, accepted)
        instance.recent.note(accepted, pdu, source, destination, ttl, now)
        self._note(instance, accepted, source)
        packet = accepted.packet
        return instance, AdvertReceived(packet.priority, packet.interval_us, source, pack_address(source))

    def once(
        self,
        instance: Instance,
        level: int,
        text: str,
        once: str,
        kind: str = "vrrp",
        **data: str | int | None,
    ) -> None:
        """A line of the kind ``once``, unless one was written since the instance's state or master changed."""
        if once not in instance.said:
            instance.said.add(once)
            self._say(level, instance.name, text, kind, **data)

    def _note(self, instance: Instance, accepted: Accepted, source: str) -> None:
        """Count an accepted advert, and what is odd about it."""
        counters, packet, own = instance.counters, accepted.packet, instance.config.advert_int_us
        counters.advert_rcvd += 1
        if packet.priority == 0:
            counters.pri_zero_rcvd += 1
        if accepted.addresses_differ:
            counters.addr_list_err += 1
            text = f"{source} advertises other addresses than ours: compare the virtual_ipaddress blocks"
            self.once(instance, logging.WARNING, text, "addresses")
        if packet.interval_us != own:
            counters.advert_interval_err += 1
            text = f"{source} advertises every {packet.interval_us / 1e6:g} s, ours is {own / 1e6:g} s"
            self.once(instance, logging.INFO, text, "interval")

    def _follow_checksum(self, instance: Instance, accepted: Accepted, source: str) -> None:
        """A unicast peer of version 3 may compute the checksum in the old way: then so do we."""
        config = instance.config
        may = config.unicast and config.version == 3 and config.old_unicast_checksum == "auto"
        if may and accepted.old_checksum != instance.old_checksum:
            instance.old_checksum = accepted.old_checksum
            instance.forget()
            way = "old" if accepted.old_checksum else "standard"
            text = f"{source} computes the checksum of unicast adverts in the {way} way: so do we now"
            self._say(logging.INFO, instance.name, text)

    def _stranger(self, at: Endpoint, pdu: bytes, source: str, destination: str) -> None:
        """A VRID that nobody here has. A unicast packet that came in by the multicast socket too is no stranger."""
        if at.group is not None and destination != at.group:
            return
        vrid = pdu[1] if len(pdu) >= 2 else -1
        key = (str(at), vrid)
        if key not in self.unknown and len(self.unknown) >= UNKNOWN_LIMIT:
            key = ("other", -1)
        self.unknown[key] += 1
        if self.unknown[key] == 1 and self.log_unknown_vrids:
            text = f"advert for VRID {vrid}, which is not configured here, from {source}"
            self._say(logging.WARNING, str(at), text)
