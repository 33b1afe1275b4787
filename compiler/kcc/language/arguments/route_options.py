"""Values of routes and rules that stand behind an option: numbers, names of iproute2's tables, times, addresses.

Each reads what stands behind the option that was taken last and returns the value, or `REFUSED` after saying why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kcc.language.arguments.addresses import parse_ip, parse_prefix
from kcc.language.arguments.base import REFUSED, Reader, Refused
from kcc.language.arguments.numbers import U32_MAX, c_integer, empty
from kcc.language.arguments.tables import REALMS, table_name
from kcc.language.arguments.words import ifname_problem
from kir.model import Realms

if TYPE_CHECKING:
    from kcc.diagnostics.model import Severity

EXIT = "keepalived exits with status 2 here and starts nothing"
_UNITS_US = {
    "s": 1_000_000,
    "sec": 1_000_000,
    "secs": 1_000_000,
    "ms": 1000,
    "msec": 1000,
    "msecs": 1000,
}
RTT_MIN_US, RTT_MAX_US = 200_000, 120_000_000
_RAW_US = {"rtt": 125, "rttvar": 250, "rto_min": 1000}


def word(reader: Reader) -> str | Refused:
    """The next word."""
    return reader.take() if reader.more() else reader.missing("a value", consequence=EXIT)


def number(reader: Reader, option: str, low: int = 0, high: int = U32_MAX) -> Any:
    """A number in C notation."""
    text = word(reader)
    if isinstance(text, Refused):
        return REFUSED
    value = c_integer(text)
    if value is None and low == 0 and empty(reader, text):
        return 0
    if value is None or not low <= value <= high:
        return reader.wrong("KC0303", f"`{option}` must be {low} to {high}", label=f"`{text}` is not")
    return value


def named(reader: Reader, option: str, names: dict[str, int], most: int) -> Any:
    """A number or a name of one of iproute2's tables."""
    text = word(reader)
    if isinstance(text, Refused):
        return REFUSED
    value = table_name(text, names, most) if text else None
    if value is None:
        return reader.wrong(
            "KC0303", f"`{option}` is a name, or a number from 0 to {most}", label=f"`{text}` is neither"
        )
    return value


def interface(reader: Reader) -> Any:
    """The name of an interface."""
    text = word(reader)
    if isinstance(text, Refused):
        return REFUSED
    problem = ifname_problem(text)
    if problem is not None:
        return reader.wrong("KC0307", f"an interface name {problem}", label="no interface can have this name")
    return text


def address(reader: Reader, option: str) -> Any:
    """A numeric address with its family, ``(text, family)``; ``inet`` or ``inet6`` may stand before it."""
    text = word(reader)
    wanted = text if text in ("inet", "inet6") else None
    if wanted is not None:
        text = word(reader)
    if isinstance(text, Refused):
        return REFUSED
    found = parse_ip(text)
    if found is None or (wanted is not None and found[1] != wanted):
        what = "an IP address" if wanted is None else "an address of that family"
        return reader.wrong("KC0306", f"`{text}` is not {what}", label=f"the value of `{option}`")
    return found


def prefix(reader: Reader, text: str, what: str) -> Any:
    """``A[/LEN]`` with its family, host bits cleared: ``("10.0.0.0/8", "inet")``."""
    found = parse_prefix(text)
    if found is None:
        return reader.wrong("KC0306", f"`{text}` is not an IP address", label=f"the value of `{what}`")
    if found[3]:
        return reader.wrong("KC0303", f"the prefix length of `{text}` is out of range", label="too long")
    return network(found[0], found[1], found[2]), found[1]


def network(address: str, family: str, length: int | None) -> str:
    """The prefix as the kernel keeps it."""
    import ipaddress

    full = 32 if family == "inet" else 128
    return str(ipaddress.ip_network((address, full if length is None else length), strict=False))


def realms(reader: Reader) -> Any:
    """``[FROM/]TO``."""
    text = word(reader)
    if isinstance(text, Refused):
        return REFUSED
    source, slash, destination = text.partition("/")
    if not slash:
        source, destination = "", source
    values = [table_name(part, REALMS, 255) if part else None for part in (source, destination)]
    if values[1] is None or (slash and values[0] is None):
        return reader.wrong("KC0307", "realms are `TO` or `FROM/TO`", label=f"`{text}` is not")
    return Realms(source=values[0], destination=values[1])


def span(reader: Reader, option: str, most: int) -> Any:
    """``A-B``; a bad one costs only the option."""
    text = word(reader)
    if isinstance(text, Refused):
        return REFUSED
    low, dash, high = text.partition("-")
    if dash and low.isdigit() and high.isdigit() and int(low[:12]) <= int(high[:12]) <= most:
        return int(low), int(high)
    reader.wrong(
        "KC0307",
        f"`{option}` takes a range",
        label=f"`{text}` is not one",
        consequence="the option is dropped",
        help=f"write `{option} {text}-{text}`" if text.isdigit() else None,
    )
    return None


def locked(reader: Reader) -> bool:
    """Whether ``lock`` stands before the value."""
    if reader.peek() != "lock":
        return False
    reader.take()
    return True


def _logged(reader: Reader) -> Severity | None:
    """2.2.7 only writes to its log that it cuts a time."""
    from kcc.diagnostics.model import Severity

    return Severity.WARNING if reader.target == "keepalived-2.2.7" else None


def duration(reader: Reader, option: str) -> Any:
    """A time with a unit, or in the kernel's raw unit, in microseconds; one beyond 200 ms to 120 s is cut with an error."""
    text = word(reader)
    if isinstance(text, Refused):
        return REFUSED
    from decimal import Decimal, InvalidOperation

    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = text[len(digits) :]
    factor = _RAW_US[option] if not unit else _UNITS_US.get(unit)
    try:
        value = None if factor is None or "e" in digits.lower() else int(Decimal(digits) * factor)
    except (InvalidOperation, ValueError, OverflowError):
        value = None
    if value is None or value < 0:
        return reader.wrong(
            "KC0302",
            f"`{option}` is a time",
            label=f"`{text}` is not",
            help="write seconds as `1.5s`, or `300ms`",
        )
    step = factor if not unit else 1000
    assert step is not None
    if reader.target != "krun" and len(digits.partition(".")[2]) > (
        3 if unit and not unit.startswith("m") else 0
    ):
        value = (2 * value + step) // (2 * step) * step
        reader.wrong(
            "KC0310",
            f"`{option}` has too many decimals",
            label=f"used as {min(max(value, RTT_MIN_US), RTT_MAX_US) / 1000:g} ms",
            consequence="rounded: keepalived takes whole milliseconds, and seconds with at most three decimals",
        )
    used = min(max(value, RTT_MIN_US), RTT_MAX_US)
    if used != value:
        reader.wrong(
            "KC0310",
            f"`{option}` must be 200 ms to 120 s",
            label=f"used as {used // 1000} ms",
            consequence=f"{used // 1000} ms is used instead",
            severity=_logged(reader),
        )
    return used
