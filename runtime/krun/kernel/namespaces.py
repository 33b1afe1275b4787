"""Network namespaces (ip-netns(8)): the one that krun and all of its processes live in, and the one of IPVS where that is another."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from kir.model import Namespaces

FOLDERS = (Path("/run/netns"), Path("/var/run/netns"))
"""Where namespaces have their names."""

HOME = "KRUN_NETNS_HOME"
"""Environment variable: the descriptor of the namespace that krun was started in, for a krun that replaces itself (execve(2))."""

_HERE = "/proc/thread-self/ns/net"
_CLONE_NEWNET = 0x40000000  # linux/sched.h


class NamespaceError(Exception):
    """The namespace cannot be entered; the text says why and what to do."""


def enter(spaces: Namespaces, *, again: bool = False) -> int:
    """Move this process into the namespace of ``net_namespace``; children are born there. Unix sockets and files know no namespace.

    Returns a descriptor of the namespace of ``net_namespace_ipvs`` where that is another one, else -1. ``again``: this process was a krun
    before, and is there already. To be called before anything is opened that belongs to a namespace, and by a process with one thread
    (setns(2)). Raises `NamespaceError`.
    """
    if spaces.network is None and not spaces.ipvs:
        return -1
    home = _home(again)
    ipvs = home
    try:
        if spaces.ipvs:
            ipvs = _open(spaces.ipvs, f"net_namespace_ipvs {spaces.ipvs}")
        if spaces.network is not None:
            what = f"net_namespace {spaces.network}"
            handle = _open(spaces.network, what)
            try:
                _join(handle, what)
            finally:
                os.close(handle)
        if spaces.ipvs is None or os.path.samestat(os.fstat(ipvs), os.stat(_HERE)):  # noqa: PTH116
            if ipvs != home:
                os.close(ipvs)
            return -1
        # Tried here, where somebody reads why not.
        here = os.open(_HERE, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _join(ipvs, f"net_namespace_ipvs {spaces.ipvs}")
            _join(here, "the namespace before")
        finally:
            os.close(here)
    except NamespaceError:
        if ipvs != home:
            os.close(ipvs)
        raise
    return ipvs


@contextlib.contextmanager
def inside(path: str | int) -> Iterator[None]:
    """This thread in the namespace that ``path``, or a descriptor, names. Raises OSError where it may not go there."""
    here = os.open(_HERE, os.O_RDONLY | os.O_CLOEXEC)
    there = path if isinstance(path, int) else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(there)
        try:
            yield
        finally:
            _setns(here)
    finally:
        os.close(here)
        if there is not path:
            os.close(there)


def _home(again: bool) -> int:
    """The namespace that krun was started in, by a descriptor that survives execve(2)."""
    text = os.environ.get(HOME, "")
    if again and text.isdigit():
        return int(text)
    handle = os.open(_HERE, os.O_RDONLY)
    os.set_inheritable(handle, True)
    os.environ[HOME] = str(handle)
    return handle


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
    try:
        _setns(handle)
    except OSError as error:
        why = {
            errno.EPERM: "not permitted: that needs CAP_SYS_ADMIN",
            errno.EINVAL: "that file is no network namespace; `ip netns delete` and `ip netns add` make it anew",
        }.get(error.errno or 0, error.strerror or str(error))
        raise NamespaceError(f"{what}: {why}") from None


def _setns(handle: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(handle, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
