"""Files that are replaced in one step: a reader never sees half of one."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path


def write(target: Path, data: bytes, like: os.stat_result | None = None) -> None:
    """Put ``data`` in the place of ``target``, written beside it and renamed.

    The file has owner and mode of ``like``; None: it is readable by its owner alone. Raises OSError, and leaves ``target`` as it was.
    """
    import tempfile

    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)  # 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if like is not None:
                if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(handle, like.st_uid, like.st_gid)
                os.fchmod(handle, stat.S_IMODE(like.st_mode))
            os.fsync(handle)
        Path(name).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
