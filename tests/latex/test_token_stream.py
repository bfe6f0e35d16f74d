"""The plain token stream: the formula as written, cut up."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from im2tex.latex.normal_form.normal_form import token_stream
from im2tex.latex.normal_form.parser import parse_formula
from im2tex.latex.tokens import LatexError, token_texts


def stream(source):
    return " ".join(token_stream(parse_formula(source, dollars=True)))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        # Nothing is reordered, braced or respelled.
        ("x^2_i", "x ^ 2 _ i"),
        ("f''", "f ' '"),
        (r"{a\over b}", r"{ a \over b }"),
        (r"\dfrac12", r"\dfrac 1 2"),
        (r"\sin x", r"\sin x"),
        (r"\sum\limits_i", r"\sum \limits _ i"),
        (r"{\rm x}\rm{y}", r"{ \rm x } \rm { y }"),
        (r"\hbox to 3cm{x y}", r"\hbox { x ~ y }"),
        # What is one thing is one token.
        (r"\left ( x \right )", r"\left( x \right)"),
        (
            r"\begin{array}{cc}a&b\\[2mm]\hline c\end{array}",
            r"\begin{array} { c c } a & b \\ [ 2 m m ] \hline c \end{array}",
        ),
        # Spaces in text, spaces elsewhere, and what is no part of the formula.
        (r"\mbox{if  it} x", r"\mbox { i f ~ i t } x"),
        (r"a\ b", r"a \ b"),
        (r"a \\ b", r"a \, b"),
        (r"$x$ \label{a} % b", "x"),
        (r"\hskip 3mm", r"\hspace { 3 m m }"),
        # Characters beyond ASCII are drawn by commands.
        ("é", r"\acute { e }"),
        (r"\text{café m²}", r"\text { c a f \' { e } ~ m $ ^ { 2 } $ }"),
        # Dollars inside text begin math; those of the formula are no part of it.
        (r"$\text{if $x_1$ then}$", r"\text { i f ~ $ x _ 1 $ ~ t h e n }"),
        (r"\mbox{a \(b\)}", r"\mbox { a ~ $ b $ }"),
        # As an argument it stays one.
        (r"x^\rm{2}", r"x ^ \mathrm { 2 }"),
        (r"\frac{a}\rm{b}", r"\frac { a } \mathrm { b }"),
        (r"\substack{a\\b}", r"\substack { a \\ b }"),
        (r"a \lt b \tag{1}", "a < b"),
    ],
)
def test_token_stream_golden(source, expected):
    assert stream(source) == expected
    assert stream(expected) == expected


@pytest.mark.parametrize("source", ["{a", "x_1_2", r"\left(x"])
def test_token_stream_broken_formula_is_an_error(source):
    with pytest.raises(LatexError):
        stream(source)


_SIMPLE = st.text(alphabet=r"ab1+-{}_^'&\ ", max_size=15)


@settings(max_examples=400, deadline=None)
@given(_SIMPLE)
def test_token_stream_is_stable_and_complete(source):
    r"""Read again it is the same; and it has every token of the source but for what it merges."""
    try:
        once = stream(source)
    except LatexError:
        return
    assert stream(once) == once
    if "\\" not in source:
        assert "".join(once.split()) == "".join(token_texts(source))
