"""The profile that is used without labels: formulas of `RandomGrammar` over CROHME's symbols.

The symbols are the classes that the competition's papers list. Their frequencies are not CROHME's:
the lengths are close (14 tokens on average, the median below 12), while letters and nesting are
estimates for mathematics at school and university.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from im2tex.data.preparation.formula_sampling.profile import Profile
from im2tex.data.preparation.random_grammar import RandomGrammar

# A letter that is listed several times is drawn as often.
_LETTERS = (
    "x x x x x x y y y n n n a a a b b b z z c c d d i i k k m p t t r s u v f g h j l o q w e"
    " A A B B C E F G H I L M N P R S T V X X Y"
    r" \alpha \alpha \beta \beta \theta \theta \pi \pi \gamma \phi \lambda \mu \sigma \Delta \infty"
)
_OTHERS = (
    r"0 1 2 3 4 5 6 7 8 9 + - \pm \times \div \cdot = < > \leq \geq \neq \rightarrow \in"
    r" ( ) [ ] \{ \} | \sin \cos \tan \log \sum \int \lim \frac \sqrt ^ _"
)
_DEPTH_FRACTIONS = {0: 0.12, 1: 0.38, 2: 0.32, 3: 0.18}  # fraction of formulas by nesting level
_MAX_TOKENS = 96
_FORMULAS = 8_000


@cache
def builtin_profile() -> Profile:
    """Returns the statistics of 8,000 formulas of the built-in grammar; always the same."""
    labels: list[tuple[str, ...]] = []
    for depth, fraction in _DEPTH_FRACTIONS.items():
        grammar = RandomGrammar(f"{_LETTERS} {_OTHERS}", depth, 3 if depth else 1, _MAX_TOKENS)
        rng = np.random.default_rng(depth)
        enough = len(labels) + int(fraction * _FORMULAS)
        while len(labels) < enough:
            if (tokens := grammar.formula(rng)) is not None:
                labels.append(tokens)
    return Profile.of(labels)
