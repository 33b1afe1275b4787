"""Who may ask what of krun: looking for a group, changing for root. By the credentials that the kernel has of the connection."""

from __future__ import annotations

import ctypes
import grp
import os
import pwd
import socket
import struct
from dataclasses import dataclass

READING = frozenset({"status", "events", "plan"})
"""What members of the control group may ask; ``top``, ``explain``, ``overlays`` and ``metrics`` ask for the status. All else changes
something, or tells what only root may know.
"""

_SO_PEERGROUPS = 59  # asm-generic/socket.h
_GROUPS = 256
"""As many fit into the 1,024 octets that `socket.socket.getsockopt` gives."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Who made a connection, when it was made (unix(7), SO_PEERCRED; socket(7), SO_PEERGROUPS)."""

    uid: int
    gid: int
    pid: int
    groups: frozenset[int] = frozenset()

    def __str__(self) -> str:
        """``root (uid 0), pid 4711``."""
        try:
            return f"{pwd.getpwuid(self.uid).pw_name} (uid {self.uid}), pid {self.pid}"
        except (KeyError, OverflowError):
            return f"uid {self.uid}, pid {self.pid}"

    def member(self, gid: int) -> bool:
        """Whether it is in the group, by its own group or a supplementary one."""
        return gid == self.gid or gid in self.groups


def peer_of(sock: socket.socket) -> Peer | None:
    """Who is at the other end; None where the kernel does not say."""
    try:
        pid, uid, gid = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    except OSError:
        return None
    return Peer(uid & 0xFFFFFFFF, gid & 0xFFFFFFFF, pid, _groups(sock))


def _groups(sock: socket.socket) -> frozenset[int]:
    """Supplementary groups; none where there are more than anybody has, or the kernel is older than 4.13."""
    try:
        raw = sock.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 4 * _GROUPS)
    except OSError:
        return frozenset()
    return frozenset(gid for (gid,) in struct.iter_unpack("=I", raw[: len(raw) // 4 * 4]))


@dataclass(frozen=True, slots=True)
class Access:
    """``owner``: krun's own user, who may do all that root may. ``group``: whose members may look, None: nobody's."""

    owner: int
    group: int | None = None

    def whole(self, peer: Peer | None) -> bool:
        """Whether the peer may ask everything."""
        return peer is not None and peer.uid in (0, self.owner)

    def refusal(self, peer: Peer | None, operation: object) -> str:
        """Why the peer may not ask for ``operation``, who it is and what is needed; empty where it may."""
        if self.whole(peer):
            return ""
        owner = "root" if self.owner == 0 else f"root or {_user(self.owner)}, krun's own user"
        if peer is None:
            return f"the kernel does not say who asks, so nothing is answered; it takes {owner}"
        if self.group is None:
            return f"you are {peer}; only {owner} may ask this krun (`krun --control-group GROUP` lets a group look)"
        if not peer.member(self.group):
            return (
                f"you are {peer}; it takes {owner}, or, to look, a member of group {group_name(self.group)}"
            )
        if operation in READING:
            return ""
        return (
            f"you are {peer}; members of group {group_name(self.group)} may look ({', '.join(sorted(READING))}), "
            f"`{operation}` takes {owner}"
        )


class UnreadableError(Exception):
    """The peer itself may not read the file; the text says why."""


def open_as(peer: Peer, path: str) -> int:
    """A descriptor of ``path``, opened for reading with the rights of ``peer``, and with no more: krun must not read for somebody
    what that one may not read himself. Raises `UnreadableError`.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    own = os.getgroups()
    try:
        # setfsuid(2): away from 0 it takes the capabilities that override permissions out of the effective set, and back it returns them.
        os.setgroups(sorted(peer.groups))
        libc.setfsgid(peer.gid)
        libc.setfsuid(peer.uid)
        if libc.setfsuid(-1) != peer.uid or libc.setfsgid(-1) != peer.gid:
            raise UnreadableError(
                f"{path}: krun has no CAP_SETUID and CAP_SETGID to read it as {peer}; root may ask"
            )
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except PermissionError as error:
        raise UnreadableError(f"{path}: cannot be read as {peer}: {error.strerror}") from None
    except (OSError, ValueError) as error:
        raise UnreadableError(
            f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None
    finally:
        libc.setfsuid(os.geteuid())
        libc.setfsgid(os.getegid())
        try:
            os.setgroups(own)
        except PermissionError:
            pass  # then they were not changed either


def find_group(text: str) -> int:
    """The number of the group ``text``, a name or a number. Raises ValueError with words."""
    try:
        return grp.getgrnam(text).gr_gid
    except (KeyError, ValueError):
        pass
    if text.isascii() and text.isdecimal() and int(text) < 0xFFFFFFFF:
        return int(text)
    raise ValueError(
        f"there is no group `{text}` here; make it (`groupadd --system {text}`), or name another one"
    )


def group_name(gid: int) -> str:
    """Its name, else its number."""
    try:
        return grp.getgrgid(gid).gr_name
    except (KeyError, OverflowError):
        return str(gid)


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return f"uid {uid}"


def who(peer: object) -> str:
    """The ``peer`` of a request in words."""
    return str(peer) if isinstance(peer, Peer) else "somebody unknown"
