"""What a krun that replaces itself hands to its successor in the same process: its children, as descriptors that survive execve(2).

The children go on while the new program starts: adverts leave, checks are made. When all of its modules are there it lets each of
them end, as a child whose parent is gone does, and forks the next one at once from what that one had promised.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Mapping

import msgspec

log = logging.getLogger("krun.parent")

VERSION = 1
"""What `Legacy` means. A program that knows another one must not be handed anything."""

VARIABLE = "KRUN_LEGACY"
_LIMIT = 65536


class Heir(msgspec.Struct, frozen=True):
    """One child: its pid, the parent's end of its channel, the memory of its promises."""

    pid: int
    channel: int
    region: int


class Legacy(msgspec.Struct, frozen=True):
    """All of them, by name; and which release ran before."""

    version: int
    pid: int
    release: str
    children: dict[str, Heir]


def pack(release: str, children: Mapping[str, Heir]) -> dict[str, str]:
    """The environment variable for execve(2). The descriptors in it, and the one that it names, are made to survive that. Raises OSError."""
    fd = os.memfd_create("krun-legacy", 0)
    os.write(fd, msgspec.json.encode(Legacy(VERSION, os.getpid(), release, dict(children))))
    for heir in children.values():
        os.set_inheritable(heir.channel, True)
        os.set_inheritable(heir.region, True)
    return {VARIABLE: str(fd)}


def unpack(variable: str, children: Mapping[str, Heir]) -> None:
    """execve(2) failed: everything as before."""
    os.close(int(variable))
    for heir in children.values():
        os.set_inheritable(heir.channel, False)
        os.set_inheritable(heir.region, False)


def received() -> Legacy | None:
    """What this process was before its last execve(2); None where it was no krun, or one that is not understood."""
    text = os.environ.pop(VARIABLE, "")
    if not text.isdigit():
        return None
    try:
        fd = int(text)
        legacy = msgspec.json.decode(os.pread(fd, _LIMIT, 0), type=Legacy)
        os.close(fd)
        if legacy.version != VERSION or legacy.pid != os.getpid():
            raise ValueError("is another process's, or another release's")
        for heir in legacy.children.values():
            for descriptor in (heir.channel, heir.region):
                fcntl.fcntl(descriptor, fcntl.F_GETFD)
                os.set_inheritable(descriptor, False)
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        log.error("%s: %s: nothing is taken over", VARIABLE, error)
        return None
    return legacy
