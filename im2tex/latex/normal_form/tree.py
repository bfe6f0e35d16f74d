r"""The tree of a formula: what stands where, without the markup's accidents.

A leaf is a plain string, the token itself (`x`, `\alpha`, `\quad`); the other nodes are below. The
tree keeps the order in which scripts were written and whether an argument had braces, so that each
printer can decide for itself: `norm`, `tok` and `crohme.from_tree` in this package.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(slots=True)
class Group:
    """Material in braces.

    Attributes:
        body: what stands between them.
    """

    body: list[Node]


@dataclass(slots=True)
class Scripts:
    r"""A base with scripts.

    Attributes:
        base: what carries them; None where the formula or group begins with a script.
        marks: each script in the order written: `_` or `^` with its argument, or `'` with an empty
            group for each prime.
        literal: written inside text, where the reference form does not touch them.
        again: a second script of a kind on the base in front of it, which TeX refuses.
    """

    base: Node | None
    marks: list[tuple[str, Node]]
    literal: bool = False
    again: bool = field(default=False, compare=False)


@dataclass(slots=True)
class Command:
    r"""A command with arguments, or one that was written in another way.

    Attributes:
        name: the command, such as `\frac`; `\over` and `\choose` become `\frac` and `\binom`,
            `{\rm x}` becomes `\mathrm` with a group; a star follows behind a space.
        arguments: a `Group` where there were braces; those of `\atop` and its like stand on
            either side of it.
        option: what stood in square brackets in front of them, or None; behind `\above` and its
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
        limits: whether its scripts stand above and below, as those of `\lim`.
    """

    name: str
    limits: bool


@dataclass(slots=True)
class Fenced:
    r"""Material between delimiters that grow with it.

    Attributes:
        left: the delimiter with its command, as one token: `\left(`.
        body: what stands between.
        right: likewise: `\right)`.
    """

    left: str
    body: list[Node]
    right: str


@dataclass(slots=True)
class Row:
    r"""A row of an array.

    Attributes:
        cells: the material of each cell.
        rules: how many `\hline` stand above the row.
    """

    cells: list[list[Node]]
    rules: int = 0


@dataclass(slots=True)
class Array:
    r"""An environment with rows and cells.

    `\pmatrix{…}`, `\cases{…}` and `\substack{…}` are read as one, too.

    Attributes:
        name: the environment, such as `array` or `pmatrix`.
        columns: the column specification, letters and bars, or the number of columns of
            `alignedat`; None where it takes none.
        rows: the rows; an empty last one without rule is not there.
    """

    name: str
    columns: list[str] | None
    rows: list[Row] = field(default_factory=list)


@dataclass(slots=True)
class Verbatim:
    r"""A command and what only makes sense behind it, printed as it is.

    Attributes:
        tokens: such as `\kern`, `1`, `p`, `t`.
    """

    tokens: list[str]


Node: TypeAlias = str | Group | Scripts | Command | Operator | Fenced | Array | Verbatim


@dataclass(slots=True)
class ParsedFormula:
    """A formula as read.

    Attributes:
        tokens: its plain token stream.
        body: its tree.
    """

    tokens: list[str]
    body: list[Node]
