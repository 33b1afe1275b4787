"""A script process and a client on one loop, and scripts to run."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from kir.model import Config, Global
from krun.notify.client import ScriptClient, ScriptResult, ScriptRun
from krun.notify.helper import ScriptChild
from krun.parent import alive, promises
from krun.parent.context import ChildContext

NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run scripts as somebody else")


def script(folder: Path, text: str, name: str = "script", mode: int = 0o755) -> str:
    path = folder / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(mode)
    return str(path)


def context(folder: Path, secure: bool = False) -> ChildContext:
    ours, theirs = promises.pair()
    return ChildContext(
        name="script",
        config=Config(global_defs=Global(enable_script_security=secure)),
        digest="",
        kernel="memory",
        run_dir=folder,
        listener=ours,
        channel=theirs,
        alive=alive.shared(),
    )


class Bench:
    """A script process and a client on one loop."""

    def __init__(self, folder: Path, *, secure: bool = False, at_once: int = 64, waiting: int = 4096) -> None:
        self.folder = folder
        self.loop = asyncio.get_running_loop()
        self.child = ScriptChild(context(folder, secure), at_once=at_once, waiting=waiting)
        self.client = ScriptClient(folder, self.loop)

    async def run(self, *argv: str, **options: object) -> ScriptResult:
        return await self.begin(*argv, **options)

    def begin(self, *argv: str, **options: object) -> asyncio.Future[ScriptResult]:
        future: asyncio.Future[ScriptResult] = self.loop.create_future()
        spec = (
            msgspec.convert({"argv": argv, **options}, ScriptRun)
            if not options
            else ScriptRun(argv, **options)
        )  # type: ignore[arg-type]
        self.client.run(spec, future.set_result)
        return future


@contextlib.asynccontextmanager
async def bench(folder: Path, **options: object) -> AsyncIterator[Bench]:
    made = Bench(folder, **options)  # type: ignore[arg-type]
    await made.child.start(made.loop)
    try:
        yield made
    finally:
        made.client.close()
        await made.child.stop()
