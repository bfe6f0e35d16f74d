r"""A paper's macros are replaced by what they stand for, and those that are more are left alone."""

import pytest

from im2tex.latex.document.extraction import extract_formulas


def expanded(definitions: str, markup: str) -> str:
    (formula,) = extract_formulas(f"{definitions}\\begin{{document}}\\[{markup}\\]").formulas
    return formula.latex


@pytest.mark.parametrize(
    ("definitions", "markup", "expected"),
    [
        (r"\def\a{x}", r"\a+\a", "x+x"),
        (r"\gdef\a#1#2{#2#1}", r"\a x{yz}", "yzx"),
        (r"\long\def\a#1{(#1)}", r"\a\alpha", r"(\alpha)"),
        (r"\def\p(#1,#2){#1|#2}", r"\p(a,{b,c})", "a|b,c"),
        (r"\def\p#1.{[#1]}", r"\p ab.c", "[ab]c"),
        (r"\def\p#1\end{[#1]}", r"\p ab\end c", "[ab] c"),
        (r"\newcommand{\a}{x}", r"\a", "x"),
        (r"\newcommand*\a[1]{x_{#1}}", r"\a2\a{10}", "x_{2}x_{10}"),
        (r"\newcommand{\a}[2][k]{#2_#1}", r"\a x+\a[n]{y}", "x_k+y_n"),
        (r"\newcommand{\a}{x}\renewcommand\a{y}", r"\a", "y"),
        (r"\newcommand{\a}{x}\providecommand{\a}{y}\providecommand{\b}{z}", r"\a\b", "xz"),
        (r"\DeclareRobustCommand{\a}[1]{<#1>}", r"\a x", "<x>"),
        (r"\DeclareMathOperator{\tr}{tr}", r"\tr A", r"\operatorname{tr}A"),
        (r"\DeclareMathOperator*\am{arg\,max}", r"\am_x", r"\operatorname*{arg\,max}_x"),
        (
            r"\DeclarePairedDelimiter{\abs}{\lvert}{\rvert}",
            r"\abs{x}\abs*{y}\abs[\Big]{z}",
            r"\lvert x\rvert\left\lvert y\right\rvert\Big\lvert z\Big\rvert",
        ),
        (r"\NewDocumentCommand{\a}{O{k}m}{#2_#1}", r"\a x\a[n]y", "x_ky_n"),
        # What a word stands for never runs into the letter behind it.
        (r"\def\a{\alpha}", r"\a x", r"\alpha x"),
        (r"\newcommand{\b}[1]{\mathbf#1}", r"\b x", r"\mathbf x"),
        # Macros in macros, in each other's arguments, and over the end of one.
        (r"\def\a{\b{x}}\def\b#1{\c#1}\def\c{y}", r"\a", "yx"),
        (r"\def\f{\frac}\def\h#1{\f1{#1}}", r"\h{\h2}", r"\frac1{\frac1{2}}"),
        (r"\def\w#1{(#1)}\def\v{\w}", r"\v{x}", "(x)"),
        # An old meaning that was saved before a new one.
        (r"\let\o\phi\renewcommand{\phi}{\varphi}", r"\o\phi", r"\phi\varphi"),
        (r"\let\o=\vec\renewcommand{\vec}[1]{\o{\mathbf{#1}}}", r"\vec x", r"\vec{\mathbf{x}}"),
        (r"\def\a{x}\let\b\a\def\a{y}", r"\a\b", "yx"),
        (r"\def\a{x}\edef\b{\a\a}\def\a{y}", r"\b", "xx"),
        # Choices by the arguments alone.
        (r"\newcommand{\a}[2][]{\ifthenelse{\equal{#1}{}}{#2}{#2_{#1}}}", r"\a x\a[k]x", "xx_{k}"),
        (r"\newcommand{\a}[1]{\ifthenelse{\not\equal{}{#1}}{x_{#1}}{x}}", r"\a{}\a{1}", "xx_{1}"),
        (r"\newcommand{\a}[1]{\ifthenelse{\isempty{#1}}{x}{y}}", r"\a{}\a{1}", "xy"),
        # An environment of one's own inside a formula.
        (
            r"\newenvironment{m}[1]{\left#1\begin{array}{c}}{\end{array}\right.}",
            r"\begin{m}{(}1\end{m}",
            r"\left(\begin{array}{c}1\end{array}\right.",
        ),
    ],
)
def test_extract_formulas_expands_macros(definitions, markup, expected):
    assert expanded(definitions, markup) == expected


@pytest.mark.parametrize(
    ("definitions", "body"),
    [
        (r"\def\be{\begin{equation}}\def\ee{\end{equation}}", r"\be \label{x} a \ee"),
        (r"\newcommand{\bea}{$$}\newcommand{\eea}{$$}", r"\bea a \eea"),
        (r"\newcommand{\eq}[1]{\begin{equation}#1\end{equation}}", r"\eq{a}"),
        (r"\newenvironment{eqn}{\begin{equation}}{\end{equation}}", r"\begin{eqn}a\end{eqn}"),
        (r"\newenvironment{eqn}[1]{\[#1}{\]}", r"\begin{eqn}{a}\end{eqn}"),
        (r"\def\[{$$}\def\]{$$}", r"\[a\]"),
        (r"\def\bb{\be}\def\be{\begin{equation}}\def\ee{\end{equation}}", r"\bb a\ee"),
    ],
)
def test_extract_formulas_expands_delimiting_macros(definitions, body):
    found = extract_formulas(f"{definitions}\\begin{{document}}{body} text\\end{{document}}")
    assert found.formulas == [("d", "a")]
    assert not found.skipped


def test_extract_formulas_definition_holds_from_its_position():
    found = extract_formulas(r"\def\a{x}$\a$ \def\a{y}$\a$ $\def\b{z}\b$ $\c$ \def\c{late}")
    assert [latex for _, latex in found.formulas] == ["x", "y", "z", r"\c"]


@pytest.mark.parametrize(
    "definition",
    [
        r"\def\a{\@ifnextchar[{\b}{\c}}",
        r"\newcommand{\a}[1]{\ifx#1\empty x\else y\fi}",
        r"\def\a#1{\csname x#1\endcsname}",
        r"\NewDocumentCommand{\a}{s m}{\IfBooleanTF{#1}{x}{y}}",
        r"\newcommand{\a}[1]{\input{#1}}",
    ],
)
def test_extract_formulas_opaque_macro_is_kept(definition):
    found = extract_formulas(rf"{definition}\begin{{document}}$\a{{1}}+x$ $y$")
    assert [latex for _, latex in found.formulas] == [r"\a{1}+x", "y"]


@pytest.mark.parametrize("call", [r"\p x", r"\p(x", r"{\p(x,}y)"])
def test_extract_formulas_unfitting_call_is_unchanged(call):
    assert expanded(r"\def\p(#1,#2){#1|#2}", call) == call


def test_extract_formulas_unknown_test_is_kept():
    found = extract_formulas(r"\def\a{\ifthenelse{\boolean{x}}{y}{z}}$\a$")
    assert [latex for _, latex in found.formulas] == [r"\ifthenelse{\boolean{x}}{y}{z}"]
