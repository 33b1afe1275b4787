"""Octets written as text: hexadecimal payloads and HMAC keys, MAC addresses aside."""

from __future__ import annotations

from typing import Any

from kcc.language.arguments.base import REFUSED, Arg, Reader
from kcc.language.arguments.numbers import IntArg
from kcc.language.arguments.words import octets

_DIGITS = frozenset("0123456789abcdefABCDEF")
PAYLOAD_MAX = 65535
KEY_MIN, KEY_MAX = 32, 64


class HexArg(Arg):
    """The rest of the line as hexadecimal octets; each group is cut into pairs from the left, an odd last digit is an octet.

    ``wild``: ``X`` or ``x`` stands for any nibble. The value is text, two characters an octet.
    """

    __slots__ = ("wild",)

    def __init__(self, *, wild: bool = False) -> None:
        super().__init__("HEX …", optional=wild)
        self.wild = wild

    def read(self, reader: Reader) -> Any:
        if not reader.more():
            return "" if self.wild else reader.missing("hexadecimal octets")
        found: list[str] = []
        allowed = _DIGITS | frozenset("xX") if self.wild else _DIGITS
        while reader.more():
            group = reader.take()
            bad = next((c for c in group if c not in allowed), None)
            if bad is not None:
                return reader.wrong("KC0307", f"`{bad}` is not a hexadecimal digit", label="in this group")
            found += [group[i : i + 2].rjust(2, "0") for i in range(0, len(group), 2)]
        if len(found) > PAYLOAD_MAX:
            return reader.wrong(
                "KC0309", f"at most {PAYLOAD_MAX} octets fit", at=1, label=f"{len(found)} octets"
            )
        return "".join(found)


class KeyArg(Arg):
    """``ID VALUE`` of an HMAC key; VALUE is text, ``hex:…`` or ``file:PATH``. The value is ``(id, text)``."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("UINT(1..255) TEXT|hex:HEX|file:PATH")

    def read(self, reader: Reader) -> Any:
        number = _ID.read(reader)
        if number is REFUSED:
            return REFUSED
        if not reader.more():
            return reader.missing("a secret")
        text = reader.take()
        if text.startswith("file:"):
            return number, text
        if text.startswith("hex:"):
            digits = text[4:]
            if len(digits) % 2 or not set(digits) <= _DIGITS:
                return reader.wrong(
                    "KC0307", "the key is not an even number of hexadecimal digits", label="this key"
                )
            length = len(digits) // 2
        else:
            length = len(octets(text))
        if not KEY_MIN <= length <= KEY_MAX:
            return reader.wrong(
                "KC0309",
                f"a key has {KEY_MIN} to {KEY_MAX} octets",
                label=f"{length} octets",
                help="`openssl rand -hex 32` makes a good one; write it as `hex:…`",
            )
        return number, text


_ID = IntArg(1, 255)
PAYLOAD = HexArg()
PATTERN = HexArg(wild=True)
HMAC_KEY = KeyArg()
