"""The protocol (LSP 3.17): names, columns, and when what is judged and shown. With pygls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path, to_fs_path

from kcc.diagnostics.model import Diagnostic, Edit, Severity, Span
from kcc.lsp.positions import UTF16, to_offset, to_units
from kcc.lsp.project import Answer, Project, real
from kcc.source.options import Options
from kir.release import __version__

DEBOUNCE_S = 0.25
"""How long a text must rest before it is compiled."""

_SEVERITY = {
    Severity.ERROR: lsp.DiagnosticSeverity.Error,
    Severity.WARNING: lsp.DiagnosticSeverity.Warning,
    Severity.NOTE: lsp.DiagnosticSeverity.Information,
}
T = TypeVar("T")


class Server(LanguageServer):
    """The server of one editor. All work on the project runs on one thread, in order; the loop only listens."""

    def __init__(self, options: Options, main: str | None) -> None:
        # Whole texts: an editor and a library that count lines differently (form feeds) never drift apart.
        super().__init__("kcc", __version__, text_document_sync_kind=lsp.TextDocumentSyncKind.Full)
        self.project = Project(options, main)
        self.uris: dict[str, str] = {}
        self.waiting: dict[str, asyncio.TimerHandle] = {}
        self.answers: dict[str, Answer] = {}
        self.published: set[str] = set()
        self.worker = ThreadPoolExecutor(1, "kcc")
        self.tasks: set[asyncio.Task[None]] = set()
        self.finished = False
        """The editor has said goodbye: an exit before that is a failure (LSP, exit notification)."""

    # --- names and columns

    def path(self, uri: str) -> str:
        """The path of a document; a text that was never saved is called by its URI."""
        path = to_fs_path(uri) or uri
        self.uris.setdefault(real(path), uri)
        return path

    def uri(self, path: str) -> str:
        """The URI by which the editor knows a file."""
        return self.uris.get(real(path)) or from_fs_path(path) or path

    @property
    def encoding(self) -> str:
        """What columns are counted in."""
        agreed = self.workspace.position_encoding
        return UTF16 if agreed is None else getattr(agreed, "value", agreed)

    def range(self, span: Span, lines: list[str]) -> lsp.Range:
        """A place in a file whose lines are given."""
        if span.line == 0:
            return lsp.Range(lsp.Position(0, 0), lsp.Position(0, len(lines[0]) if lines else 0))
        return lsp.Range(
            self.position(lines, span.line - 1, span.column - 1),
            self.position(lines, span.end_line - 1, span.end_column - 1),
        )

    def position(self, lines: list[str], number: int, offset: int) -> lsp.Position:
        """A character (line and offset from 0) as the editor counts."""
        line = lines[number] if number < len(lines) else ""
        return lsp.Position(number, to_units(line, offset, self.encoding))

    def offset(self, path: str, position: lsp.Position) -> int:
        """The character on its line that the editor means."""
        lines = self.project.lines(path)
        line = lines[position.line] if position.line < len(lines) else ""
        return to_offset(line, position.character, self.encoding)

    # --- work

    async def work(self, function: Callable[..., T], *args: Any) -> T:
        """Run ``function`` on the project's thread."""
        return await asyncio.get_running_loop().run_in_executor(self.worker, function, *args)

    def soon(self, main: str, delay: float = DEBOUNCE_S) -> None:
        """Judge a configuration when it was left alone for ``delay`` seconds."""
        earlier = self.waiting.pop(main, None)
        if earlier is not None:
            earlier.cancel()
        self.waiting[main] = asyncio.get_running_loop().call_later(delay, self._begin, main)

    def _begin(self, main: str) -> None:
        self.waiting.pop(main, None)
        task = asyncio.get_running_loop().create_task(self._judge(main))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _judge(self, main: str) -> None:
        try:
            found = await self.work(self._judged, main)
        except Exception as e:  # noqa: BLE001 - the editor goes on; the person learns of it
            self.say(
                f"kcc: {main} could not be judged: internal error {type(e).__name__}: {e}; please report it"
            )
            return
        if found is not None:
            self.publish(main, *found)

    def _judged(self, main: str) -> tuple[Answer, dict[str, list[lsp.Diagnostic]]] | None:
        if main not in self.project.mains.values():
            return None  # closed meanwhile
        answer = self.project.judge(main)
        lines = {path: self.project.lines(path) for path in answer.findings}
        return answer, {
            path: [self.diagnostic(d, lines[path], lines) for d in items]
            for path, items in answer.findings.items()
        }

    def publish(self, main: str, answer: Answer, shown: dict[str, list[lsp.Diagnostic]]) -> None:
        """Show what was found, and clear what was shown in files that are part of it no more."""
        before = self.answers.get(main)
        self.answers[main] = answer
        gone = set(before.files) - set(answer.files) if before is not None else set()
        for path in gone:
            self._clear(path)
        for path, items in shown.items():
            if items or path in self.published or path in self.project.texts:
                self.published.add(path)
                self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(self.uri(path), items))

    def forget(self, main: str) -> None:
        """No file of a configuration is open any more: nothing is shown of it."""
        answer = self.answers.pop(main, None)
        for path in answer.findings if answer is not None else ():
            self._clear(path)

    def _clear(self, path: str) -> None:
        if path in self.published:
            self.published.discard(path)
            self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(self.uri(path), []))

    def say(self, text: str) -> None:
        """A line for the person at the editor."""
        self.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Warning, text))

    def diagnostic(self, d: Diagnostic, lines: list[str], cache: dict[str, list[str]]) -> lsp.Diagnostic:
        """A finding in the editor's terms."""
        text = [d.message]
        if d.consequence:
            text.append(f"→ {d.consequence}")
        if d.help:
            text.append(f"help: {d.help}")
        related = []
        for r in d.related:
            if r.span.file not in cache:
                cache[r.span.file] = self.project.lines(r.span.file)
            place = lsp.Location(self.uri(r.span.file), self.range(r.span, cache[r.span.file]))
            related.append(lsp.DiagnosticRelatedInformation(place, r.message))
        return lsp.Diagnostic(
            range=self.range(d.span, lines),
            message="\n".join(text),
            severity=_SEVERITY[d.severity],
            code=d.code,
            source="kcc",
            related_information=related or None,
        )

    def edit(self, edit: Edit) -> lsp.TextEdit:
        """A repair in the editor's terms."""
        return lsp.TextEdit(self.range(edit.span, self.project.lines(edit.span.file)), edit.replacement)
