"""Network namespaces (ip-netns(8)): the one that krun and all of its processes live in."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

from kir.model import Namespaces

FOLDERS = (Path("/run/netns"), Path("/var/run/netns"))
"""Where namespaces have their names."""

_CLONE_NEWNET = 0x40000000  # linux/sched.h


class NamespaceError(Exception):
    """The namespace cannot be entered; the text says why and what to do."""


def enter(spaces: Namespaces) -> None:
    """Move this process into the namespace of ``net_namespace``. Children are born there; unix sockets and files know no namespace.

    To be called before anything is opened that belongs to one, and by a process with one thread (setns(2)). Raises `NamespaceError`.
    """
    if spaces.network is None:
        return
    what = f"net_namespace {spaces.network}"
    handle = _open(spaces.network, what)
    try:
        _join(handle, what)
    finally:
        os.close(handle)


def _open(name: str, what: str) -> int:
    if "/" in name or name in ("", ".", ".."):
        raise NamespaceError(f"{what}: a namespace's name is a file name in {FOLDERS[0]}")
    for folder in FOLDERS:
        try:
            return os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise NamespaceError(f"{what}: {folder / name}: {error.strerror or error}") from None
    raise NamespaceError(
        f"{what}: there is no network namespace of that name ({FOLDERS[0] / name}); `ip netns add {name}` makes one, and it "
        "must be there before krun starts"
    )


def _join(handle: int, what: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(handle, _CLONE_NEWNET) == 0:
        return
    number = ctypes.get_errno()
    why = {
        errno.EPERM: "not permitted: that needs CAP_SYS_ADMIN",
        errno.EINVAL: "that file is no network namespace; `ip netns delete` and `ip netns add` make it anew",
    }.get(number, os.strerror(number))
    raise NamespaceError(f"{what}: {why}")
