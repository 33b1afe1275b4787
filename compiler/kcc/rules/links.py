"""Rules about interfaces of their own, static addresses, and the places of track files."""

from __future__ import annotations

from posixpath import normpath

from kcc.diagnostics.model import Severity
from kcc.rules.rule import Case
from kir.model import VrrpInstance

Carrier = tuple[str, str, int, str]
"""A VMAC as the kernel sees it: interface below, family and virtual router id (they make its address), or a written address."""

WITHOUT_NOTICE = ("/proc", "/sys")
"""File systems whose files change without inotify(7) telling of it."""


def _path(instance: VrrpInstance) -> str:
    return f"vrrp_instance/{instance.name}"


def shared_vmac(case: Case) -> None:
    """Two instances that put addresses on one VMAC: where one gives it up, the other loses it too.

    The MAC address is made of the virtual router id (RFC 9568 section 7.3), so instances with one id on different interfaces share
    a VMAC where both have addresses on a third one, or one on the other's. In one sync group they change together.
    """
    holder: dict[Carrier, VrrpInstance] = {}
    for instance in case.config.vrrp_instances:
        for carrier, field in _carriers(instance).items():
            first = holder.setdefault(carrier, instance)
            if first is instance or (first.sync_group and first.sync_group == instance.sync_group):
                continue
            if first.interface == instance.interface and first.group == instance.group:
                continue  # the same id on one link: that was said
            case.say(
                "KC0528",
                f"`{instance.name}` and `{first.name}` share the VMAC of router id {instance.vrid} on {carrier[0]}",
                _path(instance),
                field,
                consequence=f"keepalived keeps `{instance.name}` in FAULT: this director never holds its addresses",
                help="give one of them another `virtual_router_id`, or put both into one `vrrp_sync_group`",
                also=((_path(first), "vrid", f"`{first.name}` has the id too"),),
            )
            break


def _carriers(instance: VrrpInstance) -> dict[Carrier, str]:
    """The VMACs that an instance needs, with the field that asks for each."""
    found: dict[Carrier, str] = {}
    if instance.vmac is not None:
        found[instance.interface, instance.family, instance.vrid, instance.vmac.mac.lower()] = "vmac"
    for vip in (*instance.vips, *instance.excluded_vips):
        if not (vip.use_vmac or (instance.vmac_addresses and vip.device != instance.interface)):
            continue
        version = 1 if vip.family == "inet" else 2
        mac = f"00:00:5e:00:{version:02x}:{instance.vrid:02x}"
        found.setdefault((vip.device, vip.family, instance.vrid, mac), "vmac_addresses")
    return found


def static_virtual_address(case: Case) -> None:
    """A static address that is a virtual one too: it is there on every director that has the line, master or not.

    On the loopback it harms nobody, and the address owner has its addresses anyway.
    """
    holder = {
        vip.address: (i, kind, vip.identity)
        for i in case.config.vrrp_instances
        if not i.owner
        for kind, list_ in (("virtual_ipaddress", i.vips), ("virtual_ipaddress_excluded", i.excluded_vips))
        for vip in list_
    }
    for static in case.config.static_addresses:
        found = holder.get(static.address)
        if found is None or static.device == "lo":
            continue
        instance, kind, identity = found
        case.say(
            "KC0529",
            f"{static.address} is a static address and an address of `{instance.name}`",
            f"static_ipaddress/{static.identity}",
            consequence="this director has it while another one is master: it is on the link twice; and it is gone, also as a static "
            "one, when this director stops being master",
            help="keep it in one of the two places: `static_ipaddress` is for addresses that stay",
            also=((f"{_path(instance)}/{kind}/{identity}", None, f"an address of `{instance.name}`"),),
        )


def track_file_place(case: Case) -> None:
    """Track files are watched by inotify(7), which says nothing of files that the kernel makes up when they are read."""
    for file in case.config.track_files:
        path = normpath(file.path)
        where = next((p for p in WITHOUT_NOTICE if path == p or path.startswith(f"{p}/")), None)
        if where is not None:
            old = case.target == "keepalived-2.2.7"
            case.say(
                "KC0617",
                f"`track_file {file.name}`: {file.path} is below {where}, where changes cannot be watched",
                f"track_file/{file.name}",
                "path",
                consequence="its number is read once: no change of it moves a priority"
                if old
                else "keepalived removes it, and everything that tracks it",
                help="let a script write the number to a file of its own, on a disk or below /run",
                severity=Severity.WARNING if old else None,
            )
        elif not path.startswith("/"):
            case.say(
                "KC0617",
                f"`track_file {file.name}`: `{file.path}` is a relative path",
                f"track_file/{file.name}",
                "path",
                consequence="which file it is depends on the folder that the daemon was started in: mostly / , where it is not",
                help="write the whole path",
                severity=Severity.WARNING,
            )
