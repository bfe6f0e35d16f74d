"""Normalisation forms of formulas."""

from __future__ import annotations

from enum import StrEnum

from im2tex.latex.crohme.canonical import canonicalize
from im2tex.latex.normal_form.normal_form import normal_form, token_stream
from im2tex.latex.normal_form.parser import parse_formula
from im2tex.latex.tokens import LatexError

_PASSES = 10


class NormalizationForm(StrEnum):
    """The normalisation forms, as `unicodedata.normalize` has its own.

    Attributes:
        NORM: the normal form of the IM2LATEX paper.
        TOK: the plain token stream of the IM2LATEX paper.
        CROHME: the canonical form of CROHME's labels.
    """

    NORM = "norm"
    TOK = "tok"
    CROHME = "crohme"


def normalize(source: str, form: NormalizationForm | str = NormalizationForm.NORM) -> str:
    r"""A formula in a normalisation form.

    >>> normalize("x^2_1"), normalize(r"\left(x\right)", "crohme")
    ('x _ { 1 } ^ { 2 }', '( x )')

    Args:
        source: the markup, with or without dollars.
        form: the form, or its value.

    Returns:
        The tokens, one space apart. Normalised again, they are the same.

    Raises:
        LatexError: if the formula cannot be parsed.
        ValueError: for another form.
    """
    form = NormalizationForm(form)
    if form is NormalizationForm.CROHME:
        # A backslash at the end is a control space, as in the other forms.
        return " ".join(canonicalize(source + " "))
    found = source
    for _ in range(_PASSES):
        again = _once(found, form)
        if again == found:
            return found
        found = again
    raise LatexError(f"no stable form after {_PASSES} passes", 0, source)


def _once(source: str, form: NormalizationForm) -> str:
    if form is NormalizationForm.NORM:
        return " ".join(normal_form(parse_formula(source)))
    return " ".join(token_stream(parse_formula(source, dollars=True)))


def normalize_or_none(
    source: str, form: NormalizationForm | str = NormalizationForm.NORM
) -> str | None:
    """The result of `normalize`; None for a formula that cannot be parsed or is empty."""
    try:
        return normalize(source, form) or None
    except LatexError:
        return None
