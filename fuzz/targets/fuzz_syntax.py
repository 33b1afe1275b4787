"""Any bytes at all, read as a configuration: nothing may raise, and what comes out must hold together.

Run by ``fuzz/run.py``, or by itself: ``python fuzz/targets/fuzz_syntax.py [SECONDS]`` (atheris where it is installed, else
random bytes).
"""

from __future__ import annotations

import random
import sys
import time

from kcc.diagnostics.codes import CODES
from kcc.diagnostics.model import Findings
from kcc.source import Limits, Options
from kcc.syntax import Block, parse_text

LIMITS = Limits(max_made_lines=500, max_expansion=100_000, max_include_depth=4, max_included_files=20)
OPTIONS = Options(config_id="me", env={"HOME": "/root"}, random_seed=1, limits=LIMITS)


def one_input(data: bytes) -> None:
    """Parse ``data`` and check what must hold for every tree and every finding."""
    # Included files would be whatever this machine has: the text must decide alone.
    data = data.replace(b"include", b"imclude")
    findings = Findings(limit=1000)
    tree = parse_text(data, "fuzz", findings, OPTIONS)
    stack = [(node, 1) for node in tree.body]
    while stack:
        node, depth = stack.pop()
        assert node.words, "a statement without words"
        assert depth <= LIMITS.max_block_depth + 1
        assert 1 <= node.number <= tree.lines
        for index, word in enumerate(node.words):
            assert 0 <= word.start <= word.end <= len(node.line.text)
            assert word.quoted or word.text
            span = node.word_span(index)
            assert span.line == node.number and 1 <= span.column < span.end_column
        if isinstance(node, Block):
            assert node.opened is not None or any(f.code == "KC0205" for f in findings.items)
            stack += [(inner, depth + 1) for inner in node.body]
    for finding in findings.items:
        assert finding.code in CODES and finding.message
        assert finding.span.line <= max(tree.lines, data.count(b"\n") + 1)


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    try:
        import atheris
    except ImportError:
        end = time.monotonic() + seconds
        alphabet = b'{}"$@~#!\\= \n\n\tabAB01,()_\0\xff\xc3\xa9'
        while time.monotonic() < end:
            one_input(bytes(random.choices(alphabet, k=random.randrange(200))))
        return 0
    atheris.Setup(sys.argv[:1], one_input)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
