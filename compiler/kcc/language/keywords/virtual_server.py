"""``virtual_server``, its real servers, groups of addresses, and the TLS settings of checks."""

from __future__ import annotations

from kcc.language.arguments.addresses import ENDPOINT, NETMASK
from kcc.language.arguments.base import Optional
from kcc.language.arguments.numbers import S32_MAX, UINT
from kcc.language.arguments.scripts import SCRIPT
from kcc.language.arguments.servers import GROUP_LINE, METHOD, SERVER
from kcc.language.arguments.words import MAYBE_BOOL, NAME, PATH, STRING, EnumArg, SecretArg, StringArg
from kcc.language.keywords.checkers import (
    CHECKERS,
    CONNECT_SECONDS,
    IGNORED,
    SECONDS_ABOVE_0,
    SECONDS_FROM_0,
)
from kcc.language.tree import (
    CARRIED,
    RUN,
    Extra,
    Keyword,
    Missing,
    Repeat,
    block,
    flag,
    leaf,
    lines,
    renamed,
)

SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "sh", "mh", "dh", "fo", "ovf", "lblcr", "sed", "nq", "twos")
PERSISTENCE_MAX = 2678400  # a month


def _script(name: str, when: str) -> Keyword:
    return leaf(name, SCRIPT, RUN, "none", f"Command run {when}.", repeat=Repeat.FIRST)


def _timing(inherited: str = "") -> tuple[Keyword, ...]:
    """When servers are checked: defaults for the checks inside."""

    def default(own: str) -> str:
        return inherited or own

    return (
        leaf(
            "retry",
            UINT(1),
            RUN,
            default("1 (MISC_CHECK 0, DNS_CHECK 3)"),
            "Further tries before a failure counts.",
        ),
        leaf(
            "delay_before_retry",
            SECONDS_FROM_0,
            RUN,
            default("1 (HTTP 3)"),
            "Time between two tries.",
            unit="seconds",
        ),
        leaf(
            "warmup",
            SECONDS_FROM_0,
            RUN,
            default("delay_loop"),
            "The first check waits a random part of this.",
            unit="seconds",
        ),
        leaf(
            "connect_timeout",
            CONNECT_SECONDS,
            RUN,
            default("5"),
            "How long each step of a check may take.",
            unit="seconds",
        ),
        leaf(
            "delay_loop",
            SECONDS_ABOVE_0,
            RUN,
            default("60"),
            "Time between two checks of a server.",
            unit="seconds",
        ),
    )


_SNMP_NAME = leaf(
    "snmp_name",
    STRING,
    CARRIED,
    "none",
    "Name in SNMP tables.",
    missing=IGNORED,
    extra=Extra.REFUSED,
    repeat=Repeat.REPLACE,
)
_OF_SERVICE = "that of the virtual server"

REAL_SERVER = block(
    "real_server",
    ENDPOINT,
    RUN,
    "A server that the virtual server balances over.",
    (
        leaf("weight", UINT(0, S32_MAX), RUN, _OF_SERVICE, "Its share of the connections; 0: no new ones."),
        leaf("lvs_method", METHOD, RUN, _OF_SERVICE, "How packets reach it."),
        leaf("uthreshold", UINT(), RUN, "0 (no limit)", "Connections from which it gets no new ones."),
        leaf("lthreshold", UINT(), RUN, "0 (no limit)", "Connections below which it gets new ones again."),
        leaf(
            "inhibit_on_failure",
            MAYBE_BOOL,
            RUN,
            _OF_SERVICE,
            "Weight 0 instead of removal while it is down.",
        ),
        _script("notify_up", "when the server comes up"),
        _script("notify_down", "when the server goes down"),
        leaf("alpha", MAYBE_BOOL, RUN, _OF_SERVICE, "Down until its checks succeed."),
        *_timing(_OF_SERVICE),
        leaf(
            "smtp_alert",
            MAYBE_BOOL,
            RUN,
            "smtp_alert_checker, else smtp_alert, else on",
            "Send alert mails about this server.",
        ),
        leaf(
            "virtualhost",
            STRING,
            RUN,
            _OF_SERVICE,
            "Value of the Host header of HTTP checks.",
            missing=IGNORED,
            repeat=Repeat.REPLACE,
        ),
        _SNMP_NAME,
        *CHECKERS,
    ),
    required=True,
)

_SCHEDULER = leaf(
    "lvs_sched", EnumArg(*SCHEDULERS), RUN, "wlc", "How connections are shared out (ipvsadm(8))."
)
_METHOD = leaf("lvs_method", METHOD, RUN, "NAT", "How packets reach the servers.")
_SH = ("lvs_sched", ("sh",))
_MH = ("lvs_sched", ("mh",))

VIRTUAL_SERVER = block(
    "virtual_server",
    SERVER,
    RUN,
    "A service that IPVS balances over real servers.",
    (
        leaf(
            "ip_family",
            EnumArg("inet", "inet6"),
            RUN,
            "that of the addresses",
            "Address family of a firewall mark's service.",
        ),
        *_timing(),
        flag("inhibit_on_failure", RUN, "off", "Weight 0 instead of removal while a server is down."),
        _SCHEDULER,
        renamed(_SCHEDULER, "lb_algo"),
        flag(
            "hashed",
            RUN,
            "off",
            "Old flag of the hash schedulers, without effect.",
            needs=("lvs_sched", ("sh", "mh")),
        ),
        flag("ops", RUN, "off", "One-packet scheduling: each UDP datagram is a connection."),
        flag("flag-1", RUN, "off", "First flag of the scheduler."),
        flag("flag-2", RUN, "off", "Second flag of the scheduler."),
        flag("flag-3", RUN, "off", "Third flag of the scheduler."),
        flag("sh-port", RUN, "off", "sh: the port takes part in the hash.", needs=_SH),
        flag("sh-fallback", RUN, "off", "sh: another server where the hashed one is down.", needs=_SH),
        flag("mh-port", RUN, "off", "mh: the port takes part in the hash.", needs=_MH),
        flag("mh-fallback", RUN, "off", "mh: another server where the hashed one is down.", needs=_MH),
        _METHOD,
        renamed(_METHOD, "lb_kind"),
        leaf(
            "persistence_engine",
            StringArg("a name", 15, cut=True),
            RUN,
            "none",
            "IPVS persistence engine (sip).",
        ),
        leaf(
            "persistence_timeout",
            Optional(UINT(1, PERSISTENCE_MAX), 360),
            RUN,
            "0 (not persistent)",
            "How long a client stays with its server.",
            unit="seconds",
        ),
        leaf(
            "persistence_granularity", NETMASK, RUN, "255.255.255.255 or 128", "Which clients count as one."
        ),
        leaf(
            "protocol", EnumArg("TCP", "UDP", "SCTP", any_case=True), RUN, "UDP", "Protocol of the service."
        ),
        flag("ha_suspend", RUN, "off", "No checks while the address is not on this director."),
        leaf(
            "smtp_alert",
            MAYBE_BOOL,
            RUN,
            "smtp_alert_checker, else smtp_alert, else off",
            "Send alert mails about this service.",
        ),
        leaf(
            "virtualhost",
            STRING,
            RUN,
            "none",
            "Value of the Host header of HTTP checks.",
            missing=IGNORED,
            repeat=Repeat.REPLACE,
        ),
        _SNMP_NAME,
        flag("alpha", RUN, "off", "Servers are down until their checks succeed."),
        flag("omega", RUN, "off", "Run the scripts for down and lost quorum at stop too."),
        _script("quorum_up", "when enough servers are up"),
        _script("quorum_down", "when no longer enough servers are up"),
        leaf("quorum", UINT(1, instead=1), RUN, "1", "Weight that must be up."),
        leaf("hysteresis", UINT(), RUN, "0", "How far beyond the quorum it must go to change."),
        leaf("weight", UINT(1, S32_MAX), RUN, "1", "Weight of servers that say none."),
        leaf("sorry_server", ENDPOINT, RUN, "none", "Who answers while the quorum is lost."),
        flag(
            "sorry_server_inhibit",
            RUN,
            "off",
            "Keep the sorry server in the table with weight 0.",
            needs=("sorry_server", ()),
        ),
        leaf(
            "sorry_server_lvs_method",
            METHOD,
            RUN,
            _OF_SERVICE,
            "How packets reach the sorry server.",
            missing=IGNORED,
            needs=("sorry_server", ()),
        ),
        REAL_SERVER,
    ),
)

VIRTUAL_SERVER_GROUP = lines(
    "virtual_server_group",
    GROUP_LINE,
    RUN,
    "Addresses, ports and firewall marks that one virtual server takes.",
    args=(NAME,),
    extra=Extra.EXITS,
    missing=Missing.EXITS,
)

_ONCE = {"missing": IGNORED, "repeat": Repeat.REPLACE}
SSL = block(
    "SSL",
    (),
    CARRIED,
    "Certificates of the TLS checks.",
    (
        leaf("password", SecretArg("a password"), CARRIED, "none", "Password of the key.", **_ONCE),
        leaf("ca", PATH, CARRIED, "none", "File of trusted certificates.", **_ONCE),
        leaf("certificate", PATH, CARRIED, "none", "File of the client's certificate.", **_ONCE),
        leaf("key", PATH, CARRIED, "none", "File of the client's key.", **_ONCE),
    ),
    repeat=Repeat.REPLACE,
)
