"""As whom a script runs: names and numbers resolved to what setuid(2) takes, and the environment that goes with it."""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass
from functools import lru_cache

from kir.model import Account

DEFAULT_USER = "keepalived_script"
"""The user that keepalived takes where none is configured and this one exists."""

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class NoSuchAccountError(Exception):
    """The user or the group does not exist here; the text names it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Numbers for the kernel, and what the environment says about them. ``groups`` are the supplementary ones."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    name: str
    home: str
    shell: str

    def environment(self) -> dict[str, str]:
        """A clean environment: nothing of the daemon's own."""
        return {
            "PATH": PATH,
            "HOME": self.home,
            "USER": self.name,
            "LOGNAME": self.name,
            "SHELL": self.shell,
            "LANG": "C.UTF-8",
        }


@lru_cache(maxsize=256)
def identify(account: Account) -> Identity:
    """Raises `NoSuchAccountError`. The answer is remembered until `forget`."""
    if account.user is None:
        try:
            user = pwd.getpwnam(DEFAULT_USER)
        except KeyError:
            user = _by_number(os.geteuid())
    else:
        user = _user(account.user)
    gid = user.pw_gid if account.group is None else _group(account.group)
    groups = tuple(os.getgrouplist(user.pw_name, gid)) if account.supplementary else ()
    return Identity(user.pw_uid, gid, groups, user.pw_name, user.pw_dir or "/", user.pw_shell or "/bin/sh")


def forget() -> None:
    """Look accounts up again: a reload may have come with new ones."""
    identify.cache_clear()


def _user(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        pass
    if name.isascii() and name.isdigit():
        return _by_number(int(name))
    raise NoSuchAccountError(f"there is no user `{name}` here")


def _by_number(uid: int) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(uid)
    except (KeyError, OverflowError):
        # A number needs no entry; its group is then the same number.
        return pwd.struct_passwd((str(uid), "x", uid, uid, "", "/", "/bin/sh"))


def _group(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        pass
    if name.isascii() and name.isdigit():
        return int(name)
    raise NoSuchAccountError(f"there is no group `{name}` here")
