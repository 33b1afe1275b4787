"""A configuration as a picture: what depends on what, from the sync group down to the server."""

from __future__ import annotations

from kcc.graph.model import Edge, Graph, Node, graph_of

__all__ = ["Edge", "Graph", "Node", "graph_of"]
