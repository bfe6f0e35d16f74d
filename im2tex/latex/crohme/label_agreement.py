r"""Differences between two sets of labels for the same formulas.

CROHME's labels exist in several versions: the files' own truth, the captions of various releases.
Results on two of them are comparable only if they agree. A difference belongs to the first class
below that explains it: the class whose rewriting makes both labels equal, or, if there is none, a
class by the handwritten symbols that the labels have in common.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from im2tex.latex.crohme.canonical import annotate_tokens, canonicalize_or_tokenize
from im2tex.latex.crohme.symbols import FUNCTIONS

K = TypeVar("K", bound=Hashable)


@dataclass
class LabelAgreement:
    """The result of `compare_labels`.

    Attributes:
        compared: number of formulas with both labels.
        equal: number of formulas whose token lists are equal.
        classes: number of the others by class of difference.
        examples: the first formula of each class with both labels.
        missing: number of formulas without a second label.
    """

    compared: int = 0
    equal: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    examples: dict[str, tuple[Hashable, list[str], list[str]]] = field(default_factory=dict)
    missing: int = 0

    @property
    def fraction(self) -> float:
        """Fraction of the compared formulas that agree; 1 if none were compared."""
        return self.equal / self.compared if self.compared else 1.0


def compare_labels(
    first: Mapping[K, Sequence[str]], second: Mapping[K, Sequence[str]]
) -> LabelAgreement:
    """Compares labels formula by formula.

    Args:
        first: tokens by formula.
        second: tokens by formula; formulas that are only here are ignored.

    Returns:
        The counts, and an example of each class of difference.
    """
    found = LabelAgreement()
    for key, tokens in first.items():
        other = second.get(key)
        if other is None:
            found.missing += 1
            continue
        found.compared += 1
        kind = classify(tokens, other)
        if kind is None:
            found.equal += 1
            continue
        found.classes[kind] += 1
        found.examples.setdefault(kind, (key, list(tokens), list(other)))
    return found


def classify(first: Sequence[str], second: Sequence[str]) -> str | None:
    """The class of difference between two labels; None for equal labels."""
    if list(first) == list(second):
        return None
    left, right = " ".join(first), " ".join(second)
    for name, rewrite in _REWRITINGS:
        left, right = rewrite(left), rewrite(right)
        if left == right:
            return name
    left_symbols, right_symbols = _written(left), _written(right)
    if left_symbols == right_symbols:
        return "structure"
    missing = Counter(right_symbols) - Counter(left_symbols)
    added = Counter(left_symbols) - Counter(right_symbols)
    if not missing and not added:
        return "order of symbols"
    if not added:
        return "symbols missing"
    return "symbols added" if not missing else "other symbols"


def _script_order(label: str) -> str:
    """Subscripts before superscripts; a label that cannot be parsed is unchanged."""
    return " ".join(canonicalize_or_tokenize(label))


def _words(label: str) -> str:
    for name in FUNCTIONS:
        letters = " ".join(name[1:])
        label = re.sub(rf"(?<!\S){letters}(?!\S)", "\\" + name, label)
    return label


def _zeros(label: str) -> str:
    """Numbers without leading zeros and without zeros at the end of a decimal part."""
    label = re.sub(r"(?<![\d.] )(?<!\S)(?:0 )+(?=\d)", "", label)
    label = re.sub(r"( \.(?: \d)*?)(?: 0)+(?! \d)(?!\S)", r"\1", label)
    return re.sub(r"(?<=\d) \.(?! \d)(?!\S)", "", label)


_REWRITINGS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("spelling of the prime", lambda label: re.sub(r"(?<!\S)'(?!\S)", r"\\prime", label)),
    ("order of scripts", _script_order),
    ("kind of dots", lambda label: re.sub(r"\\[lc]dots(?!\S)|(?<!\S)\. \. \.", r"\\dots", label)),
    ("function as letters", _words),
    ("zeros of a number", _zeros),
)


def _written(label: str) -> list[str]:
    return [item.token for item in annotate_tokens(label.split()) if item.written]


def describe_agreement(agreement: LabelAgreement) -> Iterable[str]:
    """The result as lines of text: the fraction, then each class with its count."""
    yield (
        f"labels agree on {agreement.equal} of {agreement.compared} "
        f"({100 * agreement.fraction:.2f} %)"
    )
    for kind, count in agreement.classes.most_common():
        key, first, second = agreement.examples[kind]
        yield f"  {kind}: {count}, as in {key}: '{' '.join(first)}' against '{' '.join(second)}'"
