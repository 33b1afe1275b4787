"""``global_defs``: what holds for the director, and the defaults that instances, groups and checkers take from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from kcc.language.parsed import AccountValue, Field, Node
from kcc.lower.scripts import account, script
from kir.model import Fifo, Global, LvsTimeouts, SmtpServer
from kir.model.vrrp import MULTICAST_GROUP

if TYPE_CHECKING:
    from kcc.lower.scope import Scope

SECOND = 1_000_000


class Defaults(msgspec.Struct, eq=False):
    """What global_defs says for objects that do not say it themselves. Durations in microseconds.

    ``smtp_alert*`` None: not said. ``delays``: down and up delay by interface (``interface_up_down_delays``).
    """

    script_user: AccountValue | None = None
    version: int = 2
    strict: bool = False
    group4: str = MULTICAST_GROUP["inet"]
    group6: str = MULTICAST_GROUP["inet6"]
    garp_delay_us: int = 5 * SECOND
    garp_repeat: int = 5
    garp_refresh_us: int = 0
    garp_refresh_repeat: int = 1
    garp_lower_prio_delay_us: int | None = None
    garp_lower_prio_repeat: int | None = None
    garp_interval_us: int = 0
    gna_interval_us: int = 0
    down_timer_adverts: int = 3
    lower_prio_no_advert: bool = False
    higher_prio_send_advert: bool = False
    owner_ignore_adverts: bool = False
    check_unicast_src: bool = False
    skip_check_adv_addr: bool = False
    v3_checksum_as_v2: bool = False
    notify_priority_changes: bool = False
    smtp_alert: bool | None = None
    smtp_alert_vrrp: bool | None = None
    smtp_alert_checker: bool | None = None
    log_all_failures: bool = False
    vmac_prefix: str = "vrrp"
    garp_extra: tuple[bool, int] = (False, 0)
    delays: dict[str, tuple[int, int]] = msgspec.field(default_factory=dict)

    def vrrp_alert(self) -> bool:
        """Whether VRRP objects that do not say so send mail."""
        said = self.smtp_alert_vrrp if self.smtp_alert_vrrp is not None else self.smtp_alert
        return bool(said)

    def checker_alert(self, otherwise: bool) -> bool:
        """Whether services and servers that do not say so send mail; ``otherwise`` where nobody says anything."""
        said = self.smtp_alert_checker if self.smtp_alert_checker is not None else self.smtp_alert
        return otherwise if said is None else said


def merged(blocks: list[Node]) -> dict[str, Field]:
    """The leaves of all ``global_defs`` blocks together; the last one counts."""
    fields: dict[str, Field] = {}
    for node in blocks:
        fields.update(node.fields)
    return fields


def read_defaults(root: Node) -> Defaults:
    """The defaults. Their place in the file does not matter: keepalived's parent has read all before any child starts."""
    fields = merged(root.children("global_defs"))

    def get(name: str, default: Any = None) -> Any:
        found = fields.get(name)
        return default if found is None else found.value

    made = Defaults(
        script_user=get("script_user"),
        version=get("vrrp_version", 2),
        strict=get("vrrp_strict", False),
        group4=get("vrrp_mcast_group4", MULTICAST_GROUP["inet"]),
        group6=get("vrrp_mcast_group6", MULTICAST_GROUP["inet6"]),
        garp_interval_us=get("vrrp_garp_interval", 0),
        gna_interval_us=get("vrrp_gna_interval", 0),
        down_timer_adverts=get("vrrp_down_timer_adverts", 3),
        lower_prio_no_advert=get("vrrp_lower_prio_no_advert", False),
        higher_prio_send_advert=get("vrrp_higher_prio_send_advert", False),
        owner_ignore_adverts=get("vrrp_owner_ignore_adverts", False),
        check_unicast_src=get("vrrp_check_unicast_src", False),
        skip_check_adv_addr=get("vrrp_skip_check_adv_addr", False),
        v3_checksum_as_v2=get("v3_checksum_as_v2", False),
        notify_priority_changes=get("vrrp_notify_priority_changes", False),
        smtp_alert=get("smtp_alert"),
        smtp_alert_vrrp=get("smtp_alert_vrrp"),
        smtp_alert_checker=get("smtp_alert_checker"),
        log_all_failures=get("checker_log_all_failures", False),
        vmac_prefix=get("vmac_prefix", "vrrp"),
        garp_extra=get("vrrp_garp_extra_if", (False, 0)),
    )
    _garp_defaults(fields, made)
    for line in root.all_lines("interface_up_down_delays"):
        made.delays[line.value.interface] = (line.value.down_us, line.value.up_us)
    return made


def _garp_defaults(fields: dict[str, Field], made: Defaults) -> None:
    """``vrrp_min_garp`` lowers what is still at its default where it stands; what is said later wins anyway."""
    if "vrrp_min_garp" in fields and fields["vrrp_min_garp"].value:
        made.garp_repeat, made.garp_delay_us = 1, 0
        made.garp_refresh_us, made.garp_refresh_repeat = 0, 0
    for name, field_name, unit in (
        ("vrrp_garp_master_delay", "garp_delay_us", SECOND),
        ("vrrp_garp_master_repeat", "garp_repeat", 1),
        ("vrrp_garp_master_refresh", "garp_refresh_us", SECOND),
        ("vrrp_garp_master_refresh_repeat", "garp_refresh_repeat", 1),
        ("vrrp_garp_lower_prio_delay", "garp_lower_prio_delay_us", SECOND),
        ("vrrp_garp_lower_prio_repeat", "garp_lower_prio_repeat", 1),
    ):
        if name in fields:
            setattr(made, field_name, fields[name].value * unit)


def lower_global(root: Node, scope: Scope) -> Global:
    """The director's own settings."""
    blocks = root.children("global_defs")
    fields = merged(blocks)
    if blocks:
        # One object of the IR, perhaps several blocks of text: the first block stands for the object, and the leaves
        # that count are those of all of them.
        first = blocks[0]
        scope.nodes["global_defs"] = Node(first.keyword, first.statement, fields=fields)

    def get(name: str, default: Any = None) -> Any:
        found = fields.get(name)
        return default if found is None else found.value

    emails = tuple(
        address
        for node in blocks
        for line in node.all_lines("notification_email")
        for address in _words(line)
    )
    flush = get("lvs_flush_on_stop", False)
    dynamic = "dynamic_interfaces" in fields
    own: dict[str, Any] = {}
    old_form = any(node.has("lvs_sync_daemon_interface") for node in root.children("vrrp_instance"))
    if fields or root.fields or old_form:
        from kcc.lower.daemon import daemon

        own = daemon(root, fields, scope)
    return Global(
        router_id=get("router_id"),
        enable_script_security=get("enable_script_security", False),
        notification_emails=emails,
        notification_email_from=get("notification_email_from"),
        smtp_server=_smtp_server(get("smtp_server")),
        smtp_helo_name=get("smtp_helo_name"),
        smtp_connect_timeout_us=get("smtp_connect_timeout", 30) * SECOND,
        no_email_faults=get("no_email_faults", False),
        no_checker_emails=get("no_checker_emails", False),
        **_fifos(fields, scope),
        startup_delay_us=get("vrrp_startup_delay", 0),
        delay_after_boot_us=get("vrrp_delay_after_boot", 0),
        log_unknown_vrids=get("log_unknown_vrids", False),
        dynamic_interfaces=dynamic,
        allow_if_changes=dynamic and get("dynamic_interfaces") == "allow_if_changes",
        rs_init_notifies=get("rs_init_notifies", False),
        lvs_flush=get("lvs_flush", False),
        lvs_flush_on_stop="no" if not flush else "own" if flush == "VS" else "all",
        lvs_timeouts=_timeouts(get("lvs_timeouts")),
        **own,
        linkbeat_polling=root.has("linkbeat_use_polling"),
        vrrp_priority=get("vrrp_priority", 0),
        checker_priority=get("checker_priority", 0),
        vrrp_rt_priority=get("vrrp_rt_priority", 0),
        checker_rt_priority=get("checker_rt_priority", 0),
    )


def _words(line: Field) -> tuple[str, ...]:
    value = line.value
    return (value,) if isinstance(value, str) else tuple(value)


def _smtp_server(value: Any) -> SmtpServer | None:
    if value is None:
        return None
    host, port = (value, None) if isinstance(value, str) else (*value, None)[:2]
    return SmtpServer(host=host, port=25 if port is None else int(port))


def _timeouts(value: Any) -> LvsTimeouts:
    if not value:
        return LvsTimeouts()
    pairs = dict(value)
    return LvsTimeouts(tcp_s=pairs.get("tcp"), tcpfin_s=pairs.get("tcpfin"), udp_s=pairs.get("udp"))


def _fifos(fields: dict[str, Field], scope: Scope) -> dict[str, Any]:
    """The three named pipes. A specific one on the path of the general one is dropped, as keepalived does."""
    made: dict[str, Fifo | None] = {}
    for name in ("notify_fifo", "vrrp_notify_fifo", "lvs_notify_fifo"):
        made[name] = None
        reader = fields.get(f"{name}_script")
        if name not in fields:
            if reader is not None:
                scope.say(
                    "KC0403",
                    f"`{name}_script` without `{name}`",
                    reader,
                    consequence="the script is never started: there is no pipe to read",
                    help=f"add `{name} PATH` to global_defs, or remove the script",
                )
            continue
        value = fields[name].value
        path, user, group = (value, None, None) if isinstance(value, str) else (*value, None, None)[:3]
        if hasattr(user, "user"):
            user, group = user.user, user.group
        if user is None:  # then it belongs to whom scripts run as
            owner = account(None, scope)
            user, group = owner.user, owner.group
        general = made["notify_fifo"]
        if name != "notify_fifo" and general is not None and general.path == path:
            scope.say(
                "KC0402",
                f"`{name}` is the same pipe as `notify_fifo`",
                fields[name],
                consequence=f"keepalived drops `{name}`; its lines arrive through `notify_fifo` anyway",
                help="remove one of the two, or give it a path of its own",
                also=((fields["notify_fifo"], "the general pipe is named here"),),
            )
            continue
        run = script(reader.value, scope) if reader is not None else None
        other = made.get("vrrp_notify_fifo")
        if name == "lvs_notify_fifo" and run and other is not None and other.path == path and other.script:
            scope.say(
                "KC0402",
                "`lvs_notify_fifo` and `vrrp_notify_fifo` are the same pipe, and both have a script",
                fields[name],
                consequence="keepalived drops `lvs_notify_fifo_script`: two readers would steal lines from each other",
                help="keep one script, or use two pipes",
                also=((fields["vrrp_notify_fifo"], "the other pipe is named here"),),
            )
            run = None
        made[name] = Fifo(path=path, user=user, group=group, script=run)
    return made
