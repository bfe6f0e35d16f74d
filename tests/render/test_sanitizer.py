r"""The sanitiser: markup that passes, rewritten, and markup that is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from render_samples import ATTACKS, NEIGHBOURS

from im2tex.latex.tokens import TokenKind, tokenize
from im2tex.render.markup.sanitizer import MAX_CHARACTERS, sanitize
from im2tex.render.rendering import Cause, RenderError


def failure(markup):
    with pytest.raises(RenderError) as caught:
        sanitize(markup)
    return caught.value.failure


@pytest.mark.parametrize(
    ("markup", "checked"),
    [
        (r"\alpha x", r"\alpha x"),
        (r"\alpha  2", r"\alpha2"),
        ("x % gone\n+ y", "x + y"),
        (r"\hspace { - 1 . 5 c m } x", r"\hspace{-1.5cm} x"),
        (r"\hspace*{ 3 p t }", r"\hspace*{3pt}"),
        (r"\rule { 1 cm } { 2 t r u e m m }", r"\rule{1cm}{2truemm}"),
        (
            r"\begin { a r r a y } { c c } a & b \end { array }",
            r"\begin{array}{cc} a & b \end{array}",
        ),
        (
            r"\begin{array}{*{3}{c}|@{\,}r} x \end{array}",
            r"\begin{array}{*{3}{c}|@{\,}r} x \end{array}",
        ),
        (r"\begin{array} [ c ] {l} x \end{array}", r"\begin{array}[c]{l} x \end{array}"),
        (r"\\ [ 3 p t ] x", r"\\[3pt] x"),
        (r"\sqrt [ 3 ] x", r"\sqrt[ 3 ] x"),
        (r"x \label{eq:1} \nonumber", "x"),
        (r"x \label y z", "x  z"),
        (r"\ref{eq:1}", r"\imreference"),
        (r"\matrix{a \cr b}", r"\immatrix{a \cr b}"),
        (r"\mu@x", r"\mu@x"),
        ("x\\", "x\\ "),
        (r"x\ ", "x\\ "),
        (r"\kern - 0 . 4 5 e m x", r"\kern-0.45em x"),
        (r"\raise 1 p t \hbox { m }", r"\raise1pt \hbox{m}"),
        (r"\hskip x", r"\hskip x"),
        (r"\text{a $b$ c}", r"\text{a $b$ c}"),
        (r"\text{a \(b\) c}", r"\text{a $b$ c}"),
        (r"\makebox [ . 5 i n ] { , }", r"\makebox[.5in]{,}"),
        ("f ' ' ^ { 2 } ' x", "f ''^ { 2 } ' x"),
        ("$ x $", "x"),
        ("$$ x $$\n", "x"),
        (r"\[ x \]", "x"),
        (r"\( x \)", "x"),
        (
            r"\begin{array} { } { \hline \hline a } & b \\ { \hline } \end{array}",
            r"\begin{array}{*{50}{c}} \hline\hline{a } & b \\\hline{} \end{array}",
        ),
    ],
)
def test_sanitize_rewrites_markup(markup, checked):
    assert sanitize(markup) == checked


@pytest.mark.parametrize(
    ("markup", "cause", "reason"),
    [
        (r"\input{x}", Cause.REFUSED, r"\input is not among the commands of formulas"),
        (r"\foo", Cause.REFUSED, r"\foo is not among the commands of formulas"),
        (r"\begin{figure} x \end{figure}", Cause.REFUSED, r"\begin{figure} is no environment"),
        ("{x", Cause.UNREADABLE, "ends before the closing brace"),
        ("x}", Cause.UNREADABLE, "a } that nothing opened"),
        (r"\left( x", Cause.UNREADABLE, r"ends before the \right"),
        (r"\begin{array}{c} x", Cause.UNREADABLE, r"ends before the \end{array}"),
        (r"{\begin{array}{c} x }", Cause.UNREADABLE, r"a } where the \end{array} should be"),
        ("x $ y", Cause.UNREADABLE, "a $ outside of text ends the formula"),
        ("$ x $ y $ z $", Cause.UNREADABLE, "a $ outside of text ends the formula"),
        ("$", Cause.UNREADABLE, "a $ outside of text ends the formula"),
        ("$ $", Cause.BLANK, "no markup"),
        (r"x \( y", Cause.REFUSED, r"\( is not among the commands of formulas"),
        ("x#", Cause.UNREADABLE, "a bare #"),
        ("x^^41", Cause.UNREADABLE, "^ directly behind ^"),
        ("x\0", Cause.UNREADABLE, "control character"),
        ("", Cause.BLANK, "no markup"),
        ("% only a comment", Cause.BLANK, "no markup"),
        ("x" * (MAX_CHARACTERS + 1), Cause.LIMIT, "20,001 characters"),
        ("{" * 101 + "}" * 101, Cause.LIMIT, "nested more than 100 deep"),
        (r"\text{" * 9 + "x" + "}" * 9, Cause.LIMIT, "set millions of times"),
        (r"\begin{array}{*{201}{c}} x \end{array}", Cause.LIMIT, "more than 200 columns"),
        (r"\begin{array}[\input]{c} x \end{array}", Cause.REFUSED, r"[\input] behind"),
        (r"\sqrt[3 x", Cause.UNREADABLE, "no ] for the argument"),
    ],
)
def test_sanitize_refuses_markup(markup, cause, reason):
    found = failure(markup)
    assert found.cause is cause
    assert reason in found.reason


def test_sanitize_columns_count_the_depth_around_them():
    def within(times):
        return r"\begin{array}{@{" * times + "x" + r"}}y\end{array}" * times

    assert sanitize(within(10)) == within(10)
    assert failure(within(11)).reason == "arrays between columns more than 10 deep"
    assert failure(within(250)).cause is Cause.LIMIT


def test_sanitize_nested_brackets_exceed_the_work():
    assert sanitize(r"\sqrt[" * 3 + "]x") == r"\sqrt[" * 3 + "]x"
    assert failure(r"\sqrt[" * 3000 + "]x").cause is Cause.LIMIT


@pytest.mark.parametrize("opening", [r"\\[", r"\makebox["])
def test_sanitize_brackets_with_one_end_exceed_the_lookahead(opening):
    assert sanitize(opening * 20 + "]x").endswith("]x")
    found = failure(opening * (MAX_CHARACTERS // len(opening) - 1) + "]x")
    assert (found.cause, found.reason) == (Cause.LIMIT, "too many arguments within arguments")


def test_sanitize_columns_share_the_lookahead_budget():
    def table(columns):
        column = "@{" + r"\rule[" * 300 + "]x}"
        return r"\begin{array}{" + column * columns + r"}y\end{array}"

    assert sanitize(table(1)).endswith(r"y\end{array}")
    found = failure(table(10))
    assert (found.cause, found.reason) == (Cause.LIMIT, "too many arguments within arguments")


def test_sanitize_accepts_the_nesting_of_real_formulas():
    sanitize(r"\text{a $\sqrt{\overrightarrow{x} + \boldsymbol{y}}$}" * 20)


SHORT = [attack for attack in ATTACKS.values() if len(attack) < 200]


@settings(deadline=None)
@given(st.text(max_size=60) | st.sampled_from([*SHORT, *NEIGHBOURS]))
def test_sanitize_gives_one_line_of_known_commands(markup):
    try:
        checked = sanitize(markup)
    except RenderError:
        return
    assert not set("\n\r\0") & set(checked)
    assert "^^" not in checked
    # The frame's brace stays a brace, and all others match.
    *inside, last = tokenize(checked + "}")
    assert last.kind is TokenKind.CLOSE
    depth = 0
    for token in inside:
        depth += (token.text == "{") - (token.text == "}")
        assert depth >= 0
        assert not token.text.startswith(("\\input", "\\def", "\\write", "\\catcode", "\\csname"))
    assert depth == 0
    # Sanitised markup is a fixed point: sanitising it again changes no token.
    known = checked.replace("\\imreference", "\\relax")
    assert [t.text for t in tokenize(sanitize(known) + " ")] == [
        t.text for t in tokenize(known + " ")
    ]
