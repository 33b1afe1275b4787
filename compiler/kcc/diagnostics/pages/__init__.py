"""The pages of the codes: what a finding says, why it matters on the network, an example that has it and one that has not.

A page is a file beside this module, named after its code. Its title and severity are in the table of codes; it holds a first
paragraph (what), ``## Why it matters``, ``## Bad`` and ``## Good``. Examples are fenced blocks whose opening line says the
language, ``bad`` or ``good``, and how the example is to be checked:

``file=NAME``: a further file beside it. ``check=NAME``: the name that is given to kcc. ``target=T``, ``config-id=ID``, ``build``:
as on the command line. ``cluster``: all configurations are directors of one cluster. ``host=NAME``: the file with the facts of
the host; ``host`` alone: ``NAME.facts`` holds, of the facts of the host of ``NAME.conf``, what matters. ``encoding=E``: how the
text becomes bytes. ``long=N``: ``…`` stands for N characters. ``max-bytes=N``: a limit on the size of a file. ``digest``:
``sha256:…`` stands for the digest that the IR has. In all of them ``␀`` stands for a NUL byte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kcc.diagnostics.codes import CODES

FOLDER = Path(__file__).parent
MAIN = "keepalived.conf"
MAIN_IR = "ir.json"

_FENCE = re.compile(r"^```([^\n`]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Example:
    """One fenced block. ``file``: the name of the file that it is; the first of its kind is what is checked."""

    language: str
    good: bool
    text: str
    file: str
    options: dict[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """The page of a code. ``what`` and ``why`` are paragraphs in Markdown."""

    code: str
    what: str
    why: str
    examples: tuple[Example, ...]

    @property
    def title(self) -> str:
        return CODES[self.code].title

    @property
    def severity(self) -> str:
        return CODES[self.code].severity.word

    def bad(self) -> tuple[Example, ...]:
        return tuple(e for e in self.examples if not e.good)

    def good(self) -> tuple[Example, ...]:
        return tuple(e for e in self.examples if e.good)

    def markdown(self, level: int = 1) -> str:
        """The page as Markdown, its title as a heading of ``level``."""
        below = "#" * (level + 1)
        parts = [f"{'#' * level} {self.code}: {self.title}", f"Severity: {self.severity}.", self.what]
        parts += [f"{below} Why it matters", self.why]
        for word, examples in (("Bad", self.bad()), ("Good", self.good())):
            parts.append(f"{below} {word}")
            for example in examples:
                if len(examples) > 1 or "check" in example.options:
                    parts.append(f"`{example.file}`:")
                parts.append(f"```{example.language}\n{example.text}```")
        return "\n\n".join(parts) + "\n"


@cache
def load_page(code: str) -> Page | None:
    """The page of ``code``, None where there is none. Raises ValueError for a page that is not laid out as it should be."""
    path = FOLDER / f"{code}.md"
    if code not in CODES or not path.is_file():
        return None
    return parse(code, path.read_text(encoding="utf-8"))


def all_pages() -> list[Page]:
    """The pages of all codes, in the order of the codes."""
    pages = (load_page(code) for code in sorted(CODES))
    return [page for page in pages if page is not None]


def parse(code: str, text: str) -> Page:
    """``text`` as a page. Raises ValueError."""
    head, *rest = _HEADING.split(text)
    sections = dict(zip(rest[::2], rest[1::2], strict=True))
    if list(sections) != ["Why it matters", "Bad", "Good"]:
        raise ValueError(f"{code}: the sections are {', '.join(sections)}")
    examples = tuple(
        _example(code, match[1], match[2])
        for name in ("Bad", "Good")
        for match in _FENCE.finditer(sections[name])
    )
    page = Page(code, head.strip(), sections["Why it matters"].strip(), examples)
    if not (page.what and page.why and page.bad() and page.good()):
        raise ValueError(f"{code}: something is missing")
    return page


def _example(code: str, info: str, text: str) -> Example:
    language, kind, *words = info.split()
    if kind not in ("bad", "good"):
        raise ValueError(f"{code}: an example is `{kind}`, neither bad nor good")
    options = dict(word.partition("=")[::2] for word in words)
    name = options.pop("file", MAIN_IR if language == "json" else MAIN)
    return Example(language, kind == "good", text, name, options)
