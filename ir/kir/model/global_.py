"""What holds for the whole director."""

from __future__ import annotations

from typing import Literal

from kir.model.base import Microseconds, Model, Port
from kir.model.daemon import (
    Buffer,
    Dbus,
    Files,
    Namespaces,
    NftablesIpvs,
    Process,
    Reload,
    Snmp,
    SyncDaemon,
)
from kir.model.scripts import Script


class SmtpServer(Model, frozen=True):
    """Where mail goes: a host name or an address, and a port."""

    host: str
    port: Port = 25


class Fifo(Model, frozen=True):
    """A named pipe that receives a line at each change of state, and the script that reads it."""

    path: str
    user: str | None = None
    group: str | None = None
    script: Script | None = None


class LvsTimeouts(Model, frozen=True):
    """IPVS connection timeouts in seconds (ipvsadm --set); None leaves the kernel's value."""

    tcp_s: int | None = None
    tcpfin_s: int | None = None
    udp_s: int | None = None


class Nftables(Model, frozen=True):
    """The table with the filters of VRRP: packets to addresses that are not accepted, and the reports of VMACs.

    ``priority`` is that of its chains. ``ifindex``: rules name interfaces by number.
    """

    table: str = "keepalived"
    priority: int = -1
    ifindex: bool = False
    counters: bool = False


class Ipsets(Model, frozen=True):
    """Names of the sets that the iptables rules use."""

    address: str = "keepalived"
    address6: str = "keepalived6"
    address_if6: str = "keepalived_if6"
    igmp: str = "keepalived_igmp"
    mld: str = "keepalived_mld"
    nd: str = "keepalived_nd"


class Iptables(Model, frozen=True):
    """The chains with the filters of VRRP; ``output`` None: only packets that come in are filtered. ``ipsets`` None: none used."""

    input: str = "INPUT"
    output: str | None = "OUTPUT"
    ipsets: Ipsets | None = Ipsets()


class Global(Model, frozen=True):
    """Settings of the director that are not defaults of something else (those were resolved into the objects).

    ``router_id`` None: the host's name, known only there. ``nftables`` and ``iptables`` both None: nftables, where something must
    be filtered. ``linkbeat_polling``: the link state of all interfaces is polled.
    ``*_priority`` are nice values, ``*_rt_priority`` those of SCHED_RR, 0: unchanged; a late process raises its own to
    ``max_auto_priority`` (0: no, -1: no and silent) once it is ``min_auto_priority_delay_us`` late. ``instance`` tells several
    daemons of a host apart. ``umask`` is a file mode mask. ``rx_buffer_policy``: receive buffers of VRRP sockets hold
    ``rx_buffer_multiplier`` packets of the size of the MTU or of an advert; None: they have ``rx_buffer_size`` octets (0: the
    system's). ``vmac_addr_prefix`` begins the names of VMACs that addresses asked for.
    """

    router_id: str | None = None
    enable_script_security: bool = False
    notification_emails: tuple[str, ...] = ()
    notification_email_from: str | None = None
    smtp_server: SmtpServer | None = None
    smtp_helo_name: str | None = None
    smtp_connect_timeout_us: Microseconds = 30_000_000
    no_email_faults: bool = False
    no_checker_emails: bool = False
    notify_fifo: Fifo | None = None
    vrrp_notify_fifo: Fifo | None = None
    lvs_notify_fifo: Fifo | None = None
    startup_delay_us: Microseconds = 0
    delay_after_boot_us: Microseconds = 0
    log_unknown_vrids: bool = False
    dynamic_interfaces: bool = False
    allow_if_changes: bool = False
    rs_init_notifies: bool = False
    lvs_flush: bool = False
    lvs_flush_on_stop: str = "no"  # "no" | "all" | "own"
    lvs_timeouts: LvsTimeouts = LvsTimeouts()
    nftables: Nftables | None = None
    iptables: Iptables | None = None
    linkbeat_polling: bool = False
    vrrp_priority: int = 0
    checker_priority: int = 0
    vrrp_rt_priority: int = 0
    checker_rt_priority: int = 0
    bfd_priority: int = 0
    bfd_rt_priority: int = 0
    parent_process: Process = Process()
    vrrp_process: Process = Process()
    checker_process: Process = Process()
    bfd_process: Process = Process()
    process_monitor: Buffer = Buffer()
    max_auto_priority: int = 0
    min_auto_priority_delay_us: Microseconds = 1_000_000
    instance: str | None = None
    use_pid_dir: bool = False
    child_wait_time_us: Microseconds = 5_000_000
    namespaces: Namespaces = Namespaces()
    umask: int = 0o177
    random_seed: int | None = None
    startup_script: Script | None = None
    startup_script_timeout_us: Microseconds = 10_000_000
    shutdown_script: Script | None = None
    shutdown_script_timeout_us: Microseconds = 10_000_000
    use_symlink_paths: bool = False
    set_supplementary_groups: bool = False
    fifo_states_on_reload: bool = False
    disable_local_igmp: bool = False
    rx_buffer_policy: Literal["mtu", "advert"] | None = None
    rx_buffer_size: int = 0
    rx_buffer_multiplier: int = 3
    vmac_addr_prefix: str = "vrrp"
    reload: Reload = Reload()
    files: Files = Files()
    snmp: Snmp = Snmp()
    dbus: Dbus | None = None
    lvs_sync_daemon: SyncDaemon | None = None
    nftables_ipvs: NftablesIpvs | None = None
