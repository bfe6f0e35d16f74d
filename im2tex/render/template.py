r"""The TeX that formulas are set in: the paper's page, and a frame that keeps them apart.

Each formula is a display on the paper's page (12 pt `article`, amsmath), as wide as its line: a
formula that is wider is squeezed as TeX squeezes it there. The display's box alone is shipped out,
its left edge at the page's origin, so that a formula's place among pixels does not depend on its
width. A page's number is the formula's.

`\imformula` is `\outer`: a formula that swallows what follows it (a missing argument) meets the
next one as an error of its own. Everything that could reach a file has lost its name by then.
"""

from __future__ import annotations

from hashlib import sha256

PREAMBLE = r"""
\documentclass[12pt]{article}
\usepackage{amsmath}
% amssymb draws these anew; here they stay as in the paper's pages, which load amsmath alone. A
% command that is robust has a second name with a space behind it.
\def\imcopy#1#2{\expandafter\let\csname #1\expandafter\endcsname\csname #2\endcsname
  \expandafter\let\csname #1 \expandafter\endcsname\csname #2 \endcsname}
\imcopy{imhbar}{hbar}\imcopy{imangle}{angle}\imcopy{imharpoons}{rightleftharpoons}
\usepackage{amssymb,mathrsfs}
\let\bm\boldsymbol
\imcopy{hbar}{imhbar}\imcopy{angle}{imangle}\imcopy{rightleftharpoons}{imharpoons}
\newcommand\immatrix[1]{\begin{matrix}#1\end{matrix}}
\newcommand\impmatrix[1]{\begin{pmatrix}#1\end{pmatrix}}
\newcommand\imcases[1]{\begin{cases}#1\end{cases}}
\newcommand\imreference{\mbox{\normalfont\bfseries ??}}
\let\split\aligned \let\endsplit\endaligned
% The companion fonts that LaTeX takes these from are bitmaps, made on demand: not here.
\DeclareTextSymbolDefault{\textbullet}{OMS}
\DeclareTextCommandDefault{\textdegree}{\ensuremath{{}^\circ}}
\DeclareTextAccentDefault{\textcircled}{OMS}
\DeclareTextCommandDefault{\textcopyright}{\textcircled{\scriptsize c}}
\nofiles
\begin{document}
% Every alphabet once, in both weights: TeX numbers them as they come, for all formulas to come.
\def\imalphabets{$\mathrm{A}\mathbf{A}\mathsf{A}\mathtt{A}\mathit{A}\mathnormal{A}\mathcal{A}%
  \mathbb{A}\mathfrak{A}\mathscr{A}\square$}
\setbox0\hbox{\imalphabets\boldmath\imalphabets
  \textbullet\textdegree\textasciitilde\textbackslash\textbraceleft
  \textsf{\textbullet\textdegree}\texttt{\textbullet\textdegree}\textsl{\textbullet}%
  \textit{\textbullet\textdegree}\textbf{\textbullet\textdegree}\textsc{a\textbullet}\copyright
  \pounds\textit{\pounds}\tiny\imalphabets\Huge\imalphabets}
\makeatletter
\expandafter\let\expandafter\imship\csname tex_shipout:D\endcsname
\ifx\imship\relax \let\imship\shipout \fi
\let\imend\@@end
% Behind the display come a penalty, glue, and what \vspace leaves there.
\def\imstrip{\unskip\unpenalty\unskip\unskip\unpenalty\unskip\unskip\unpenalty\unskip\unskip
  \unpenalty\unskip\unskip\unpenalty\unskip\unskip\unpenalty\unskip\unskip\unpenalty}
\outer\def\imformula#1#2{\global\count0=#1\relax
  \begingroup
  \setbox0\vbox{\noindent$$#2$$}%
  \setbox2\vbox{\unvbox0 \imstrip\global\setbox1\lastbox}%
  \imship\box1
  \endgroup}
\outer\def\imfinish{\imend}
\hfuzz\maxdimen \vfuzz\maxdimen \hbadness10000 \vbadness10000 \errorcontextlines=-1
\showboxdepth-1 \showboxbreadth-1 \parindent0pt \parskip0pt
% No name is left for what reads, opens or runs; \write stays, for LaTeX's own warnings.
\def\imforget#1{\global\expandafter\let\csname #1\endcsname\imundefined}
\def\imforgetall#1,{\ifx\relax#1\else\imforget{#1}\imforget{tex_#1:D}\expandafter\imforgetall\fi}
\imforgetall input,@@input,include,openin,openout,read,readline,special,scantokens,%
pdffiledump,filedump,pdffilesize,filesize,pdfmdfivesum,mdfivesum,pdffilemoddate,filemoddate,%
pdfximage,pdfobj,pdfliteral,\relax,
\makeatother
\dump
"""
"""Source of the format, which LaTeX is loaded with once."""

VERSION = "article 12pt, amsmath amssymb mathrsfs, " + sha256(PREAMBLE.encode()).hexdigest()[:8]
"""Names the template in a renderer's signature; changes with it."""


def document(formulas: dict[int, str]) -> str:
    """A file to set with the format.

    Args:
        formulas: checked markup by page number.
    """
    lines = [f"\\imformula{{{number}}}{{{markup}}}" for number, markup in formulas.items()]
    return "\n".join([*lines, "\\imfinish", ""])
