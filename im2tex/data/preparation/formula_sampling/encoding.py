"""Many formulas at once: one character a sign, counted with numpy.

A formula is a string, so that a million of them are compared, kept in sets and joined at the
speed of strings; what a character stands for, its `SignCodec` says. Character 0 stands between
formulas and begins and ends each one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from im2tex.data.preparation.formula_sampling.signs import (
    BRACKETS,
    CLOSES,
    FRACTION,
    INDEXED,
    OPENS,
    RADICAL,
    SUB,
    SUP,
    signs,
    tokens_of,
)
from im2tex.latex.normal_form.parser import parse_formula
from im2tex.latex.tokens import LatexError

Ints = NDArray[np.int64]

SHAPES: dict[str, tuple[tuple[str, ...], int]] = {
    "fractions": ((FRACTION,), 4),
    "radicals": ((RADICAL, INDEXED), 4),
    "indexed radicals": ((INDEXED,), 1),
    "superscripts": ((SUP,), 6),
    "subscripts": ((SUB,), 6),
    "brackets": (tuple(BRACKETS), 4),
    "relations": (("=", "<", ">", "\\leq", "\\geq", "\\neq"), 3),
    "large operators": (("\\sum", "\\int", "\\lim", "\\prod"), 2),
}
"""What is counted in a formula besides its tokens: the signs, and from which number on they are
taken together. Nesting depth (fractions, radicals and scripts inside each other) comes on top."""

DEEPEST = 5
"""From this depth on, depths are taken together."""


class SignCodec:
    """The signs that formulas may have.

    Args:
        signs: distinct; the order is kept.
    """

    def __init__(self, signs: Iterable[str]) -> None:
        self.signs = tuple(signs)
        self._codes = {sign: chr(number) for number, sign in enumerate(self.signs, 1)}
        self._tokens = {code: tokens_of(sign) for sign, code in self._codes.items()}
        first: dict[tuple[str, ...], str] = {}
        brackets = {tokens_of(sign) for pair in BRACKETS.items() for sign in pair}
        self._alike = {
            ord(code): first.setdefault(tokens, code)
            for code, tokens in self._tokens.items()
            if tokens in brackets
        }

    def __len__(self) -> int:
        return len(self.signs)

    def __contains__(self, sign: str) -> bool:
        return sign in self._codes

    def encode(self, signs: Sequence[str]) -> str | None:
        """A formula's string, or None where it has a sign that is not in the alphabet."""
        try:
            return "".join([self._codes[sign] for sign in signs])
        except KeyError:
            return None

    def read(self, tokens: Sequence[str]) -> str | None:
        """The string of a formula in canonical tokens, or None where signs cannot say it."""
        found = label_signs(tokens)
        return None if found is None else self.encode(found)

    def tokens(self, formula: str) -> tuple[str, ...]:
        """The canonical tokens of a string."""
        return tuple(chain.from_iterable(map(self._tokens.__getitem__, formula)))

    def key(self, formula: str) -> str:
        """What is the same for strings of the same tokens: with or without partners told."""
        return formula.translate(self._alike)

    def code(self, sign: str) -> int:
        """The number of a sign, 0 where there is none."""
        return ord(self._codes.get(sign, "\0"))

    def sizes(self) -> Ints:
        """Tokens by number of the sign, (len + 1,)."""
        return np.array([0, *(len(tokens_of(sign)) for sign in self.signs)])


def label_signs(tokens: Sequence[str]) -> list[str] | None:
    """The signs of a label in canonical tokens, or None where they do not say the same."""
    try:
        found = signs(parse_formula(" ".join(tokens), lenient=True).body)
    except LatexError:
        return None
    said = tuple(chain.from_iterable(map(tokens_of, found)))
    return found if said == tuple(tokens) else None


class FormulaCounts:
    """What there is to count in some formulas.

    Args:
        alphabet: of their signs.
        formulas: strings of it, none empty.

    Attributes:
        codes: all signs in a row, a 0 in front of each formula and one at the end.
        starts: where in `codes` each formula's 0 stands, (n,).
        row: the formula that each of `codes[1:]` belongs to, the 0 behind it included.
        lengths: in tokens, (n,).
        shapes: for `depth` and each of `SHAPES`, the number in each formula, (n,).
    """

    def __init__(self, alphabet: SignCodec, formulas: Sequence[str]) -> None:
        text = "\0".join(["", *formulas, ""])
        self.codes = np.frombuffer(text.encode("utf-32-le"), np.uint32).astype(np.int64)
        self.starts = np.flatnonzero(self.codes == 0)[:-1]
        self.row = np.cumsum(self.codes == 0)[:-1] - 1
        self.lengths = self._sums(alphabet.sizes())
        steps = np.zeros(len(alphabet) + 1, np.int64)
        for sign in alphabet.signs:
            if sign not in BRACKETS and sign not in BRACKETS.values():
                steps[alphabet.code(sign)] = (sign in OPENS) - (sign in CLOSES)
        level = np.cumsum(steps[self.codes])  # every formula closes what it opens
        self.shapes = {"depth": np.minimum(np.maximum.reduceat(level, self.starts), DEEPEST)}
        for name, (names, most) in SHAPES.items():
            counted = np.zeros(len(alphabet) + 1, np.int64)
            counted[[alphabet.code(sign) for sign in names]] = 1
            counted[0] = 0
            self.shapes[name] = np.minimum(self._sums(counted), most)

    def _sums(self, values: Ints) -> Ints:
        sums: Ints = np.add.reduceat(values[self.codes], self.starts)
        return sums
