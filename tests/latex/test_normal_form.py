"""The paper's normal form: golden pairs worked out from its rules by hand, and their stability."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from im2tex.latex.normal_form.normal_form import normal_form
from im2tex.latex.normal_form.parser import parse_formula
from im2tex.latex.tokens import LatexError


def normal(source):
    return " ".join(normal_form(parse_formula(source)))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        # Scripts: the lower first, each in braces; primes are scripts.
        ("x^2_i", "x _ { i } ^ { 2 }"),
        ("x^{10}", "x ^ { 1 0 }"),
        ("f''", r"f ^ { \prime \prime }"),
        ("f'_1", r"f _ { 1 } ^ { \prime }"),
        ("f'^2", r"f ^ { \prime 2 }"),
        ("{}^*x", "{ } ^ { * } x"),
        ("_1x", "_ 1 x"),
        # Fractions and binomials.
        (r"{a\over b}", r"{ \frac { a } { b } }"),
        (r"\dfrac12", r"\frac 1 2"),
        (r"{n \choose k}", r"{ \binom { n } { k } }"),
        (r"\frac{1}{\rm b}", r"\frac { 1 } { \mathrm { b } }"),
        # Functions, spelled out.
        (r"\sin x", r"\operatorname { s i n } x"),
        (r"\lim_{x\to0}", r"\operatorname* { l i m } _ { x \to 0 }"),
        (r"\max\nolimits_i", r"\operatorname { m a x } _ { i }"),
        (r"\operatorname*{argmin}_x", r"\operatorname * { a r g m i n } _ { x }"),
        (r"\sum\limits_i", r"\sum _ { i }"),
        # Accents, lines, roots.
        (r"\hat x\bar{y}", r"\hat { x } \bar { y }"),
        (r"\widehat x", r"\widehat x"),
        (r"\overline{x}\underline xy", r"\overline { { x } } \underline { x } y"),
        (r"\sqrt[3]x", r"\sqrt [ 3 ] x"),
        # The width of a box is no symbol.
        (r"\hbox to 3cm{x}\hbox spread .5\hsize {y}", r"\mathrm { x } \mathrm { y }"),
        # Fonts and text.
        (r"{\rm div}\,v", r"\mathrm { d i v } \, v"),
        (r"x_{\rm a}", r"x _ { \mathrm { a } }"),
        (r"\mbox{if } x", r"\mathrm { i f ~ } x"),
        (r"\textrm{if } x", r"\textrm { i f } x"),
        # No \mathrm inside text, where TeX refuses it.
        (r"\textbf{\mbox{a b}}", r"\textbf { { a ~ b } }"),
        (r"\textbf{$\mbox{a}$}", r"\textbf { $ \mathrm { a } $ }"),
        (r"\raisebox{1pt}{$x_1$}", r"\raisebox { 1 p t } { $ x _ { 1 } $ }"),
        (r"x^\text a", r"x ^ { \mathrm { a } }"),
        (r"\text{don't, $P_i$}", r"\mathrm { d o n ' t , ~ P _ i ~ }"),
        (r"{\bf x}\mathbf y", r"{ \bf x } \mathbf y"),
        # `{\rm{x}}` is one of two things, by turns.
        (r"{\rm{a}}{\rm{b}}", r"\mathrm { { a } } { \mathrm { b } }"),
        # Delimiters and environments are one token; cells have braces and rows an end.
        (r"\left( x \right)", r"\left( x \right)"),
        (
            r"\begin{array}{c|c}a&\\ \hline b\end{array}",
            r"\begin{array} { c | c } { a } & { } \\ \hline { b } \\ \end{array}",
        ),
        (r"\pmatrix{1\cr 2\cr}", r"\left( \begin{matrix} { 1 } \\ { 2 } \\ \end{matrix} \right)"),
        (
            r"\begin{cases}a\\b\end{cases}",
            r"\left\{ \begin{cases} { a } \\ { b } \\ \end{cases} \right.",
        ),
        (
            r"\begin{aligned}a&=b\end{aligned}",
            r"\begin{aligned} { a } & { { } = b } \\ \end{aligned}",
        ),
        (
            r"\begin{array}{*{9}{c}}a&b\end{array}",
            r"\begin{array} { c c } { a } & { b } \\ \end{array}",
        ),
        # Spaces, lengths, line breaks, labels, comments.
        (r"a\ b~c\;d\>e", r"a \ b ~ c \; d e"),
        (r"\hskip-1.5mm x", r"\hspace { - 1 . 5 m m } x"),
        (r"\hskip 1ex x", r"\hskip 1 e x x"),
        (r"a \\ b", r"a \, b"),
        (r"x \label{eq} $ % rest", "x"),
        (r"5\%", r"5 \%"),
        # Characters beyond ASCII are drawn by commands, never dropped.
        ("xé", r"x \acute { e }"),
        ("x_é", r"x _ { \acute { e } }"),
        ("x²≤β", r"x ^ { 2 } \leq \beta"),
        # A line break inside \substack stays one; \buildrel is no fraction.
        (r"\sum_{\substack{i<j\\k}}x", r"\sum _ { \substack { i < j \\ k } } x"),
        (r"a\buildrel b\over=c", r"a \stackrel { b } = c"),
        (r"\cfrac[l]{a}{b}", r"\frac { a } { b }"),
        (r"\stackrel[a]{b}{c}", r"\stackrel [ a ] { b } { c }"),
        (r"\raisebox{1pt}[2pt][3pt]{a}", r"\raisebox { 1 p t } [ 2 p t ] [ 3 p t ] { a }"),
        (r"a\\[1mm]b", r"a \, [ 1 m m ] b"),
        (r"\root 3\of{x}", r"\sqrt [ 3 ] { x }"),
        (r"\genfrac{}{}{0pt}{}{a}{b}", r"{ a \atop b }"),
        (r"\genfrac(){0pt}{}{a}{b}", r"\binom { a } { b }"),
        (r"\genfrac[]{1pt}1{a}{b}", r"\left[ \frac { a } { b } \right]"),
        (r"{n\atop k}{a\above1pt b}", r"{ n \atop k } { a \above 1 p t b }"),
        (r"\hspace*{1cm}x", r"\hspace * { 1 c m } x"),
        (
            r"\begin{alignedat}{2}a&=b\end{alignedat}",
            r"\begin{alignedat} { 2 } { a } & { { } = b } \\ \end{alignedat}",
        ),
        # An argument that TeX would take, too.
        (r"\phantom\rm x", r"\phantom { } \mathrm { x }"),
        ("a--b", "a -- b"),
        ("a^--b", "a ^ { - } - b"),
    ],
)
def test_normal_form_golden(source, expected):
    assert normal(source) == expected
    assert normal(expected) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x_i^2", "x^{2}_{i}"),
        (r"{\rm d}x", r"\mathrm{d}x"),
        (r"\left (x\right )", r"\left(x\right)"),
        (r"{1\over2}", r"{\frac{1}{2}}"),
        (r"\matrix{a&b\cr}", r"\begin{matrix}a&b\end{matrix}"),
        (r"\sin x", r"\operatorname{sin}x"),
        ("f'", r"f^{\prime}"),
        (r"\tfrac{1}{2}", r"\dfrac{1}{2}"),
    ],
)
def test_normal_form_of_two_spellings_is_one(one, other):
    assert normal(one) == normal(other)


def test_normal_form_keeps_raw_braces():
    """Doubled braces are the printer's only where the source is a token stream."""
    assert normal(r"\overline{{x}}") == r"\overline { { { x } } }"
    assert normal(r"\begin{matrix}{a}\\\end{matrix}") == (
        r"\begin{matrix} { { a } } \\ \end{matrix}"
    )


_LEAVES = st.sampled_from(
    [
        *("a", "1", "+", "-", "--", "'", "~", "[", "]", "|", "*", "é", "\\", "\\,", "\\\\"),
        *("\\alpha", "\\sum", "\\unknown", "\\bf", "\\max", "\\bm", "\\hskip1mm"),
        *("\\nolimits", "\\operatorname"),
    ]
)
_WRAPPERS = [
    "{%s}",
    "{\\rm %s}",
    "\\rm{%s}",
    "{\\rm{%s}}",
    "\\hat{%s}",
    "\\overline{%s}",
    "\\underline %s",
    "\\mathrm{%s}",
    "\\text{%s a}",
    "\\mbox{ %s}",
    "\\operatorname{%s}",
    "\\operatorname*{%s}",
    "\\left(%s\\right]",
    "\\left\\{%s\\right.",
    "\\sqrt{%s}",
    "\\sqrt[%s]x",
    "\\begin{array}{cc}%s\\end{array}",
    "\\begin{aligned}%s\\end{aligned}",
    "\\begin{cases}%s\\end{cases}",
    "\\pmatrix{%s}",
    "x_{%s}",
    "x^{%s}",
    "x'^%s",
    "_%s",
]
_JOINS = ["", " ", "_", "^", "&", "\\\\", "&%s&", "\\over ", " ' "]


def _nested(inner):
    wrapped = st.builds(lambda w, x: w.replace("%s", x), st.sampled_from(_WRAPPERS), inner)
    joined = st.builds(
        lambda j, x, y: x + j.replace("%s", y) + y, st.sampled_from(_JOINS), inner, inner
    )
    return wrapped | joined


formulas = st.recursive(_LEAVES, _nested, max_leaves=12)


@settings(max_examples=600, deadline=None)
@given(formulas, st.booleans())
def test_normal_form_is_idempotent(source, spaced):
    if spaced:
        source = source.replace("{", " { ").replace("}", " } ")
    try:
        once = normal(source)
    except LatexError:
        return
    assert normal(once) == once


@settings(max_examples=150, deadline=None)
@given(formulas)
def test_normal_form_braces_balance(source):
    try:
        tokens = normal_form(parse_formula(source))
    except LatexError:
        return
    depth = 0
    for token in tokens:
        depth += (token == "{") - (token == "}")
        assert depth >= 0
    assert depth == 0
