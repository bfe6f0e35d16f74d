r"""Random formulas from a small hand-written grammar over given symbols.

The rules, with the nesting level $d$ (a factor of level 0 is a number or a letter)::

    formula   -> sum(d) | sum(d) relation sum(d)
    sum(d)    -> [-] product(d) (operator product(d))*
    product(d)-> digit letter | factor(d)
    factor(d) -> number | letter | power | index | fraction | root | bracket | function | large
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from im2tex.errors import Im2TexError
from im2tex.ink.builtin_font import hershey

_STRUCTURE = frozenset(["\\frac", "\\sqrt", "^", "_"])
_BRACKETS = (("(", ")"), ("[", "]"), ("\\{", "\\}"), ("|", "|"))
_PUNCTUATION = ",.;:/!{}"

_Tokens = list[str]
_Production = Callable[[np.random.Generator, int], _Tokens]


class RandomGrammar:
    r"""Draws random formulas over given symbols.

    Example::

        grammar = RandomGrammar("1 2 x y + = \\frac ^", depth=1, min_tokens=3, max_tokens=12)
        tokens = grammar.formula(np.random.default_rng(0))  # None if too short or too long

    Args:
        symbols: tokens, separated by spaces; of `\frac`, `\sqrt`, `^`, `_`, brackets and
            operators, only those listed are used.
        depth: maximum nesting level of fractions, roots, scripts and brackets.
        min_tokens: length of the shortest formula, braces included.
        max_tokens: length of the longest formula, braces included.

    Raises:
        Im2TexError: if the built-in font lacks a symbol, or there is neither letter nor digit.
    """

    def __init__(self, symbols: str, depth: int, min_tokens: int, max_tokens: int) -> None:
        known = symbols.split()
        drawable = {*hershey.font_tokens(), *_STRUCTURE, "{", "}"}
        if unknown := [token for token in known if token not in drawable]:
            raise Im2TexError(
                f"source 'grammar': symbols {' '.join(unknown)} cannot be drawn. "
                f"Available: {' '.join(sorted(drawable))}."
            )

        def listed(names: str) -> _Tokens:
            return [token for token in names.split() if token in known]

        self.depth = depth
        self.min_tokens, self.max_tokens = min_tokens, max_tokens
        self.operators = listed("+ + - - \\pm \\times \\div \\cdot")
        self.relations = listed("= < > \\leq \\geq \\neq \\rightarrow \\in")
        self.functions = listed("\\sin \\cos \\tan \\log \\ln \\exp f g")
        self.large = listed("\\sum \\prod \\int \\lim")
        self.digits = listed("0 1 2 3 4 5 6 7 8 9")
        self.brackets = [(left, right) for left, right in _BRACKETS if {left, right} <= set(known)]
        taken = {*self.operators, *self.relations, *self.functions, *self.large, *self.digits}
        taken |= {*_STRUCTURE, *_PUNCTUATION, *(token for pair in _BRACKETS for token in pair)}
        self.letters = [token for token in known if token not in taken]
        if not self.letters and not self.digits:
            raise Im2TexError("source 'grammar': symbols has neither a letter nor a digit.")
        # Weight and production of each kind of factor, at level 0 and above.
        self.atoms: list[tuple[float, _Production]] = [
            (3.0 * bool(self.digits), self._number),
            (4.0 * bool(self.letters), self._letter),
        ]
        self.factors = [
            *self.atoms,
            (2.0 * ("^" in known), self._power),
            (1.2 * ("_" in known and bool(self.letters)), self._index),
            (1.6 * ("\\frac" in known), self._fraction),
            (1.0 * ("\\sqrt" in known), self._root),
            (0.8 * bool(self.brackets), self._bracket),
            (0.6 * bool(self.functions), self._function),
            (0.5 * bool(self.large), self._large_operator),
        ]

    def formula(self, rng: np.random.Generator) -> tuple[str, ...] | None:
        """Returns the tokens of a formula, or None if it is too short or too long."""
        tokens = self._sum(rng, self.depth)
        if self.relations and rng.random() < 0.45:
            tokens += [_choose(rng, self.relations), *self._sum(rng, self.depth)]
        return tuple(tokens) if self.min_tokens <= len(tokens) <= self.max_tokens else None

    def _sum(self, rng: np.random.Generator, depth: int) -> _Tokens:
        tokens = ["-"] if "-" in self.operators and rng.random() < 0.06 else []
        tokens += self._product(rng, depth)
        # Nested groups are mostly short, as in real formulas.
        continuation = 0.45 if depth == self.depth else 0.22
        while self.operators and rng.random() < continuation:
            tokens += [_choose(rng, self.operators), *self._product(rng, depth)]
        return tokens

    def _product(self, rng: np.random.Generator, depth: int) -> _Tokens:
        if self.letters and self.digits and rng.random() < 0.12:
            coefficients = [digit for digit in self.digits if digit not in "01"] or self.digits
            return [_choose(rng, coefficients), *self._letter(rng, 0)]
        return self._factor(rng, depth)

    def _factor(self, rng: np.random.Generator, depth: int) -> _Tokens:
        options = self.factors if depth > 0 else self.atoms
        position = rng.random() * sum(weight for weight, _ in options)
        for weight, production in options:
            position -= weight
            if position < 0:
                return production(rng, depth)
        raise AssertionError("the weights are positive")

    def _number(self, rng: np.random.Generator, depth: int) -> _Tokens:
        digits = [_choose(rng, self.digits)]
        while digits[0] != "0" and len(digits) < 3 and rng.random() < 0.15:
            digits.append(_choose(rng, self.digits))
        return digits

    def _letter(self, rng: np.random.Generator, depth: int) -> _Tokens:
        return [_choose(rng, self.letters)]

    def _power(self, rng: np.random.Generator, depth: int) -> _Tokens:
        base = _choose(rng, self.letters or self.digits)
        return [base, "^", "{", *self._sum(rng, depth - 1), "}"]

    def _index(self, rng: np.random.Generator, depth: int) -> _Tokens:
        tokens = [*self._letter(rng, 0), "_", "{", *self._factor(rng, 0), "}"]
        return [*tokens, "^", "{", *self._factor(rng, 0), "}"] if rng.random() < 0.15 else tokens

    def _fraction(self, rng: np.random.Generator, depth: int) -> _Tokens:
        above, below = self._sum(rng, depth - 1), self._sum(rng, depth - 1)
        return ["\\frac", "{", *above, "}", "{", *below, "}"]

    def _root(self, rng: np.random.Generator, depth: int) -> _Tokens:
        return ["\\sqrt", "{", *self._sum(rng, depth - 1), "}"]

    def _bracket(self, rng: np.random.Generator, depth: int) -> _Tokens:
        opening, closing = self.brackets[int(rng.random() * len(self.brackets))]
        content = self._sum(rng, depth - 1)
        if len(content) == 1 and self.operators:  # a single letter in brackets is unusual
            content += [_choose(rng, self.operators), *self._factor(rng, 0)]
        return [opening, *content, closing]

    def _function(self, rng: np.random.Generator, depth: int) -> _Tokens:
        name = _choose(rng, self.functions)
        if self.brackets and (len(name) == 1 or rng.random() < 0.4):
            opening, closing = self.brackets[0]
            return [name, opening, *self._sum(rng, depth - 1), closing]
        return [name, *self._factor(rng, 0)]

    def _large_operator(self, rng: np.random.Generator, depth: int) -> _Tokens:
        name = _choose(rng, self.large)
        if not self.letters or rng.random() < 0.1:
            return [name, *self._factor(rng, 0)]
        return [name, "_", "{", *self._letter(rng, 0), "}", *self._factor(rng, depth - 1)]


def _choose(rng: np.random.Generator, options: _Tokens) -> str:
    return options[int(rng.random() * len(options))]
