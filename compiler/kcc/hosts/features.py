"""What the kernel of the host must have."""

from __future__ import annotations

from kcc.hosts.case import HostCase, path_of, runs_here
from kcc.lower.scope import some


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


def no_scheduler(case: HostCase) -> None:
    """Each scheduler is a module of its own (``ip_vs_wlc``); the kernel refuses a service whose scheduler it has not."""
    have = case.facts.kernel.schedulers
    if have is None or not case.facts.kernel.ipvs:
        return
    lacking: dict[str, list[str]] = {}
    for server in case.config.virtual_servers:
        if server.scheduler not in have:
            lacking.setdefault(server.scheduler, []).append(server.name)
    for scheduler, names in lacking.items():
        case.say(
            "KC1214",
            f"{case.host} has no scheduler `{scheduler}` (kernel {case.facts.kernel.release}), which "
            f"{some([f'`{n}`' for n in names])} {'uses' if len(names) == 1 else 'use'}",
            f"virtual_server/{names[0]}",
            "scheduler",
            consequence="the kernel refuses the service: connections to it are refused",
            help=f"install the module `ip_vs_{scheduler}`"
            + (f", or use one of {', '.join(have)}" if have else ""),
        )


def no_nftables(case: HostCase) -> None:
    """Addresses that are not accepted, and the reports of VMACs, are filtered by nftables (CONFIG_NF_TABLES)."""
    settings = case.config.global_defs
    if case.facts.kernel.nftables is not False or (
        settings.iptables is not None and settings.nftables is None
    ):
        return
    mute = next((i for i in case.config.vrrp_instances if not i.accept and not i.owner and i.vips), None)
    vmac = next((i for i in case.config.vrrp_instances if i.vmac is not None), None)
    if settings.nftables_ipvs is not None:
        path, field, why = (
            "global_defs",
            "nftables_ipvs",
            "`nftables_ipvs` marks the packets of virtual servers",
        )
        effect = "nothing marks the packets: virtual servers of groups get no connections"
    elif mute is not None:
        path, field, why = path_of(mute), "accept", f"the addresses of `{mute.name}` are not to be accepted"
        effect = "packets to the addresses are not dropped: the director itself answers there"
    elif vmac is not None:
        path, field, why = path_of(vmac), "vmac", f"the VMAC of `{vmac.name}` needs filters"
        effect = "reports of group membership leave with the virtual MAC address: switches send its traffic to a backup"
    elif settings.nftables is not None:
        path, field, why = "global_defs", "nftables", "the configuration asks for it"
        effect = "no filter is set"
    else:
        return
    case.say(
        "KC1215",
        f"{case.host} has no nftables (kernel {case.facts.kernel.release}), but {why}",
        path,
        field,
        consequence=effect,
        help="load the module `nf_tables`, or install the kernel package that has it",
    )
