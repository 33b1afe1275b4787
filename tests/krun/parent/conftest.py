"""Fixtures of the parent's tests."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from krun_world import Running
from parent_world import World, wait_for


@pytest.fixture
def make_world() -> Iterator[Callable[..., World]]:
    """Worlds in short paths (sockets), ended after the test whatever happened."""
    worlds: list[World] = []
    with tempfile.TemporaryDirectory(prefix="kr") as folder:

        def make(*arguments: Any, **options: Any) -> World:
            place = Path(folder) / str(len(worlds))
            place.mkdir()
            world = World(place, *arguments, **options)
            worlds.append(world)
            return world

        yield make
        for world in worlds:
            world.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """One that runs all three children."""
    return make_world().start()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path (sockets) that every user may enter."""
    with tempfile.TemporaryDirectory(prefix="kr") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    """Start a real krun: ``start(folder, ir, *options)``; ended after the test whatever happened."""
    started: list[Running] = []

    def begin(*arguments: Any) -> Running:
        running = Running(*arguments)
        started.append(running)
        wait_for("krun to be ready", lambda: running.logged("ready"), 30)
        return running

    yield begin
    for running in started:
        running.end()
