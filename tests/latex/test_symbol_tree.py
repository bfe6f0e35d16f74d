# ruff: noqa: RUF001
r"""The grammar of pandoc's reader: trees of readable formulas, and unreadable ones."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from im2tex.latex.label_graph.symbol_tree import MAX_DEPTH, NodeKind, parse_symbol_tree
from im2tex.latex.tokens import LatexError

LEAVES = {NodeKind.LETTER, NodeKind.NUMBER, NodeKind.SYMBOL, NodeKind.RELATION, NodeKind.NAME}


def shown(node):
    """The tree as text: leaves as they are, the rest as KIND(parts)."""
    if node.kind in LEAVES:
        return node.text or "∅"
    return f"{node.kind.name}({' '.join(shown(part) for part in node.parts)})"


def read(formula):
    return shown(parse_symbol_tree(formula.split(" ")))


@pytest.mark.parametrize(
    ("formula", "tree"),
    [
        ("x _ 1 ^ 2", "SUBSUP(x 1 2)"),
        ("x ^ 2 _ 1", "SUBSUP(x 1 2)"),
        ("x ^ 2 ^ 3", "SUP(x SUP(2 3))"),
        ("x ^ 2 ^ 3 _ 4", "SUP(x SUBSUP(2 4 3))"),
        ("x _ 1 ^ 2 _ 3", "ROW(SUBSUP(x 1 2) SUB(∅ 3))"),
        ("^ 2 x", "ROW(SUP(∅ 2) x)"),
        ("x ^ _ 1", "SUP(x SUB(∅ 1))"),
        ("x ^ + 1", "ROW(SUP(x +) 1)"),
        (r"x ^ \displaystyle 2 _ 3", "SUP(x SUB(2 3))"),
        (r"\sum _ i ^ n", "SUBSUP(∑ i n)"),
        (r"\sum \limits _ i ^ n", "UNDEROVER(∑ i n)"),
        (r"\sum \limits ^ n x", "ROW(OVER(∑ n) x)"),
        (r"\underbrace { a b } _ n", "UNDER(UNDER(ROW(a b) ⏟) n)"),
        (r"\underline { a } _ n", "SUB(UNDER(a _) n)"),
        (r"\overbrace a \nolimits ^ n", "SUP(OVER(a ⏞) n)"),
    ],
)
def test_symbol_tree_scripts(formula, tree):
    assert read(formula) == tree


@pytest.mark.parametrize(
    ("formula", "tree"),
    [
        ("( a ) ^ 2", "SUP(FENCED(( a )) 2)"),
        ("( a", "ROW(( a)"),
        ("( ( a )", "ROW(( FENCED(( a )))"),
        ("[ a ) b ]", "FENCED([ a ) b ])"),
        ("| a | b |", "ROW(FENCED(| a |) b |)"),
        ("| ( a | )", "ROW(| FENCED(( a | )))"),
        (r"\{ a \}", "ROW({ a })"),
        ("{ ( a } )", "ROW(ROW(( a) ))"),
        (r"\left( a", "FENCED(( a)"),
        (r"\left. a \right|", "FENCED(a |)"),
        (r"\left< a \middle| b \right>", "FENCED(⟨ a | b ⟩)"),
        (r"( n \choose k )", "FENCED(( FENCED(( FRACTION(n k) )) ))"),
        (r"\big( a \Big|", "ROW(( a |)"),
    ],
)
def test_symbol_tree_delimiters(formula, tree):
    assert read(formula) == tree


@pytest.mark.parametrize(
    ("formula", "tree"),
    [
        (r"\frac 1 2 3", "ROW(FRACTION(1 2) 3)"),
        (r"\frac 12 3", "ROW(FRACTION(1 2) 3)"),
        (r"\frac { a b } c", "FRACTION(ROW(a b) c)"),
        (r"\sqrt \frac 1 2", "ROW(√ FRACTION(1 2))"),
        (r"x \sqrt", "ROW(x √)"),
        (r"\sqrt [ 3 ] { x }", "ROOT(x 3)"),
        (r"\sqrt ^ 2", "ROW(SQRT(^) 2)"),
        (r"\hat x ^ 2", "SUP(OVER(x ̂) 2)"),
        (r"\stackrel a b", "OVER(b a)"),
        (r"\underset a b", "UNDER(b a)"),
        (r"\binom n k", "FENCED(( FRACTION(n k) ))"),
        (r"\not = \not \in \not x", "ROW(≠ ∉ x̸)"),
        (r"\mathrm { a b } c", "ROW(STYLED(a b) c)"),
        (r"\text { a } b", "ROW(TEXT() b)"),
        (r"\operatorname { a b } \operatorname * c", "ROW(ab c)"),
        (r"\mathop { a b } \mathrel { = }", "ROW(ab =)"),
        (r"a \pmod b", "ROW(a ROW(SPACE() ( mod SPACE() b )))"),
        (r"\xrightarrow [ a ] b", "UNDEROVER(→ a b)"),
        (r"\begin{matrix} a & b \\ c \end{matrix}",
         "TABLE(TABLE_ROW(CELL(a) CELL(b)) TABLE_ROW(CELL(c)))"),
        (r"\begin{pmatrix} a \\ [ 2 ] \\ \end{pmatrix}",
         "FENCED(( TABLE(TABLE_ROW(CELL(a)) TABLE_ROW(CELL(FENCED([ 2 ])))) ))"),
        (r"\begin{array} {c} a \\ [ 2 ] b \end{array}",
         "TABLE(TABLE_ROW(CELL(a)) TABLE_ROW(CELL(b)))"),
        (r"\substack { a \\ b c }", "TABLE(TABLE_ROW(CELL(a)) TABLE_ROW(CELL(ROW(b c))))"),
        (r"\begin{array} { c } \hline a \\ \hline \end{array}", None),
    ],
)  # fmt: skip
def test_symbol_tree_commands(formula, tree):
    if tree is None:
        with pytest.raises(LatexError):
            read(formula)
    else:
        assert read(formula) == tree


@pytest.mark.parametrize(
    ("formula", "tree"),
    [
        ("1 2", "ROW(1 2)"),
        ("12 1.5 .5 1. .", "ROW(12 1.5 .5 1 . .)"),
        ("1 . 5", "ROW(1 . 5)"),
        ("f '' '", "ROW(f ″ ′)"),
        ("f'''''", "ROW(f ⁗ ′)"),
        ("a := b : = c", "ROW(a := b : = c)"),
        ("x^{2}", "SUP(x 2)"),
        ("{ } { { x } }", "ROW(ROW() x)"),
        ("α + é", "ROW(α + é)"),
        (r"x \nonumber + \label { a } 1 % }", "ROW(x + 1)"),
        (r"\frac 1 % 2", "ROW(FRACTION(1 %) 2)"),
    ],
)
def test_symbol_tree_characters(formula, tree):
    assert read(formula) == tree


@pytest.mark.parametrize(
    "formula",
    [
        "x + 1 }",
        "{ x",
        "x ^",
        "x _ }",
        r"\frac 1",
        r"\frac { 1 } { 2",
        r"\foo",
        r"\sqrt [ 3",
        r"\sqrt [ 3 ] \frac 1 2",
        r"a \right)",
        r"\left / a \right /",
        r"\left( a \right",
        "a & b",
        r"a \\ b",
        "a # b",
        "a $ b",
        r"\frac $ 1",
        r"\text { $ x $ }",
        r"\text { \foo }",
        r"{ a \over b }",
        r"\not +",
        r"\hat \frac 1 2",
        r"\operatorname { a \, b }",
        r"\mathrm \frac 1 2",
        r"\displaystyle",
        r"\sum \limits \limits _ i",
        r"\begin{matrix} \end{matrix}",
        r"\begin{matrix} a \end{pmatrix}",
        r"\begin{foo} a \end{foo}",
        r"\begin{array} { c c } a & b \end{array}",
        r"\Bigl ( a",
        r"\hspace { 1 c m }",
        "{ \\nonumber x }",
    ],
)
def test_symbol_tree_unreadable_is_an_error(formula):
    with pytest.raises(LatexError):
        read(formula)


def test_symbol_tree_not_crohme_compatible_reads_more():
    grid = r"\begin{array} { c | c } a & b \end{array}"
    assert (
        shown(parse_symbol_tree([grid], crohme_compatible=False))
        == "TABLE(TABLE_ROW(CELL(a) CELL(b)))"
    )
    assert shown(parse_symbol_tree([r"\Bigl", "(", "a"], crohme_compatible=False)) == "ROW(( a)"


def test_symbol_tree_error_reports_the_position():
    with pytest.raises(LatexError, match=r"unexpected '\\\\foo'") as error:
        parse_symbol_tree(["x", "+", r"\foo"])
    assert error.value.position == 4


PIECES = [
    *"x1+-.,'^_{}()[]|&%$#~\"@é",
    *(r"\frac", r"\sqrt", r"\left", r"\right", r"\middle", r"\left(", r"\right)", r"\limits"),
    *(r"\sum", r"\hat", r"\underbrace", r"\mathrm", r"\text", r"\operatorname", r"\mathop"),
    *(r"\not", r"\begin{matrix}", r"\end{matrix}", r"\begin", r"\end", r"\begin{array}", r"\\"),
    *(r"\choose", r"\stackrel", r"\displaystyle", r"\hspace", r"\substack", r"\big", r"\pmod"),
    *(r"\foo", r"\label", r"\nonumber", r"\hline", r"\xrightarrow", "12.5", "''", "\\", "\\ ", ""),
]


@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_symbol_tree_any_tokens(tokens):
    for tools in (True, False):
        with contextlib.suppress(LatexError):
            parse_symbol_tree(tokens, crohme_compatible=tools)


@given(st.text(max_size=60))
def test_symbol_tree_any_text(text):
    with contextlib.suppress(LatexError):
        parse_symbol_tree([text])


def test_symbol_tree_nesting_has_a_limit():
    def nested(depth):
        return ["{"] * depth + ["x"] + ["}"] * depth

    assert shown(parse_symbol_tree(nested(MAX_DEPTH))) == "x"
    for tokens in (
        nested(MAX_DEPTH + 1),
        ["{"] * 100_000,
        ["("] * 5_000,
        ["x", "^"] * 5_000 + ["x"],
        [r"\hat"] * 5_000 + ["x"],
        [r"\left("] * 5_000,
        [r"\begin{matrix}"] * 5_000,
        [r"\text"] + ["{"] * 5_000,
    ):
        with pytest.raises(LatexError):
            parse_symbol_tree(tokens)


@pytest.mark.parametrize(
    "tokens",
    [
        # A reader that tries each parenthesis with and without a partner takes 2^90 steps.
        ["("] * 90 + ["x"] * 2_000,
        ["(", "{"] * 45 + [r"\foo"],
        ["(", "[", "|"] * 30 + ["x"] * 1_000,
        ["(", "a"] * 90 + ["b"] * 1_000,
        ["x", "^", "{"] * 90 + ["x"] + ["}"] * 90,
        ["|"] * 5_000,
        ["x"] * 20_000,
        [r"\frac", "1"] * 5_000,
    ],
)
def test_symbol_tree_hostile_tokens_take_bounded_time(tokens):
    start = time.process_time()
    with contextlib.suppress(LatexError):
        parse_symbol_tree(tokens)
    assert time.process_time() - start < 5
