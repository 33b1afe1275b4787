"""Completion for zsh."""

from __future__ import annotations

from model import Argument, Command

_ACTION = {"files": "_files", "folders": "_files -/", "codes": "_kcc_codes", "": " "}


def completion(program: Command) -> str:
    """The completion function of a program, for a folder of ``$fpath`` (as ``_NAME``)."""
    name = program.name
    lines = [
        f"#compdef {name}",
        f"# zsh completion for {name}. Made by packaging/tools/make.py: do not edit.",
        "",
    ]
    if any(
        a.completes == "codes" for c in (program, *program.commands) for a in (*c.options, *c.positionals)
    ):
        lines += [
            "_kcc_codes() {",
            "    local -a codes",
            "    codes=(${(f)\"$(_call_program codes kcc explain 2>/dev/null | sed -n 's/^ *\\(KC[0-9]\\{4\\}\\)  */\\1:/p')\"})",
            "    _describe code codes",
            "}",
            "",
        ]
    lines += [f"_{name}() {{"]
    if not program.commands:
        return "\n".join([*lines, *_arguments(program, "    "), "}", "", f'_{name} "$@"', ""])
    lines += [
        "    local context state state_descr line",
        "    typeset -A opt_args",
        *_arguments(program, "    ", "'1:command:->command'", "'*::argument:->argument'"),
        "    case $state in",
        "        command)",
        "            local -a commands",
        "            commands=(",
        *(f"                {_quoted(f'{c.name}:{c.summary}')}" for c in program.commands),
        "            )",
        "            _describe command commands",
        "            ;;",
        "        argument)",
        "            case $line[1] in",
    ]
    for command in program.commands:
        lines += [
            f"                {command.name})",
            *_arguments(command, " " * 20),
            "                    ;;",
        ]
    lines += ["            esac", "            ;;", "    esac", "}", "", f'_{name} "$@"', ""]
    return "\n".join(lines)


def _arguments(command: Command, indent: str, *more: str) -> list[str]:
    words = [word for option in command.options for word in _option(option)]
    words += [_positional(n, argument) for n, argument in enumerate(command.positionals, 1)]
    words += more
    dash = " -C" if more else ""
    return [f"{indent}_arguments{dash} -s \\", " \\\n".join(f"{indent}    {word}" for word in words)]


def _option(option: Argument) -> list[str]:
    text = _plain(option.help)
    value = f":{option.metavar}:{_values(option)}" if option.takes else ""
    return [
        _quoted(f"{flag}{'=' if option.takes and flag.startswith('--') else ''}[{text}]{value}")
        for flag in option.flags
    ]


def _positional(number: int, argument: Argument) -> str:
    where = "*" if argument.many else str(number)
    return _quoted(
        f"{where}:{':' if argument.optional and not argument.many else ''}{_plain(argument.metavar)}:{_values(argument)}"
    )


def _values(argument: Argument) -> str:
    return f"({' '.join(argument.choices)})" if argument.choices else _ACTION[argument.completes]


def _plain(text: str) -> str:
    for char in "\\[]:":
        text = text.replace(char, "\\" + char)
    return text


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
