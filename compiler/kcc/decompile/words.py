"""Values as they must be written so that keepalived and kcc read them back unchanged."""

from __future__ import annotations

import re
from collections.abc import Iterable

from kcc.source.definitions import DEFINITION, MISWRITTEN, PREDEFINED, REFERENCE
from kcc.source.includes import INCLUDE
from kcc.source.replication import REPLICATION

__all__ = ["Unprintable", "command", "duration", "expression", "whole_seconds", "word"]

_PLAIN = re.compile(r'[^\s"{}#!\\\'\0-\x1f\x7f]+')
_SAFE_ARGUMENT = re.compile(r"[A-Za-z0-9_./:=,+%@^?&*;|<>()\[\]{}#!~-]+")
_GROUPED = re.compile(r"[ A-Za-z0-9_./:=,+%@^?&*;|<>()\[\]{}#!~-]*")

_PLAIN_IN_EXPRESSION = {"\\": "\\\\", " ": " ", "'": "'"}


class Unprintable(Exception):  # noqa: N818 - it names a state of the value
    """The configuration language has no way to say this; the text names the value and its place."""


def word(text: str, *, first: bool = False) -> str:
    """``text`` as one word of a statement, in double quotes where it needs them. ``first``: it begins the line.

    The language knows no escape inside quotes, so a word with a double quote or a line end in it cannot be written.
    Raises Unprintable.
    """
    if '"' in text or "\n" in text or "\0" in text:
        raise Unprintable(f"the value {text!r} holds a character that no word of the language can hold")
    if text.endswith("\\"):
        raise Unprintable(
            f"the value {text!r} ends in a backslash: keepalived takes it and the quote behind it together"
        )
    for match in REFERENCE.finditer(text):
        if (match.group(1) or match.group(3)) in PREDEFINED:
            raise Unprintable(f"the value {text!r} would be replaced as a definition of keepalived")
    if not _PLAIN.fullmatch(text):
        return f'"{text}"'
    if first and (
        text[0] in "@$~" or DEFINITION.match(text) or MISWRITTEN.match(text) or REPLICATION.match(text)
    ):
        return f'"{text}"'
    if first and INCLUDE.match(f"{text} x"):
        return f'"{text}"'
    return text


def command(argv: Iterable[str]) -> str:
    """A command with its arguments, quoted as a whole where it has any; odd characters as octal escapes."""
    parts = [_argument(part) for part in argv]
    text = " ".join(parts)
    if len(parts) == 1 and _PLAIN.fullmatch(text):
        return text
    return f'"{text}"'


def expression(text: str) -> str:
    """A regular expression as one quoted word: with escapes for what would end it or stand for something else."""
    body = "".join(_PLAIN_IN_EXPRESSION.get(char) or _escaped(char) for char in text)
    if body.endswith("\\\\"):
        body = body[:-2] + "\\134"  # a backslash and the closing quote would be taken together
    return f'"{body}"'


def _argument(text: str) -> str:
    if _SAFE_ARGUMENT.fullmatch(text):
        return text
    if _GROUPED.fullmatch(text):
        return f"'{text}'"
    return "".join(_escaped(char) for char in text)


def _escaped(char: str) -> str:
    if _SAFE_ARGUMENT.fullmatch(char) or char > "\xff":
        return char
    if char >= "\x80":
        return char
    return f"\\{ord(char):03o}"


def duration(us: int) -> str:
    """Microseconds as decimal seconds: ``1``, ``0.25``."""
    whole, rest = divmod(us, 1_000_000)
    return f"{whole}.{rest:06d}".rstrip("0") if rest else str(whole)


def whole_seconds(us: int, what: str) -> str:
    """Microseconds as whole seconds. Raises Unprintable where ``what`` is not a whole number of them."""
    if us % 1_000_000:
        raise Unprintable(f"{what}: {us} µs is no whole number of seconds")
    return str(us // 1_000_000)
