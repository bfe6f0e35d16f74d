"""`Profile`: what the formulas of a collection are like, in numbers.

How long they are, which signs they have and which stand side by side, how many fractions,
radicals, scripts, brackets and relations, how deep they go. The numbers come from labels on the
user's machine when a set is prepared, from those of CROHME's *training* split for instance; none
come with this package, except by `Profile.builtin`, which counts what the built-in grammar makes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from im2tex.data.preparation.formula_sampling.encoding import FormulaCounts, SignCodec, label_signs
from im2tex.data.preparation.formula_sampling.markov_grammar import transition_counts
from im2tex.errors import Im2TexError


@dataclass(frozen=True)
class Profile:
    """The statistics of some labels.

    How long, of what and how deep labels are is counted on all of them, a label that comes
    several times as often. What stands beside what is counted on different ones, each once: a
    few of CROHME's formulas were written by thirty people each, and what is odd in those is no
    habit.

    Attributes:
        labels: how many were counted.
        different: how many different ones.
        skipped: how many could not be counted, being empty or more than rows, scripts, fractions
            and radicals.
        alphabet: the signs that occur.
        lengths: labels by their number of tokens.
        tokens: how often each token occurs.
        signs: how often each sign occurs, by its number in the alphabet; 0 is the end.
        shapes: labels by their number of fractions and the like, see `encoding.SHAPES`.
        pairs: how often sign follows sign in different labels; 0 is the beginning and the end.
        transition_counts: how often each sign follows each state of `MarkovGrammar`, in the
            different labels.
    """

    labels: int
    different: int
    skipped: int
    alphabet: SignCodec
    lengths: Mapping[int, int]
    tokens: Mapping[str, int]
    signs: Mapping[int, int]
    shapes: Mapping[str, Mapping[int, int]]
    pairs: Mapping[tuple[int, int], int]
    transition_counts: Mapping[tuple[str, str], Mapping[str, int]]

    @classmethod
    def of(cls, labels: Iterable[Sequence[str]]) -> Profile:
        """Counts labels.

        Args:
            labels: canonical tokens of each, as `Split.tokens` gives them.

        Raises:
            Im2TexError: if there is none that can be counted.
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
        alphabet = SignCodec(sorted({sign for signs in times for sign in signs}))
        different = [alphabet.encode(signs) or "" for signs in times]
        every = FormulaCounts(alphabet, np.repeat(different, list(times.values())).tolist())
        once = FormulaCounts(alphabet, different)
        base = len(alphabet) + 1
        occurring = Counter(every.codes[1:].tolist())
        tokens: Counter[str] = Counter()
        for number, n in occurring.items():
            for token in alphabet.tokens(chr(number)) if number else ():
                tokens[token] += n
        pairs = Counter((once.codes[:-1] * base + once.codes[1:]).tolist())
        return cls(
            labels=len(every.lengths),
            different=len(different),
            skipped=given.total() - len(every.lengths),
            alphabet=alphabet,
            lengths=_sorted(Counter(every.lengths.tolist())),
            tokens=tokens,
            signs=_sorted(occurring),
            shapes={name: _sorted(Counter(n.tolist())) for name, n in every.shapes.items()},
            pairs={divmod(pair, base): n for pair, n in sorted(pairs.items())},
            transition_counts=transition_counts(times),
        )


def _sorted(counts: Counter[int]) -> dict[int, int]:
    return dict(sorted(counts.items()))
