"""``krunctl facts``: what is true of this host, for a compiler on another one (`kir.facts`). Only reads; nothing is loaded or run."""

from __future__ import annotations

import grp
import os
import pwd
import re
import sys
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from socket import NETLINK_ROUTE

from kir.codec import IrError, load_path
from kir.commands import commands
from kir.facts import VERSION, Facts, Group, Interface, InterfaceAddress, Kernel, User, dumps
from kir.files import named_files
from kir.model import Config
from krun.control.client import NoDaemonError, ask
from krun.control.paths import examine
from krun.kernel.addresses import HostAddress
from krun.kernel.door import Link
from krun.kernel.links import AF_UNSPEC
from krun.kernel.netlink.codec import Attribute, AttributeTable, Kind
from krun.kernel.netlink.generic import NETLINK_GENERIC, family_number
from krun.kernel.netlink.ipvs import FAMILY_NAME
from krun.kernel.netlink.rtnl import LINK_HEADER, RTM_GETLINK
from krun.kernel.netlink.socket import NetlinkSocket
from krun.kernel.reflector import Picture, Reflector

MODULES = Path("/lib/modules")
PROC_IPV6 = Path("/proc/sys/net/ipv6")
PROC_MODULES = Path("/proc/modules")

_SCHEDULER = re.compile(r"ip_vs_(?!ftp$|pe_)[a-z]+")

LOWER = AttributeTable(
    "lower link", {"link": Attribute(5, Kind.U32), "link_netnsid": Attribute(37, Kind.U32)}
)
"""IFLA_LINK and IFLA_LINK_NETNSID (linux/if_link.h)."""


class Unusable(Exception):  # noqa: N818 - a state of the host, no mistake of the program
    """The facts cannot be had; the text says what is missing."""


def run(socket_path: Path, ir: Path | None, more: Iterable[str]) -> int:
    """Write the facts to standard output. Without ``ir`` that of the running krun names the files, where there is one.

    Returns the exit status: 0 done, 1 the IR or the kernel refused.
    """
    try:
        config = _config(socket_path, ir)
        facts = collect(config, more)
    except (IrError, Unusable) as e:
        sys.stderr.write(f"krunctl: facts: {e}\n")
        return 1
    if config is None and not facts.files:
        sys.stderr.write(
            "krunctl: facts: no IR was given and no krun runs here: scripts are not covered (krunctl facts IR.json)\n"
        )
    sys.stdout.flush()
    sys.stdout.buffer.write(dumps(facts))
    sys.stdout.buffer.flush()
    return 0


def _config(socket_path: Path, ir: Path | None) -> Config | None:
    """The configuration whose files count. Raises `IrError` and `Unusable`."""
    if ir is not None:
        return load_path(ir).config
    try:
        answer = ask(socket_path, {"op": "status"}, 10.0)
    except NoDaemonError:
        return None
    if not answer.get("ok"):
        raise Unusable(
            f"krun does not tell its IR ({answer.get('error', 'no reason given')}); name it: krunctl facts IR.json"
        )
    return load_path(answer["state"]["ir"]["path"]).config


def collect(config: Config | None, more: Iterable[str] = ()) -> Facts:
    """The facts of this host, with the files and accounts that ``config`` names and the files of ``more``. Raises `Unusable`."""
    found = [] if config is None else list(commands(config))
    accounts = {c.account for c in found}
    others = [] if config is None else [f.path for f in named_files(config)]
    files = dict.fromkeys([*(c.file for c in found), *others, *more])
    try:
        interfaces = _interfaces()
    except OSError as e:
        raise Unusable(f"interfaces cannot be read by rtnetlink: {e.strerror or e}") from None
    return Facts(
        facts=VERSION,
        hostname=os.uname().nodename,
        kernel=_kernel(),
        interfaces=interfaces,
        users=_users({a.user for a in accounts if a.user}),
        groups=_groups({a.group for a in accounts if a.group}),
        files=tuple(examine(name) for name in sorted(files)),
    )


def _interfaces() -> tuple[Interface, ...]:
    reflector = Reflector()
    try:
        return interfaces_of(reflector.picture, _lower())
    finally:
        reflector.close()


def _lower() -> dict[int, int]:
    """Index of a virtual interface → that of the one that it is on, of those that are in this namespace (IFLA_LINK)."""
    found: dict[int, int] = {}
    with closing(NetlinkSocket(NETLINK_ROUTE)) as kernel:
        for message in kernel.dump(RTM_GETLINK, LINK_HEADER.pack(AF_UNSPEC, 0, 0, 0, 0)):
            _, _, index, _, _ = LINK_HEADER.unpack_from(message.data, message.start)
            said = LOWER.unpack(message.data, message.start + LINK_HEADER.size, message.end)
            if "link" in said and "link_netnsid" not in said:
                found[index] = said["link"]
    return found


def interfaces_of(picture: Picture, lower: Mapping[int, int] | None = None) -> tuple[Interface, ...]:
    """The picture of interfaces and addresses as facts, in the kernel's order. ``lower``: index → that of the one below."""
    names = {link.index: link.name for link in picture.links.values()}
    return tuple(
        Interface(
            name=link.name,
            mtu=link.mtu,
            kind=link.kind,
            flags=_flags(link),
            mac=":".join(f"{octet:02x}" for octet in link.mac),
            master=names.get(link.master) if link.master else None,
            hardware=link.hardware,
            lower=names.get((lower or {}).get(link.index, 0)),
            addresses=tuple(_address(a) for a in picture.on(link.name)),
        )
        for link in sorted(picture.links.values(), key=lambda link: link.index)
    )


def _flags(link: Link) -> tuple[str, ...]:
    have = {"arp": link.arp, "loopback": link.loopback, "multicast": link.multicast, "running": link.up}
    return tuple(name for name, is_set in have.items() if is_set)


def _address(address: HostAddress) -> InterfaceAddress:
    return InterfaceAddress(
        address=address.address,
        prefix=address.prefix,
        family="inet6" if address.family == "inet6" else "inet",
        secondary=address.secondary,
        peer=address.peer,
    )


def _users(named: Iterable[str]) -> tuple[User, ...]:
    """Those that are listed, and those that are named: a directory service answers for a name, but need not list it."""
    entries = {e.pw_name: e for e in pwd.getpwall()}
    for name in named:
        try:
            entries.setdefault(name, pwd.getpwnam(name))
        except (KeyError, ValueError):
            continue
    return tuple(User(name=n, uid=e.pw_uid, gid=e.pw_gid) for n, e in sorted(entries.items()))


def _groups(named: Iterable[str]) -> tuple[Group, ...]:
    entries = {e.gr_name: e for e in grp.getgrall()}
    for name in named:
        try:
            entries.setdefault(name, grp.getgrnam(name))
        except (KeyError, ValueError):
            continue
    return tuple(
        Group(name=n, gid=e.gr_gid, members=tuple(sorted(e.gr_mem))) for n, e in sorted(entries.items())
    )


def _kernel() -> Kernel:
    """What the kernel has, or has modules of at hand; none is loaded for the question."""
    modules = _modules()
    return Kernel(
        release=os.uname().release,
        ipvs=_ipvs(modules),
        ipv6=PROC_IPV6.is_dir(),
        schedulers=None
        if modules is None
        else tuple(sorted(m.removeprefix("ip_vs_") for m in modules if _SCHEDULER.fullmatch(m))),
        nftables=None if modules is None else "nf_tables" in modules,
        macvlan=None if modules is None else "macvlan" in modules,
        ipvlan=None if modules is None else "ipvlan" in modules,
    )


def _modules() -> frozenset[str] | None:
    """Names of the modules that are built in, loaded, or can be loaded; None where the lists of this kernel are not here.

    Without ``modules.builtin`` (a container, say) a module that is not loaded may be built in: then nothing is known.
    """
    here = MODULES / os.uname().release
    found: set[str] = set()
    try:
        for listing in ("modules.builtin", "modules.dep"):
            for line in (here / listing).read_text(errors="replace").splitlines():
                name = line.partition(":")[0].rpartition("/")[2].partition(".ko")[0]
                found.add(name.replace("-", "_"))
        loaded = PROC_MODULES.read_text(errors="replace") if PROC_MODULES.exists() else ""
    except OSError:
        return None
    return frozenset(found | {line.partition(" ")[0] for line in loaded.splitlines()})


def _ipvs(modules: frozenset[str] | None) -> bool:
    """Whether the kernel has IPVS or has its module at hand."""
    try:
        with_generic = NetlinkSocket(NETLINK_GENERIC)
    except OSError:
        return False
    try:
        if family_number(with_generic, FAMILY_NAME) is not None:
            return True
    except OSError:
        pass
    finally:
        with_generic.close()
    return modules is not None and "ip_vs" in modules


__all__ = ["Unusable", "collect", "interfaces_of", "run"]
