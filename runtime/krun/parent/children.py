"""Which children there are, which of them a configuration needs, and where their code is."""

from __future__ import annotations

from kir.model import Config
from krun.kernel import open_kernel
from krun.parent.shell import Make

START_ORDER = ("script", "vrrp", "check")
STOP_ORDER = ("vrrp", "check", "script")


def needed(config: Config) -> tuple[str, ...]:
    """The children that ``config`` needs, in the order of their start. The script process is there as soon as another one is,
    or a script at the start or the end of krun itself.

    Static addresses, routes and rules are the VRRP process's, with or without an instance.
    """
    names: list[str] = []
    if config.vrrp_instances or config.static_addresses or config.static_routes or config.static_rules:
        names.append("vrrp")
    if config.virtual_servers:
        names.append("check")
    hooks = config.global_defs.startup_script or config.global_defs.shutdown_script
    return ("script", *names) if names or hooks else ()


def preload(kernel: str) -> None:
    """Import the kernel backend in the parent: a successor that had to read its modules first would be late for its role."""
    open_kernel(kernel)  # it opens nothing before it is asked for a part


def maker(name: str) -> Make:
    """The class of child ``name``; its modules are imported here, in the parent, so that every fork has them already."""
    if name == "vrrp":
        from krun.vrrp.process import VrrpChild

        return VrrpChild
    if name == "check":
        from krun.check.process import CheckChild

        return CheckChild
    from krun.notify.helper import ScriptChild

    return ScriptChild
