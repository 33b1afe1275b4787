"""The counters of the virtual routers as keepalived writes them on SIGUSR2: for whoever reads ``keepalived.stats`` today."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_LINES: tuple[tuple[str, str | None], ...] = (
    ("  Advertisements:", None),
    ("    Received:", "advert_rcvd"),
    ("    Sent:", "advert_sent"),
    ("  Became master:", "become_master"),
    ("  Released master:", "release_master"),
    ("  Packet Errors:", None),
    ("    Length:", "packet_len_err"),
    ("    TTL:", "ip_ttl_err"),
    ("    Invalid Type:", "invalid_type_rcvd"),
    ("    Advertisement Interval:", "advert_interval_err"),
    ("    Address List:", "addr_list_err"),
    ("  Authentication Errors:", None),
    ("    Invalid Type:", "invalid_authtype"),
    ("    Type Mismatch:", "authtype_mismatch"),
    ("    Failure:", "auth_failure"),
    ("  Priority Zero:", None),
    ("    Received:", "pri_zero_rcvd"),
    ("    Sent:", "pri_zero_sent"),
)


def text(instances: Iterable[Mapping[str, Any]]) -> str:
    """``instances``: ``vrrp`` of the state document."""
    lines: list[str] = []
    for instance in instances:
        counters = instance.get("counters", {})
        lines.append(f"VRRP Instance: {instance['name']}")
        lines += [label if name is None else f"{label} {counters.get(name, 0)}" for label, name in _LINES]
    return "".join(f"{line}\n" for line in lines)
