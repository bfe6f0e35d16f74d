r"""Macros of a paper: parameters and replacement text.

Macros are data: the only operation is to replace a call by the macro's text. A definition that is
more than a text with parameters (it inspects the next token, counts, or is built by other macros)
is opaque: its name is known, and its calls are not expanded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from im2tex.latex.document.stream import MacroStream, join_markup

_PARAMETER = re.compile(r"#([1-9#])")
_OPAQUE = re.compile(
    r"\\(?:[A-Za-z]*@|if(?!mmode|thenelse|f(?![A-Za-z]))|IfNoValue|IfBoolean|IfValue|"
    r"(?:csname|expandafter|futurelet|noexpand|number|loop|read|write|input|catcode|advance|the)"
    r"(?![A-Za-z]))"
)


@dataclass(frozen=True, slots=True)
class Parameter:
    r"""A parameter, which takes the next group or token unless it is optional or delimited.

    Attributes:
        default: the value of an optional parameter where its brackets are missing.
        delimiter: the sign up to which a parameter of `\def` reaches.
    """

    default: str | None = None
    delimiter: str = ""

    def read(self, stream: MacroStream) -> str | None:
        """Reads an argument; None if there is none."""
        if self.delimiter:
            return stream.until(self.delimiter)
        if self.default is None:
            return stream.argument()
        argument = stream.optional_argument()
        return self.default if argument is None else argument


@dataclass(frozen=True, slots=True)
class Macro:
    r"""The meaning of a name.

    Attributes:
        parts: its text, split at the parameters; a parameter is its index, from 0.
        parameters: the parameters.
        prefix: the text required between its name and its first parameter (`\def\p(#1){…}`).
        final: whether its text is not expanded again, because `\let` has saved an old meaning.
        starred: the meaning with a star behind its name, if that differs.
    """

    parts: tuple[str | int, ...]
    parameters: tuple[Parameter, ...] = ()
    prefix: str = ""
    final: bool = False
    starred: Macro | None = None

    @property
    def text(self) -> str:
        """Its text without parameters."""
        return " ".join(part for part in self.parts if isinstance(part, str))

    def call(self, stream: MacroStream) -> str | None:
        """Reads the arguments of a call and returns its expansion; None if they do not match.

        Raises:
            BudgetExceededError: if the stream's budget is spent.
        """
        start = stream.position()
        result = self._expand(stream)
        if result is None:
            stream.restore(start)
        return result

    def _expand(self, stream: MacroStream) -> str | None:
        if self.starred is not None and stream.accept("*"):
            return self.starred.call(stream)
        if self.prefix and not stream.accept(self.prefix):
            return None
        arguments: list[str] = []
        for parameter in self.parameters:
            argument = parameter.read(stream)
            if argument is None:
                return None
            arguments.append(argument)
        pieces = [part if isinstance(part, str) else arguments[part] for part in self.parts]
        if arguments:
            # Charged before joining: a text may use each argument many times.
            stream.budget.spend(sum(map(len, pieces)))
        return join_markup(pieces)


def macro(text: str, parameters: tuple[Parameter, ...] = (), prefix: str = "") -> Macro | None:
    """Makes a macro from its source; None if it is opaque or a parameter is not declared."""
    parts: list[str | int] = []
    at = 0
    for hole in _PARAMETER.finditer(text):
        parts.append(text[at : hole.start()])
        at = hole.end()
        if hole[1] == "#":
            parts[-1] = f"{parts[-1]}#"
        elif int(hole[1]) <= len(parameters):
            parts.append(int(hole[1]) - 1)
        else:
            return None
    parts.append(text[at:])
    result = Macro(tuple(part for part in parts if part != ""), parameters, prefix)
    return None if _OPAQUE.search(result.text) else result


MacroTable = dict[str, Macro | None]
r"""Macros by name, such as `\x`, or `\begin{x}` and `\end{x}`; None for an opaque macro."""
