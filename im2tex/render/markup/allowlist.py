r"""The commands that a formula may use: an allow-list, since markup is untrusted.

All other commands are refused before TeX runs: those that define, assign, read, write, loop or
change how characters are read. The commands here do none of these, so no formula can reach a file
or another formula. The symbols are those of LaTeX, amsmath, amssymb and mathrsfs.
"""

from __future__ import annotations

from pathlib import Path


def command_names(text: str) -> frozenset[str]:
    """Returns the control words of space-separated names."""
    return frozenset("\\" + word for word in text.split())


FUNCTIONS = command_names(
    """
    arccos arcsin arctan arg cos cosh cot coth csc deg det dim exp gcd hom inf injlim ker lg lim
    liminf limsup ln log max min Pr projlim sec sin sinh sup tan tanh varinjlim varliminf varlimsup
    varprojlim bmod mod pmod pod
    """
)
"""Names that are drawn letter by letter."""

SPACES = command_names(
    """
    quad qquad enspace enskip thinspace negthinspace medspace negmedspace thickspace negthickspace
    space mathstrut strut null hfill hfil relax protect nobreak allowbreak nonscript
    smallskip medskip bigskip
    """
)
"""Commands that draw nothing."""

_SYMBOL_NAMES = Path(__file__).with_name("symbols.txt").read_text(encoding="utf-8")
SYMBOLS = FUNCTIONS | SPACES | command_names(_SYMBOL_NAMES)
"""Symbols, names of functions and spaces: no arguments."""

SIZED_DELIMITERS = command_names(
    "left right middle big Big bigg Bigg bigl Bigl biggl Biggl bigr Bigr biggr Biggr bigm Bigm"
    " biggm Biggm"
)
"""Commands that are followed by a delimiter."""

INFIXES = command_names("over atop above choose brace brack overwithdelims atopwithdelims")
"""Commands between numerator and denominator."""

SWITCHES = command_names(
    """
    displaystyle textstyle scriptstyle scriptscriptstyle limits nolimits displaylimits
    rm bf it sf tt sl sc cal mit em boldmath unboldmath bfseries mdseries rmfamily
    sffamily ttfamily itshape slshape scshape upshape normalfont tiny scriptsize footnotesize small
    normalsize large Large LARGE huge Huge abovewithdelims hfill kern mkern hskip mskip mspace raise
    lower noalign vskip
    """
)
"""Commands that change the font, the size or the position of what follows."""

PRIMITIVES = (
    SIZED_DELIMITERS
    | INFIXES
    | SWITCHES
    | command_names("Bbb bold frak of cr hline sp sb vrule vline")
)
"""Commands whose operands TeX reads itself."""

MATH_ACCENTS = command_names(
    """
    acute grave ddot tilde bar breve check hat vec dot mathring widehat widetilde overbrace
    underbrace Acute Grave Ddot Tilde Bar Breve Check Hat Vec Dot
    """
)
WIDE_ACCENTS = command_names(
    "overrightarrow overleftarrow overleftrightarrow underrightarrow underleftarrow"
    " underleftrightarrow dddot ddddot"
)
TEXT_ACCENTS = command_names("u v H t c d b r")
TEXT_FONTS = command_names(
    "text textrm textbf textit textsf texttt textsl textsc textup textnormal textmd"
)
TEXT_BOXES = command_names("mbox hbox fbox makebox framebox emph")

ARGUMENTS: dict[str, int] = {
    **dict.fromkeys(
        MATH_ACCENTS
        | TEXT_ACCENTS
        | command_names(
            """
            mathrm mathbf mathsf mathtt mathit mathnormal mathcal mathbb mathfrak mathscr
            operatorname mathop mathbin mathrel mathord mathopen mathclose mathpunct mathinner
            overline underline hbox mbox fbox makebox rlap llap lefteqn substack hspace vspace
            ensuremath cline immatrix impmatrix imcases xleftarrow xrightarrow hdotsfor sqrtsign
            """
        ),
        1,
    ),
    **dict.fromkeys(
        command_names("frac dfrac tfrac binom dbinom tbinom stackrel rule raisebox buildrel"), 2
    ),
    "\\multicolumn": 3,
    "\\genfrac": 6,
}
"""Commands whose arguments are typeset once, and the number of arguments."""

REPEATING: dict[str, int] = {
    **dict.fromkeys(
        TEXT_FONTS
        | WIDE_ACCENTS
        | command_names("phantom hphantom vphantom smash boldsymbol bm pmb sqrt boxed emph tag"),
        1,
    ),
    **dict.fromkeys(command_names("overset underset cfrac root xleftarrow xrightarrow"), 2),
    "\\sideset": 3,
    "\\mathchoice": 4,
}
"""Commands that typeset their arguments several times: nested, the work grows exponentially."""

BRACKETED = command_names(
    "sqrt raisebox makebox rule xleftarrow xrightarrow cfrac smash framebox hline"
) | {"\\\\"}
"""Commands that may take an argument in square brackets."""

CONTROL_SYMBOLS = frozenset("\\" + c for c in " ,;:!>/-|{}#$%&_'`^\"~=.*\\")
"""Control symbols: spaces, escaped characters, text accents, the line end."""

TEXTUAL = TEXT_FONTS | TEXT_BOXES | {"\\tag"}
"""Commands whose argument is text."""

COUNTED = command_names("multicolumn hdotsfor cline")
"""Commands whose first argument is a number of columns."""

BRACKETS = frozenset("()[]|") | command_names(
    """
    { } | langle rangle lbrace rbrace lbrack rbrack lceil rceil lfloor rfloor lgroup rgroup
    lmoustache rmoustache vert Vert lvert rvert lVert rVert ulcorner urcorner llcorner lrcorner
    """
)
DELIMITERS = (
    BRACKETS
    | frozenset("/.<>")
    | command_names(
        """
        arrowvert Arrowvert bracevert backslash uparrow Uparrow downarrow Downarrow updownarrow
        Updownarrow lt gt
        """
    )
)
"""Delimiters that `\\genfrac` accepts."""

COLUMNED = frozenset(["array", "subarray", "tabular"])
"""Environments that begin with a column specification."""

POSITIONED = COLUMNED | {"aligned", "alignedat", "gathered", "split"}
"""Environments that may begin with their vertical position, in brackets."""

ENVIRONMENTS = (
    POSITIONED | {"cases"} | {f"{kind}matrix" for kind in ("", "p", "b", "B", "v", "V", "small")}
)

_DISPLAYS = {
    **dict.fromkeys(["align", "flalign"], "aligned"),
    **dict.fromkeys(["alignat", "xalignat", "xxalignat"], "alignedat"),
    **dict.fromkeys(["gather", "multline"], "gathered"),
    "eqnarray": "array",
}
DISPLAYS = _DISPLAYS | {f"{name}*": inner for name, inner in _DISPLAYS.items()}
"""Environments of displays with several lines, and their counterparts inside a formula."""

RENAMED = {"\\matrix": "\\immatrix", "\\pmatrix": "\\impmatrix", "\\cases": "\\imcases"}
"""Plain TeX's arrays, whose names amsmath redefines."""

CHARACTERS = {"\\lt": "<", "\\gt": ">"}
"""MathJax's names of characters."""

DROPPED = {"\\label": 1, "\\nonumber": 0, "\\notag": 0}
"""Commands that draw nothing, and the number of arguments that are dropped with them."""

REFERENCES = frozenset(["\\ref", "\\eqref", "\\pageref", "\\cite"])
"""Commands that draw question marks instead of a number."""

LENGTHS: dict[str, int] = {"\\hspace": 1, "\\vspace": 1, "\\raisebox": 1, "\\rule": 2}
"""Commands with lengths as arguments, which normalised markup spells letter by letter."""

BARE_LENGTHS = command_names("kern mkern hskip mskip mspace vskip raise lower above")
"""Commands that are followed by a length without braces."""

WORDS = (
    SYMBOLS | PRIMITIVES | ARGUMENTS.keys() | REPEATING.keys() | CONTROL_SYMBOLS | {"\\framebox"}
)
"""All control sequences that a formula may use."""
