r"""Macros of a paper: what each takes, and what it stands for.

They are data: a macro's call is replaced by its text, and nothing else ever happens. A definition
that is more than a text with holes (one that asks what comes next, counts, or is built by other
macros) is known as opaque, and its calls are left as they stand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from im2tex.latex.document.stream import MacroStream, glue

_HOLE = re.compile(r"#([1-9#])")


@dataclass(frozen=True, slots=True)
class PlainParameter:
    """A parameter that takes the next group or token."""


@dataclass(frozen=True, slots=True)
class OptionalParameter:
    """A parameter in brackets.

    Attributes:
        default: what it is without them.
    """

    default: str


@dataclass(frozen=True, slots=True)
class DelimitedParameter:
    r"""A parameter of `\def` that takes all up to a sign.

    Attributes:
        delimiter: the sign.
    """

    delimiter: str


Parameter = PlainParameter | OptionalParameter | DelimitedParameter


@dataclass(frozen=True, slots=True)
class Macro:
    r"""What a name stands for.

    Attributes:
        parts: its text, cut at its holes; a hole is the number of its parameter, from 0.
        parameters: what it takes.
        prefix: what has to stand between its name and its first parameter (`\def\p(#1){…}`).
        final: its text is not looked through again: the old meaning that `\let` saved.
        starred: what it stands for with a star behind its name, if that differs.
    """

    parts: tuple[str | int, ...]
    parameters: tuple[Parameter, ...] = ()
    prefix: str = ""
    final: bool = False
    starred: Macro | None = None

    @property
    def text(self) -> str:
        """Its text without what goes into the holes."""
        return " ".join(part for part in self.parts if isinstance(part, str))

    def call(self, stream: MacroStream) -> str | None:
        """What a call stands for, arguments read; or None, and nothing read, if they do not fit.

        Raises:
            BudgetExceededError: if the stream's budget is spent.
        """
        place = stream.place()
        result = self._called(stream)
        if result is None:
            stream.back(place)
        return result

    def _called(self, stream: MacroStream) -> str | None:
        if self.starred is not None and stream.follows("*"):
            return self.starred.call(stream)
        if self.prefix and not stream.follows(self.prefix):
            return None
        arguments: list[str] = []
        for parameter in self.parameters:
            argument: str | None
            if isinstance(parameter, PlainParameter):
                argument = stream.argument()
            elif isinstance(parameter, OptionalParameter):
                argument = stream.bracket()
                argument = parameter.default if argument is None else argument
            else:
                argument = stream.until(parameter.delimiter)
            if argument is None:
                return None
            arguments.append(argument)
        if len(self.parts) == 1 and isinstance(self.parts[0], str):
            return self.parts[0]
        pieces = [part if isinstance(part, str) else arguments[part] for part in self.parts]
        # Before they are put together: nine arguments may stand in a text many times.
        stream.budget.spend(sum(map(len, pieces)))
        return glue(pieces)


def macro(text: str, parameters: tuple[Parameter, ...] = (), prefix: str = "") -> Macro | None:
    """A macro from its text as it is written; None if it has a hole that no parameter fills."""
    parts: list[str | int] = []
    at = 0
    for hole in _HOLE.finditer(text):
        parts.append(text[at : hole.start()])
        at = hole.end()
        if hole[1] == "#":
            parts[-1] = f"{parts[-1]}#"
        elif int(hole[1]) <= len(parameters):
            parts.append(int(hole[1]) - 1)
        else:
            return None
    parts.append(text[at:])
    return Macro(tuple(part for part in parts if part != ""), parameters, prefix)


MacroTable = dict[str, Macro | None]
r"""Macros by name, such as `\x`, or `\begin{x}` and `\end{x}`; None for an opaque one."""
