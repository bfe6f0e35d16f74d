r"""Source `grammar`: made-up formulas in a built-in handwriting. No download, no TeX.

Formulas come from a small grammar over digits, letters, signs, scripts, fractions, roots, sums,
integrals, functions and brackets, in the canonical token form; `ink.typeset` places them and
`ink.augment` makes them look written by many hands. It is for a first run, for tests, and for
controlled experiments; nothing real is in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from im2tex.data.sample import Sample
from im2tex.data.source import SOURCES, PreparationReport, Source
from im2tex.data.store import Split, write_split
from im2tex.errors import Im2TexError
from im2tex.ink.augment import Augmentation
from im2tex.ink.builtin_font import hershey
from im2tex.ink.builtin_font.typeset import typeset
from im2tex.ink.ink import Ink

_VERSION = 1  # of what the grammar and the hand make; a store of another one is made again
_DEFAULT = (
    "0 1 2 3 4 5 6 7 8 9 a b c n x y z \\alpha \\beta \\theta \\pi + - = \\times ( ) "
    "\\frac \\sqrt ^ _ \\sum \\sin"
)
_STRUCTURE = frozenset(["\\frac", "\\sqrt", "^", "_"])
_GIVE_UP = 20_000  # candidates in a row without a new formula

HAND = Augmentation(
    scale=(1.0, 1.0),
    thickness=(1.0, 1.0),
    rotation=2.0,
    slant=0.25,
    stretch=1.25,
    symbol_resize=1.2,
    symbol_rotation=7.0,
    symbol_shift=0.07,
    wobble=0.05,
)
"""How far the built-in handwriting strays from its glyphs."""


@SOURCES.register("grammar")
class GrammarSource(Source):
    r"""Formulas from a small grammar, in a built-in handwriting; made on first use.

    No formula is in two splits: a hash of its tokens alone says which split it may be in.

    Args:
        size_train: formulas in the split `train`.
        size_validation: formulas in `validation`.
        size_test: formulas in `test`.
        depth: levels of fractions, roots, scripts and brackets inside each other.
        min_tokens: shortest label, braces counted.
        max_tokens: longest label, braces counted.
        symbols: the tokens to use, separated by spaces, instead of the default 33; of `\frac`,
            `\sqrt`, `^`, `_`, brackets and operators those that are named.
        seed: of the formulas and the handwriting.

    Raises:
        Im2TexError: for a symbol that cannot be drawn, or sizes out of range.
    """

    name: ClassVar[str] = "grammar"

    def __init__(
        self,
        size_train: int = 12_000,
        size_validation: int = 500,
        size_test: int = 1_000,
        *,
        depth: int = 1,
        min_tokens: int = 3,
        max_tokens: int = 12,
        symbols: str = _DEFAULT,
        seed: int = 0,
    ) -> None:
        self.sizes = {"train": size_train, "validation": size_validation, "test": size_test}
        for split, size in self.sizes.items():
            if size < 1:
                raise Im2TexError(f"source 'grammar': size_{split}={size} must be at least 1.")
        if depth < 0 or not 1 <= min_tokens <= max_tokens:
            raise Im2TexError(
                f"source 'grammar': depth={depth} must be at least 0, and min_tokens={min_tokens} "
                f"from 1 to max_tokens={max_tokens}."
            )
        if seed < 0:
            raise Im2TexError(f"source 'grammar': seed={seed} must not be below 0.")
        self.grammar = Grammar(symbols, depth, min_tokens, max_tokens)
        self.settings: dict[str, Any] = {
            "version": _VERSION,
            "sizes": self.sizes,
            "depth": depth,
            "min_tokens": min_tokens,
            "max_tokens": max_tokens,
            "symbols": symbols.split(),
            "seed": seed,
        }
        self.seed = seed

    def prepare(
        self, root: Path, raw_data: str | None = None, labels: Path | None = None
    ) -> PreparationReport:
        """See `Source.prepare`; nothing is read, so `raw_data` and `labels` are refused."""
        if raw_data is not None or labels is not None:
            raise Im2TexError(
                "source 'grammar' makes its own formulas: leave out --from, --labels."
            )
        prepared = PreparationReport()
        for number, (split, formulas) in enumerate(self._formulas().items()):
            samples = (
                Sample(
                    key=f"{split}-{i:06d}",
                    latex=" ".join(tokens),
                    tokens=tokens,
                    ink=write(tokens, np.random.default_rng([self.seed, 1, number, i])),
                )
                for i, tokens in enumerate(formulas)
            )
            about = {"source": self.name, "settings": self.settings}
            prepared.splits[split] = write_split(self.path(root, split), samples, about)
        lengths = [len(tokens) for tokens in formulas]
        prepared.lines.append(
            f"{len(self.settings['symbols'])} symbols; "
            f"test labels have {np.mean(lengths):.1f} tokens on average, {max(lengths)} at most"
        )
        return prepared

    def ensure(self, root: Path) -> None:
        """Makes the store if it is not there or was made with other settings."""
        for split in self.sizes:
            path = self.path(root, split)
            if not path.exists() or Split(path).metadata.get("settings") != self.settings:
                self.prepare(root)
                return

    def _formulas(self) -> dict[str, list[tuple[str, ...]]]:
        found: dict[str, list[tuple[str, ...]]] = {split: [] for split in self.sizes}
        seen: set[tuple[str, ...]] = set()
        bounds = np.cumsum(list(self.sizes.values())) / sum(self.sizes.values())
        splits = list(self.sizes)
        inactive_when = 0
        for tokens in self._candidates():
            inactive_when += 1
            if inactive_when > _GIVE_UP:
                short = next(s for s in splits if len(found[s]) < self.sizes[s])
                raise Im2TexError(
                    f"source 'grammar': after {len(seen)} different formulas hardly any new ones "
                    f"come, and {short} has {len(found[short])} of {self.sizes[short]}. Ask for "
                    "fewer, or raise max_tokens, depth or the number of symbols."
                )
            if tokens in seen:
                continue
            seen.add(tokens)
            digest = hashlib.sha256(" ".join(tokens).encode()).digest()
            share = int.from_bytes(digest[:8], "big") / 2**64
            split = splits[int(np.searchsorted(bounds, share, side="right"))]
            if len(found[split]) < self.sizes[split]:
                found[split].append(tokens)
                inactive_when = 0
                if all(len(found[s]) == self.sizes[s] for s in splits):
                    break
        return found

    def _candidates(self) -> Iterator[tuple[str, ...]]:
        rng = np.random.default_rng([self.seed, 0])
        while True:
            tokens = self.grammar.formula(rng)
            if tokens is not None:
                yield tokens


def write(tokens: tuple[str, ...], rng: np.random.Generator) -> Ink:
    """A formula in the built-in handwriting.

    Args:
        tokens: canonical.
        rng: the hand.

    Raises:
        Im2TexError: for a token without a glyph, or markup that is not canonical.
    """
    ink = typeset(tokens, cursive=bool(rng.random() < 0.4))
    return HAND.apply(ink, rng)[0]


class Grammar:
    r"""Random formulas over given symbols.

    Args:
        symbols: tokens, separated by spaces.
        depth: levels of nesting.
        min_tokens: shortest label.
        max_tokens: longest label.

    Raises:
        Im2TexError: if a symbol cannot be drawn, or there is no letter and no digit.
    """

    def __init__(self, symbols: str, depth: int, min_tokens: int, max_tokens: int) -> None:
        known = symbols.split()
        drawable = {*hershey.font_tokens(), *_STRUCTURE, "{", "}"}
        if unknown := [token for token in known if token not in drawable]:
            raise Im2TexError(
                f"source 'grammar': symbols {' '.join(unknown)} cannot be drawn. "
                f"There are: {' '.join(sorted(drawable))}."
            )

        def those(names: str) -> list[str]:
            return [token for token in names.split() if token in known]

        self.depth = depth
        self.limits = (min_tokens, max_tokens)
        self.operators = those("+ + - - \\pm \\times \\div \\cdot")
        self.relations = those("= < > \\leq \\geq \\neq \\rightarrow \\in")
        self.functions = those("\\sin \\cos \\tan \\log \\ln \\exp f g")
        self.large = those("\\sum \\prod \\int \\lim")
        self.digits = those("0 1 2 3 4 5 6 7 8 9")
        brackets = (("(", ")"), ("[", "]"), ("\\{", "\\}"), ("|", "|"))
        self.brackets = [pair for pair in brackets if pair[0] in known and pair[1] in known]
        taken = {
            *self.operators, *self.relations, *self.functions, *self.large, *self.digits,
            *_STRUCTURE, *(b for pair in brackets for b in pair), *",.;:/!{}",
        }  # fmt: skip
        self.letters = [token for token in known if token not in taken]
        if not self.letters and not self.digits:
            raise Im2TexError("source 'grammar': symbols holds no letter and no digit.")
        # (weight, maker) of what a factor may be, below the deepest level and there.
        self.plain: list[tuple[float, Callable[[np.random.Generator, int], list[str]]]] = [
            (3.0 if self.digits else 0.0, self._number),
            (4.0 if self.letters else 0.0, self._letter),
        ]
        self.nested = [
            *self.plain,
            (2.0 if "^" in known else 0.0, self._power),
            (1.2 if "_" in known and self.letters else 0.0, self._index),
            (1.6 if "\\frac" in known else 0.0, self._fraction),
            (1.0 if "\\sqrt" in known else 0.0, self._root),
            (0.8 if self.brackets else 0.0, self._bracket),
            (0.6 if self.functions else 0.0, self._function),
            (0.5 if self.large else 0.0, self._large),
        ]

    def formula(self, rng: np.random.Generator) -> tuple[str, ...] | None:
        """One formula, or None where it came out too short or too long."""
        tokens = self._sum(rng, self.depth)
        if self.relations and rng.random() < 0.45:
            tokens += [_pick(rng, self.relations), *self._sum(rng, self.depth)]
        low, high = self.limits
        return tuple(tokens) if low <= len(tokens) <= high else None

    def _sum(self, rng: np.random.Generator, depth: int) -> list[str]:
        tokens = ["-"] if "-" in self.operators and rng.random() < 0.06 else []
        tokens += self._product(rng, depth)
        # Contents of groups are mostly short, as in real formulas.
        more = 0.45 if depth == self.depth else 0.22
        while self.operators and rng.random() < more:
            tokens += [_pick(rng, self.operators), *self._product(rng, depth)]
        return tokens

    def _product(self, rng: np.random.Generator, depth: int) -> list[str]:
        if self.letters and self.digits and rng.random() < 0.12:
            coefficients = [digit for digit in self.digits if digit not in "01"] or self.digits
            return [_pick(rng, coefficients), *self._letter(rng, 0)]
        return self._factor(rng, depth)

    def _factor(self, rng: np.random.Generator, depth: int) -> list[str]:
        options = self.nested if depth > 0 else self.plain
        at = rng.random() * sum(weight for weight, _ in options)
        for weight, make in options:
            at -= weight
            if at < 0:
                return make(rng, depth)
        raise AssertionError("the weights are positive")

    def _atom(self, rng: np.random.Generator) -> list[str]:
        return self._factor(rng, 0)

    def _number(self, rng: np.random.Generator, depth: int) -> list[str]:
        digits = [_pick(rng, self.digits)]
        while digits[0] != "0" and len(digits) < 3 and rng.random() < 0.15:
            digits.append(_pick(rng, self.digits))
        return digits

    def _letter(self, rng: np.random.Generator, depth: int) -> list[str]:
        return [_pick(rng, self.letters)]

    def _power(self, rng: np.random.Generator, depth: int) -> list[str]:
        base = self._letter(rng, 0) if self.letters else [_pick(rng, self.digits)]
        return [*base, "^", "{", *self._sum(rng, depth - 1), "}"]

    def _index(self, rng: np.random.Generator, depth: int) -> list[str]:
        tokens = [*self._letter(rng, 0), "_", "{", *self._atom(rng), "}"]
        return [*tokens, "^", "{", *self._atom(rng), "}"] if rng.random() < 0.15 else tokens

    def _fraction(self, rng: np.random.Generator, depth: int) -> list[str]:
        above, below = self._sum(rng, depth - 1), self._sum(rng, depth - 1)
        return ["\\frac", "{", *above, "}", "{", *below, "}"]

    def _root(self, rng: np.random.Generator, depth: int) -> list[str]:
        return ["\\sqrt", "{", *self._sum(rng, depth - 1), "}"]

    def _bracket(self, rng: np.random.Generator, depth: int) -> list[str]:
        opening, closing = self.brackets[int(rng.random() * len(self.brackets))]
        content = self._sum(rng, depth - 1)
        if len(content) == 1 and self.operators:  # nobody puts a lone letter in brackets
            content += [_pick(rng, self.operators), *self._atom(rng)]
        return [opening, *content, closing]

    def _function(self, rng: np.random.Generator, depth: int) -> list[str]:
        name = _pick(rng, self.functions)
        if self.brackets and (len(name) == 1 or rng.random() < 0.4):
            return [name, self.brackets[0][0], *self._sum(rng, depth - 1), self.brackets[0][1]]
        return [name, *self._atom(rng)]

    def _large(self, rng: np.random.Generator, depth: int) -> list[str]:
        name = _pick(rng, self.large)
        if not self.letters or rng.random() < 0.1:
            return [name, *self._atom(rng)]
        return [name, "_", "{", *self._letter(rng, 0), "}", *self._factor(rng, depth - 1)]


def _pick(rng: np.random.Generator, options: list[str]) -> str:
    return options[int(rng.random() * len(options))]
