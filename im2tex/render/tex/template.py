r"""The LaTeX format of formulas: the page of Deng et al. 2017, one formula per page.

Each formula is a display on the paper's page (12 pt `article`), as wide as its line: TeX squeezes a
wider formula as it does there. Only the display's box is shipped out, its left edge at the page's
origin, so that the position of a formula among the pixels does not depend on its width. The number
of a page is that of its formula.

The paper states that amsmath was loaded, but the authors' images show that it was not: delimiters
of `\left` and `\big`, sums and braces have LaTeX's own sizes, of 10 pt instead of 12 pt, and
`\cases` has text in its second column. So LaTeX's own commands stay here, and amsmath, amssymb and
mathrsfs add others. One difference remains: text in scripts (`\textrm`, `\textbf`) has the script's
size, as with amsmath. By `benchmarks/render_calibration.py`, 99 of 100 images have the size of the
authors' within two pixels. Their grey levels differ: the authors rasterised PDF with ImageMagick,
which places glyphs at fractions of a pixel, dvipng at whole pixels.

`\imformula` is `\outer`: a formula that swallows the markup behind it (a missing argument) meets
the next formula as an error of its own. By then all primitives that could reach a file have lost
their names.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

PREAMBLE = Path(__file__).with_name("preamble.tex").read_text(encoding="utf-8")
"""Source of the format, which is made once per engine."""

VERSION = "article 12pt, amsmath amssymb mathrsfs, " + sha256(PREAMBLE.encode()).hexdigest()[:8]
"""The template in a renderer's signature; changes with the source."""


def document(formulas: dict[int, str]) -> str:
    """Returns the source of a batch.

    Args:
        formulas: sanitised markup by page number.
    """
    lines = [f"\\imformula{{{number}}}{{{markup}}}" for number, markup in formulas.items()]
    return "\n".join([*lines, "\\imfinish", ""])
