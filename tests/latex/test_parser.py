"""The tree of a formula, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from im2tex.latex.normal_form.parser import parse_formula
from im2tex.latex.normal_form.tree import Array, Command, Fenced, Group, Operator, Row, Scripts
from im2tex.latex.tokens import LatexError


def tree(source):
    return parse_formula(source).body


def test_parse_symbols_are_leaves():
    assert tree(r"a+\alpha\quad 1") == ["a", "+", "\\alpha", "\\quad", "1"]


def test_parse_scripts_in_the_order_written():
    assert tree("x^2_i") == [Scripts("x", [("^", "2"), ("_", "i")])]
    assert tree("f''_0") == [Scripts("f", [("'", Group([])), ("'", Group([])), ("_", "0")])]


def test_parse_group_is_argument_and_base():
    assert tree("{ab}^{c}") == [Scripts(Group(["a", "b"]), [("^", Group(["c"]))])]


def test_parse_script_without_base():
    assert tree("^*x") == [Scripts(None, [("^", "*")], literal=True), "x"]


def test_parse_switch_has_no_script():
    one = Scripts(None, [("_", "1")], literal=True)
    assert tree(r"\bf_1") == ["\\bf", one]


def test_parse_infix_and_prefix_fractions_are_the_same():
    assert tree(r"a+b\over c") == [Command("\\frac", [Group(["a", "+", "b"]), Group(["c"])])]
    assert tree(r"{a+b}\over{c}") == tree(r"\dfrac{a+b}{c}")
    assert tree(r"n\choose k") == [Command("\\binom", [Group(["n"]), Group(["k"])])]


def test_parse_argument_may_be_a_command():
    root = Command("\\sqrt", ["2"])
    assert tree(r"\hat\sqrt2") == [Command("\\hat", [root])]
    assert tree(r"x^\frac12") == [Scripts("x", [("^", Command("\\frac", ["1", "2"]))])]


def test_parse_index_of_a_root():
    assert tree(r"\sqrt[n-1]{x}") == [Command("\\sqrt", [Group(["x"])], ["n", "-", "1"])]
    # Brackets in braces are none.
    assert tree(r"\sqrt[{]}]x") == [Command("\\sqrt", ["x"], [Group(["]"])])]


@pytest.mark.parametrize("source", [r"{\rm ab}", r"{ \rm ab}", r"\rm{ab}", r"\rm ab"])
def test_parse_upright_fonts(source):
    assert tree(source) == [Command("\\mathrm", [Group(["a", "b"])])]


def test_parse_font_without_argument_is_a_symbol():
    assert tree(r"w_{\bm}\bm") == [Scripts("w", [("_", Group(["\\bm"]))]), "\\bm"]


def test_parse_functions_are_operators():
    assert tree(r"\sin\lim") == [Operator("sin", False), Operator("lim", True)]
    assert tree(r"\max\nolimits_i") == [Scripts(Operator("max", False), [("_", "i")])]
    assert tree(r"\sin\limits") == [Operator("sin", True)]
    assert tree(r"\operatorname{log}") == [Operator("log", False)]
    assert tree(r"\operatorname{foo}") == [Command("\\operatorname", [Group(list("foo"))])]


def test_parse_text_keeps_spaces_and_apostrophes():
    assert tree(r"\mbox{it's  a}") == [Command("\\mathrm", [Group([*"it's", "~", "a"])])]
    # Dollars are not there; inside text they leave a space.
    assert tree(r"\text{if $x$}")[0].arguments[0].body == [*"if", "~", "x", "~"]
    assert tree(r"\text{ $x$}")[0].arguments[0].body == ["~", "x", "~"]


def test_parse_delimiters():
    assert tree(r"\left (x\right\}") == [Fenced("\\left(", ["x"], "\\right\\}")]
    assert tree(r"\leftarrow") == ["\\leftarrow"]


def test_parse_array_has_columns_rows_and_rules():
    source = r"\begin{array}{@{}l|*{2}{c}} a & b \\[2mm] \hline & c \\ \end{array}"
    columns = ["l", "|", "c"]  # the second c of *{2}{c} is in no row
    rows = [Row([["a"], ["b"]]), Row([[], ["c"]], rules=1)]
    assert tree(source) == [Array("array", columns, rows)]


def test_parse_plain_matrices_are_arrays():
    rows = [Row([["1"], ["2"]]), Row([["3"], ["4"]])]
    assert tree(r"\pmatrix{1&2\cr 3&4\cr}") == [Array("pmatrix", None, rows)]
    assert tree(r"\begin{pmatrix}1&2\\3&4\end{pmatrix}") == [Array("pmatrix", None, rows)]


def test_parse_row_may_begin_with_a_bracket():
    assert tree(r"\begin{matrix}a\\[b]\end{matrix}") == [
        Array("matrix", None, [Row([["a"]]), Row([["[", "b", "]"]])])
    ]


def test_parse_ignores_comments_labels_and_dollars():
    assert tree("$x$\\label{eq:1} % y\n+1") == ["x", "+", "1"]
    assert tree(r"50\%") == ["5", "0", "\\%"]
    assert tree("%x") == ["x"]  # a formula that was commented out


def test_parse_control_space_is_a_backslash():
    assert tree("a\\ b\\") == ["a", "\\", "b", "\\"]


def test_parse_macros_are_symbols():
    assert tree(r"\def\a{\a}\a\input{/etc/passwd}")[:2] == ["\\def", "\\a"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{a", "a brace is never closed"),
        ("a}", "} closes nothing"),
        ("a^", "the script behind ^ is missing"),
        ("x_1_2", "_ on a base that has such a script"),
        ("x^2'", "' on a base that has such a script"),
        (r"\frac{1}", r"an argument of \frac is missing"),
        (r"\left(x", r"\left( without its \right"),
        (r"x\right)", r"\right) closes nothing"),
        (r"\left x\right)", r"\left is not complete"),
        (r"\begin{array}{c}x\end{matrix}", "the environment array is never closed"),
        (r"\begin{array}x\end{array}", "a column specification is missing"),
        (r"\begin{f_1}x\end{f_1}", "'f_1' is not the name of an environment"),
        (r"\begin x", r"\begin is not complete"),
        (r"\matrix x", r"\matrix without its brace"),
        (r"a&b", "& outside an array"),
        (r"a\over b\over c", r"\over behind \over in one group"),
        (r"\sqrt[3", "the index of a root is never closed"),
        ("a\0b", "the control character '\\x00'"),
    ],
)
def test_parse_broken_markup_is_an_error(source, reason):
    with pytest.raises(LatexError) as caught:
        parse_formula(source)
    assert caught.value.reason == reason


def test_parse_error_reports_the_position():
    with pytest.raises(LatexError) as caught:
        parse_formula(r"\alpha + % one" + "\n" + r"\frac{1} }")
    assert caught.value.source[caught.value.position :].strip() == "}"


def test_parse_lenient_accepts_two_superscripts():
    both = [Scripts("y", [("^", "a")]), Scripts(None, [("^", "b")], literal=True)]
    assert parse_formula("y^a^b", lenient=True).body == both


@pytest.mark.parametrize(
    "level",
    [
        ("{", "}"),
        ("\\hat ", ""),
        ("\\rm ", ""),
        ("x^{", "}"),
        ("\\left(", "\\right)"),
        ("\\frac{1}{", "}"),
        ("\\sqrt[", "]{x}"),
        ("\\text{a ", "}"),
        ("\\begin{array}{c}", "\\end{array}"),
        ("\\begin{array}{*{2}{", "}}x\\end{array}"),
        ("\\matrix{", "}"),
    ],
)
def test_parse_hostile_depth_is_an_error(level):
    opening, closing = level
    with pytest.raises(LatexError):
        parse_formula(opening * 10_000 + "x" + closing * 10_000)
    assert parse_formula(opening * 5 + "c" + closing * 5).body


@pytest.mark.parametrize("piece", ["\\bf ", "x+", "\\hline ", "'", "\\", "-", "\\hskip1"])
def test_parse_long_formula(piece):
    assert parse_formula(piece * 20_000)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=40))
def test_parse_any_text(source):
    try:
        parse_formula(source)
    except LatexError as error:
        assert 0 <= error.position <= len(source)  # noqa: PT017 - both outcomes are fine
