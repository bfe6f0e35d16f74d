r"""The treatment of each command in CROHME's canonical form.

A command is dropped with its arguments (spacing, invisible contents, colours), dropped around its
contents (fonts, sizes, boxes), kept with its arguments in braces (accents, arrows, visible fonts),
or a symbol. A formula with any other command in front of braces is refused, since the braces may
be its argument.
"""

from __future__ import annotations

from im2tex.latex.label_graph.names import NEGATABLE, OTHERS, SPACES

FUNCTIONS = ("\\sin", "\\cos", "\\tan", "\\log", "\\lim")
"""Function names that CROHME writes as one symbol; others (`max`) are letters."""

SYNONYMS = {
    "\\lt": "<",
    "\\gt": ">",
    "\\to": "\\rightarrow",
    "\\longrightarrow": "\\rightarrow",
    "\\le": "\\leq",
    "\\leqslant": "\\leq",
    "\\ge": "\\geq",
    "\\geqslant": "\\geq",
    "\\ne": "\\neq",
    "\\dots": "\\ldots",
    "\\dotsc": "\\ldots",
    "\\dotsb": "\\cdots",
    "\\lbrack": "[",
    "\\rbrack": "]",
    "\\lbrace": "\\{",
    "\\rbrace": "\\}",
    "\\vert": "|",
    "\\lvert": "|",
    "\\rvert": "|",
    "\\mid": "|",
    "\\dfrac": "\\frac",
    "\\tfrac": "\\frac",
    "\\cfrac": "\\frac",
    "'": "\\prime",
}
"""One spelling for each symbol."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SPACING = _names(
    r"\, \; \: \! \> \/ \quad \qquad \thinspace \medspace \thickspace \negthinspace \negmedspace"
    r" \negthickspace \enspace \enskip \space \strut \mathstrut \null \hfill \hfil \nobreak"
    r" \allowbreak \relax \protect \noindent \smallskip \medskip \bigskip \nonscript"
)
_STYLES = _names(
    r"\limits \nolimits \displaylimits \displaystyle \textstyle \scriptstyle \scriptscriptstyle"
    r" \tiny \scriptsize \footnotesize \small \normalsize \large \Large \LARGE \huge \Huge"
)
_SIZES = _names(
    r"\big \Big \bigg \Bigg \bigl \Bigl \biggl \Biggl \bigr \Bigr \biggr \Biggr"
    r" \bigm \Bigm \biggm \Biggm \left \right \middle"
)
_SWITCHES = _names(
    r"\rm \it \bf \sf \tt \sl \sc \mit \em \bfseries \itshape \boldmath \unboldmath \normalfont"
)
CONTENTS = _names(
    r"\mbox \hbox \text \textrm \textit \textbf \textsf \texttt \textsl \textsc \textup"
    r" \textnormal \textmd \emph \mathrm \mathit \mathbf \mathsf \mathtt \mathnormal \boldsymbol"
    r" \bm \bold \pmb \operatorname \mathop \mathrel \mathbin \mathord \mathopen \mathclose"
    r" \mathpunct \mathinner \makebox \raisebox \smash \rlap \llap \clap \mathrlap \mathllap"
    r" \mathclap \ensuremath \lefteqn \textcolor \colorbox \fcolorbox"
)
"""Commands that are replaced by their last argument, without braces."""

DROPPED = _SPACING | _STYLES | _SIZES | _SWITCHES | CONTENTS | {"\\ "}
"""Commands without effect on the symbols: spacing, style, size, font; contents stay."""

VANISHING = _names(
    r"\hspace \vspace \mspace \phantom \hphantom \vphantom \color \kern \mkern \hskip \mskip"
    r" \vskip \raise \lower \moveleft \moveright"
)
"""Commands that are dropped with their arguments or lengths."""

RENAMED = {
    "\\framebox": "\\boxed",
    "\\fbox": "\\boxed",
    "\\underbar": "\\underline",
    "\\frak": "\\mathfrak",
    "\\Bbb": "\\mathbb",
    "\\'": "\\acute",
    "\\`": "\\grave",
    "\\^": "\\hat",
    '\\"': "\\ddot",
    "\\=": "\\bar",
    "\\.": "\\dot",
    "\\u": "\\breve",
    "\\v": "\\check",
    "\\r": "\\mathring",
}
"""Other names of commands with the same number of arguments."""

POINTERS = _names(r"\ref \eqref \pageref \cite")
"""Commands that refer to something outside the formula."""

NOT_IN_LABELS = _names(r"\[ \] \( \) \vrule \hrule \noalign \char \c \d \b \t \H \k")
"""Commands that a label cannot contain."""

TEXT_ACCENTS = _names(r"\' \` \^ \= \. \u \v \r " + '\\"')
"""Accents of text, whose argument is the next node."""

PLAIN_SYMBOLS = frozenset([*NEGATABLE, *OTHERS, *SPACES, *FUNCTIONS]) | _names(
    r"\not \i \j \bmod \mod \hline \vline \S \P \copyright \ss \ae \oe \aa \o \l \L \O \AA \AE \OE"
    r" \lq \rq \smallint \intop \ointop \And \idotsint \varlimsup \varliminf \varinjlim"
    r" \varprojlim \injlim \projlim \iff \gvertneqq \lvertneqq \textbullet \textdegree \dotso"
    r" \dotsm \dotsi \Arrowvert \Relbar \arrowvert \bracevert \circledS \dasharrow"
    r" \diagdown \diagup \doublecap \doublecup \gggtr \joinrel \ldotp \leftarrowfill \lhook"
    r" \llless \mathellipsis \mathparagraph \mathsection \mathunderscore \ngeqq \nleqq \nshortmid"
    r" \nshortparallel \nsubseteqq \nsupseteqq \relbar \rhook \rightarrowfill \shortmid"
    r" \shortparallel \surd \textasciitilde \textbackslash \textquotesingle \thickapprox"
    r" \thicksim \varDelta \varGamma \varLambda \varOmega \varPhi \varPi \varPsi \varSigma"
    r" \varTheta \varUpsilon \varXi \varbigtriangledown \varbigtriangleup \varsubsetneqq"
    r" \varsupsetneq \varsupsetneqq"
)
"""Commands that take no argument, so that braces behind them are a group of their own."""
