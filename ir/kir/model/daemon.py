"""The daemon itself: its processes, namespaces, files, and what it offers to others."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from kir.model.base import U32, Microseconds, Model, Octet, Port


class Buffer(Model, frozen=True):
    """The receive buffer of a netlink socket in octets, 0: the system's. ``force``: beyond ``rmem_max`` (SO_RCVBUFFORCE)."""

    size: U32 = 0
    force: bool = False


class Process(Model, frozen=True):
    """A process of the daemon. ``name`` None: unchanged. ``cpus`` empty: all. ``rttime_us``: RLIMIT_RTTIME while it runs in real
    time (getrlimit(2)). ``commands`` and ``monitor`` are the buffers of its netlink sockets.
    """

    name: str | None = None
    no_swap: bool = False
    cpus: tuple[int, ...] = ()
    rttime_us: Microseconds = 10_000
    commands: Buffer = Buffer()
    monitor: Buffer = Buffer()


class Namespaces(Model, frozen=True):
    """Network namespaces (ip-netns(8)): None, that of the process. ``ipvs`` ``""``: the host's own; None: the same as ``network``."""

    network: str | None = None
    ipvs: str | None = None
    with_ipsets: bool = False


class Reload(Model, frozen=True):
    """What surrounds a reload. ``check``: the configuration is tried first, ``check_log`` gets what is said about it (None: nobody).

    ``time_file`` holds the time of the next reload, with ``repeat`` it is read again after one. ``marker``: a file exists
    while a reload runs, ``marker_file`` (None: at the daemon's usual place).
    """

    check: bool = False
    check_log: str | None = None
    time_file: str | None = None
    repeat: bool = False
    marker: bool = False
    marker_file: str | None = None


class Files(Model, frozen=True):
    """Where files are written and looked for; None: at the daemon's usual place, or not at all for ``config_save_dir``."""

    state_dump: str | None = None
    stats_dump: str | None = None
    json_dump: str | None = None
    json_version: Literal[1, 2] = 1
    dumps_name_instance: bool = False
    config_save_dir: str | None = None
    tmp_config_dir: str | None = None
    iproute_usr_dir: str | None = None
    iproute_etc_dir: str | None = None


class Snmp(Model, frozen=True):
    """What is offered to an SNMP master agent: keepalived's MIBs, those of RFC 2787 and RFC 6527, traps."""

    socket: str | None = None
    vrrp: bool = False
    rfc2787: bool = False
    rfc6527: bool = False
    checker: bool = False
    traps: bool = False
    vs_stats_interval_us: Microseconds = 5_000_000
    rs_stats_interval_us: Microseconds = 5_000_000


class Dbus(Model, frozen=True):
    """The D-Bus service. ``interface_names``: object paths hold the names of interfaces."""

    service_name: str = "org.keepalived.Vrrp1"
    interface_names: bool = True


class SyncDaemon(Model, frozen=True):
    """IPVS connection synchronisation (ipvsadm(8)). Master while ``instance`` is; None: both roles. None leaves the kernel's value."""

    interface: str
    instance: str | None = None
    id: Octet = 0
    maxlen: Annotated[int, msgspec.Meta(ge=1, le=65507)] | None = None
    port: Port | None = None
    ttl: Octet | None = None
    group: str | None = None


class NftablesIpvs(Model, frozen=True):
    """The table that marks the packets of virtual server groups, with marks from ``start_fwmark`` on."""

    table: str = "keepalived_ipvs"
    priority: int = -1
    start_fwmark: U32 = 1000
