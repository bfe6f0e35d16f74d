"""The real engine: every formula's picture is its own, and so is every failure."""

import os
import random
from pathlib import Path

import numpy as np
import pytest
from helpers_render import ATTACKS, NEIGHBOURS, needs_tex

from im2tex.errors import Im2TexError
from im2tex.render import Cause, markup, open_renderer
from im2tex.render.sandbox import Limits
from im2tex.render.tex import TexRenderer

pytestmark = needs_tex


@pytest.fixture(scope="module")
def tex():
    renderer = TexRenderer(workers=2)
    yield renderer
    renderer.close()


@pytest.fixture(scope="module")
def alone(tex):
    """What each neighbour looks like when nobody else is there."""
    return {formula: tex.draw([formula])[0].png for formula in NEIGHBOURS}


def test_black_on_white_cropped_to_ink(tex):
    (found,) = tex.render(["x"])
    pixels = found.pixels
    assert pixels.dtype == np.uint8
    assert pixels.min() < 60
    for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
        assert edge.min() < 255


def test_a_rule_has_the_size_that_its_markup_says(tex):
    # 72.27 pt are an inch, 200 pixels; a rule takes every pixel that it touches.
    (found,) = tex.render([r"\rule{72.2pt}{36.1pt}"])
    assert found.pixels.shape == (100, 200)
    assert found.pixels.max() == 0


def test_a_display_as_on_the_papers_page(tex):
    over, frac, text = tex.render([r"a \over b", r"\frac{a}{b}", r"\tfrac{a}{b}"])
    assert over.png == frac.png
    assert over.pixels.shape[0] > text.pixels.shape[0]
    # Wider than the line: squeezed as TeX squeezes a display, so one more term adds no width.
    rows = ["+".join("x" * n) for n in (30, 31, 50)]
    shapes = [found.pixels.shape[1] for found in tex.render(rows)]
    assert shapes[0] < shapes[1] < shapes[2]


def test_large_symbols_have_the_sizes_of_the_authors_pages(tex):
    big, cases, dots = tex.render([r"\big|", r"\cases{a & if $b$\cr c & else}", r"a + \dots + b"])
    # \big| is two pieces of a bar: of 6 pt each in LaTeX, of 7.2 pt with amsmath.
    assert abs(big.pixels.shape[0] - 12 * 200 / 72.27) <= 1
    assert cases.failure is None
    (low,) = tex.render([r"a + \ldots + b"])
    assert dots.png == low.png


def test_markup_as_people_and_normal_forms_have_it(tex):
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


def test_invisible_markup_does_not_move_pixels(tex):
    plain, spaced = tex.render(["x+y", r"x+y\,\quad"])
    assert plain.png == spaced.png


def test_wholes_of_normalised_markup(tex):
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
def test_failures_are_named(tex, formula, cause, reason):
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


def test_attacks_leave_their_neighbours_as_they_are(tex, alone, tmp_path, monkeypatch):
    """Each attack between two formulas; nothing moves, nothing appears, nobody stops."""
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
        found = tex.draw(formulas)
        assert [item.png for item in found[::2]] == [alone[formula] for formula in around]
        for (name, _), item in zip(some, found[1::2], strict=True):
            assert (item.png is None) != (item.failure is None), name
            drawn |= {name} if item.png else set()
    assert drawn <= HARMLESS
    assert set(os.listdir(tex.folder)) == before[1]
    new = set(os.listdir("/tmp")) - before[0]
    assert not [name for name in new if "was-here" in name or "evil" in name]
    assert os.listdir(tmp_path) == []


def test_all_attacks_in_one_batch(tex, alone):
    rng = random.Random(0)
    formulas = [*ATTACKS.values(), *NEIGHBOURS * 12]
    rng.shuffle(formulas)
    found = list(tex.render(formulas))
    assert len(found) == len(formulas)
    for formula, item in zip(formulas, found, strict=True):
        if formula in alone:
            assert item.png == alone[formula]


def test_a_batch_is_what_each_is_alone(tex):
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
    singly = {formula: tex.draw([formula])[0] for formula in set(formulas)}
    for formula, item in zip(formulas, tex.draw(formulas), strict=True):
        assert item == singly[formula], formula
    assert all(singly[formula].failure for formula in broken)
    assert not any(singly[formula].failure for formula in sound)


def test_without_the_filter_tex_is_held_by_the_next_layer(tex, alone, monkeypatch):
    """The allow-list switched off: the format has no names for files, and limits end the rest."""
    monkeypatch.setattr(markup, "prepare", lambda text: text)
    monkeypatch.setattr(tex, "limits", Limits(seconds=2))
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
        found = tex.draw([NEIGHBOURS[0], attack, NEIGHBOURS[1]])
        assert found[1].failure is not None, attack
        assert found[0].png == alone[NEIGHBOURS[0]], attack
        assert found[2].png == alone[NEIGHBOURS[1]], attack


def test_without_the_filter_lost_names_stay_lost(tex, monkeypatch):
    """`\\csname` of a lost name is `\\relax`: the file's name is drawn, not the file."""
    monkeypatch.setattr(markup, "prepare", lambda text: text)
    (name,) = tex.draw(["/etc/passwd"])
    for lost in ("input", "@@input", "tex_input:D", "include", "scantokens"):
        assert tex.draw([rf"\csname {lost}\endcsname/etc/passwd "])[0].png == name.png


def test_no_shell(tex, monkeypatch, tmp_path):
    monkeypatch.setattr(markup, "prepare", lambda text: text)
    mark = tmp_path / "mark"
    tex.draw([rf"x\immediate\write18{{touch {mark}}}"])
    assert not mark.exists()


def test_a_stream_comes_in_order_and_on_demand(tex):
    taken = []

    def formulas():
        for number in range(3000):
            taken.append(number)
            yield str(number)

    stream = tex.render(formulas())
    first = next(stream)
    assert len(taken) < 3000
    stream.close()
    assert first.png == tex.draw(["0"])[0].png


def test_the_working_folder_goes_with_the_renderer():
    with open_renderer("tex", workers=1) as renderer:
        folder = Path(renderer.folder)
        assert folder.is_dir()
    assert not folder.exists()


def test_no_tex_is_said_with_the_way_out(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(Im2TexError, match=r"latex, dvipng, kpsewhich.*apt-get.*--engine builtin"):
        TexRenderer()
