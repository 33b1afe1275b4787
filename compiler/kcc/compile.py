"""The pipeline: text → tree → nodes → IR → judgement, or an ir.json → IR → judgement. Pure but for reading the files."""

from __future__ import annotations

import re
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from kcc.diagnostics.causes import one_cause
from kcc.diagnostics.model import Findings, Severity, Span
from kcc.lower.lowered import Lowered
from kcc.source.options import Options
from kcc.targets import KRUN
from kir import features

if TYPE_CHECKING:
    from kcc.language.parsed import Node
    from kir.codec import Document, Origins
    from kir.model import SyncGroup, VrrpInstance

STDIN = "-"

_LOOKS_LIKE_JSON = re.compile(rb'\A(?:\xef\xbb\xbf)?\s*\{\s*(?:"|\})')


class Compiled(msgspec.Struct):
    """One input, judged. ``lowered`` is None where there is no meaning to speak of: it could not be read or is no IR."""

    name: str
    findings: Findings
    lowered: Lowered | None = None
    loaded: Document | None = None
    files: tuple[str, ...] = ()
    lines: int = 0
    unreadable: bool = False
    root: Node | None = None
    texts: dict[str, bytes] = msgspec.field(default_factory=dict)

    @property
    def broken(self) -> bool:
        """Whether it has errors, so that nothing is built from it."""
        return self.findings.errors > 0 or self.lowered is None

    @property
    def uncarried(self) -> tuple[str, ...]:
        """The keywords of the text that have no place in the IR. Looked for when asked: only a comparison needs them."""
        if self.root is None:
            return ()
        from kcc.language.coverage import uncarried

        return uncarried(self.root)

    def document(self, allow_errors: bool = False) -> Document:
        """The IR. With ``allow_errors`` what the errors cost is listed in its origins.

        Raises ValueError where there is nothing to build.
        """
        from kir.codec import Loss, document, origins_of  # a check of a text reads and writes no IR

        if self.lowered is None or (self.broken and not allow_errors):
            raise ValueError(f"{self.name} has errors")
        config = self.lowered.config
        if any(d.code == "KC0902" for d in self.findings.items):
            config = features.without(config)  # what krun does not run was given up on purpose, and is listed
        if self.loaded is not None:
            return document(config, self.loaded.origins)
        losses = [
            Loss(
                code=d.code,
                message=d.message,
                file=d.span.file,
                line=d.span.line,
                column=d.span.column,
            )
            for d in self.findings.items
            if d.severity is Severity.ERROR
        ]
        return document(config, origins_of(self.lowered.origins, losses))


def compile_input(name: str, options: Options, *, building: bool = False) -> Compiled:
    """Compile the configuration or check the IR called ``name`` (``-``: standard input). Never raises for what it holds."""
    findings = Findings()
    texts: dict[str, bytes] = {}
    if name == STDIN:
        from kcc.source.files import Unusable, read_stdin

        try:
            texts[name] = read_stdin(options.limits.max_file_bytes)
        except Unusable as e:
            findings.report("KC0001", f"standard input cannot be read: {e.reason}", Span(name, 0))
            return Compiled(name, findings, unreadable=True, texts=texts)
        head = texts[name][:4096]
    else:
        head = _head(name)
    if _LOOKS_LIKE_JSON.match(head) or (head and name.endswith(".json")):
        return _ir(name, texts.get(name), findings, texts, options, building)
    return _text(name, texts.get(name), findings, texts, options, building)


def _head(name: str) -> bytes:
    """The first bytes of a regular file; nothing where there is none (the reader says why)."""
    try:
        path = Path(name)
        if not stat.S_ISREG(path.stat().st_mode):
            return b""
        with path.open("rb") as file:
            return file.read(4096)
    except (OSError, ValueError):
        return b""


def _text(
    name: str,
    data: bytes | None,
    findings: Findings,
    texts: dict[str, bytes],
    options: Options,
    building: bool,
) -> Compiled:
    from kcc.language.coverage import coverage_findings
    from kcc.language.descent import descend
    from kcc.lower import lower
    from kcc.rules import judge
    from kcc.syntax import parse_file, parse_text

    tree = parse_file(name, findings, options) if data is None else parse_text(data, name, findings, options)
    result = Compiled(name, findings, files=tree.files, lines=tree.lines, texts=texts)
    if any(d.code in ("KC0001", "KC0005") and d.span.file == name for d in findings.items) and not tree.body:
        result.unreadable = True
        return result
    root = descend(tree, findings, options.target)
    result.lowered = lower(root, findings, options.target)
    judge(result.lowered, findings, options.target)
    told = _unrun(result.lowered, findings, options.target) if building else frozenset()
    coverage_findings(root, findings, options.target, building, told)
    result.root = root
    one_cause(findings, [(s.line.file, s.number) for s in tree.body] if findings.lost else [])
    _order(findings, tree.files)
    return result


def _ir(
    name: str,
    data: bytes | None,
    findings: Findings,
    texts: dict[str, bytes],
    options: Options,
    building: bool,
) -> Compiled:
    from kcc.rules import judge
    from kir.codec import IrError, load_path, loads

    result = Compiled(name, findings, files=(name,), texts=texts)
    try:
        result.loaded = load_path(name) if data is None else loads(data, name)
    except IrError as e:
        what = str(e).removeprefix(f"{name}: ")
        findings.report("KC1001", what, Span(name, 0), consequence="krun refuses this file")
        return result
    result.lowered = Lowered(result.loaded.config, places(result.loaded.origins), file=name)
    _references(result.loaded, name, findings)
    judge(result.lowered, findings, options.target)
    if building:
        _unrun(result.lowered, findings, options.target)
    return result


def _unrun(lowered: Lowered, findings: Findings, target: str) -> frozenset[tuple[str, int]]:
    """Report, once for each feature, what the configuration needs and krun does not run. Nothing is silently dropped.

    Returns the lines of all uses, file and number.
    """
    told: set[tuple[str, int]] = set()
    if target != KRUN:
        return frozenset()
    found: dict[str, list[tuple[str, ...]]] = {}
    for name, path in features.uses(lowered.config):
        if name in features.NOT_RUN:
            found.setdefault(name, []).append(path)
    for name, paths in sorted(found.items()):
        at, what = _said_at(lowered, paths[0])
        times = "" if len(paths) == 1 else f" ({len(paths)} times; the first is here)"
        findings.report(
            "KC0902",
            f"krun does not run {features.ALL[name]} yet{times}",
            lowered.span(at, what),
            label="not run",
            consequence=f"krun refuses an IR that needs `{name}`",
            help="remove it, or build with `--allow-errors` and do without",
            related=lowered.via(at),
        )
        spans = (lowered.span(*_said_at(lowered, path)) for path in paths)
        told.update((span.file, span.line) for span in spans)
    return frozenset(told)


def _said_at(lowered: Lowered, path: tuple[str, ...]) -> tuple[str, str | None]:
    """The object and the field of it that stand for ``path`` in the text."""
    *parent, field = path
    whole = "/".join(path)
    return (whole, None) if lowered.said(whole) or not parent else ("/".join(parent), field)


def places(origins: Origins) -> dict[str, tuple[str, int, int]]:
    """The origins section as IR path → (file, line, column)."""
    return {
        path: (origins.files[n], line, column)
        for path, (n, line, column) in origins.places.items()
        if 0 <= n < len(origins.files)
    }


def _references(doc: Document, name: str, findings: Findings) -> None:
    """Names in an IR must resolve: the runtime looks nothing up in a text."""
    config = doc.config
    instances = {i.name for i in config.vrrp_instances}
    groups = {g.name for g in config.vrrp_sync_groups}
    scripts = {s.name for s in config.vrrp_scripts}
    files = {f.name for f in config.track_files}
    processes = {p.name for p in config.track_processes}
    sessions = {b.name for b in config.bfd_instances}
    followers: tuple[tuple[str, VrrpInstance | SyncGroup], ...] = (
        *((f"vrrp_instance {i.name}", i) for i in config.vrrp_instances),
        *((f"vrrp_sync_group {g.name}", g) for g in config.vrrp_sync_groups),
    )
    wanted = [
        *((owner, "track_file", t.name, files) for owner, o in followers for t in o.track_files),
        *((owner, "track_process", t.name, processes) for owner, o in followers for t in o.track_processes),
        *((owner, "track_bfd", t.name, sessions) for owner, o in followers for t in o.track_bfds),
        *(
            (f"vrrp_instance {i.name}", "sync_group", i.sync_group, groups)
            for i in config.vrrp_instances
            if i.sync_group
        ),
        *(
            (f"vrrp_instance {i.name}", "track_script", t.name, scripts)
            for i in config.vrrp_instances
            for t in i.track_scripts
        ),
        *(
            (f"vrrp_sync_group {g.name}", "group", m, instances)
            for g in config.vrrp_sync_groups
            for m in g.members
        ),
        *(
            (f"vrrp_sync_group {g.name}", "track_script", t.name, scripts)
            for g in config.vrrp_sync_groups
            for t in g.track_scripts
        ),
    ]
    for owner, what, target, known in wanted:
        if target not in known:
            findings.report(
                "KC1002",
                f"{owner}: {what} names `{target}`, which the IR does not hold",
                Span(name, 0),
                consequence="krun refuses this file",
                help="build it again with `kcc build`",
            )


def _order(findings: Findings, files: tuple[str, ...]) -> None:
    """In the order of the text, file by file: what a reader expects, whatever stage found it first."""
    rank = {file: n for n, file in enumerate(files)}
    findings.items.sort(key=lambda d: (rank.get(d.span.file, len(rank)), d.span.line, d.span.column))


def options_for(target: str, config_id: str | None = None, defines: dict[str, str] | None = None) -> Options:
    """Reading options from the command line's words."""
    return Options(target=target, config_id=config_id, defines=defines or {})


def warn(text: str) -> None:
    """A line for a person on standard error."""
    sys.stderr.write(text + "\n")
