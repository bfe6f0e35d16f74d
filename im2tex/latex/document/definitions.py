r"""Definitions of macros, read where they stand: TeX's `\def` and `\let`, and LaTeX's commands.

Groups are not looked at: a definition holds from where it stands to the end of the document or to
the next one. Bodies with commands of LaTeX's inside (`\@…`), with conditions other than `\ifmmode`
and `\ifthenelse`, or that build names, make a macro opaque.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from im2tex.latex.document.macros import (
    DelimitedParameter,
    Macro,
    MacroTable,
    OptionalParameter,
    Parameter,
    PlainParameter,
    macro,
)
from im2tex.latex.document.stream import LONGEST_ARGUMENT, MacroStream, glue

_NAME = re.compile(r"\s*\\(?:[A-Za-z@]+|[^A-Za-z@\s])")
_TOKEN = re.compile(r"\\(?:[A-Za-z@]+|.)|.", re.DOTALL)
_WORD = re.compile(r"\\(?:[A-Za-z@]+|.)", re.DOTALL)
_BEFORE_BODY = re.compile(r"[^{}]{0,200}(?=\{)")
_OPAQUE = re.compile(
    r"\\(?:[A-Za-z]*@|if(?!mmode|thenelse|f(?![A-Za-z]))|IfNoValue|IfBoolean|IfValue|"
    r"(?:csname|expandafter|futurelet|noexpand|number|loop|read|write|input|catcode|advance|the)"
    r"(?![A-Za-z]))"
)

Definition = tuple[str, Macro | None]


def read_definition(command: str, stream: MacroStream, table: MacroTable) -> list[Definition]:
    r"""Reads the definition behind a command that defines.

    Args:
        command: one of `COMMANDS`, which was read.
        stream: stands behind the command, and then behind the definition.
        table: the macros so far.

    Returns:
        What is defined: nothing, if it cannot be read, or a name and its macro; for an environment
        two of them.

    Raises:
        BudgetExceededError: if the stream's budget is spent.
    """
    return COMMANDS[command](stream, table)


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
        return [(name, _readable(macro(body)))]
    prefix, *delimiters = re.split(r"#[1-9]", pattern.lstrip())
    parameters: list[Parameter] = [
        DelimitedParameter(sign) if sign else PlainParameter() for sign in delimiters
    ]
    if "#" in prefix or any("#" in sign for sign in delimiters):
        return [(name, None)]
    return [(name, _readable(macro(body, tuple(parameters), prefix.strip())))]


def _edef(stream: MacroStream, table: MacroTable) -> list[Definition]:
    result: list[Definition] = []
    for name, value in _def(stream, table):
        if value is None or value.parameters:
            result.append((name, value))
        else:
            # Its text holds what the macros in it stand for now, not what they will.
            text = _expanded(value.text, table, stream)
            result.append((name, None if text is None else macro(text)))
    return result


def _expanded(text: str, table: MacroTable, stream: MacroStream) -> str | None:
    own = MacroStream(text, stream.budget)
    pieces: list[str] = []
    size = 0
    while size <= LONGEST_ARGUMENT and (own.at < len(own.text) or own.pop()):
        start = own.at
        word = _WORD.search(own.text, start)
        end = word.start() if word else len(own.text)
        value = table.get(word.group()) if word else None
        own.at = word.end() if word else end
        if value is None:
            pieces.append(own.text[start : own.at])
        else:
            pieces.append(own.text[start:end])
            replacement = value.call(own)
            if replacement is None:
                return None
            own.push(replacement)
        size += own.at - start if value is None else end - start
    return glue(pieces) if size <= LONGEST_ARGUMENT else None


def _let(stream: MacroStream, table: MacroTable) -> list[Definition]:
    name = _name(stream)
    if name is None:
        return []
    stream.follows("=")
    stream.spaces()
    token = _TOKEN.match(stream.text, stream.at)
    if token is None:
        return []
    stream.at = token.end()
    meaning = token.group()
    if meaning in table:
        return [(name, table[meaning])]
    return [(name, None if "@" in meaning else Macro((meaning,), final=True))]


def _newcommand(stream: MacroStream, table: MacroTable) -> list[Definition]:
    stream.follows("*")
    name = _name(stream)
    parameters = _parameters(stream)
    body = stream.argument()
    if name is None or body is None:
        return []
    return [(name, _readable(macro(body, parameters)) if parameters is not None else None)]


def _provide(stream: MacroStream, table: MacroTable) -> list[Definition]:
    return [pair for pair in _newcommand(stream, table) if pair[0] not in table]


def _environment(stream: MacroStream, table: MacroTable) -> list[Definition]:
    stream.follows("*")
    name = stream.argument()
    parameters = _parameters(stream)
    begin, end = stream.argument(), stream.argument()
    if name is None or parameters is None or begin is None or end is None:
        return []
    both = _readable(macro(begin, parameters)), _readable(macro(end))
    return [(f"\\begin{{{name.strip()}}}", both[0]), (f"\\end{{{name.strip()}}}", both[1])]


def _operator(stream: MacroStream, table: MacroTable) -> list[Definition]:
    star = "*" if stream.follows("*") else ""
    name, body = _name(stream), stream.argument()
    if name is None or body is None:
        return []
    return [(name, _readable(macro(f"\\operatorname{star}{{{body}}}")))]


def _delimiters(stream: MacroStream, table: MacroTable) -> list[Definition]:
    r"""`\DeclarePairedDelimiter` of mathtools: plain, with a star, with a size."""
    name, left, right = _name(stream), stream.argument(), stream.argument()
    if name is None or left is None or right is None:
        return []
    plain: tuple[Parameter, ...] = (OptionalParameter(""), PlainParameter())
    starred = macro(f"\\left{left} #1\\right{right}", (PlainParameter(),))
    sized = macro(f"#1{left} #2#1{right}", plain)
    if sized is None or starred is None:
        return [(name, None)]
    return [(name, _readable(Macro(sized.parts, plain, starred=starred)))]


def _document_command(stream: MacroStream, table: MacroTable) -> list[Definition]:
    """A command of xparse, whose arguments are of LaTeX's usual kinds."""
    name, kinds, body = _name(stream), stream.argument(), stream.argument()
    if name is None or kinds is None or body is None:
        return []
    parameters: list[Parameter] = []
    rest = MacroStream(kinds, stream.budget)
    while (kind := rest.argument()) is not None:
        if kind == "+":
            continue
        default = rest.argument() if kind == "O" else None
        if kind == "m":
            parameters.append(PlainParameter())
        elif default is not None:
            parameters.append(OptionalParameter(default))
        else:
            return [(name, None)]
    return [(name, _readable(macro(body, tuple(parameters))))]


def _name(stream: MacroStream) -> str | None:
    """A macro's name, in braces or without."""
    braced = stream.follows("{")
    found = _NAME.match(stream.text, stream.at)
    if found is None:
        return None
    stream.at = found.end()
    if braced and not stream.follows("}"):
        return None
    return found.group().strip()


def _parameters(stream: MacroStream) -> tuple[Parameter, ...] | None:
    """`[2][default]`; None if it is neither that nor nothing."""
    count = stream.bracket()
    if count is None:
        return ()
    if not re.fullmatch(r"\s*[0-9]\s*", count):
        return None
    default = stream.bracket()
    plain = int(count) - (default is not None)
    first: tuple[Parameter, ...] = () if default is None else (OptionalParameter(default),)
    return first + (PlainParameter(),) * plain


def _readable(value: Macro | None) -> Macro | None:
    return None if value is None or _OPAQUE.search(value.text) else value


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
"""The commands that define, and what reads the rest of the definition."""
