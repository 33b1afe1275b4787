"""A language client by hand: JSON-RPC 2.0 with Content-Length frames over the pipes of a real ``kcc lsp``."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

TIMEOUT_S = 60


def uri_of(path: Path) -> str:
    """The file URI as VS Code writes it: everything but the unreserved characters and slashes quoted."""
    return "file://" + quote(str(path), safe="/~")


class Client:
    """One session: initialized on entering, shut down on leaving."""

    def __init__(
        self,
        *arguments: str,
        encodings: list[str] | None = None,
        options: Any = None,
        cwd: Path | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kcc", "lsp", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
        )
        self.encodings = encodings
        self.options = options
        self.messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.notifications: list[dict[str, Any]] = []
        self.capabilities: dict[str, Any] = {}
        self.number = 0
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Self:
        general = {"general": {"positionEncodings": self.encodings}} if self.encodings else {}
        snippets = {"completion": {"completionItem": {"snippetSupport": True}}}
        answer = self.request(
            "initialize",
            processId=None,
            rootUri=None,
            capabilities={**general, "textDocument": snippets},
            initializationOptions=self.options,
        )
        self.capabilities = answer["capabilities"]
        self.notify("initialized")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.request("shutdown")
                self.notify("exit")
                assert self.process.wait(TIMEOUT_S) == 0
        finally:
            self.process.kill()
            self.process.wait()
        if error is None:
            assert self.process.stderr is not None
            assert b"Traceback" not in self.process.stderr.read()

    def request(self, method: str, **params: Any) -> Any:
        """Ask, and wait for the answer. An error that is answered fails the test."""
        self.number += 1
        self._send({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params or None})
        while True:
            message = self._next()
            if message.get("id") == self.number and "method" not in message:
                assert "error" not in message, message
                return message["result"]
            self.notifications.append(message)

    def notify(self, method: str, **params: Any) -> None:
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def open(self, path: Path, text: str | None = None) -> str:
        """Open a document; its URI."""
        uri = uri_of(path)
        self.open_uri(uri, path.read_text() if text is None else text)
        return uri

    def open_uri(self, uri: str, text: str) -> None:
        item = {"uri": uri, "languageId": "keepalived", "version": 1, "text": text}
        self.notify("textDocument/didOpen", textDocument=item)

    def change(self, uri: str, text: str) -> None:
        """Replace the whole text."""
        self.number += 1
        document = {"uri": uri, "version": self.number}
        self.notify("textDocument/didChange", textDocument=document, contentChanges=[{"text": text}])

    def at(self, method: str, uri: str, line: int, character: int, **more: Any) -> Any:
        """A request about a position (from 0)."""
        position = {"line": line, "character": character}
        return self.request(f"textDocument/{method}", textDocument={"uri": uri}, position=position, **more)

    def diagnostics(self, uri: str) -> list[dict[str, Any]]:
        """The next findings that are published for a document."""
        return next(
            p["diagnostics"] for p in self._notified("textDocument/publishDiagnostics") if p["uri"] == uri
        )

    def until(self, uri: str, *codes: str) -> list[dict[str, Any]]:
        """Wait for findings of a document whose errors have these codes; earlier ones may still be on their way."""
        while True:
            found = self.diagnostics(uri)
            if [d["code"] for d in found if d["severity"] == 1] == list(codes):
                return found

    def shown(self) -> str:
        """The next message for the person."""
        return str(next(self._notified("window/showMessage"))["message"])

    def _notified(self, method: str) -> Any:
        while True:
            message = self.notifications.pop(0) if self.notifications else self._next()
            if message.get("method") == method:
                yield message["params"]

    def _next(self) -> dict[str, Any]:
        message = self.messages.get(timeout=TIMEOUT_S)
        if message is None:
            assert self.process.stderr is not None
            raise EOFError(self.process.stderr.read().decode())
        return message

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def _read(self) -> None:
        out = self.process.stdout
        assert out is not None
        while header := out.readline():
            size = int(header.split(b":")[1])
            while out.readline().strip():
                pass
            self.messages.put(json.loads(out.read(size)))
        self.messages.put(None)


def applied(text: str, edits: list[dict[str, Any]]) -> str:
    """``text`` after the edits of a formatter; columns count UTF-16 units."""
    lines = text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)

    def offset(position: dict[str, int]) -> int:
        number = position["line"]
        if number >= len(lines):
            return len(text)
        raw = lines[number].encode("utf-16-le")[: position["character"] * 2]
        return starts[number] + len(raw.decode("utf-16-le"))

    for edit in sorted(edits, key=lambda e: offset(e["range"]["start"]), reverse=True):
        start, end = (offset(edit["range"][k]) for k in ("start", "end"))
        text = text[:start] + edit["newText"] + text[end:]
    return text
