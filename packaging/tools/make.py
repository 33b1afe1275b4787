"""Make completions and manual pages from the parsers: ``python packaging/tools/make.py [--check]``."""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))

import bash  # noqa: E402
import fish  # noqa: E402
import man  # noqa: E402
import model  # noqa: E402
import pages  # noqa: E402
import zsh  # noqa: E402


def made() -> dict[Path, str]:
    """Every file with what it should hold."""
    found = {}
    for program in model.programs():
        page = pages.PAGES[program.name]
        found[Path("man", f"{program.name}.{page.section}")] = man.manual(program, page)
        for shell in (bash, zsh, fish):
            found[Path("completions", f"{program.name}.{shell.__name__}")] = shell.completion(program)
    return {FOLDER.parent / path: text for path, text in found.items()}


def stale() -> list[Path]:
    """The files that do not hold what they should."""
    return [
        path
        for path, text in made().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def main() -> int:
    old = stale()
    if "--check" in sys.argv[1:]:
        for path in old:
            print(f"{path} is stale: run `python packaging/tools/make.py`", file=sys.stderr)
        return 1 if old else 0
    texts = made()
    for path in old:
        path.parent.mkdir(exist_ok=True)
        path.write_text(texts[path], encoding="utf-8")
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
