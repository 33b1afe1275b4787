"""One picture of a director for ``krunctl top``: what fits into so many lines, the worst first, with rates since the last one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from krun.control.duration import clock, span
from krun.control.metrics.director import DROPS
from krun.control.table import late, summary

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A table. ``more``: how many rows were left out."""

    title: str
    headings: Row
    rows: tuple[Row, ...]
    more: int = 0


@dataclass(frozen=True, slots=True)
class Frame:
    """``head``: lines above the tables."""

    head: tuple[str, ...]
    parts: tuple[Part, ...]


_WORST = {"FAULT": 0, "INIT": 1, "STOPPED": 1, "MASTER": 2, "BACKUP": 3}


def frame(state: dict[str, Any], before: dict[str, Any] | None, seconds: float, lines: int) -> Frame:
    """``before``: the state document of ``seconds`` ago, None where there is none. ``lines``: how many there are; at least one row of
    each table is shown."""
    head = (clock(time.time()), *summary(state))
    tables = [
        (
            "processes",
            ("process", "pid", "state", "restarts", "for", "memory", "late p99/max", "problem"),
            _processes(state),
        ),
        (
            "vrrp",
            ("instance", "device", "vrid", "state", "priority", "master", "for", "in/s", "out/s", "drops/s"),
            _instances(state, before, seconds),
        ),
        (
            "virtual servers",
            ("service", "quorum", "up", "weight", "connections", "checks/s"),
            _virtual_servers(state, before, seconds),
        ),
        (
            "real servers that are not simply up",
            ("service", "server", "state", "weight", "why"),
            _servers(state),
        ),
    ]
    tables = [table for table in tables if table[2]]
    shares = _shares([len(rows) for _, _, rows in tables], lines - len(head) - _FRAME * len(tables))
    parts: list[Part] = []
    for (title, headings, rows), share in zip(tables, shares, strict=True):
        shown = rows if len(rows) <= share else rows[: max(1, share - 1)]  # the last line says how many more
        parts.append(Part(title, headings, tuple(shown), len(rows) - len(shown)))
    return Frame(head, tuple(parts))


_FRAME = 4
"""Lines of a table beside its rows: title, headings, rule, and the blank one after it."""


def _shares(sizes: Sequence[int], room: int) -> list[int]:
    """How many lines each table gets: what it needs, or an equal part of what the small ones leave."""
    shares = [0] * len(sizes)
    left = len(sizes)
    for size, n in sorted((size, n) for n, size in enumerate(sizes)):
        shares[n] = max(1, min(size, room // left))
        room -= shares[n]
        left -= 1
    return shares


def plain(one: Frame) -> str:
    """Without escapes, columns padded."""
    lines = list(one.head)
    for part in one.parts:
        table = [part.headings, *part.rows]
        widths = [max(len(row[i]) for row in table) for i in range(len(part.headings))]
        lines += ["", part.title.upper()]
        lines += [_join(row, widths) for row in table]
        if part.more:
            lines.append(f"… and {part.more} more")
    return "\n".join(lines) + "\n"


def _join(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _processes(state: dict[str, Any]) -> list[Row]:
    return [
        (
            p["name"],
            str(p["pid"] or "-"),
            p["state"] if p["answered"] or p["state"] != "running" else "silent",
            str(p["restarts"]),
            _age(p["since"]),
            "" if p["pss_kb"] is None else f"{p['pss_kb'] / 1024:.1f} MB",
            late(p),
            p["problem"] or "",
        )
        for p in state["processes"]
    ]


def _instances(state: dict[str, Any], before: dict[str, Any] | None, seconds: float) -> list[Row]:
    earlier = {i["name"]: i["counters"] for i in before["vrrp"]} if before else {}
    rows: list[Row] = []
    for i in sorted(state["vrrp"], key=lambda i: _WORST.get(i["state"], 0)):
        now, then = i["counters"], earlier.get(i["name"])
        base, effective = i["priority"], i["effective_priority"]
        rows.append(
            (
                i["name"],
                i["interface"],
                str(i["vrid"]),
                i["state"],
                str(base) if base == effective else f"{effective} ({base})",
                i["master"] or "-",
                _age(i["since"]),
                _rate(now, then, ("advert_rcvd",), seconds),
                _rate(now, then, ("advert_sent",), seconds),
                _rate(now, then, tuple(name for name in now if name in DROPS), seconds),
            )
        )
    return rows


def _virtual_servers(state: dict[str, Any], before: dict[str, Any] | None, seconds: float) -> list[Row]:
    earlier = {v["name"]: _runs(v) for v in before["virtual_servers"]} if before else {}
    rows: list[Row] = []
    for v in sorted(state["virtual_servers"], key=lambda v: v["quorum"]["up"]):
        servers, quorum = v["real_servers"], v["quorum"]
        connections = [s["connections"] for s in servers if s.get("connections") is not None]
        word = "up" if quorum["up"] else "down"
        sorry = v.get("sorry_server")
        if sorry is not None and sorry["active"]:
            word += ", sorry server"
        rows.append(
            (
                v["name"],
                word,
                f"{sum(s['state'] == 'up' for s in servers)}/{len(servers)}",
                f"{quorum['weight']}/{quorum['needed']}",
                str(sum(connections)) if connections else "-",
                _rate(
                    {"": _runs(v)}, {"": earlier[v["name"]]} if v["name"] in earlier else None, ("",), seconds
                ),
            )
        )
    return rows


def _runs(v: dict[str, Any]) -> int:
    return sum(int(c["runs"]) for s in v["real_servers"] for c in s["checkers"])


def _servers(state: dict[str, Any]) -> list[Row]:
    rows: list[Row] = []
    for v in state["virtual_servers"]:
        for s in v["real_servers"]:
            by_hand = s.get("overlay") is not None
            if s["state"] == "up" and not by_hand and s["effective_weight"] == s["weight"]:
                continue
            down = [
                f"{c['checker']}: {c['reason'] or 'no success yet'}"
                for c in s["checkers"]
                if c["state"] == "down"
            ]
            why = "; ".join((*(["by hand"] if by_hand else []), *down))
            rows.append(
                (v["name"], s["identity"], s["state"], f"{s['effective_weight']} ({s['weight']})", why)
            )
    for d in state.get("drains", ()):
        left = "?" if d["connections"] is None else d["connections"]
        why = f"{left} connections, {span(d['left_s'])} at most"
        rows.append((d["service"], d["real_server"] or "all of it", "drains", "0", why))
    return sorted(rows, key=lambda row: row[2])


def _rate(now: dict[str, int], then: dict[str, int] | None, names: tuple[str, ...], seconds: float) -> str:
    """Of the sum of some counters; a counter that fell began anew, which is no rate."""
    if then is None or seconds <= 0:
        return ""
    rise = sum(now.get(name, 0) - then.get(name, 0) for name in names)
    return "" if rise < 0 else f"{rise / seconds:.1f}" if rise else "0"


def _age(at: float) -> str:
    return span(time.time() - at) if at else "-"
