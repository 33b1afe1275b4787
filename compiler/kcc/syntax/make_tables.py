"""Generate the lexer's and the parser's tables: ``python -m kcc.syntax.make_tables [FOLDER]``.

Without a folder the tables of this package are replaced. They are committed and shipped; at run time nothing is
generated and nothing is written.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from ply import lex, yacc

from kcc.syntax import grammar, lexer

__all__ = ["LEXTAB", "PARSETAB", "generate", "main"]

LEXTAB, PARSETAB = "_lextab", "_parsetab"


def generate(folder: Path) -> tuple[Path, Path]:
    """Write both tables to ``folder`` and return their paths. ValueError where the grammar is ambiguous."""
    log = _Strict()
    with tempfile.TemporaryDirectory() as scratch:
        made = lex.lex(module=lexer, optimize=False, errorlog=log)
        made.writetab(LEXTAB, scratch)
        # A name that cannot be imported: the tables must be made anew, never read.
        yacc.yacc(
            module=grammar,
            tabmodule="kcc_parsetab_in_the_making",
            outputdir=scratch,
            debug=False,
            optimize=False,
            write_tables=True,
            errorlog=log,
        )
        lexer_table = Path(scratch, f"{LEXTAB}.py").read_text("utf-8")
        parser_table = Path(scratch, "kcc_parsetab_in_the_making.py").read_text("utf-8")
    paths = folder / f"{LEXTAB}.py", folder / f"{PARSETAB}.py"
    paths[0].write_text(lexer_table, "utf-8")
    paths[1].write_text(_without_paths(parser_table), "utf-8")
    return paths


def _without_paths(table: str) -> str:
    """PLY writes path and line number into each production: tables must depend on the grammar alone."""
    folder = str(Path(grammar.__file__).parent)
    table = re.sub(r"('grammar\.py'),\d+", r"\1,0", table.replace(folder + "/", ""))
    lines = [line.rstrip() for line in table.splitlines()]
    lines = [line.replace("kcc_parsetab_in_the_making", PARSETAB) for line in lines]
    return "\n".join(lines).strip("\n") + "\n"


class _Strict:
    """PLY's complaints are errors: a conflict resolved by default is a grammar that says something else."""

    def _raise(self, message: str, *args: object) -> None:
        raise ValueError(message % args if args else message)

    warning = error = critical = _raise

    def info(self, message: str, *args: object) -> None:
        """Progress is not interesting."""

    debug = info


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for path in generate(folder):
        print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
