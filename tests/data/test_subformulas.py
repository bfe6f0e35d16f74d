"""Tests of structural tokens and of the spans of sub-formulas."""

from itertools import chain

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from im2tex.data.preparation.formula_sampling.structural_tokens import (
    CLOSES,
    OPENS,
    UNSUPPORTED,
    structural_tokens,
    tokens_of,
)
from im2tex.data.preparation.formula_sampling.subformulas import SEPARATORS, subformula_spans
from im2tex.latex.crohme.canonical import canonicalize
from im2tex.latex.crohme.from_tree import crohme_from_tree
from im2tex.latex.normal_form.parser import parse_formula


def signs_of(source):
    return structural_tokens(parse_formula(source, lenient=True).body)


def tokens(found):
    return list(chain.from_iterable(map(tokens_of, found)))


def pieces(source, known=lambda sign: True, longest=100):
    found = signs_of(source)
    return [" ".join(tokens(found[a:b])) for a, b in subformula_spans(found, known, longest)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (r"\frac{a}{b^2}", r"\frac{ a }{ b ^{ 2 }^ }/"),
        (r"\sqrt[3]{x}+\sqrt y", r"\sqrt[ 3 ]{ x }\sqrt + \sqrt{ y }\sqrt"),
        ("x^2_i", "x _{ i }_ ^{ 2 }^"),
        ("f''(x)", r"f ^{ \prime \prime }^ open ( x close )"),
        (r"\left[ 0, 1 \right)", "[ 0 , 1 )"),
        ("( | x )", "open ( | x close )"),
        ("| x | + | y |", "open | x close | + open | y close |"),
        ("( x ^ { ) }", "( x ^{ ) }^"),
        (r"\operatorname { s i n } \, \mathbf { x }", r"\sin x"),
    ],
)
def test_structural_tokens_name_what_they_open_and_close(source, expected):
    assert " ".join(signs_of(source)) == expected


@pytest.mark.parametrize("source", [r"\hat{x}", r"{x'}_i", "{}_i", r"\begin{matrix}a\end{matrix}"])
def test_accents_and_arrays_are_unsupported(source):
    assert any(sign[0] == UNSUPPORTED for sign in signs_of(source))


def test_subformulas_are_cut_at_operators_and_groups():
    assert set(pieces(r"y = a + \frac { b } { c }")) == {
        r"y = a + \frac { b } { c }", "y = a", "y", "a", r"a + \frac { b } { c }",
        r"\frac { b } { c }", "b", "c",
    }  # fmt: skip


def test_subformulas_with_and_without_leading_minus():
    assert {"- 2 x", "2 x", "y - 2 x", "y"} == set(pieces("y - 2 x"))


def test_subformulas_keep_function_base_and_bracket():
    found = pieces(r"f ( x , y ) = \sin x ^ { 2 }")
    assert set(found) >= {"f ( x , y )", r"\sin x ^ { 2 }", "x , y"}
    assert not {"f", "( x", r"\sin", "x ^ { 2 }"} & set(found)


def test_subformulas_have_known_signs_and_limited_length():
    assert set(pieces(r"a + \aleph + b + c", lambda sign: sign != "\\aleph")) == {
        "a", "b", "c", "b + c",
    }  # fmt: skip
    assert set(pieces("a + b + c", longest=3)) == {"a", "b", "c", "a + b", "b + c"}
    # The script of an unsupported base is no formula; the argument of the accent is one.
    assert set(pieces(r"\hat { x } _ { i } + c")) == {"x", "i", "c"}


ATOMS = st.sampled_from(
    ["x", "2", "+", "-", "=", ",", "(", ")", "|", "[", "]", r"\alpha ", r"\sin ", r"\hat y", "'"]
)
FORMULAS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map("".join),
        st.tuples(inner, inner).map(lambda parts: r"\frac{{{}}}{{{}}}".format(*parts)),
        inner.map(r"\sqrt{{{}}}".format),
        st.tuples(ATOMS, inner, inner).map(lambda parts: "{}^{{{}}}_{{{}}}".format(*parts)),
    ),
    max_leaves=14,
)


@given(FORMULAS)
@example("--")
@example("a---b")
@example("''")
@example("''^{x}_{2}")
def test_structural_tokens_are_canonical_and_subformulas_are_formulas(source):
    try:
        formula = parse_formula(source)
    except ValueError:
        return
    found = structural_tokens(formula.body)
    if not any(sign[0] == UNSUPPORTED for sign in found):
        assert tokens(found) == crohme_from_tree(formula)
    places = list(subformula_spans(found, lambda sign: True, 40))
    assert len(set(places)) == len(places)
    for start, end in places:
        cut = found[start:end]
        assert cut[-1] not in SEPARATORS
        assert sum((s in OPENS) - (s in CLOSES) for s in cut) == 0
        said = tokens(cut)
        assert 0 < len(said) <= 40
        assert canonicalize(" ".join(said)) == said
        assert signs_of(" ".join(said)) == cut


def test_brackets_without_partner_are_paired_in_linear_time():
    found = signs_of("[ " * 20_000 + ") " * 20_000)
    assert found == ["["] * 20_000 + [")"] * 20_000
