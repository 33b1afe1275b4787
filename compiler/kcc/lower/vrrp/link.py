"""The interface of its own that a virtual router may have: a VMAC (RFC 9568 section 7.3) or an ipvlan; and its VRF."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kcc.language.arguments.vmac import VmacValue
from kcc.language.parsed import versions
from kcc.lower.vrrp.identity import family_name, family_of
from kir.model import Ipvlan, Vmac

if TYPE_CHECKING:
    from kcc.language.arguments.vmac import IpvlanValue
    from kcc.language.parsed import Field
    from kcc.lower.vrrp.draft import Draft

# With any of these keepalived takes the instance for a unicast one here, peers or not.
_UNICAST = ("unicast_src_ip", "check_unicast_src", "unicast_fault_no_peer", "old_unicast_checksum")
IFNAME_MAX = 15  # linux/if.h: IFNAMSIZ - 1


def settle_vmac(draft: Draft, vrid: int | None) -> None:
    """``use_vmac``, ``use_ipvlan``, ``vmac_xmit_base``, ``promote_secondaries`` and ``vrf``."""
    vmac = draft.node.fields.get("use_vmac")
    ipvlan = draft.node.fields.get("use_ipvlan")
    said = vmac or ipvlan
    unicast = bool(draft.node.children("unicast_peer")) or any(draft.node.has(name) for name in _UNICAST)
    if said is not None and unicast and not draft.interface:
        draft.say(
            "KC0550",
            f"`{draft.name}`: `{'use_vmac' if vmac else 'use_ipvlan'}` without `interface`",
            said,
            consequence="keepalived clears it: the addresses have the interface's own MAC address",
            help="add `interface NAME`, or remove the line",
        )
        vmac = ipvlan = None
    if vmac is not None and ipvlan is not None:
        draft.say(
            "KC0316",
            f"`{draft.name}`: `use_vmac` and `use_ipvlan` are both given",
            vmac,
            consequence="keepalived makes an ipvlan, which has the MAC address of the interface",
            help="remove one of the two lines",
            also=((ipvlan, "the other one"),),
        )
        vmac = None
    if vmac is not None and vrid is not None:
        draft.vmac = _vmac(draft, _joined(vmac), vrid)
    elif ipvlan is not None:
        address = _ipvlan_address(draft, ipvlan.value)
        if vrid is not None:
            draft.ipvlan = _ipvlan(draft, ipvlan.value, address, vrid)
    _xmit_base(draft, unicast)
    draft.promote_secondaries = draft.get("promote_secondaries", False)
    if draft.promote_secondaries and (draft.vmac is not None or draft.ipvlan is not None):
        link = "a VMAC" if draft.vmac is not None else "an ipvlan"
        draft.say(
            "KC0554",
            f"`{draft.name}`: `promote_secondaries` does not work with {link}",
            draft.at("promote_secondaries"),
            consequence="keepalived switches it off",
            help="remove the line",
        )
        draft.promote_secondaries = False
    _vrf(draft, unicast)


def _joined(said: Field) -> VmacValue:
    """What all lines ``use_vmac`` say together: of names, addresses and groups the first one."""
    values: list[VmacValue] = [field.value for field in versions(said)]

    def first(name: str) -> Any:
        return next((found for value in values if (found := getattr(value, name)) is not None), None)

    return VmacValue(
        name=first("name"),
        mac=first("mac"),
        netlink_notify=any(value.netlink_notify for value in values),
        group=first("group"),
    )


def _link_name(draft: Draft, said: str | None, vrid: int) -> str:
    """The name that is said, else ``PREFIX.VRID``; where another instance has it, with a number behind the prefix."""
    taken = draft.scope.links
    if said is None or said in taken:
        if said is not None:
            draft.say(
                "KC0552",
                f"`{draft.name}`: {said} is the interface of another instance",
                draft.at("use_vmac", "use_ipvlan"),
                consequence="keepalived chooses a name itself",
                help="write another name, or none",
            )
        prefix = draft.scope.defaults.vmac_prefix
        room = IFNAME_MAX - len(f".{vrid}")
        first = ["6"] if draft.family == "inet6" else []
        tries = ["", *first, *(str(n) for n in range(1, 1000) if str(n) not in first)]
        names = (f"{prefix[: room - len(number)]}{number}.{vrid}" for number in tries)
        said = next((name for name in names if name not in taken), f"{prefix[:room]}.{vrid}")
    taken.add(said)
    return said


def _vmac(draft: Draft, value: VmacValue, vrid: int) -> Vmac:
    octet = "01" if draft.family == "inet" else "02"
    standard = f"00:00:5e:00:{octet}:{vrid:02x}"
    mac = value.mac
    if mac is not None and draft.strict:
        draft.say(
            "KC0518",
            f"`{draft.name}`: strict mode does not allow the MAC address {mac}",
            draft.at("use_vmac"),
            consequence=f"keepalived uses {standard}",
            help="remove the address, or switch strict mode off",
            also=draft.strictly(),
        )
        mac = None
    if mac is not None and mac.count(":") == 4:
        mac = f"{mac}:{vrid:02x}"
    return Vmac(
        name=_link_name(draft, value.name, vrid),
        mac=mac or standard,
        netlink_notify=value.netlink_notify,
        group=value.group,
    )


def _ipvlan_address(draft: Draft, value: IpvlanValue) -> str | None:
    """The address of the ipvlan, None where it has none that can be used."""
    address = value.address
    if address is not None and family_of(address) != draft.family:
        draft.say(
            "KC0555",
            f"`{draft.name}` is an {family_name(draft.family)} router: {address} cannot be on its ipvlan",
            draft.at("use_ipvlan"),
            consequence="keepalived keeps the instance in FAULT: this director never holds its addresses",
            help=f"write an {family_name(draft.family)} address",
        )
        address = None
    elif address is None and draft.family == "inet":
        draft.say(
            "KC0555",
            f"`{draft.name}`: an ipvlan of an IPv4 router needs an address of its own",
            draft.at("use_ipvlan"),
            consequence="keepalived keeps the instance in FAULT: this director never holds its addresses",
            help="write `use_ipvlan ADDRESS/LEN`",
        )
    return address


def _ipvlan(draft: Draft, value: IpvlanValue, address: str | None, vrid: int) -> Ipvlan:
    prefix = None if address is None else value.prefix
    if address is not None and prefix is None:
        prefix = 32 if family_of(address) == "inet" else 128
    return Ipvlan(
        name=_link_name(draft, value.name, vrid),
        address=address,
        prefix=prefix,
        mode=value.mode,
        group=value.group,
    )


def _xmit_base(draft: Draft, unicast: bool) -> None:
    said = draft.node.fields.get("vmac_xmit_base")
    draft.xmit_base = said is not None
    if said is not None and (draft.strict or draft.vmac is None):
        why = "without `use_vmac`" if draft.vmac is None else "in strict mode"
        draft.say(
            "KC0553",
            f"`{draft.name}`: `vmac_xmit_base` has no effect {why}",
            said,
            consequence="keepalived switches it off",
            help="remove the line" + (", or add `use_vmac`" if draft.vmac is None else ""),
        )
        draft.xmit_base = False
    elif said is None and unicast and (draft.vmac is not None or draft.ipvlan is not None):
        ipvlan = draft.vmac is None
        draft.say(
            "KC0551",
            f"`{draft.name}`: unicast adverts cannot leave from {'an ipvlan' if ipvlan else 'a VMAC'}",
            draft.at("use_vmac", "use_ipvlan"),
            consequence="keepalived wants `vmac_xmit_base` with it, which it refuses of an ipvlan: `keepalived -t` fails"
            if ipvlan
            else "keepalived sets `vmac_xmit_base`: they leave from the interface below it",
            help="remove `unicast_peer`, or `use_ipvlan`" if ipvlan else "add `vmac_xmit_base`",
        )
        draft.xmit_base = not ipvlan


def _vrf(draft: Draft, unicast: bool) -> None:
    said = draft.node.fields.get("vrf")
    if said is None:
        return
    if draft.interface or not unicast:
        why = "with `interface`" if draft.interface else "without unicast peers"
        draft.say(
            "KC0557",
            f"`{draft.name}`: `vrf` has no effect {why}",
            said,
            consequence="keepalived ignores it"
            + (": the interface is in its own VRF already" if draft.interface else ""),
            help="remove the line",
        )
        return
    draft.vrf = said.value


def on_vmac(draft: Draft, device: str, family: str) -> str | None:
    """Why ``use_vmac`` on an address would be redundant, None where it is not."""
    if draft.node.has("use_vmac_addr"):
        return "`use_vmac_addr` says so for all addresses"
    if draft.node.has("use_vmac") and device == draft.get("interface", "") and family == draft.family:
        return "the instance uses a VMAC there anyway"
    return None
