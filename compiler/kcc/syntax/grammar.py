"""The PLY grammar. Its terminals are pieces of lines, not words: a configuration has a brace every few lines at most.

``STATEMENTS`` a run of statements between braces (``list[Statement]``)
``OPEN``       a statement with its opening brace (`Opening`)
``CLOSE``      a closing brace (``Place`` or None where it was missing and is assumed)

What reaches the parser is balanced: `kcc.syntax.balance` saw to that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from types import ModuleType
from typing import Any

from kcc.syntax.tree import Block, Line, Place, Statement, Word

__all__ = ["Opening", "Parser", "tokens"]

tokens = ("STATEMENTS", "OPEN", "CLOSE")

start = "configuration"


Opening = tuple[Line | None, tuple[Word, ...], int, Place | None]
"""The head of a block: line, words, line number, brace. ``line`` None: a brace without a keyword, whose body belongs to
the block around it."""


def p_configuration(p: Any) -> None:
    "configuration : body"
    p[0] = p[1]


def p_body_empty(p: Any) -> None:
    "body :"
    p[0] = []


def p_body_statements(p: Any) -> None:
    "body : body STATEMENTS"
    p[1].extend(p[2])
    p[0] = p[1]


def p_body_block(p: Any) -> None:
    "body : body OPEN body CLOSE"
    body: list[Statement] = p[1]
    head: Opening = p[2]
    line, words, number, brace = head
    if line is None:
        body.extend(p[3])
    else:
        body.append(Block(line, words, p[3], brace, p[4], number))
    p[0] = body


def p_error(t: object) -> None:
    raise AssertionError(f"unbalanced input reached the parser at {t!r}")


class Parser:
    """Runs PLY's tables. PLY's own loop keeps symbols, positions and error states that nobody here asks for, and
    takes three times as long, and its modules take longer to import than a short configuration takes to check; tables,
    productions and actions are the same."""

    def __init__(self, table: ModuleType) -> None:
        actions = globals()
        self._action: dict[int, dict[str, int]] = table._lr_action
        self._goto: dict[int, dict[str, int]] = table._lr_goto
        # A production: its text, symbol, length, the name of its action (None: the start), where that stands.
        self._rules: list[tuple[str, int, Callable[[list[Any]], None]]] = [
            (symbol, size, actions[action] if action else p_error)
            for _, symbol, size, action, _, _ in table._lr_productions
        ]

    def parse(self, terminals: Iterable[tuple[str, Any]]) -> list[Statement]:
        """The body of the configuration that ``terminals`` (each a name and a value) make."""
        action, goto, rules = self._action, self._goto, self._rules
        states = [0]
        values: list[Any] = [None]
        state = 0
        for name, value in chain(terminals, (("$end", None),)):
            while True:
                step = action[state].get(name)
                if not step:
                    if step is None:
                        p_error((name, value))
                    body: list[Statement] = values[-1]
                    return body
                if step > 0:
                    states.append(step)
                    values.append(value)
                    state = step
                    break
                symbol, size, act = rules[-step]
                if size:
                    p = [None, *values[-size:]]
                    del states[-size:], values[-size:]
                else:
                    p = [None]
                act(p)
                state = goto[states[-1]][symbol]
                states.append(state)
                values.append(p[0])
        raise AssertionError("the input never ended")
