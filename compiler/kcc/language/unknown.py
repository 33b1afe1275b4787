"""What to say about a keyword that the block does not know, and about words behind a flag."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcc.diagnostics.model import Edit, Fix, Related, Severity
from kcc.language.keywords import ROOT, walk
from kcc.language.lost import lose
from kcc.language.suggest import INVISIBLE, closest, foreign, gone
from kcc.language.tree import Kind
from kcc.syntax.tree import Block

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kcc.diagnostics.model import Findings
    from kcc.language.parsed import Node
    from kcc.language.tree import Keyword
    from kcc.syntax.tree import Statement

_places: dict[str, tuple[str, ...]] = {}
_OFF = frozenset(("false", "off", "no", "0", "disable", "disabled", "False", "Off", "No"))


def places(name: str) -> tuple[str, ...]:
    """The blocks that know ``name``, by their own names; the root is ``""``."""
    if not _places:
        found: dict[str, list[str]] = {}
        for path, keyword in walk():
            blocks = found.setdefault(keyword.name, [])
            above = path.split(" > ")
            parent = above[-2] if len(above) > 1 else ""
            if parent not in blocks:
                blocks.append(parent)
        _places.update((key, tuple(value)) for key, value in found.items())
    return _places.get(name, ())


Misread = tuple["Statement", str]
"""A statement that is read outside of its block, and the name of that block."""


def lost_behind(
    block: Block, path: Sequence[tuple[Keyword, list[Statement]]], most: int = 12
) -> list[Misread]:
    """The first statements behind an unknown block that keepalived takes for unknown keywords, outermost ones only.

    ``path``: the keywords and bodies around ``block``, from the root inwards. The `}` of an unknown block ends the block
    around it for keepalived, the next `}` the one around that: what follows is read one level further out each time.
    """
    levels = [keyword for keyword, _ in path]
    lost: list[Misread] = []

    def close() -> None:
        if len(levels) > 1:
            levels.pop()

    def read(body: list[Statement], owner: str, quiet: bool) -> None:
        for statement in body:
            if len(lost) >= most:
                return
            keyword = levels[-1].index.get(statement.words[0].text)
            if keyword is None and not quiet:
                lost.append((statement, owner))
            if not isinstance(statement, Block):
                continue
            if keyword is None or keyword.kind is Kind.LEAF:
                read(statement.body, owner, True)
                close()
            elif keyword.kind is Kind.BLOCK:
                levels.append(keyword)
                read(statement.body, keyword.name, quiet)
                close()

    read(block.body, "", True)
    close()
    behind: Statement = block
    for (keyword, body), (_, around) in zip(reversed(path[1:]), reversed(path[:-1]), strict=True):
        at = next((n for n, statement in enumerate(body) if statement is behind), len(body))
        read(body[at + 1 :], keyword.name, False)
        close()
        behind = next((s for s in around if isinstance(s, Block) and s.body is body), block)
    return lost


def first_statements(block: Block, most: int) -> list[Statement]:
    """The first ``most`` statements inside of ``block``, at any depth, in the order of the text."""
    found: list[Statement] = []
    stack: list[Statement] = list(reversed(block.body[:most]))
    while stack and len(found) < most:
        statement = stack.pop()
        found.append(statement)
        if isinstance(statement, Block):
            stack.extend(reversed(statement.body[:most]))
    return found


def report_unknown(
    statement: Statement, node: Node, findings: Findings, lost: list[Misread] | None = None
) -> None:
    """One message about a keyword or block that ``node`` does not know; the body of a block goes unread.

    ``lost``: statements behind it that keepalived then misreads.
    """
    name = statement.words[0].text
    is_block = isinstance(statement, Block)
    where = f"in `{node.keyword.name}`" if node.keyword.name else "at the top level"
    known = places(name)
    if known:
        code = "KC0208"
        message = f"`{_shown(name)}` does not belong {where}"
        help: str | None = f"it belongs {_listed(known)}"
        if "" in known:
            help = f"is a `}}` missing before it? {help}"
        label = "wrong block"
    else:
        code = "KC0202" if is_block else "KC0201"
        message = f"unknown {'block' if is_block else 'keyword'} `{_shown(name)}` {where}"
        label = (
            "no longer a keyword of keepalived"
            if gone(name, node.keyword.name)
            else "not a keyword of keepalived"
        )
        help = _help(name, node)
    lose(findings, name if known else _meant(name, node), statement)
    consequence = "the whole block is skipped" if is_block else "the line is ignored"
    if is_block and not known and node.keyword.name:
        consequence += (
            "; keepalived reads its lines as part of the enclosing block, and ends that at the next `}`"
        )
    findings.report(
        code,
        message,
        statement.word_span(0),
        label=label,
        consequence=consequence,
        help=help,
        related=(
            *(
                Related(found.word_span(0), f"lost too: read outside of `{owner}`")
                for found, owner in lost or ()
            ),
            *statement.via(),
        ),
        fix=None if known else _fix(statement, node),
    )


def _shown(name: str) -> str:
    return (name if len(name) <= 40 else name[:37] + "…").replace("\u00a0", "␣")


def _listed(blocks: tuple[str, ...]) -> str:
    words = [f"in `{block}`" if block else "at the top level" for block in blocks[:4]]
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


def _candidates(node: Node) -> list[str]:
    return list(node.keyword.index)


def _guess(name: str, node: Node) -> str | None:
    return closest(name, _candidates(node))


def _meant(name: str, node: Node) -> str:
    """The keyword that ``name`` stands for: itself where nothing is near."""
    shown = name.strip(INVISIBLE)
    head = _identifier(shown)
    return head if head in node.keyword.index else _guess(shown, node) or name


def _help(name: str, node: Node) -> str | None:
    """What was probably meant."""
    said = foreign(name) or gone(name, node.keyword.name)
    if said is not None:
        return said
    if name and name[0] in INVISIBLE:
        return (
            f"the line starts with U+{ord(name[0]):04X}, which looks like a blank and is none for keepalived: "
            "replace it by blanks"
        )
    head = name.split("=", 1)[0]
    if head != name and places(head):
        return f"write `{head} VALUE`: values follow behind a blank, without `=`"
    trimmed = _identifier(name)
    if trimmed != name and name[len(trimmed)] in INVISIBLE and places(trimmed):
        return (
            f"behind `{trimmed}` stands U+{ord(name[len(trimmed)]):04X}, which looks like a blank and is none for keepalived: "
            "replace it by a blank"
        )
    if trimmed != name and places(trimmed):
        return f"write `{trimmed}`, and a blank before what follows"
    guess = _guess(name, node)
    if guess is not None:
        return f"did you mean `{guess}`?"
    anywhere = closest(name, sorted(_all_names()))
    if anywhere is not None:
        return f"did you mean `{anywhere}`? It belongs {_listed(places(anywhere))}"
    return None


def _all_names() -> set[str]:
    places("")
    return set(_places)


def _identifier(name: str) -> str:
    """The longest part at the start of ``name`` that could be a keyword."""
    end = 0
    while end < len(name) and (name[end].isascii() and (name[end].isalnum() or name[end] in "_-")):
        end += 1
    return name[:end]


def _fix(statement: Statement, node: Node) -> Fix | None:
    name = statement.words[0].text
    guess = _guess(name, node)
    if guess is None or foreign(name) is not None or gone(name, node.keyword.name) is not None:
        return None
    wanted = node.keyword.index[guess]
    if (wanted.kind is Kind.LEAF) == isinstance(statement, Block):
        return None
    return Fix(f"write `{guess}`", (Edit(statement.word_span(0), guess),))


def flag_words(keyword: Keyword, statement: Statement, left: list[str], findings: Findings) -> None:
    """Words behind a flag: keepalived never looks at them, not even at `off`."""
    off = left[0] in _OFF
    span = statement.line.span(statement.words[1].start, statement.words[-1].end)
    behind = statement.line.span(statement.words[0].end, statement.words[-1].end)
    own = left[0] in ROOT.index or bool(places(left[0]))
    findings.report(
        "KC0209",
        f"`{keyword.name}` takes no argument",
        span,
        label="not looked at",
        consequence=f"`{keyword.name}` is switched on all the same" if off else "the words are ignored",
        help="remove the line to leave it off"
        if off
        else "one statement a line"
        if own
        else f"write `{keyword.name}` alone",
        related=statement.via(),
        severity=Severity.WARNING if off or own else Severity.NOTE,
        fix=None if off or own else Fix("remove the words", (Edit(behind, ""),), safe=True),
    )
