"""`keepalived -t` and `kcc check` on the same random configurations: ``python fuzz/differential.py [--seconds N] [--seed N]``.

Configurations are grown from the keyword tree, most with a few mistakes in them. The two disagree where keepalived speaks about
a line and we say nothing near it (a line more or less, or anywhere in the block that ends there), and where we report an error at
a line that keepalived is content with. Each kind of disagreement is made as small as it gets and printed once; what is known and
explained stands in ``docs/disagreements.md``. The exit status is 1 where something unexplained was found.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from grow import Grower, Line, render, spoil
from oracle import Oracle, Verdict, release

from kcc.diagnostics.model import Diagnostic, Severity
from kcc.language.descent import descend
from kcc.language.keywords import BLOCK_KEYWORDS, walk
from kcc.language.tree import Kind
from kcc.lower import lower
from kcc.rules import judge
from kcc.source.options import Options
from kcc.syntax import parse_text

TARGET = "keepalived-2.2.7"
# What is inside of a block that is dropped as a whole is not judged a second time.
DROPS = frozenset(
    (
        "KC0301",
        "KC0302",
        "KC0303",
        "KC0306",
        "KC0312",
        "KC0530",
        "KC0560",
        "KC0701",
        "KC0702",
        "KC0703",
        "KC0710",
        "KC0715",
    )
)
LINES = frozenset(keyword.name for _, keyword in walk() if keyword.kind is Kind.LINES)


_NOT_THERE = re.compile(
    r"(?:track (?:script|file|process|bfd)|track_file|BFD_CHECK - BFD) (\S+) not (?:found|configured)"
)
_FAMILY = re.compile(r"MUST be of the same family|address family must match VRRP instance")


@dataclass(frozen=True)
class Disagreement:
    """``missed``: keepalived complains, we do not. Otherwise we report an error that keepalived does not see."""

    missed: bool
    keyword: str
    message: str
    line: int

    @property
    def kind(self) -> tuple[bool, str, str]:
        """What makes two of them the same: values and names do not count."""
        words = re.sub(
            r"'[^']*'|`[^`]*`|\"[^\"]*\"|\b[na]?\d[\w.:/-]*|\[[^]]*\](:\w+)*|\(n\d+\)|\b(alpha|beta|a\.b-c_d)\b",
            "…",
            self.message,
        )
        return (self.missed, self.keyword, words)


def check(text: str) -> list[Diagnostic]:
    """What we say of ``text``."""
    from kcc.diagnostics.model import Findings

    findings = Findings()
    tree = parse_text(text, "test.conf", findings, Options(target=TARGET))
    root = descend(tree, findings, TARGET)
    judge(lower(root, findings, TARGET), findings, TARGET)
    return findings.items


def blocks(text: list[str]) -> list[tuple[int, int]]:
    """First and last line of each block; the text is our own, one brace a line."""
    found, stack = [], []
    for number, line in enumerate(text, 1):
        if line.endswith("{"):
            stack.append(number)
        elif line.strip() == "}" and stack:
            found.append((stack.pop(), number))
    return found


def compare(text: list[str], theirs: Verdict, ours: list[Diagnostic]) -> Iterator[Disagreement]:
    """Where the two disagree."""
    if not theirs.usable:
        return
    around = blocks(text)
    loud = {d.span.line for d in ours if d.severity is not Severity.NOTE}
    loud |= {r.span.line for d in ours if d.severity is not Severity.NOTE for r in d.related}
    errors = sorted({d.span.line for d in ours if d.severity is Severity.ERROR})
    # A keyword or block that is unknown at its place takes others with it: one mistake, one message.
    unknown = [
        d.span.line for d in ours if d.code in ("KC0201", "KC0202", "KC0205", "KC0206", "KC0208", "KC0903")
    ]
    dropped = {d.span.line for d in ours if d.code in DROPS}
    # A sync group goes with its last usable member, and a second `group` makes keepalived lose count of the blocks.
    for d in ours:
        if d.code in ("KC0531", "KC0532") or (d.code == "KC0308" and "`group`" in d.message):
            dropped |= {
                s for s, e in around if s < d.span.line <= e and text[s - 1].startswith("vrrp_sync_group")
            }
    # A session whose neighbour cannot be read is gone, and what follows is not judged.
    unread: list[tuple[int, int]] = []
    for n in errors:
        if text[n - 1].split()[0] in ("neighbor_ip", "neighbour_ip"):
            unread += [(n, e) for s, e in around if s < n <= e]
    dropped |= {s for s, e in around if (e in {end for _, end in unread})}
    ruined = [(s, e) for s, e in around if s in unknown or s - 1 in unknown or s in dropped]
    ruin = min(
        (n for n in unknown if text[n - 1].endswith("{") or text[n - 1].split()[0] in BLOCK_KEYWORDS),
        default=None,
    )

    def near(line: int, lines: set[int]) -> bool:
        return bool({line - 1, line, line + 1} & lines)

    def word(line: int) -> str:
        at = [s for s, e in around if s < line <= e]
        inner = text[max(at) - 1].split()[0] if at else ""
        if inner in LINES:
            return inner
        return f"{inner} > {text[line - 1].split()[0]}"

    def gone(message: str, line: int = 0) -> bool:
        """Whether it says that something is not there whose definition we have called wrong, or its machine does not like."""
        found = _NOT_THERE.search(message)
        name = found[1] if found is not None else ""
        if message.startswith("FILE_CHECK has no track_file"):  # told at the end of the block
            start = max(s for s, e in around if e == line)
            name = next((n.split()[-1] for n in text[start:line] if n.split()[0] == "track_file"), "")
        return bool(name) and any(
            text[s - 1].split()[1:2] == [name] and any(s <= n <= e for n in (*errors, *theirs.machine))
            for s, e in around
        )

    for line, messages in sorted(theirs.lines.items()):
        if (
            gone(messages[0], line)
            or near(line, loud)
            or any(s <= n <= line for s, e in around if e == line for n in loud)
        ):
            continue
        # A value that both refuse has fixed the family of its instance for keepalived.
        if _FAMILY.search(messages[0]) and any(
            text[s - 1].startswith("vrrp_instance") and s < n < line <= e for s, e in around for n in errors
        ):
            continue
        if any(s <= line <= e for s, e in ruined) or (ruin is not None and line > ruin):
            continue
        yield Disagreement(True, word(line), messages[0], line)
    for message in theirs.floating:
        if not loud and not gone(message):
            yield Disagreement(True, "", message, 0)
    if theirs.floating or theirs.stopped or theirs.status not in (0, 5, 6):
        return  # a message without a line vouches for any; where it gave up, the rest was never judged
    said = set(theirs.lines) | theirs.machine
    beside = {d.span.line: {r.span.line for r in d.related} for d in ours if d.severity is Severity.ERROR}
    for line in errors:
        if any(s < line <= e for s, e in unread):
            continue
        if near(line, said) or beside[line] & said or any(s <= line <= e and e in said for s, e in around):
            continue
        first = next(d for d in ours if d.span.line == line and d.severity is Severity.ERROR)
        yield Disagreement(False, word(line), f"{first.code} {first.message}", line)


def minimise(lines: list[Line], kind: tuple[bool, str, str], oracle: Oracle) -> list[Line]:
    """Leave out whatever is not needed for the disagreement."""

    def holds(candidate: list[Line]) -> bool:
        text = render(candidate)
        if not text:
            return False
        return any(
            d.kind == kind
            for d in compare(text, oracle.ask("\n".join(text) + "\n"), check("\n".join(text) + "\n"))
        )

    # Whole blocks first; then from the end, so that the paths still to come stay valid.
    for paths in ([(n,) for n in reversed(range(len(lines)))], None):
        for path in paths if paths is not None else reversed(list(_paths(lines))):
            candidate = [line.copy() for line in lines]
            body = candidate
            for at in path[:-1]:
                inner = body[at].body
                assert inner is not None
                body = inner
            del body[path[-1]]
            if holds(candidate):
                lines = candidate
    return lines


def _paths(lines: list[Line], above: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    for at, line in enumerate(lines):
        yield (*above, at)
        yield from _paths(line.body or [], (*above, at))


def campaign(
    oracle: Oracle, seed: int, seconds: float, most: int, explained: re.Pattern[str], *, shrink: bool = True
) -> tuple[int, dict[tuple[bool, str, str], str]]:
    """Number of configurations judged, and kind → smallest text of each disagreement that is not explained."""
    found: dict[tuple[bool, str, str], str] = {}
    end = time.monotonic() + seconds
    judged = 0
    while judged < most and time.monotonic() < end:
        rng = random.Random(seed + judged)
        judged += 1
        lines = Grower(rng).configuration()
        for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
            spoil(lines, rng)
        text = render(lines)
        whole = "\n".join(text) + "\n"
        for difference in list(compare(text, oracle.ask(whole), check(whole))):
            kind = difference.kind
            if kind in found or explained.search(f"{kind[1]}: {difference.message}"):
                continue
            small = render(minimise(lines, kind, oracle)) if shrink else text
            found[kind] = "\n".join(small)
            print(_report(difference, small), flush=True)
    return judged, found


def _report(difference: Disagreement, text: list[str]) -> str:
    who = (
        "keepalived complains, we do not"
        if difference.missed
        else "we report an error, keepalived is content"
    )
    shown = "\n".join(f"  {n:3} {line}" for n, line in enumerate(text, 1))
    return f"== {who}: {difference.keyword}: {difference.message}\n{shown}"


def explained() -> re.Pattern[str]:
    """The patterns in the first column of the table in ``docs/disagreements.md``."""
    text = (Path(__file__).resolve().parent.parent / "docs" / "disagreements.md").read_text()
    patterns = re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
    alternatives = (p.replace("\\|", "|") for p in patterns)  # a bar would end the cell
    return re.compile("|".join(f"(?:{p})" for p in alternatives) or r"\A(?!)")


def main() -> int:
    ap = argparse.ArgumentParser(description="compare kcc check with keepalived -t on random configurations")
    ap.add_argument("--seconds", type=float, default=60)
    ap.add_argument("--seed", type=int, default=None, help="for a run that can be repeated")
    args = ap.parse_args()
    if "v2.2.7" not in release():
        print("keepalived 2.2.7 is needed", file=sys.stderr)
        return 2
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    with Oracle() as oracle:
        judged, found = campaign(oracle, seed, args.seconds, sys.maxsize, explained())
    print(f"{judged:,} configurations, {len(found)} kinds of disagreement")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
