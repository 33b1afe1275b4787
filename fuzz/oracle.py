"""keepalived as an oracle: what `keepalived -t` says of a text, line by line.

It runs as an unprivileged user in an empty folder of a network namespace that has the interfaces eth0 and eth1: `-t` is not
read-only, and without the interfaces it stops early. What it says about its machine (scripts, users) is left out.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

KEEPALIVED = shutil.which("keepalived") or shutil.which("keepalived", path="/usr/sbin")
INTERFACES = ("eth0", "eth1")

_SERVER = r"""
for name in eth0 eth1; do
    ip link add $name type veth peer name p$name && ip link set $name up && ip link set p$name up || exit 9
done
ip link set lo up; ip address add 192.0.2.1/24 dev eth0
drop=
[ "$OUTSIDE_ROOT" = 1 ] && drop="setpriv --reuid 65534 --regid 65534 --clear-groups"
cd "$1" || exit 9
echo ready
while read -r file; do
    $drop timeout 10 "$KEEPALIVED" -t -f "$file" 2>&1 </dev/null
    printf '\n\001%s\n' "$?"
done
"""
_LINE = re.compile(r"^\((?:[^()]*: )?Line (\d+)\) ?(.*)$")
# About the machine, not about the text; the last two say again what a line said already.
_MACHINE = re.compile(
    r"SECURITY VIOLATION|not found/accessible|not executable|Unable to set default user|Disabling .*script"
    r"|Unable to set uid/gid|default user|global script uid|script_user|Opening file|Unable to access script|doesn't exist(?! - ignoring)"
    r"|No such (file|process)|Unable to (open|create|make|load|initialise)|[Ff]ailed to|Can't|^Script |Permission denied"
    r"|interface .* not supported|IPVS|modprobe|SNMP|D-?[Bb][Uu][Ss]|Non-existent interface|unknown interface|kernel does not support|[Ii]nvalid cpu_id|outside range \[0, 1\]|Configuration file|^$"
)

_STOPPED = re.compile(r"Non-existent interface|Unknown interface")


@dataclass(frozen=True)
class Verdict:
    """``lines``: line → messages. ``floating``: messages without a line. ``status``: 0 content, 5 errors, 2 gave up there.

    ``machine``: lines at which it speaks about its machine, and perhaps of nothing else for that reason. ``stopped``: it lacks something and judged no further.
    """

    status: int
    lines: dict[int, list[str]]
    floating: list[str]
    machine: set[int]
    stopped: bool

    @property
    def usable(self) -> bool:
        """A crash or a hang is no verdict."""
        return self.status in (0, 1, 2, 5, 6)


def release() -> str:
    """The first line of ``keepalived --version``, empty where there is none."""
    if KEEPALIVED is None:
        return ""
    run = subprocess.run([KEEPALIVED, "--version"], capture_output=True, text=True)
    return (run.stderr or run.stdout).split("\n", 1)[0]


class Oracle:
    """A shell inside the namespace that runs keepalived on one file after the other. Raises OSError where it cannot be had."""

    def __init__(self) -> None:
        if KEEPALIVED is None:
            raise OSError("keepalived is not installed")
        root = os.geteuid() == 0
        self._folder = tempfile.TemporaryDirectory()
        self.path = Path(self._folder.name) / "test.conf"
        empty = Path(self._folder.name) / "empty"
        empty.mkdir()
        Path(self._folder.name).chmod(0o755)
        self._shell = subprocess.Popen(
            ["unshare", "-n" if root else "-rn", "sh", "-c", _SERVER, "oracle", str(empty)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "KEEPALIVED": KEEPALIVED, "OUTSIDE_ROOT": "1" if root else "0"},
        )
        assert self._shell.stdin is not None and self._shell.stdout is not None
        self._to, self._from = self._shell.stdin, self._shell.stdout
        if self._from.readline().strip() != b"ready":
            raise OSError("no network namespace can be made here")

    def __enter__(self) -> Oracle:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        self._to.close()
        self._shell.wait(timeout=20)
        self._from.close()
        self._folder.cleanup()

    def ask(self, text: str) -> Verdict:
        """What keepalived says of ``text``."""
        self.path.write_text(text)
        self._to.write(str(self.path).encode() + b"\n")
        self._to.flush()
        said = []
        while not (line := self._from.readline()).startswith(b"\001"):
            if not line:
                raise OSError("the oracle's shell ended")
            said.append(line.decode("utf-8", "replace").rstrip("\n"))
        lines: dict[int, list[str]] = {}
        floating = []
        machine = set()
        for message in dict.fromkeys(said):
            found = _LINE.match(message)
            words = found[2] if found else message
            if _MACHINE.search(words):
                if found:
                    machine.add(int(found[1]))
                continue
            if found:
                lines.setdefault(int(found[1]), []).append(words)
            else:
                floating.append(words)
        return Verdict(
            int(line[1:]), lines, floating, machine, any(_STOPPED.search(message) for message in said)
        )
