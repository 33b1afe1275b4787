"""What a test needs of the machine: skipped with the reason on a laptop, a failure where ``CI=true``.

A skipped wire test in CI would look like a green one, so there the lack of a tool is an error of the
machine's set-up, never a reason to be silent.
"""

from __future__ import annotations

import os
import shutil
import sys
from functools import cache

import pytest

__all__ = ["in_ci", "lacking", "require_keepalived", "require_kernel_lab", "require_netns", "require_tshark"]


def in_ci() -> bool:
    """True where the environment says ``CI=true`` (or 1, or yes)."""
    return os.environ.get("CI", "").lower() in ("true", "1", "yes")


def lacking(reason: str) -> None:
    """The machine lacks something: skip with ``reason``, or fail with it in CI."""
    if in_ci():
        pytest.fail(f"{reason} (CI=true: this test may not be skipped)", pytrace=False)
    pytest.skip(reason)


def require_netns() -> None:
    """Network namespaces can be made here: as root, or as root of a user namespace."""
    if reason := _netns_problem():
        lacking(reason)


def require_keepalived() -> None:
    """Debian's keepalived is installed."""
    if find_tool("keepalived") is None:
        lacking("keepalived is not installed: apt install keepalived")


def require_tshark() -> None:
    """tshark is installed."""
    if find_tool("tshark") is None:
        lacking("tshark is not installed: apt install tshark")


def require_kernel_lab() -> None:
    """User-Mode Linux and what its guest needs are installed."""
    from lab import kernel_lab

    if reason := kernel_lab.problem():
        lacking(reason)


def find_tool(name: str) -> str | None:
    """The path of an installed program, the administrator's folders included (not every PATH has them)."""
    return shutil.which(name) or shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin")


@cache
def _netns_problem() -> str | None:
    from lab import netns

    if not sys.platform.startswith("linux"):
        return "network namespaces exist on Linux only"
    if find_tool("ip") is None:
        return "ip is not installed: apt install iproute2"
    try:
        netns.Namespace("probe").close()
    except OSError as error:
        return (
            f"cannot make a network namespace ({error.strerror}): run as root,"
            " or inside `unshare -Urnm` where user namespaces are allowed"
        )
    return None
