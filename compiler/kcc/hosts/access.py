"""Who may run a file, and who may change it, judged by the facts of the way to it (path_resolution(7), inode(7))."""

from __future__ import annotations

from dataclasses import dataclass

from kir.facts import Component, Facts, File
from kir.model import Account

ROOT = 0

DEFAULT_USER = "keepalived_script"
"""Whom keepalived and krun take where no user is configured and this one exists."""


@dataclass(frozen=True, slots=True)
class Runner:
    """As whom a command runs; ``groups`` are all group numbers that count."""

    uid: int
    name: str
    groups: frozenset[int]


@dataclass(frozen=True, slots=True)
class Unknown:
    """An account that the host does not have: ``what`` is ``user`` or ``group``."""

    what: str
    name: str


def runner(facts: Facts, account: Account) -> Runner | Unknown:
    """The account by its names or numbers; a number needs no entry (setuid(2) takes any)."""
    if account.user is None:
        user = facts.user(DEFAULT_USER)
        uid, name, gid = (ROOT, "root", 0) if user is None else (user.uid, user.name, user.gid)
    else:
        user = facts.user(account.user)
        if user is not None:
            uid, name, gid = user.uid, user.name, user.gid
        elif account.user.isascii() and account.user.isdigit():
            uid = gid = int(account.user)
            name = account.user
        else:
            return Unknown("user", account.user)
    if account.group is not None:
        group = facts.group(account.group)
        if group is not None:
            gid = group.gid
        elif account.group.isascii() and account.group.isdigit():
            gid = int(account.group)
        else:
            return Unknown("group", account.group)
    more = {g.gid for g in facts.groups if name in g.members} if account.supplementary else set()
    return Runner(uid, name, frozenset({gid, *more}))


def unusable(file: File, who: Runner) -> str | None:
    """Why ``who`` cannot run ``file``; None where nothing speaks against it."""
    if not file.exists or not file.components:
        return file.error or "it does not exist"
    for component in file.components[:-1]:
        if component.kind == "directory" and not _allowed(component, who):
            return f"user {who.name} may not enter {component.path}"
    last = file.components[-1]
    if last.kind != "file":
        return f"it is a {last.kind}" if last.kind == "directory" else "it is no regular file"
    if not last.bits & 0o111:
        return "it is not executable: no execute bit is set"
    if not _allowed(last, who):
        return f"user {who.name} may not execute it (mode {last.mode})"
    return None


def _allowed(component: Component, who: Runner) -> bool:
    """Execute permission: running a file, or going through a directory. Root needs one bit, for directories none."""
    if who.uid == ROOT:
        return component.kind == "directory" or bool(component.bits & 0o111)
    if component.uid == who.uid:
        return bool(component.bits & 0o100)
    if component.gid in who.groups:
        return bool(component.bits & 0o010)
    return bool(component.bits & 0o001)


def insecure(file: File, facts: Facts) -> tuple[str, str] | None:
    """Where somebody besides root could change what runs as root: the component, and who could; None where nobody could.

    Every component must belong to root and be writable by root and root's group alone. A directory with the sticky bit may be
    writable by everybody: what is in it belongs to whom it belongs (inode(7)).
    """
    for component in file.components:
        if component.uid != ROOT:
            return component.path, f"belongs to user {_user(facts, component.uid)}"
        if component.kind == "link":
            continue  # its mode means nothing
        sticky = component.kind == "directory" and component.bits & 0o1000
        if component.bits & 0o020 and component.gid != ROOT:
            return component.path, f"can be written by group {_group(facts, component.gid)}"
        if component.bits & 0o002 and not sticky:
            return component.path, "can be written by everybody"
    return None


def _user(facts: Facts, uid: int) -> str:
    return next((u.name for u in facts.users if u.uid == uid), str(uid))


def _group(facts: Facts, gid: int) -> str:
    return next((g.name for g in facts.groups if g.gid == gid), str(gid))
