"""The graph in the languages of others: Mermaid (for Markdown) and DOT (for Graphviz)."""

from __future__ import annotations

from collections.abc import Iterator

from kcc.graph.model import KINDS, Graph, Node

__all__ = ["COLOURS", "dot", "mermaid"]

COLOURS = {
    "tracker": ("#fff3c4", "#b58900"),
    "group": ("#f3e1f7", "#9c4fb0"),
    "instance": ("#d9f0f5", "#1f8a9e"),
    "address": ("#def3dc", "#3c8d40"),
    "service": ("#dde7fa", "#3b62b5"),
    "server": ("#f0f0f0", "#777777"),
}
"""Fill and border by kind: told apart without colour by their column and their text."""

_SHAPES = {"tracker": ("([", "])"), "address": ("(", ")"), "group": ("[[", "]]")}


def mermaid(graph: Graph) -> Iterator[str]:
    """A Mermaid flowchart, line by line."""
    names = {key: f"n{n}" for n, key in enumerate(graph.nodes)}
    yield "flowchart LR"
    for key, node in graph.nodes.items():
        left, right = _SHAPES.get(node.kind, ("[", "]"))
        yield f'    {names[key]}{left}"{"<br/>".join(map(_entities, _lines(node)))}"{right}:::{node.kind}'
    for edge in graph.edges:
        arrow = "-.->" if edge.dashed else "-->"
        label = f'|"{_entities(edge.label)}"|' if edge.label else ""
        yield f"    {names[edge.start]} {arrow}{label} {names[edge.end]}"
    for kind in KINDS:
        if any(node.kind == kind for node in graph.nodes.values()):
            fill, line = COLOURS[kind]
            yield f"    classDef {kind} fill:{fill},stroke:{line},color:#111111"


def _entities(text: str) -> str:
    """Mermaid's own escapes: ``#`` and a name or number and ``;``."""
    return "".join(f"#{ord(c)};" if c in '#"<>&;`\\|[]{}()' else c for c in text)


def dot(graph: Graph) -> Iterator[str]:
    """A Graphviz digraph, line by line."""
    names = {key: f"n{n}" for n, key in enumerate(graph.nodes)}
    yield "digraph keepalived {"
    yield '    rankdir=LR; node [shape=box, style="rounded,filled", fontname="sans-serif", fontsize=11];'
    yield '    edge [fontname="sans-serif", fontsize=9];'
    for key, node in graph.nodes.items():
        fill, line = COLOURS[node.kind]
        label = "\\n".join(map(_quoted, _lines(node)))
        yield f'    {names[key]} [label="{label}", fillcolor="{fill}", color="{line}"];'
    for edge in graph.edges:
        style = ", style=dashed" if edge.dashed else ""
        yield f'    {names[edge.start]} -> {names[edge.end]} [label="{_quoted(edge.label)}"{style}];'
    yield "}"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _lines(node: Node) -> list[str]:
    return [node.title, node.details] if node.details else [node.title]
