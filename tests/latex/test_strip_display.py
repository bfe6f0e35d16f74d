"""Dollars, brackets and display environments around a formula are no part of it."""

import pytest

from im2tex.latex.normalize import NormalizationForm, normalize
from im2tex.latex.tokens import LatexError


@pytest.mark.parametrize("mode", list(NormalizationForm))
@pytest.mark.parametrize(
    "source",
    [
        "$x$",
        "$$x$$",
        r"\(x\)",
        r"\[ x \]",
        r"\begin{equation}x\end{equation}",
        r"\begin{equation*} x \label{eq:a} \end{equation*}",
        r"\begin{displaymath}x\end{displaymath}",
        r"\begin{math}x\end{math}",
        r"\[\begin{equation}x\tag{1}\end{equation}\]",
        r"x\tag*{($\ast$)}\nonumber",
        r"x\notag",
    ],
)
def test_normalize_display_gives_its_formula(source, mode):
    assert normalize(source, mode) == "x"


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        (r"\begin{align*}a&=b\\c&=d\end{align*}", r"\begin{aligned}a&=b\\c&=d\end{aligned}"),
        (r"\begin{align}a\end{align}", r"\begin{aligned}a\end{aligned}"),
        (r"\begin{gather}a\\b\end{gather}", r"\begin{gathered}a\\b\end{gathered}"),
        (r"\begin{multline*}a\\b\end{multline*}", r"\begin{gathered}a\\b\end{gathered}"),
        (r"\begin{alignat}{2}a&=b\end{alignat}", r"\begin{alignedat}{2}a&=b\end{alignedat}"),
        (r"\begin{eqnarray*}a&=&b\end{eqnarray*}", r"\begin{array}{rcl}a&=&b\end{array}"),
        (r"\[x\].", "x ."),
        (r"\begin{equation}x\end{equation},", "x,"),
    ],
)
@pytest.mark.parametrize("mode", list(NormalizationForm))
def test_normalize_aligned_display_gives_inner_environment(outer, inner, mode):
    assert normalize(outer, mode) == normalize(inner, mode)


@pytest.mark.parametrize("mode", list(NormalizationForm))
def test_normalize_lt_and_gt_are_signs(mode):
    assert normalize(r"a\lt b\gt c", mode) == "a < b > c"
    assert normalize(r"a\ltimes b", mode) == r"a \ltimes b"


def test_normalize_dollars_in_text_begin_math():
    assert normalize(r"\text{if $x_1$}", "tok") == r"\text { i f ~ $ x _ 1 $ }"
    assert normalize(r"$\text{if $x_1$}$", "tok") == r"\text { i f ~ $ x _ 1 $ }"
    # The paper's form has a space for each; what stays text keeps them.
    assert normalize(r"\text{if $x_1$}", "norm") == r"\mathrm { i f ~ x _ 1 ~ }"
    assert normalize(r"\textrm{if $x_1$}", "norm") == r"\textrm { i f $ x _ { 1 } $ }"
    assert normalize(r"\text{if $x_1$}", "crohme") == "i f x _ { 1 }"
    # Spaces count in text, not in math in it, and a space never parts a command from its argument.
    assert normalize(r"\text{a $x \in \bar S$}", "tok") == r"\text { a ~ $ x \in \bar S $ }"
    assert normalize(r"\text{a $\bar S$}", "norm") == r"\mathrm { a ~ \bar { S } ~ }"
    assert normalize(r"\text{a $\text{b c}$}", "tok") == r"\text { a ~ $ \text { b ~ c } $ }"


def test_normalize_token_stream_of_text_has_the_same_normal_form():
    for source in (r"\text{if $x_1$ then}", r"\mbox{a$b$}", r"\text{ $a$ $b$ }"):
        assert normalize(normalize(source, "tok"), "norm") == normalize(source, "norm")


@pytest.mark.parametrize(
    ("source", "modes"),
    [
        (
            r"\text{a $x}",
            [NormalizationForm.TOK],
        ),  # the other forms have spaces for dollars inside text
        (
            r"\[x",
            [NormalizationForm.CROHME],
        ),  # papers define it as a symbol, which the other forms print
        (r"\begin{equation}x\end{align}", list(NormalizationForm)),
        (r"x\tag{1", list(NormalizationForm)),
        (r"x\tag", list(NormalizationForm)),
    ],
)
def test_normalize_incomplete_display_is_an_error(source, modes):
    for mode in modes:
        with pytest.raises(LatexError):
            normalize(source, mode)
