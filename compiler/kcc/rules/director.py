"""Rules about the director as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kcc.diagnostics.model import Severity
from kcc.rules.rule import Case
from kir.model import Account, Config, MiscCheck, Notify


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
        first.path,
        first.field,
        consequence="a script that others may write to is run as root; `keepalived -t` exits with status 6",
        help="add `enable_script_security` to global_defs, with `script_user USER` for what needs no root",
    )


def script_account(case: Case) -> None:
    """With script security the user of a script that says none is ``keepalived_script``; without that user it is dropped.

    It is one omission however many scripts there are, so it is said once. krun runs them as itself then, and drops none.
    """
    if not case.config.global_defs.enable_script_security or case.target == "krun":
        return
    bare = [script for script in _scripts(case.config) if script.account.user is None]
    if not bare:
        return
    first = bare[0]
    also: list[tuple[str, str | None, str]] = []
    for script in bare[:SHOWN]:
        if script is not first:
            also.append((script.path, script.field, f"{script.text} says none either"))
        also += [(path, None, "dropped with it") for path in _trackers(case.config, script.path)]
    case.say(
        "KC0405",
        f"{first.text} says no user, and `script_user` is not set",
        first.path,
        first.field,
        consequence="with `enable_script_security` it runs as `keepalived_script`; where the director has no such user, "
        "keepalived drops the script, and what depends on it",
        help="add `script_user USER` to global_defs" + (f", or {first.own}" if first.own else ""),
        also=tuple(also),
    )


def _trackers(config: Config, path: str) -> Iterator[str]:
    """Paths of the lines that track the ``vrrp_script`` at ``path``."""
    kind, _, name = path.partition("/")
    if kind != "vrrp_script":
        return
    for owner, objects in (
        ("vrrp_instance", config.vrrp_instances),
        ("vrrp_sync_group", config.vrrp_sync_groups),
    ):
        for one in objects:
            if any(tracked.name == name for tracked in one.track_scripts):
                yield f"{owner}/{one.name}/track_script/{name}"


SHOWN = 8
"""Scripts that a message points at."""


class _Command(NamedTuple):
    """A command that the daemon runs: where it is written, what it is called, as whom it runs, and how to say that there."""

    path: str
    field: str
    text: str
    account: Account
    own: str = ""


def _scripts(config: Config) -> Iterator[_Command]:
    settings = config.global_defs
    for name in ("startup_script", "shutdown_script"):
        script = getattr(settings, name)
        if script is not None:
            yield _Command("global_defs", name, f"`{name}`", script.account)
    for name in ("notify_fifo", "vrrp_notify_fifo", "lvs_notify_fifo"):
        fifo = getattr(settings, name)
        if fifo is not None and fifo.script is not None:
            yield _Command("global_defs", f"{name}_script", f"`{name}_script`", fifo.script.account)
    for check in config.vrrp_scripts:
        if check.argv:
            yield _Command(
                f"vrrp_script/{check.name}",
                "argv",
                f"`vrrp_script {check.name}`",
                check.account,
                "`user USER` in the script",
            )
    for kind, owners in (
        ("vrrp_instance", config.vrrp_instances),
        ("vrrp_sync_group", config.vrrp_sync_groups),
    ):
        for owner in owners:
            yield from _notified(f"{kind}/{owner.name}", owner.name, owner.notify)
    for server in config.virtual_servers:
        path = f"virtual_server/{server.name}"
        for event in ("quorum_up", "quorum_down"):
            script = getattr(server, event)
            if script is not None:
                yield _Command(path, event, f"`{event}` of `{server.name}`", script.account)
        for real in server.real_servers:
            own = f"{path}/real_server/{real.identity}"
            for event in ("notify_up", "notify_down"):
                script = getattr(real, event)
                if script is not None:
                    yield _Command(own, event, f"`{event}` of {real.identity}", script.account)
            for position, misc in enumerate(real.checkers):
                if isinstance(misc, MiscCheck):
                    yield _Command(
                        f"{own}/checker/MISC_CHECK {position}",
                        "argv",
                        f"`MISC_CHECK` of {real.identity} in `{server.name}`",
                        misc.account,
                        "`user USER` in the check",
                    )


def _notified(path: str, name: str, notify: Notify) -> Iterator[_Command]:
    """The notify scripts of one instance or sync group."""
    for event in ("master", "backup", "fault", "stop", "deleted", "any", "master_rx_lower_pri"):
        script = getattr(notify, event)
        if script is None:
            continue
        keyword = "notify" if event == "any" else f"notify_{event}"
        # `notify_deleted` is a setting of its own in the IR: it may stand there without a script.
        field = keyword if event == "deleted" else f"notify/{event}"
        yield _Command(path, field, f"`{keyword}` of `{name}`", script.account)


def no_mail(case: Case) -> None:
    """Mail needs a server and somebody to write to; without one of them keepalived sends nothing, without a word."""
    settings = case.config.global_defs
    if settings.smtp_server is not None and settings.notification_emails:
        return
    if settings.smtp_server is not None:
        missing, given, help_ = "notification_email", "smtp_server", "add `notification_email { ADDRESS }`"
    elif settings.notification_emails:
        missing, given, help_ = "smtp_server", "notification_email", "add `smtp_server ADDRESS`"
    else:
        _wanted_mail(case)
        return
    case.say(
        "KC0404",
        f"`{given}` without `{missing}`",
        "global_defs",
        given,
        consequence="no alert mail is sent",
        help=f"{help_}, or remove the mail settings",
    )


def _wanted_mail(case: Case) -> None:
    """Somebody asks for mail, and there is neither a server nor an address."""
    place = next(_alerts(case), None)
    if place is None:
        return
    case.say(
        "KC0404",
        "`smtp_alert` without `smtp_server` and `notification_email`",
        *place,
        consequence="no alert mail is ever sent",
        help="add both to global_defs, or remove `smtp_alert`",
        severity=Severity.WARNING,
    )


def _alerts(case: Case) -> Iterator[tuple[str, str]]:
    """Where mail was asked for. Real servers have alerts on by default: there only what was written counts."""
    said, config = case.lowered.said, case.config
    for kind, objects in (
        ("vrrp_instance", config.vrrp_instances),
        ("vrrp_sync_group", config.vrrp_sync_groups),
        ("virtual_server", config.virtual_servers),
    ):
        for one in objects:
            if one.smtp_alert:
                yield _asked(case, f"{kind}/{one.name}")
    for server in config.virtual_servers:
        for real in server.real_servers:
            path = f"virtual_server/{server.name}/real_server/{real.identity}"
            if real.smtp_alert and said(path, "smtp_alert"):
                yield path, "smtp_alert"


def _asked(case: Case, path: str) -> tuple[str, str]:
    """Where the alerts of the object at ``path`` were switched on: there, or for all."""
    if not case.lowered.said(path, "smtp_alert"):
        for name in ("smtp_alert", "smtp_alert_vrrp", "smtp_alert_checker"):
            if case.lowered.said("global_defs", name):
                return "global_defs", name
    return path, "smtp_alert"
