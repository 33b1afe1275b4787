"""A configuration without its secrets, in which equal secrets stay equal: to compare two configurations that one may not read."""

from __future__ import annotations

import hashlib
import hmac
from functools import cache
from typing import Any, TypeVar

import msgspec

from kir.model import Config, Model, Secret

M = TypeVar("M")

AUTH_OCTETS = 8
"""As in `kir.diff.wire`, which is not imported here: whoever blinds a configuration does not compare it."""


def blind(config: Config, key: bytes) -> Config:
    """``config`` with every secret replaced by a token that only ``key`` and the secret decide.

    With one key that nobody learns, `kir.diff` and `kir.plan` find what they find in the originals, and the tokens say no more than
    which secrets are the same. As long as a version 2 password looks on the wire (`AUTH_OCTETS`), tokens agree where secrets do.
    """
    return _blind(config, key)


def _blind(value: M, key: bytes) -> M:
    """Objects without a secret are given back as they are."""
    if isinstance(value, Secret):
        return Secret(secret=_token(value.secret, key))  # type: ignore[return-value]
    if isinstance(value, Model):
        if not _may_hold(type(value)):
            return value
        changed: dict[str, Any] = {}
        for name in value.__struct_fields__:
            before = getattr(value, name)
            if isinstance(before, (Model, tuple)):
                after = _blind(before, key)
                if after is not before:
                    changed[name] = after
        return msgspec.structs.replace(value, **changed) if changed else value
    if isinstance(value, tuple):
        parts = [_blind(part, key) if isinstance(part, (Model, tuple)) else part for part in value]
        if any(new is not old for new, old in zip(parts, value, strict=True)):
            return tuple(parts)  # type: ignore[return-value]
    return value


@cache
def _may_hold(kind: type[Model]) -> bool:
    """Whether an object of ``kind`` can have a secret somewhere inside: the 30,000 servers of a large configuration need not be walked."""
    return Secret.__name__ in msgspec.json.schema(kind).get("$defs", {})


def _token(secret: str, key: bytes) -> str:
    octets = secret.encode("utf-8", "surrogateescape")
    seen = octets[:AUTH_OCTETS].rstrip(b"\0")
    parts = (hmac.digest(key, kind + part, "sha256") for kind, part in ((b"seen", seen), (b"all", octets)))
    short, whole = (hashlib.sha256(part).hexdigest() for part in parts)
    return short[:AUTH_OCTETS] + whole
