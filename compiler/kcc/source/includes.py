"""``include`` and its stricter forms: which files a pattern means."""

# Names go to messages as they were written; pathlib would tidy them up first.
# ruff: noqa: PTH112, PTH118, PTH120, PTH207
from __future__ import annotations

import os
import re

import msgspec

__all__ = ["INCLUDE", "STRICTNESS", "Matches", "change_checks", "find_matches"]

INCLUDE = re.compile(r"(include[rmwba]?)[ \t\r\v\f]+(?=\S)")

STRICTNESS: dict[str, frozenset[str]] = {
    "include": frozenset(),
    "includer": frozenset({"read"}),
    "includem": frozenset({"read", "match"}),
    "includew": frozenset({"read", "match", "wildcard_match"}),
    "includeb": frozenset({"read", "brace_match"}),
    "includea": frozenset({"read", "match", "wildcard_match", "brace_match"}),
}
"""What makes each form fail. Words as in ``include_check``."""

_WILD = re.compile(r"[*?\[]")
MAX_ALTERNATIVES = 4096


class Matches(msgspec.Struct):
    """The files of a pattern in the order in which they are read, and what matched nothing."""

    paths: list[str] = msgspec.field(default_factory=list)
    missing: list[tuple[str, str]] = msgspec.field(default_factory=list)
    """``(check, alternative)``: the check that this failure belongs to, and the name or pattern."""
    too_many: bool = False
    """The braces stand for more than MAX_ALTERNATIVES names: none was looked up."""


def find_matches(pattern: str, directory: str) -> Matches:
    """Resolve a glob with brace alternatives from ``directory``. Names within one alternative come sorted."""
    result = Matches()
    alternatives = _braces(pattern)
    if len(alternatives) > MAX_ALTERNATIVES:
        result.too_many = True
        return result
    for alternative in alternatives:
        wild = _WILD.search(_unescaped(alternative)) is not None
        if wild:
            import glob

            found = sorted(glob.glob(_brackets(alternative), root_dir=directory))
        else:
            name = re.sub(r"\\(.)", r"\1", alternative)
            found = [name] if os.path.lexists(os.path.join(directory, name)) else []
        if found:
            result.paths += [os.path.join(directory, name) for name in found]
        elif len(alternatives) > 1:
            result.missing.append(("brace_match", alternative))
        elif wild and _folder_exists(alternative, directory):
            result.missing.append(("wildcard_match", alternative))
        else:
            result.missing.append(("match", alternative))
    return result


def _folder_exists(pattern: str, directory: str) -> bool:
    """Whether the folder part in front of the first wildcard can be listed: else the name counts as a missing one."""
    match = _WILD.search(pattern)
    plain = pattern[: match.start()] if match else pattern
    return os.path.isdir(os.path.join(directory, os.path.dirname(plain)))


def _unescaped(pattern: str) -> str:
    return re.sub(r"\\.", "", pattern)


def _brackets(pattern: str) -> str:
    """A backslash makes the next character plain in the C library's glob; here that is a set of one."""
    return re.sub(r"\\(.)", lambda m: f"[{m.group(1)}]" if m.group(1) in "*?[" else m.group(1), pattern)


def _braces(pattern: str) -> list[str]:
    """Expand ``a{b,c}d`` to ``abd acd``, leftmost first, nested ones too. ``{}`` stays as it is.

    Ends early with a longer list than MAX_ALTERNATIVES.
    """
    done: list[str] = []
    todo = [pattern]
    while todo:
        if len(done) + len(todo) > MAX_ALTERNATIVES:
            return done + todo
        text = todo.pop()
        split = _first_brace(text)
        if split is None:
            done.append(text)
            continue
        before, inside, after = split
        todo += [before + word + after for word in reversed(inside)]
    return done


def _first_brace(text: str) -> tuple[str, list[str], str] | None:
    start = -1
    while (start := text.find("{", start + 1)) >= 0:
        depth, begin, words = 0, start + 1, []
        for at in range(start, len(text)):
            char = text[at]
            if char == "{":
                depth += 1
            elif char == "}":
                depth -= 1
                if depth == 0:
                    words.append(text[begin:at])
                    if words == [""]:
                        break
                    return text[:start], words, text[at + 1 :]
            elif char == "," and depth == 1:
                words.append(text[begin:at])
                begin = at + 1
    return None


def change_checks(current: frozenset[str], words: list[str]) -> frozenset[str]:
    """What ``include_check`` with these words makes of the set in force.

    No word means all four; ``+word`` adds, ``-word`` removes; plain words replace the set by ``read`` and themselves.
    ``readable``, the manual's spelling, is taken for ``read``. Words that mean nothing are left to whoever checks
    the keyword's arguments.
    """
    everything = STRICTNESS["includea"]
    if not words:
        return everything
    result = current
    plain: set[str] = set()
    for word in words:
        sign, name = (word[0], word[1:]) if word[:1] in ("+", "-") else ("", word)
        name = "read" if name == "readable" else name
        if name not in everything:
            continue
        if sign == "+":
            result |= {name}
        elif sign == "-":
            result -= {name}
        else:
            plain.add(name)
    return frozenset({"read"}) | plain if plain else result
