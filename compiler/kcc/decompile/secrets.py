"""How much of a text must stay unseen."""

from __future__ import annotations

from kir.model import Config

__all__ = ["count_secrets"]


def count_secrets(config: Config) -> int:
    """The passwords and keys that the text of ``config`` holds in clear."""
    found = 0 if config.tls is None else config.tls.password is not None
    for i in config.vrrp_instances:
        found += i.authentication is not None
        if i.hmac is not None:
            found += sum(key.secret is not None for key in i.hmac.keys)
    return found
