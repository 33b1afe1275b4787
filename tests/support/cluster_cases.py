"""Golden cases with several files: directors of a cluster, and facts of their hosts.

``== NAME`` begins a file; ``NAME.facts`` holds the host facts of ``NAME.conf``, of which only what matters need be there. After a
line of dashes stand the diagnostics: severity, code, place, message; then, indented, related places, consequence and help.
``KCC_UPDATE_GOLDEN=1`` rewrites them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kcc.cluster import Director, judge_cluster
from kcc.compile import Compiled, compile_input, options_for
from kcc.diagnostics.model import Diagnostic, Severity, Span
from kcc.hosts import judge_host
from kir.facts import Facts, loads

DASHES = "----------\n"
UPDATE = bool(os.environ.get("KCC_UPDATE_GOLDEN"))
OURS = ("KC11", "KC12")
TOLERATED = ("KC0309",)
"""A password that is too long: what counts of it is compared all the same."""


def facts_of(body: dict[str, Any]) -> Facts:
    """Facts with everything that is not said left empty, but for root."""
    root = {"name": "root", "uid": 0, "gid": 0}
    whole: dict[str, Any] = {"facts": "1.0", "hostname": "director1", "users": [root], **body}
    whole["kernel"] = {"release": "6.12.0", "ipvs": True, "ipv6": True, **body.get("kernel", {})}
    return loads(json.dumps(whole).encode())


def split(text: str) -> dict[str, str]:
    parts = re.split(r"^== (\S+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def judge_files(files: dict[str, str], folder: Path, target: str = "keepalived-2.4.3") -> list[Compiled]:
    """Compile the configurations of ``files`` and judge them by facts, and, if there are several, as a cluster."""
    for name, text in files.items():
        (folder / name).write_text(text)
    results = []
    facts: list[Facts | None] = []
    for name in files:
        if not name.endswith(".conf"):
            continue
        own = files.get(name.removesuffix(".conf") + ".facts")
        facts.append(None if own is None else facts_of(json.loads(own)))
        results.append(compile_input(name, options_for(target, "director1")))
    for result, fact in zip(results, facts, strict=True):
        assert result.lowered is not None, result.findings.items
        if fact is not None:
            judge_host(result.lowered, fact, result.findings, target)
    if len(results) > 1:
        judge_cluster(
            [
                Director(r.name, r.lowered, r.findings, f)
                for r, f in zip(results, facts, strict=True)
                if r.lowered
            ],
            target,
        )
    return results


def found(results: list[Compiled]) -> Iterator[Diagnostic]:
    for result in results:
        yield from (d for d in result.findings.items if d.code.startswith(OURS))


def place(span: Span) -> str:
    return f"{span.file}:{span.line}:{span.column}"


def lines(diagnostic: Diagnostic) -> list[str]:
    """The diagnostic as it stands in a case."""
    d = diagnostic
    return [
        f"{d.severity.word} {d.code} {place(d.span)} {d.message}",
        *(f"    {place(r.span)} {r.message}" for r in d.related),
        f"    = {d.consequence}",
        f"    = {d.help}",
    ]


def check(path: Path, folder: Path) -> list[Diagnostic]:
    """Compare one case with what the compiler says, or rewrite it."""
    text = path.read_text()
    given, _, expected = text.partition(DASHES)
    first = given.splitlines()[0]
    target = first.removeprefix("# target ") if first.startswith("# target ") else "keepalived-2.4.3"
    results = judge_files(split(given), folder, target)
    for result in results:
        foreign = [
            d
            for d in result.findings.items
            if d.severity is Severity.ERROR and not d.code.startswith((*OURS, *TOLERATED))
        ]
        assert not foreign, f"{path.name}: {foreign[0].message} in line {foreign[0].span.line}"
    items = list(found(results))
    actual = "".join(line + "\n" for d in items for line in lines(d))
    if UPDATE:
        path.write_text(given + DASHES + actual)
    else:
        assert actual == expected
    return items
