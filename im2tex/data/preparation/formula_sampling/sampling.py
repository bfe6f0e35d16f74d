"""`sample_formulas`: formulas with the statistics of a collection, out of any others.

Real formulas are cut into sub-formulas (`subformulas`), a grammar with the collection's habits
(`markov_grammar`) adds what they lack, and a sample of both is calibrated (`calibration`) so that
lengths, signs, pairs of neighbouring signs, and the numbers of fractions, radicals, scripts,
brackets and levels are those of the profile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from random import Random
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from im2tex.data.preparation.formula_sampling.calibration import systematic, weights
from im2tex.data.preparation.formula_sampling.encoding import FormulaCounts, Ints
from im2tex.data.preparation.formula_sampling.features import (
    LAST,
    Features,
    Floats,
    lengths_of,
    shares,
)
from im2tex.data.preparation.formula_sampling.markov_grammar import MarkovGrammar
from im2tex.data.preparation.formula_sampling.profile import Profile
from im2tex.data.preparation.formula_sampling.signs import signs
from im2tex.data.preparation.formula_sampling.subformulas import subformula_spans
from im2tex.errors import Im2TexError
from im2tex.latex.normal_form.parser import parse_formula
from im2tex.latex.tokens import LatexError

_CUTS = 8  # at most, from one formula: more of it would be much of the same
_LONGEST_MARKUP = 20_000  # characters
_CUT_CANDIDATES = 4  # for each formula wanted
_WRITTEN_CANDIDATES = 3
_TRIES = 3  # for each formula to be written, as many come out too long or known
_FITTED = 120_000  # candidates, spread over all, by which weights are found
_ROOM = 2  # candidates for each formula wanted of a length, or else it is scarce
_HAD = 0.8  # the part of scarce candidates that a sample without repeats takes
_AGAIN = 4  # how often one of them may come, when all together come once


class SampledFormulas(NamedTuple):
    """What `sample_formulas` found.

    Attributes:
        formulas: canonical tokens of each, in no order.
        cut: how many of them were cut from formulas of the pool; the grammar wrote the others.
        unreadable: formulas of the pool that were looked at and could not be read, or that have
            more than 20,000 characters.
    """

    formulas: list[tuple[str, ...]]
    cut: int
    unreadable: int


def sample_formulas(
    pool: Sequence[str],
    profile: Profile,
    count: int,
    *,
    seed: int = 0,
    exclude: Iterable[Sequence[str]] = (),
    unique: bool = False,
) -> SampledFormulas:
    """Formulas with the statistics of a collection.

    Args:
        pool: markup of real formulas, of any field and length, normal form or not. Each is read
            once at most. May be empty: then the grammar writes all.
        profile: the statistics, of CROHME's training labels for instance.
        count: how many formulas.
        seed: the same seed gives the same formulas from the same pool and profile.
        exclude: canonical tokens of formulas that must not come: those of validation and tests.
        unique: no formula comes twice. Otherwise those do whose length has not enough different
            ones: single letters, above all.

    Returns:
        The formulas, in CROHME's canonical tokens and in no order.

    Raises:
        Im2TexError: if there are not so many different formulas, or `count` is less than 1.
    """
    if count < 1:
        raise Im2TexError(f"count={count} formulas: must be at least 1.")
    random = Random(f"formulas {seed}")
    banned = {profile.alphabet.read(tokens) for tokens in exclude}
    found = _Candidates(profile, banned)
    found.cut_from(pool, _CUT_CANDIDATES * count, random)
    cut = len(found.strings)
    found.write(_WRITTEN_CANDIDATES * count, random)

    # In order of length, so that `systematic` shares lengths closely; by chance within each.
    bins = lengths_of(FormulaCounts(profile.alphabet, found.strings))
    order = np.lexsort((np.random.default_rng(random.getrandbits(64)).random(len(bins)), bins))
    wanted = shares(profile.lengths, LAST)
    order = order[wanted[bins[order]] > 0]
    bins = bins[order]
    wanted, often = _room(wanted, np.bincount(bins, minlength=LAST + 1), count, unique)
    most = often[bins]
    if most.sum() < count:
        raise Im2TexError(
            f"{count} formulas are wanted, and of {len(order)} different ones no more than "
            f"{int(most.sum())} can be made. Ask for fewer, give more formulas to cut from, or "
            "let short ones come again (unique=False)."
        )
    strings = [found.strings[i] for i in order]
    features = Features(profile, wanted)
    # Where few serve for many, each of them counts: letters above all. Others stand for several.
    every = -(-len(strings) // _FITTED)
    few = np.flatnonzero((most > 1) | (np.arange(len(most)) % every == 0))
    stand_for = np.where(most[few] > 1, most[few], every)
    some = features.of([strings[i] for i in few])
    found_weights, odds = weights(some, features.means, features.slack, count, stand_for)
    times = most * expit(features.scores(strings, found_weights) + odds)
    had = np.bincount(bins, times, minlength=len(wanted))
    times *= (wanted * count / np.maximum(had, 1e-12))[bins]  # lengths as wanted, to the last one
    taken = systematic(times, count, most, random.random())
    chosen = np.repeat(np.arange(len(strings)), taken).tolist()
    random.shuffle(chosen)
    return SampledFormulas(
        [profile.alphabet.tokens(strings[i]) for i in chosen],
        int((order[chosen] < cut).sum()),
        found.unreadable,
    )


class _Candidates:
    """Different formulas to choose from.

    Args:
        profile: says which signs there are, and by which habits to write.
        banned: strings that must not come.

    Attributes:
        strings: the formulas, in the order found.
        unreadable: how many formulas could not be read.
    """

    def __init__(self, profile: Profile, banned: Collection[str | None]) -> None:
        self.strings: list[str] = []
        self.unreadable = 0
        self._profile = profile
        self._longest = max(profile.lengths)
        self._seen = {profile.alphabet.key(string) for string in banned if string}

    def cut_from(self, pool: Sequence[str], most: int, random: Random) -> None:
        """Cuts formulas of the pool, in random order, until there are enough."""
        order = list(range(len(pool)))
        random.shuffle(order)
        alphabet = self._profile.alphabet
        for number in order:
            if len(self.strings) >= most:
                break
            markup = pool[number]
            try:
                if len(markup) > _LONGEST_MARKUP:
                    raise LatexError("too long", _LONGEST_MARKUP, markup)
                found = signs(parse_formula(markup).body)
            except LatexError:
                self.unreadable += 1
                continue
            places = [
                (start, end)
                for start, end in subformula_spans(found, alphabet.__contains__, self._longest)
                if end - start > 1  # there are enough letters
            ]
            if len(places) > _CUTS:
                places = random.sample(places, _CUTS)
            for start, end in places:
                self._add(alphabet.encode(found[start:end]))

    def write(self, most: int, random: Random) -> None:
        """Has formulas written."""
        writer = MarkovGrammar(self._profile.transition_counts, self._longest)
        enough = len(self.strings) + most
        for _ in range(_TRIES * most):
            if len(self.strings) >= enough:
                break
            written = writer.formula(random)
            if written:
                self._add(self._profile.alphabet.encode(written))

    def _add(self, string: str | None) -> None:
        key = self._profile.alphabet.key(string or "")
        if string and key not in self._seen:
            self._seen.add(key)
            self.strings.append(string)


def _room(wanted: Floats, there: Ints, count: int, unique: bool) -> tuple[Floats, Floats]:
    """What can be had of each length.

    Args:
        wanted: share of each length, (n,).
        there: candidates of each length, (n,).
        count: formulas wanted.
        unique: none may come twice.

    Returns:
        The shares that can be had, and how often each candidate of a length may come, (n,) each.
    """
    scarce = there < _ROOM * wanted * count
    if unique:
        most = np.ones(len(wanted))
        wanted = np.where(scarce, np.minimum(wanted, _HAD * there / count), wanted)
        rest = ~scarce
        wanted[rest] *= (1 - wanted[~rest].sum()) / max(wanted[rest].sum(), 1e-9)
    else:
        often = np.ceil(_AGAIN * wanted * count / np.maximum(there, 1))
        most = np.where(scarce, np.maximum(often, 1), 1.0)
        wanted = np.where(there > 0, wanted, 0)
    return wanted / wanted.sum(), most
