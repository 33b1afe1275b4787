"""Manual pages: what the parsers know, between the words of ``pages``. Plain man(7) macros, clean for groff."""

from __future__ import annotations

import re

from model import Argument, Command
from pages import Page

from kir.release import __version__

WIDTH = 100


def manual(program: Command, page: Page) -> str:
    """The page of a program in roff."""
    title = "User Commands" if page.section == 1 else "System Administration"
    out = [
        '.\\" Made by packaging/tools/make.py: do not edit.',
        f'.TH {program.name.upper()} {page.section} "" "kcc\\-krun {__version__}" "{title}"',
        ".SH NAME",
        f"{program.name} \\- {roff(page.summary)}",
        ".SH SYNOPSIS",
    ]
    if program.commands:
        for command in program.commands:
            out += [".br" if command is not program.commands[0] else "", synopsis(program, command)]
    else:
        out.append(synopsis(None, program))
    out += [".SH DESCRIPTION", paragraphs(page.description)]
    out += [".SH OPTIONS", *arguments(program)]
    if program.commands:
        out.append(".SH COMMANDS")
        for command in program.commands:
            out += [
                f".SS {roff(command.name)}",
                roff(_sentence(command.description or command.summary)),
                *arguments(command, inner=True),
            ]
    for heading, text in page.sections:
        out += [f".SH {heading.upper()}", paragraphs(text)]
    see = ",\n".join(f".BR {name} ({section})" for name, section in page.see)
    out += [".SH SEE ALSO", see.replace(",\n", " ,\n")]
    return "\n".join(line for line in out if line) + "\n"


def synopsis(program: Command | None, command: Command) -> str:
    """One line: the name in bold, what it takes in italics."""
    name = command.name if program is None else f"{program.name} {command.name}"
    words = [f"\\fB{roff(name)}\\fR", "[\\fIOPTION\\fR]..."]
    for argument in command.positionals:
        word = f"\\fI{roff(argument.metavar)}\\fR" + ("..." if argument.many else "")
        words.append(f"[{word}]" if argument.optional else word)
    return " ".join(words)


def arguments(command: Command, inner: bool = False) -> list[str]:
    """Options and positionals as tagged paragraphs."""
    out = []
    for argument in (*command.positionals, *command.options):
        if inner and argument.flags[:1] == ("-h",):
            continue  # once a page is enough
        out += [".TP", tag(argument), roff(_sentence(argument.help)) or "\\&"]
    return out


def tag(argument: Argument) -> str:
    """How an argument is written."""
    value = "|".join(argument.choices) if argument.choices else argument.metavar
    if not argument.flags:
        return f"\\fI{roff(argument.metavar)}\\fR"
    flags = ", ".join(f"\\fB{roff(flag)}\\fR" for flag in argument.flags)
    if not argument.takes:
        return flags
    return f"{flags} " + (f"\\fB{roff(value)}\\fR" if argument.choices else f"\\fI{roff(value)}\\fR")


def paragraphs(text: str) -> str:
    """Paragraphs put apart by an empty line; those indented by four blanks are examples, and stand as they are; a line
    ``TERM:: text`` is an entry of a list.
    """
    out: list[str] = []
    for part in text.strip("\n").split("\n\n"):
        if part.startswith("    "):
            body = "\n".join(roff(line[4:]) for line in part.split("\n"))
            out += [".PP", ".nf", ".RS 4", body, ".RE", ".fi"]
        elif re.match(r"\S.*?:: ", part):
            for line in part.split("\n"):
                term, _, words = line.partition(":: ")
                out += [".TP", f"\\fB{roff(term)}\\fR", roff(words)]
        else:
            out += [".PP", roff(" ".join(part.split()))]
    return "\n".join(out[1:] if out[:1] == [".PP"] and len(out) == 2 else out)


def roff(text: str) -> str:
    """Text with everything that roff would take for itself escaped; `code` becomes bold."""
    text = (
        text.replace("\\", "\\e")
        .replace("-", "\\-")
        .replace("'", "\\(aq")
        .replace("…", "...")
        .replace("→", "->")
    )
    text = re.sub(r"`([^`]+)`", r"\\fB\1\\fR", text).replace("^", "\\(ha").replace("~", "\\(ti")
    return "\n".join("\\&" + line if line[:1] in (".",) else line for line in text.split("\n"))


def _sentence(text: str) -> str:
    text = text.strip()
    return text and text[0].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
