"""``kcc genhash``: the digest that ``HTTP_GET`` compares a page with."""

from __future__ import annotations

import argparse
import hashlib
import sys
from typing import BinaryIO

from kcc.compile import STDIN, warn

CHUNK = 1 << 20


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Print the MD5 digest of a page as `digest` of HTTP_GET and SSL_GET wants it. The file must hold the body of the "
        "reply and nothing else, as `curl -s URL -o FILE` writes it; `krunctl genhash URL` asks a server itself."
    )
    parser.add_argument("file", metavar="FILE", help="a file that holds the body, or - for standard input")


def run(args: argparse.Namespace) -> int:
    try:
        if args.file == STDIN:
            digest = body_digest(sys.stdin.buffer)
        else:
            with open(args.file, "rb") as file:  # noqa: PTH123 - the name may be a FIFO: `<(curl …)`
                digest = body_digest(file)
    except (OSError, ValueError) as e:
        warn(f"kcc genhash: {args.file}: cannot be read: {getattr(e, 'strerror', None) or e}")
        return 2
    print(digest)
    return 0


def body_digest(file: BinaryIO) -> str:
    """MD5 (RFC 1321) of all that ``file`` holds, in lower-case hex: keepalived compares nothing stronger."""
    mark = hashlib.md5(usedforsecurity=False)
    while chunk := file.read(CHUNK):
        mark.update(chunk)
    return mark.hexdigest()
