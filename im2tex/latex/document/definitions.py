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


def _def(stream: MacroStream, table: MacroTable) -> list[Definition]:
    name = _name(stream)
    before = None if name is None else _BEFORE_BODY.match(stream.text, stream.at)
    if name is None or before is None:
        return []
    stream.at = before.end()
    body = stream.argument()
    if body is None:
        return []
    pattern = before.group()
    if not pattern.strip():
        return [(name, macro(body))]
    prefix, *delimiters = re.split(r"#[1-9]", pattern.lstrip())
    if "#" in prefix or any("#" in sign for sign in delimiters):
        return [(name, None)]
    parameters = tuple(Parameter(delimiter=sign) for sign in delimiters)
    return [(name, macro(body, parameters, prefix.strip()))]


def _edef(stream: MacroStream, table: MacroTable) -> list[Definition]:
    return [
        # The body is expanded with the current definitions.
        (name, macro(expand_all(value.text, table, stream.budget)))
        if value is not None and not value.parameters
        else (name, value)
        for name, value in _def(stream, table)
    ]


def _let(stream: MacroStream, table: MacroTable) -> list[Definition]:
    name = _name(stream)
    if name is None:
        return []
    stream.accept("=")
    stream.skip_spaces()
    token = _TOKEN.match(stream.text, stream.at)
    if token is None:
        return []
    stream.at = token.end()
    meaning = token.group()
    if meaning in table:
        return [(name, table[meaning])]
    return [(name, None if "@" in meaning else Macro((meaning,), final=True))]


def _newcommand(stream: MacroStream, table: MacroTable) -> list[Definition]:
    stream.accept("*")
    name = _name(stream)
    parameters = _parameters(stream)
    body = stream.argument()
    if name is None or body is None:
        return []
    return [(name, macro(body, parameters) if parameters is not None else None)]


def _provide(stream: MacroStream, table: MacroTable) -> list[Definition]:
    return [pair for pair in _newcommand(stream, table) if pair[0] not in table]


def _environment(stream: MacroStream, table: MacroTable) -> list[Definition]:
    stream.accept("*")
    name = stream.argument()
    parameters = _parameters(stream)
    begin, end = stream.argument(), stream.argument()
    if name is None or parameters is None or begin is None or end is None:
        return []
    return [
        (f"\\begin{{{name.strip()}}}", macro(begin, parameters)),
        (f"\\end{{{name.strip()}}}", macro(end)),
    ]


def _operator(stream: MacroStream, table: MacroTable) -> list[Definition]:
    star = "*" if stream.accept("*") else ""
    name, body = _name(stream), stream.argument()
    if name is None or body is None:
        return []
    return [(name, macro(f"\\operatorname{star}{{{body}}}"))]


def _delimiters(stream: MacroStream, table: MacroTable) -> list[Definition]:
    r"""Reads `\DeclarePairedDelimiter` of mathtools: plain, with a star, with a size."""
    name, left, right = _name(stream), stream.argument(), stream.argument()
    if name is None or left is None or right is None:
        return []
    parameters = (Parameter(""), Parameter())
    starred = macro(f"\\left{left} #1\\right{right}", (Parameter(),))
    sized = macro(f"#1{left} #2#1{right}", parameters)
    if sized is None or starred is None:
        return [(name, None)]
    return [(name, Macro(sized.parts, parameters, starred=starred))]


def _document_command(stream: MacroStream, table: MacroTable) -> list[Definition]:
    """Reads a command of xparse with arguments of LaTeX's usual kinds."""
    name, kinds, body = _name(stream), stream.argument(), stream.argument()
    if name is None or kinds is None or body is None:
        return []
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


def _name(stream: MacroStream) -> str | None:
    """Reads a macro's name, in braces or without."""
    braced = stream.accept("{")
    found = _NAME.match(stream.text, stream.at)
    if found is None:
        return None
    stream.at = found.end()
    if braced and not stream.accept("}"):
        return None
    return found.group().strip()


def _parameters(stream: MacroStream) -> tuple[Parameter, ...] | None:
    """Reads `[2][default]` or nothing; None for another number of parameters."""
    count = stream.optional_argument()
    if count is None:
        return ()
    if not re.fullmatch(r"\s*[0-9]\s*", count):
        return None
    default = stream.optional_argument()
    first = () if default is None else (Parameter(default),)
    return first + (Parameter(),) * (int(count) - len(first))


COMMANDS: dict[str, Callable[[MacroStream, MacroTable], list[Definition]]] = {
    "\\def": _def,
    "\\gdef": _def,
    "\\edef": _edef,
    "\\xdef": _edef,
    "\\let": _let,
    "\\newcommand": _newcommand,
    "\\renewcommand": _newcommand,
    "\\providecommand": _provide,
    "\\DeclareRobustCommand": _newcommand,
    "\\DeclareMathOperator": _operator,
    "\\DeclarePairedDelimiter": _delimiters,
    "\\newenvironment": _environment,
    "\\renewenvironment": _environment,
    "\\NewDocumentCommand": _document_command,
    "\\RenewDocumentCommand": _document_command,
}
"""Functions that read the definition behind a command that defines.

They return pairs of a name and a macro (None for an opaque macro): one pair, two for an
environment, none for a definition that cannot be read.

Raises:
    BudgetExceededError: if the stream's budget is spent.
"""
