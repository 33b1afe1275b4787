"""Is this file safe to be run? keepalived's ``enable_script_security`` asks it of every component of the path."""

from __future__ import annotations

import os
import stat
from pathlib import PurePosixPath


def insecure_component(path: str, user: int = 0) -> str | None:
    """Why somebody besides root and ``user`` could decide what runs from ``path``, naming the component; None where nobody could.

    Every component, from ``/`` to the file, must belong to root or to ``user``, and must not be writable by a group other than root's
    or by others. A symbolic link is judged where it stands and where it leads to. A component that cannot be examined is
    no reason here: running it will say why it does not work.
    """
    seen = 0
    todo = list(PurePosixPath(path).parts[1:])
    here = "/"
    why = _judge(here, user)
    while why is None and todo:
        name = todo.pop(0)
        if name == "..":
            here = os.path.dirname(here)  # noqa: PTH120 - text, component by component
            continue
        here = os.path.join(here, name)  # noqa: PTH118
        why = _judge(here, user)
        if why is None and os.path.islink(here):  # noqa: PTH114
            seen += 1
            if seen > 40:  # the kernel's own limit (path_resolution(7))
                return f"{here} leads through too many symbolic links"
            target = PurePosixPath(os.readlink(here))  # noqa: PTH115
            if target.is_absolute():
                here, todo = "/", [*target.parts[1:], *todo]
            else:
                here, todo = os.path.dirname(here), [*target.parts, *todo]  # noqa: PTH120
    return why


def _judge(component: str, user: int) -> str | None:
    try:
        details = os.lstat(component)
    except OSError:
        return None
    if details.st_uid not in (0, user):
        return f"{component} belongs to user {details.st_uid}, not to root"
    if stat.S_ISLNK(details.st_mode):
        return None  # a link's mode means nothing
    sticky = stat.S_ISDIR(details.st_mode) and details.st_mode & stat.S_ISVTX
    if details.st_mode & stat.S_IWGRP and details.st_gid != 0:
        return f"{component} can be written by group {details.st_gid}"
    if details.st_mode & stat.S_IWOTH and not sticky:
        return f"{component} can be written by everybody"
    return None
