"""Rules about the director as a whole."""

from __future__ import annotations

from collections.abc import Iterator

from kcc.rules.rule import Case
from kir.model import Config, MiscCheck


def script_security(case: Case) -> None:
    """Scripts without ``enable_script_security``: whoever may write to one of them is root on the director.

    keepalived runs them, and says so at each start; ``keepalived -t`` exits with 6.
    """
    if case.config.global_defs.enable_script_security:
        return
    first = next(_scripts(case.config), None)
    if first is None:
        return
    case.say(
        "KC0401",
        "scripts are run, and `enable_script_security` is not set",
        *first,
        consequence="a script that others may write to is run as root; `keepalived -t` exits with status 6",
        help="add `enable_script_security` to global_defs, with `script_user USER` for what needs no root",
    )


def _scripts(config: Config) -> Iterator[tuple[str, str | None]]:
    """Path and field of each command that the daemon runs."""
    for script in config.vrrp_scripts:
        if script.argv:
            yield f"vrrp_script/{script.name}", "argv"
    for kind, owners in (
        ("vrrp_instance", config.vrrp_instances),
        ("vrrp_sync_group", config.vrrp_sync_groups),
    ):
        for owner in owners:
            for event in ("master", "backup", "fault", "stop", "any", "master_rx_lower_pri"):
                if getattr(owner.notify, event) is not None:
                    yield f"{kind}/{owner.name}", f"notify/{event}"
    for name in ("notify_fifo", "vrrp_notify_fifo", "lvs_notify_fifo"):
        fifo = getattr(config.global_defs, name)
        if fifo is not None and fifo.script is not None:
            yield "global_defs", f"{name}_script"
    for server in config.virtual_servers:
        path = f"virtual_server/{server.name}"
        for event in ("quorum_up", "quorum_down"):
            if getattr(server, event) is not None:
                yield path, event
        for real in server.real_servers:
            own = f"{path}/real_server/{real.identity}"
            for event in ("notify_up", "notify_down"):
                if getattr(real, event) is not None:
                    yield own, event
            for position, check in enumerate(real.checkers):
                if isinstance(check, MiscCheck):
                    yield f"{own}/checker/MISC_CHECK {position}", "argv"


def half_of_mail(case: Case) -> None:
    """Mail needs a server and somebody to write to; with one of them keepalived sends nothing, without a word."""
    settings = case.config.global_defs
    if settings.smtp_server is not None and not settings.notification_emails:
        missing, given, help_ = "notification_email", "smtp_server", "add `notification_email { ADDRESS }`"
    elif settings.notification_emails and settings.smtp_server is None:
        missing, given, help_ = "smtp_server", "notification_email", "add `smtp_server ADDRESS`"
    else:
        return
    case.say(
        "KC0404",
        f"`{given}` without `{missing}`",
        "global_defs",
        given,
        consequence="no alert mail is sent",
        help=f"{help_}, or remove the mail settings",
    )
