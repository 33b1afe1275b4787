"""Fixtures of the parent's tests."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from parent_world import World


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
