"""The examples of the pages, checked as their opening lines say."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from kcc.commands.beyond import Beyond
from kcc.commands.diff_against import Against, against
from kcc.commands.verdicts import verdict
from kcc.compile import compile_input, options_for
from kcc.diagnostics.model import Diagnostic
from kcc.diagnostics.pages import Example
from kcc.source.options import Options
from kir.canonical import canonical, canonical_digest
from kir.facts import Facts, load_path
from kir.model import Config
from support.cluster_cases import facts_of


def write(example: Example, folder: Path) -> Path:
    """The example as a file in ``folder``."""
    text = example.text.replace("␀", "\0")
    if "long" in example.options:
        text = text.replace("…", "x" * int(example.options["long"]))
    if "digest" in example.options:
        config = msgspec.convert(json.loads(text)["config"], Config)
        text = text.replace("sha256:…", canonical_digest(canonical(config)))
    path = folder / example.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(example.options.get("encoding", "utf-8")))
    return path


def check(examples: tuple[Example, ...], folder: Path) -> list[Diagnostic]:
    """What kcc says about ``examples``, which make up one input. The working directory must be ``folder``."""
    for example in examples:
        write(example, folder)
    main = examples[0]
    wanted = main.options
    options = options_for(wanted.get("target", "keepalived-2.4.3"), wanted.get("config-id", "director1"))
    if "max-bytes" in wanted:
        limits = msgspec.structs.replace(options.limits, max_file_bytes=int(wanted["max-bytes"]))
        options = msgspec.structs.replace(options, limits=limits)
    if "cluster" in wanted or "host" in wanted:
        return _beyond(examples, options)
    result = compile_input(wanted.get("check", main.file), options, building="build" in wanted)
    if "against" in wanted:
        compared = against(wanted["against"], result, options)
        assert isinstance(compared, Against)
        compared.judge(wanted["max-impact"])
    return verdict(result).items


def _beyond(examples: tuple[Example, ...], options: Options) -> list[Diagnostic]:
    """All configurations of ``examples``, judged by the facts of their host, or against each other."""
    wanted = examples[0].options
    names = [e.file for e in examples if e.language == "conf"]
    facts: list[Facts | None]
    if wanted.get("host"):
        facts = [load_path(wanted["host"])] * len(names)
    else:
        said = {e.file: facts_of(json.loads(e.text)) for e in examples if e.file.endswith(".facts")}
        facts = [said.get(name.removesuffix(".conf") + ".facts") for name in names]
    results = [compile_input(name, options) for name in names]
    Beyond("cluster" in wanted, tuple(facts)).judge(results, options.target)
    return [d for result in results for d in verdict(result).items]


__all__ = ["check", "write"]
