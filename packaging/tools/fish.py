"""Completion for fish."""

from __future__ import annotations

from model import Argument, Command

_CODES = "(kcc explain 2>/dev/null | string replace -rf '^ *(KC\\d{4}) +(.*)' '$1\\t$2')"


def completion(program: Command) -> str:
    """The completions of a program."""
    name = program.name
    lines = [
        f"# fish completion for {name}. Made by packaging/tools/make.py: do not edit.",
        f"complete -c {name} -f",
    ]
    if not program.commands:
        lines += _arguments(name, program, "")
        return "\n".join(lines) + "\n"
    lines += _arguments(name, program, "__fish_use_subcommand")
    for command in program.commands:
        lines.append(
            f"complete -c {name} -n __fish_use_subcommand -a {command.name} -d {_quoted(command.summary)}"
        )
        lines += _arguments(name, command, f"__fish_seen_subcommand_from {command.name}")
    return "\n".join(lines) + "\n"


def _arguments(name: str, command: Command, condition: str) -> list[str]:
    start = f"complete -c {name}" + (f" -n {_quoted(condition)}" if condition else "")
    lines = []
    for option in command.options:
        flags = [f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags]
        lines.append(" ".join([start, *flags, *_values(option), "-d", _quoted(option.help)]))
    for argument in command.positionals[:1]:
        values = _values(argument)
        if values != ["-x"]:
            lines.append(" ".join([start, *("-F" if v == "-r -F" else v for v in values)]))
    return lines


def _values(argument: Argument) -> list[str]:
    if not argument.takes:
        return []
    if argument.choices:
        return ["-x", "-a", _quoted(" ".join(argument.choices))]
    match argument.completes:
        case "files":
            return ["-r -F"]
        case "folders":
            return ["-x", "-a", _quoted("(__fish_complete_directories)")]
        case "codes":
            return ["-x", "-a", _quoted(_CODES)]
        case _:
            return ["-x"]


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
