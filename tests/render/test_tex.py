"""The engine `tex`: renderings and failures are independent of the batch."""

import os
import random
import tempfile
from pathlib import Path

import numpy as np
import pytest
from render_samples import ATTACKS, NEIGHBOURS, needs_tex

from im2tex.errors import Im2TexError
from im2tex.render import Cause, open_renderer
from im2tex.render.markup import sanitizer
from im2tex.render.tex.renderer import TexRenderer
from im2tex.render.tex.sandbox import SandboxLimits

pytestmark = needs_tex


@pytest.fixture(scope="module")
def tex():
    renderer = TexRenderer(workers=2)
    yield renderer
    renderer.close()


@pytest.fixture(scope="module")
def alone(tex):
    """The rendering of each neighbour in a batch of its own."""
    return {formula: tex.render_batch([formula])[0].png for formula in NEIGHBOURS}


def test_rendering_is_black_on_white_cropped_to_ink(tex):
    (found,) = tex.render(["x"])
    pixels = found.pixels
    assert pixels.dtype == np.uint8
    assert pixels.min() < 60
    for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
        assert edge.min() < 255


def test_rendering_of_rule_has_its_size(tex):
    # 72.27 pt are an inch, 200 pixels; a rule takes every pixel that it touches.
    (found,) = tex.render([r"\rule{72.2pt}{36.1pt}"])
    assert found.pixels.shape == (100, 200)
    assert found.pixels.max() == 0


def test_rendering_is_a_display_of_the_papers_page(tex):
    over, frac, text = tex.render([r"a \over b", r"\frac{a}{b}", r"\tfrac{a}{b}"])
    assert over.png == frac.png
    assert over.pixels.shape[0] > text.pixels.shape[0]
    # Wider than the line: squeezed as TeX squeezes a display, so one more term adds no width.
    rows = ["+".join("x" * n) for n in (30, 31, 50)]
    shapes = [found.pixels.shape[1] for found in tex.render(rows)]
    assert shapes[0] < shapes[1] < shapes[2]


def test_rendering_large_symbols_have_the_authors_sizes(tex):
    big, cases, dots = tex.render([r"\big|", r"\cases{a & if $b$\cr c & else}", r"a + \dots + b"])
    # \big| is two pieces of a bar: of 6 pt each in LaTeX, of 7.2 pt with amsmath.
    assert abs(big.pixels.shape[0] - 12 * 200 / 72.27) <= 1
    assert cases.failure is None
    (low,) = tex.render([r"a + \ldots + b"])
    assert dots.png == low.png


def test_rendering_of_common_and_normalised_markup(tex):
    pairs = [
        (r"\mathrm{K \" a h l e r}", r"\mathrm{K \ddot a h l e r}"),
        (r"\bar\mathbf{y}", r"\bar{\mathbf{y}}"),
        ("f ' ' ^ 2", "f''^2"),
        ("$ x $", "x"),
        (
            r"\begin{array}{}{ \hline a } & b\end{array}",
            r"\begin{array}{cc}\hline a & b\end{array}",
        ),
        (r"\text{a \(b\)}", r"\text{a $b$}"),
    ]
    found = [list(tex.render(pair)) for pair in pairs]
    for pair, (first, second) in zip(pairs, found, strict=True):
        assert first.failure is None, pair
        assert first.png == second.png, pair


PAIRS = [
    ("x²", "x^2"),
    ("a\u00d7b", r"a\times b"),
    ("a±b", r"a\pm b"),
    ("a·b", r"a\cdot b"),
    ("£5", r"\pounds 5"),
    ("½+x", r"\frac{1}{2}+x"),
    ("x•y", r"x\bullet y"),
    ("\u03b1\u2264\u03b2\u22121", r"\alpha\leq\beta-1"),
    ("x\u200by\ufeff", "xy"),
    (r"\text{“é”}", r"\text{``\'e''}"),
    (r"\text{ßæøłçő}", r"\text{\ss\ae\o\l\c{c}\H{o}}"),
    (r"\text{max}", r"\mathrm{max}"),
    (r"x_{\text{max}}", r"x_{\mathrm{max}}"),
    (r"\text { m a x }", r"\mathrm{max}"),
    (r"x _ { \text { m a x } }", r"x_{\mathrm{max}}"),
    (r"\mbox { a b }", r"\mbox{ab}"),
    (r"\text { i f ~ $ x > 0 $ }", r"\text{if $x>0$}"),
    (r"\text { a \  b }", r"\text{a b}"),
    (r"\text{ a b }c", r"\text{ a b }c"),
    (r"\(x\)", "x"),
    (r"\[x\]", "x"),
    (r"$$x$$", "x"),
    (r"\begin{equation} E=mc^2 \end{equation}", "E=mc^2"),
    (r"\begin { e q u a t i o n * } x \end { e q u a t i o n * } .", "x."),
    (r"$\begin{displaymath}x\end{displaymath}$", "x"),
    (
        r"\begin{align*} a &= b \\ c &= d \end{align*}",
        r"\begin{aligned} a &= b \\ c &= d \end{aligned}",
    ),
    (
        r"\begin{gather} a \nonumber \\ c \label{x} \end{gather}",
        r"\begin{gathered} a \\ c \end{gathered}",
    ),
    (
        r"\begin{eqnarray} a &=& b \\ c &=& d \end{eqnarray}",
        r"\begin{array}{rcl} a &=& b \\ c &=& d \end{array}",
    ),
    (
        r"\begin{alignat}{2} a &= b \end{alignat}",
        r"\begin{alignedat}{2} a &= b \end{alignedat}",
    ),
    (
        r"\begin{alignedat} [ t ] { 2 } a & = b \end{alignedat}",
        r"\begin{aligned} a &= b \end{aligned}",
    ),
    (r"\begin{align} [x] &= 1 \end{align}", r"[x]=1"),
    (r"a \lt b \gt c", "a<b>c"),
    (r"\left\lt x \right\gt", r"\left<x\right>"),
    (r"\genfrac{(}{)}{0pt}{0}{a}{b}", r"\dbinom{a}{b}"),
    (r"\genfrac { } { } { } { } { a } { b }", r"\frac{a}{b}"),
    (r"x \tag{1}", r"x \qquad \text{(1)}"),
    (r"x \tag * { a $ b $ }", r"x \qquad \text{a$b$}"),
    (r"x\vspace*{1mm}", "x"),
    (r"x \vspace * { 1 m m } \vspace{3pt}\vspace*{-2pt}\vspace{1em}" * 2, "xx"),
    (r"\o\AA\ae", r"\text{\o}\text{\AA}\text{\ae}"),
    (r"\begin{array}[h]{c} a \\ b \end{array}", r"\begin{array}{c} a \\ b \end{array}"),
]


def test_rendering_of_equivalent_markup_is_equal(tex):
    found = tex.render_batch([formula for pair in PAIRS for formula in pair])
    for pair, first, second in zip(PAIRS, found[::2], found[1::2], strict=True):
        assert (pair, first.failure) == (pair, None)
        assert first.png == second.png, pair


@pytest.mark.parametrize("engine", ["tex", "builtin"])
def test_character_without_latex_fails_by_name(engine):
    if engine == "builtin":
        pytest.importorskip("matplotlib", reason="needs matplotlib (engine builtin)")
    formulas = ["x☃", "漢", r"\text{漢}", "x\u0301\u0363", "\U0001f4a3", "Ж"]
    with open_renderer(engine, workers=1) as renderer:
        for found in renderer.render(formulas):
            assert found.png is None
            assert "U+" in found.failure.reason


def test_rendering_of_substack_stacks_lines(tex):
    two, one = tex.render([r"\sum_{\substack{i<j \\ k<l}} x", r"\sum_{i<j} x"])
    assert two.pixels.shape[0] > one.pixels.shape[0] + 10
    assert two.pixels.shape[1] <= one.pixels.shape[1] + 2


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        (r"\mathscr{La}", "the font rsfs10 has no character a"),
        (r"x + \mathscr{1}", "the font rsfs10 has no character 1"),
        (r"\phantom{\mathscr{a}}x", "the font rsfs10 has no character a"),
        (r"\begin{matrix}\mathscr{L}&\mathscr{a}\end{matrix}", "rsfs10 has no character a"),
    ],
)
def test_missing_font_character_fails_its_formula_only(tex, alone, formula, reason):
    found = tex.render_batch([NEIGHBOURS[0], formula, NEIGHBOURS[1], formula, formula])
    assert [item.png for item in found[::2][:2]] == [alone[text] for text in NEIGHBOURS[:2]]
    for item in (found[1], *found[3:]):
        assert item.failure.cause is Cause.TEX
        assert reason in item.failure.reason


def test_overlapping_rules_are_limited(tex):
    (found,) = tex.render([r"\rule{9in}{1in}\kern-9in" * 60 + "x"])
    assert found.failure.cause is Cause.LIMIT
    assert "rules" in found.failure.reason


def test_slow_formulas_leave_neighbours_unchanged(alone, monkeypatch):
    """The bound on work switched off: TeX runs out of its time, twice in one batch."""
    monkeypatch.setattr(sanitizer, "sanitize", lambda text: text)
    slow = r"\boldsymbol{" * 12 + "x" + "}" * 12
    renderer = TexRenderer(workers=1, limits=SandboxLimits(seconds=2))
    try:
        found = renderer.render_batch([NEIGHBOURS[0], slow, NEIGHBOURS[1], slow, NEIGHBOURS[2]])
    finally:
        renderer.close()
    assert [item.png for item in found[::2]] == [alone[text] for text in NEIGHBOURS[:3]]
    assert [item.failure.cause for item in found[1::2]] == [Cause.LIMIT] * 2


@pytest.mark.parametrize("name", ["a,b;c:d{e,f}", "~ #%&", "ä€ $HOME"])
def test_working_folder_may_have_any_name(tmp_path, monkeypatch, name, alone):
    folder = tmp_path / name
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with open_renderer("tex", workers=1) as renderer:
        assert Path(renderer.folder).parent == folder
        (found,) = renderer.render(NEIGHBOURS[:1])
    assert found.png == alone[NEIGHBOURS[0]]
    assert not list(folder.iterdir())


def test_invisible_markup_does_not_move_pixels(tex):
    plain, spaced = tex.render(["x+y", r"x+y\,\quad"])
    assert plain.png == spaced.png


def test_rendering_of_whole_normalised_formulas(tex):
    found = list(
        tex.render(
            [
                r"\operatorname { s i n } x",
                r"\operatorname* { l i m } _ { x }",
                r"a \hspace { - 0 . 3 c m } b",
                r"\matrix { a & b \cr c & d }",
                r"\mathrm { { \boldmath ~ e ~ } }",
                r"x \label { eq } \ref { eq }",
                r"a \kern - 0 . 4 5 e m b \vspace { 1 m m } \vspace { - 3 p t }",
                r"\copyright \pounds \S \text{\textdegree \textbullet}",
                r"\text{\$5 \pounds} \textit{\$ \pounds} \textbf{\$} \textsf{\$} \texttt{\$}",
                "x \\ ",
                "x \\",
                r"\begin{array} { l } { { a } } \\ { b } \\ \end{array}",
            ]
        )
    )
    assert [item.failure for item in found] == [None] * len(found)


@pytest.mark.parametrize(
    ("formula", "cause", "reason"),
    [
        (r"x^2^3", Cause.TEX, "Double superscript"),
        (r"\frac{a}", Cause.TEX, "Missing } inserted"),
        (r"\quad", Cause.BLANK, "no ink"),
        (r"\foo", Cause.REFUSED, r"\foo"),
        ("{", Cause.UNREADABLE, "closing brace"),
        (r"\rule{9000pt}{9000pt}", Cause.LIMIT, "pixels"),
    ],
)
def test_rendering_failure_causes(tex, formula, cause, reason):
    (found,) = tex.render([formula])
    assert found.png is None
    assert found.pixels is None
    assert found.failure.cause is cause
    assert reason in found.failure.reason


# What is drawn after all, because nothing in it is harmful once it is read as a formula.
HARMLESS = {
    "comment at the end",
    "comment that hides the end",
    "carriage return",
    "label",
    "many accents",
    "column repeated",
    "many lines of a table",
    "largest font",
    "endless lengths",
    "equation inside",
}


def test_attacks_leave_neighbours_unchanged(tex, alone, tmp_path, monkeypatch):
    """Each attack between two formulas: their renderings are unchanged, no file appears."""
    monkeypatch.chdir(tmp_path)
    before = set(os.listdir("/tmp")), set(os.listdir(tex.folder))
    drawn = set()
    for start in range(0, len(ATTACKS), 12):
        some = list(ATTACKS.items())[start : start + 12]
        # neighbour, attack, neighbour, attack, …, neighbour
        around = [NEIGHBOURS[(start + k) % len(NEIGHBOURS)] for k in range(len(some) + 1)]
        formulas = [around[0]]
        for (_, attack), neighbour in zip(some, around[1:], strict=True):
            formulas += [attack, neighbour]
        found = tex.render_batch(formulas)
        assert [item.png for item in found[::2]] == [alone[formula] for formula in around]
        for (name, _), item in zip(some, found[1::2], strict=True):
            assert (item.png is None) != (item.failure is None), name
            drawn |= {name} if item.png else set()
    assert drawn <= HARMLESS
    assert set(os.listdir(tex.folder)) == before[1]
    new = set(os.listdir("/tmp")) - before[0]
    assert not [name for name in new if "was-here" in name or "evil" in name]
    assert os.listdir(tmp_path) == []


def test_attacks_in_one_batch_are_contained(tex, alone):
    rng = random.Random(0)
    formulas = [*ATTACKS.values(), *NEIGHBOURS * 12]
    rng.shuffle(formulas)
    found = list(tex.render(formulas))
    assert len(found) == len(formulas)
    for formula, item in zip(formulas, found, strict=True):
        if formula in alone:
            assert item.png == alone[formula]


def test_batch_equals_single_renderings(tex):
    """Broken and sound ones of many kinds, in any order, in one batch and singly."""
    rng = random.Random(1)
    broken = [
        r"x^2^3",
        r"\frac{a}",
        r"\left( x \over",
        r"x _",
        r"\sqrt",
        r"\hbox",
        r"a & b",
        r"\begin{array}{c} a & b \end{array}",
        r"\mathbb",
        r"\limits",
        r"\hspace{x}",
        r"\over \over",
        r"\begin{cases} a \\ b",
        r"\hat",
        r"\kern",
        r"\text{$}",
        r"\left",
    ]
    sound = [
        r"\mathscr{L}",
        r"\mathtt{a} \mathsf{b} \mathit{c} \mathbf{d}",
        r"\tiny x",
        r"\boldmath x",
        r"{\bf x} y",
        r"\sum_i^n \prod",
        r"\displaystyle \int",
        "x'''",
        r"\begin{cases} a & b \\ c & d \end{cases}",
        r"\not= \neq",
        r"\Huge x",
        r"\AA \o",
        r"\bm{\Gamma}",
        r"\mbox{\boldmath$x$}",
        r"\mbox{\tiny a b}",
        "\\text{é ö ß}",
        r"\xrightarrow[a]{b}",
        r"\sideset{_a^b}{_c^d}\sum",
        r"\cfrac{1}{2}",
        r"\ddots",
    ]
    formulas = [*broken, *sound, *NEIGHBOURS] * 2
    rng.shuffle(formulas)
    singly = {formula: tex.render_batch([formula])[0] for formula in set(formulas)}
    for formula, item in zip(formulas, tex.render_batch(formulas), strict=True):
        assert item == singly[formula], formula
    assert all(singly[formula].failure for formula in broken)
    assert not any(singly[formula].failure for formula in sound)


def test_tex_without_sanitizer_is_contained(tex, alone, monkeypatch):
    """The allow-list switched off: the format has no names for files, and limits end the rest."""
    monkeypatch.setattr(sanitizer, "sanitize", lambda text: text)
    monkeypatch.setattr(tex, "limits", SandboxLimits(seconds=2))
    for attack in (
        r"\input{/etc/passwd}",
        r"\input /etc/passwd ",
        r"\newread\f\openin\f=/etc/passwd ",
        r"\newwrite\f\immediate\openout\f=evil.txt ",
        r"\special{ps: quit}",
        r"\pdffiledump length 9 {/etc/passwd}",
        r"\scantokens{x}",
        r"\font\x=nosuchfont \x a",
        r"\def\x{\x}\x",
        r"\def\x{x\x}\x",
        r"\loop\iftrue\repeat",
        r"\csname @@end\endcsname",
        "{" * 10_000 + "}" * 10_000,
        r"\frac",
    ):
        found = tex.render_batch([NEIGHBOURS[0], attack, NEIGHBOURS[1]])
        assert found[1].failure is not None, attack
        assert found[0].png == alone[NEIGHBOURS[0]], attack
        assert found[2].png == alone[NEIGHBOURS[1]], attack


def test_tex_without_sanitizer_lacks_removed_primitives(tex, monkeypatch):
    """`\\csname` of a lost name is `\\relax`: the file's name is drawn, not the file."""
    monkeypatch.setattr(sanitizer, "sanitize", lambda text: text)
    (name,) = tex.render_batch(["/etc/passwd"])
    for lost in ("input", "@@input", "tex_input:D", "include", "scantokens"):
        assert tex.render_batch([rf"\csname {lost}\endcsname/etc/passwd "])[0].png == name.png


def test_tex_has_no_shell_escape(tex, monkeypatch, tmp_path):
    monkeypatch.setattr(sanitizer, "sanitize", lambda text: text)
    mark = tmp_path / "mark"
    tex.render_batch([rf"x\immediate\write18{{touch {mark}}}"])
    assert not mark.exists()


def test_stream_is_rendered_in_order_and_on_demand(tex):
    taken = []

    def formulas():
        for number in range(3000):
            taken.append(number)
            yield str(number)

    stream = tex.render(formulas())
    first = next(stream)
    assert len(taken) < 3000
    stream.close()
    assert first.png == tex.render_batch(["0"])[0].png


def test_close_removes_the_working_folder():
    with open_renderer("tex", workers=1) as renderer:
        folder = Path(renderer.folder)
        assert folder.is_dir()
    assert not folder.exists()


def test_missing_tex_error_names_the_alternative(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(Im2TexError, match=r"latex, dvipng, kpsewhich.*apt-get.*--engine builtin"):
        TexRenderer()
