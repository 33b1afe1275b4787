"""Which capabilities a configuration needs (capabilities(7)), of which process, and why: for the start, and for whoever asks before it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kir.model import Config
from krun.parent import privileges
from krun.parent.children import needed


@dataclass(frozen=True, slots=True)
class Need:
    """``process`` (``krun``: the parent) needs ``capability``; ``why`` names what does without it, in words after "for"."""

    process: str
    capability: int
    why: str

    @property
    def name(self) -> str:
        """``CAP_NET_ADMIN``."""
        return privileges.NAMES[self.capability]


def _bound(config: Config) -> Iterable[int]:
    """The ports that checks are bound to."""
    for server in config.virtual_servers:
        for real in server.real_servers:
            for check in real.checkers:
                endpoint = getattr(check, "endpoint", None)
                yield 0 if endpoint is None else endpoint.bind_port


_WHY: dict[tuple[str, int], str] = {
    ("vrrp", privileges.NET_ADMIN): "addresses, routes and rules",
    ("vrrp", privileges.NET_RAW): "adverts and gratuitous ARP",
    ("check", privileges.NET_ADMIN): "the IPVS table",
    ("check", privileges.NET_RAW): "checks that are bound to an interface",
    ("check", privileges.NET_BIND_SERVICE): "checks from a port below 1024 (`bind_port`)",
    ("vrrp", privileges.IPC_LOCK): "locked memory (`vrrp_no_swap`)",
    ("check", privileges.IPC_LOCK): "locked memory (`checker_no_swap`)",
    ("script", privileges.SETUID): "scripts that run as another user",
    ("script", privileges.SETGID): "scripts that run as another user",
    ("script", privileges.KILL): "ending scripts of another user",
    ("script", privileges.CHOWN): "notify pipes of another user",
    ("script", privileges.DAC_READ_SEARCH): "scripts in private directories",
}


def needed_capabilities(config: Config) -> tuple[Need, ...]:
    """What a krun with the Linux kernel needs to carry out all of ``config``. Sorted by process, in the order of their start.

    The parent can give its children only what it has itself, so what any process needs the parent must have too; that is not said
    twice here. One without its capability is told by the kernel, and by the log, when it comes to it: only CAP_NET_ADMIN,
    CAP_NET_RAW and CAP_SYS_ADMIN are such that krun is of no use without them.
    """
    settings = config.global_defs
    found: list[Need] = []
    spaces = settings.namespaces
    if spaces.network is not None:
        found.append(Need("krun", privileges.SYS_ADMIN, f"`net_namespace {spaces.network}`"))
    elif spaces.ipvs:
        found.append(Need("krun", privileges.SYS_ADMIN, f"`net_namespace_ipvs {spaces.ipvs}`"))
    processes = needed(config)
    for name, prefix, nice, real_time in (
        ("vrrp", "vrrp", settings.vrrp_priority, settings.vrrp_rt_priority),
        ("check", "checker", settings.checker_priority, settings.checker_rt_priority),
        ("bfd", "bfd", settings.bfd_priority, settings.bfd_rt_priority),
    ):
        if name not in processes:
            continue
        if real_time > 0:
            found.append(Need("krun", privileges.SYS_NICE, f"`{prefix}_rt_priority {real_time}`"))
        elif nice < 0:
            found.append(Need("krun", privileges.SYS_NICE, f"`{prefix}_priority {nice}`"))
    if processes and settings.max_auto_priority > 0:
        found.append(Need("krun", privileges.SYS_NICE, f"`max_auto_priority {settings.max_auto_priority}`"))
    for name in processes:
        for capability in sorted(privileges.keeps(name, config) or ()):
            if capability == privileges.NET_BIND_SERVICE and not any(
                0 < port < 1024 for port in _bound(config)
            ):
                continue  # kept all the same: a reload may bring one
            found.append(Need(name, capability, _WHY[name, capability]))
    return tuple(found)
