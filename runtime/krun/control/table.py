"""The status for eyes: tables on a terminal, plain columns in a pipe."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from krun.control.duration import clock, span

if TYPE_CHECKING:
    from rich.console import Console

_GOOD = {"MASTER", "up", "running", "done", "there"}
_BAD = {"FAULT", "down", "waiting", "refused", "missing"}

Rows = list[list[str]]
Section = tuple[str, Sequence[str], Rows]


def sections(state: dict[str, Any]) -> list[Section]:
    """(title, headings, rows) of everything that the document has; empty parts are left out."""
    parts: list[Section] = [
        (
            "processes",
            ("name", "pid", "state", "restarts", "for", "memory", "late p99/max", "problem"),
            [_process(p) for p in state["processes"]],
        ),
        (
            "vrrp",
            ("instance", "device", "vrid", "v", "state", "priority", "master", "for", "addresses"),
            [_instance(i) for i in state["vrrp"]],
        ),
        ("routes, rules and static things", ("of", "what", "state"), _kept(state)),
        ("sync groups", ("group", "state", "members"), [_group(g) for g in state["sync_groups"]]),
        ("trackers", ("name", "kind", "state", "detail"), [_tracker(t) for t in state["trackers"]]),
        (
            "virtual servers",
            ("service", "server", "state", "weight", "checks"),
            [row for v in state["virtual_servers"] for row in _virtual_server(v)],
        ),
        (
            "overlays",
            ("service", "server", "weight", "for", "by", "reason"),
            [_overlay(o) for o in state.get("overlays", ())],
        ),
        (
            "draining",
            ("service", "server", "connections", "since", "at most"),
            [_drain(d) for d in state.get("drains", ())],
        ),
        ("mail", ("process", "server", "waits", "sent", "failed", "dropped", "problem"), _mail(state)),
    ]
    return [part for part in parts if part[2]]


def _kept(state: dict[str, Any]) -> Rows:
    """Routes and rules of instances that should be there, then everything static."""
    owners: list[tuple[str, Any]] = [(i["name"], i) for i in state["vrrp"] if i["state"] == "MASTER"]
    owners.append(("static", state.get("extra", {}).get("vrrp", {}).get("static", {})))
    return [
        [owner, thing["name"], thing.get("problem") or ("there" if thing["present"] else "missing")]
        for owner, things in owners
        for kind in ("addresses", "routes", "rules")
        for thing in things.get(kind, ())
        if "name" in thing  # an instance's own addresses are told otherwise, and elsewhere
    ]


def _mail(state: dict[str, Any]) -> Rows:
    """The post offices of the processes that send letters."""
    return [
        [
            name,
            post["server"],
            *(str(post[n]) for n in ("queue", "sent", "failed", "dropped")),
            post["problem"] or "",
        ]
        for name, said in sorted(state.get("extra", {}).items())
        if (post := said.get("mail"))
    ]


def summary(state: dict[str, Any]) -> list[str]:
    """The lines above the tables."""
    parent, ir, last = state["parent"], state["ir"], state["last_reload"]
    kept = "" if ir.get("source", "file") == "file" else ", a copy that krun kept"
    lines = [
        f"krun {parent['release']}, pid {parent['pid']}, {parent['state']} since {_time(parent['since'])} (kernel {parent['kernel']})",
        f"runs {ir['path']} ({ir['digest'][:19]}…){kept}, loaded {_time(ir['loaded_at'])}",
    ]
    if last is not None:
        lines.append(reload_line(last))
        if last["reason"]:
            lines.append(f"  {last['reason']}")
    lines += _way_back(state)
    lines += [f"ALARM: {alarm}" for alarm in state.get("alarms", ())]
    return lines


def _way_back(state: dict[str, Any]) -> list[str]:
    """What waits for a confirmation, else what undo would bring back."""
    waiting, before = state.get("confirm"), state.get("undo")
    if waiting is not None:
        return [
            f"waits for `krunctl confirm`: in {span(waiting['left_s'])} ({_time(waiting['deadline'])}) it goes back to "
            f"{waiting['back_to_path']} ({waiting['back_to'][:19]}…)"
        ]
    if before is not None:
        return [
            f"`krunctl undo` goes back to {before['path']} ({before['digest'][:19]}…), of {_time(before['loaded_at'])}"
        ]
    return []


def reload_line(last: dict[str, Any]) -> str:
    """One line about a reload: result, duration, operations."""
    counts = [f"{name} {count}" for name, count in last["operations"].items()]
    counts += [f"{name} process {what}" for what in ("started", "ended") for name in last.get(what, ())]
    text = f"last reload {last['result']} {_time(last['at'])} in {last['duration_us'] / 1000:.1f} ms: {', '.join(counts) or 'no operation'}"
    return text + (f", {len(last['failures'])} failed" if last["failures"] else "")


def plain(state: dict[str, Any]) -> str:
    """Text without escapes or frames, columns padded: for pipes, logs and narrow screens."""
    lines = summary(state)
    for title, headings, rows in sections(state):
        table = [list(headings), *rows]
        widths = [max(len(row[i]) for row in table) for i in range(len(headings))]
        lines += ["", title.upper()]
        lines += [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in table
        ]
    return "\n".join(lines) + "\n"


def render(state: dict[str, Any], console: Console) -> None:
    """Tables on a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    for line in summary(state):
        console.print(Text(line))
    for title, headings, rows in sections(state):
        table = Table(
            title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1)
        )
        for heading in headings:
            table.add_column(heading, overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell, style=_style(cell)) for cell in row))
        console.print(table)


def _style(cell: str) -> str:
    word = cell.split(" ", 1)[0]
    return "green" if word in _GOOD else "red" if word in _BAD else ""


def _process(p: dict[str, Any]) -> list[str]:
    memory = "" if p["pss_kb"] is None else f"{p['pss_kb'] / 1024:.1f} MB"
    return [
        p["name"],
        str(p["pid"] or "-"),
        p["state"],
        str(p["restarts"]),
        _age(p["since"]),
        memory,
        late(p),
        p["problem"] or "",
    ]


def late(process: dict[str, Any]) -> str:
    """How late its adverts (of a process without adverts: its timers) were since the last reload, in milliseconds: 99 of 100, and the worst."""
    lateness = (process.get("loop") or {}).get("lateness", {})
    seen = lateness.get("advert") or lateness.get("timer")
    if not seen or seen["p99_us"] is None:
        return ""
    return (
        "/".join(
            f"{us / 1000:.1f}" if us < 99_950 else f"{us / 1000:.0f}"
            for us in (seen["p99_us"], seen["max_us"])
        )
        + " ms"
    )


def _instance(i: dict[str, Any]) -> list[str]:
    base, effective = i.get("priority"), i.get("effective_priority")
    priority = _text(effective) if base == effective else f"{_text(effective)} ({_text(base)})"
    return [
        _text(i.get("name")),
        _text(i.get("interface")),
        _text(i.get("vrid")),
        _text(i.get("version")),
        _text(i.get("state")),
        priority,
        _text(i.get("master")),
        _age(i.get("since")),
        _list(i.get("vips")),
    ]


def _group(g: dict[str, Any]) -> list[str]:
    return [_text(g.get("name")), _text(g.get("state")), _list(g.get("members"))]


def _tracker(t: dict[str, Any]) -> list[str]:
    detail = f"{t['counter']} (rise {t.get('rise')}, fall {t.get('fall')})" if "counter" in t else ""
    return [_text(t.get("name")), _text(t.get("kind")), _text(t.get("state")), detail]


def _virtual_server(v: dict[str, Any]) -> Rows:
    quorum = v.get("quorum") or {}
    text = f"{'up' if quorum.get('up') else 'down'} (weight {quorum.get('weight')}, quorum {quorum.get('needed')})"
    sorry = v.get("sorry_server")
    if sorry and sorry.get("active"):
        text += f", sorry server {sorry['identity']} answers"
    return [[_text(v.get("name")), "", text, "", ""], *(_server(s) for s in v.get("real_servers", ()))]


def _server(server: dict[str, Any]) -> list[str]:
    weight, effective = server.get("weight"), server.get("effective_weight")
    return [
        "",
        _text(server.get("identity")),
        _text(server.get("state")),
        (_text(weight) if effective in (None, weight) else f"{_text(effective)} ({_text(weight)})")
        + (" by hand" if server.get("overlay") is not None else ""),
        _checks(server.get("checkers", ())) or "none",
    ]


def _overlay(o: dict[str, Any]) -> list[str]:
    weight = f"{o['weight']}" + ("" if o["in_effect"] else " (rests: that server is not configured)")
    return [
        o["virtual_server"],
        o["real_server"],
        weight,
        f"{span(o['left_s'])} more",
        o["by"],
        o["reason"] or "",
    ]


def _drain(d: dict[str, Any]) -> list[str]:
    return [
        d["service"],
        d["real_server"] or "all of it",
        "?" if d["connections"] is None else str(d["connections"]),
        _age(d["since"]),
        f"{span(d['left_s'])} more",
    ]


def _checks(checkers: Iterable[dict[str, Any]]) -> str:
    """Each state once, with the checks that are in it: two that meet the same problem need it said once."""
    by_state: dict[str, list[str]] = {}
    for c in checkers:
        state = "suspended" if c.get("suspended") else _text(c.get("state"))
        reason = c.get("reason") or ""
        state += f" ({reason})" if reason and state == "down" else ""
        by_state.setdefault(state, []).append(_text(c.get("checker")))
    return "; ".join(f"{', '.join(labels)} {state}" for state, labels in by_state.items())


def _time(seconds: object) -> str:
    """Local time."""
    if not isinstance(seconds, int | float) or not seconds:
        return "-"
    return clock(seconds)


def _age(seconds: object) -> str:
    """How long ago."""
    if not isinstance(seconds, int | float) or not seconds:
        return "-"
    return span(time.time() - seconds)


def _list(value: object) -> str:
    if isinstance(value, Iterable) and not isinstance(value, str | dict):
        return " ".join(
            _text(v.get("identity", v.get("address", v)) if isinstance(v, dict) else v) for v in value
        )
    return _text(value)


def _text(value: object) -> str:
    return "-" if value is None else str(value)
