"""What a program does to the world outside of itself: its system calls by strace(1), judged.

Calls are traced by class, so that none can be forgotten: of the calls that take a file name only those that look are
harmless, of those that take a descriptor only reading, and writing to standard output, standard error and pipes; nothing
of the network is, and no second execve.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CLASSES = ",".join(
    [
        *(
            "%file",
            "%network",
            "%process",
            "%ipc",
            "write",
            "writev",
            "pwrite64",
            "pwritev",
            "pwritev2",
            "sendfile",
        ),
        *(
            "splice",
            "tee",
            "vmsplice",
            "copy_file_range",
            "ftruncate",
            "fallocate",
            "fchmod",
            "fchown",
            "fsetxattr",
        ),
        *(
            "fremovexattr",
            "kill",
            "tkill",
            "tgkill",
            "pidfd_send_signal",
            "ptrace",
            "process_vm_writev",
            "setns",
        ),
        *("unshare", "bpf", "io_uring_setup"),
    ]
)

_CALL = re.compile(r"^\d+ +([a-z_0-9]+)\((.*)$")
_RESUMED = re.compile(
    r"^\d+ +<\.\.\. [a-z_0-9]+ resumed>"
)  # the second half of a call that was judged by its first
_LOOKING = {
    *(
        "stat",
        "lstat",
        "newfstatat",
        "fstatat64",
        "statx",
        "access",
        "faccessat",
        "faccessat2",
        "readlink",
        "readlinkat",
    ),
    *("getcwd", "statfs", "getxattr", "lgetxattr", "listxattr", "llistxattr", "chdir"),
}
_OPENING = {"open", "openat", "openat2"}
_WRITING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND|O_TMPFILE")
_LEAVING = {"exit", "exit_group", "wait4", "waitid", "waitpid"}
_FORKING = {"clone", "clone3", "fork", "vfork"}
_OWN = re.compile(r"^(?:1|2)<|^\d+<pipe:")


@dataclass
class Deeds:
    """``wrong``: the calls that change or reach something. ``opened``: the names that were opened, successfully or not."""

    status: int
    output: str
    wrong: list[str]
    opened: set[str]
    calls: int


def traced(
    arguments: Sequence[str | Path], folder: Path, *, forks: bool = False, cwd: Path | None = None
) -> Deeds:
    """Run Python with ``arguments`` under strace; the trace is written into ``folder``. ``forks``: it may split itself."""
    trace = folder / "trace"
    strace = ["strace", "-f", "-qq", "-y", "-s", "200", "--seccomp-bpf", "-e", "signal=none"]
    strace += ["-e", f"trace={CLASSES}", "-o", str(trace)]
    done = subprocess.run(
        [*strace, sys.executable, "-B", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=cwd,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"},
    )
    lines = trace.read_text(errors="replace").splitlines() if trace.exists() else []
    if not lines:
        raise AssertionError(f"nothing was traced: {done.stderr}")
    return judged(lines, done.returncode, done.stdout + done.stderr, forks)


def judged(lines: Sequence[str], status: int = 0, output: str = "", forks: bool = False) -> Deeds:
    """The lines of a trace, judged. The first execve is the program's own start."""
    deeds = Deeds(status, output, [], set(), len(lines))
    started = False
    for line in lines:
        found = _CALL.match(line)
        if found is None:
            if _RESUMED.match(line) is None and "+++" not in line and "---" not in line:
                deeds.wrong.append(line)
            continue
        name, rest = found.groups()
        if name in _OPENING:
            quoted = re.search(r'"([^"]*)"', rest)
            if quoted is not None:
                deeds.opened.add(quoted[1])
        if name == "execve" and not started:
            started = True
        elif not _harmless(name, rest, forks):
            deeds.wrong.append(line)
    return deeds


def _harmless(name: str, rest: str, forks: bool) -> bool:
    if name in _OPENING:
        return _WRITING.search(rest) is None
    if name in ("write", "writev"):
        return _OWN.match(rest) is not None
    return name in _LOOKING or name in _LEAVING or (forks and name in _FORKING)
