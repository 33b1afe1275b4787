"""The adverts that a virtual router heard lately, and what became of each: for whoever asks why it is what it is.

Adverts that differ in nothing that matters are one entry with a count, so that a master's steady voice does not push out the one packet
that explains a fight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from krun.vrrp.reception import Accepted, Dropped

MOST = 16
"""How many kinds of advert are remembered for each instance; the one that was not heard for the longest time goes first."""

ACCEPTED = "accepted"

_PRIORITY_AT = 2
"""Where the priority stands in a VRRP message (RFC 9568 section 5.1): what even a dropped one most likely means."""


@dataclass(slots=True)
class _Kind:
    first: int
    last: int
    count: int
    interval_us: int | None
    text: str


class Recent:
    """Bounded by `MOST`. Holds no octet of a packet: version 2 carries a password."""

    __slots__ = ("_kinds", "_latest", "_verdict")

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str, int, int, str], _Kind] = {}
        self._verdict: Accepted | Dropped | None = None
        self._latest = _Kind(0, 0, 0, None, "")

    def note(
        self, judged: Accepted | Dropped, pdu: bytes, source: str, destination: str, ttl: int, now: int
    ) -> None:
        """One advert was heard at ``now`` (microseconds), and ``judged``.

        The very verdict of the time before means the very same packet (`krun.vrrp.intake.Intake.hear`): a backup hears nothing else.
        """
        if judged is self._verdict:
            latest = self._latest
            latest.last = now
            latest.count += 1
            return
        if type(judged) is Accepted:
            priority, verdict = judged.packet.priority, ACCEPTED
        else:
            priority = pdu[_PRIORITY_AT] if len(pdu) > _PRIORITY_AT else -1
            verdict = judged.reason.value  # type: ignore[union-attr]
        key = (source, destination, ttl, priority, verdict)
        kinds = self._kinds
        kind = kinds.pop(key, None)
        if kind is None:
            if len(kinds) >= MOST:
                del kinds[next(iter(kinds))]
            kind = _Kind(now, now, 0, None, "")
        kinds[key] = kind  # the dictionary's order is that of the last time
        kind.last = now
        kind.count += 1
        if type(judged) is Accepted:
            kind.interval_us = judged.packet.interval_us
            kind.text = "its list of addresses is not ours" if judged.addresses_differ else ""
        else:
            kind.text = judged.text  # type: ignore[union-attr]
        self._verdict, self._latest = judged, kind

    @property
    def latest(self) -> tuple[str, str]:
        """Verdict and reason of the last advert, as in `as_list`; empty before the first."""
        verdict = self._verdict
        if verdict is None:
            return "", ""
        return (ACCEPTED if type(verdict) is Accepted else verdict.reason.value), self._latest.text  # type: ignore[union-attr]

    def as_list(self, offset: float) -> list[dict[str, Any]]:
        """The last heard first; plain JSON. ``offset``: from our clock to seconds since the epoch.

        ``priority`` and ``interval_us`` None: the packet was not whole, or not read that far. ``verdict``: ``accepted``, or the name of the
        counter that it was dropped under.
        """
        return [
            {
                "source": source,
                "destination": destination,
                "ttl": ttl,
                "priority": None if priority < 0 else priority,
                "interval_us": kind.interval_us,
                "verdict": verdict,
                "why": kind.text,
                "count": kind.count,
                "first": round(kind.first / 1e6 + offset, 3),
                "last": round(kind.last / 1e6 + offset, 3),
            }
            for (source, destination, ttl, priority, verdict), kind in reversed(self._kinds.items())
        ]
