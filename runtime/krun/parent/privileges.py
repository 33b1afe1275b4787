"""What a child may still do as root: capabilities (capabilities(7)), dropped right after the fork and for good."""

from __future__ import annotations

import ctypes
import os

_VERSION_3 = 0x20080522  # linux/capability.h: _LINUX_CAPABILITY_VERSION_3
_PR_SET_NO_NEW_PRIVS = 38

DAC_READ_SEARCH = 2
KILL = 5
SETGID = 6
SETUID = 7
NET_BIND_SERVICE = 10
NET_ADMIN = 12
NET_RAW = 13
IPC_LOCK = 14
SYS_NICE = 23

KEEPS: dict[str, frozenset[int]] = {
    "vrrp": frozenset({NET_ADMIN, NET_RAW, IPC_LOCK, SYS_NICE}),
    "check": frozenset({NET_ADMIN, NET_RAW, NET_BIND_SERVICE, IPC_LOCK, SYS_NICE}),
    # DAC_READ_SEARCH: keepalived runs a root script that lies in somebody's private directory, and so do we
    # (unless enable_script_security).
    "script": frozenset({SETUID, SETGID, KILL, DAC_READ_SEARCH}),
}
"""Which capabilities a child keeps, where the parent has them. Only the script process ever executes another program."""

KEEPS_NONE = frozenset({"metrics"})
"""Processes that run no configuration and keep no capability at all."""


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def drop(name: str, libc: ctypes.CDLL) -> None:
    """Keep what `KEEPS` has for the child ``name`` and nothing else; nothing at all for `KEEPS_NONE`. Raises OSError.

    ``libc``: loaded with ``use_errno=True``. A process that may not have been root keeps what it has of those.
    """
    keeps = frozenset() if name in KEEPS_NONE else KEEPS.get(name)
    if keeps is None:
        return
    header = _Header(_VERSION_3, 0)
    data = (_Data * 2)()
    _check(libc.capget(ctypes.byref(header), data))
    wanted = sum(1 << number for number in keeps)
    for half, part in enumerate(data):
        part.permitted &= wanted >> (32 * half) & 0xFFFFFFFF
        part.effective = part.permitted
        part.inheritable = 0
    _check(libc.capset(ctypes.byref(header), data))
    if name != "script":
        _check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"capabilities: {os.strerror(number)}")
