"""What an operator means by a name."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

NAMED = 5


class UnknownError(Exception):
    """Nothing has that name; the text says what is near."""


@dataclass(slots=True)
class Found:
    """``objects``: the parts of the state document that were meant. Of a real server each has its ``virtual_server`` beside it. ``all``: nothing
    is to be left out."""

    kind: str
    name: str
    objects: list[dict[str, Any]]
    all: bool = False


def find(state: dict[str, Any], name: str) -> Found:
    """The thing of this name, looked for among instances, groups, trackers, virtual servers and real servers, in that order.

    Raises `UnknownError`.
    """
    wanted = " ".join(name.split())
    for kind, key in (("instance", "vrrp"), ("sync group", "sync_groups"), ("tracker", "trackers")):
        if objects := [o for o in state.get(key, ()) if o["name"] == wanted]:
            return Found(kind, wanted, objects)
    virtuals = state.get("virtual_servers", [])
    if objects := _virtual(virtuals, wanted):
        return Found("virtual server", wanted, objects)
    service, arrow, server = wanted.rpartition(" -> ")
    among = (_virtual(virtuals, service) or []) if arrow else virtuals
    objects = [
        {"virtual_server": v["name"], **s}
        for v in among
        for s in v.get("real_servers", ())
        if server in (s["identity"], _host(s["identity"]))
    ]
    if objects:
        return Found("real server", wanted, objects)
    drains = state.get("drains", ())
    if objects := [
        d
        for d in drains
        if wanted in (d["service"], d["real_server"], f"{d['service']} -> {d['real_server']}")
    ]:
        return Found("drain", wanted, objects)
    raise UnknownError(_unknown(state, wanted))


def _virtual(virtuals: list[dict[str, Any]], wanted: str) -> list[dict[str, Any]]:
    """By its name, by one of its services, by address and port, or by the name of its group."""
    return (
        [v for v in virtuals if v["name"] == wanted]
        or [v for v in virtuals if wanted in v.get("services", ())]
        or [v for v in virtuals if any(s.endswith(f" {wanted}") for s in v.get("services", ()))]
        or [v for v in virtuals if v["name"].startswith(f"group {wanted} ")]
    )


def _host(identity: str) -> str:
    return identity.rpartition(":")[0].removeprefix("[").removesuffix("]")


def _unknown(state: dict[str, Any], wanted: str) -> str:
    names = [o["name"] for key in ("vrrp", "sync_groups", "trackers") for o in state.get(key, ())]
    virtuals = [v["name"] for v in state.get("virtual_servers", ())]
    reals = list(
        dict.fromkeys(
            s["identity"] for v in state.get("virtual_servers", ()) for s in v.get("real_servers", ())
        )
    )
    silent = [p["name"] for p in state.get("processes", ()) if not p["answered"]]
    text = f"there is no instance, group, tracker, virtual or real server `{wanted}`"
    everything = [*names, *virtuals, *reals]
    near = difflib.get_close_matches(wanted, everything, NAMED, 0.6) or [
        name for name in everything if wanted and wanted.lower() in name.lower()
    ]
    if near:
        text += f"; near: {', '.join(near[:NAMED])}"
    elif everything:
        more = f" and {len(everything) - NAMED} more" if len(everything) > NAMED else ""
        text += f"; there are {', '.join(everything[:NAMED])}{more}"
    if silent:
        text += f" (no answer from {', '.join(silent)}: what it has is not known)"
    return text
