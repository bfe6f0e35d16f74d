r"""Formulas come out of documents as TeX would set them, and nothing else does."""

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from im2tex.latex.document.comments import strip_comments
from im2tex.latex.document.extraction import WITHOUT_PARTNER, extract_formulas


def formulas(document: str, **options) -> list[str]:
    return [latex for _, latex in extract_formulas(strip_comments(document), **options).formulas]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (r"\begin{equation}a=b\end{equation}", [("d", "a=b")]),
        (r"\begin{equation*} a \end{equation*}", [("d", "a")]),
        (r"$$a$$", [("d", "a")]),
        (r"\[a\]", [("d", "a")]),
        (r"\(a\)", [("i", "a")]),
        (r"$a$", [("i", "a")]),
        ("$a$$b$", [("i", "a"), ("i", "b")]),
        ("$a\n +b$", [("i", "a +b")]),
        # What is escaped begins and ends nothing.
        (r"\$5 and $a\$b$", [("i", r"a\$b")]),
        (r"a\\[2pt] b \\(c\\)", []),
        # Math inside the text of a formula is a part of it.
        (r"$x \text{ if $y>0$}$", [("i", r"x \text{ if $y>0$}")]),
        (r"\[x \mbox{ for \(y\)}\]", [("d", r"x \mbox{ for \(y\)}")]),
        (r"$$x \hbox{$y$}$$", [("d", r"x \hbox{$y$}")]),
        # Environments inside stay whole.
        (
            r"\begin{equation}\begin{split}a&=b\\c&=d\end{split}\end{equation}",
            [("d", r"\begin{split}a&=b\\c&=d\end{split}")],
        ),
        # Only what lies in the document counts.
        (r"$a$\begin{document}$b$\end{document}$c$", [("i", "b")]),
    ],
)
def test_extract_formulas_patterns_of_the_paper(document, expected):
    assert extract_formulas(strip_comments(document)).formulas == expected


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("$a % b$ c\n+d$", ["a +d"]),
        ("$a%\n   b$", ["ab"]),
        ("$\\alpha%\nb$", [r"\alpha b"]),
        ("% $a$\n$b$", ["b"]),
        (r"100\% sure: $a$ and $5\%$", ["a", r"5\%"]),
        ("\\\\% $a$\n$b$", ["b"]),
        ("$a\n% a comment is no blank line\n+b$", ["a +b"]),
        (r"\verb|$a$| $b$ \verb*+%+ $c$", ["b", "c"]),
        ("\\begin{verbatim}\n$a$ % {\n\\end{verbatim}$b$", ["b"]),
        ("\\begin{lstlisting}[x]\n$a$\\end{lstlisting}$b$", ["b"]),
        (r"\lstinline{$}, \lstinline!$! and $b$", ["b"]),
        ("\\begin{comment}$a$\\end{comment}$b$", ["b"]),
        (r"\iffalse $a$ \ifx $b$ \fi $c$ \else $d$ \fi $e$", ["d", "e"]),
        (r"\url{http://a.b/%7Ec} $a$", ["a"]),
    ],
)
def test_strip_comments_removes_comments_and_verbatim_text(document, expected):
    assert formulas(document) == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        (r"a\label{eq:a_1}=b", "a=b"),
        (r"a\nonumber=b\notag", "a=b"),
        (r"a\tag{1}", "a"),
        (r"a\tag*{$\ast$}", "a"),
        (r"a=b\eqno(1.2)", "a=b"),
        (r"a=b\leqno\hbox{(1)}", "a=b"),
        (r"\ensuremath{a}\xspace", "{a}"),
        (r"\ifmmode a\else $a$\fi", "a"),
        (r"{\color{red}a}+\textcolor[rgb]{1,0,0}{b}", "{a}+{b}"),
    ],
)
def test_extract_formulas_removes_numbers_labels_and_colours(markup, expected):
    assert formulas(f"\\[{markup}\\]") == [expected]


def test_extract_formulas_with_rows_splits_aligned_displays():
    document = (
        r"\begin{align}a&=b\label{x}\\[2pt] c&=\begin{matrix}1&2\\3&4\end{matrix}\nonumber\\"
        r"\intertext{and $n$} d&=e\end{align}"
        r"\begin{eqnarray*}f&=&g\end{eqnarray*}\begin{alignat*}{2}h&=i\end{alignat*}"
        r"\begin{displaymath}j\end{displaymath}"
    )
    rows = ["a =b", r"c =\begin{matrix}1&2\\3&4\end{matrix}", "d =e", "f = g", "h =i", "j"]
    assert formulas(document, rows=True) == rows
    assert formulas(document) == ["n"]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("$a and \n\n then $b$", ["b"]),
        ("{$a} and $b$", ["b"]),
        ("\\[a\n\n $b$", ["b"]),
        (r"\begin{equation}a \begin{equation}b\end{equation}", ["b"]),
    ],
)
def test_extract_formulas_counts_signs_without_partner(document, expected):
    found = extract_formulas(document)
    assert [latex for _, latex in found.formulas] == expected
    assert found.skipped == {WITHOUT_PARTNER: 1}


def test_extract_formulas_continues_behind_a_skipped_formula():
    found = extract_formulas(r"\def\a{\a}$\a$ $ $ $b$")
    assert [latex for _, latex in found.formulas] == ["b"]
    assert found.skipped == {"macros that never end": 1, "empty": 1}


_WORDS = r"""
$ $$ \[ \] \( \) \\ \% % { } [ ] \$ & # ~ ^ _ a b 1 \alpha \text{ \mbox{ \par \label{ \tag \eqno
\begin{equation} \end{equation} \begin{align} \end{align} \begin{split} \begin{x} \end{x} \verb|x|
\begin{verbatim} \end{verbatim} \begin{document} \end{document} \iffalse \fi \else \ifmmode \color
\def \a \b \a* #1 \newcommand \newcommand{\a}[1][x] \def\a#1.{ \let\a=\b \edef\b{ \lstinline \url{
\newenvironment{x} \DeclarePairedDelimiter\a{ \input \ifthenelse{ \equal{ \isempty
"""
_BITS = st.sampled_from([*_WORDS.split(), "\n", "\n\n", " ", "\x00", "é", "\ud800"])


@given(st.lists(_BITS, max_size=60).map("".join) | st.text(max_size=60), st.booleans())
@settings(max_examples=150, deadline=None)
def test_extract_formulas_any_text(document, rows):
    for kind, latex in extract_formulas(strip_comments(document), rows=rows).formulas:
        assert kind in ("d", "i")
        assert latex == " ".join(latex.split()) != ""


_MARKUP = st.text("ab{}$\\\n ^&", max_size=12)


@given(st.lists(_MARKUP | st.sampled_from(["\\[", "\\]", "\\(", "\\)"]), max_size=12))
@settings(max_examples=100, deadline=None)
def test_extract_formulas_are_parts_of_the_document(pieces):
    document = "".join(pieces)
    whole = " ".join(document.split())
    assert all(latex in whole for _, latex in extract_formulas(document).formulas)


@given(st.lists(st.sampled_from(["$a$", "$b\n+c$", r"\[x\]", "text", r"\%", "\n"]), max_size=12))
def test_strip_comments_keeps_everything_else(pieces):
    # A word behind each piece, so that no comment joins two of them or makes a blank line.
    plain = "".join(f"{piece} ,\n" for piece in pieces)
    spoilt = "".join(f"{piece} ,% hidden $ \\[ {{ \\def\\a\n" for piece in pieces)
    assert formulas(spoilt) == formulas(plain)


_HOSTILE = {
    "macros": r"\def\a{xxxxxxxx}"
    + "".join(rf"\def\{b}{{\{a}\{a}\{a}}}" for a, b in pairwise("abcdefghijk"))
    + r"$\k$" * 500,
    "arguments": r"\def\a#1{#1#1}$" + r"\a{" * 500 + "x" + "}" * 500 + "$",
    "a macro of itself": r"\def\a{$\a}" + r"\a" * 5_000,
    "an environment of itself": r"\newenvironment{a}{\begin{equation}\begin{a}}{}\begin{a}",
    "definitions that grow": r"\def\a{xx}" + r"\edef\a{\a\a}" * 100 + r"$\a$",
    "calls without an end": r"\def\a#1.{$#1$}" + r"\a x" * 3_000,
    "groups without an end": r"\def\a#1{$#1$}" + r"\a{" * 3_000,
    "signs": "$" * 30_000 + r"\[{" * 3_000 + r"\[" * 3_000 + r"\begin{equation}" * 5_000,
    "percent signs": r"\%" * 50_000,
    "blocks without an end": r"\iffalse" * 3_000 + r"\begin{verbatim}" * 3_000,
}


@pytest.mark.parametrize("document", _HOSTILE.values(), ids=_HOSTILE)
def test_extract_formulas_hostile_document_takes_bounded_time(document):
    start = time.process_time()
    extract_formulas(strip_comments(document))
    # A tenth of a second or two in fact; what is not bounded takes minutes.
    assert time.process_time() - start < 10
