"""What a callback is called in reports: its module and qualified name, of a task that of its coroutine."""

from __future__ import annotations

import asyncio
from typing import Any


def name_of(callback: Any) -> str:
    """Never raises. Partials and bound methods are looked through."""
    for _ in range(8):
        inner = getattr(callback, "func", None)  # functools.partial
        if inner is None:
            break
        callback = inner
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, asyncio.Task):
        callback = owner.get_coro()
        # One that has ended has no frame any more, and a coroutine does not know its module.
        module = (
            getattr(getattr(callback, "cr_code", None), "co_filename", "")
            .rpartition("/")[2]
            .removesuffix(".py")
        )
        return _joined(module, getattr(callback, "__qualname__", repr(callback)))
    return _joined(
        getattr(callback, "__module__", None) or "",
        getattr(callback, "__qualname__", None) or type(callback).__qualname__,
    )


def _joined(module: str, name: str) -> str:
    return f"{module}.{name}" if module else name
