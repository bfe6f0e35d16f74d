"""A formula in one of three forms, or the reason why not."""

from __future__ import annotations

import html
import re
from enum import StrEnum

from im2tex.latex.cursor import DEPTH
from im2tex.latex.handwritten import handwritten
from im2tex.latex.norm import norm
from im2tex.latex.parser import parse
from im2tex.latex.tok import tok
from im2tex.latex.tokens import LatexError

# Printed, a formula is less than three times as deep as it was written.
_SAFE_DEPTH = DEPTH // 3
_ENTITY = re.compile(r"&(?:#\d+|#x[0-9a-fA-F]+|[A-Za-z]+);")


class Mode(StrEnum):
    """The forms."""

    NORM = "norm"
    TOK = "tok"
    CROHME = "crohme"


def normalize(source: str, mode: Mode | str = Mode.NORM) -> str:
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
    mode = Mode(mode)
    if mode is Mode.CROHME:
        # Some of CROHME's labels were escaped twice.
        source = _ENTITY.sub(lambda match: html.unescape(match.group()), source)
        return " ".join(handwritten(parse(source, lenient=True)))
    formula = parse(source)
    result = " ".join(norm(formula) if mode is Mode.NORM else tok(formula))
    if formula.depth > _SAFE_DEPTH:
        parse(result)
    return result


def normalize_or_none(source: str, mode: Mode | str = Mode.NORM) -> str | None:
    """As `normalize`, with None for a formula that cannot be read or that is empty."""
    try:
        return normalize(source, mode) or None
    except LatexError:
        return None
