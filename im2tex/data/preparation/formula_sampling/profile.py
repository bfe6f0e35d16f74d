"""`Profile`: the statistics of a collection of labels.

Counts lengths, signs, pairs of neighbouring signs, and structures such as fractions. The labels are
on the user's machine, such as those of CROHME's training split; the package includes the statistics
of its built-in grammar only (`builtin_profile`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from im2tex.data.preparation.formula_sampling.markov_grammar import Key, transition_counts
from im2tex.data.preparation.formula_sampling.sign_codec import (
    FormulaCounts,
    SignCodec,
    label_signs,
)
from im2tex.errors import Im2TexError


@dataclass(frozen=True)
class Profile:
    """The statistics of labels.

    Lengths, signs and shapes are counted over all labels. Pairs and transitions are counted
    over distinct labels, because thirty writers each wrote a few of CROHME's formulas, whose
    peculiarities would otherwise dominate.

    Attributes:
        labels: number of labels.
        distinct: number of distinct labels.
        codec: codec of the signs that occur.
        lengths: number of labels by their number of tokens.
        signs: frequency of each sign by its code; 0 is the end of a label.
        shapes: number of labels by their number of each structure, see `sign_codec.SHAPES`.
        pairs: frequency of pairs of neighbouring signs by their codes; 0 is the beginning and end.
        transitions: frequency of each sign after each state of `MarkovGrammar`.
    """

    labels: int
    distinct: int
    codec: SignCodec
    lengths: Mapping[int, int]
    signs: Mapping[int, int]
    shapes: Mapping[str, Mapping[int, int]]
    pairs: Mapping[tuple[int, int], int]
    transitions: Mapping[Key, Mapping[str, int]]

    @classmethod
    def of(cls, labels: Iterable[Sequence[str]]) -> Profile:
        """Counts labels, without those that are empty or unsupported.

        Args:
            labels: canonical tokens of each label, as from `Split.tokens`.

        Raises:
            Im2TexError: if no label can be counted.
        """
        given = Counter(tuple(label) for label in labels)
        times = {}
        for label, n in sorted(given.items()):
            signs = label_signs(label)
            if signs:
                times[tuple(signs)] = n
        if not times:
            raise Im2TexError(
                f"no profile of {given.total()} labels: none is a formula in canonical tokens."
            )
        codec = SignCodec(sorted({sign for signs in times for sign in signs}))
        strings = [codec.encode(signs) or "" for signs in times]
        every = FormulaCounts(codec, np.repeat(strings, list(times.values())).tolist())
        once = FormulaCounts(codec, strings)
        base = len(codec) + 1
        pairs = Counter((once.codes[:-1] * base + once.codes[1:]).tolist())
        return cls(
            labels=len(every.lengths),
            distinct=len(strings),
            codec=codec,
            lengths=Counter(every.lengths.tolist()),
            signs=Counter(every.codes[1:].tolist()),
            shapes={name: Counter(n.tolist()) for name, n in every.shapes.items()},
            pairs={divmod(pair, base): n for pair, n in pairs.items()},
            transitions=transition_counts(times),
        )
