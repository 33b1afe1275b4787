"""The command lines as data, read out of the argparse parsers: what completion and manual pages are made from."""

from __future__ import annotations

import argparse
import importlib
from dataclasses import dataclass, field

# What can be completed, by the name that the help gives an argument.
_FILES = {"FILE", "IR", "CONF", "OLD", "NEW", "IR.json", "CODES.json", "FACTS"}
_FOLDERS = {"DIR"}
_CODES = {"CODES", "CODE|KEYWORD"}


@dataclass(frozen=True)
class Argument:
    """An option (``flags`` are its spellings) or a positional (no flags)."""

    flags: tuple[str, ...]
    metavar: str
    help: str
    choices: tuple[str, ...] = ()
    takes: bool = True
    many: bool = False
    optional: bool = False

    @property
    def completes(self) -> str:
        """``choices``, ``files``, ``folders``, ``codes`` or nothing."""
        if self.choices:
            return "choices"
        for kind, names in (("files", _FILES), ("folders", _FOLDERS), ("codes", _CODES)):
            if self.metavar in names:
                return kind
        return ""


@dataclass(frozen=True)
class Command:
    """A program, or one of its commands."""

    name: str
    summary: str
    description: str
    epilog: str
    options: tuple[Argument, ...]
    positionals: tuple[Argument, ...]
    commands: tuple[Command, ...] = field(default=())


def programs() -> tuple[Command, ...]:
    """kcc, krun and krunctl."""
    from krun import cli as krun_cli
    from krun.control import cli as control_cli

    return tuple(command(parser) for parser in (kcc_parser(), krun_cli.parser(), control_cli.parser()))


def kcc_parser() -> argparse.ArgumentParser:
    """kcc's parser with the arguments of every command, which it fills in one at a time itself."""
    from kcc import cli

    parser = cli.parser(None)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                importlib.import_module(f"kcc.commands.{name}").arguments(sub)
    return parser


def command(parser: argparse.ArgumentParser, name: str = "", summary: str = "") -> Command:
    """A parser as data."""
    options, positionals, commands = [], [], []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            told = {choice.dest: choice.help or "" for choice in action._choices_actions}
            commands = [command(sub, key, told.get(key, "")) for key, sub in action.choices.items()]
        elif action.help == argparse.SUPPRESS:
            continue
        else:
            (options if action.option_strings else positionals).append(_argument(action))
    return Command(
        name or parser.prog,
        summary,
        parser.description or "",
        parser.epilog or "",
        tuple(options),
        tuple(positionals),
        tuple(commands),
    )


def _argument(action: argparse.Action) -> Argument:
    takes = action.nargs != 0
    choices = tuple(str(choice) for choice in action.choices or ())
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    wide = action.help or ""
    return Argument(
        tuple(action.option_strings),
        metavar if takes else "",
        wide % {"default": action.default, "prog": ""} if "%(" in wide else wide.replace("%%", "%"),
        choices,
        takes,
        action.nargs in ("*", "+"),
        action.nargs in ("*", "?"),
    )
