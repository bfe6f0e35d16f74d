r"""Reads macro definitions: TeX's `\def` and `\let`, and LaTeX's commands.

Groups are ignored: a definition holds from its position to the end of the document or to the next
definition of the name. A macro is opaque if its body has internal commands (`\@…`) or conditions
other than `\ifmmode` and `\ifthenelse`, or builds names.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from im2tex.latex.document.macros import Macro, MacroTable, Parameter, expand_all, macro
from im2tex.latex.document.stream import MacroStream

_NAME = re.compile(r"\s*\\(?:[A-Za-z@]+|[^A-Za-z@\s])")
_TOKEN = re.compile(r"\\(?:[A-Za-z@]+|.)|.", re.DOTALL)
_BEFORE_BODY = re.compile(r"[^{}]{0,200}(?=\{)")

Definition = tuple[str, Macro | None]


class _UnreadableError(Exception):
    """Raised for a definition that cannot be read."""


def read_definitions(command: str, stream: MacroStream, table: MacroTable) -> list[Definition]:
    """Reads the definition behind a command.

    Args:
        command: one of `COMMANDS`.
        stream: the text behind it.
        table: the current macros.

    Returns:
        Pairs of a name and a macro (None for an opaque macro): one pair, two for an environment,
        none for a definition that cannot be read.

    Raises:
        BudgetExceededError: if the stream's budget is spent.
    """
    try:
        return _READERS[command](stream, table)
    except _UnreadableError:
        return []


def _read_def(stream: MacroStream, table: MacroTable) -> list[Definition]:
    name = _read_name(stream)
    pattern = _read_match(_BEFORE_BODY, stream)
    body = _read_argument(stream)
    if not pattern.strip():
        return [(name, macro(body))]
    prefix, *delimiters = re.split(r"#[1-9]", pattern.lstrip())
    if "#" in prefix or any("#" in sign for sign in delimiters):
        return [(name, None)]
    parameters = tuple(Parameter(delimiter=sign) for sign in delimiters)
    return [(name, macro(body, parameters, prefix.strip()))]


def _read_edef(stream: MacroStream, table: MacroTable) -> list[Definition]:
    return [
        # The body is expanded with the current definitions.
        (name, macro(expand_all(value.text, table, stream.budget)))
        if value is not None and not value.parameters
        else (name, value)
        for name, value in _read_def(stream, table)
    ]


def _read_let(stream: MacroStream, table: MacroTable) -> list[Definition]:
    name = _read_name(stream)
    stream.accept("=")
    stream.skip_spaces()
    meaning = _read_match(_TOKEN, stream)
    if meaning in table:
        return [(name, table[meaning])]
    return [(name, None if "@" in meaning else Macro((meaning,), final=True))]


def _read_newcommand(stream: MacroStream, table: MacroTable) -> list[Definition]:
    stream.accept("*")
    name, parameters, body = _read_name(stream), _read_parameters(stream), _read_argument(stream)
    return [(name, macro(body, parameters) if parameters is not None else None)]


def _read_provide(stream: MacroStream, table: MacroTable) -> list[Definition]:
    return [pair for pair in _read_newcommand(stream, table) if pair[0] not in table]


def _read_environment(stream: MacroStream, table: MacroTable) -> list[Definition]:
    stream.accept("*")
    name, parameters = _read_argument(stream).strip(), _read_parameters(stream)
    begin, end = _read_argument(stream), _read_argument(stream)
    if parameters is None:
        raise _UnreadableError
    return [(f"\\begin{{{name}}}", macro(begin, parameters)), (f"\\end{{{name}}}", macro(end))]


def _read_operator(stream: MacroStream, table: MacroTable) -> list[Definition]:
    star = "*" if stream.accept("*") else ""
    name, body = _read_name(stream), _read_argument(stream)
    return [(name, macro(f"\\operatorname{star}{{{body}}}"))]


def _read_delimiters(stream: MacroStream, table: MacroTable) -> list[Definition]:
    r"""Reads `\DeclarePairedDelimiter` of mathtools: plain, with a star, with a size."""
    name, left, right = _read_name(stream), _read_argument(stream), _read_argument(stream)
    parameters = (Parameter(""), Parameter())
    starred = macro(f"\\left{left} #1\\right{right}", (Parameter(),))
    sized = macro(f"#1{left} #2#1{right}", parameters)
    if sized is None or starred is None:
        return [(name, None)]
    return [(name, Macro(sized.parts, parameters, starred=starred))]


def _read_document_command(stream: MacroStream, table: MacroTable) -> list[Definition]:
    """Reads a command of xparse with arguments of LaTeX's usual kinds."""
    name, kinds, body = _read_name(stream), _read_argument(stream), _read_argument(stream)
    parameters: list[Parameter] = []
    rest = MacroStream(kinds, stream.budget)
    while (kind := rest.argument()) is not None:
        if kind == "+":
            continue
        default = rest.argument() if kind == "O" else None
        if kind != "m" and default is None:
            return [(name, None)]
        parameters.append(Parameter(default))
    return [(name, macro(body, tuple(parameters)))]


def _read_match(pattern: re.Pattern[str], stream: MacroStream) -> str:
    found = pattern.match(stream.text, stream.at)
    if found is None:
        raise _UnreadableError
    stream.at = found.end()
    return found.group()


def _read_name(stream: MacroStream) -> str:
    """Reads a macro's name, in braces or without."""
    braced = stream.accept("{")
    name = _read_match(_NAME, stream).strip()
    if braced and not stream.accept("}"):
        raise _UnreadableError
    return name


def _read_argument(stream: MacroStream) -> str:
    argument = stream.argument()
    if argument is None:
        raise _UnreadableError
    return argument


def _read_parameters(stream: MacroStream) -> tuple[Parameter, ...] | None:
    """Reads `[2][default]` or nothing; None for another number of parameters."""
    count = stream.optional_argument()
    if count is None:
        return ()
    if not re.fullmatch(r"\s*[0-9]\s*", count):
        return None
    default = stream.optional_argument()
    first = () if default is None else (Parameter(default),)
    return first + (Parameter(),) * (int(count) - len(first))


_READERS: dict[str, Callable[[MacroStream, MacroTable], list[Definition]]] = {
    **dict.fromkeys(["\\def", "\\gdef"], _read_def),
    **dict.fromkeys(["\\edef", "\\xdef"], _read_edef),
    "\\let": _read_let,
    **dict.fromkeys(["\\newcommand", "\\renewcommand", "\\DeclareRobustCommand"], _read_newcommand),
    "\\providecommand": _read_provide,
    "\\DeclareMathOperator": _read_operator,
    "\\DeclarePairedDelimiter": _read_delimiters,
    **dict.fromkeys(["\\newenvironment", "\\renewenvironment"], _read_environment),
    **dict.fromkeys(["\\NewDocumentCommand", "\\RenewDocumentCommand"], _read_document_command),
}
COMMANDS = _READERS.keys()
"""The commands that define."""
