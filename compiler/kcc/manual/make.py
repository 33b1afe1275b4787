"""Write the generated chapters of the manual: ``python -m kcc.manual.make [DIRECTORY]`` (default: ``docs``)."""

from __future__ import annotations

import sys
from pathlib import Path

from kcc.manual import codes, keywords


def chapters() -> dict[str, str]:
    """File name → text."""
    return {"diagnostics.md": codes.manual(), "keywords.md": keywords.manual()}


def main(directory: str = "docs") -> None:
    for name, text in chapters().items():
        Path(directory, name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:2])
