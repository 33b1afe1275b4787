"""Numbers as keepalived reads them: decimal only, a sign and leading blanks allowed, nothing behind the digits.

``+5`` and ``010`` (ten) are numbers; ``0x10``, ``10s``, ``10;`` and ``10,`` are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kcc.language.arguments.base import REFUSED, Reader, WordArg

if TYPE_CHECKING:
    from kcc.diagnostics.model import Fix

U32_MAX = 4294967295
S32_MAX = 2147483647
BLANKS = " \t\n\v\f\r"
SECOND_US = 1_000_000


def integer(text: str) -> int | None:
    """The value of a decimal integer, None where ``text`` is not one."""
    digits = text.lstrip(BLANKS)
    if digits[:1] in ("+", "-"):
        digits = digits[1:]
    if not digits.isdigit() or not digits.isascii():
        return None
    if len(digits) > 40:  # far beyond every range; and int() is quadratic
        digits = digits[:40]
    value = int(digits)
    return -value if text.lstrip(BLANKS)[:1] == "-" else value


def empty(reader: Reader, text: str) -> bool:
    """Whether ``text`` holds nothing but blanks, which keepalived takes for 0; said as a warning."""
    if text.strip(BLANKS):
        return False
    from kcc.diagnostics.model import Severity

    reader.wrong(
        "KC0302",
        f"`{reader.name}` has an empty word where a number is meant",
        label="nothing in it",
        consequence="keepalived takes it for 0",
        help="write the number",
        severity=Severity.WARNING,
    )
    return True


def leading_digits(text: str) -> str:
    """The digits that ``text`` starts with: ``10`` of ``10abc``."""
    end = 0
    while end < len(text) and text[end] in "0123456789":
        end += 1
    return text[:end]


def span_words(low: int, high: int) -> str:
    """``1 to 255``, ``at least 1`` for a range that only the machine bounds."""
    if high >= S32_MAX and high in (S32_MAX, U32_MAX):
        return f"{low} or more" if low <= 1 else f"{low} to {high}"
    return f"{low} to {high}"


class IntArg(WordArg):
    """A whole number from ``low`` to ``high``. ``signed`` False: a leading ``-`` is refused as such.

    ``zero``: what 0 becomes (with an error), where 0 is no use. ``clamp``: out of range is used as the nearest bound, with an
    error. ``instead``: a refused value gives this one, not the earlier.
    """

    __slots__ = ("clamp", "high", "instead", "low", "signed", "zero")

    def __init__(
        self,
        low: int = 0,
        high: int = U32_MAX,
        *,
        signed: bool = False,
        zero: int | None = None,
        clamp: bool = False,
        instead: int | None = None,
    ) -> None:
        super().__init__(f"{'INT' if signed else 'UINT'}({low}..{high})", f"a number from {low} to {high}")
        self.low = low
        self.high = high
        self.signed = signed
        self.zero = zero
        self.clamp = clamp
        self.instead = instead

    def word(self, reader: Reader, text: str) -> Any:
        value = int(text) if text.isdigit() and text.isascii() and len(text) < 12 else integer(text)
        if value is not None and self.low <= value <= self.high:
            if value == 0 and self.zero is not None:
                reader.wrong(
                    "KC0310",
                    f"`{reader.name}` cannot be 0",
                    label=f"used as {self.zero}",
                    consequence=f"{self.zero} is used instead",
                )
                return self.zero
            return value
        if value is None and not text.strip(BLANKS):
            if self.low <= 0 <= self.high and self.zero is None and empty(reader, text):
                return 0
            value = 0
            if self.zero is not None and self.low <= 0:
                return self.word(reader, "0")
        if value is None:
            return self._not_a_number(reader, text)
        if self.clamp:
            used = self.low if value < self.low else self.high
            reader.wrong(
                "KC0310",
                f"`{reader.name}` must be {span_words(self.low, self.high)}",
                label=f"{text} is out of range",
                consequence=f"{used} is used instead",
            )
            return used
        consequence = None if self.instead is None else f"{self.instead} is used instead"
        reader.wrong(
            "KC0303",
            f"`{reader.name}` must be {span_words(self.low, self.high)}",
            label=f"{_short(text) or 'an empty word counts as 0, which'} is out of range",
            consequence=consequence,
        )
        return REFUSED if self.instead is None else self.instead

    def _not_a_number(self, reader: Reader, text: str) -> Any:
        kind = "whole number"
        fix = _first_digits_fix(reader, text)
        help = f"write a {kind}, {span_words(self.low, self.high)}, with nothing behind it"
        if text[:2].lower() == "0x" and _is_hex(text[2:]):
            help = f"hexadecimal is not understood here: write {int(text[2:16], 16)}"
        elif leading_digits(text) and text.count(".") == 1:
            help = "decimals are not allowed here"
        consequence = None if self.instead is None else f"{self.instead} is used instead"
        reader.wrong(
            "KC0302",
            f"`{reader.name}` takes a {kind} from {self.low} to {self.high}",
            label=f"`{_short(text)}` is not one",
            consequence=consequence,
            help=help,
            fix=fix,
        )
        return REFUSED if self.instead is None else self.instead


class DecimalArg(WordArg):
    """A decimal number from ``low`` to ``high`` with at most ``places`` decimals; the value is an integer count of the
    smallest unit (``places`` 6 of seconds: microseconds), times ``scale``.

    More decimals are an error and rounded half up; with text behind the digits keepalived takes the leading digits as a count of the
    smallest unit. ``zero``: what 0 becomes, with an error.
    """

    __slots__ = ("high", "low", "places", "scale", "unit", "zero")

    def __init__(
        self,
        low: str,
        high: str,
        places: int = 6,
        *,
        unit: str = "s",
        scale: int = 1,
        zero: int | None = None,
    ) -> None:
        super().__init__(f"DEC({low}..{high},{places})", f"a number of {_UNITS[unit]} from {low} to {high}")
        self.low = _fixed(low, places)
        self.high = _fixed(high, places) if high else 18446744073709551614
        self.places = places
        self.unit = unit
        self.scale = scale
        self.zero = zero

    def word(self, reader: Reader, text: str) -> Any:
        if text.isdigit() and text.isascii() and len(text) < 12:
            value = int(text) * 10**self.places
        else:
            parsed = self._parse(reader, text)
            if parsed is None:
                return REFUSED
            value = parsed
        if value == 0 and self.zero is not None:
            reader.wrong(
                "KC0310",
                f"`{reader.name}` cannot be 0",
                label=f"used as {self.zero}",
                consequence=f"{self.zero} s is used instead",
            )
            return self.zero * 10**self.places * self.scale
        if not self.low <= value <= self.high:
            low, high = (_unfixed(bound, self.places) for bound in (self.low, self.high))
            reader.wrong(
                "KC0303",
                f"`{reader.name}` must be {low} to {high} {_UNITS[self.unit]}",
                label=f"{_short(text) or 'nothing'} is out of range",
            )
            return REFUSED
        return value * self.scale

    def _parse(self, reader: Reader, text: str) -> int | None:
        body = text.lstrip(BLANKS)
        if body[:1] == "-":
            reader.wrong(
                "KC0303",
                f"`{reader.name}` cannot be negative",
                label=f"{_short(text)} is out of range",
            )
            return None
        if body[:1] == "+":
            body = body[1:]
        if not body:
            return 0
        whole, dot, fraction = body.partition(".")
        if whole.isascii() and fraction.isascii() and (whole + fraction).isdigit():
            if len(fraction) > self.places:
                rounded: int = int(whole[:40] or "0") * 10**self.places + _rounded(fraction, self.places)
                reader.wrong(
                    "KC0310",
                    f"`{reader.name}` has more than {self.places} decimals",
                    label=f"used as {_unfixed(rounded, self.places)}",
                    consequence=f"rounded to {_unfixed(rounded, self.places)} {_UNITS[self.unit]}",
                )
                return rounded
            exact: int = int(whole[:40] or "0") * 10**self.places + int(
                fraction.ljust(self.places, "0") or "0"
            )
            return exact
        digits = leading_digits(whole if dot and not whole.isdigit() else body)
        smallest = _SMALLEST[self.unit, self.places]
        consequence = None
        value = None
        if digits and len(digits) < 20 and self.low <= int(digits) <= self.high:
            value = int(digits)
            consequence = f"keepalived reads it as {digits} {smallest}, not as {digits} {_UNITS[self.unit]}"
        reader.wrong(
            "KC0302",
            f"`{reader.name}` takes a number of {_UNITS[self.unit]}",
            label=f"`{_short(text)}` is not a number",
            consequence=consequence,
            help="write only the number: no unit, no sign of punctuation, a point before decimals",
            fix=_first_digits_fix(reader, text),
        )
        return value


def UINT(low: int = 0, high: int = U32_MAX, **more: Any) -> IntArg:  # noqa: N802 - the manual's notation
    """An unsigned decimal number."""
    return IntArg(low, high, **more)


def INT(low: int, high: int, **more: Any) -> IntArg:  # noqa: N802 - the manual's notation
    """A signed decimal number."""
    return IntArg(low, high, signed=True, **more)


def SECONDS(low: str, high: str, places: int = 6, **more: Any) -> DecimalArg:  # noqa: N802 - the manual's notation
    """Decimal seconds; the value is integer microseconds."""
    return DecimalArg(low, high, places, unit="s", scale=10 ** (6 - places), **more)


def MILLISECONDS(low: str, high: str) -> DecimalArg:  # noqa: N802 - the manual's notation
    """Decimal milliseconds with three decimals; the value is integer microseconds."""
    return DecimalArg(low, high, 3, unit="ms")


class NumArg(WordArg):
    """A number in C notation (``0x..`` hexadecimal, ``0..`` octal) from ``low`` to ``high``."""

    __slots__ = ("high", "low")

    def __init__(self, low: int, high: int) -> None:
        super().__init__(f"NUM({low}..{high})", "a number")
        self.low = low
        self.high = high

    def word(self, reader: Reader, text: str) -> Any:
        value = c_integer(text)
        if value is None and self.low <= 0 <= self.high and empty(reader, text):
            return 0
        if value is None or not self.low <= value <= self.high:
            return reader.wrong(
                "KC0303" if value is not None else "KC0302",
                f"`{reader.name}` takes a number from {self.low} to {self.high}",
                label=f"`{_short(text)}` is not one",
            )
        return value


def c_integer(text: str) -> int | None:
    """The value of a number in C notation, None where ``text`` is not one."""
    body = text.lstrip(BLANKS)
    sign = -1 if body[:1] == "-" else 1
    if body[:1] in ("+", "-"):
        body = body[1:]
    if not body or len(body) > 40 or not body.isascii() or not body.isalnum():
        return None
    try:
        if body[:2] in ("0x", "0X"):
            return sign * int(body[2:], 16)
        return sign * int(body, 8 if body[0] == "0" else 10)
    except ValueError:
        return None


_UNITS = {"s": "seconds", "ms": "milliseconds"}
_SMALLEST = {("s", 6): "µs", ("s", 3): "ms", ("ms", 3): "µs"}


def _fixed(text: str, places: int) -> int:
    whole, _, fraction = text.partition(".")
    value: int = int(whole or "0") * 10**places + int(fraction.ljust(places, "0") or "0")
    return value


def _unfixed(value: int, places: int) -> str:
    whole, fraction = divmod(value, 10**places)
    digits = str(fraction).rjust(places, "0").rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


def _rounded(fraction: str, places: int) -> int:
    return int(fraction[:places] or "0") + (fraction[places] >= "5")


def _is_hex(text: str) -> bool:
    return bool(text) and len(text) <= 14 and all(c in "0123456789abcdefABCDEF" for c in text)


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "…"


def _first_digits_fix(reader: Reader, text: str) -> Fix | None:
    digits = leading_digits(text)
    if not digits or digits == text or text[len(digits)] == "." or text[:2].lower() == "0x":
        return None
    from kcc.diagnostics.model import Edit, Fix

    return Fix(f"write `{digits}`", (Edit(reader.span(), digits),))
