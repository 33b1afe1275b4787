"""Why an instance is master or not."""

from __future__ import annotations

from typing import Any

from krun.control.commands.explain.find import Found
from krun.control.commands.explain.words import ago, columns, lasting, section

LATELY = 3
"""Another one advertises "now" when it did within this many of its intervals, and a second."""


def instance(state: dict[str, Any], found: Found, now: float) -> list[str]:
    """An instance, whole."""
    i = found.objects[0]
    lines = [f"{i['name']} is {i['state']}, for {ago(i['since'], now)}: {reason(i, now)}"]
    family = "IPv4" if i["family"] == "inet" else "IPv6"
    source = f", adverts from {i['source']}" if i.get("source") else ", no address to send adverts from"
    every = f"{i['advert_int_us'] / 1e6:g} s"
    lines.append(
        f"  {family} on {i['interface']}, VRID {i['vrid']}, version {i['version']}, every {every}{source}"
    )
    lines += [f"  WARNING: {text}" for text in warnings(i, now)]
    lines += section("why it is in FAULT", [f"  {fault}" for fault in i.get("faults", ())])
    lines += section("priority", _priority(i))
    lines += section("adverts heard, the last first", _adverts(i, now))
    lines += section("next", _timers(i))
    for group in state.get("sync_groups", ()):
        if group["name"] == i.get("sync_group"):
            lines += section(f"sync group {group['name']}: {group['state']}", _members(state, group, now))
    lines += section("addresses", _addresses(i))
    lines += section(
        "routes and rules",
        [
            f"  {thing['name']}: {thing.get('problem') or ('there' if thing['present'] else 'not here')}"
            for kind in ("routes", "rules")
            for thing in i.get(kind, ())
        ],
    )
    return lines


def reason(i: dict[str, Any], now: float) -> str:
    """In one clause: what keeps it in its state."""
    own = i["effective_priority"]
    role = i["state"]
    if role == "MASTER":
        best = max((a["priority"] or 0 for a in _rivals(i, now)), default=None)
        return (
            f"priority {own}, and nobody else advertises"
            if best is None
            else f"priority {own}; the best of the others says {best}"
        )
    if role == "FAULT":
        return "; ".join(i.get("faults", ())) or "something that it tracks is down"
    if role != "BACKUP":
        return "it has not begun yet" if role == "INIT" else "it stopped"
    if i.get("master") in (None, i.get("source")):  # it remembers itself where it was the last one
        return "it has heard no master, and waits for its timer"
    text = f"{i['master']} is master with priority {i['master_priority']}, ours is {own}"
    if i["master_priority"] and own > i["master_priority"]:
        delays = any(timer["name"] == "preempt_delay" for timer in i.get("timers", ()))
        if delays:
            return f"{text}; it lets preempt_delay pass before it takes over"
        return f"{text}; " + (
            "it is about to take over" if i["preempt"] else "nopreempt keeps it from taking over"
        )
    return text


def warnings(i: dict[str, Any], now: float) -> list[str]:
    """What is wrong although every process does as it should: two masters, peers whose adverts are dropped."""
    found = []
    for advert in _rivals(i, now):
        if advert["verdict"] != "accepted":
            consequence = (
                "it hears nobody better: there may be two masters"
                if i["state"] == "MASTER"
                else "it counts for nothing"
            )
            found.append(
                f"{advert['source']} advertises too, and its adverts are dropped ({advert['why']}); {consequence}"
            )
        elif i["state"] == "MASTER" and advert["priority"]:
            found.append(
                f"{advert['source']} advertises too, with priority {advert['priority']}: two masters; it does not hear our adverts, or drops them"
            )
    if i.get("demoted"):
        found.append("another router owns the address too (priority 255): lowered to 254 until it is gone")
    return found


def _rivals(i: dict[str, Any], now: float) -> list[dict[str, Any]]:
    """Adverts that were heard just now, but for those of the master that a backup follows."""
    found = []
    for advert in i.get("adverts", ()):
        interval = (advert["interval_us"] or i["advert_int_us"]) / 1e6
        if now - advert["last"] > LATELY * interval + 1 or advert["priority"] == 0:
            continue
        if i["state"] == "MASTER" and advert["verdict"] == "accepted" and advert["last"] < i["since"]:
            continue  # the master before us
        if i["state"] != "MASTER" and advert["verdict"] == "accepted":
            continue
        found.append(advert)
    return found


def _priority(i: dict[str, Any]) -> list[str]:
    rows = [[f"{i['priority']}", "configured" + (": it owns the addresses" if i["owner"] else "")]]
    total = i["priority"]
    deciding = []
    for track in i.get("tracks", ()):
        of = "" if track["of"] == "instance" else f", of the {track['of']}"
        reverse = ", reverse" if track["reverse"] else ""
        what = f"{track['kind']} {track['name']} is {track['state']}"
        if track["adds"] is None:
            wanted = "down" if track["reverse"] else "up"
            deciding.append(f"  {what} (weight 0{reverse}{of}): FAULT unless {wanted}")
            continue
        total += track["adds"]
        rows.append([f"{track['adds']:+d}", f"{what} (weight {track['weight']}{reverse}{of})"])
    effective = i["effective_priority"]
    if effective != total and not i["owner"]:
        rest = effective - total
        rows.append([f"{rest:+d}", "the rest of what it tracks, and the bounds 1 and 254"])
    rows.append([f"{effective}", "what its adverts say"])
    width = max(len(row[0]) for row in rows)
    return [f"  {number.rjust(width)}  {text}" for number, text in rows] + deciding


def _adverts(i: dict[str, Any], now: float) -> list[str]:
    rows = [
        [
            f"{ago(a['last'], now)} ago",
            a["source"],
            "?" if a["priority"] is None else f"priority {a['priority']}",
            "" if a["interval_us"] is None else f"every {a['interval_us'] / 1e6:g} s",
            f"{a['count']} time{'' if a['count'] == 1 else 's'} in {lasting(a['last'] - a['first'])}"
            if a["count"] > 1
            else "once",
            "accepted" + (f": {a['why']}" if a["why"] else "")
            if a["verdict"] == "accepted"
            else f"dropped ({a['verdict']}): {a['why']}",
        ]
        for a in i.get("adverts", ())
    ]
    return columns(rows) or ["  none"]


def _timers(i: dict[str, Any]) -> list[str]:
    return columns([[f"in {t['in_s']:.2f} s", f"{t['name']}: {t['then']}"] for t in i.get("timers", ())])


def _addresses(i: dict[str, Any]) -> list[str]:
    held = set(i.get("vips", ()))
    rows = []
    for a in i.get("addresses", ()):
        name = f"{a['address']}/{a['prefix']} dev {a['device']}"
        rows.append(
            [name, "here" if name in held else "not here", "excluded from adverts" if a["excluded"] else ""]
        )
    return columns(rows)


def _members(state: dict[str, Any], group: dict[str, Any], now: float) -> list[str]:
    instances = {i["name"]: i for i in state.get("vrrp", ())}
    return columns(
        [
            [name, instances[name]["state"], reason(instances[name], now)]
            if name in instances
            else [name, "?", "not known"]
            for name in group["members"]
        ]
    )


def group(state: dict[str, Any], found: Found, now: float) -> list[str]:
    """A sync group: its members decide together."""
    one = found.objects[0]
    held = {
        "MASTER": "all of its members are",
        "FAULT": "one of its members is",
    }.get(one["state"], "at least one member may not be master, or has a master elsewhere")
    return [f"{one['name']} is {one['state']}: {held}", *section("members", _members(state, one, now))]


def tracker(state: dict[str, Any], found: Found, _now: float) -> list[str]:
    """A track script, and who is moved by it."""
    one = found.objects[0]
    lines = [f"{one['kind']} {one['name']} is {one['state']}"]
    if "counter" in one:
        lines.append(
            f"  counter {one['counter']}: up from {one['rise']} on (rise {one['rise']}, fall {one['fall']})"
        )
    if one.get("last"):
        lines.append(f"  last run: {one['last']}")
    users = []
    for i in state.get("vrrp", ()):
        for track in i.get("tracks", ()):
            if (track["kind"], track["name"]) == (one["kind"], one["name"]):
                does = (
                    "decides between running and FAULT"
                    if track["adds"] is None
                    else f"{track['adds']:+d} now (weight {track['weight']})"
                )
                users.append([i["name"], i["state"], does, f"priority {i['effective_priority']}"])
    return [*lines, *section("who is moved by it", columns(users) or ["  nobody"])]
