"""What the server can do: each request of the protocol, answered from the project."""

from __future__ import annotations

import difflib
import re
from typing import Any

from lsprotocol import types as lsp
from msgspec.structs import replace

from kcc.layout import Refused, formatted
from kcc.lsp.completion import Proposal, proposals
from kcc.lsp.context import place_at
from kcc.lsp.hover import hover, targets
from kcc.lsp.positions import units
from kcc.lsp.project import real
from kcc.lsp.server import Server
from kcc.source.options import Options
from kcc.targets import TARGETS

MOST_DIFFED_LINES = 20_000
"""Longer texts are replaced as a whole by formatting; to find what differs would take too long."""

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_KIND = {
    "keyword": lsp.CompletionItemKind.Property,
    "block": lsp.CompletionItemKind.Struct,
    "value": lsp.CompletionItemKind.EnumMember,
    "name": lsp.CompletionItemKind.Reference,
    "definition": lsp.CompletionItemKind.Variable,
}


def make(options: Options, main: str | None = None) -> Server:
    """A server with all its features. ``main``: the file that keepalived is started with, where it is known."""
    server = Server(options, main)

    @server.feature(lsp.INITIALIZE)
    def initialize(ls: Server, params: lsp.InitializeParams) -> None:
        given = params.initialization_options
        if isinstance(given, dict):
            _configure(ls, given)

    @server.feature(lsp.SHUTDOWN)
    def shutdown(ls: Server, _params: None) -> None:
        ls.finished = True

    @server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    async def opened(ls: Server, params: lsp.DidOpenTextDocumentParams) -> None:
        path = ls.path(params.text_document.uri)
        ls.soon(await ls.work(ls.project.open, path, params.text_document.text), 0)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(ls: Server, params: lsp.DidChangeTextDocumentParams) -> None:
        path = ls.path(params.text_document.uri)
        ls.soon(await ls.work(ls.project.change, path, params.content_changes[-1].text))

    @server.feature(lsp.TEXT_DOCUMENT_DID_SAVE)
    async def saved(ls: Server, _params: lsp.DidSaveTextDocumentParams) -> None:
        for known in await ls.work(ls.project.reread):
            ls.soon(known)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    async def closed(ls: Server, params: lsp.DidCloseTextDocumentParams) -> None:
        path = ls.path(params.text_document.uri)
        unused = await ls.work(ls.project.close, path)
        ls.uris.pop(real(path), None)
        if unused is not None:
            ls.forget(unused)

    @server.feature(lsp.TEXT_DOCUMENT_HOVER)
    async def hovered(ls: Server, params: lsp.HoverParams) -> lsp.Hover | None:
        return await ls.work(_hover, ls, params)

    @server.feature(lsp.TEXT_DOCUMENT_COMPLETION, lsp.CompletionOptions(trigger_characters=["$", "{", " "]))
    async def complete(ls: Server, params: lsp.CompletionParams) -> lsp.CompletionList:
        return await ls.work(_complete, ls, params)

    @server.feature(lsp.TEXT_DOCUMENT_DEFINITION)
    async def define(ls: Server, params: lsp.DefinitionParams) -> list[lsp.Location]:
        return await ls.work(_define, ls, params)

    @server.feature(lsp.TEXT_DOCUMENT_FORMATTING)
    async def layout(ls: Server, params: lsp.DocumentFormattingParams) -> list[lsp.TextEdit] | None:
        path = ls.path(params.text_document.uri)
        try:
            return await ls.work(_format, ls, path)
        except Refused as e:
            where = f" (line {e.line})" if e.line else ""
            ls.say(f"kcc: not formatted: {e.reason}{where}" + (f". {e.help}" if e.help else ""))
            return None

    @server.feature(
        lsp.TEXT_DOCUMENT_CODE_ACTION, lsp.CodeActionOptions(code_action_kinds=[lsp.CodeActionKind.QuickFix])
    )
    async def act(ls: Server, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        return await ls.work(_actions, ls, params)

    return server


def _configure(ls: Server, given: dict[str, Any]) -> None:
    """``initializationOptions``: ``target``, ``config_id`` and ``main``, as the options of the command line."""
    target, config_id, main = given.get("target"), given.get("config_id"), given.get("main")
    if target in TARGETS:
        ls.project.options = replace(ls.project.options, target=target)
    elif target is not None:
        ls.say(f"kcc: `{target}` is no target; known are {', '.join(TARGETS)}")
    if isinstance(config_id, str):
        ls.project.options = replace(ls.project.options, config_id=config_id)
    if isinstance(main, str):
        ls.project.main = main


def _hover(ls: Server, params: lsp.HoverParams) -> lsp.Hover | None:
    path = ls.path(params.text_document.uri)
    number = params.position.line
    found = hover(ls.project, path, number, ls.offset(path, params.position))
    if found is None:
        return None
    lines = ls.project.lines(path)
    return lsp.Hover(
        lsp.MarkupContent(lsp.MarkupKind.Markdown, found.markdown),
        lsp.Range(ls.position(lines, number, found.start), ls.position(lines, number, found.end)),
    )


def _complete(ls: Server, params: lsp.CompletionParams) -> lsp.CompletionList:
    path = ls.path(params.text_document.uri)
    number = params.position.line
    lines = ls.project.lines(path)
    offset = ls.offset(path, params.position)
    line = lines[number] if number < len(lines) else ""
    place = place_at(lines, number, offset)
    typed = params.context.trigger_character if params.context is not None else None
    if typed == " " and place.at == 0:
        return lsp.CompletionList(is_incomplete=False, items=[])  # indenting asks for nothing
    start = place.word.start if place.word is not None else offset
    written = line[start:offset]
    if "$" in written:
        start += written.rindex("$")
        written = line[start:offset]
    values = [(name, d.value) for file in ls.project.files(path) for name, d in ls.project.definitions(file)]
    found = proposals(place, ls.project.named(path), ls.project.options.target, values, written)
    end = place.word.end if place.word is not None and "$" not in written else offset
    replaced = lsp.Range(ls.position(lines, number, start), ls.position(lines, number, end))
    snippets = _snippets(ls.client_capabilities)
    items = [_item(p, replaced, snippets, "{" in line[offset:]) for p in found]
    return lsp.CompletionList(is_incomplete=False, items=items)


def _snippets(capabilities: lsp.ClientCapabilities) -> bool:
    document = capabilities.text_document
    completion = document.completion if document is not None else None
    item = completion.completion_item if completion is not None else None
    return bool(item is not None and item.snippet_support)


def _item(p: Proposal, replaced: lsp.Range, snippets: bool, has_body: bool) -> lsp.CompletionItem:
    text = p.text
    form = lsp.InsertTextFormat.PlainText
    if snippets and p.body and not has_body:
        form = lsp.InsertTextFormat.Snippet
        text = (
            f"{p.text} ${{1:{'NAME' if p.arguments else ''}}} {{\n\t$0\n}}"
            if p.arguments
            else f"{p.text} {{\n\t$0\n}}"
        )
    return lsp.CompletionItem(
        label=p.text,
        kind=_KIND[p.kind],
        detail=p.detail or None,
        documentation=lsp.MarkupContent(lsp.MarkupKind.Markdown, p.documentation)
        if p.documentation
        else None,
        tags=[lsp.CompletionItemTag.Deprecated] if p.deprecated else None,
        sort_text=f"{p.order}{p.text}",
        filter_text=p.text,
        insert_text_format=form,
        text_edit=lsp.TextEdit(replaced, text),
    )


def _define(ls: Server, params: lsp.DefinitionParams) -> list[lsp.Location]:
    path = ls.path(params.text_document.uri)
    found = []
    for target in targets(ls.project, path, params.position.line, ls.offset(path, params.position)):
        lines = ls.project.lines(target.file)
        start, end = (ls.position(lines, target.line, at) for at in (target.start, target.end))
        found.append(lsp.Location(ls.uri(target.file), lsp.Range(start, end)))
    return found


def _format(ls: Server, path: str) -> list[lsp.TextEdit]:
    old = ls.project.texts.get(real(path), b"")
    new = formatted(old, path, fragment=real(ls.project.mains.get(real(path), path)) != real(path))
    if new == old:
        return []
    return line_edits(old.decode("utf-8", "replace"), new.decode("utf-8", "replace"), ls.encoding)


def line_edits(old: str, new: str, encoding: str) -> list[lsp.TextEdit]:
    """Edits line by line that make ``new`` of ``old``: cursors, marks and folds of what stays stay where they are."""
    before, after = _LINE.findall(old), _LINE.findall(new)
    behind = lsp.Position(len(before), 0)
    if before and not old.endswith("\n"):
        behind = lsp.Position(len(before) - 1, units(before[-1], encoding))
    whole = [("replace", 0, len(before), 0, len(after))]
    short = max(len(before), len(after)) <= MOST_DIFFED_LINES
    codes = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes() if short else whole
    edits = []
    for tag, a, b, c, d in codes:
        if tag != "equal":
            start, end = (lsp.Position(n, 0) if n < len(before) else behind for n in (a, b))
            edits.append(lsp.TextEdit(lsp.Range(start, end), "".join(after[c:d])))
    return edits


def _actions(ls: Server, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
    """The repairs of findings that the range touches."""
    path = ls.path(params.text_document.uri)
    main = ls.project.mains.get(real(path), path)
    lines = ls.project.lines(path)
    actions = []
    for d in ls.project.judge(main).findings.get(real(path), ()):
        place = ls.range(d.span, lines)
        if (
            d.fix is None
            or place.start.line > params.range.end.line
            or place.end.line < params.range.start.line
        ):
            continue
        changes: dict[str, list[lsp.TextEdit]] = {}
        for edit in d.fix.edits:
            changes.setdefault(ls.uri(edit.span.file), []).append(ls.edit(edit))
        actions.append(
            lsp.CodeAction(
                title=d.fix.title,
                kind=lsp.CodeActionKind.QuickFix,
                diagnostics=[ls.diagnostic(d, lines, {})],
                is_preferred=d.fix.safe or None,
                edit=lsp.WorkspaceEdit(changes=dict(changes)),
            )
        )
    return actions
