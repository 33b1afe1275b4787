"""Definitions (``$NAME=value``) and the replacement of references to them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from kcc.diagnostics.model import Span
from kcc.source.options import Options
from kcc.source.text import Text

if TYPE_CHECKING:
    from random import Random

__all__ = ["DEFINITION", "MISWRITTEN", "Definition", "Definitions", "Expansion", "Problem"]

DEFINITION = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)=[ \t\r\v\f]*")
"""The start of a definition line: no blank before ``=``, any after it."""

MISWRITTEN = re.compile(r"\$([A-Za-z0-9_][A-Za-z0-9_.-]*)[ \t\r\v\f]*=[ \t\r\v\f]*")
"""Meant as a definition: a blank before ``=``, or a name that is none."""

REFERENCE = re.compile(
    r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)((?:[ \t]+[A-Za-z0-9_-]+)*)[ \t]*\}|([A-Za-z_][A-Za-z0-9_]*)(?=[ \t,)]|$))"
)
"""``${NAME}`` anywhere, with parameters for the predefined ones; ``$NAME`` only before a blank, ``,``, ``)`` or the end."""

PREDEFINED: frozenset[str] = frozenset({"_PWD", "_INSTANCE", "_RANDOM", "_ENV", "_HASH", "_BANG"})

MAX_PASSES = 64
"""Rescans of one line: deeper nesting of definitions than any real file has."""


class Definition(msgspec.Struct, frozen=True):
    """``lines`` is the value, unexpanded; more than one line only where the value ended in a backslash."""

    name: str
    lines: tuple[str, ...]
    span: Span | None
    """Where it is defined; None for one made by an option."""
    numbers: tuple[int, ...] = ()
    """The physical line number of each of ``lines``."""
    loop: bool = False
    """It is the variable of a ``~SEQ`` or ``~LST``."""


class Problem(msgspec.Struct, frozen=True):
    """Something wrong with the reference at ``start``..``end`` of the text as it was before replacement."""

    code: str
    message: str
    start: int
    end: int
    name: str
    consequence: str | None = None
    help: str | None = None
    note: bool = False
    cycle: frozenset[str] = frozenset()
    """The definitions of a circle: the same mistake whichever of them is used."""


class Expansion(msgspec.Struct):
    """The outcome of replacing all references of a line."""

    text: Text
    used: list[Definition]
    """Each definition that was replaced, innermost last, without repetition."""
    rest: tuple[Definition, tuple[int, int]] | None
    """A multi-line definition whose first line ends ``text``: its further lines come next. With the columns of the
    reference."""
    problems: list[Problem]
    undefined: list[str]


class Definitions:
    """The definitions in force at the current line of the text."""

    def __init__(self, options: Options, directory: Callable[[], str]) -> None:
        self._options = options
        self._directory = directory
        self._seed = options.random_seed if options.random_seed is not None else 0
        self._drawing: Random | None = None
        self.seeded = options.random_seed is not None
        self.table: dict[str, Definition] = {
            name: Definition(name, tuple(value.split("\n")), None) for name, value in options.defines.items()
        }

    def _random(self) -> Random:
        """Where ``${_RANDOM}`` comes from; few configurations have one."""
        if self._drawing is None:
            from random import Random

            self._drawing = Random(self._seed)
        return self._drawing

    def define(self, definition: Definition) -> None:
        """From now on ``definition.name`` means this; what it meant before is gone."""
        self.table[definition.name] = definition

    def seed(self, value: int) -> None:
        """``random_seed`` was read: later ``${_RANDOM}`` follow from it, unless an option has set one."""
        if self._options.random_seed is None:
            self._random().seed(value)
            self.seeded = True

    def cycle(self, name: str) -> tuple[str, ...] | None:
        """The names over which the definition of ``name`` comes back to itself, or None."""
        path = [name]
        branches = [iter(self._mentions(name))]
        seen = {name}
        while branches:
            inner = next(branches[-1], None)
            if inner is None:
                branches.pop()
                path.pop()
            elif inner == name:
                return (*path, name)
            elif inner not in seen:
                seen.add(inner)
                path.append(inner)
                branches.append(iter(self._mentions(inner)))
        return None

    def _mentions(self, name: str) -> list[str]:
        definition = self.table.get(name)
        if definition is None:
            return []
        return [m.group(1) or m.group(3) for line in definition.lines[:1] for m in REFERENCE.finditer(line)]

    def expand(self, text: Text, max_length: int, *, last: bool = True) -> Expansion:
        """Replace references, again and again, until none is left that means something.

        Stops where a definition refers to itself, and where the text would become longer than ``max_length``
        bytes: then the reference stays as it was written, with a problem that says so. ``last``: nothing follows
        ``text`` on its line.
        """
        result = Expansion(text, [], None, [], [])
        refused: set[str] = set()
        origin = text
        for _ in range(MAX_PASSES):
            edits: list[tuple[int, int, str, str | None]] = []
            value = result.text.value
            growth = len(value.encode()) if len(value) * 4 > max_length else len(value)
            for match in REFERENCE.finditer(value):
                name = match.group(1) or match.group(3)
                place = (match.start(), match.end())
                written = match.group()
                if written in refused:
                    continue
                new = self._value(name, match, place, result, refused, len(value) if last else -1)
                if new is None:
                    continue
                growth += len(new) - len(written)
                if growth > max_length:
                    growth -= len(new) - len(written)
                    refused.add(written)
                    if any(problem.code == "KC0105" for problem in result.problems):
                        continue
                    result.problems.append(
                        Problem(
                            "KC0105",
                            f"`{_cut(written)}` makes this line longer than the {max_length} characters that fit",
                            *place,
                            name,
                            "keepalived does not replace it, and takes its braces for those of a block",
                        )
                    )
                    continue
                edits.append((*place, new, name))
            if not edits:
                break
            result.text = result.text.replace(edits)
        else:
            self._too_deep(origin, result)
        return result

    def _too_deep(self, origin: Text, result: Expansion) -> None:
        match = REFERENCE.search(origin.value)
        start, end = (match.start(), match.end()) if match else (0, len(origin.value))
        name = (match.group(1) or match.group(3)) if match else ""
        result.problems.append(
            Problem("KC0105", f"definitions nested more than {MAX_PASSES} deep", start, end, name)
        )

    def _value(
        self,
        name: str,
        match: re.Match[str],
        place: tuple[int, int],
        result: Expansion,
        refused: set[str],
        length: int,
    ) -> str | None:
        """What stands for the reference, or None to leave it as it is."""
        parameters = (match.group(2) or "").split()
        definition = self.table.get(name)
        if definition is None:
            if name in PREDEFINED:
                return self._predefined(name, parameters, place, match.group(), result, refused)
            refused.add(match.group())
            result.undefined.append(match.group())
            return None
        if parameters:
            refused.add(match.group())
            result.problems.append(
                Problem(
                    "KC0106", f"`${{{name}}}` is your own definition and takes no parameters", *place, name
                )
            )
            return None
        if name not in (d.name for d in result.used):
            cycle = self.cycle(name)
            if cycle is not None:
                refused.update({match.group(), f"${{{name}}}", f"${name}"})
                chain = " → ".join(f"${n}" for n in cycle)
                result.used.append(definition)
                result.problems.append(
                    Problem(
                        "KC0104",
                        f"`${name}` refers to itself ({chain})",
                        *place,
                        name,
                        "keepalived replaces it until its line buffer is full, or never ends",
                        "the value is looked up when it is used: give one of the two another name",
                        cycle=frozenset(cycle),
                    )
                )
                return None
            result.used.append(definition)
        if len(definition.lines) > 1:
            if place[1] != length:
                refused.add(match.group())
                result.problems.append(
                    Problem(
                        "KC0111",
                        f"`${name}` has several lines and must be the last thing on a line",
                        *place,
                        name,
                        "keepalived leaves the reference as it is written",
                    )
                )
                return None
            result.rest = definition, (result.text.column(place[0]), result.text.end_column(place[1]))
        return definition.lines[0]

    def _predefined(
        self,
        name: str,
        parameters: list[str],
        place: tuple[int, int],
        written: str,
        result: Expansion,
        refused: set[str],
    ) -> str | None:
        def wrong(message: str) -> None:
            refused.add(written)
            result.problems.append(
                Problem("KC0106", message, *place, name, "keepalived leaves the reference as it is written")
            )

        if name == "_ENV":
            if len(parameters) != 1:
                wrong("`${_ENV NAME}` takes exactly one parameter: the name of an environment variable")
                return None
            value = self._options.environment.get(parameters[0], "")
            return value.replace("\n", " ").replace("\0", "").encode(errors="replace").decode()
        if name == "_RANDOM":
            return self._draw(parameters, place, result, wrong)
        if parameters:
            wrong(f"`${{{name}}}` takes no parameters")
            return None
        if name == "_HASH":
            return "#"
        if name == "_BANG":
            return "!"
        if name == "_INSTANCE":
            return self._options.instance
        return self._directory()

    def _draw(
        self,
        parameters: list[str],
        place: tuple[int, int],
        result: Expansion,
        wrong: Callable[[str], None],
    ) -> str | None:
        if len(parameters) > 2 or not all(re.fullmatch(r"[0-9]{1,10}", p) for p in parameters):
            wrong("`${_RANDOM [MIN [MAX]]}` takes at most two numbers")
            return None
        low = int(parameters[0]) if parameters else 0
        high = int(parameters[1]) if len(parameters) > 1 else 32767
        if low > high:
            result.problems.append(
                Problem(
                    "KC0106",
                    f"the smallest value {low} of `${{_RANDOM}}` is above the largest {high}",
                    *place,
                    "_RANDOM",
                    f"{low} is used",
                )
            )
            return str(low)
        drawn = str(self._random().randint(low, high))
        if not self.seeded:
            result.problems.append(
                Problem(
                    "KC0106",
                    f"`${{_RANDOM}}` is {drawn} here; keepalived draws another number at every start",
                    *place,
                    "_RANDOM",
                    help="`random_seed` in global_defs, before this line, makes both draw the same way each time",
                    note=True,
                )
            )
        return drawn


def _cut(text: str, width: int = 40) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
