"""What the keepalived release that a file is checked for lacks, and what it makes of arguments that mean something else since.

``kcc.language.history`` and ``kcc.language.changes`` know when; here is what can be judged from one line. krun has the whole language.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from kcc.diagnostics.model import Severity
from kcc.language.arguments.scripts import AccountArg, FifoArg, ScriptArg
from kcc.language.changes import UNRELEASED, order
from kcc.language.history import history, newer_than
from kcc.language.keywords import walk
from kcc.language.parsed import AccountValue, ScriptValue
from kcc.language.unknown import flag_words
from kcc.targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcc.diagnostics.model import Findings
    from kcc.language.arguments.base import Reader
    from kcc.language.tree import Keyword
    from kcc.syntax.tree import Statement

    Rule = Callable[["Reader", Any], Any]
    # Judges the value of the line that the reader has just read; gives the value that the release takes, or `REFUSED`.

_PROGRAM = "keepalived-"
NEWEST = "2.4.3"
_ACCOUNTS = (ScriptArg, AccountArg, FifoArg)
_MOST_GARP_US = 2**31 - 1


class Release(msgspec.Struct, frozen=True):
    """A release that files are checked for: ``name`` is ``2.2.7`` or its like, empty for krun.

    ``lacks``: the keywords that came later, with the release they came with. ``rules``: for keywords whose arguments changed later.
    """

    name: str
    lacks: dict[Keyword, str]
    rules: dict[Keyword, Rule]

    def takes(self, keyword: Keyword) -> bool:
        """Whether it knows ``keyword``. What no release has yet counts as known to the newest: builds of the branch behind it are
        in use under its number.
        """
        first = self.lacks.get(keyword)
        return first is None or (first == UNRELEASED and self.name == NEWEST)


@cache
def release_of(target: str) -> Release:
    """The release that ``target`` (one of `kcc.targets.TARGETS`) names."""
    if not target.startswith(_PROGRAM):
        return Release("", {}, {})
    name = target.removeprefix(_PROGRAM)
    place = order(name)
    newer = newer_than(name)
    later = {path: rule for paths, before, rule in _RULES if place < order(before) for path in paths}
    of_accounts = _command if place < order("2.3.2") else _account
    lacks: dict[Keyword, str] = {}
    rules: dict[Keyword, Rule] = {}
    for path, keyword in walk():
        if path in newer:
            lacks[keyword] = newer[path]
        if path in later:
            rules[keyword] = later[path]
        elif keyword.args and isinstance(keyword.args[0], _ACCOUNTS):
            rules[keyword] = of_accounts
    return Release(name, lacks, rules)


@cache
def _came_with() -> dict[Keyword, str | None]:
    return {keyword: history(path).since for path, keyword in walk()}


def since(keyword: Keyword) -> str | None:
    """The first release that has ``keyword``, None where that is not established (`kcc.language.history`)."""
    return _came_with().get(keyword)


def report_lacking(keyword: Keyword, statement: Statement, release: Release, findings: Findings) -> bool:
    """Say that ``release`` does not know ``keyword``, and which does; True where it is to be passed over.

    What no release has yet is taken, with a warning.
    """
    first = release.lacks[keyword]
    taken = release.takes(keyword)
    later = next(
        (t for t in TARGETS if t.startswith(_PROGRAM) and keyword not in release_of(t).lacks), "krun"
    )
    findings.report(
        "KC0903",
        f"keepalived {release.name} does not know `{keyword.name}`",
        statement.word_span(0),
        label="in no release yet" if first == UNRELEASED else f"came with keepalived {first}",
        consequence="ignored as an unknown keyword",
        help=f"remove it, or check with `--target {later}`",
        related=statement.via(),
        severity=Severity.WARNING if taken else None,
    )
    return not taken


# --- arguments


def _flag(reader: Reader, value: Any) -> Any:
    """A flag before 2.3.0: on, whatever follows."""
    if len(reader.words) > 1:
        reader.said += 1
        left = [word.text for word in reader.words[1:]]
        flag_words(reader.keyword, reader.statement, left, reader.findings)
    return True


def _umask(reader: Reader, value: Any) -> Any:
    bit = next((b for b in reader.words[1].text.split("|") if b.startswith("IRWX")), None)
    if bit is None:
        return value
    return reader.wrong(
        "KC0307",
        f"keepalived before 2.2.8 does not know the mode bits `{bit}`",
        at=1,
        label=f"no mode bits of {_name(reader)}",
        help=f"write `IR{_WHO[bit]}|IW{_WHO[bit]}|IX{_WHO[bit]}`",
    )


def _vmac(reader: Reader, value: Any) -> Any:
    """Before 2.3.0 the first two words: one interface name, one MAC address."""
    looked_at = reader.words[1:3]
    names = [at for at, word in enumerate(looked_at, 1) if ":" not in word.text]
    new = next((at for at in range(1, len(reader.words)) if reader.words[at].text in _VMAC_WORDS), None)
    if len(names) > 1:
        reader.wrong(
            "KC0307",
            f"`use_vmac` takes one interface name in {_name(reader)}",
            at=new or names[1],
            label="taken for an interface name",
            consequence=f"the interface is called `{reader.words[names[0]].text}`, and the rest is ignored",
            help=_later("2.3.0", "name, group and netlink_notify_msg") if new else "name it once",
        )
    elif new is not None and new <= 2:
        word = reader.words[new].text
        too_long = len(word) > 15
        reader.wrong(
            "KC0307",
            f"{_name(reader)} takes `{word}` for the name of the interface",
            at=new,
            label="no word of its own there",
            consequence="refused as too long, and a name is made up"
            if too_long
            else f"the interface is called `{word}`",
            help=_later("2.3.0", "name, group and netlink_notify_msg"),
            severity=None if too_long else Severity.WARNING,
        )
    elif len(reader.words) > 3:
        _unread(reader, 3, "only the first two words are read")
    return value


def _ipvlan(reader: Reader, value: Any) -> Any:
    new = next((at for at in range(1, len(reader.words)) if reader.words[at].text in ("name", "group")), None)
    if new is None:
        return value
    word = reader.words[new].text
    reader.wrong(
        "KC0307",
        f"{_name(reader)} takes `{word}` for the name of the interface",
        at=new,
        label="no word of its own there",
        consequence=f"the interface is called `{word}`, or the name is refused as a second one",
        help=_later("2.3.0", "name and group"),
        severity=Severity.WARNING,
    )
    return value


def _ipsets(reader: Reader, value: Any) -> Any:
    if len(reader.words) > 6:
        _unread(reader, 6, "five names are read; the set for neighbour discovery came with 2.3.0")
    return value


def _garp(reader: Reader, value: Any) -> Any:
    if not isinstance(value, int) or value <= _MOST_GARP_US:
        return value
    return reader.wrong(
        "KC0303",
        f"`{reader.name}` is at most 2147.483647 seconds in {_name(reader)}",
        at=1,
        label="too long",
        help=_later("2.3.2", "up to 4294.967295 seconds"),
    )


def _payload(reader: Reader, value: Any) -> Any:
    if not isinstance(value, str) or not value.lower().endswith("ff"):
        return value
    return reader.wrong(
        "KC0307",
        f"{_name(reader)} refuses octets that end in `ff`",
        at=len(reader.words) - 1,
        label="the last octet",
        help=_later("2.3.3", "any octets") + "; before, end in another octet",
    )


def _command(reader: Reader, value: Any) -> Any:
    """Before 2.3.2 a backslash in a command is read twice."""
    if isinstance(value, ScriptValue) and "\\" in reader.statement.raw:
        reader.wrong(
            "KC0307",
            f"{_name(reader)} undoes the escapes of this command twice",
            at=1,
            label="holds a `\\`",
            consequence="from keepalived 2.3.2 on, and in krun, they are undone once: the command gets other arguments",
            help="put what needs a `\\` into the script itself",
            severity=Severity.WARNING,
        )
    return _account(reader, value)


def _account(reader: Reader, value: Any) -> Any:
    """``:GROUP`` is in no release yet."""
    account = value
    if isinstance(value, ScriptValue):
        account = value.account
    elif isinstance(value, tuple):
        account = next((part for part in value if isinstance(part, AccountValue)), None)
    if not isinstance(account, AccountValue) or not account.supplementary:
        return value
    refused = reader.wrong(
        "KC0307",
        f"{_name(reader)} does not know supplementary groups",
        label="taken for the name of a group",
        consequence="there is no such group: nothing is run",
        help="leave the `:` out; no release of keepalived has it yet",
        severity=None
        if reader.name in _SAID and reader.target != f"{_PROGRAM}{NEWEST}"
        else Severity.WARNING,
    )
    return value if reader.target == f"{_PROGRAM}{NEWEST}" else refused


def _unread(reader: Reader, at: int, consequence: str) -> None:
    reader.said += 1
    words = reader.words
    text = " ".join(word.text for word in words[at:])
    reader.findings.report(
        "KC0209",
        f"`{reader.name}` does not take `{text[:60]}` in {_name(reader)}",
        reader.statement.line.span(words[at].start, words[-1].end),
        label="not read",
        consequence=consequence,
        related=reader.statement.via(),
        severity=Severity.WARNING,
    )


def _name(reader: Reader) -> str:
    return reader.target.replace("-", " ", 1)


def _later(release: str, what: str) -> str:
    return f"keepalived takes {what} from {release} on"


# Where `keepalived -t` speaks about an account that does not exist; for the others only the log of the daemon does.
_SAID = ("script_user", "startup_script", "shutdown_script", "user")
_WHO = {"IRWXG": "GRP", "IRWXO": "OTH", "IRWXU": "USR"}
_VMAC_WORDS = ("name", "group", "netlink_notify_msg")
_UDP = "virtual_server > real_server > UDP_CHECK"

# Which keywords, the release with which the arguments changed, and the rule for the releases before it.
_RULES: tuple[tuple[tuple[str, ...], str, Rule], ...] = (
    (("global_defs > umask",), "2.2.8", _umask),
    (("global_defs > vrrp_strict", "global_defs > vrrp_skip_check_adv_addr"), "2.3.0", _flag),
    (("vrrp_instance > use_vmac",), "2.3.0", _vmac),
    (("vrrp_instance > use_ipvlan",), "2.3.0", _ipvlan),
    (("global_defs > vrrp_ipsets",), "2.3.0", _ipsets),
    (("garp_group > garp_interval", "garp_group > gna_interval"), "2.3.2", _garp),
    ((f"{_UDP} > payload", f"{_UDP} > require_reply"), "2.3.3", _payload),
)
