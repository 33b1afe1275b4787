"""What the open files belong to: the configurations they are part of, compiled with the texts that the editor holds."""

# Names are compared as the reader compares them.
# ruff: noqa: PTH100, PTH113, PTH118, PTH119, PTH120
from __future__ import annotations

import os
from dataclasses import dataclass, field

import msgspec

from kcc.compile import compile_input
from kcc.diagnostics.model import Diagnostic, Findings
from kcc.diagnostics.suppress import sift
from kcc.diagnostics.texts import MAX_SHOWN_BYTES, SourceTexts
from kcc.lsp.names import Defined, Definition, defined_in, definitions
from kcc.lsp.positions import split
from kcc.source.files import Unusable, decode, read_file
from kcc.source.includes import find_matches
from kcc.source.options import Options
from kcc.syntax import parse_file

MAIN = "keepalived.conf"
MOST_PARENTS = 3
"""How many folders up a main file is looked for."""


@dataclass(slots=True)
class Answer:
    """A configuration, judged: its findings by resolved path, and the files it read."""

    main: str
    files: tuple[str, ...]
    findings: dict[str, list[Diagnostic]]


@dataclass(slots=True)
class Project:
    """Open texts by resolved path, and which configuration each is part of. Not for two threads at once."""

    options: Options = field(default_factory=Options)
    main: str | None = None
    texts: dict[str, bytes] = field(default_factory=dict)
    mains: dict[str, str] = field(default_factory=dict)
    _read: dict[str, tuple[list[Defined], list[str]]] = field(default_factory=dict)
    _answers: dict[str, Answer] = field(default_factory=dict)

    def open(self, path: str, text: str) -> str:
        """Take over the text of a file; the main file of the configuration that it is part of."""
        self.change(path, text)
        found = self.mains[real(path)] = self._main_of(path)
        return found

    def change(self, path: str, text: str) -> str:
        """Take over a new text; the main file."""
        self.texts[real(path)] = text.encode("utf-8", "surrogatepass")
        self._stale()
        return self.mains.get(real(path), path)

    def close(self, path: str) -> str | None:
        """Forget the text of a file; its main file, where no other open file is part of that configuration."""
        self.texts.pop(real(path), None)
        self._stale()
        found = self.mains.pop(real(path), None)
        return None if found in self.mains.values() else found

    def reread(self) -> list[str]:
        """The files on disk have changed: find the main files anew. All of them."""
        self._stale()
        for path in self.mains:
            self.mains[path] = self._main_of(path)
        return sorted(set(self.mains.values()))

    def judge(self, main: str) -> Answer:
        """Compile the configuration that begins with ``main``; as long as no text changes the answer stays."""
        if main in self._answers:
            return self._answers[main]
        result = compile_input(main, self._options())
        files = {real(name): None for name in (*result.files, main)}
        findings: dict[str, list[Diagnostic]] = {name: [] for name in files}
        held = {name: self.texts[real(name)] for name in (*result.files, main) if real(name) in self.texts}
        shown = sift(result.findings.items, result.files, SourceTexts({**result.texts, **held})).shown
        for d in shown:
            findings.setdefault(real(d.span.file), []).append(d)
        found = self._answers[main] = Answer(main, tuple(files), findings)
        return found

    def named(self, path: str) -> list[Defined]:
        """The named blocks of the configuration that ``path`` is part of."""
        return self._parsed(path)[0]

    def files(self, path: str) -> list[str]:
        """The files of the configuration that ``path`` is part of, itself first."""
        return list(dict.fromkeys((real(path), *self._parsed(path)[1])))

    def _parsed(self, path: str) -> tuple[list[Defined], list[str]]:
        main = self.mains.get(real(path), path)
        if main not in self._read:
            tree = parse_file(main, Findings(limit=0), self._options())
            self._read[main] = defined_in(tree), [real(file) for file in tree.files]
        return self._read[main]

    def _stale(self) -> None:
        self._read.clear()
        self._answers.clear()

    def definitions(self, path: str, name: str | None = None) -> list[tuple[str, Definition]]:
        """The ``$NAME`` definitions of one file, in order; of ``name`` only, where it is given."""
        return definitions(self.lines(path), name)

    def included(self, path: str, pattern: str) -> list[str]:
        """The files that ``include PATTERN`` in the file ``path`` reads."""
        return find_matches(pattern.strip('"'), os.path.dirname(path)).paths

    def lines(self, path: str) -> list[str]:
        """The lines of a file, as the editor holds it or as it is on disk; none where it cannot be read."""
        data = self.texts.get(real(path))
        if data is None:
            try:
                data = read_file(path, MAX_SHOWN_BYTES)
            except Unusable:
                return []
        return split(decode(data)[0].removeprefix("\ufeff"))

    def _options(self) -> Options:
        return msgspec.structs.replace(self.options, overlay=self.texts)

    def _main_of(self, path: str) -> str:
        """The file that keepalived is started with when it reads ``path``: the given one, a ``keepalived.conf`` in the same
        folder or above that includes it, or the file itself.
        """
        resolved = real(path)
        for candidate in (self.main, *self._candidates(path)):
            if candidate is None or real(candidate) == resolved or not os.path.isfile(candidate):
                continue
            tree = parse_file(candidate, Findings(limit=0), self._options())
            if resolved in map(real, tree.files):
                return candidate
        return path

    def _candidates(self, path: str) -> list[str]:
        # What is open already is the likelier context.
        found = [main for main in self.mains.values() if main not in (path, self.main)]
        if os.path.basename(path) == MAIN:
            return list(dict.fromkeys(found))
        folder = os.path.dirname(os.path.abspath(path))
        for _ in range(MOST_PARENTS):
            found.append(os.path.join(folder, MAIN))
            if folder == os.path.dirname(folder):
                break
            folder = os.path.dirname(folder)
        return list(dict.fromkeys(found))


def real(path: str) -> str:
    """The resolved path by which files are told apart."""
    return os.path.realpath(path)
