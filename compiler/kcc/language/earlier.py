"""Arguments as releases before a change read them: other readers, and rules about values that mean something else since.

Each says KC0904: the line is right for the newest release, and the release that the file is checked for makes something else of it. What it
refuses or reads in another way for reasons of its own has the codes of values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kcc.diagnostics.model import Severity
from kcc.language.arguments.addresses import parse_prefix
from kcc.language.arguments.base import Arg
from kcc.language.arguments.vmac import MODES, IpvlanValue, VmacValue, mac_address
from kcc.language.arguments.words import ifname_problem
from kcc.language.parsed import AccountValue, ScriptValue
from kcc.language.unknown import flag_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcc.language.arguments.base import Reader, Refused

    Rule = Callable[["Reader", Any], Any]
    # Judges the value of the line that the reader has just read; gives the value that the release takes, or `REFUSED`.

_NEWEST = "keepalived-2.4.3"
_BOOLEANS = ("true", "on", "yes", "false", "off", "no")
_MOST_GARP_US = 2**31 - 1


class FlagArg(Arg):
    """Before 2.3.0: on, whatever follows."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("", optional=True)

    def read(self, reader: Reader) -> Any:
        left = reader.rest()
        if left and left[0] in _BOOLEANS:
            off = left[0] in _BOOLEANS[3:]
            _otherwise(
                reader,
                f"`{reader.name}` takes no argument in {_name(reader)}",
                at=1,
                label="not looked at",
                consequence=f"`{reader.name}` is switched on all the same" if off else "it is switched on",
                help="remove the line to leave it off" if off else f"write `{reader.name}` alone",
                severity=Severity.WARNING,
            )
        elif left:
            reader.said += 1
            flag_words(reader.keyword, reader.statement, left, reader.findings)
        return True


class VmacArg(Arg):
    """Before 2.3.0 the first two words: an interface name, a MAC address."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("[IFNAME] [MAC]", optional=True)

    def read(self, reader: Reader) -> Any:
        name: str | None = None
        mac: str | None = None
        new = next((at for at in range(1, len(reader.words)) if reader.words[at].text in _VMAC_WORDS), 0)
        while reader.more() and reader.at <= 2:
            word = reader.take()
            if ":" in word:
                if mac is not None:
                    _twice(reader, "a MAC address", word)
                mac = mac or mac_address(reader, word)
            elif name is not None and not new:
                _twice(reader, "the name of an interface", word)
            elif name is None and ((problem := ifname_problem(word)) is None or word in _VMAC_WORDS):
                name = word if problem is None else ""
            elif name is None:
                _bad_name(reader, word, problem or "")
        if new:
            self._new_words(reader, new, name)
        elif reader.more():
            _unread(reader, reader.at, "only the first two words are read")
        reader.at = len(reader.words)
        return VmacValue(name=name or None, mac=mac)

    def _new_words(self, reader: Reader, new: int, name: str | None) -> None:
        """One message about ``name``, ``group`` and ``netlink_notify_msg``, wherever they stand."""
        word = reader.words[new].text
        error = sum(":" not in w.text for w in reader.words[1:3]) > 1 or not ifname_fits(word)
        _otherwise(
            reader,
            f"{_name(reader)} takes `{word}` for the name of the interface"
            if new <= 2
            else f"{_name(reader)} does not look at `{word}`",
            at=new,
            label="no word of its own there",
            consequence=f"the interface is called `{name}`, and the rest is ignored"
            if name
            else "the interface gets a name of keepalived's own",
            help=_later("2.3.0", "name, group and netlink_notify_msg"),
            severity=None if error and new <= 2 else Severity.WARNING,
        )


class IpvlanArg(Arg):
    """Before 2.3.0: every word that is neither a mode nor an address is the name."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("[IFNAME] [IP[/LEN]] [bridge|private|vepa]", optional=True)

    def read(self, reader: Reader) -> Any:
        given: dict[str, Any] = {}
        for word in reader.rest():
            found = parse_prefix(word)
            if word in MODES:
                what, value = "mode", word
            elif found is not None and not found[3]:
                what, value = "address", word
            else:
                what, value = "name", word
            at = 1 + [w.text for w in reader.words[1:]].index(word)
            if what in given:
                if given.get("new"):
                    continue  # said already
                if word not in _IPVLAN_WORDS:
                    _twice(reader, _WHAT[what], word, at)
                    continue
            if word in _IPVLAN_WORDS and what == "name":
                given["new"] = True
                _otherwise(
                    reader,
                    f"{_name(reader)} takes `{word}` for the name of the interface",
                    at=at,
                    label="no word of its own there",
                    consequence=f"the interface is called `{given.get('name', word)}`, and the other names are refused",
                    help=_later("2.3.0", "name and group"),
                    severity=None if _names(reader) > 1 else Severity.WARNING,
                )
            elif what == "name" and (problem := ifname_problem(word)) is not None:
                _bad_name(reader, word, problem, at)
                continue
            given.setdefault(what, value)
            if what == "address" and found is not None:
                given.update(address=found[0], prefix=found[2])
        given.pop("new", None)
        return IpvlanValue(**given)


def _names(reader: Reader) -> int:
    """How many words behind ``use_ipvlan`` count as names."""
    words = [word.text for word in reader.words[1:]]
    return sum(word not in MODES and parse_prefix(word) is None for word in words)


def ifname_fits(word: str) -> bool:
    """Whether an interface can be called ``word``."""
    return ifname_problem(word) is None


def _twice(reader: Reader, what: str, word: str, at: int | None = None) -> None:
    reader.wrong(
        "KC0307",
        f"`{reader.name}` takes {what} once",
        at=at,
        label=f"`{word}` is not used",
        consequence="the word is ignored",
    )


def _bad_name(reader: Reader, word: str, problem: str, at: int | None = None) -> None:
    reader.wrong(
        "KC0307",
        f"an interface name {problem}",
        at=at,
        label=f"`{word}` is not used",
        consequence="the word is ignored",
    )


# --- rules


def _umask(reader: Reader, value: Any) -> Any:
    bit = next((b for b in reader.words[1].text.split("|") if b.startswith("IRWX")), None)
    if bit is None:
        return value
    return _otherwise(
        reader,
        f"keepalived before 2.2.8 does not know the mode bits `{bit}`",
        at=1,
        label=f"no mode bits of {_name(reader)}",
        help=f"write `IR{_WHO[bit]}|IW{_WHO[bit]}|IX{_WHO[bit]}`",
    )


def _ipsets(reader: Reader, value: Any) -> Any:
    if len(reader.words) > 6:
        _unread(reader, 6, "five names are read; the set for neighbour discovery came with 2.3.0")
    return value


def _garp(reader: Reader, value: Any) -> Any:
    if not isinstance(value, int) or value <= _MOST_GARP_US:
        return value
    return _otherwise(
        reader,
        f"`{reader.name}` is at most 2147.483647 seconds in {_name(reader)}",
        at=1,
        label="too long",
        help=_later("2.3.2", "up to 4294.967295 seconds"),
    )


def _payload(reader: Reader, value: Any) -> Any:
    if not isinstance(value, str) or not value.lower().endswith("ff"):
        return value
    return _otherwise(
        reader,
        f"{_name(reader)} refuses octets that end in `ff`",
        at=len(reader.words) - 1,
        label="the last octet",
        help=_later("2.3.3", "any octets") + "; before, end in another octet",
    )


def _interval(reader: Reader, value: Any) -> Any:
    """Before 2.3.2 the interval and the timeout of a script are whole seconds."""
    if not isinstance(value, int) or "." not in reader.words[1].text:
        return value
    return _otherwise(
        reader,
        f"`{reader.name}` takes a whole number of seconds in {_name(reader)}",
        at=1,
        label=f"`{reader.words[1].text}` is not one",
        help=_later("2.3.2", "decimals"),
    )


def command(reader: Reader, value: Any) -> Any:
    """Before 2.3.2 a backslash in a command is read twice."""
    if isinstance(value, ScriptValue) and "\\" in reader.statement.raw:
        _otherwise(
            reader,
            f"{_name(reader)} undoes the escapes of this command twice",
            at=1,
            label="holds a `\\`",
            consequence="from keepalived 2.3.2 on, and in krun, they are undone once: the command gets other arguments",
            help="put what needs a `\\` into the script itself",
            severity=Severity.WARNING,
        )
    return account(reader, value)


def account(reader: Reader, value: Any) -> Any:
    """``:GROUP`` is in no release yet."""
    found = value
    if isinstance(value, ScriptValue):
        found = value.account
    elif isinstance(value, tuple):
        found = next((part for part in value if isinstance(part, AccountValue)), None)
    if not isinstance(found, AccountValue) or not found.supplementary:
        return value
    refused = _otherwise(
        reader,
        f"{_name(reader)} does not know supplementary groups",
        label="taken for the name of a group",
        consequence="there is no such group: nothing is run",
        help="leave the `:` out; no release of keepalived has it yet",
        severity=None if reader.name in _SAID and reader.target != _NEWEST else Severity.WARNING,
    )
    return value if reader.target == _NEWEST else refused


def _unread(reader: Reader, at: int, consequence: str) -> None:
    words = reader.words
    text = " ".join(word.text for word in words[at:])
    _otherwise(
        reader,
        f"`{reader.name}` does not take `{text[:60]}` in {_name(reader)}",
        label="not read",
        consequence=consequence,
        severity=Severity.WARNING,
        at=at,
    )


def _otherwise(reader: Reader, message: str, **more: Any) -> Refused:
    return reader.wrong("KC0904", message, **more)


def _name(reader: Reader) -> str:
    return reader.target.replace("-", " ", 1)


def _later(release: str, what: str) -> str:
    return f"keepalived takes {what} from {release} on"


# Where `keepalived -t` speaks about an account that does not exist; for the others only the log of the daemon does.
_SAID = ("script_user", "startup_script", "shutdown_script", "user")
_WHO = {"IRWXG": "GRP", "IRWXO": "OTH", "IRWXU": "USR"}
_VMAC_WORDS = ("name", "group", "netlink_notify_msg")
_IPVLAN_WORDS = ("name", "group")
_WHAT = {"mode": "a mode", "address": "an address", "name": "the name of an interface"}
_UDP = "virtual_server > real_server > UDP_CHECK"

# Which keywords, the release with which the arguments changed, and the reader of the releases before it.
READERS: tuple[tuple[tuple[str, ...], str, Arg], ...] = (
    (("global_defs > vrrp_strict", "global_defs > vrrp_skip_check_adv_addr"), "2.3.0", FlagArg()),
    (("vrrp_instance > use_vmac",), "2.3.0", VmacArg()),
    (("vrrp_instance > use_ipvlan",), "2.3.0", IpvlanArg()),
)
# The same with rules about the value that the newest release reads.
RULES: tuple[tuple[tuple[str, ...], str, Rule], ...] = (
    (("global_defs > umask",), "2.2.8", _umask),
    (("global_defs > vrrp_ipsets",), "2.3.0", _ipsets),
    (("garp_group > garp_interval", "garp_group > gna_interval"), "2.3.2", _garp),
    (("vrrp_script > interval", "vrrp_script > timeout"), "2.3.2", _interval),
    ((f"{_UDP} > payload", f"{_UDP} > require_reply"), "2.3.3", _payload),
)
