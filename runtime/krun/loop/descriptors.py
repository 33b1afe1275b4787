"""How many descriptors a process needs at its peak, and whether it may have them (getrlimit(2), RLIMIT_NOFILE).

keepalived opens a socket for each check; ten thousand checks against a limit of 1,024 fail one after the other, and the servers with them. Here the
need is known before: the soft limit is raised to it, the hard one too where that is allowed, and what cannot be had is said at once, in words.
"""

from __future__ import annotations

import contextlib
import resource
from pathlib import Path
from typing import NamedTuple

from kir.model import Config, FileCheck, MiscCheck

OWN = 128
"""Descriptors of a process beside those that its configuration needs: loop, control connections, netlink, log, mail."""

NR_OPEN = Path("/proc/sys/fs/nr_open")
"""Above this nobody can raise the hard limit (proc(5))."""


class Budget(NamedTuple):
    """``needed`` at the peak, and the ``limit`` after it was raised as far as it goes."""

    needed: int
    limit: int

    @property
    def short(self) -> bool:
        return self.limit < self.needed

    def words(self, what: str) -> str:
        """What is wrong and what to do; ``what`` says what becomes of it."""
        return (
            f"up to {self.needed} descriptors are needed at once, and this process may have {self.limit}: {what}."
            f" Raise the limit: LimitNOFILE={self.needed} in the unit, ulimit -Hn {self.needed} in a shell"
            f"{_ceiling(self.needed)}"
        )


def of_checks(config: Config) -> int:
    """The checker process: a socket for each check that asks over the network, all of them under way at once."""
    probes = sum(
        not isinstance(checker, (MiscCheck, FileCheck))
        for virtual in config.virtual_servers
        for real in virtual.real_servers
        for checker in real.checkers
    )
    return OWN + probes


def of_routers(config: Config) -> int:
    """The VRRP process: two sockets, one each way, for each interface, family and group, or unicast source."""
    at = {
        (i.interface, i.family, i.unicast, i.source if i.unicast else i.group) for i in config.vrrp_instances
    }
    return OWN + 2 * len(at)


def of_scripts(at_once: int) -> int:
    """The script process: for each script that runs the pipe that it writes to, and the process itself."""
    return OWN + 3 * at_once


def open_up() -> None:
    """Let the hard limit be no limit but the kernel's, where this process may (CAP_SYS_RESOURCE): only what is needed is taken of it."""
    with contextlib.suppress(OSError, ValueError):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        ceiling = int(NR_OPEN.read_text())
        if hard != resource.RLIM_INFINITY and hard < ceiling:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, ceiling))


def provide(needed: int) -> Budget:
    """See that this process may have ``needed`` descriptors, and never lower what it has. Raises nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return Budget(needed, 1 << 30 if soft == resource.RLIM_INFINITY else soft)
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return Budget(needed, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _ceiling(needed: int) -> str:
    """Where even the kernel's own ceiling is too low."""
    with contextlib.suppress(OSError, ValueError):
        if (ceiling := int(NR_OPEN.read_text())) < needed:
            return f"; sysctl fs.nr_open is {ceiling}, which must be higher, too"
    return ""
