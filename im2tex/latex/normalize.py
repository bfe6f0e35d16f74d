"""A formula in one of three forms, or the reason why not."""

from __future__ import annotations

from enum import StrEnum

from im2tex.latex.crohme.canonical import canonicalize
from im2tex.latex.normal_form.normal_form import normal_form, token_stream
from im2tex.latex.normal_form.parser import parse_formula
from im2tex.latex.tokens import LatexError

_PASSES = 10


class NormalizationForm(StrEnum):
    """The forms."""

    NORM = "norm"
    TOK = "tok"
    CROHME = "crohme"


def normalize(source: str, mode: NormalizationForm | str = NormalizationForm.NORM) -> str:
    """A formula in a form that does not depend on how it was typed.

    Args:
        source: the markup, with or without dollars.
        mode: `norm`, the IM2LATEX paper's normal form; `tok`, its plain token stream; `crohme`,
            the canonical form of CROHME's labels.

    Returns:
        The tokens, one space apart. Normalised again, they stay as they are.

    Raises:
        LatexError: if the formula cannot be read.
        ValueError: for another mode.
    """
    mode = NormalizationForm(mode)
    if mode is NormalizationForm.CROHME:
        # Behind a backslash at the end, as in the other forms, comes a space.
        return " ".join(canonicalize(source + " "))
    found = source
    for _ in range(_PASSES):
        again = _read_once(found, mode)
        if again == found:
            return found
        found = again
    raise LatexError(f"no stable form after {_PASSES} passes", 0, source)


def _read_once(source: str, mode: NormalizationForm) -> str:
    if mode is NormalizationForm.NORM:
        return " ".join(normal_form(parse_formula(source)))
    return " ".join(token_stream(parse_formula(source, dollars=True)))


def normalize_or_none(
    source: str, mode: NormalizationForm | str = NormalizationForm.NORM
) -> str | None:
    """As `normalize`, with None for a formula that cannot be read or that is empty."""
    try:
        return normalize(source, mode) or None
    except LatexError:
        return None
