"""One configuration and its host before the rules."""

from __future__ import annotations

from kcc.rules.rule import Case
from kir.facts import Facts
from kir.model import VrrpInstance

__all__ = ["HostCase", "path_of", "runs_here"]


class HostCase(Case):
    """A `Case` that knows the host."""

    facts: Facts

    @property
    def host(self) -> str:
        return self.facts.hostname

    @property
    def virtual(self) -> set[str]:
        """All addresses that the configuration puts on interfaces: on a running director the facts show them too."""
        return {v.address for i in self.config.vrrp_instances for v in (*i.vips, *i.excluded_vips)}


def path_of(instance: VrrpInstance) -> str:
    return f"vrrp_instance/{instance.name}"


def runs_here(target: str) -> str:
    """Who carries the configuration out, for a consequence."""
    return "krun" if target == "krun" else "keepalived"
