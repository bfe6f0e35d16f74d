"""Normalisation forms of formulas."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache

from im2tex.latex.crohme.canonical import canonicalize
from im2tex.latex.normal_form.commands import ROLES
from im2tex.latex.normal_form.normal_form import normal_form, token_stream
from im2tex.latex.normal_form.parser import parse_formula
from im2tex.latex.normal_form.tree import ParsedFormula
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
        again = _normalize_once(found, form)
        if again == found or all(map(_is_plain, again.split(" "))):
            return again
        found = again
    raise LatexError(f"no stable form after {_PASSES} passes", 0, source)


def _normalize_once(source: str, form: NormalizationForm) -> str:
    norm = form is NormalizationForm.NORM
    formula = _parse(source, dollars=not norm and _DOLLARS.search(source) is not None)
    return " ".join(normal_form(formula) if norm else token_stream(formula))


# Tokens of which a printed formula is stable without another pass: no role but these.
_PLAIN = re.compile(r"[A-Za-z0-9{}^_+=()\[\]<>|/,.:;!?*-]|\\[A-Za-z]+")
_PLAIN_COMMANDS = ("\\frac", "\\sqrt")


@lru_cache(maxsize=4096)
def _is_plain(token: str) -> bool:
    if not _PLAIN.fullmatch(token):
        return False
    return len(token) == 1 or token not in ROLES or token in _PLAIN_COMMANDS


# Sources that `parse_formula` parses in another way with `dollars`.
_DOLLARS = re.compile(r"\$|\\(?:\(|text|mbox|hbox)")


@lru_cache(maxsize=1024)  # scores need both forms of a formula
def _parse(source: str, *, dollars: bool) -> ParsedFormula:
    return parse_formula(source, dollars=dollars)


def normalize_or_none(
    source: str, form: NormalizationForm | str = NormalizationForm.NORM
) -> str | None:
    """The result of `normalize`; None for a formula that cannot be parsed or is empty."""
    try:
        return normalize(source, form) or None
    except LatexError:
        return None
