"""What the kernel of the host must have."""

from __future__ import annotations

from kcc.hosts.case import HostCase, runs_here


def no_ipvs(case: HostCase) -> None:
    """Virtual servers need IPVS (CONFIG_IP_VS, module ``ip_vs``)."""
    servers = case.config.virtual_servers
    if not servers or case.facts.kernel.ipvs:
        return
    count = f"{len(servers)} virtual server{'s' * (len(servers) != 1)}"
    case.say(
        "KC1211",
        f"{case.host} has no IPVS (kernel {case.facts.kernel.release}), but the configuration has {count}",
        f"virtual_server/{servers[0].name}",
        consequence=f"{runs_here(case.target)} cannot make any virtual service: connections to them are refused",
        help="load the module `ip_vs`, or install the kernel package that has it; in a container the host must load it",
    )
