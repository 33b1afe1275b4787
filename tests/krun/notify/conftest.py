"""Where the tests of scripts put them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that others may enter: scripts run as them there."""
    with tempfile.TemporaryDirectory(prefix="kr") as name:
        place = Path(name)
        place.chmod(0o755)
        yield place
