"""Arguments that several commands share."""

from __future__ import annotations

import argparse
import re

from kcc.targets import TARGETS


def add_reading(parser: argparse.ArgumentParser, target: str) -> None:
    """How configurations are read: target, configuration id, definitions."""
    parser.add_argument(
        "--target",
        choices=TARGETS,
        default=target,
        help=f"whose rules the configuration is judged by (default: {target})",
    )
    parser.add_argument(
        "--config-id",
        metavar="ID",
        help="what `@ID` lines are compared with, as keepalived's -i (default: this host's name up to its first dot)",
    )
    parser.add_argument(
        "--define",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        type=definition,
        help="a definition `$NAME=VALUE` made before the first line; may be repeated",
    )


def definition(text: str) -> tuple[str, str]:
    """``NAME=VALUE`` as a pair."""
    found = re.fullmatch(r"([A-Za-z_]\w*)=(.*)", text, re.ASCII | re.DOTALL)
    if found is None:
        raise argparse.ArgumentTypeError(f"`{text}` is not NAME=VALUE")
    return found[1], found[2]


def code_list(text: str) -> tuple[str, ...]:
    """``KC0201,KC03`` as prefixes of codes."""
    parts = tuple(p.strip() for p in text.split(",") if p.strip())
    for part in parts:
        if not re.fullmatch(r"KC\d{0,4}", part):
            raise argparse.ArgumentTypeError(f"`{part}` is not a code or the beginning of one (KC0201, KC02)")
    return parts
