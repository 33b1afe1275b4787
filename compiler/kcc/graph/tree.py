"""The graph as a tree of text: every object below what it depends on; trackers stand below whom they can bring down."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from kcc.graph.model import Graph, Node

__all__ = ["print_tree", "tree_lines"]

_WORDS = {"tracker": "tracks", "address": "holds"}
_STYLES = {
    "tracker": "yellow",
    "group": "bold magenta",
    "instance": "bold cyan",
    "address": "green",
    "service": "bold blue",
    "server": "",
}

Entry = tuple[int, str, Node, str]
"""Depth, guide, node, and the label of the edge that leads to it."""


def _entries(graph: Graph) -> Iterator[Entry]:
    """Every node below its parents, in order. What several parents share stands below each of them, its own children
    only once."""
    below: dict[str, list[tuple[str, str]]] = {}
    inner: set[str] = set()
    for edge in graph.edges:
        start, end = (edge.end, edge.start) if edge.start.startswith("tracker/") else (edge.start, edge.end)
        below.setdefault(start, []).append((end, edge.label))
        inner.add(end)
    roots = [(key, "") for key in graph.nodes if key not in inner]
    seen: set[str] = set()
    stack = [iter([(key, label, last) for last, key, label in _marked(roots)])]
    guides = [""]
    while stack:
        entry = next(stack[-1], None)
        if entry is None:
            stack.pop()
            guides.pop()
            continue
        key, label, last = entry
        guide = guides[-1]
        yield len(stack) - 1, guide + ("└── " if last else "├── "), graph.nodes[key], label
        children = below.get(key, [])
        if children and key not in seen:
            seen.add(key)
            stack.append(iter([(k, text, end) for end, k, text in _marked(children)]))
            guides.append(guide + ("    " if last else "│   "))


def _marked(items: list[tuple[str, str]]) -> list[tuple[bool, str, str]]:
    """With whether it is the last one."""
    return [(n == len(items) - 1, key, label) for n, (key, label) in enumerate(items)]


def _parts(node: Node, label: str) -> tuple[str, str]:
    """Title and the rest of the line."""
    if node.kind == "tracker":
        return f"{node.details} {node.title}", label
    return node.title, "  ".join(part for part in (node.details, label) if part)


def tree_lines(graph: Graph, title: str) -> Iterator[str]:
    """The tree as plain text."""
    yield title
    for _depth, guide, node, label in _entries(graph):
        head, rest = _parts(node, label)
        yield f"{guide}{head}  {rest}".rstrip()


def print_tree(graph: Graph, title: str, stream: TextIO, *, colour: bool) -> None:
    """The tree on ``stream``: through rich where ``colour``, else plain."""
    if not colour:
        stream.writelines(f"{line}\n" for line in tree_lines(graph, title))
        return
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    top = Tree(Text(title, style="bold"), guide_style="dim")
    parents = [top]
    for depth, _guide, node, label in _entries(graph):
        head, rest = _parts(node, label)
        del parents[depth + 1 :]
        parents.append(parents[depth].add(Text.assemble((head, _STYLES[node.kind]), (f"  {rest}", "dim"))))
    Console(file=stream, force_terminal=True, highlight=False).print(top)
