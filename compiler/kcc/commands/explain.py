"""``kcc explain``: the page of a code, the reference entry of a keyword, the table of coverage."""

from __future__ import annotations

import argparse
import re
import sys

from kcc.compile import warn

MOST_PLACES = 8
"""A keyword with more different meanings than this is listed by its places instead."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what",
        metavar="CODE|KEYWORD",
        nargs="*",
        help="a code (KC0303), or a keyword, alone or with its block (priority, vrrp_instance.priority); "
        "nothing: all codes",
    )
    parser.add_argument("--coverage", action="store_true", help="print how far krun takes each keyword")


def run(args: argparse.Namespace) -> int:
    if args.coverage:
        from kcc.manual.keywords import coverage

        sys.stdout.write(coverage())
        return 0
    if not args.what:
        from kcc.manual.codes import listing

        sys.stdout.write(listing())
        return 0
    query = " ".join(args.what)
    if re.fullmatch(r"(?i)KC\d+", query):
        return _code(query.upper())
    return _keyword(query)


def _code(code: str) -> int:
    from kcc.diagnostics.pages import load_page
    from kcc.manual.codes import text

    page = load_page(code)
    if page is None:
        warn(f"kcc explain: there is no code {code}; `kcc explain` lists all of them")
        return 2
    sys.stdout.write(text(page))
    return 0


def _keyword(query: str) -> int:
    from kcc.manual.keywords import entries, find, similar

    found = find(query)
    if not found:
        near = similar(query)
        hint = f"; did you mean `{near}`?" if near else ""
        warn(f"kcc explain: `{query}` is neither a code nor a keyword of keepalived.conf{hint}")
        return 2
    if len(found) > MOST_PLACES:
        places = "\n".join(f"  {path}" for path, _keyword in found)
        sys.stdout.write(entries(found[:1]) + f"\nalso, name the block for the others:\n{places}\n")
        return 0
    sys.stdout.write(entries(found))
    return 0
