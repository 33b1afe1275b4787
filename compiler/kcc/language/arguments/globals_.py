"""Values that only global_defs has."""

from __future__ import annotations

from typing import Any

from kcc.diagnostics.model import Severity
from kcc.language.arguments.addresses import parse_ip
from kcc.language.arguments.base import REFUSED, Arg, Reader, WordArg
from kcc.language.arguments.numbers import U32_MAX, c_integer, empty, integer
from kcc.language.arguments.words import IFNAME

_MASK_BITS = {
    "IRUSR": 0o400,
    "IWUSR": 0o200,
    "IXUSR": 0o100,
    "IRWXU": 0o700,
    "IRGRP": 0o040,
    "IWGRP": 0o020,
    "IXGRP": 0o010,
    "IRWXG": 0o070,
    "IROTH": 0o004,
    "IWOTH": 0o002,
    "IXOTH": 0o001,
    "IRWXO": 0o007,
}
INCLUDE_CHECKS = ("read", "match", "wildcard_match", "brace_match")
SMTP_PORT = 25


class SmtpServerArg(Arg):
    """``HOST|IP [PORT]``; the value is ``(host, port)``. keepalived looks host and service names up, we do not."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("HOST|IP [PORT|SERVICE]")

    def read(self, reader: Reader) -> Any:
        if not reader.more():
            return reader.missing("a mail server")
        host = reader.take()
        found = parse_ip(host)
        if found is not None:
            host = found[0]
        elif not host or any(not (c.isalnum() or c in "-._") for c in host):
            help = "write the port as a word of its own" if ":" in host else None
            return reader.wrong(
                "KC0307", f"`{host}` is not a host", label="not a name or an address", help=help
            )
        if not reader.more():
            return host, SMTP_PORT
        text = reader.take()
        port = integer(text)
        if text in _SERVICES:
            return host, _SERVICES[text]
        if port is None or not 1 <= port <= 65535:
            help = (
                "only `smtp` and `submission` are known by name here: write the number"
                if port is None
                else None
            )
            return reader.wrong("KC0303", "a port is 1 to 65535", label=f"`{text}` is not", help=help)
        return host, port


_SERVICES = {"smtp": 25, "submission": 587, "smtps": 465, "submissions": 465}


class ExtraIfArg(Arg):
    """``[all] UINT``; the value is ``(all, seconds)``."""

    __slots__ = ("low",)

    def __init__(self, low: int) -> None:
        super().__init__(f"[all] UINT({low}..86400)")
        self.low = low

    def read(self, reader: Reader) -> Any:
        everywhere = reader.peek() == "all"
        if everywhere:
            reader.take()
        if not reader.more():
            return reader.missing("a number of seconds")
        text = reader.take()
        value = integer(text)
        if value is None or not self.low <= value <= 86400:
            code = "KC0302" if value is None else "KC0303"
            return reader.wrong(
                code, f"`{reader.name}` must be {self.low} to 86400 seconds", label=f"`{text}` is not"
            )
        return everywhere, value


class SyncDaemonArg(Arg):
    """``IFNAME`` and options of lvs_sync_daemon; the value is ``(interface, ((option, value), …))``."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("IFNAME [inst NAME] [id N] [maxlen N] [port PORT] [ttl N] [group MCAST_IP]")

    def read(self, reader: Reader) -> Any:
        interface = IFNAME.read(reader)
        if interface is REFUSED:
            return REFUSED
        options: list[tuple[str, str]] = []
        if reader.more() and reader.peek() not in (*_SYNC_RANGES, "inst", "group"):
            options.append(("inst", reader.take()))  # the old form: IFNAME INSTANCE [ID]
            if reader.more() and integer(reader.peek() or "") is not None:
                value = reader.take()
                reader.wrong(
                    "KC0313",
                    f"`{value}` is the sync id: write `id {value}`",
                    label="deprecated form",
                    consequence="it works, and `keepalived -t` fails",
                    severity=Severity.WARNING,
                )
                if self._fits(reader, "id", value):
                    options.append(("id", value))
        while reader.more():
            name = reader.take()
            if name not in (*_SYNC_RANGES, "inst", "group"):
                reader.wrong(
                    "KC0311",
                    f"`{name}` is not an option of the sync daemon",
                    label="unknown",
                    consequence="the word is ignored",
                )
                continue
            if not reader.more():
                reader.missing("a value", consequence="the option is ignored")
                break
            value = reader.take()
            if self._fits(reader, name, value):
                options.append((name, value))
        return interface, tuple(options)

    def _fits(self, reader: Reader, name: str, value: str) -> bool:
        if name == "inst":
            return True
        if name == "group":
            if parse_ip(value) is None:
                reader.wrong("KC0306", f"`{value}` is not an IP address", consequence="the option is ignored")
                return False
            return True
        low, high = _SYNC_RANGES[name]
        number = integer(value)
        if number is None or not low <= number <= high:
            reader.wrong(
                "KC0303",
                f"`{name}` must be {low} to {high}",
                label=f"`{value}` is not",
                consequence="the option is ignored",
            )
            return False
        return True


_SYNC_RANGES = {"id": (0, 255), "maxlen": (1, 65507), "port": (1, 65535), "ttl": (1, 255)}


class UmaskArg(WordArg):
    """A number in C notation up to 0777, or names of mode bits joined by ``|``."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("NUM(0..0777)|BIT{|BIT}", "a mask")

    def word(self, reader: Reader, text: str) -> Any:
        value = c_integer(text)
        if value is None and text and all(bit in _MASK_BITS for bit in text.split("|")):
            value = 0
            for bit in text.split("|"):
                value |= _MASK_BITS[bit]
        if value is None or not 0 <= value <= 0o777:
            return reader.wrong(
                "KC0307", "a mask is 0 to 0777, or names of mode bits joined by `|`", label="not one"
            )
        return value


class IncludeCheckArg(Arg):
    """Words of include_check, each with an optional ``+`` or ``-``; the value is a tuple of them."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("[[+|-]{read|match|wildcard_match|brace_match} …]", optional=True)

    def read(self, reader: Reader) -> Any:
        found = []
        while reader.more():
            word = reader.take()
            if word.lstrip("+-") not in INCLUDE_CHECKS or len(word) - len(word.lstrip("+-")) > 1:
                from kcc.language.suggest import closest

                guess = closest(word.lstrip("+-"), INCLUDE_CHECKS)
                if word.lstrip("+-") == "readable":
                    guess = "read"
                reader.wrong(
                    "KC0311",
                    f"`{word}` is not a check of includes",
                    label="unknown",
                    consequence="the word is ignored",
                    help=f"did you mean `{guess}`?" if guess else None,
                )
                continue
            found.append(word)
        return tuple(found)


class RxPolicyArg(Arg):
    """``MTU|ADVERT`` in any case, or a number of octets, which keepalived always takes from the first word."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("MTU|ADVERT|UINT")

    def read(self, reader: Reader) -> Any:
        what = "`MTU`, `ADVERT` or a number of octets"
        words = reader.rest()
        if not words:
            return reader.missing(what)
        size = 0 if empty(reader, words[0]) else integer(words[0])
        if size is not None and not 0 <= size <= U32_MAX:
            size = None
        policies = [word.upper() for word in words if word.upper() in ("MTU", "ADVERT")]
        other = next((at for at, word in enumerate(words, 1) if word.upper() not in ("MTU", "ADVERT")), 0)
        if other and size is None:
            reader.wrong("KC0304", f"`{reader.name}` is {what}", at=other, label="neither")
            return policies[0] if policies else REFUSED
        value = size if size is not None else "MTU" if "MTU" in policies else "ADVERT"
        if len(words) > 1:
            from kcc.diagnostics.model import Severity

            error = bool(policies) and (size is not None or len(set(policies)) > 1)
            reader.wrong(
                "KC0304",
                f"`{reader.name}` is one of {what}",
                at=2,
                label="one too many",
                consequence=f"keepalived uses {value}",
                severity=None if error else Severity.WARNING,
            )
        return value


SMTP_SERVER = SmtpServerArg()
EXTRA_IF = ExtraIfArg(1)
EXTRA_IF_OR_OFF = ExtraIfArg(0)
SYNC_DAEMON = SyncDaemonArg()
UMASK = UmaskArg()
INCLUDE_CHECK = IncludeCheckArg()
RX_POLICY = RxPolicyArg()
