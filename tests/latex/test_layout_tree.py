# ruff: noqa: RUF001
r"""The symbols and relations of formulas, derived by hand from the rules of the tools."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_symbol_tree import PIECES

from im2tex.latex.label_graph.layout_tree import NONE, layout_tree
from im2tex.latex.tokens import LatexError


def shown(formula, strict=False):
    """Each symbol as `label`, or `label<parent Relation`, where parents are counted from 0."""
    layout = layout_tree(formula.split(), strict=strict)
    symbols = zip(layout.labels, layout.parents, layout.relations, strict=True)
    return " ".join(
        label if parent == NONE else f"{label}<{parent}{relation}"
        for label, parent, relation in symbols
    )


@pytest.mark.parametrize(
    ("formula", "symbols"),
    [
        ("a b c", "a b<0Right c<1Right"),
        ("x _ 1 ^ 2 y", "x 1<0Sub 2<0Sup y<0Right"),
        ("( a ) ^ 2", "( a<0Right )<1Right 2<2Sup"),
        ("{ a b } _ { 1 } ^ { 2 }", "a b<0Right 1<1Sub 2<1Sup"),
        ("{ x ^ y } ^ z", "x y<0Sup z<0Sup"),
        ("^ 2 x", " 2<0Sup x<0Right"),
        (r"\frac { a b } c d", "- a<0Above b<1Right c<0Below d<0Right"),
        (r"\frac a b ^ 2", "- a<0Above b<0Below 2<0Sup"),
        (r"\binom n k", "( -<0Right n<1Above k<1Below )<1Right"),
        (r"\sqrt [ n ] { x y }", r"\sqrt x<0Inside y<1Right n<0Above"),
        (r"\sum _ i ^ n", r"\sum i<0Sub n<0Sup"),
        (r"\sum \limits _ i ^ n", r"\sum i<0Below n<0Above"),
        (r"\hat { a b } c", "a b<0Right \u0302<1Above c<1Right"),
        (r"\underline x", "x _<0Below"),
        (r"\left. a \right|", "a |<0Right"),
        (r"a \, b \quad \displaystyle c", "a b<0Right c<1Right"),
        (r"x { } y", "x y<0Right"),
        (r"x ^ { }", "x"),
        (r"x + \sqrt", "x +<0Right √<1Right"),
    ],
)
def test_layout_tree_relations(formula, symbols):
    assert shown(formula) == symbols
    assert shown(formula, strict=True) == symbols


@pytest.mark.parametrize(
    ("formula", "symbols", "extra"),
    [
        # The second symbol of a root's line hangs on the first; the edge from the root is extra.
        (r"\sqrt { x }", r"\sqrt x<0Inside", []),
        (r"\sqrt { x y z }", r"\sqrt x<0Inside y<1Right z<2Right", [(0, 2, "Inside")]),
        (r"\sqrt { x ^ 2 y }", r"\sqrt x<0Inside 2<1Sup y<1Right", [(0, 3, "Inside")]),
        (r"\sqrt { ( x ) ^ 2 }", r"\sqrt (<0Inside x<1Right )<2Right 2<3Sup", [(0, 2, "Inside")]),
        (r"\sqrt { { } x }", r"\sqrt x<0Inside", []),
        # The first is an exponent of nothing, so that the second has the root's edge alone.
        (r"\sqrt { { } ^ 2 x }", r"\sqrt 2<0Inside x<0Inside", []),
        # Scripts on nothing are roots, and what follows them finds nothing to hang on.
        (r"{ } ^ 2 x", "2 x", []),
        (r"y { } ^ 2 x", "y 2<0Right x", []),
        (r"{ x { } } ^ 2", "x 2<0Right", []),
        (r"{ x { } } _ 1 ^ 2", "x 1 2", []),
        (r"{ { } x } ^ 2", "x 2<0Sup", []),
    ],
)
def test_layout_tree_slips_of_the_tools(formula, symbols, extra):
    assert shown(formula) == symbols
    assert layout_tree(formula.split()).extra == extra


@pytest.mark.parametrize(
    ("formula", "tools", "strict"),
    [
        (r"\mathrm { a } b", "b", "a b<0Right"),
        (r"\mathbf { a } b", "b", "bold a b<0Right"),
        (r"c ^ { \mathbb { R } }", "c", "c blackboard R<0Sup"),
        (r"\mathrm { a } ^ 2 c", "2 c<0Right", "a 2<0Sup c<0Right"),
        (r"c + \dfrac { a } { b }", "c +<0Right", "c +<0Right -<1Right a<2Above b<2Below"),
        (r"\text { a b } c", "c", "a b<0Right c<1Right"),
        (r"c ^ \textbf { a }", "c", "c bold a<0Sup"),
        (r"c \boxed { a }", "c", "c a<0Right"),
        (r"c \phantom { a }", "c", "c"),
        (r"\gamma \Gamma", r"\gamma \gamma<0Right", r"\gamma \Gamma<0Right"),
        (r"\frac { \mathrm { a } } b", "- b<0Above", "- a<0Above b<0Below"),
    ],
)
def test_layout_tree_strict_keeps_what_the_tools_drop(formula, tools, strict):
    assert shown(formula) == tools
    assert shown(formula, strict=True) == strict


@pytest.mark.parametrize(
    ("formula", "labels"),
    [
        (r"\leq \le \leqslant", [r"\leq"] * 3),
        (r"\neq \ne", [r"\neq"] * 2),
        (r"\not =", [r"\neq"]),
        (r"\rightarrow \to \longrightarrow", [r"\rightarrow"] * 3),
        (r"\ldots \dots", [r"\ldots"] * 2),
        (r"\cdots \cdot", ["⋯", "⋅"]),
        ("< > - ,", [r"\lt", r"\gt", "-", "COMMA"]),
        (r"| \vert \lvert", ["|"] * 3),
        (r"\mid \|", ["∣", "∥"]),
        (r"\{ \lbrace ] \rbrack", [r"\{", r"\{", "]", "]"]),
        (r"\sin \max \operatorname { s i n }", [r"\sin", "max", r"\sin"]),
        (r"\phi \varphi", [r"\phi", "φ"]),
        ("α ×", [r"\alpha", r"\times"]),
    ],
)
def test_layout_tree_labels(formula, labels):
    assert layout_tree(formula.split()).labels == labels


def test_layout_tree_matrix_of_the_tools():
    # Elements of the MathML, counted: semantics 0, table 1, row 2, cells 3 and 5, row 7, cells 8
    # and 10. Cell 10 comes after both cell 5 (above) and cell 8 (left); the edge of 5 sorts first.
    grid = r"\begin{matrix} a & b \\ c & d \end{matrix}"
    assert shown(grid) == (
        "*M *R *Cell a *Cell<2NcellR b *R<1Nrow *Cell<2NcellC c *Cell<4NcellC d *C *C<11Ncol"
    )
    assert layout_tree(grid.split()).extra == [(7, 9, "NcellR")]


def test_layout_tree_matrix_edges_sort_as_text():
    # Before it, x is 2 and the sum 3: table 4, row 5, cells 6 and 8, row 10, cells 11 and 13. As
    # text "11" sorts before "8", so the last cell hangs on its left neighbour.
    grid = r"x + \begin{matrix} a & b \\ c & d \end{matrix}"
    layout = layout_tree(grid.split())
    assert (layout.parents[11], layout.relations[11]) == (9, "NcellR")
    assert layout.extra == [(6, 11, "NcellC")]


def test_layout_tree_strict_matrix_contains_its_cells():
    assert shown(r"\begin{matrix} a & b \\ & d \end{matrix}", strict=True) == (
        "*M *Cell<0Cell0.0 a<1Inside *Cell<0Cell0.1 b<3Inside"
        " *Cell<0Cell1.0 *Cell<0Cell1.1 d<6Inside"
    )


@pytest.mark.parametrize(
    "formula",
    [r"\overline { a }", r"\neg a", r"a \cdotp b", r"\mathbf { a b }", r"\dfrac a b", r"\quad"],
)
def test_layout_tree_formula_that_crashes_the_tools_is_an_error(formula):
    with pytest.raises(LatexError, match="crash"):
        layout_tree(formula.split())
    layout_tree(formula.split(), strict=True)


def test_layout_tree_of_two_dropped_constructs_is_empty():
    assert shown(r"\mathrm { a } \mathrm { b }") == ""
    assert shown("{ }") == ""


@pytest.mark.parametrize("tokens", [[], [""], ["x", ""], ["", "x"], ["x", " "]])
def test_layout_tree_no_formula_is_an_error(tokens):
    for strict in (False, True):
        with pytest.raises(LatexError, match="no formula"):
            layout_tree(tokens, strict=strict)


@given(st.lists(st.sampled_from(PIECES), max_size=40), st.booleans())
def test_layout_tree_any_tokens_parents_come_first(tokens, strict):
    with contextlib.suppress(LatexError):
        layout = layout_tree(tokens, strict=strict)
        assert len(layout.labels) == len(layout.parents) == len(layout.relations)
        for index, parent in enumerate(layout.parents):
            assert NONE <= parent < index
            assert (parent == NONE) == (not layout.relations[index])
        assert all(start < end for start, end, _ in layout.extra)
