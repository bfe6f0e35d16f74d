r"""What marks have to know of commands: which draw, what they take, in which size and font."""

from __future__ import annotations

from im2tex.render.layout.layout import STYLES
from im2tex.render.markup import allowlist
from im2tex.render.markup.allowlist import words

ACCENTS = words(
    """
    acute grave ddot tilde bar breve check hat vec dot mathring widehat widetilde dddot ddddot
    Acute Grave Ddot Tilde Bar Breve Check Hat Vec Dot overbrace underbrace overrightarrow
    overleftarrow overleftrightarrow underrightarrow underleftarrow underleftrightarrow
    """
)
FRAMES = words("boxed fbox framebox")
PAIRED = {"\\binom": "()", "\\dbinom": "()", "\\tbinom": "()", "\\choose": "()"}
PAIRED |= {"\\brace": "{}", "\\brack": "[]"}
"""Commands that draw brackets round what they set."""

FENCED = {
    "pmatrix": ("(", ")"),
    "bmatrix": ("[", "]"),
    "Bmatrix": ("\\{", "\\}"),
    "vmatrix": ("|", "|"),
    "Vmatrix": ("\\|", "\\|"),
    "cases": ("\\{", "\\}"),
}
"""Environments that do."""

DRAWING = (
    ACCENTS
    | FRAMES
    | PAIRED.keys()
    | words("frac dfrac tfrac cfrac sqrt sqrtsign root overline underline rule")
    | words("xleftarrow xrightarrow mod pmod pod")
)
INVISIBLE = words(
    """
    quad qquad enspace enskip thinspace negthinspace medspace negmedspace thickspace
    negthickspace space mathstrut strut null hfill hfil relax protect nobreak allowbreak nonscript
    smallskip medskip bigskip limits nolimits displaylimits joinrel
    """
) | {"\\" + c for c in " ,;:!>/-\\"}
DELIMITING = words(
    "left right middle big Big bigg Bigg bigl Bigl biggl Biggl bigr Bigr biggr Biggr bigm Bigm"
    " biggm Biggm"
)
INFIXES = words("over atop above choose brace brack overwithdelims atopwithdelims")
TEXT = words(
    "text textrm textbf textit textsf texttt textsl textsc textup textnormal textmd hbox mbox fbox"
    " makebox framebox rlap llap emph raisebox"
)
TEXT_ACCENTS = words("u v H t c d b r") | {"\\" + c for c in "'`^\"~=."}
ONE_ARGUMENT = words("Bbb bold frak mod pmod pod")
"""Commands that take one, though `allowlist` need not know it."""

STARRED = words("operatorname hspace vspace")
CONTENT_BRACKETS = words("sqrt xleftarrow xrightarrow")
PLAIN_ARRAYS = {
    "\\immatrix": "\\begin{matrix}",
    "\\impmatrix": "\\begin{pmatrix}",
    "\\imcases": "\\begin{cases}",
    "\\substack": "\\begin{subarray}",
}
"""Commands that take rows in braces, and the environments that draw the same."""
LINES = words("hline cline")
SWITCHES = {
    "\\rm": "\\mathrm",
    "\\bf": "\\mathbf",
    "\\it": "\\mathit",
    "\\sf": "\\mathsf",
    "\\tt": "\\mathtt",
    "\\cal": "\\mathcal",
    "\\mit": "\\mathnormal",
    "\\sc": "\\textsc",
    "\\sl": "\\textsl",
    "\\bfseries": "\\mathbf",
    "\\itshape": "\\mathit",
    "\\boldmath": "\\boldsymbol",
    "\\unboldmath": "",
}
FONTS = (
    {style: style for style in STYLES if style}
    | {
        "\\bm": "\\boldsymbol",
        "\\pmb": "\\boldsymbol",
        "\\bold": "\\mathbf",
        "\\Bbb": "\\mathbb",
        "\\frak": "\\mathfrak",
        "\\emph": "\\mathit",
        "\\operatorname": "\\mathrm",
    }
    | {f"\\text{font}": f"\\math{font}" for font in ("rm", "bf", "it", "sf", "tt")}
    | dict.fromkeys(
        ["\\text", "\\mbox", "\\hbox", "\\textnormal", "\\textup", "\\textmd"], "\\mathrm"
    )
)
SIZES = {"\\displaystyle": 0, "\\textstyle": 1, "\\scriptstyle": 2, "\\scriptscriptstyle": 3}
CELLS = dict.fromkeys(["aligned", "alignedat", "gathered", "split"], 0)
CELLS |= dict.fromkeys(["smallmatrix", "subarray"], 2)
"""TeX's style in the cells of environments; it is 1 in others."""

SWITCHING = frozenset(SWITCHES) | (
    allowlist.STYLES - DELIMITING - INFIXES - words("cr hline of vline vrule sp sb") - ONE_ARGUMENT
)
