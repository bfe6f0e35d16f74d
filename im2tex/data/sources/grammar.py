r"""Source `grammar`: random formulas in a built-in handwriting; needs no download and no TeX.

`RandomGrammar` draws the formulas, `builtin_font.typeset` sets them in single-stroke glyphs, and
`Augmentation` deforms the strokes. Use it for first runs, tests and controlled experiments; no
sample was written by a person.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from im2tex.data.preparation.hashing import hash_fraction
from im2tex.data.preparation.random_grammar import RandomGrammar
from im2tex.data.sample import Sample
from im2tex.data.source import SOURCES, PreparationReport, Source
from im2tex.data.store import read_metadata, write_split
from im2tex.errors import Im2TexError
from im2tex.ink.augment import Augmentation
from im2tex.ink.builtin_font.typeset import typeset
from im2tex.ink.ink import Ink
from im2tex.utils.checks import check_settings
from im2tex.utils.wording import counted

_VERSION = 1  # of the formulas and the handwriting; stores of another version are made again
_DEFAULT = (
    "0 1 2 3 4 5 6 7 8 9 a b c n x y z \\alpha \\beta \\theta \\pi + - = \\times ( ) "
    "\\frac \\sqrt ^ _ \\sum \\sin"
)
_MAX_MISSES = 20_000  # candidates in a row without a new formula

HANDWRITING = Augmentation(
    scale=(1.0, 1.0),
    stroke_width=(1.0, 1.0),
    rotation=2.0,
    slant=0.25,
    stretch=1.25,
    symbol_resize=1.2,
    symbol_rotation=7.0,
    symbol_shift=0.07,
    wobble=0.05,
)
"""Random deformation of the built-in font's glyphs."""


@SOURCES.register("grammar")
class GrammarSource(Source):
    r"""Random formulas in a built-in handwriting; the store is made on first use.

    A hash of a formula's tokens decides its split, so that no formula is in two splits.

    Example:
        >>> source = GrammarSource(size_train=100)
        >>> source.ensure(Path("data"))
        >>> len(source.split(Path("data"), "train"))
        100

    Args:
        size_train: formulas in the split `train`.
        size_validation: formulas in `validation`.
        size_test: formulas in `test`.
        depth: maximum nesting level of fractions, roots, scripts and brackets.
        min_tokens: length of the shortest label, braces included.
        max_tokens: length of the longest label, braces included.
        symbols: the tokens to use, separated by spaces, instead of the default 33; of `\frac`,
            `\sqrt`, `^`, `_`, brackets and operators, only those listed are used.
        seed: seed of the formulas and the handwriting.

    Raises:
        Im2TexError: if a symbol cannot be drawn or a value is out of range.
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
        sizes = {f"size_{split}": size for split, size in self.sizes.items()}
        check_settings("source 'grammar': ", 1, **sizes)
        if not 1 <= min_tokens <= max_tokens:
            raise Im2TexError(
                f"source 'grammar': min_tokens must be from 1 to max_tokens={max_tokens}, got "
                f"{min_tokens}."
            )
        check_settings("source 'grammar': ", 0, depth=depth, seed=seed)
        self.grammar = RandomGrammar(symbols, depth, min_tokens, max_tokens)
        self.seed = seed
        self.settings: dict[str, Any] = {
            "version": _VERSION,
            "sizes": self.sizes,
            "depth": depth,
            "min_tokens": min_tokens,
            "max_tokens": max_tokens,
            "symbols": symbols.split(),
            "seed": seed,
        }

    def prepare(
        self, root: Path, raw_data: str | None = None, labels: Path | None = None
    ) -> PreparationReport:
        """See `Source.prepare`; `raw_data` and `labels` are refused."""
        if raw_data is not None or labels is not None:
            raise Im2TexError(
                "source 'grammar' makes its own formulas: remove --from and --labels."
            )
        report = PreparationReport()
        for number, (split, formulas) in enumerate(self._formulas().items()):
            samples = (
                Sample(
                    key=f"{split}-{i:06d}",
                    latex=" ".join(tokens),
                    tokens=tokens,
                    ink=synthesize_ink(tokens, np.random.default_rng([self.seed, 1, number, i])),
                )
                for i, tokens in enumerate(formulas)
            )
            metadata = {
                "source": self.name,
                "licence": "none: generated formulas in the package's own font",
                "settings": self.settings,
            }
            report.splits[split] = write_split(self.path(root, split), samples, metadata)
        lengths = [len(tokens) for tokens in formulas]
        report.lines.append(
            f"{counted(len(self.settings['symbols']), 'symbol')}; "
            f"test labels have {np.mean(lengths):.1f} tokens on average, {max(lengths)} at most"
        )
        return report

    def ensure(self, root: Path) -> None:
        """Makes the store if it does not exist or has other settings."""
        for split in self.sizes:
            exists = split in self.available(root)
            if not exists or read_metadata(self.path(root, split)).get("settings") != self.settings:
                self.prepare(root)
                return

    def _formulas(self) -> dict[str, list[tuple[str, ...]]]:
        """Draws distinct formulas until every split has its size."""
        found: dict[str, list[tuple[str, ...]]] = {split: [] for split in self.sizes}
        splits = list(self.sizes)
        bounds = np.cumsum(list(self.sizes.values())) / sum(self.sizes.values())
        rng = np.random.default_rng([self.seed, 0])
        seen: set[tuple[str, ...]] = set()
        misses = 0
        while short := [split for split in splits if len(found[split]) < self.sizes[split]]:
            tokens = self.grammar.formula(rng)
            if tokens is None:
                continue
            misses += 1
            if misses > _MAX_MISSES:
                raise Im2TexError(
                    f"source 'grammar': only {len(seen)} distinct formulas were found, and "
                    f"{short[0]} has {len(found[short[0]])} of {self.sizes[short[0]]}. Reduce the "
                    "sizes, or raise max_tokens, depth or the number of symbols."
                )
            if tokens not in seen:
                seen.add(tokens)
                fraction = hash_fraction(" ".join(tokens))
                split = splits[int(np.searchsorted(bounds, fraction, side="right"))]
                if split in short:
                    found[split].append(tokens)
                    misses = 0
        return found


def synthesize_ink(tokens: tuple[str, ...], rng: np.random.Generator) -> Ink:
    """Returns the ink of a formula in the built-in handwriting.

    Args:
        tokens: canonical tokens of the formula.
        rng: source of the writer style and of the deformation.

    Raises:
        Im2TexError: for a token without a glyph, or tokens that are not canonical.
    """
    ink = typeset(tokens, cursive=bool(rng.random() < 0.4))
    rng.random(2)  # unused; the data of earlier versions depend on the order of the numbers
    return HANDWRITING.apply(ink, rng)
