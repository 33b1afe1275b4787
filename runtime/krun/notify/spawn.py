"""Starting a command: found, judged, and executed as its user, in a session of its own, without a shell."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import subprocess
from collections.abc import Iterator

from kir.model import Account
from krun.notify.accounts import PATH, Identity, NoSuchAccountError, identify
from krun.notify.client import ScriptRun
from krun.notify.security import insecure_component

SHELL = "/bin/sh"

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PR_GET_PDEATHSIG = 2


SCRIPT_UMASK = 0o022
"""The file mode mask of scripts where none is configured."""


class RefusedError(Exception):
    """The command was not started; the text says why and what to do. ``soon``: it may work in a moment."""

    def __init__(self, words: str, *, soon: bool = False) -> None:
        super().__init__(words)
        self.soon = soon


def find(program: str) -> str:
    """The path of ``program``: itself, or, for a name without a slash, where it stands first in `PATH`, as keepalived looks for it.

    Raises `RefusedError`.
    """
    if program.startswith("/"):
        return program
    if "/" in program:
        raise RefusedError(f"{program}: neither a whole path nor a name to be found in {PATH}")
    for folder in PATH.split(":"):
        path = f"{folder}/{program}"
        with contextlib.suppress(OSError):
            details = os.stat(path)  # noqa: PTH116
            if stat.S_ISREG(details.st_mode) and details.st_mode & 0o111:
                return path
    raise RefusedError(f"{program}: no such program in {PATH}; write the whole path of the script")


def examine(program: str, account: Account, secure: bool) -> str | None:
    """Why ``program`` could not be started as ``account`` now; None where it could, as far as can be told without trying."""
    try:
        path = find(program)
        identity = _identity(program, account)
        _refuse_insecure(path, identity, secure)
        with as_user(identity):
            try:
                details = os.stat(path)  # noqa: PTH116
            except OSError as error:
                return _words(path, identity.name, error)
            if not stat.S_ISREG(details.st_mode):
                return f"{path}: not a file"
            if not os.access(path, os.X_OK, effective_ids=True):
                return _words(path, identity.name, PermissionError(errno.EACCES, ""))
            interpreter = _interpreter(path)
            if interpreter is not None and not os.path.exists(interpreter):  # noqa: PTH110
                return f"{path}: the interpreter in its first line, {interpreter}, does not exist"
    except RefusedError as error:
        return str(error)
    return None


def doubtful(program: str, account: Account) -> str | None:
    """Who besides root and the user that ``program`` runs as could change what it does; None: nobody, or it cannot be told."""
    try:
        path = find(program)
        return insecure_component(path, _identity(program, account).uid)
    except RefusedError:
        return None


def start(spec: ScriptRun, secure: bool, umask: int = SCRIPT_UMASK) -> tuple[subprocess.Popen[bytes], int]:
    """The process, and the descriptor its output comes from. ``secure``: never run as root what others may write.
    ``umask``: its file mode mask.

    Raises `RefusedError`.
    """
    if not spec.argv:
        raise RefusedError("there is no command")
    program = find(spec.argv[0])
    identity = _identity(program, spec.account)
    _refuse_insecure(program, identity, secure)
    reader, writer = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(reader, False)
    try:
        try:
            process = _popen((program, *spec.argv[1:]), identity, spec, writer, umask)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            # A text without `#!`: a shell reads it, as execvp(3) has it, and keepalived. Its words are still its own.
            process = _popen((SHELL, program, *spec.argv[1:]), identity, spec, writer, umask)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        os.close(reader)
        soon = isinstance(error, OSError) and error.errno in (errno.ETXTBSY, errno.EAGAIN)
        raise RefusedError(_words(program, identity.name, error), soon=soon) from None
    finally:
        os.close(writer)
    return process, reader


def _popen(
    argv: tuple[str, ...], identity: Identity, spec: ScriptRun, output: int, umask: int
) -> subprocess.Popen[bytes]:
    change = os.geteuid() == 0  # only root may; anybody else can run scripts as himself alone
    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd="/",
        env=identity.environment() | dict(spec.facts),
        close_fds=True,
        start_new_session=True,
        user=identity.uid if change else None,
        group=identity.gid if change else None,
        extra_groups=identity.groups if change else None,
        umask=umask,
    )


def _identity(program: str, account: Account) -> Identity:
    try:
        identity = identify(account)
    except NoSuchAccountError as error:
        raise RefusedError(
            f"{program}: {error}; create it, or name another one in the configuration"
        ) from None
    if os.geteuid() not in (0, identity.uid):
        raise RefusedError(f"{program}: cannot run as user {identity.name}: krun itself is not root")
    return identity


def _refuse_insecure(path: str, identity: Identity, secure: bool) -> None:
    if not secure:
        return
    if identity.uid == 0:
        if (why := insecure_component(path)) is not None:
            raise RefusedError(
                f"{path}: not run as root, for others could change what it does: {why} (enable_script_security). "
                "Correct owner or mode, or run it as another user"
            )
        return
    with contextlib.suppress(OSError):
        details = os.stat(path)  # noqa: PTH116
        as_root = details.st_mode & stat.S_ISUID and details.st_uid == 0
        if as_root and (why := insecure_component(path)) is not None:
            raise RefusedError(
                f"{path}: becomes root (set-user-ID), and others could change what it does: {why} (enable_script_security)"
            )


@contextlib.contextmanager
def as_user(identity: Identity) -> Iterator[None]:
    """See the file system as that user does. There is one thread, and no other code runs meanwhile."""
    us, our_group, our_groups = os.geteuid(), os.getegid(), os.getgroups()
    if us != 0 or identity.uid == 0:
        yield
        return
    libc = ctypes.CDLL(None)
    dies_with = ctypes.c_int(0)
    libc.prctl(_PR_GET_PDEATHSIG, ctypes.byref(dies_with), 0, 0, 0)
    try:
        os.setgroups(identity.groups)
        os.setegid(identity.gid)
        os.seteuid(identity.uid)
        yield
    finally:
        os.seteuid(us)
        os.setegid(our_group)
        os.setgroups(our_groups)
        libc.prctl(_PR_SET_PDEATHSIG, dies_with.value, 0, 0, 0)  # changing the user has cleared it


def _interpreter(path: str) -> str | None:
    """What a script's ``#!`` line names; None where there is none, or it cannot be read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            line = file.readline(256)
    except OSError:
        return None
    if not line.startswith(b"#!"):
        return None
    words = line[2:].split()
    return os.fsdecode(words[0]) if words else None


def _words(program: str, user: str, error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ENOENT:
        if os.path.lexists(program):
            return f"{program}: the interpreter in its first line does not exist"
        return f"{program}: no such file"
    if number == errno.EACCES:
        return f"{program}: user {user} may not execute it; check the mode of the file and of the directories above it"
    if number == errno.ENOTDIR:
        return f"{program}: a component of the path is not a directory"
    if number == errno.ETXTBSY:
        return f"{program}: somebody has it open for writing; put a new version in its place by renaming (mv)"
    if number == errno.EAGAIN:
        return f"{program}: user {user} has too many processes already"
    if isinstance(error, OSError):
        return f"{program}: {error.strerror or error}"
    return f"{program}: {error}"
