"""Commands: what is run, and as whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kir.model import Account, Notify, Script

if TYPE_CHECKING:
    from kcc.language.parsed import AccountValue, Node, ScriptValue
    from kcc.lower.scope import Scope


def account(value: AccountValue | None, scope: Scope) -> Account:
    """The account of a command: its own, else ``script_user``, else the daemon's default (an empty `Account`)."""
    if value is None:
        value = scope.defaults.script_user
    if value is None:
        return _DEFAULT
    made: Account = scope.once(
        value, lambda: Account(user=value.user, group=value.group, supplementary=value.supplementary)
    )
    return made


def script(value: ScriptValue | None, scope: Scope) -> Script | None:
    """A command that is run at an event, None where none was given."""
    if value is None or not value.argv:
        return None
    made: Script = scope.once(
        (value.argv, value.account),
        lambda: Script(argv=value.argv, account=account(value.account, scope)),
    )
    return made


def notify(node: Node, scope: Scope) -> Notify:
    """The notify scripts of an instance or a sync group."""
    get = node.get
    deleted = get("notify_deleted")
    scripts = (
        script(get("notify_master"), scope),
        script(get("notify_backup"), scope),
        script(get("notify_fault"), scope),
        script(get("notify_stop"), scope),
        script(deleted, scope) if hasattr(deleted, "argv") else None,
        script(get("notify"), scope),
        script(get("notify_master_rx_lower_pri"), scope),
    )
    if not any(scripts):
        return _SILENT
    master, backup, fault, stop, gone, any_, rx_lower = scripts
    return Notify(
        master=master,
        backup=backup,
        fault=fault,
        stop=stop,
        deleted=gone,
        any=any_,
        master_rx_lower_pri=rx_lower,
    )


_DEFAULT = Account()
_SILENT = Notify()
