"""Recursive descent: the syntax tree against the keyword tree, giving nodes of known kind with values that were read and checked.

Recovery is by statement and by block: what is unknown or refused is reported once and left out, an unknown block with its
whole body. Template output says the same thing again and again, so what a line meant is remembered by its words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kcc.diagnostics.model import Related, Severity
from kcc.language.arguments.base import REFUSED, read_all
from kcc.language.arguments.words import NamesArg
from kcc.language.changes import older
from kcc.language.complaints import Complaints
from kcc.language.keywords import ROOT
from kcc.language.lost import lose
from kcc.language.parsed import Again, Field, Node
from kcc.language.release import release_of, report_lacking
from kcc.language.tree import Keyword, Kind, Repeat
from kcc.language.unknown import Misread, first_statements, lost_behind, places, report_unknown
from kcc.syntax.tree import Block, Line, Statement, Word

if TYPE_CHECKING:
    from kcc.diagnostics.model import Findings
    from kcc.syntax.tree import Tree

_KEPT = 1 << 15

# Most blocks hold only leaves, only blocks or only lines: what they do not hold is one shared emptiness, never changed.
_NO_FIELDS: dict[str, Field] = {}
_NO_REPEATED: dict[str, list[Field]] = {}
_NO_BLOCKS: list[Node] = []
_NO_LINES: list[Field] = []

# What a line meant: the words themselves (so that their identity stays taken), the name it is stored under, the value.
_Memo = dict[int, tuple[tuple[Word, ...], str, Any]]


def descend(tree: Tree, findings: Findings, target: str) -> Node:
    """The meaning of ``tree`` as nodes; everything wrong with its keywords and values goes to ``findings``.

    ``target`` is ``keepalived-2.2.7``, ``keepalived-2.4.3`` or ``krun``: a keyword that it does not know is an error.
    """
    return _Descent(findings, target).root(tree)


class _Descent(Complaints):
    __slots__ = ("behind", "memos", "path", "release", "top")

    def __init__(self, findings: Findings, target: str) -> None:
        super().__init__(findings, target)
        self.release = release_of(target)
        self.memos: dict[Keyword, _Memo] = {}
        self.path: list[tuple[Keyword, list[Statement]]] = []  # the blocks around the statement being read
        self.behind = 16  # how often it is worth saying what an unknown block takes with it
        self.top: Node

    def root(self, tree: Tree) -> Node:
        whole = Block(Line(tree.files[0] if tree.files else "", 0, ""), (Word("", 0, 0),), tree.body)
        self.top = Node(ROOT, whole)
        self._body(tree.body, self.top)
        return self.top

    def _body(self, body: list[Statement], node: Node) -> None:
        """Every statement of a block of keywords."""
        keyword = node.keyword
        memo = self.memos.get(keyword)
        if memo is None:
            memo = self.memos[keyword] = {}
        self.path.append((keyword, body))
        fields = node.fields
        for statement in body:
            words = statement.words
            if statement.__class__ is Statement:
                known = memo.get(id(words))
                if known is not None and known[0] is words and known[1] not in fields:
                    fields[known[1]] = Field(known[2], statement)
                    continue
                self._leaf_line(statement, node, memo)
            elif isinstance(statement, Block):
                if words[0].text in keyword.index:
                    self._block(statement, node)
                else:
                    self._unknown_block(statement, node)
        self.path.pop()

    # --- leaves

    def _leaf_line(self, statement: Statement, node: Node, memo: _Memo) -> None:
        """A statement without a body."""
        keyword = node.keyword.index.get(statement.words[0].text)
        if keyword is None:
            report_unknown(statement, node, self.findings)
            return
        if keyword in self.release.lacks and report_lacking(keyword, statement, self.release, self.findings):
            return
        if keyword.kind is not Kind.LEAF:
            self.no_brace(keyword, statement, node)
            return
        said, before = self.reader.said, len(self.findings.items)
        value = self._value(keyword, statement, node)
        if said != self.reader.said and _equals_sign(keyword, statement):
            self.equals_sign(keyword, statement, before)
        if (
            said != self.reader.said and not self.reader.shortened
        ):  # refused, or another value is used instead
            lose(self.findings, keyword.canonical, statement)
        if value is REFUSED:
            return
        plain = (
            keyword.repeat in (Repeat.LAST, Repeat.FIRST) and keyword.needs is None and not keyword.against
        )
        if said == self.reader.said and plain and not keyword.deprecated_by:
            if len(memo) >= _KEPT:
                memo.clear()
            memo[id(statement.words)] = (statement.words, keyword.canonical, value)
        self._store(keyword, statement, value, node)

    def _value(self, keyword: Keyword, statement: Statement, node: Node) -> Any:
        """The value of a leaf, or `REFUSED`; words left over and deprecation are reported."""
        reader = self.reader
        reader.start(statement, keyword)
        reader.given = keyword.canonical in node.fields
        if keyword.deprecated_by:
            self.deprecated(keyword, statement)
        value = read_all(reader, self.release.args.get(keyword, keyword.args))
        if value is not REFUSED and reader.at < len(reader.words) and not self.left_over(keyword, statement):
            return REFUSED
        if value is not REFUSED and keyword in self.release.rules:
            return self.release.rules[keyword](reader, value)
        return value

    def _store(self, keyword: Keyword, statement: Statement, value: Any, node: Node) -> None:
        """Put a value into its node, by the keyword's rule for repetition."""
        if keyword.needs is not None and not self.in_order(keyword, statement, node):
            return
        if keyword.against and keyword.against in node.fields:
            self.contradicts(keyword, statement, node.fields[keyword.against].statement)
        name = keyword.canonical
        if keyword.repeat is Repeat.ADD:
            if node.repeated is _NO_REPEATED:
                node.repeated = {}
            node.repeated.setdefault(name, []).append(Field(value, statement))
            return
        earlier = node.fields.get(name)
        if earlier is not None:
            if keyword.repeat is Repeat.FIRST and (keyword.open is None or earlier.value != keyword.open):
                self.twice(keyword, statement, earlier.statement, "the first one stays", Severity.ERROR)
                return
            if (
                keyword.sticky is not None
                and value != earlier.value
                and keyword.sticky in ("*", earlier.value)
            ):
                stays = f"ignored; `{name}` stays `{earlier.value}`"
                self.twice(keyword, statement, earlier.statement, stays, Severity.ERROR)
                return
            same = earlier.value == value
            failing = keyword.repeat in (Repeat.REPLACE, Repeat.JOIN)
            last = "the last one counts"
            if keyword.repeat is Repeat.JOIN:
                last = "what they say is joined; of two names or addresses the first stays"
            self.twice(
                keyword,
                statement,
                earlier.statement,
                ("nothing changes" if same else last) + (", and `keepalived -t` fails" if failing else ""),
                Severity.NOTE if same and not failing else Severity.WARNING,
            )
            node.fields[name] = Again(value, statement, earlier=earlier)
            return
        node.fields[name] = Field(value, statement)

    # --- blocks

    def _unknown_block(self, block: Block, node: Node) -> None:
        """A block that does not belong here: reported once, its body unread."""
        lost: list[Misread] = []
        if self.behind and node is not self.top:
            self.behind -= 1
            lost = lost_behind(block, self.path)
        report_unknown(block, node, self.findings, lost)
        elsewhere = ROOT.index.get(block.words[0].text)
        if elsewhere is not None and elsewhere.kind is not Kind.LEAF and node is not self.top:
            self._block(block, self.top)  # a brace was lost before it: read it as what it is

    def _block(self, block: Block, node: Node) -> None:
        """A statement with a body."""
        keyword = node.keyword.index[block.words[0].text]
        if keyword in self.release.lacks and report_lacking(keyword, block, self.release, self.findings):
            return
        if keyword.kind is Kind.LEAF:
            self._leaf_with_body(keyword, block, node)
            return
        head = self._head(keyword, block)
        if head is None:
            lose(self.findings, keyword.name, block)
            return
        if keyword.repeat is Repeat.UNIQUE and not self.new_name(keyword, block, head[0]):
            return
        child = self._node(keyword, block, head, node)
        if child is None:
            return
        if keyword.kind is Kind.LINES:
            self._lines(block.body, child, node)
            return
        self._body(block.body, child)

    def _leaf_with_body(self, keyword: Keyword, block: Block, node: Node) -> None:
        span = block.opened or block.end_span()
        self.reader.said += 1
        self.findings.report(
            "KC0206",
            f"`{keyword.name}` takes no block",
            span,
            label="unexpected",
            consequence="keepalived ignores the brace, reads the lines inside as part of the enclosing block, "
            "and ends that block at the next `}`",
            help="remove the braces",
            related=block.via(),
        )
        value = self._value(keyword, block, node)
        if value is not REFUSED:
            self._store(keyword, block, value, node)

    def _head(self, keyword: Keyword, block: Block) -> tuple[Any, ...] | None:
        """The values of the opening line; None where the whole block is skipped."""
        reader = self.reader
        if not keyword.args and len(block.words) == 1 and not keyword.deprecated_by:
            return ()
        reader.start(block, keyword)
        if keyword.deprecated_by:
            self.deprecated(keyword, block)
        value = read_all(reader, keyword.args)
        if value is REFUSED:
            return None
        if reader.at < len(reader.words) and not self.left_over(keyword, block):
            return None
        if not keyword.args:
            return ()
        return value if type(value) is tuple else (value,)

    def _node(self, keyword: Keyword, block: Block, head: tuple[Any, ...], parent: Node) -> Node | None:
        """The node that the body goes into: a new one, or the earlier one where bodies are read as one."""
        if keyword.repeat in (Repeat.MERGE, Repeat.FIRST, Repeat.REPLACE):
            for earlier in parent.blocks:
                if earlier.keyword is not keyword:
                    continue
                if keyword.repeat is Repeat.MERGE:
                    return earlier
                if keyword.repeat is Repeat.REPLACE:
                    self.twice(keyword, block, earlier.statement, "only the last one counts", Severity.ERROR)
                    parent.blocks.remove(earlier)
                    break
                self.twice(keyword, block, earlier.statement, "the first one stays", Severity.ERROR)
                return None
        if keyword.kind is Kind.LINES:
            child = Node(keyword, block, head, _NO_FIELDS, _NO_REPEATED, _NO_BLOCKS, [])
        else:
            child = Node(keyword, block, head, {}, _NO_REPEATED, _NO_BLOCKS, _NO_LINES)
        if parent.blocks is _NO_BLOCKS:
            parent.blocks = []
        parent.blocks.append(child)
        return child

    def _lines(self, body: list[Statement], node: Node, parent: Node) -> None:
        """The body of a block-with-lines inside of ``parent``."""
        keyword = node.keyword
        line = keyword.line
        if line is None:
            return
        names = isinstance(line, NamesArg)
        reader = self.reader
        memo = self.memos.setdefault(keyword, {})
        for statement in body:
            words = statement.words
            known = memo.get(id(words))
            if known is not None and known[0] is words:
                node.lines.append(Field(known[2], statement, 0))
                continue
            if isinstance(statement, Block):
                self._block_in_lines(statement, keyword, parent)
                continue
            reader.start(statement, keyword, 0)
            said = reader.said
            value = line.read(reader)
            if names:
                while value is not REFUSED:
                    node.lines.append(Field(value, statement, reader.at - 1))
                    if not reader.more():
                        break
                    value = line.read(reader)
                continue
            if value is REFUSED:
                lose(self.findings, keyword.name, statement)
                continue
            if reader.more():
                self.extra_in_line(keyword, statement)
            elif said == reader.said:
                if len(memo) >= _KEPT:
                    memo.clear()
                memo[id(words)] = (words, "", value)
            node.lines.append(Field(value, statement, 0))
        if names and not body and keyword.repeat is not Repeat.MERGE:
            self.findings.report(
                "KC0301",
                f"`{keyword.name}` holds no names",
                node.statement.word_span(0),
                label="empty",
                consequence="ignored, as if the block were not there",
                related=node.statement.via(),
                severity=Severity.WARNING
                if keyword.name == "group"
                and parent.keyword.name == "track_group"
                and older(self.reader.target, "2.2.8")
                else None,
            )

    def _block_in_lines(self, block: Block, keyword: Keyword, parent: Node) -> None:
        """A block where lines are expected: where ``parent`` knows it a brace was lost before it, and it is read as its block."""
        self.reader.said += 1
        name = block.words[0].text
        inside = [Related(found.span(), "no entry either") for found in first_statements(block, 12)]
        help = "remove the braces"
        if places(name):
            help = f"close `{keyword.name}` with `}}` before this line"
        self.findings.report(
            "KC0206",
            f"`{keyword.name}` holds lines, not blocks",
            block.opened or block.end_span(),
            label="unexpected",
            consequence="keepalived takes each of these lines for an entry, and ends the list at the first `}`",
            help=help,
            related=(*inside, *block.via()),
        )
        if name in parent.keyword.index:
            self._block(block, parent)
        elif name in ROOT.index:
            self._block(block, self.top)


def _equals_sign(keyword: Keyword, statement: Statement) -> bool:
    """Whether the line is written like an assignment."""
    words = statement.words
    return len(words) > 2 and words[1].text == "=" and not keyword.is_flag and bool(keyword.args)
