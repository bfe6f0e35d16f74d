r"""The syntax tree of a formula.

A leaf is a plain string, the token itself (`x`, `\alpha`, `\quad`); the other nodes are below. The
tree keeps the order in which scripts were written and whether an argument had braces, because the
printers (`normal_form` and `crohme.from_tree`) differ in what they make of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(slots=True)
class Group:
    """A group in braces.

    Attributes:
        body: its contents.
    """

    body: list[Node]


@dataclass(slots=True)
class Scripts:
    r"""A base with scripts.

    Attributes:
        base: the base; None where the formula or group begins with a script.
        marks: each script in the order written: `_` or `^` with its argument, or `'` with an empty
            group for each prime.
        literal: printed as written: inside text, or without base.
        again: whether it is a second script of a kind on the base in front of it, which TeX
            refuses.
    """

    base: Node | None
    marks: list[tuple[str, Node]]
    literal: bool = False
    again: bool = field(default=False, compare=False)


@dataclass(slots=True)
class Command:
    r"""A command with arguments.

    Attributes:
        name: the command, such as `\frac`; `\over` and `\choose` become `\frac` and `\binom`,
            `{\rm x}` becomes `\mathrm` with a group; a star follows behind a space.
        arguments: a `Group` where there were braces; those of `\atop` and its like stand on
            either side of it.
        option: the argument in square brackets in front of them, or None; for `\above` and its
            like, delimiters and thickness.
    """

    name: str
    arguments: list[Node]
    option: list[Node] | None = None


@dataclass(slots=True)
class Operator:
    r"""A function named by a word.

    Attributes:
        name: the word, such as `sin`.
        limits: whether its scripts are above and below, as those of `\lim`.
    """

    name: str
    limits: bool


@dataclass(slots=True)
class Fenced:
    r"""Contents between delimiters that grow with them.

    Attributes:
        left: the delimiter with its command, as one token: `\left(`.
        body: the contents.
        right: the closing delimiter: `\right)`.
    """

    left: str
    body: list[Node]
    right: str


@dataclass(slots=True)
class Row:
    r"""A row of an array.

    Attributes:
        cells: the contents of each cell.
        rules: number of `\hline` above the row.
    """

    cells: list[list[Node]]
    rules: int = 0


@dataclass(slots=True)
class Array:
    r"""An environment with rows and cells, or `\pmatrix{…}`, `\cases{…}` and `\substack{…}`.

    Attributes:
        name: the environment, such as `array` or `pmatrix`.
        columns: the column specification, letters and bars, or the number of columns of
            `alignedat`; None for an environment without.
        rows: the rows, without empty ones that have no rule.
    """

    name: str
    columns: list[str] | None
    rows: list[Row] = field(default_factory=list)


@dataclass(slots=True)
class Verbatim:
    r"""A command and its length, printed as written.

    Attributes:
        tokens: such as `\kern`, `1`, `p`, `t`.
    """

    tokens: list[str]


Node: TypeAlias = str | Group | Scripts | Command | Operator | Fenced | Array | Verbatim


@dataclass(slots=True)
class ParsedFormula:
    """A formula as parsed.

    Attributes:
        tokens: its tokens; see `normal_form.token_stream`.
        body: its tree.
    """

    tokens: list[str]
    body: list[Node]
