"""One director of a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_interface

from kcc.diagnostics.model import Findings
from kcc.lower.lowered import Lowered
from kir.facts import Facts
from kir.model import Config, VrrpInstance

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, eq=False)
class Director:
    """``name`` is what messages call it: the file as the command line had it. ``facts``: those of its host, where known."""

    name: str
    lowered: Lowered
    findings: Findings
    facts: Facts | None = None

    @property
    def config(self) -> Config:
        return self.lowered.config

    @property
    def incomplete(self) -> bool:
        """Whether errors were found in it alone: what is missing from it may be missing because of them."""
        return self.findings.errors > 0

    def source(self, instance: VrrpInstance) -> str | None:
        """The address that adverts of ``instance`` come from, None where it cannot be known."""
        if instance.source is not None:
            return instance.source
        if self.facts is None:
            return None
        return self.facts.source_address(
            instance.interface,
            instance.family,
            {vip.address for vip in (*instance.vips, *instance.excluded_vips)},
        )

    def subnets(self, instance: VrrpInstance) -> frozenset[Network]:
        """The subnets on the interface of ``instance``, without its VIPs; empty where they are not known."""
        interface = None if self.facts is None else self.facts.interface(instance.interface)
        if interface is None:
            return frozenset()
        held = {vip.address for i in self.config.vrrp_instances for vip in (*i.vips, *i.excluded_vips)}
        return frozenset(
            ip_interface(f"{a.address}/{a.prefix}").network
            for a in interface.addresses
            if a.family == instance.family and a.address not in held and not a.link_local
        )
