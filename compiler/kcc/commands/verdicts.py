"""What ``kcc check`` finds out about each input, on one processor or on several."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

import msgspec

from kcc.compile import STDIN, Compiled, compile_input
from kcc.diagnostics.model import Diagnostic
from kcc.diagnostics.texts import SourceTexts
from kcc.source.options import Options

WORTH_A_PROCESS = 256 * 1024
"""Bytes of input below which another process costs more than it saves."""

_MARK = b"kcc:"
"""What every suppression holds: files without it are not looked at any closer."""


class Verdict(msgspec.Struct, frozen=True):
    """``items``: the findings that no comment in the files hides. ``given``: texts that are in no file (standard input)."""

    name: str
    items: list[Diagnostic]
    files: tuple[str, ...]
    lines: int
    is_ir: bool
    unreadable: bool
    dropped: int
    hidden: int
    given: dict[str, bytes]


def judge(name: str, options: Options) -> Verdict:
    """Compile ``name`` and sift what is said about it."""
    return verdict(compile_input(name, options))


def verdict(result: Compiled) -> Verdict:
    """What is said about a compiled input, without what comments in its files hide."""
    items, hidden = result.findings.items, 0
    if not result.unreadable and result.loaded is None:
        texts = SourceTexts(result.texts)
        marked = [f for f in dict.fromkeys(result.files) if _MARK in (texts.data(f) or b"")]
        if marked:
            from kcc.diagnostics.suppress import sift

            sifted = sift(items, marked, texts)
            items, hidden = sifted.shown, len(sifted.hidden)
    return Verdict(
        result.name,
        items,
        tuple(result.files),
        result.lines,
        result.loaded is not None,
        result.unreadable,
        result.findings.dropped,
        hidden,
        result.texts,
    )


def judge_all(names: Sequence[str], options: Options, jobs: int | None) -> list[Verdict]:
    """The verdicts on ``names``, in their order. ``jobs`` None: as many processes as there are processors, if it is worth it."""
    sizes = {name: _size(name) for name in dict.fromkeys(names) if name != STDIN}
    if jobs is None:
        jobs = 1 if sum(sizes.values()) < WORTH_A_PROCESS else len(os.sched_getaffinity(0))
    jobs = min(jobs, len(sizes))
    known: dict[str, Verdict] = _in_processes(sizes, options, jobs) if jobs > 1 else {}
    for name in names:  # what no process has answered is done here
        if name not in known:
            known[name] = judge(name, options)
    return [known[name] for name in names]


def _size(name: str) -> int:
    try:
        return os.stat(name).st_size  # noqa: PTH116
    except (OSError, ValueError):
        return 0


def _in_processes(sizes: dict[str, int], options: Options, jobs: int) -> dict[str, Verdict]:
    """Share the files out, the largest first, and read each process's answers from its pipe."""
    import pickle

    import kcc.lower
    import kcc.rules  # noqa: F401 - imported once, before the processes part

    shares: list[list[str]] = [[] for _ in range(jobs)]
    loads = [0] * jobs
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        least = loads.index(min(loads))
        shares[least].append(name)
        loads[least] += sizes[name] + 1
    sys.stdout.flush()
    sys.stderr.flush()
    children = [_start(share, options) for share in shares if share]
    known: dict[str, Verdict] = {}
    for pid, pipe in children:
        with os.fdopen(pipe, "rb") as stream:
            data = stream.read()
        _pid, status = os.waitpid(pid, 0)
        if status == 0:
            known.update((v.name, v) for v in pickle.loads(data))  # noqa: S301 - from our own child
        elif os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            raise MemoryError  # the kernel took it; one more try here would end the same way
    return known


def _start(share: list[str], options: Options) -> tuple[int, int]:
    """A process that judges ``share``, and the pipe that its answers come through."""
    end, other = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(end)
        _child(share, options, other)
    os.close(other)
    return pid, end


def _child(share: list[str], options: Options, pipe: int) -> NoReturn:
    code = 1
    try:
        import pickle

        data = pickle.dumps([judge(name, options) for name in share], pickle.HIGHEST_PROTOCOL)
        with os.fdopen(pipe, "wb") as stream:
            stream.write(data)
        code = 0
    except BaseException:  # noqa: BLE001, S110 - the parent does these files itself and says what is wrong
        pass
    finally:
        os._exit(code)
