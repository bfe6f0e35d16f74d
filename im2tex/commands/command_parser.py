"""Argument parsers made of the signature and the docstring of a command's function.

Parameters before `*` are positional arguments; the others are options of the same name. A `bool` is
a switch, a `Sequence` takes one or more values, and an option can be repeated. The docstring gives
the description of the command and of each option.

argparse, because jsonargparse takes neither a switch without a value (`--json`) nor a list without
brackets (`im2tex read a.png b.png`).
"""

from __future__ import annotations

import argparse
import difflib
import inspect
import sys
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import docstring_parser

from im2tex.errors import Im2TexError

RENAMED_OPTIONS: dict[str, dict[str, str]] = {
    "chain": {"--out": "--folder"},
    "compare": {"--verdict": "--metrics", "--out": "--changed"},
    "data glyphs": {"--left_out": "--outlier_sheet", "--all": "--list_all"},
    "export": {"--out": "--folder", "--views": "--scales"},
    "normalize": {"--mode": "--form"},
    "render": {"--no-cache": "--no_cache"},
}
"""New names of options by their old ones, which are accepted for one release, by command."""

PASSED_ON = "flags"
"""The parameter that takes the arguments after `--`, which are options of another command."""

_OPTIONS = {"raw_data": "--from", "as_json": "--json"}  # `from` is a keyword, `json` a module
_METAVARS = {int: "N", float: "NUMBER", Path: "PATH"}


class Parser(argparse.ArgumentParser):
    """An argument parser that raises `Im2TexError` instead of printing its usage."""

    def error(self, message: str) -> NoReturn:
        """Reports a wrong command line.

        Raises:
            Im2TexError: always.
        """
        end = "" if message.endswith("?") else "."
        raise Im2TexError(f"{message}{end} See `{self.prog} --help`.")


def command_parser(name: str, function: Callable[..., Any]) -> Parser:
    """A parser with the options of a command.

    Example:
        >>> command_parser("data show", show).print_help()

    Args:
        name: the words of the command, such as "data prepare".
        function: the function of the command; annotated, with a Google docstring.
    """
    documented = docstring_parser.parse(
        inspect.getdoc(function) or "", style=docstring_parser.DocstringStyle.GOOGLE
    )
    helps = {entry.arg_name: entry.description or "" for entry in documented.params}
    types = typing.get_type_hints(function)
    parser = Parser(
        prog=f"im2tex {name}",
        description=(documented.description or "").replace("%", "%%"),
        argument_default=argparse.SUPPRESS,  # the function has the defaults
    )
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name != PASSED_ON:
            _add_argument(parser, parameter, types[parameter.name], helps.get(parameter.name, ""))
    return parser


def parse_command(
    name: str, function: Callable[..., Any], arguments: Sequence[str]
) -> dict[str, Any]:
    """The arguments of a command's function, by name, as a command line gives them.

    Args:
        name: the words of the command.
        function: as for `command_parser`.
        arguments: the command line after these words.

    Raises:
        Im2TexError: if an argument is unknown, missing or of the wrong type.
    """
    arguments = list(arguments)
    passed_on: dict[str, Any] = {}
    if PASSED_ON in inspect.signature(function).parameters and "--" in arguments:
        end = arguments.index("--")
        passed_on[PASSED_ON] = arguments[end + 1 :]
        arguments = arguments[:end]
    parser = command_parser(name, function)
    values, unknown = parser.parse_known_args(_current_names(name, arguments))
    if unknown:
        known = [option for action in parser._actions for option in action.option_strings]
        near = difflib.get_close_matches(unknown[0], known, n=1, cutoff=0.7)
        hint = f"; did you mean {near[0]}?" if near else ""
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
    return vars(values) | passed_on


def _current_names(command: str, arguments: Sequence[str]) -> list[str]:
    """The arguments with renamed options by their new names; each is reported."""
    current = []
    for argument in arguments:
        option, equals, value = argument.partition("=")
        new = RENAMED_OPTIONS.get(command, {}).get(option, option)
        if new != option:
            print(
                f"im2tex {command}: {option} is the name of an older version; write {new}.",
                file=sys.stderr,
            )
        current.append(f"{new}{equals}{value}")
    return current


def _add_argument(parser: Parser, parameter: inspect.Parameter, kind: Any, text: str) -> None:
    """Adds the argument or option of one parameter.

    Args:
        parser: the parser to extend.
        parameter: the parameter.
        kind: its type.
        text: its description in the docstring.
    """
    several = typing.get_origin(kind) is Sequence
    if typing.get_args(kind):  # of `Sequence[T]` or `T | None`
        kind = typing.get_args(kind)[0]
    positional = parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    required = parameter.default is parameter.empty
    text = " ".join(text.split()).removesuffix(".").replace("%", "%%")
    if not required and kind is not bool and parameter.default not in (None, "", ()):
        default = " ".join(map(str, parameter.default)) if several else parameter.default
        text += f" (default: {default})"
    settings: dict[str, Any] = {"help": text}
    if kind is bool:
        settings["action"] = "store_true"
    else:
        word = parameter.name.removesuffix("s") if several else parameter.name
        settings |= {"type": kind, "metavar": _METAVARS.get(kind, word.upper())}
    if several:
        settings["nargs"] = "+"
    if positional:
        settings["metavar"] = word.upper()
        if not required:
            settings["nargs"] = "?"
        parser.add_argument(parameter.name, **settings)
        return
    if several:
        settings["action"] = "extend"
    option = _OPTIONS.get(parameter.name, f"--{parameter.name}")
    parser.add_argument(option, dest=parameter.name, required=required, **settings)
