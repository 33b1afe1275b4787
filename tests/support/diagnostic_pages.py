"""The examples of the pages, checked as their opening lines say."""

from __future__ import annotations

from pathlib import Path

import msgspec

from kcc.compile import Compiled, compile_input, options_for
from kcc.diagnostics.pages import Example


def write(example: Example, folder: Path) -> Path:
    """The example as a file in ``folder``."""
    text = example.text.replace("␀", "\0")
    if "long" in example.options:
        text = text.replace("…", "x" * int(example.options["long"]))
    path = folder / example.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(example.options.get("encoding", "utf-8")))
    return path


def check(examples: tuple[Example, ...], folder: Path) -> Compiled:
    """What kcc says about ``examples``, which make up one input. The working directory must be ``folder``."""
    for example in examples:
        write(example, folder)
    main = examples[0]
    wanted = main.options
    options = options_for(wanted.get("target", "keepalived-2.4.3"), wanted.get("config-id", "director1"))
    if "max-bytes" in wanted:
        limits = msgspec.structs.replace(options.limits, max_file_bytes=int(wanted["max-bytes"]))
        options = msgspec.structs.replace(options, limits=limits)
    return compile_input(wanted.get("check", main.file), options, building="build" in wanted)


__all__ = ["check", "write"]
