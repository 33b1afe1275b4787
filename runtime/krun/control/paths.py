"""The way to a file, component by component, through symbolic links (path_resolution(7)); nothing is opened or run."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath
from typing import Literal

from kir.facts import Component, File
from krun.notify.accounts import PATH

MAX_LINKS = 40
"""Where the kernel gives up (path_resolution(7))."""


def examine(name: str) -> File:
    """What stands on the way to ``name``. A name without a slash is looked for as a script's is: in `krun.notify.accounts.PATH`."""
    if "/" not in name:
        for folder in PATH.split(":"):
            found = examine(f"{folder}/{name}")
            if found.exists:
                return File(path=name, exists=True, components=found.components)
        return File(path=name, exists=False, error=f"it is in none of {PATH}")
    if not name.startswith("/"):
        return File(path=name, exists=False, error="it is no absolute path")
    components: list[Component] = []
    error = _walk(name, components)
    return File(path=name, exists=error is None, error=error, components=tuple(components))


def _walk(name: str, components: list[Component]) -> str | None:
    """Add what is met on the way; the result says what stopped it."""
    here, todo, links = "/", list(PurePosixPath(name).parts[1:]), 0
    try:
        components.append(_component(here))
        while todo:
            step = todo.pop(0)
            if step == "..":
                here = os.path.dirname(here)  # noqa: PTH120 - text: links were already followed
                continue
            if components[-1].kind == "file":
                return f"{components[-1].path} is no directory"
            here = os.path.join(here, step)  # noqa: PTH118
            component = _component(here)
            components.append(component)
            if component.target is None:
                continue
            links += 1
            if links > MAX_LINKS:
                return f"{here} leads through too many symbolic links"
            target = PurePosixPath(component.target)
            parts = target.parts[1:] if target.is_absolute() else target.parts
            here = "/" if target.is_absolute() else os.path.dirname(here)  # noqa: PTH120
            todo = [*parts, *todo]
    except FileNotFoundError:
        return f"{here} does not exist" if here != name else "it does not exist"
    except (OSError, ValueError) as e:
        return f"{here}: {e.strerror if isinstance(e, OSError) else e}"
    return None


def _component(path: str) -> Component:
    details = Path(path).lstat()
    kind: Literal["directory", "file", "link", "other"] = "other"
    if stat.S_ISDIR(details.st_mode):
        kind = "directory"
    elif stat.S_ISREG(details.st_mode):
        kind = "file"
    elif stat.S_ISLNK(details.st_mode):
        kind = "link"
    return Component(
        path=path,
        kind=kind,
        uid=details.st_uid,
        gid=details.st_gid,
        mode=f"{stat.S_IMODE(details.st_mode):04o}",
        target=os.readlink(path) if kind == "link" else None,  # noqa: PTH115
    )
