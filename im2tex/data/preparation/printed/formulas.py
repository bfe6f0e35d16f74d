"""Formulas of a printed data set, and their normalisation, which runs in parallel processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256

from im2tex.latex.normalize import normalize_or_none
from im2tex.utils.processes import initialize_worker

_BLOCK = 400  # formulas passed to a process at a time


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula as found in the raw data.

    Attributes:
        latex: the markup.
        group: origin of the formula, such as a paper; formulas of a group stay in one split.
        kind: `d` for a display, `i` for an inline formula, "" if unknown.
    """

    latex: str
    group: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A formula that a split may take.

    Attributes:
        key: key of the sample.
        split: name of the split.
        latex: the markup to render.
        norm: tokens of the paper's normal form, separated by spaces.
        tok: tokens of the plain token stream, separated by spaces.
        extra: further values to store with the sample.
    """

    key: str
    split: str
    latex: str
    norm: str
    tok: str
    extra: dict[str, str] = field(default_factory=dict)


def normalize_both(formulas: Iterable[str]) -> Iterator[tuple[str, str] | None]:
    """Yields the normal form and the token stream of each formula, or None if it is unreadable.

    Args:
        formulas: markup of each formula.
    """
    with ProcessPoolExecutor(initializer=initialize_worker) as pool:
        yield from pool.map(_both_forms, formulas, chunksize=_BLOCK)


def norm_digest(norm: str) -> str:
    """Returns a key of a formula that depends on its normal form alone."""
    return sha256(norm.encode()).hexdigest()[:16]


def _both_forms(latex: str) -> tuple[str, str] | None:
    norm, tok = normalize_or_none(latex, "norm"), normalize_or_none(latex, "tok")
    return None if norm is None or tok is None else (norm, tok)
