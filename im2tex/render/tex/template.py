r"""The LaTeX format of formulas: the page of Deng et al. 2017, one formula per page.

Each formula is a display on the paper's page (12 pt `article`), as wide as its line: TeX squeezes a
wider formula as it does there. Only the display's box is shipped out, its left edge at the page's
origin, so that the position of a formula among the pixels does not depend on its width. The number
of a page is that of its formula.

The paper says that amsmath was loaded, but the authors' images show that it was not: delimiters of
`\left` and `\big`, sums and braces have LaTeX's own sizes, those of 10 pt instead of 12 pt, and
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

PREAMBLE = r"""
\documentclass[12pt]{article}
% What LaTeX itself draws stays as it draws it: amsmath and amssymb add what it lacks. A command
% that is robust has a second name with a space behind it.
\def\imcopy#1#2{\expandafter\let\csname #1\expandafter\endcsname\csname #2\endcsname
  \expandafter\let\csname #1 \expandafter\endcsname\csname #2 \endcsname}
\def\imkeep#1,{\ifx\relax#1\else\imcopy{im:#1}{#1}\expandafter\imkeep\fi}
\def\imrestore#1,{\ifx\relax#1\else\imcopy{#1}{im:#1}\expandafter\imrestore\fi}
\def\imkernel{over,atop,above,overwithdelims,atopwithdelims,abovewithdelims,%
  big,Big,bigg,Bigg,dots,ldots,cdots,colon,bmod,pmod,root,doteq,%
  acute,grave,ddot,tilde,bar,breve,check,hat,vec,dot,widehat,widetilde,%
  hbar,angle,rightleftharpoons,\relax,}
\expandafter\imkeep\imkernel
\imcopy{immatrix}{matrix}\imcopy{imcases}{cases}
\usepackage{amsmath,amssymb,mathrsfs}
\expandafter\imrestore\imkernel
\def\impmatrix#1{\left(\immatrix{#1}\right)}
\let\bm\boldsymbol
% Large symbols and delimiters in one size, as LaTeX has them.
\DeclareFontShape{OMX}{cmex}{m}{n}{<->sfixed*cmex10}{}
\expandafter\let\csname OMX/cmex/m/n/10\endcsname\relax
\newcommand\imreference{\mbox{\normalfont\bfseries ??}}
% Accents of text stand in math where normalised markup has text there.
\def\imaccent#1#2{\imcopy{im:#1}{#1}\expandafter\protected\expandafter\def\csname #1\endcsname{%
  \ifmmode\expandafter#2\else\csname im:#1\expandafter\endcsname\fi}}
\imaccent{'}\acute \imaccent{`}\grave \imaccent{^}\hat \imaccent{"}\ddot
% The number of a line stands behind it: the paper's margin is no part of a formula.
\def\imtag#1{\imtags{(#1)}}
\def\imtags#1{\qquad\text{#1}}
% As many columns as `markup.columns` says: amsmath's ten are too few for papers.
\setcounter{MaxMatrixCols}{30}
\let\split\aligned \let\endsplit\endaligned
% The companion fonts that LaTeX takes these from are bitmaps, made on demand: not here.
\DeclareTextSymbolDefault{\textbullet}{OMS}
\DeclareTextSymbolDefault{\textsection}{OMS}
\DeclareTextSymbolDefault{\textparagraph}{OMS}
\DeclareTextSymbolDefault{\textdagger}{OMS}
\DeclareTextSymbolDefault{\textdaggerdbl}{OMS}
\DeclareTextSymbolDefault{\textasteriskcentered}{OMS}
\DeclareTextSymbolDefault{\textperiodcentered}{OMS}
\DeclareTextSymbolDefault{\textbardbl}{OMS}
\DeclareTextCommandDefault{\textdegree}{\ensuremath{{}^\circ}}
\DeclareTextAccentDefault{\textcircled}{OMS}
\DeclareTextCommandDefault{\textquotesingle}{\ensuremath{{}^\prime}}
\DeclareTextCommandDefault{\textcopyright}{\textcircled{\scriptsize c}}
\DeclareTextCommand{\textdollar}{OT1}{{\ifdim\fontdimen1\font>0pt\slshape\else\upshape\fi
  \char`\$}}
\DeclareTextCommand{\textsterling}{OT1}{{\itshape\char`\$}}
% Letters and signs of text stand in math, too.
\def\imletter#1,{\ifx\relax#1\else\imcopy{im:#1}{#1}\expandafter\protected
  \expandafter\def\csname #1\endcsname{\ifmmode\text{\csname im:#1\endcsname}\else
  \csname im:#1\endcsname\fi}\expandafter\imletter\fi}
\imletter aa,AA,ae,AE,oe,OE,o,O,l,L,i,j,ss,%
  textbackslash,textbullet,textdegree,textquotesingle,\relax,
\nofiles
% Characters that a font lacks are said where the page is, on the terminal.
\tracinglostchars2
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
\def\imstrip{\let\imnext\imstrip
  \ifcase\numexpr\lastnodetype-11\relax\unskip\or\unkern\or\unpenalty\else\let\imnext\relax\fi
  \imnext}
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
