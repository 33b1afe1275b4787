"""``kcc schema``: the JSON Schema of the IR."""

from __future__ import annotations

import argparse
import json


def arguments(parser: argparse.ArgumentParser) -> None:
    del parser


def run(args: argparse.Namespace) -> int:
    from kir.schema import schema

    del args
    print(json.dumps(schema(), indent=1))
    return 0
