r"""Properties of commands: which of them draw, their arguments, and TeX's style in arguments.

TeX's styles are 0 display, 1 text, 2 script and 3 scriptscript.
"""

from __future__ import annotations

from im2tex.render.layout.layout import STYLES
from im2tex.render.markup import allowlist
from im2tex.render.markup.allowlist import command_names

ACCENTS = allowlist.MATH_ACCENTS | allowlist.WIDE_ACCENTS
FRAMES = command_names("boxed fbox framebox")
RADICALS = command_names("sqrt sqrtsign root")
NAMES = allowlist.FUNCTIONS | {"\\imreference"}
"""Commands that are drawn letter by letter: names of functions, and the ?? of a reference."""

PAIRED = {"\\binom": "()", "\\dbinom": "()", "\\tbinom": "()", "\\choose": "()"}
PAIRED |= {"\\brace": "{}", "\\brack": "[]"}
"""Commands that draw brackets around their arguments."""

FENCED = {
    "pmatrix": ("(", ")"),
    "bmatrix": ("[", "]"),
    "Bmatrix": ("\\{", "\\}"),
    "vmatrix": ("|", "|"),
    "Vmatrix": ("\\|", "\\|"),
    "cases": ("\\{", "\\}"),
}
"""Environments that draw brackets around their cells."""

DRAWING = (
    ACCENTS
    | FRAMES
    | RADICALS
    | PAIRED.keys()
    | command_names("frac dfrac tfrac cfrac overline underline rule")
    | command_names("xleftarrow xrightarrow mod pmod pod")
)
"""Commands with arguments that draw ink of their own."""

INVISIBLE = (
    allowlist.SPACES
    | command_names("limits nolimits displaylimits joinrel")
    | {"\\" + c for c in " ,;:!>/-\\"}
)
TEXT = allowlist.TEXT_FONTS | allowlist.TEXT_BOXES | command_names("rlap llap raisebox")
TEXT_ACCENTS = allowlist.TEXT_ACCENTS | {"\\" + c for c in "'`^\"~=."}
ONE_ARGUMENT = command_names("Bbb bold frak mod pmod pod")
"""Commands with an argument that `allowlist` does not list."""

STARRED = command_names("operatorname hspace vspace")
CONTENT_BRACKETS = command_names("sqrt xleftarrow xrightarrow")
PLAIN_ARRAYS = {
    "\\immatrix": "\\begin{matrix}",
    "\\impmatrix": "\\begin{pmatrix}",
    "\\imcases": "\\begin{cases}",
    "\\substack": "\\begin{subarray}",
}
"""Commands that take rows in braces, and the environments that draw the same."""

LINES = command_names("hline cline")
SWITCHES = (
    {f"\\{font}": f"\\math{font}" for font in ("rm", "bf", "it", "sf", "tt", "cal")}
    | {"\\mit": "\\mathnormal", "\\sc": "\\textsc", "\\sl": "\\textsl"}
    | {"\\bfseries": "\\mathbf", "\\itshape": "\\mathit"}
    | {"\\boldmath": "\\boldsymbol", "\\unboldmath": ""}
)
"""The font that a switch selects."""

FONTS = (
    {style: style for style in STYLES if style}
    | dict.fromkeys(["\\bm", "\\pmb"], "\\boldsymbol")
    | {"\\bold": "\\mathbf", "\\Bbb": "\\mathbb", "\\frak": "\\mathfrak", "\\emph": "\\mathit"}
    | {f"\\text{font}": f"\\math{font}" for font in ("rm", "bf", "it", "sf", "tt")}
    | dict.fromkeys(
        command_names("operatorname text mbox hbox textnormal textup textmd"), "\\mathrm"
    )
)
"""The font that a command sets its argument in."""

SIZES = {"\\displaystyle": 0, "\\textstyle": 1, "\\scriptstyle": 2, "\\scriptscriptstyle": 3}
CELLS = dict.fromkeys(["aligned", "alignedat", "gathered", "split"], 0)
CELLS |= dict.fromkeys(["smallmatrix", "subarray"], 2)
"""TeX's style in the cells of environments; it is 1 in others."""

_FRACTION_STYLES = {"\\tfrac": 2, "\\tbinom": 2, "\\dfrac": 1, "\\dbinom": 1, "\\cfrac": 0}


def script_style(style: int) -> int:
    """Returns TeX's style of a script in a formula of a style."""
    return 2 if style < 2 else 3


def fraction_style(style: int) -> int:
    """Returns TeX's style above and below a fraction's bar."""
    return min(style + 1, 3)


def argument_style(command: str, index: int, style: int) -> int:
    """Returns TeX's style in an argument of a command.

    Args:
        command: the command.
        index: of the argument, from 0.
        style: around the command.
    """
    if command in ("\\frac", "\\binom"):
        return fraction_style(style)
    raised = index == 0 and command in ("\\overset", "\\underset", "\\stackrel")
    if raised or command in ("\\xleftarrow", "\\xrightarrow"):
        return script_style(style)
    return _FRACTION_STYLES.get(command, style)
