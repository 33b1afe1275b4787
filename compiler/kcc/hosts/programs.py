"""Scripts on the host: there, executable by their user, and in nobody else's hands."""

from __future__ import annotations

from kcc.diagnostics.model import Severity
from kcc.hosts.access import ROOT, Runner, Unknown, insecure, runner, unusable
from kcc.hosts.case import HostCase, runs_here
from kcc.lower.scope import some
from kir.commands import Command, commands
from kir.facts import File
from kir.model import Account


def scripts(case: HostCase) -> None:
    """Every command of the configuration; the same one is reported once for the same reason, where it stands first.

    A script that is missing, or that its user may not run, is switched off by keepalived: of a ``vrrp_script`` nothing is left,
    and with it the failover that it should cause. One that somebody besides root can change, and that root runs, makes this
    somebody root.
    """
    said: set[tuple[str, str]] = set()
    unknown: list[Command] = []
    runners: dict[Account, Runner | Unknown] = {}
    files = {f.path: f for f in case.facts.files}
    for command in commands(case.config):
        if command.account not in runners:
            runners[command.account] = runner(case.facts, command.account)
        who = runners[command.account]
        if isinstance(who, Unknown):
            if (who.what, who.name) not in said:
                said.add((who.what, who.name))
                _stranger(case, command, who)
            continue
        file = files.get(command.file)
        if file is None:
            unknown.append(command)
            continue
        why = unusable(file, who)
        if why is not None:
            if (command.file, why) not in said:
                said.add((command.file, why))
                _unusable(case, command, why)
        elif who.uid == ROOT and (command.file, "insecure") not in said:
            said.add((command.file, "insecure"))
            _insecure(case, command, file)
    if unknown:
        names = list(dict.fromkeys(c.file for c in unknown))
        case.say(
            "KC1212",
            f"the facts of {case.host} do not cover {some([f'`{n}`' for n in names])}",
            unknown[0].owner,
            unknown[0].field,
            consequence=f"whether {'it' if len(names) == 1 else 'they'} can be run, and by whom changed, was not judged",
            help="write the facts with the IR of this configuration: `krunctl facts ir.json > FACTS.json`",
        )


def _stranger(case: HostCase, command: Command, who: Unknown) -> None:
    case.say(
        "KC1207",
        f"{case.host} has no {who.what} `{who.name}`, as which `{command.file}` shall run",
        command.owner,
        command.field,
        consequence=_loss(case, command),
        help=f"create the {who.what} there, or name another one",
    )


def pipes(case: HostCase) -> None:
    """The accounts that shall own the notify pipes."""
    for name in ("notify_fifo", "vrrp_notify_fifo", "lvs_notify_fifo"):
        fifo = getattr(case.config.global_defs, name)
        if fifo is None:
            continue
        who = runner(case.facts, Account(user=fifo.user, group=fifo.group))
        if isinstance(who, Unknown):
            case.say(
                "KC1207",
                f"{case.host} has no {who.what} `{who.name}`, whose `{fifo.path}` shall be",
                "global_defs",
                name,
                consequence="the pipe stays root's: whoever reads it as that user gets nothing",
                help=f"create the {who.what} there, or name another one",
            )


def _unusable(case: HostCase, command: Command, why: str) -> None:
    case.say(
        "KC1205",
        f"`{command.file}` cannot be run on {case.host}: {why}",
        command.owner,
        command.field,
        consequence=_loss(case, command),
        help="install it there, mode 0755 and owned by root, before the configuration is loaded",
    )


def _insecure(case: HostCase, command: Command, file: File) -> None:
    found = insecure(file, case.facts)
    if found is None:
        return
    component, how = found
    secure = case.config.global_defs.enable_script_security
    what = "it" if component == command.file else component
    case.say(
        "KC1206",
        f"`{command.file}` runs as root, and {what} {how}",
        command.owner,
        command.field,
        consequence=_loss(case, command) + " (`enable_script_security`)"
        if secure
        else "who can write there becomes root at the next run",
        help=f"`chown root` and `chmod go-w` {component}, or run it as another user",
        severity=Severity.ERROR if secure else None,
    )


def _loss(case: HostCase, command: Command) -> str:
    """What is lost when the command does not run."""
    if command.kind == "vrrp_script":
        name = command.owner.partition("/")[2]
        if case.target == "krun":
            return f"`{name}` always counts as failed"
        return f"keepalived switches `{name}` off: what it watches may fail, and nobody takes over"
    if command.kind == "MISC_CHECK":
        return "the check always fails: the real server gets no connections"
    return f"{runs_here(case.target)} only logs it: nobody is told of the change"
