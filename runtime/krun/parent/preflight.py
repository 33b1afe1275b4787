"""Before anything is touched: does this process have the rights that its configuration needs, and if not, what does it lack for what?

The kernel's own words come one object at a time and long after the start (``RTNETLINK answers: Operation not permitted``), where a director
may already have told its peers that it is master. So the rights are looked at first, and what is missing is said with the thing that needs it.
"""

from __future__ import annotations

import errno
import os
import resource
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kir.model import Account, Config
from krun.parent import privileges
from krun.parent.needs import Need, needed_capabilities

if TYPE_CHECKING:
    from kir.commands import Command

FATAL = frozenset(
    {
        privileges.NET_ADMIN,
        privileges.NET_RAW,
        privileges.NET_BIND_SERVICE,
        privileges.SETUID,
        privileges.SETGID,
        privileges.SYS_ADMIN,
    }
)
"""Without one of these something that is configured cannot be done at all, so krun does not start. Without the others it does, less well."""

_NO_INTERFACE = 0x7FFFFFFF
_RTM_DELADDR = 21  # linux/rtnetlink.h


@dataclass(frozen=True, slots=True)
class Rights:
    """What this process may. ``foreign``: capabilities that it has, and that do not count in its network namespace, for that belongs to
    another user namespace. ``real_time``, ``nice``: the highest real-time priority and the lowest nice value that the limits allow without
    a capability; ``locked``: memory may be locked without one. ``lowest_port``: the first that anybody may bind.
    """

    uid: int
    effective: frozenset[int]
    foreign: frozenset[int] = frozenset()
    real_time: int = 0
    nice: int = 20
    locked: bool = False
    lowest_port: int = 1024
    systemd: bool = False

    @classmethod
    def here(cls) -> Rights:
        """This process's."""
        effective = _effective()
        probes = ((privileges.NET_ADMIN, _may_administrate), (privileges.NET_RAW, _may_send_raw))
        real_time, nice, memory = (
            resource.getrlimit(limit)[0]
            for limit in (resource.RLIMIT_RTPRIO, _RLIMIT_NICE, resource.RLIMIT_MEMLOCK)
        )
        return cls(
            uid=os.geteuid(),
            effective=effective,
            foreign=frozenset(number for number, may in probes if number in effective and not may()),
            real_time=99 if real_time < 0 else real_time,
            nice=-20 if nice < 0 else 20 - nice,
            locked=memory == resource.RLIM_INFINITY,
            lowest_port=_lowest_port(),
            systemd="INVOCATION_ID" in os.environ,
        )


_RLIMIT_NICE = 13  # asm-generic/resource.h; the module has no name for it


@dataclass(frozen=True, slots=True)
class Missing:
    """A capability that is not there, ``what`` is not possible without it, and what to do. ``fatal``: krun does not start."""

    capability: int
    what: str
    advice: str
    foreign: bool = False

    @property
    def fatal(self) -> bool:
        return self.capability in FATAL

    def __str__(self) -> str:
        name = privileges.NAMES[self.capability]
        if self.foreign:
            return f"{name} does not count in this network namespace, which belongs to another user namespace: {self.what}; {self.advice}"
        return f"{name} is missing: {self.what}; {self.advice}"


def missing(config: Config, rights: Rights) -> list[Missing]:
    """What ``config`` needs and ``rights`` lacks, the worst first; one entry a capability and process."""
    found: list[Missing] = []
    said: set[tuple[str, int]] = set()
    for need in needed_capabilities(config):
        number = need.capability
        if (number in rights.effective and number not in rights.foreign) or (need.process, number) in said:
            continue
        what = _what(need, config, rights)
        if what:
            said.add((need.process, number))
            foreign = number in rights.foreign
            found.append(Missing(number, what, _advice(number, rights, foreign), foreign))
    return sorted(found, key=lambda one: not one.fatal)


def _advice(number: int, rights: Rights, foreign: bool) -> str:
    name = privileges.NAMES[number]
    if foreign:
        return "give krun a network namespace of its own (in a container: no --network host), or run it without a user namespace"
    if rights.uid != 0:
        return f"krun runs as uid {rights.uid}: start it as root"
    if rights.systemd:
        return f"add CapabilityBoundingSet={name} to the unit (`systemctl edit krun`)"
    return f"run with --cap-add {name.removeprefix('CAP_')}"


# -- what does without it


def _what(need: Need, config: Config, rights: Rights) -> str:
    """The thing that does not work, by name; empty where nothing that is configured needs the capability here."""
    match need.process, need.capability:
        case "vrrp", privileges.NET_ADMIN:
            return _addresses(config)
        case "vrrp", privileges.NET_RAW:
            names = [instance.name for instance in config.vrrp_instances]
            return f"adverts of {_some(names)} cannot be sent" if names else ""
        case "check", privileges.NET_ADMIN:
            names = [virtual.name for virtual in config.virtual_servers]
            return f"virtual server {_some(names)} cannot be put into the IPVS table" if names else ""
        case "check", privileges.NET_BIND_SERVICE:
            ports = [
                f"{where} from port {port}" for where, port in _ports(config) if 0 < port < rights.lowest_port
            ]
            return f"the check of {_some(ports)} cannot be made" if ports else ""
        case "check", privileges.NET_RAW:
            return ""  # SO_BINDTODEVICE takes none since Linux 5.7
        case "script", privileges.SETUID | privileges.SETGID:
            scripts = [_script(command, name) for command, name in _as_others(config, rights.uid)]
            return f"{_some(scripts)} cannot be run" if scripts else ""
        case "script", privileges.KILL:
            scripts = [_script(command, name) for command, name in _as_others(config, rights.uid)]
            return f"{_some(scripts)} cannot be ended when it takes too long" if scripts else ""
        case "script", privileges.CHOWN:
            pipes = list(_pipes(config, rights.uid))
            return f"{_some(pipes)} cannot be given to its user" if pipes else ""
        case "script", _:
            return ""  # what cannot be reached is said by name when it comes to it
        case _, privileges.IPC_LOCK:
            return "" if rights.locked else f"{need.why} is not possible"
        case _, privileges.SYS_NICE:
            return "" if _scheduled(config, rights) else f"{need.why} is not possible"
    return f"{need.why} is not possible"


def _some(names: Iterable[str]) -> str:
    """``a``, or ``a (and 3 more)``."""
    first, *more = names
    return f"{first} (and {len(more)} more)" if more else first


def _addresses(config: Config) -> str:
    things = [
        f"VIP {address.address} of {instance.name}"
        for instance in config.vrrp_instances
        for address in (*instance.vips, *instance.excluded_vips)
    ]
    things += [f"static address {address.address}" for address in config.static_addresses]
    things += [f"a route of {i.name}" for i in config.vrrp_instances for _ in i.routes]
    things += [f"a rule of {i.name}" for i in config.vrrp_instances for _ in i.rules]
    things += ["a static route" for _ in config.static_routes] + [
        "a static rule" for _ in config.static_rules
    ]
    return f"{_some(things)} cannot be added" if things else ""


def _ports(config: Config) -> Iterator[tuple[str, int]]:
    for virtual in config.virtual_servers:
        for real in virtual.real_servers:
            for check in real.checkers:
                endpoint = getattr(check, "endpoint", None)
                if endpoint is not None:
                    yield f"{virtual.name} -> {real.identity}", endpoint.bind_port


def _as_others(config: Config, uid: int) -> Iterator[tuple[Command, str]]:
    """The commands that run as another user than krun's, with that user's name."""
    # A krun that lacks nothing need not have these modules in memory.
    from kir.commands import commands
    from krun.notify.accounts import NoSuchAccountError, identify

    known: dict[Account, tuple[int, str]] = {}
    for command in commands(config):
        account = command.account
        if account not in known:
            try:
                identity = identify(account)
            except NoSuchAccountError:
                known[account] = (uid, "")  # that is another matter, and said elsewhere
                continue
            known[account] = (identity.uid, identity.name)
        if known[account][0] != uid:
            yield command, known[account][1]


def _pipes(config: Config, uid: int) -> Iterator[str]:
    """The notification pipes that belong to another user than krun's."""
    from krun.notify.accounts import NoSuchAccountError, identify

    settings = config.global_defs
    for pipe in (settings.notify_fifo, settings.vrrp_notify_fifo, settings.lvs_notify_fifo):
        if pipe is None:
            continue
        try:
            identity = identify(Account(user=pipe.user, group=pipe.group))
        except NoSuchAccountError:
            continue
        if identity.uid != uid:
            yield f"the pipe {pipe.path} of user {identity.name}"


def _script(command: Command, user: str) -> str:
    return f"{command.file} as user {user} ({command.owner})"


def _scheduled(config: Config, rights: Rights) -> bool:
    """Whether the limits alone allow what the settings want."""
    settings = config.global_defs
    highest = max(
        settings.vrrp_rt_priority,
        settings.checker_rt_priority,
        settings.bfd_rt_priority,
        settings.max_auto_priority,
    )
    lowest = min(settings.vrrp_priority, settings.checker_priority, settings.bfd_priority)
    return highest <= rights.real_time and (lowest >= 0 or lowest >= rights.nice)


# -- looking


def _effective() -> frozenset[int]:
    """CapEff (proc(5))."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("CapEff:"):
            mask = int(line.split()[1], 16)
            return frozenset(number for number in range(64) if mask >> number & 1)
    return frozenset()


def _may_administrate() -> bool:
    """Whether rtnetlink takes orders from us: one to remove an address from an interface that does not exist. The kernel looks at the
    right before it looks for the interface.
    """
    message = struct.pack("=IHHIIBBBBI", 24, _RTM_DELADDR, 5, 1, 0, socket.AF_INET, 32, 0, 0, _NO_INTERFACE)
    try:
        with socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
        ) as sock:
            sock.settimeout(2.0)
            sock.bind((0, 0))
            sock.send(message)
            answer = sock.recv(4096)
    except OSError:
        return False
    (code,) = struct.unpack_from("=i", answer, 16)
    return bool(code != -errno.EPERM)


def _may_send_raw() -> bool:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 112).close()
    except PermissionError:
        return False
    except OSError:
        pass  # no such family here, which is no question of rights
    return True


def _lowest_port() -> int:
    """``net.ipv4.ip_unprivileged_port_start``."""
    try:
        return int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 1024
