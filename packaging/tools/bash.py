"""Completion for bash. It needs nothing but bash 4: no bash-completion package."""

from __future__ import annotations

from model import Argument, Command

_ANSWER = {
    "files": 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur")',
    "folders": 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur")',
    "codes": 'mapfile -t COMPREPLY < <(compgen -W "$(kcc explain 2>/dev/null | sed -n \'s/^ *\\(KC[0-9]\\{4\\}\\).*/\\1/p\')" -- "$cur")',
    "": "",
}


def completion(program: Command) -> str:
    """The completion script of a program."""
    name = program.name
    names = " ".join(c.name for c in program.commands)
    lines = [
        f"# bash completion for {name}. Made by packaging/tools/make.py: do not edit.",
        f"_{name}() {{",
        "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= i",
        "    COMPREPLY=()",
    ]
    if names:
        lines += [
            "    for ((i = 1; i < COMP_CWORD; i++)); do",
            "        case ${COMP_WORDS[i]} in",
            f"            {'|'.join(c.name for c in program.commands)}) command=${{COMP_WORDS[i]}}; break ;;",
            "        esac",
            "    done",
        ]
    # `--option=value` arrives as three words.
    lines += [
        '    if [[ $cur == "=" ]]; then',
        "        cur=",
        '    elif [[ $prev == "=" ]]; then',
        "        prev=${COMP_WORDS[COMP_CWORD-2]}",
        "    fi",
        "    case $command,$prev in",
    ]
    for command in (program, *program.commands):
        key = "" if command is program else command.name
        for option in command.options:
            if option.takes:
                patterns = "|".join(f"{key},{flag}" for flag in option.flags)
                lines.append(f"        {patterns}) {_one(option)}return ;;")
    lines += ["    esac", "    if [[ $cur == -* ]]; then", "        case $command in"]
    for command in (*program.commands, program):
        key = '""' if command is program else command.name
        flags = " ".join(flag for option in command.options for flag in option.flags if flag.startswith("--"))
        lines.append(f'            {key}) mapfile -t COMPREPLY < <(compgen -W "{flags}" -- "$cur") ;;')
    lines += ["        esac", "        return", "    fi"]
    if names:
        lines += [
            "    if [[ -z $command ]]; then",
            f'        mapfile -t COMPREPLY < <(compgen -W "{names}" -- "$cur")',
            "        return",
            "    fi",
        ]
    lines.append("    case $command in")
    for command in program.commands or (program,):
        if command.positionals:
            key = command.name if names else '""'
            lines.append(f"        {key}) {_one(command.positionals[0])};;")
    lines += ["    esac", "}", f"complete -F _{name} {name}", ""]
    return "\n".join(lines)


def _one(argument: Argument) -> str:
    if argument.choices:
        return f'mapfile -t COMPREPLY < <(compgen -W "{" ".join(argument.choices)}" -- "$cur"); '
    answer = _ANSWER[argument.completes]
    return f"{answer}; " if answer else ""
