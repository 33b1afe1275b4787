"""What holds for the whole director."""

from __future__ import annotations

from kir.model.base import Microseconds, Model, Port
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


class Global(Model, frozen=True):
    """Settings of the director that are not defaults of something else (those were resolved into the objects).

    ``router_id`` None: the host's name, known only there.
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
    vrrp_priority: int = 0
    checker_priority: int = 0
    vrrp_rt_priority: int = 0
    checker_rt_priority: int = 0
