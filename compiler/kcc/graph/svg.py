"""The graph as an SVG image: one column a kind, causes on the left, servers on the right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from kcc.graph.model import KINDS, Edge, Graph, Node
from kcc.graph.text import COLOURS

__all__ = ["svg"]

CHARACTER = 6.7
"""Width of a character of 11 px, generous."""
HEIGHT, GAP, COLUMN_GAP, MARGIN, HEADER = 38, 12, 84, 24, 30
_HEADINGS = {
    "tracker": "trackers",
    "group": "sync groups",
    "instance": "instances",
    "address": "addresses",
    "service": "services",
    "server": "servers",
}
_NO_XML = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(slots=True)
class _Box:
    node: Node
    x: float
    y: float
    width: float


def svg(graph: Graph, title: str) -> Iterator[str]:
    """The image, line by line."""
    boxes = _place(graph)
    width = max((b.x + b.width for b in boxes.values()), default=200.0) + MARGIN
    height = max((b.y + HEIGHT for b in boxes.values()), default=HEADER + MARGIN) + MARGIN
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label={quoteattr(_clean(title))}>'
    )
    yield f"  <title>{_text(title)}</title>"
    yield "  <style>text{font:11px ui-sans-serif,system-ui,sans-serif;fill:#111}.d{fill:#555;font-size:10px}"
    yield "    .h{fill:#777;font-size:12px}.e{fill:none;stroke:#888}.w{stroke-dasharray:5 4}.l{font-size:9px;fill:#555}"
    yield "    @media (prefers-color-scheme:dark){.h,.l{fill:#bbb}}</style>"
    yield '  <defs><marker id="a" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    yield '    <path d="M0 0L8 4L0 8z" fill="#888"/></marker></defs>'
    seen: set[str] = set()
    for box in boxes.values():
        if box.node.kind not in seen:
            seen.add(box.node.kind)
            yield f'  <text class="h" x="{box.x:.0f}" y="{MARGIN}">{_HEADINGS[box.node.kind]}</text>'
    for edge in graph.edges:
        yield from _edge(edge, boxes[edge.start], boxes[edge.end])
    for box in boxes.values():
        yield from _box(box)
    yield "</svg>"


def _place(graph: Graph) -> dict[str, _Box]:
    """Columns by kind; rows as in a tree: what has no children takes the next row, the rest stands in the middle of its
    children. A node with several parents stands with the first."""
    rows: dict[str, float] = {}
    parents = {edge.end for edge in graph.edges if not edge.start.startswith("tracker/")}
    children = graph.children()
    free = 0.0

    def place(key: str) -> float:
        nonlocal free
        inner = [e.end for e in children.get(key, ()) if e.end not in rows]
        rows[key] = -1.0
        found = [place(end) for end in inner if end not in rows]
        if found:
            rows[key] = (found[0] + found[-1]) / 2
        else:
            rows[key] = free
            free += 1
        return rows[key]

    for key, node in graph.nodes.items():
        if node.kind != "tracker" and key not in parents and key not in rows:
            place(key)
    _place_trackers(graph, children, rows)
    left = float(MARGIN)
    boxes: dict[str, _Box] = {}
    for kind in KINDS:
        nodes = [node for node in graph.nodes.values() if node.kind == kind]
        if not nodes:
            continue
        width = max(_width(node) for node in nodes)
        for node in nodes:
            y = MARGIN + HEADER + rows[node.key] * (HEIGHT + GAP) - HEIGHT / 2
            boxes[node.key] = _Box(node, left, y, width)
        left += width + COLUMN_GAP
    return boxes


def _place_trackers(graph: Graph, children: dict[str, list[Edge]], rows: dict[str, float]) -> None:
    """Beside the middle of those who watch them, one below the other."""
    wanted = []
    for key, node in graph.nodes.items():
        if node.kind == "tracker":
            ends = [rows[e.end] for e in children.get(key, ())]
            wanted.append((sum(ends) / len(ends) if ends else 0.0, key))
    row = 0.0
    for middle, key in sorted(wanted):
        rows[key] = row = max(row, middle)
        row += 1


def _width(node: Node) -> float:
    return max(len(node.title), len(node.details)) * CHARACTER + 16


def _box(box: _Box) -> Iterator[str]:
    fill, line = COLOURS[box.node.kind]
    yield (
        f'  <rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{HEIGHT}" rx="6" '
        f'fill="{fill}" stroke="{line}"/>'
    )
    middle = box.y + (16 if box.node.details else 23)
    yield f'  <text x="{box.x + 8:.1f}" y="{middle:.1f}">{_text(box.node.title)}</text>'
    if box.node.details:
        yield f'  <text class="d" x="{box.x + 8:.1f}" y="{box.y + 30:.1f}">{_text(box.node.details)}</text>'


def _edge(edge: Edge, start: _Box, end: _Box) -> Iterator[str]:
    x1, y1 = start.x + start.width, start.y + HEIGHT / 2
    x2, y2 = end.x, end.y + HEIGHT / 2
    bend = (x2 - x1) / 2
    dashed = " w" if edge.dashed else ""
    yield (
        f'  <path class="e{dashed}" d="M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} '
        f'{x2:.1f} {y2:.1f}" marker-end="url(#a)"/>'
    )
    if edge.label:
        yield f'  <text class="l" x="{x2 - 10:.1f}" y="{y2 - 5:.1f}" text-anchor="end">{_text(edge.label)}</text>'


def _clean(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)


def _text(text: str) -> str:
    return escape(_clean(text))
