"""Where a krun is found: its run directory."""

from __future__ import annotations

from pathlib import Path

DEFAULT_RUN_DIR = Path("/run/krun")


def run_dir_of(instance: str | None) -> Path:
    """The run directory where none is given: one for each ``instance`` of a configuration."""
    if not instance:
        return DEFAULT_RUN_DIR
    return DEFAULT_RUN_DIR.with_name(f"{DEFAULT_RUN_DIR.name}-{instance.replace('/', '_')}")
