"""What `keepalived -t` says of a text. It runs as an unprivileged user in an empty folder: `-t` is not read-only.

For verdicts by line, in a network namespace with interfaces, there is ``fuzz/oracle.py``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

KEEPALIVED = shutil.which("keepalived") or shutil.which("keepalived", path="/usr/sbin")


def _release() -> str:
    if KEEPALIVED is None:
        return ""
    return subprocess.run([KEEPALIVED, "--version"], capture_output=True, text=True).stderr


AGAINST_2_2_7 = [
    pytest.mark.keepalived,
    pytest.mark.skipif("v2.2.7" not in _release(), reason="the expectations are of keepalived 2.2.7"),
]
"""The marks of tests whose expectations are of Debian's keepalived."""


def keepalived_says(text: str) -> str:
    """Everything that ``keepalived -t`` prints about the configuration ``text``."""
    as_whom = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        file = folder / "keepalived.conf"
        file.write_text(text, errors="surrogateescape")
        file.chmod(0o644)
        done = subprocess.run(
            [*as_whom, str(KEEPALIVED), "-t", "-f", str(file)],
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
        )
    return done.stdout + done.stderr
