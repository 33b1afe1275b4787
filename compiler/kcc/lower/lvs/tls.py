"""``SSL``: what TLS checks present and trust. The files are named, not opened: they are the director's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kir.model import Secret, TlsClient

if TYPE_CHECKING:
    from kcc.language.parsed import Node
    from kcc.lower.scope import Scope


def lower_tls(root: Node, scope: Scope) -> TlsClient | None:
    """The settings, None where nothing is said."""
    found = [node for node in root.children("SSL") if node.fields]
    if not found:
        return None
    node = found[0]
    scope.nodes["tls"] = node
    password = node.get("password")
    return TlsClient(
        ca=node.get("ca"),
        certificate=node.get("certificate"),
        key=node.get("key"),
        password=None if password is None else Secret(secret=password),
    )
