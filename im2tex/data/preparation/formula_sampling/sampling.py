"""`sample_formulas`: samples formulas with the statistics of a collection.

Candidates are sub-formulas of real formulas (`subformulas`) and formulas of a Markov grammar
(`markov_grammar`). A sample of both is calibrated (`calibration`) so that its lengths, signs, pairs
of neighbouring signs, and numbers of fractions, radicals, scripts, brackets and nesting levels are
those of the profile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from random import Random
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from im2tex.data.preparation.formula_sampling.calibration import (
    Floats,
    calibrate,
    systematic_sample,
)
from im2tex.data.preparation.formula_sampling.features import MAX_LENGTH, Features, fractions
from im2tex.data.preparation.formula_sampling.markov_grammar import MarkovGrammar
from im2tex.data.preparation.formula_sampling.profile import Profile
from im2tex.data.preparation.formula_sampling.sign_codec import FormulaCounts, Ints
from im2tex.data.preparation.formula_sampling.structural_tokens import structural_tokens
from im2tex.data.preparation.formula_sampling.subformulas import subformula_spans
from im2tex.errors import Im2TexError
from im2tex.latex.normal_form.parser import parse_formula
from im2tex.latex.tokens import LatexError

_MAX_SPANS = 8  # sub-formulas of one formula
_MAX_MARKUP = 20_000  # characters
_CUT_CANDIDATES = 4  # for each formula wanted
_GRAMMAR_CANDIDATES = 3
_TRIES = 3  # for each formula of the grammar, because many are too long or known
_MAX_FITTED = 120_000  # candidates that the weights are fitted to
_SCARCE = 2  # candidates for each formula wanted of a length, below which the length is scarce
_EXTRA_REPEATS = 4  # factor on the repeats of a scarce candidate that suffice on average


class SampledFormulas(NamedTuple):
    """The result of `sample_formulas`.

    Attributes:
        formulas: canonical tokens of each formula, in random order.
        cut: number of formulas that were cut from the pool; the grammar made the others.
    """

    formulas: list[tuple[str, ...]]
    cut: int


def sample_formulas(
    pool: Sequence[str],
    profile: Profile,
    count: int,
    *,
    seed: int = 0,
    exclude: Iterable[Sequence[str]] = (),
) -> SampledFormulas:
    """Samples formulas with the statistics of a collection.

    Args:
        pool: markup of real formulas of any field and length. If it is empty, the grammar makes
            all formulas.
        profile: the statistics, such as those of CROHME's training labels.
        count: number of formulas. A formula repeats if too few distinct ones of its length exist,
            above all single letters.
        seed: the same seed gives the same formulas for the same pool and profile.
        exclude: canonical tokens of formulas to exclude, such as those of validation and tests.

    Raises:
        Im2TexError: if there are too few formulas, or `count` is less than 1.
    """
    if count < 1:
        raise Im2TexError(f"the number of formulas must be >= 1, got {count}.")
    random = Random(f"formulas {seed}")
    candidates = _Candidates(profile, {profile.codec.encode_label(tokens) for tokens in exclude})
    candidates.add_subformulas(pool, _CUT_CANDIDATES * count, random)
    cut = len(candidates.strings)
    candidates.add_from_grammar(_GRAMMAR_CANDIDATES * count, random)

    # Sorted by length, for `systematic_sample`, and shuffled within each length.
    counts = FormulaCounts(profile.codec, candidates.strings)
    lengths: Ints = np.minimum(counts.lengths, MAX_LENGTH)
    order = np.lexsort(
        (np.random.default_rng(random.getrandbits(64)).random(len(lengths)), lengths)
    )
    wanted = fractions(profile.lengths, MAX_LENGTH)
    order = order[wanted[lengths[order]] > 0]
    lengths = lengths[order]
    wanted, repeats = _capacity(wanted, np.bincount(lengths, minlength=MAX_LENGTH + 1), count)
    max_repeats = repeats[lengths]
    if max_repeats.sum() < count:
        raise Im2TexError(
            f"{count} formulas are wanted, but {len(order)} distinct ones give at most "
            f"{int(max_repeats.sum())}. Reduce the count, or provide more formulas to cut from."
        )
    strings = [candidates.strings[i] for i in order]
    features = Features(profile, wanted)
    # The weights are fitted to all candidates that may repeat and to a part of the others.
    every = -(-len(strings) // _MAX_FITTED)
    fitted = np.flatnonzero((max_repeats > 1) | (np.arange(len(max_repeats)) % every == 0))
    represented = np.where(max_repeats[fitted] > 1, max_repeats[fitted], every)
    matrix = features.matrix([strings[i] for i in fitted])
    weights, bias = calibrate(matrix, features.means, features.slack, count, represented)
    expected = max_repeats * expit(features.scores(strings, weights) + bias)
    available = np.bincount(lengths, expected, minlength=len(wanted))
    expected *= (wanted * count / np.maximum(available, 1e-12))[lengths]  # exact length fractions
    taken = systematic_sample(expected, count, max_repeats, random.random())
    chosen = np.repeat(np.arange(len(strings)), taken).tolist()
    random.shuffle(chosen)
    return SampledFormulas(
        [profile.codec.tokens(strings[i]) for i in chosen],
        int((order[chosen] < cut).sum()),
    )


class _Candidates:
    """Distinct formulas to choose from.

    Args:
        profile: the known signs and the transitions of the grammar.
        excluded: strings of excluded formulas.

    Attributes:
        strings: string of each formula.
    """

    def __init__(self, profile: Profile, excluded: Collection[str | None]) -> None:
        self.strings: list[str] = []
        self._profile = profile
        self._codec = profile.codec
        self._max_tokens = max(profile.lengths)
        self._seen = {self._codec.key(string) for string in excluded if string}

    def add_subformulas(self, pool: Sequence[str], most: int, random: Random) -> None:
        """Adds sub-formulas of the pool, in random order, until there are `most` candidates."""
        order = list(range(len(pool)))
        random.shuffle(order)
        for index in order:
            if len(self.strings) >= most:
                break
            if len(pool[index]) > _MAX_MARKUP:
                continue
            try:
                signs = structural_tokens(parse_formula(pool[index]).body)
            except LatexError:
                continue
            spans = [
                (start, end)
                for start, end in subformula_spans(
                    signs, self._codec.__contains__, self._max_tokens
                )
                if end - start > 1  # single letters are frequent enough
            ]
            if len(spans) > _MAX_SPANS:
                spans = random.sample(spans, _MAX_SPANS)
            for start, end in spans:
                self._add(signs[start:end])

    def add_from_grammar(self, count: int, random: Random) -> None:
        """Adds about `count` formulas of the grammar."""
        grammar = MarkovGrammar(self._profile.transitions, self._max_tokens)
        enough = len(self.strings) + count
        for _ in range(_TRIES * count):
            if len(self.strings) >= enough:
                break
            if signs := grammar.formula(random):
                self._add(signs)

    def _add(self, signs: Sequence[str]) -> None:
        string = self._codec.encode(signs)
        key = self._codec.key(string or "")
        if string and key not in self._seen:
            self._seen.add(key)
            self.strings.append(string)


def _capacity(wanted: Floats, available: Ints, count: int) -> tuple[Floats, Floats]:
    """Returns the fractions of each length that are possible, and the allowed repeats.

    Args:
        wanted: wanted fraction of each length, (n,).
        available: number of candidates of each length, (n,).
        count: number of formulas.

    Returns:
        The possible fraction of each length, and how often each candidate of it may be taken.
    """
    repeats = np.ceil(_EXTRA_REPEATS * wanted * count / np.maximum(available, 1))
    is_scarce = available < _SCARCE * wanted * count
    wanted = np.where(available > 0, wanted, 0)
    return wanted / max(wanted.sum(), 1e-12), np.where(is_scarce, np.maximum(repeats, 1), 1.0)
