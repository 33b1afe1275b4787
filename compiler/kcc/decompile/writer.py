"""Lines in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from kcc.decompile.words import Unprintable, command, duration, whole_seconds, word
from kir.model import Account, Model, Script

__all__ = ["Writer", "account_words", "refuse"]

INDENT = "    "


class Writer:
    """The text while it grows."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._depth = 0

    def raw(self, text: str) -> None:
        """One line."""
        self.lines.append(INDENT * self._depth + text if text else "")

    def say(self, keyword: str, *values: object) -> None:
        """A statement; each value is one word, quoted where needed."""
        self.raw(" ".join([keyword, *(word(str(value)) for value in values)]))

    def setting(self, keyword: str, value: object, default: object = None) -> None:
        """A statement, where ``value`` is not the ``default``."""
        if value != default:
            self.say(keyword, value)

    def seconds(self, keyword: str, us: int, default: int = 0) -> None:
        """A duration in decimal seconds, where it is not the ``default``; both in microseconds."""
        if us != default:
            self.raw(f"{keyword} {duration(us)}")

    def whole(self, keyword: str, us: int, default: int = 0) -> None:
        """The same in whole seconds. Raises Unprintable where it has a fraction."""
        if us != default:
            self.raw(f"{keyword} {whole_seconds(us, keyword)}")

    def line(self, *values: object) -> None:
        """A line of a list: no keyword stands in front."""
        head, *rest = values
        self.raw(" ".join([word(str(head), first=True), *(word(str(value)) for value in rest)]))

    def flag(self, keyword: str, on: bool) -> None:
        """A keyword without a value, where it is on."""
        if on:
            self.raw(keyword)

    def script(self, keyword: str, script: Script | None) -> None:
        """``keyword COMMAND [USER [GROUP]]``."""
        if script is not None:
            self.raw(" ".join([keyword, command(script.argv), *account_words(script.account)]))

    @contextmanager
    def block(self, keyword: str, *values: object) -> Iterator[None]:
        """``keyword VALUE … { … }``."""
        self.raw(" ".join([keyword, *(word(str(value)) for value in values), "{"]))
        self._depth += 1
        yield
        self._depth -= 1
        self.raw("}")

    @contextmanager
    def section(self, keyword: str, *values: object) -> Iterator[None]:
        """A block at top level, with an empty line behind it."""
        with self.block(keyword, *values):
            yield
        self.raw("")

    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)


def account_words(account: Account) -> list[str]:
    """``USER [GROUP|:GROUP|:]``, nothing for the daemon's default."""
    if account.user is None:
        if account.group is not None or account.supplementary:
            raise Unprintable("an account has a group and no user")
        return []
    group = account.group or ""
    if account.supplementary:
        group = f":{group}"
    return [word(account.user), *([word(group)] if group else [])]


def refuse(item: Model, where: str, *fields: str) -> None:
    """Refuse an object that says something in ``fields``, for which the language has no keyword at this place.

    Raises Unprintable; ``where`` names the place.
    """
    for field in msgspec.structs.fields(type(item)):
        if field.name in fields and getattr(item, field.name) != field.default:
            raise Unprintable(f"{where}: there is no keyword for `{field.name}` here")
