"""Formulas on their way into a data set: what they are, and both of their forms.

Reading a formula takes longer than anything else that is not drawing, so it is spread over the
cores.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256

from im2tex.latex.normalize import normalize_or_none

_BLOCK = 400  # formulas handed to a process at a time


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula as found.

    Attributes:
        latex: its markup.
        group: what it came from, such as a paper; formulas of one group stay in one split.
        kind: `d` for a display, `i` for one within a line, or nothing where that is not known.
    """

    latex: str
    group: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A formula that a split may take.

    Attributes:
        key: of the sample.
        split: where it belongs.
        latex: what is drawn.
        norm: its tokens in the paper's normal form, a space apart.
        tok: its plain tokens, a space apart.
        extra: what else is to be kept.
    """

    key: str
    split: str
    latex: str
    norm: str
    tok: str
    extra: dict[str, str] = field(default_factory=dict)


def forms(formulas: Iterable[str], workers: int | None = None) -> Iterator[tuple[str, str] | None]:
    """Both forms of formulas, in order.

    Args:
        formulas: markup.
        workers: processes; the number of cores if not given.

    Yields:
        The normal form and the plain tokens, or None for what cannot be read.
    """
    workers = workers or os.cpu_count() or 1
    if workers == 1:
        yield from map(both_forms, formulas)
        return
    with ProcessPoolExecutor(workers, initializer=quiet) as pool:
        yield from pool.map(both_forms, formulas, chunksize=_BLOCK)


def both_forms(latex: str) -> tuple[str, str] | None:
    """The normal form and the plain tokens of a formula, or None if it cannot be read."""
    norm, tok = normalize_or_none(latex, "norm"), normalize_or_none(latex, "tok")
    return None if norm is None or tok is None else (norm, tok)


def digest(norm: str) -> str:
    """A key of a formula that depends on its normal form alone."""
    return sha256(norm.encode()).hexdigest()[:16]


def quiet() -> None:
    """An interrupt is the main process's to deal with."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
