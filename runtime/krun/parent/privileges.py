"""What a child may still do as root: capabilities (capabilities(7)), dropped right after the fork and for good."""

from __future__ import annotations

import ctypes
import os

from kir.model import Config, Namespaces

_VERSION_3 = 0x20080522  # linux/capability.h: _LINUX_CAPABILITY_VERSION_3
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAPBSET_DROP = 24

CHOWN = 0
DAC_READ_SEARCH = 2
KILL = 5
SETGID = 6
SETUID = 7
SETPCAP = 8
NET_BIND_SERVICE = 10
NET_ADMIN = 12
NET_RAW = 13
IPC_LOCK = 14
SYS_ADMIN = 21
SYS_NICE = 23

NAMES: dict[int, str] = {
    CHOWN: "CAP_CHOWN",
    DAC_READ_SEARCH: "CAP_DAC_READ_SEARCH",
    KILL: "CAP_KILL",
    SETGID: "CAP_SETGID",
    SETUID: "CAP_SETUID",
    NET_BIND_SERVICE: "CAP_NET_BIND_SERVICE",
    NET_ADMIN: "CAP_NET_ADMIN",
    NET_RAW: "CAP_NET_RAW",
    IPC_LOCK: "CAP_IPC_LOCK",
    SYS_ADMIN: "CAP_SYS_ADMIN",
    SYS_NICE: "CAP_SYS_NICE",
}
"""Those that krun ever needs, by number (linux/capability.h)."""

KEEPS: dict[str, frozenset[int]] = {
    "vrrp": frozenset({NET_ADMIN, NET_RAW}),
    # NET_BIND_SERVICE: a check may be bound to a port below 1024.
    "check": frozenset({NET_ADMIN, NET_RAW, NET_BIND_SERVICE}),
    # DAC_READ_SEARCH: keepalived runs a root script that lies in somebody's private directory, and so do we
    # (unless enable_script_security).
    "script": frozenset({SETUID, SETGID, KILL, DAC_READ_SEARCH}),
}
"""Which capabilities a child keeps whatever it runs, where the parent has them. Only the script process ever executes another
program. A configuration may need more: `keeps`."""

PARENT = frozenset(NAMES) - {SYS_ADMIN} | {SETPCAP, CHOWN}
"""What the parent keeps: all that it may have to hand on. SYS_ADMIN only where a namespace is configured; CHOWN for the control
group's socket, SETPCAP so that children can reduce their bounding sets.
"""

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


def keeps(name: str, config: Config) -> frozenset[int] | None:
    """What the child ``name`` keeps while it runs ``config``; None: whatever it has (a process that is not known here).

    Scheduling is the parent's affair (`krun.parent.scheduling`), so that no child needs CAP_SYS_NICE.
    """
    if name in KEEPS_NONE:
        return frozenset()
    always = KEEPS.get(name)
    if always is None:
        return None
    # Not for the lock alone: what the process maps later is locked as well (mlockall(2), MCL_FUTURE).
    more = {IPC_LOCK} if locked(name, config) else set()
    settings = config.global_defs
    if name == "script" and (settings.notify_fifo or settings.vrrp_notify_fifo or settings.lvs_notify_fifo):
        more.add(CHOWN)
    return always | more


def locked(name: str, config: Config) -> bool:
    """Whether the child ``name`` keeps its memory out of the swap."""
    settings = config.global_defs
    process = {
        "vrrp": settings.vrrp_process,
        "check": settings.checker_process,
        "bfd": settings.bfd_process,
    }.get(name)
    return process is not None and process.no_swap


def gained(name: str, old: Config, new: Config) -> frozenset[int]:
    """What the child ``name`` needs for ``new`` and gave up when it was born for ``old``."""
    return (keeps(name, new) or frozenset()) - (keeps(name, old) or frozenset())


def drop(name: str, keeps: frozenset[int] | None, libc: ctypes.CDLL) -> None:
    """Keep ``keeps`` (of `keeps`) and nothing else in the child ``name``. Raises OSError.

    ``libc``: loaded with ``use_errno=True``. A process that may not have been root keeps what it has of those.
    """
    if keeps is None:
        return
    if name != "script":
        _bound(keeps, libc)
    _keep(keeps, libc)
    if name != "script":
        _check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def drop_in_parent(config: Config, libc: ctypes.CDLL) -> None:
    """Keep in the parent what it, any of its children, or one that a reload brings may need, and nothing else. Raises OSError.

    Its bounding set stays as it is: that is what scripts of root's have, and ``krunctl upgrade``'s execve(2).
    """
    keeps = PARENT if config.global_defs.namespaces == Namespaces() else PARENT | {SYS_ADMIN}
    _keep(keeps, libc)


def _bound(keeps: frozenset[int], libc: ctypes.CDLL) -> None:
    """Take everything else out of the bounding set, so that not even execve(2) gives it back; where that is not ours to do it stays."""
    for number in range(64):
        if number not in keeps and libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0) != 0:
            return  # EINVAL: there are no more; EPERM: no CAP_SETPCAP


def _keep(keeps: frozenset[int], libc: ctypes.CDLL) -> None:
    header = _Header(_VERSION_3, 0)
    data = (_Data * 2)()
    _check(libc.capget(ctypes.byref(header), data))
    wanted = sum(1 << number for number in keeps)
    for half, part in enumerate(data):
        part.permitted &= wanted >> (32 * half) & 0xFFFFFFFF
        part.effective = part.permitted
        part.inheritable = 0
    _check(libc.capset(ctypes.byref(header), data))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"capabilities: {os.strerror(number)}")
