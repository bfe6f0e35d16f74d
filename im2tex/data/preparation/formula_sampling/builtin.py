"""A profile for those who have no labels: what the built-in grammar makes of CROHME's symbols.

The symbols are the classes that the competition's papers list. How often each occurs is not
CROHME's, nor measured anywhere: lengths come near (14 tokens on average, half of them under 12),
letters and nesting are a guess at what people write in school and at university.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from im2tex.data.preparation.formula_sampling.profile import Profile
from im2tex.data.preparation.random_grammar import RandomGrammar

# A letter named several times is drawn as often.
_LETTERS = (
    "x x x x x x y y y n n n a a a b b b z z c c d d i i k k m p t t r s u v f g h j l o q w e"
    " A A B B C E F G H I L M N P R S T V X X Y"
    r" \alpha \alpha \beta \beta \theta \theta \pi \pi \gamma \phi \lambda \mu \sigma \Delta \infty"
)
_SIGNS = (
    r"0 1 2 3 4 5 6 7 8 9 + - \pm \times \div \cdot = < > \leq \geq \neq \rightarrow \in"
    r" ( ) [ ] \{ \} | \sin \cos \tan \log \sum \int \lim \frac \sqrt ^ _"
)
_MIXTURE = {0: 0.12, 1: 0.38, 2: 0.32, 3: 0.18}  # share of formulas by levels of nesting
_LONGEST = 96
_FORMULAS = 8_000


@cache
def builtin_profile() -> Profile:
    """The statistics of some thousand formulas of the built-in grammar; always the same."""
    labels: list[tuple[str, ...]] = []
    for depth, share in _MIXTURE.items():
        grammar = RandomGrammar(f"{_LETTERS} {_SIGNS}", depth, 3 if depth else 1, _LONGEST)
        rng = np.random.default_rng(depth)
        enough = len(labels) + int(share * _FORMULAS)
        while len(labels) < enough:
            if (tokens := grammar.formula(rng)) is not None:
                labels.append(tokens)
    return Profile.of(labels)
