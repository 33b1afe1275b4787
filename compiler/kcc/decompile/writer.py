"""Lines in blocks, and the guard that no field of the IR is passed over in silence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from kcc.decompile.words import Unprintable, command, word
from kir.model import Account, Model, Script

__all__ = ["Writer", "account_words", "guard", "unprinted"]

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
            guard(script, "argv", "account")
            self.raw(" ".join([keyword, command(script.argv), *account_words(script.account)]))

    @contextmanager
    def block(self, keyword: str, *values: object) -> Iterator[None]:
        """``keyword VALUE … { … }``."""
        self.raw(" ".join([keyword, *(word(str(value)) for value in values), "{"]))
        self._depth += 1
        yield
        self._depth -= 1
        self.raw("}")

    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)


def account_words(account: Account) -> list[str]:
    """``USER [GROUP|:GROUP|:]``, nothing for the daemon's default."""
    guard(account, "user", "group", "supplementary")
    if account.user is None:
        if account.group is not None or account.supplementary:
            raise Unprintable("an account has a group and no user")
        return []
    group = account.group or ""
    if account.supplementary:
        group = f":{group}"
    return [word(account.user), *([word(group)] if group else [])]


PRINTED: dict[type[Model], set[str]] = {}
"""Fields that a printer has announced so far, by class: what the tests compare with the model."""


def guard(item: Model, *printed: str) -> None:
    """Refuse an object that says something in a field which is not ``printed``: a loss must never go unnoticed.

    Raises Unprintable.
    """
    PRINTED.setdefault(type(item), set()).update(printed)
    for field in _others(type(item), printed):
        value = getattr(item, field.name)
        if field.default_factory is not msgspec.NODEFAULT:
            default: Any = field.default_factory()
        else:
            default = field.default
        if value != default:
            raise Unprintable(
                f"`{field.name}` of {type(item).__name__} {getattr(item, 'name', '')} cannot be decompiled by this release"
            )


_known: dict[tuple[type[Model], tuple[str, ...]], tuple[msgspec.structs.FieldInfo, ...]] = {}


def _others(kind: type[Model], printed: tuple[str, ...]) -> tuple[msgspec.structs.FieldInfo, ...]:
    found = _known.get((kind, printed))
    if found is None:
        found = tuple(f for f in msgspec.structs.fields(kind) if f.name not in printed)
        _known[kind, printed] = found
    return found


def unprinted() -> list[str]:
    """``Class.field`` of each field of a class met so far that no printer has announced."""
    return sorted(
        f"{kind.__name__}.{name}"
        for kind, names in PRINTED.items()
        for name in kind.__struct_fields__
        if name not in names
    )
