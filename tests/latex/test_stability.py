"""Every accepted formula has a form that normalising again leaves alone, in bounded work."""

import lzma
import os
import random
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from im2tex.latex.normalize import NormalizationForm, normalize, normalize_or_none
from im2tex.latex.tokens import LatexError

MODES = list(NormalizationForm)

# What once changed when it was read again, or was refused.
KNOWN = [
    r"x^\rm{2}",
    r"\frac{a}\rm{b}",
    r"W\acute{}_q K",
    r"\underbrace\begin{split}x\end{split}",
    r"\phantom \rm x",
    r"\hat\phantom\rm x",
    r"\sqrt[{]}]x",
    r"{x^a}^b",
    r"{x'}_i",
    r"x_1{}^2{}_3",
    r"\begin{array}{c|c}a&b\\ [c]&d\end{array}",
    r"\begin{ array }{c}a\end{ array }",
    r"\text{a $x$ b}\textrm{ on $\Omega_1$}",
    r"\kern1pt_x\hskip 1pt plus 2pt minus 3pt y",
    r"{a\atop b}\atop c",
    r"f^{''}",
    r"\'{e}^2 \^\i",
    r"\genfrac\{.{1pt}{}{a}{b}",
    r"{\cal F}_1{\Bbb R}",
    r"\substack{a\\b\\}",
    r"\bf_1\bf^2",
    r"\hat{{\rm a\atop a}}",
    r"x^{{a\atop b}\,}",
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("source", KNOWN)
def test_normalize_again_is_the_same(source, mode):
    once = normalize_or_none(source, mode)
    assert once is None or normalize(once, mode) == once


_LEAVES = st.sampled_from(
    [
        *("a", "1", "+", "-", "--", "'", "''", "~", "[", "]", "|", "*", ".", "é", "²", "≤", "\\"),
        *("\\,", "\\\\", "\\alpha ", "\\sum", "\\unknown", "\\bf ", "\\rm ", "\\cal ", "\\max"),
        *("\\bm", "\\phantom ", "\\hskip1mm", "\\kern2pt", "\\nolimits", "\\operatorname", "\\lt "),
        *("\\hline ", "\\middle|", "\\not ", "\\'", "\\color{red}", "\\tag{1}", "\\label{a_b}"),
        *("\\hspace{1cm}", "\\nonumber ", "\\left", "\\big(", "\\i ", "\\{"),
    ]
)
_WRAPPERS = [
    *("{%s}", "{\\rm %s}", "\\rm{%s}", "{\\rm{%s}}", "$%s$", "\\(%s\\)", "\\[%s\\]", "$$%s$$"),
    *("\\hat{%s}", "\\acute %s", "\\overline{%s}", "\\underbrace{%s}", "\\mathrm{%s}", "\\'{%s}"),
    *("\\text{%s a}", "\\text{$%s$ a}", "\\mbox{ %s}", "\\textrm{a $%s$}", "\\boxed{%s}"),
    *("\\operatorname{%s}", "\\operatorname*{%s}", "\\mathop{%s}\\limits", "\\mathbb{%s}"),
    *("\\left(%s\\right]", "\\left\\{%s\\right.", "\\sqrt{%s}", "\\sqrt[%s]x", "\\smash[b]{%s}"),
    *("\\begin{array}{c|c}%s\\end{array}", "\\begin{aligned}%s\\end{aligned}"),
    *("\\begin{cases}%s\\end{cases}", "\\begin{alignedat}{2}%s\\end{alignedat}", "\\pmatrix{%s}"),
    *("\\begin{equation}%s\\end{equation}", "\\begin{align*}%s\\end{align*}", "\\substack{%s}"),
    *("x_{%s}", "x^{%s}", "x'^%s", "_%s", "{}^{%s}", "{%s}^{a}", "{%s}_{b}", "\\frac{%s}{2}"),
    *("\\frac a%s", "\\stackrel{%s}{=}", "\\xrightarrow[%s]{a}", "\\textcolor{red}{%s}"),
    *("\\genfrac{(}{)}{0pt}{}{%s}{b}", "\\root %s\\of x", "\\raisebox{1pt}{%s}", "\\phantom{%s}"),
]
_JOINS = ["", " ", "_", "^", "&", "\\\\", "&%s&", "\\over ", "\\atop ", "\\choose ", " ' "]


def _nested(inner):
    wrapped = st.builds(lambda w, x: w.replace("%s", x), st.sampled_from(_WRAPPERS), inner)
    joined = st.builds(
        lambda j, x, y: x + j.replace("%s", y) + y, st.sampled_from(_JOINS), inner, inner
    )
    return wrapped | joined


FORMULAS = st.recursive(_LEAVES, _nested, max_leaves=10)


@settings(max_examples=500, deadline=None)
@given(FORMULAS, st.sampled_from(MODES))
def test_normalize_formula_of_the_grammar_is_stable(source, mode):
    once = normalize_or_none(source, mode)
    if once is not None:
        assert normalize(once, mode) == once


@settings(max_examples=300, deadline=None)
@given(FORMULAS)
def test_normalize_token_stream_has_the_forms_of_its_formula(source):
    """The token stream loses nothing that the other forms need."""
    plain = normalize_or_none(source, NormalizationForm.TOK)
    if plain is not None:
        assert normalize_or_none(plain, NormalizationForm.TOK) == plain


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=30), st.sampled_from(MODES))
def test_normalize_any_text(source, mode):
    try:
        once = normalize(source, mode)
    except LatexError:
        return
    assert once.isascii()
    assert normalize(once, mode) == once


def test_normalize_random_markup_is_stable_or_an_error():
    pieces = [
        *("\\frac", "\\sqrt[", "]", "{", "}", "_", "^", "'", "&", "\\\\", "$", "\\text{", "\\rm{"),
        *("\\begin{array}{c}", "\\end{array}", "\\left(", "\\right)", "\\atop", "\\hspace*{", "x"),
        *("1", " ", "~", "\\", "%", "\n", "&#", "&lt;", "\\tag", "\\substack{", "\\kern", "pt"),
        *("²", "é", "\u200b", "\\genfrac", "\\buildrel", "\\over", "\\[", "\\]", "\\(", "\\)"),
    ]
    draw = random.Random(20)
    for _ in range(3_000):
        source = "".join(draw.choices(pieces, k=draw.randint(1, 12)))
        for mode in MODES:
            once = normalize_or_none(source, mode)
            assert once is None or normalize(once, mode) == once


def test_normalize_real_formulas_are_stable():
    folder = os.environ.get("IM2TEX_DATA")
    file = Path(folder or "") / "arxiv" / "formulas.tsv.xz"
    if not folder or not file.is_file():
        pytest.skip("IM2TEX_DATA names no folder with arxiv/formulas.tsv.xz")
    with lzma.open(file, "rt", encoding="utf-8", newline="\n") as lines:
        next(lines)
        formulas = [line.rstrip("\n").split("\t", 3)[3] for line in lines]
    for source in random.Random(15).sample(formulas, 1_500):
        for mode in MODES:
            once = normalize_or_none(source, mode)
            assert once is None or normalize(once, mode) == once


# One hostile line each; `%s` is repeated.
HOSTILE = [
    *("&#%s;9", "{%s", "}%s", "\\left(%s", "\\text{%s ", "$%s", "\\text{$%s", "\\label{%s"),
    *("\\tag{%s", "\\begin{array}{%s", "\\begin{array}{*{9}{c}}%s&", "\\sqrt[%s", "\\rm{%s"),
    *("{\\rm{%s", "\\hskip 1%s1", "\\kern %s1", "\\atop %s", "x^%s{}", "\\mathrm { %s ~ }"),
    *("²%s", "e\u0301%s", "\\alpha\u200b%sx", "\\[%s \\]", "%s\\] ", "\\begin{align}%s"),
    *("\\\\[%s1", "'%s", "\\operatorname*%s", "\\genfrac%s", "\\buildrel %s", "\\root %s", "--%s"),
    *("\\ltx%s", "\\substack{%s\\\\", "\\phantom\\rm %s", "x_1_2%s"),
]


def _calls(function, *arguments):
    """How many calls of Python and C it takes."""
    calls = 0

    def count(_frame, event, _argument):
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        function(*arguments)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("line", HOSTILE)
def test_normalize_hostile_line_takes_linear_time(line, mode):
    piece = line.replace("%s", "")
    short, long = (line.replace("%s", piece * n) for n in (500, 2_000))
    few, many = (_calls(normalize_or_none, source, mode) for source in (short, long))
    assert many <= 6 * few + 2_000


@pytest.mark.parametrize("digits", [20, 5_000, 50_000])
def test_normalize_entity_of_many_digits_is_an_error(digits):
    assert normalize_or_none("&#" + "9" * digits + ";", NormalizationForm.CROHME) is None
    assert normalize("a&#60;b", NormalizationForm.CROHME) == "a < b"
