"""``~SEQ`` and ``~LST``: one line that stands for many."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

__all__ = ["REPLICATION", "Replication", "parse_replication"]

REPLICATION = re.compile(r"~(SEQx?|LST)(?![A-Za-z0-9_])")
_HEAD = re.compile(r"~(SEQx?|LST)\(([^()]*)\)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|[0-9]+)")
_GROUP = re.compile(r"\{([^{}]*)\}")


class Replication(msgspec.Struct, frozen=True):
    """``names`` take, in lock step, each row of values; the text that follows is read once for each."""

    names: tuple[str, ...]
    end: int
    """Offset of the text behind the closing parenthesis, in the text that was parsed."""
    numbers: tuple[int, int, int] | None = None
    """Start, step and (inclusive) end of a ~SEQ."""
    hexadecimal: bool = False
    rows: tuple[tuple[str, ...], ...] = ()

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        """The values of ``names``, row by row."""
        if self.numbers is None:
            yield from self.rows
            return
        start, step, end = self.numbers
        value = start
        while value <= end if step > 0 else value >= end:
            yield (f"{value:x}" if self.hexadecimal else str(value),)
            value += step


def parse_replication(text: str) -> Replication:
    """Read the ``~SEQ(…)``/``~LST(…)`` at the start of ``text``, its references already replaced.

    ValueError with a sentence for the reader where it is malformed.
    """
    head = _HEAD.match(text)
    if head is None:
        word = text[:4]
        raise ValueError(f"`{word}` must be followed, without a blank, by its parameters in parentheses")
    kind, inside = head.groups()
    if kind == "LST":
        return _list(inside, head.end())
    name, *numbers = [word.strip() for word in inside.split(",")]
    if not _NAME.fullmatch(name):
        raise ValueError(f"`{name}` cannot be the name of a definition")
    if not 1 <= len(numbers) <= 3:
        raise ValueError(f"`~{kind}` takes a name and one to three numbers: [start, [step,]] end")
    values = [_number(word) for word in numbers]
    if len(values) == 1:
        (end,) = values
        start, step = (1, 1) if end >= 1 else (1, -1) if end == 0 else (-1, -1)
    elif len(values) == 2:
        start, end = values
        step = 1 if start <= end else -1
    else:
        start, step, end = values
        if step == 0:
            raise ValueError("a step of 0 never reaches the end")
        if (end - start) * step < 0:
            raise ValueError(f"a step of {step} leads from {start} away from {end}")
    if kind == "SEQx" and min(start, end) < 0:
        raise ValueError("`~SEQx` writes hexadecimal numbers and cannot count below 0")
    return Replication((name,), head.end(), (start, step, end), kind == "SEQx")


def _number(word: str) -> int:
    if not _NUMBER.fullmatch(word):
        raise ValueError(f"`{word}` is not a number")
    sign, digits = (word[0], word[1:]) if word[0] in "+-" else ("", word)
    base = 16 if digits[:2].lower() == "0x" else 8 if len(digits) > 1 and digits[0] == "0" else 10
    try:
        value = int(sign + digits, base) if len(digits) <= 20 else 1 << 70
    except ValueError:
        raise ValueError(f"`{word}` is not an octal number") from None
    if abs(value) > 1 << 63:
        raise ValueError(f"`{word[:20]}` is too large")
    return value


def _list(inside: str, end: int) -> Replication:
    if inside.lstrip().startswith("{"):
        groups = list(_GROUP.finditer(inside))
        between = _GROUP.sub("", inside)
        if not groups or between.replace(",", "").strip() or between.count(",") != len(groups) - 1:
            raise ValueError("`~LST` takes groups in braces, separated by commas: ({A,B}, {1,2}, {3,4})")
        names = tuple(word.strip() for word in groups[0].group(1).split(","))
        rows = [tuple(word.strip() for word in group.group(1).split(",")) for group in groups[1:]]
    else:
        first, *words = [word.strip() for word in inside.split(",")]
        names = (first,)
        rows = [(word,) for word in words]
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(f"`{name}` cannot be the name of a definition")
    if not rows:
        raise ValueError("`~LST` has a name and no values")
    for row in rows:
        if len(row) > len(names):
            raise ValueError(
                f"{len(row)} values for {len(names)} name{'s' * (len(names) > 1)}: `{', '.join(row)}`"
            )
        for word in row:
            if re.search(r"\s", word):
                raise ValueError(f"`{word}`: a value of `~LST` cannot hold a blank")
    padded = tuple(row + ("",) * (len(names) - len(row)) for row in rows)
    return Replication(names, end, rows=padded)
