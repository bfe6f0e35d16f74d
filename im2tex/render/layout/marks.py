r"""Checked markup with marks in it that say, in the DVI file, whose ink comes next.

DVI tells where glyphs are, not what they mean: `\neq` is a slash and an equals sign, `\sin` three
letters, a tall bracket a stack of pieces. So a formula is set twice: as it is, for the places, and
with a `\special` in front of everything that draws, for the tokens (`trace` joins the two).
The marks may therefore cost a kern or a ligature; only the order of the glyphs must stay. It does,
as marks keep three rules: scripts stay attached to what carries them, what an argument holds is
enclosed in a pair of marks of its own (so that a bar or a bracket drawn behind it still belongs to
the command), and no mark stands where TeX looks for something else (a length, a delimiter,
`\hline`).

The marks' macros are no commands of formulas, so no formula can forge one. `marking` puts
them where they belong.
"""

from __future__ import annotations

from dataclasses import dataclass

from im2tex.render.markup.sanitizer import MarkupPiece

DEFINITIONS = r"""
\let\imspecial\special
\def\immark#1{\imspecial{#1}}
\def\imin{\imspecial{+}}
\def\imout{\imspecial{-}}
"""
"""For the head of the format: the marks, before \\special loses its name."""

IN, OUT = "\\imin ", "\\imout "


@dataclass(frozen=True, slots=True)
class Mark:
    r"""What one mark says of the ink behind it.

    Attributes:
        token: the command or character that draws it.
        start: where that begins in the source, in characters.
        style: the font that is asked for.
        delimiter: whether it is one by its place, behind `\\left` or `\\big`.
        end: for an environment, where its end begins in the source.
        size: TeX's style: 0 display, 1 text, 2 script, 3 scriptscript.
        carried: the letter that an accent of text stands on.
    """

    token: str
    start: int
    style: str
    delimiter: bool = False
    end: int | None = None
    size: int = 0
    carried: MarkupPiece | None = None
