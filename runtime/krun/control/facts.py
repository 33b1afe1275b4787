"""``krunctl facts``: what is true of this host, for a compiler on another one (`kir.facts`). Only reads; nothing is loaded or run."""

from __future__ import annotations

import grp
import os
import pwd
import sys
from collections.abc import Iterable
from pathlib import Path

from kir.codec import IrError, load_path
from kir.commands import commands
from kir.facts import VERSION, Facts, Group, Interface, InterfaceAddress, Kernel, User, dumps
from kir.model import Config
from krun.control.client import NoDaemonError, ask
from krun.control.paths import examine
from krun.kernel.addresses import HostAddress
from krun.kernel.door import Link
from krun.kernel.netlink.generic import NETLINK_GENERIC, family_number
from krun.kernel.netlink.ipvs import FAMILY_NAME
from krun.kernel.netlink.socket import NetlinkSocket
from krun.kernel.reflector import Picture, Reflector

MODULES = Path("/lib/modules")
PROC_IPV6 = Path("/proc/sys/net/ipv6")


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
    files = dict.fromkeys([*(c.file for c in found), *more])
    try:
        interfaces = _interfaces()
    except OSError as e:
        raise Unusable(f"interfaces cannot be read by rtnetlink: {e.strerror or e}") from None
    return Facts(
        facts=VERSION,
        hostname=os.uname().nodename,
        kernel=Kernel(release=os.uname().release, ipvs=_ipvs(), ipv6=PROC_IPV6.is_dir()),
        interfaces=interfaces,
        users=_users({a.user for a in accounts if a.user}),
        groups=_groups({a.group for a in accounts if a.group}),
        files=tuple(examine(name) for name in sorted(files)),
    )


def _interfaces() -> tuple[Interface, ...]:
    reflector = Reflector()
    try:
        return interfaces_of(reflector.picture)
    finally:
        reflector.close()


def interfaces_of(picture: Picture) -> tuple[Interface, ...]:
    """The picture of interfaces and addresses as facts, in the kernel's order."""
    names = {link.index: link.name for link in picture.links.values()}
    return tuple(
        Interface(
            name=link.name,
            mtu=link.mtu,
            kind=link.kind,
            flags=_flags(link),
            mac=":".join(f"{octet:02x}" for octet in link.mac),
            master=names.get(link.master) if link.master else None,
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


def _ipvs() -> bool:
    """Whether the kernel has IPVS or has its module at hand; it is not loaded for the question."""
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
    here = MODULES / os.uname().release
    for listing in ("modules.builtin", "modules.dep"):
        try:
            if "/ip_vs.ko" in (here / listing).read_text(errors="replace"):
                return True
        except OSError:
            continue
    return False


__all__ = ["Unusable", "collect", "interfaces_of", "run"]
