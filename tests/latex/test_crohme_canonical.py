"""LaTeX and MathML of CROHME come to one token form, the one of the captions in use."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from im2tex.latex.crohme.alignment import WrittenSymbol, align_symbols, inventory
from im2tex.latex.crohme.canonical import (
    CanonicalTokens,
    annotate_tokens,
    canonical_tokens,
    canonicalize,
    canonicalize_or_tokenize,
)
from im2tex.latex.crohme.mathml import MathMLError, canonical_from_mathml, symbol_tokens
from im2tex.latex.tokens import LatexError


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (r"$\phi(x)$", r"\phi ( x )"),
        ("x^2", "x ^ { 2 }"),
        ("x_{10}", "x _ { 1 0 }"),
        # The lower script first, however they were written.
        (r"\int^{a}_{0} x", r"\int _ { 0 } ^ { a } x"),
        (r"{x^2}_3", r"x _ { 3 } ^ { 2 }"),
        (r"{x^a}^b", r"{ x ^ { a } } ^ { b }"),
        (r"x^1{}^2", r"x ^ { 1 } { } ^ { 2 }"),
        (r"x_1_2", r"x _ { 1 } _ { 2 }"),
        (r"\mathrm{x_1_2}'", r"{ x _ { 1 } _ { 2 } } ^ { \prime }"),
        # Braces that only group vanish, and so do wrappers, sizes, styles and spacing.
        (r"{ { \alpha } ^ { \mbox { h } } { \theta \mbox { C } } }", r"\alpha ^ { h } \theta C"),
        (r"\mathrm{F^1_0}\!", "F _ { 0 } ^ { 1 }"),
        (r"\int t \mathrm dt", r"\int t d t"),
        (r"a\ b\,c~d\quad e", "a b c d e"),
        (r"\Bigg( \frac{1}{4} \Bigg)^2", r"( \frac { 1 } { 4 } ) ^ { 2 }"),
        (r"\left ( x \right )", "( x )"),
        (r"\left. x \right|_0", "x | _ { 0 }"),
        (r"\sum\limits_{i=1}^n i", r"\sum _ { i = 1 } ^ { n } i"),
        # Arguments without braces.
        (r"\frac 1 {a_1}", r"\frac { 1 } { a _ { 1 } }"),
        (r"\frac12", r"\frac { 1 } { 2 }"),
        (r"\frac {\sqrt x} 2", r"\frac { \sqrt { x } } { 2 }"),
        (r"x^\frac ab", r"x ^ { \frac { a } { b } }"),
        (r"x^\mathrm{ab}", "x ^ { a b }"),
        (r"\sqrt[3]{x}", r"\sqrt [ 3 ] { x }"),
        # TeX ends an index at the first bracket outside braces.
        (r"\sqrt[{\sqrt[2]{a}}]b", r"\sqrt [ { \sqrt [ 2 ] { a } } ] { b }"),
        (r"{a+b \over c}", r"\frac { a + b } { c }"),
        (r"\overline{ab}c", r"\overline { a b } c"),
        # One spelling for each symbol.
        (r"a \lt b \to c \le d \ne e", r"a < b \rightarrow c \leq d \neq e"),
        (r"\lbrack a \rbrack \dots", r"[ a ] \ldots"),
        ("x &lt; y", "x < y"),
        (r"R_g\ltq^{-1}", "R _ { g } < q ^ { - 1 }"),
        # A prime is a superscript to TeX; on the line it stays where it was written.
        (r"f'(x)", r"f ^ { \prime } ( x )"),
        (r"f''^2", r"f ^ { \prime \prime 2 }"),
        (r"f^{'}", r"f ^ { \prime }"),
        (r"y\prime", r"y \prime"),
        # An empty script is none.
        (r"x _ {}, y", "x , y"),
        (r"S_{max}", "S _ { m a x }"),
        (r"\left| $\frac{a}{b} \right|$", r"| \frac { a } { b } |"),
        (r"\begin{matrix}a&b\\c&d\end{matrix}", r"\begin{matrix} a & b \\ c & d \end{matrix}"),
        ("", ""),
    ],
)
def test_canonicalize_latex(source, expected):
    assert " ".join(canonicalize(source)) == expected


@pytest.mark.parametrize(
    "source", ["{a", "a}", "x^", "x_}", r"\frac{a}", r"\sqrt[3", r"\sqrt", "a\\"]
)
def test_canonicalize_broken_latex_is_an_error_with_tokens(source):
    with pytest.raises(LatexError):
        canonicalize(source)
    assert canonicalize_or_tokenize(source)


def test_canonicalize_or_tokenize_readable_latex_is_canonical():
    assert canonicalize_or_tokenize(r"x^\alpha") == canonicalize(r"x^\alpha")


ATOMS = st.sampled_from(
    ["x", "2", "+", r"\alpha ", r"\left(", r"\right)", r"\,", "[", "]", r"\lt "]
)
FORMULAS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map("".join),
        st.tuples(inner, inner).map(lambda parts: r"\frac{{{}}}{{{}}}".format(*parts)),
        inner.map(r"\sqrt{{{}}}".format),
        st.tuples(ATOMS, inner, inner).map(lambda parts: "{}^{{{}}}_{{{}}}".format(*parts)),
        st.tuples(ATOMS, inner).map(lambda parts: "{}_{{{{{}}}}}".format(*parts)),
    ),
    max_leaves=12,
)


@given(FORMULAS)
def test_canonicalize_is_idempotent(source):
    try:
        once = canonicalize(source)
    except LatexError:
        return
    assert canonicalize(" ".join(once)) == once
    assert [leaf.written for leaf in annotate_tokens(once)] == [
        leaf.written for leaf in canonical_tokens(source)
    ]


@given(st.lists(st.sampled_from(["x", "^", "_", "{", "}", "\\frac", "\\sqrt", "[", "]", "'"])))
def test_canonicalize_or_tokenize_loses_no_token(parts):
    source = " ".join(parts)
    try:
        read = canonicalize(source)
    except LatexError as error:
        read = canonicalize_or_tokenize(source)
        position = error.position
    else:
        position = 0
    assert 0 <= position <= len(source)
    assert read.count("x") == source.count("x")


def test_annotate_tokens_index_brackets_are_not_written():
    tokens = r"[ \sqrt [ a _ { [ } ] { x ] } ]".split()  # noqa: SIM905
    unwritten = [i for i, leaf in enumerate(annotate_tokens(tokens)) if not leaf.written]
    assert unwritten == [2, 4, 5, 7, 8, 9, 12]


def math(body: str) -> CanonicalTokens:
    return canonical_from_mathml(ET.fromstring(f"<math>{body}</math>"))


def tokens_of(body: str) -> str:
    return " ".join(leaf.token for leaf in math(body))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<mi>x</mi><mo>+</mo><mn>12</mn>", "x + 1 2"),
        ("<mrow><mi>a</mi><mrow><mi>b</mi></mrow></mrow>", "a b"),
        ("<msub><mi>a</mi><mi>n</mi></msub>", "a _ { n }"),
        ("<msup><mi>a</mi><mrow><mi>n</mi><mn>1</mn></mrow></msup>", "a ^ { n 1 }"),
        ("<msubsup><mo>\\int</mo><mi>a</mi><mi>b</mi></msubsup>", "\\int _ { a } ^ { b }"),
        ("<munder><mo>im</mo><mi>x</mi></munder>", "\\lim _ { x }"),
        ("<munderover><mo>sum</mo><mi>a</mi><mi>b</mi></munderover>", "\\sum _ { a } ^ { b }"),
        ("<mfrac><mn>1</mn><mi>x</mi></mfrac>", "\\frac { 1 } { x }"),
        ("<msqrt><mi>x</mi><mi>y</mi></msqrt>", "\\sqrt { x y }"),
        ("<mroot><mi>x</mi><mn>3</mn></mroot>", "\\sqrt [ 3 ] { x }"),
        (
            "<mo>rarr</mo><mi>infin</mi><mo>&lt;</mo><mo>ctdot</mo>",
            "\\rightarrow \\infty < \\cdots",
        ),
        ("<mo>{</mo><mo>\\lt</mo><mi>sin</mi><mi>max</mi>", "\\{ < \\sin m a x"),
        ("<mi>\u03b1</mi><mo>\u2212</mo>", "\\alpha -"),
        ("<mi>\u03c9</mi><mo>\u2261</mo><mo>\u27f6</mo>", "\\omega \\equiv \\rightarrow"),
    ],
)
def test_canonical_from_mathml_elements(body, expected):
    assert tokens_of(body) == expected


def test_canonical_from_mathml_in_a_namespace_keeps_ids():
    body = ET.fromstring(
        '<math xmlns="http://www.w3.org/1998/Math/MathML">'
        '<mfrac xml:id="-_1"><mi xml:id="a_1">a</mi><mn xml:id="n_1">12</mn></mfrac></math>'
    )
    assert [(leaf.token, leaf.id) for leaf in canonical_from_mathml(body) if leaf.written] == [
        ("\\frac", "-_1"),
        ("a", "a_1"),
        ("1", "n_1"),
        ("2", "n_1"),
    ]


@pytest.mark.parametrize(
    "body", ["<mtable/>", "<mi>\u4e2d</mi>", "<mfrac><mi>a</mi></mfrac>", "<msub/>"]
)
def test_canonical_from_mathml_unsupported_is_an_error(body):
    with pytest.raises(MathMLError):
        math(body)


def test_symbol_tokens_names():
    assert symbol_tokens("\\lt") == ["<"]
    assert symbol_tokens(" alpha ") == ["\\alpha"]
    assert symbol_tokens("COMMA") == [","]
    assert symbol_tokens("12") == ["1", "2"]


def places(latex: str, body: str | None, *symbols: tuple[str, str]) -> list[int]:
    written = [WrittenSymbol(name, href, float(i)) for i, (name, href) in enumerate(symbols)]
    return align_symbols(canonical_tokens(latex), None if body is None else math(body), written)


def test_align_symbols_equal_truths_by_id():
    # \frac { x } { 2 }: the bar stands for token 0.
    body = '<mfrac xml:id="b"><mi xml:id="x">x</mi><mn xml:id="t">2</mn></mfrac>'
    assert places(r"\frac x2", body, ("2", "t"), ("-", "b"), ("x", "x")) == [5, 0, 2]


def test_align_symbols_repeated_id_by_order():
    body = '<mi xml:id="x">x</mi><mo xml:id="p">+</mo><mi xml:id="x">x</mi>'
    assert places("x+x", body, ("x", "x"), ("+", "p"), ("x", "x")) == [0, 1, 2]


def test_align_symbols_number_at_its_first_digit():
    assert places("a12", '<mi xml:id="a">a</mi><mn xml:id="n">12</mn>', ("12", "n")) == [1]


def test_align_symbols_unequal_truths_where_they_agree():
    body = '<mi xml:id="a">a</mi><mi xml:id="y">y</mi><mi xml:id="b">b</mi>'
    assert places("a + b", body, ("a", "a"), ("y", "y"), ("b", "b")) == [0, -1, 2]


def test_align_symbols_three_dots_to_one_token():
    body = "".join(f'<mo xml:id="{i}">.</mo>' for i in range(3)) + '<mo xml:id="p">+</mo>'
    assert places(r"\cdots +", body, (".", "0"), (".", "1"), (".", "2"), ("+", "p")) == [0, 0, 0, 1]


def test_align_symbols_without_mathml_only_equal_counts():
    # Two x for two x, from left to right; one + for two +: left open.
    assert places("x+x+", None, ("x", ""), ("+", ""), ("x", "")) == [0, -1, 2]


def test_inventory_counts_written_symbols():
    counted = inventory(canonical_tokens(r"\sqrt[3]{\frac{1}{x_2}} - \ldots"))
    assert counted == {"\\sqrt": 1, "3": 1, "-": 2, "1": 1, "x": 1, "2": 1, ".": 3}


def test_canonicalize_endless_nesting_is_an_error():
    for source in ("{" * 5000, "x^{" * 5000 + "y" + "}" * 5000, "\\sqrt" * 5000, "a\\over " * 5000):
        with pytest.raises(LatexError):
            canonicalize(source)
        assert canonicalize_or_tokenize(source)
    deep = "{" * 90 + "x" + "}" * 90
    assert canonicalize(deep) == ["x"]
