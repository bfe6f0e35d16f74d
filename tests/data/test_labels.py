# ruff: noqa: RUF001
"""Tests of `label_tokens`: labels are kept whole, rendered by TeX, or refused with a reason."""

import sys
from pathlib import Path

import pytest

from im2tex.data.labels import label_tokens
from im2tex.latex.tokens import LatexError
from im2tex.render import open_renderer
from im2tex.render.markup.allowlist import SYMBOLS

sys.path.append(str(Path(__file__).parents[1] / "render"))
from render_samples import needs_tex

_WIDE = {
    columns: rf"\begin{{matrix}} {' & '.join(columns * 'x')} \end{{matrix}}" for columns in (30, 31)
}

LABELS = [
    # Arrays keep what is written: bars, lines, brackets behind a line break.
    (r"\begin{array}{cc}a&b\\c&d\end{array}", r"\begin{matrix} a & b \\ c & d \end{matrix}"),
    (r"\begin{array}{c|c}a&b\end{array}", r"\begin{array} { c | c } a & b \end{array}"),
    (r"\begin{matrix}a\\[b]\end{matrix}", r"\begin{matrix} a \\ { } [ b ] \end{matrix}"),
    (r"\begin{matrix}a\\[2mm]b\end{matrix}", r"\begin{matrix} a \\ b \end{matrix}"),
    (r"\begin{cases}a\\b\end{cases}", r"\{ \begin{matrix} a \\ b \end{matrix}"),
    (
        r"\begin{alignedat}{2}a&=b\end{alignedat}",
        r"\begin{alignedat} { 2 } a & = b \end{alignedat}",
    ),
    (r"\sum_{\substack{i<j\\k}}x", r"\sum _ { \substack { i < j \\ k } } x"),
    (r"\begin{matrix}a\\*[2mm]b\end{matrix}", r"\begin{matrix} a \\ b \end{matrix}"),
    (
        r"\begin{array}{|c|c|}\hline\multicolumn{2}{|c|}{a}\\\hline b&c\\\hline\end{array}",
        r"\begin{array} { | c | c | } \hline \multicolumn { 2 } { | c | } { a } \\ \hline b & c \\"
        r" \hline \end{array}",
    ),
    # amsmath's ten columns are not enough, and not all that TeX draws here.
    (_WIDE[30].replace("matrix", "smallmatrix"), _WIDE[30]),
    (
        "\\begin{array}{"
        + 30 * "l"
        + "}"
        + _WIDE[30][len("\\begin{matrix}") : -len("matrix}")]
        + "array}",
        _WIDE[30],
    ),
    # A line that is broken outside an array goes on, the length behind it is none of its symbols.
    (r"a\\[1mm]b\\*[-2pt]c", "a b c"),
    # Operators keep their letters, stars go.
    (r"\operatorname*{argmax}_x f", "a r g m a x _ { x } f"),
    (r"\operatorname{log}x", r"\log x"),
    # Infix commands are groups.
    (r"1+{n \choose k}+2", r"1 + \binom { n } { k } + 2"),
    (r"1+{n \brack k}+2", r"1 + { n \brack k } + 2"),
    (r"x_{a\atop b}", r"x _ { a \atop b }"),
    (r"{a\atop{b\atop c}}", r"{ a \atop { b \atop c } }"),
    (r"{{a\over b}\brace c}", r"{ \frac { a } { b } \brace c }"),
    (r"{a\overwithdelims()b}", r"{ a \overwithdelims ( ) b }"),
    (r"{a\above1pt b}", r"{ a \above 1 p t b }"),
    (r"\genfrac(){0pt}{}{n}{k}", r"\binom { n } { k }"),
    (r"\genfrac{}{}{}0ab", r"\frac { a } { b }"),
    # Spacing, colours, invisible material, names and numbers are dropped whole.
    (r"E=mc^2 \label{eq:e}", "E = m c ^ { 2 }"),
    (r"a\hspace{1cm}b\hspace*{-2pt}c", "a b c"),
    (r"a\kern1pt b\hskip 1pt plus 2pt c\mspace{3mu}d", "a b c d"),
    (r"{\color{red}x}+y", "x + y"),
    (r"\textcolor{red}{x}+\colorbox{blue}{y}", "x + y"),
    (r"a\phantom{b}c\vphantom{\int}", "a c"),
    (r"\smash[b]{x}\raisebox{2pt}{y}\mathop{z}\limits_a", "x y z _ { a }"),
    # Material over, under and around symbols is kept whole.
    (r"\boxed{x=1}+2", r"\boxed { x = 1 } + 2"),
    (r"\xrightarrow[a]{b}", r"\xrightarrow [ a ] { b }"),
    (r"\stackrel{a}{=}\buildrel b\over=", r"\stackrel { a } { = } \stackrel { b } { = }"),
    (r"\underbrace{a+b}_n", r"\underbrace { a + b } _ { n }"),
    (r"\acute{}_q\check x", r"\acute { } _ { q } \check { x }"),
    (r"\sqrt[{]}]{x}", r"\sqrt [ { ] } ] { x }"),
    (r"\root 3\of x", r"\sqrt [ 3 ] { x }"),
    # What stands in brackets belongs to the command, wherever it takes it.
    (r"\cfrac[l]{a}{b}", r"\frac { a } { b }"),
    (r"\stackrel[i=1]{n}{\sum}x", r"\underset { i = 1 } { \stackrel { n } { \sum } } x"),
    (r"\stackrel{[}{=}", r"\stackrel { [ } { = }"),
    (r"\makebox[2cm][l]{a}\framebox[2cm][r]{b}", r"a \boxed { b }"),
    (r"\raisebox{2pt}[0pt][1pt]{a}", "a"),
    (r"\mathcal{F}_a\Bbb k", r"\mathcal { F } _ { a } \mathbb { k }"),
    (r"{\cal F}\Bbb R", r"\mathcal { F } \mathbb { R }"),
    # Scripts.
    (r"f^{''}", r"f ^ { \prime \prime }"),
    (r"{x^a}^b", r"{ x ^ { a } } ^ { b }"),
    (r"x^1{}^2", r"x ^ { 1 } { } ^ { 2 }"),
    (r"\boldsymbol{\hat{V}^*}^T", r"{ { } \hat { V } ^ { * } } ^ { T }"),
    (
        r"{\bar{x}_1}_2{\vec{x}'}'",
        r"{ { } \bar { x } _ { 1 } } _ { 2 } { { } \vec { x } ^ { \prime } } ^ { \prime }",
    ),
    (r"{\overline{V}^*}^T", r"{ \overline { V } ^ { * } } ^ { T }"),
    (r"{\hat{a}b^2}^T", r"{ \hat { a } b ^ { 2 } } ^ { T }"),
    (r"{}^{14}C", "^ { 1 4 } C"),
    # A prime in braces is raised, one that is written as a sign is not.
    (r"\mathcal{I}{'}(x)y^2{'}", r"\mathcal { I } ^ { \prime } ( x ) y ^ { 2 } { } ^ { \prime }"),
    (r"\alpha\sb{a_b}\sp2 x\sb\gamma", r"\alpha _ { a _ { b } } ^ { 2 } x _ { \gamma }"),
    (r"\begin{matrix}a\\sb\end{matrix}", r"\begin{matrix} a \\ s b \end{matrix}"),
    (r"x^{'}y^{{'}}z\prime", r"x ^ { \prime } y ^ { \prime } z \prime"),
    # Displays and text.
    (r"\[ x \]", "x"),
    (r"\begin{equation}x\end{equation}", "x"),
    (r"\begin{align*}a&=b\end{align*}", r"\begin{aligned} a & = b \end{aligned}"),
    (r"\text{if $x_1$}\;y", "i f x _ { 1 } y"),
    (r"caf\'e \v{s}", r"c a f \acute { e } \check { s }"),
    (r"\raisebox{1pt}{$x_1$ a}", "x _ { 1 } a"),
    # Characters beyond ASCII.
    ("x\u200b^2", "x ^ { 2 }"),
    ("f\u2061(x)", "f ( x )"),
    ("a\u00a0b", "a b"),
    ("x−y²≤ℝ→𝑥", r"x - y ^ { 2 } \leq \mathbb { R } \rightarrow x"),
]


@pytest.mark.parametrize(("markup", "expected"), LABELS)
def test_label_tokens_is_idempotent(markup, expected):
    assert " ".join(label_tokens(markup)) == expected
    assert " ".join(label_tokens(expected)) == expected


@pytest.mark.parametrize(
    ("markup", "reason"),
    [
        (r"\mymacro{x}", r"\\mymacro is not known"),
        (r"\mymacro x", r"\\mymacro is not among the commands"),
        (r"x_1_2", "_ on a base that has such a script"),
        (r"\frac{a}", "an argument of"),
        (r"\boxed", "an argument of"),
        (r"see \ref{a}", "refers to something outside"),
        (r"\begin{theorem}x\end{theorem}", "cannot contain the environment theorem"),
        (r"\vrule height 1pt{x}", "a label cannot contain"),
        (r"a\over b\over c", "in one group"),
        (r"\, \phantom{x}", "it has no visible symbol"),
        (r"\mathscr{La}", "the font of .* has no a"),
        (r"\mathbb{1}", "the font of .* has no 1"),
        (r"\c{c}", "a label cannot contain"),
        (r"\text{中}", r"U\+4E2D \(CJK UNIFIED IDEOGRAPH-4E2D\) has no markup in formulas"),
        (r"\begin{matrix}\end{matrix}", "it has no visible symbol"),
        (r"\frac{}{}\overline{}", "it has no visible symbol"),
        (r"\begin{array}{c|c}\end{array}", "it has no visible symbol"),
        # Rows and cells that TeX refuses.
        (r"\begin{array}{c|c}a&b&c\end{array}", "a row of 3 columns in array, which has 2"),
        (r"\begin{array}{c|c}a&\multicolumn{2}{c}{b}\end{array}", "a row of 3 columns in array"),
        (_WIDE[31], "a row of 31 columns in matrix, which has 30"),
        (r"\begin{gathered}a&b\end{gathered}", "a row of 2 columns in gathered"),
        (r"\begin{array}{c|c}a\hline\end{array}", r"\\hline must begin a row"),
        (r"\begin{array}{c|c}a&\hline b\end{array}", r"\\hline must begin a row"),
        (r"a\hline", r"\\hline must begin a row"),
        (r"\begin{matrix}a\hdotsfor{2}\end{matrix}", r"\\hdotsfor must begin a cell"),
        # Braces that may be an argument, behind brackets too.
        (r"\foo[a]{b}", r"\\foo is not known"),
    ],
)
def test_label_tokens_refuses_markup_with_reason(markup, reason):
    with pytest.raises(LatexError, match=reason):
        label_tokens(markup)


def test_label_error_without_position_names_none():
    with pytest.raises(LatexError) as caught:
        label_tokens(r"see \ref{a}")
    assert str(caught.value) == r"\ref refers to something outside the formula"


def test_braces_after_known_symbol_are_no_argument():
    for symbol in sorted(SYMBOLS - {"\\pod", "\\pmod"}):
        assert label_tokens(f"a{symbol}{{x}}")[-1] == "x"


@needs_tex
def test_labels_are_rendered_by_tex():
    labels = [" ".join(label_tokens(markup)) for markup, _ in LABELS]
    with open_renderer("tex") as renderer:
        rendered = list(renderer.render(labels))
    assert [label for label, one in zip(labels, rendered, strict=True) if one.png is None] == []
