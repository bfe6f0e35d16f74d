"""Encodes formulas as strings with one character for each sign, and counts over many of them.

Strings make it fast to compare, store and join a million formulas. Character 0 separates formulas,
and so begins and ends each of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from im2tex.data.preparation.formula_sampling.structural_tokens import (
    BRACKETS,
    CLOSES,
    FRACTION,
    INDEXED,
    OPENS,
    RADICAL,
    SUB,
    SUP,
    structural_tokens,
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
"""Structures counted in a formula: their signs, and the count from which on counts are merged.
The nesting depth of fractions, radicals and scripts is counted as well."""

MAX_DEPTH = 5
"""Depth from which on depths are merged."""


class SignCodec:
    """Maps between signs and characters.

    Example::

        codec = SignCodec(["x", "+"])
        codec.tokens(codec.encode(["x", "+", "x"]))  # ("x", "+", "x")

    Args:
        signs: distinct signs; the code of a sign is its position, from 1.
    """

    def __init__(self, signs: Iterable[str]) -> None:
        self.signs = tuple(signs)
        self._codes = {sign: chr(code) for code, sign in enumerate(self.signs, 1)}
        self._tokens = {code: tokens_of(sign) for sign, code in self._codes.items()}
        brackets = {tokens_of(sign) for pair in BRACKETS.items() for sign in pair}
        first: dict[tuple[str, ...], str] = {}
        self._unpaired = {
            ord(code): first.setdefault(tokens, code)
            for code, tokens in self._tokens.items()
            if tokens in brackets
        }

    def __len__(self) -> int:
        return len(self.signs)

    def __contains__(self, sign: str) -> bool:
        return sign in self._codes

    def encode(self, signs: Sequence[str]) -> str | None:
        """Returns the string of a formula, or None if a sign has no code."""
        try:
            return "".join([self._codes[sign] for sign in signs])
        except KeyError:
            return None

    def encode_label(self, tokens: Sequence[str]) -> str | None:
        """Returns the string of a label in canonical tokens, or None if it has none."""
        signs = label_signs(tokens)
        return None if signs is None else self.encode(signs)

    def tokens(self, string: str) -> tuple[str, ...]:
        """Returns the canonical tokens of a string."""
        return tuple(chain.from_iterable(map(self._tokens.__getitem__, string)))

    def key(self, string: str) -> str:
        """Returns a key that is equal for strings of the same tokens, however paired."""
        return string.translate(self._unpaired)

    def code(self, sign: str) -> int:
        """Returns the code of a sign, or 0."""
        return ord(self._codes.get(sign, "\0"))

    def sizes(self) -> Ints:
        """Returns the number of tokens of each sign by its code, (len + 1,)."""
        return np.array([0, *(len(tokens_of(sign)) for sign in self.signs)])


def label_signs(tokens: Sequence[str]) -> list[str] | None:
    """Returns the signs of a label in canonical tokens, or None if they have other tokens."""
    try:
        signs = structural_tokens(parse_formula(" ".join(tokens), lenient=True).body)
    except LatexError:
        return None
    return signs if tuple(chain.from_iterable(map(tokens_of, signs))) == tuple(tokens) else None


class FormulaCounts:
    """Counts over formulas.

    Args:
        codec: codec of the strings.
        strings: string of each formula, none empty.

    Attributes:
        codes: codes of all signs, with a 0 before each formula and at the end, (s,).
        starts: index in `codes` of the 0 before each formula, (n,).
        rows: index of the formula of each of `codes[1:]`, including the 0 after it, (s - 1,).
        lengths: number of tokens of each formula, (n,).
        shapes: number of each of `SHAPES` and `depth` in each formula, (n,) each.
    """

    def __init__(self, codec: SignCodec, strings: Sequence[str]) -> None:
        text = "\0".join(["", *strings, ""])
        self.codes = np.frombuffer(text.encode("utf-32-le"), np.uint32).astype(np.int64)
        self.starts = np.flatnonzero(self.codes == 0)[:-1]
        self.rows = np.cumsum(self.codes == 0)[:-1] - 1
        self.lengths = self._sums(codec.sizes())
        steps = np.zeros(len(codec) + 1, np.int64)
        for sign in codec.signs:
            if sign not in BRACKETS and sign not in BRACKETS.values():
                steps[codec.code(sign)] = (sign in OPENS) - (sign in CLOSES)
        level = np.cumsum(steps[self.codes])  # every formula closes the groups that it opens
        self.shapes = {"depth": np.minimum(np.maximum.reduceat(level, self.starts), MAX_DEPTH)}
        for name, (names, most) in SHAPES.items():
            counted = np.zeros(len(codec) + 1, np.int64)
            counted[[codec.code(sign) for sign in names]] = 1
            counted[0] = 0
            self.shapes[name] = np.minimum(self._sums(counted), most)

    def _sums(self, values: Ints) -> Ints:
        sums: Ints = np.add.reduceat(values[self.codes], self.starts)
        return sums
