"""Interfaces: when their link state counts, how ARP is paced on them, and those that a virtual router has of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcc.decompile.words import Unprintable, duration
from kcc.decompile.writer import Writer
from kcc.language.arguments.addresses import parse_prefix

if TYPE_CHECKING:
    from kir.model import Config, GarpGroup, Ipvlan, Vmac, VrrpInstance

__all__ = ["print_interfaces", "print_own_link"]

_OWN_WORDS = frozenset(("name", "group", "netlink_notify_msg", "bridge", "private", "vepa"))
_RFC = {"inet": "00:00:5e:00:01", "inet6": "00:00:5e:00:02"}  # RFC 9568 section 7.3


def print_interfaces(config: Config, out: Writer) -> None:
    """The lists about interfaces that stand beside the instances."""
    if config.linkbeat_interfaces:
        with out.section("linkbeat_interfaces"):
            for beat in config.linkbeat_interfaces:
                out.line(beat.interface, *([] if beat.method == "auto" else [beat.method.upper()]))
    if config.interface_delays:
        with out.section("interface_up_down_delays"):
            for delay in config.interface_delays:
                up = [duration(delay.up_us)] if delay.up_us else []
                out.line(delay.interface, duration(delay.down_us), *up)
    _judge_delays(config)
    for group in config.garp_groups:
        _garp_group(group, out)


def _judge_delays(config: Config) -> None:
    """An instance has the delays of its interface, or, being too fast for them, none."""
    said = {d.interface: (d.down_us, d.up_us) for d in config.interface_delays}
    for i in config.vrrp_instances:
        own = (i.interface_down_delay_us, i.interface_up_delay_us)
        if own not in ((0, 0), said.get(i.interface)):
            raise Unprintable(f"{i.name}: delays are those of the interface, and {i.interface} has others")


def _garp_group(group: GarpGroup, out: Writer) -> None:
    with out.section("garp_group"):
        out.seconds("garp_interval", group.arp_interval_us)
        # One of the two must stand there, also where neither has an effect.
        out.seconds("gna_interval", group.na_interval_us, 0 if group.arp_interval_us else -1)
        with out.block("interfaces"):
            for name in group.interfaces:
                out.line(name)


def print_own_link(i: VrrpInstance, out: Writer) -> None:
    """``use_vmac`` or ``use_ipvlan``, and what goes with it."""
    if i.vmac is not None and i.ipvlan is not None:
        raise Unprintable(f"{i.name} has a VMAC and an ipvlan")
    if i.vmac is not None:
        out.say("use_vmac", *_vmac(i.vmac, i))
    if i.ipvlan is not None:
        out.say("use_ipvlan", *_ipvlan(i.ipvlan, i))
    out.flag("vmac_xmit_base", _says_xmit_base(i))
    out.flag("use_vmac_addr", i.vmac_addresses)


def _says_xmit_base(i: VrrpInstance) -> bool:
    """Whether ``vmac_xmit_base`` must stand there. Strict mode turns the word into its opposite, where unicast implies it."""
    if not i.strict:
        return i.xmit_base
    unicast = i.unicast or i.fault_no_peer or i.old_unicast_checksum != "auto"
    implied = unicast and i.vmac is not None
    if i.xmit_base and not implied:
        raise Unprintable(f"{i.name}: strict mode does not allow `vmac_xmit_base`")
    return implied and not i.xmit_base


def _vmac(v: Vmac, i: VrrpInstance) -> list[object]:
    """Name and what differs from the RFC. A sixth octet that is the VRID is left out: the RFC's own may not be said."""
    head, _, last = v.mac.rpartition(":")
    octets = head if last == f"{i.vrid:02x}" else v.mac
    return [
        *_name(v.name, i),
        *([] if octets == _RFC[i.family] else [octets]),
        *(["netlink_notify_msg"] if v.netlink_notify else []),
        *([] if v.group is None else ["group", v.group]),
    ]


def _ipvlan(v: Ipvlan, i: VrrpInstance) -> list[object]:
    if v.prefix is not None and v.address is None:
        raise Unprintable(f"the ipvlan {v.name} has a prefix length and no address")
    return [
        *_name(v.name, i),
        *([] if v.address is None else [f"{v.address}/{v.prefix}"]),
        *([] if v.mode == "bridge" else [v.mode]),
        *([] if v.group is None else ["group", v.group]),
    ]


def _name(name: str, i: VrrpInstance) -> list[object]:
    """Nothing for the name that it gets without being asked; marked as a name where it could be taken for something else."""
    if name == f"vrrp.{i.vrid}":
        return []
    return ["name", name] if name in _OWN_WORDS or parse_prefix(name) is not None else [name]
