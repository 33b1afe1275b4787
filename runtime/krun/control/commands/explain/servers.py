"""Why a virtual server is served, and a real server is in use."""

from __future__ import annotations

from typing import Any

from krun.control.commands.explain.find import Found
from krun.control.commands.explain.words import ago, columns, section
from krun.control.duration import span

MOST_WELL = 10
"""How many servers are shown that have nothing to explain."""


def virtual_server(state: dict[str, Any], found: Found, now: float) -> list[str]:
    """A virtual server: quorum, sorry server, and each real server that is not simply up."""
    lines: list[str] = []
    for v in found.objects:
        lines += ([""] if lines else []) + _virtual(state, v, now, everything=found.all)
    return lines


def _virtual(state: dict[str, Any], v: dict[str, Any], now: float, *, everything: bool) -> list[str]:
    quorum, servers = v["quorum"], v.get("real_servers", [])
    up = sum(s["state"] == "up" for s in servers)
    margin = f", hysteresis {quorum['hysteresis']}" if quorum["hysteresis"] else ""
    has = "has its quorum" if quorum["up"] else "is without its quorum"
    lines = [
        f"{v['name']} {has}: weight {quorum['weight']} where {quorum['needed']} is needed{margin}; {up} of {len(servers)} servers up"
    ]
    lines.append(f"  scheduler {v['scheduler']}")
    others = [s for s in v.get("services", ()) if s != v["name"]]
    if others:
        lines.append(f"  services {', '.join(others)}")
    sorry = v.get("sorry_server")
    if sorry is not None:
        does = "answers in place of the others" if sorry["active"] else "not needed"
        lines.append(f"  sorry server {sorry['identity']}: {does}")
    elif not quorum["up"]:
        lines.append("  there is no sorry server: who comes now is refused or left without an answer")
    lines += _alarms(state, [v["name"], *v.get("services", ())])
    well = [s for s in servers if _is_well(s)]
    shown = servers if everything else [s for s in servers if s not in well] + well[:MOST_WELL]
    for server in shown:
        lines += ["", *_server(state, v["name"], server, now)]
    if len(shown) < len(servers):
        lines += ["", f"and {len(servers) - len(shown)} more that are up (--all shows them)"]
    drains = [d for d in state.get("drains", ()) if d["service"] in v.get("services", ())]
    return lines + section("on their way out", [f"  {_drain(d)}" for d in drains])


def drain(state: dict[str, Any], found: Found, _now: float) -> list[str]:
    """What is no longer configured and still drains."""
    return [_drain(d) for d in found.objects]


def _drain(d: dict[str, Any]) -> str:
    what = d["service"] if d["real_server"] is None else f"{d['service']} -> {d['real_server']}"
    left = (
        "an unknown number of connections" if d["connections"] is None else f"{d['connections']} connections"
    )
    return f"{what} is no longer configured and drains: weight 0, {left} left; deleted when there are none, or in {span(d['left_s'])}"


def real_server(state: dict[str, Any], found: Found, now: float) -> list[str]:
    """A real server, in each virtual server that has it."""
    lines: list[str] = []
    quorums = {v["name"]: v["quorum"] for v in state.get("virtual_servers", ())}
    for server in found.objects:
        name = server["virtual_server"]
        quorum = "has its quorum" if quorums[name]["up"] else "is without its quorum"
        lines += [*([""] if lines else []), f"{name} {quorum}", *_server(state, name, server, now)]
    return lines


def _server(state: dict[str, Any], virtual: str, s: dict[str, Any], now: float) -> list[str]:
    weight = f"weight {s['effective_weight']}"
    if s["effective_weight"] != s["weight"]:
        weight += f" ({s['weight']} configured)"
    use = "" if s["in_use"] or s["state"] == "down" else ", not in use: the sorry server answers"
    if s["state"] == "down" and s["inhibit_on_failure"]:
        use = ", kept in the table with weight 0 (inhibit_on_failure)"
    connections = "" if s["connections"] is None else f", {s['connections']} connections"
    lines = [f"{s['identity']} is {s['state']}, {weight}, {s['forwarding']}{connections}{use}"]
    if s.get("dynamic"):
        lines.append(f"  checks move its weight by {s['dynamic']:+d}")
    for o in state.get("overlays", ()):
        if (o["virtual_server"], o["real_server"]) == (virtual, s["identity"]):
            why = f": {o['reason']}" if o["reason"] else ""
            lines.append(f"  by hand: weight {o['weight']} for {span(o['left_s'])} more, by {o['by']}{why}")
    checks = s.get("checkers", ())
    rows = [[c["checker"], _verdict(c, now), _history(c, now)] for c in checks]
    return lines + (columns(rows) or ["  no check: always in use"])


def _verdict(c: dict[str, Any], now: float) -> str:
    if c["suspended"]:
        return "suspended: its address is not on this director (ha_suspend)"
    if not c["known"]:
        return f"{c['state']}: not asked yet"
    if c["state"] == "down":
        return f"down for {ago(c['since'], now)}: {c['reason'] or 'no success yet'}"
    if c["failures"]:
        return (
            f"up, though the last {c['failures']} failed of {c['retry'] + 1} that take it down: {c['reason']}"
        )
    return f"up for {ago(c['since'], now)}"


def _history(c: dict[str, Any], now: float) -> str:
    text = f"last {ago(c['at'], now)} ago" if c["at"] else "not run by this process yet"
    if c["next_in_s"] is not None:
        text += f", next in {c['next_in_s']:.1f} s"
    return f"{text}, {c['failed_runs']} of {c['runs']} failed" if c["runs"] else text


def _is_well(s: dict[str, Any]) -> bool:
    return (
        s["state"] == "up"
        and s["effective_weight"] == s["weight"]
        and s.get("overlay") is None
        and all(c["known"] and not c["failures"] and not c["suspended"] for c in s.get("checkers", ()))
    )


def _alarms(state: dict[str, Any], names: list[str]) -> list[str]:
    return [f"  ALARM: {alarm}" for alarm in state.get("alarms", ()) if any(name in alarm for name in names)]
