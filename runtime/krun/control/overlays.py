"""Overlays: an operator's hand on a real server, for a while.

``krunctl set 'tcp 10.0.0.1:80' 192.168.0.1:80 --weight 0 --for 30m``: until then that weight counts instead of the configured one and of
what checks make of it. A server that is down stays out of use whatever its overlay says. An overlay lies on top of the configuration: a
reload leaves it as it is; where its server is no longer configured it rests, which is said, and counts again should the server come back
in time. The parent keeps overlays in its store (`krun.parent.store`), the checker process brings them into effect.

Pure: times, who asked, and the configuration come from the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from kir.model import Config, RealServer, VirtualServer
from kir.state import DestKey
from krun.control.duration import parse_us

LEAST_US = 1_000_000
MOST_US = 30 * 86400 * 1_000_000
"""From one second to thirty days."""

MAX_WEIGHT = 65_535
"""The largest weight that keepalived.conf(5) knows for a real server."""

MOST = 1000
"""How many overlays there may be: they are a hand's work, and each is read at every restart."""

REASON_LIMIT = 200
NAMED = 5


class Overlay(msgspec.Struct, frozen=True, kw_only=True):
    """``virtual_server`` and ``real_server`` by identity; ``service``: of the virtual server's first service, by which it is known again
    under another name. ``deadline_us``: on CLOCK_BOOTTIME in the boot ``boot_id``; ``since``, ``until``: for people, in seconds since the
    epoch. ``by``: who, by the credentials of the connection (unix(7), SO_PEERCRED).
    """

    virtual_server: str
    service: str
    real_server: str
    weight: int
    deadline_us: int
    boot_id: str
    since: float
    until: float
    by: str
    reason: str = ""

    @property
    def target(self) -> str:
        return f"{self.virtual_server} -> {self.real_server}"

    @property
    def words(self) -> str:
        """What it does: ``weight 0``."""
        return f"weight {self.weight}"


def decode(values: Iterable[Mapping[str, Any]]) -> list[Overlay]:
    """Overlays from the store's or a message's plain form. Raises ValueError for one that this release does not understand."""
    return [msgspec.convert(value, Overlay) for value in values]


def encode(overlays: Iterable[Overlay]) -> tuple[dict[str, Any], ...]:
    """The plain form."""
    return tuple(msgspec.to_builtins(overlay) for overlay in overlays)


# -- finding what is meant


def find(config: Config, service: str, server: str) -> tuple[VirtualServer, RealServer]:
    """What an operator means. Raises ValueError with words, and names that are near.

    ``service``: the name of a virtual server (``tcp 10.0.0.1:80``, ``fwmark 7 inet``, ``group WEB tcp``), one of its services, or its address and
    port where only one can be meant. ``server``: address and port, or the address where only one can be meant.
    """
    virtual = find_virtual(config, service)
    wanted = server.strip()
    reals = virtual.real_servers
    found = [r for r in reals if r.identity == wanted] or [r for r in reals if r.address == wanted]
    if len(found) == 1:
        return virtual, found[0]
    names = [r.identity for r in (found or reals)]
    if found:
        raise ValueError(f"`{server}` may be any of {_list(names)} of {virtual.name}: give the port too")
    if not names:
        raise ValueError(f"{virtual.name} has no real servers")
    raise ValueError(f"{virtual.name} has no real server `{server}`{_near(wanted, names)}")


def find_virtual(config: Config, service: str) -> VirtualServer:
    """The virtual server that an operator means, see `find`."""
    wanted = " ".join(service.split())
    virtuals = config.virtual_servers
    found = (
        [v for v in virtuals if v.name == wanted]
        or [v for v in virtuals if any(s.identity == wanted for s in v.services)]
        or [v for v in virtuals if any(s.identity.endswith(f" {wanted}") for s in v.services)]
        or [v for v in virtuals if v.name.startswith(f"group {wanted} ")]
    )
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(f"`{service}` may be any of {_list([v.name for v in found])}: give the whole name")
    if not virtuals:
        raise ValueError("the configuration that runs has no virtual servers")
    names = [v.name for v in virtuals] + [
        s.identity for v in virtuals if len(v.services) > 1 for s in v.services
    ]
    raise ValueError(f"there is no virtual server `{service}`{_near(wanted, names)}")


def _near(wanted: str, names: Sequence[str]) -> str:
    import difflib  # only for whoever mistypes

    near = difflib.get_close_matches(wanted, names, NAMED, 0.6)
    if near:
        return f"; near it: {_list(near)}"
    if len(names) <= NAMED:
        return f"; there is {_list(names)}"
    return f"; there are {len(names)}, `krunctl status` lists them"


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:NAMED])
    return f"{shown} and {len(names) - NAMED} more" if len(names) > NAMED else shown


# -- making and taking away


def make(
    config: Config,
    request: Mapping[str, Any],
    *,
    by: str,
    now_us: int,
    boot: str,
    epoch: float,
) -> Overlay:
    """The overlay that ``request`` asks for: ``service``, ``server``, ``weight``, ``for_us``, ``reason``. Raises ValueError with words.

    ``now_us`` is CLOCK_BOOTTIME, ``epoch`` the same moment in seconds since the epoch.
    """
    virtual, real = find(config, str(request.get("service", "")), str(request.get("server", "")))
    weight = weight_of(request.get("weight"))
    span = request.get("for_us")
    if isinstance(span, bool) or not isinstance(span, int) or not LEAST_US <= span <= MOST_US:
        raise ValueError("an overlay holds from 1 s to 30 days: say how long with --for (90s, 30m, 2h)")
    reason = " ".join(str(request.get("reason") or "").split())
    if len(reason) > REASON_LIMIT:
        raise ValueError(f"a reason has at most {REASON_LIMIT} characters, this one has {len(reason)}")
    return Overlay(
        virtual_server=virtual.name,
        service=virtual.services[0].identity if virtual.services else virtual.name,
        real_server=real.identity,
        weight=weight,
        deadline_us=now_us + span,
        boot_id=boot,
        since=round(epoch, 3),
        until=round(epoch + span / 1e6, 3),
        by=by,
        reason="".join(c for c in reason if c.isprintable()),
    )


def weight_of(value: object) -> int:
    """A weight. Raises ValueError with words."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_WEIGHT:
        raise ValueError(f"a weight is 0 to {MAX_WEIGHT}; 0 means no new connections")
    return value


def parse_span(text: str) -> int:
    """``30m`` in microseconds. Raises ValueError with words."""
    span = parse_us(text)
    if span > MOST_US:
        raise ValueError(
            f"`{text}` is too long: an overlay holds at most 30 days; a longer change belongs in the configuration"
        )
    return span


def put(overlays: Sequence[Overlay], new: Overlay) -> tuple[list[Overlay], Overlay | None]:
    """``overlays`` with ``new``, and the one that it replaces. Raises ValueError where there are too many."""
    replaced = next((o for o in overlays if _same(o, new)), None)
    kept = [o for o in overlays if o is not replaced]
    if len(kept) >= MOST:
        raise ValueError(f"there are {MOST} overlays already: take some away, or change the configuration")
    return [*kept, new], replaced


def _same(a: Overlay, b: Overlay) -> bool:
    names = a.virtual_server == b.virtual_server or a.service == b.service
    return names and a.real_server == b.real_server


def take_away(
    overlays: Sequence[Overlay], config: Config, service: str, server: str | None
) -> tuple[list[Overlay], list[Overlay]]:
    """``overlays`` without that of ``server`` (None: without those of all servers of ``service``), and what was taken away.

    An overlay can be named by its own words too, where its server is no longer configured. Raises ValueError with words.
    """
    wanted, which = " ".join(service.split()), None if server is None else server.strip()
    gone = [o for o in overlays if o.virtual_server == wanted and which in (None, o.real_server)]
    if not gone:
        virtual = find_virtual(config, service)
        identity = None if server is None else find(config, service, server)[1].identity
        gone = [o for o in overlays if matches(o, virtual) and identity in (None, o.real_server)]
        if not gone:
            what = virtual.name if identity is None else f"{virtual.name} -> {identity}"
            there = (
                f": there are {_list([o.target for o in overlays])}" if overlays else ": there is none at all"
            )
            raise ValueError(f"there is no overlay on {what}{there}")
    return [o for o in overlays if o not in gone], gone


# -- in effect


def left_us(overlay: Overlay, now_us: int, boot: str) -> int:
    """Microseconds until it ends; 0 when it has, also where the machine was booted since."""
    return max(0, overlay.deadline_us - now_us) if overlay.boot_id == boot else 0


def matches(overlay: Overlay, virtual: VirtualServer) -> bool:
    """Whether ``overlay`` means ``virtual``: by name, or by the service that it was set on."""
    return overlay.virtual_server == virtual.name or any(
        s.identity == overlay.service for s in virtual.services
    )


def weights(overlays: Iterable[Overlay], virtual: VirtualServer) -> dict[DestKey, int]:
    """What they say of the servers of ``virtual``."""
    found = {o.real_server: o.weight for o in overlays if matches(o, virtual)}
    if not found:
        return {}
    return {
        DestKey(r.address, r.port): found[r.identity] for r in virtual.real_servers if r.identity in found
    }


def resting(overlays: Iterable[Overlay], config: Config) -> list[Overlay]:
    """Those whose server is not configured: they have no effect."""
    return [o for o in overlays if not any(weights((o,), virtual) for virtual in config.virtual_servers)]


def status(overlays: Sequence[Overlay], config: Config, now_us: int, boot: str) -> list[dict[str, Any]]:
    """For the state document."""
    if not overlays:
        return []
    asleep = resting(overlays, config)
    return [
        {
            "virtual_server": o.virtual_server,
            "real_server": o.real_server,
            "weight": o.weight,
            "in_effect": o not in asleep,
            "since": o.since,
            "until": o.until,
            "left_s": round(left_us(o, now_us, boot) / 1e6, 3),
            "by": o.by,
            "reason": o.reason or None,
        }
        for o in overlays
    ]
