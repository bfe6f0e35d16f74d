"""Layouts from TeX: boxes, tokens and kinds of all ink."""

import itertools
import os

import numpy as np
import pytest
from render_samples import ATTACKS, NEIGHBOURS, needs_tex

from benchmarks.layout_draw import draw_layout
from im2tex.errors import Im2TexError
from im2tex.render import Cause, Failure, open_renderer
from im2tex.render.layout.layout import UNIT, Layout, SymbolKind
from im2tex.render.layout.layouter import TexLayouter
from im2tex.render.markup import allowlist
from im2tex.render.tex.sandbox import SandboxLimits

pytestmark = needs_tex
DELIMITER = SymbolKind.DELIMITER

# Formulas with everything that DVI does not name: composites, names, stacks of pieces, bars.
FORMULAS = [
    r"\sqrt [ 3 ] { x ^ { 2 } + 1 } \neq \hat { f } ^ { 2 } + \widetilde { A B }",
    r"\overline { x + y } \underbrace { a + b } _ { n } \overrightarrow { A B }",
    r"\xrightarrow [ a ] { n \to \infty } \operatorname* { l i m } _ { x \to 0 } \sin x",
    r"\varlimsup _ { n } b \bmod c \pmod { n } \text { if $ x > 0 $ -- fi }",
    r"\left\{ \begin{array} { l | c } { a } & { b } \\ \hline { c } & { d } \\ \end{array} \right.",
    r"\left( \begin{matrix} { a } \\ { \vdots } \\ { c } \\ { d } \\ { e } \\ \end{matrix} \right)",
    r"\binom { n } { k } { a \over b } { n \choose k } x '' + f ' _ { i } \not= \notin \cong \hbar",
    r"\mathrm { f i n a l ~ o f f } \mathbb { R } \mathcal { L } \rule { 1 c m } { 2 p t }",
    r"\iint _ { D } \prod _ { i = 1 } ^ { n } \frac { \frac { a } { b } } { \sqrt { c } } \ddots",
    r"\begin{pmatrix} a & b \\ c & d \end{pmatrix} \begin{cases} x & y \\ z & w \end{cases}",
    r"\boxed { E = m c ^ { 2 } } \substack { a \\ b } \left\langle x \middle| y \right] \Big (",
    r"\pmb { x } \iff \longmapsto \hookrightarrow \AA \underline { x } \stackrel { d } { = }",
    r"\sideset { _ 1 ^ 2 } { _ 3 ^ 4 } \sum \buildrel a \over = \root 3 \of { x }",
    r"E { { { \tilde { f } } _ { d } } } ^ { 2 } \mathop { A } \limits _ { b } \Biggr | x",
]


# Deep without braces: Python's calls would not reach so far.
DEEP = ["accents without braces", "fractions without braces", "columns within columns"]


@pytest.fixture(scope="module")
def layouter():
    with TexLayouter(workers=2) as found:
        yield found


def layouts_of(layouter, *formulas):
    found = list(layouter.layout(formulas))
    for formula, layout in zip(formulas, found, strict=True):
        assert isinstance(layout, Layout), (formula, layout)
    return found


def tokens_by_position(layout):
    """The tokens of the symbols at each position."""
    ordered = sorted(layout.placed, key=lambda one: one.position)
    groups = itertools.groupby(ordered, key=lambda one: one.position)
    return {position: [one.token for one in ones] for position, ones in groups}


def symbol_at(layout, position):
    (found,) = [one for one in layout.placed if one.position == position]
    return found


SILENT = {
    "\\" + name
    for name in (
        *("quad", "qquad", "enspace", "enskip", "thinspace", "negthinspace", "medspace", "space"),
        *("negmedspace", "thickspace", "negthickspace", "mathstrut", "strut", "null", "hfill"),
        *("hfil", "relax", "protect", "nobreak", "allowbreak", "nonscript", "smallskip"),
        *("medskip", "bigskip", "joinrel"),
    )
}
# Errors of TeX's outside of text.
IN_TEXT = {r"\aa", r"\textasciitilde", r"\leftarrowfill", r"\rightarrowfill"}
SPELLED = {r"\bmod": "mod", r"\pmod": "(mod)", r"\pod": "()"}
SPELLED |= dict.fromkeys([r"\varinjlim", r"\varliminf", r"\varlimsup", r"\varprojlim"], "lim")


def test_layout_names_every_symbol(layouter):
    characters = [c for c in map(chr, range(33, 127)) if c not in "\\{}^_#$%&~'"]
    tokens = sorted(allowlist.SYMBOLS - SILENT - IN_TEXT) + characters
    tokens += [r"\{", r"\}", r"\|", r"\#", r"\$", r"\%", r"\&", r"\_"]
    layouts = layouts_of(layouter, *(f"x {token} y" for token in tokens))
    spelled = set()
    for token, layout in zip(tokens, layouts, strict=True):
        found = tokens_by_position(layout)
        assert found.pop(0) == ["x"], token
        assert found.pop(2) == ["y"], token
        (own,) = found.values()
        if own != [token]:
            letters = "".join(one.token for one in layout.placed if one.kind is SymbolKind.LETTER)
            assert letters == SPELLED.get(token, token[1:])
            assert set(own) <= {*letters, token}
            spelled.add(token)
    assert {r"\sin", r"\lim", r"\Pr", *SPELLED} <= spelled


def test_layout_skips_invisible_commands(layouter):
    for layout in layouts_of(layouter, *(f"x {token} y" for token in sorted(SILENT))):
        assert [one.token for one in layout.placed] == ["x", "y"]


def test_layout_boxes_cover_exactly_the_ink(layouter):
    formulas = FORMULAS + NEIGHBOURS
    with open_renderer("tex", dpi=400, workers=1) as renderer:
        pictures = [found.pixels for found in renderer.render(formulas)]
    scale = 12 / 72.27 * 400 / UNIT
    layouts = layouts_of(layouter, *formulas)
    for formula, layout, picture in zip(formulas, layouts, pictures, strict=True):
        width, height = (max(one.box[side] for one in layout.placed) for side in (2, 3))
        assert abs(width * scale - picture.shape[1]) < 3, formula
        assert abs(height * scale - picture.shape[0]) < 3, formula
        ink = np.pad(picture < 128, 2)
        covered = np.zeros_like(ink)
        for one in layout.placed:
            left, top, right, bottom = (side * scale for side in one.box)
            inside = np.s_[int(top) : int(bottom) + 5, int(left) : int(right) + 5]
            covered[inside] = True
            # The ink reaches each side of the box.
            for lines in (ink[inside].any(axis=0), ink[inside].any(axis=1)):
                assert lines[:6].any(), (formula, one)
                assert lines[-6:].any(), (formula, one)
        assert not (ink & ~covered).any(), formula


def test_layout_sizes_and_baselines(layouter):
    (layout,) = layouts_of(
        layouter, r"a ^ { b ^ { c } } + \frac { d } { e } + \sum _ { f } \sqrt { g }"
    )
    levels = {one.token: one.level for one in layout.placed}
    assert [levels[token] for token in "abcdef"] == [0, 1, 2, 0, 0, 1]
    lines = {one.token: one.baseline for one in layout.placed}
    assert len({lines[token] for token in ("a", "+", r"\frac", r"\sum", r"\sqrt", "g")}) == 1
    assert lines["c"] < lines["b"] < lines["a"] < lines["f"]
    assert lines["d"] < lines["a"] < lines["e"]
    # In text size: an em is 12 points, and so is the letter's font.
    a = symbol_at(layout, 0)
    assert 0.4 * UNIT < a.box[3] - a.box[1] < 0.5 * UNIT


def test_layout_bar_in_script_has_its_level_and_baseline(layouter):
    (layout,) = layouts_of(layouter, r"x ^ { y + \frac { 1 } { 2 } + \overline { z } }")
    found = {one.token: one for one in layout.placed}
    for token in (r"\frac", r"\overline"):
        assert (found[token].level, found[token].kind) == (1, SymbolKind.RULE)
        assert found[token].baseline == found["y"].baseline
    assert found["1"].level == 2


def test_layout_name_is_letters_at_one_position(layouter):
    (layout,) = layouts_of(layouter, r"\sin x + \operatorname { d i m } V")
    sines = [one for one in layout.placed if one.position == 0]
    assert [(one.token, one.kind) for one in sines] == [(c, SymbolKind.LETTER) for c in "sin"]
    assert [tokens_by_position(layout)[position] for position in (5, 6, 7)] == [["d"], ["i"], ["m"]]


def test_layout_splits_ligatures(layouter):
    (layout,) = layouts_of(layouter, r"\mathrm { o f f i c e }")
    letters = layout.placed
    assert [one.token for one in letters] == list("office")
    for before, after in itertools.pairwise(letters):
        assert before.box[2] <= after.box[0] + 12


def test_layout_of_adjacent_ligatures(layouter):
    word = "f i " * 300
    (layout,) = layouts_of(layouter, rf"\text {{ {word} }}".replace(" ", ""))
    assert [one.token for one in layout.placed] == ["f", "i"] * 300


def test_layout_tall_bracket_is_one_symbol(layouter):
    rows = r" { a } \\" * 9
    (layout,) = layouts_of(layouter, rf"\left( \begin{{matrix}}{rows} \end{{matrix}} \right]")
    left, right = [one for one in layout.placed if one.kind is DELIMITER]
    assert (left.token, right.token) == ("(", "]")
    assert left.position == 0
    assert layout.tokens[right.position] == r"\right]"
    assert left.box[3] - left.box[1] > 9 * UNIT


def test_layout_brackets_of_commands_and_environments(layouter):
    binom, matrix, plain, cases = layouts_of(
        layouter,
        r"\binom { n } { k }",
        r"\begin{pmatrix} a \\ b \end{pmatrix}",
        r"\pmatrix { a \cr b }",
        r"\left\{ \begin{cases} { x } & { y } \\ { z } & { w } \\ \end{cases} \right.",
    )
    brackets = [
        (one.token, one.position) for one in binom.placed if one.kind is SymbolKind.DELIMITER
    ]
    assert brackets == [("(", 0), (")", 0)]
    brackets = [
        (one.token, one.position) for one in matrix.placed if one.kind is SymbolKind.DELIMITER
    ]
    assert brackets == [("(", 0), (")", 4)]
    brackets = [
        (one.token, one.position) for one in plain.placed if one.kind is SymbolKind.DELIMITER
    ]
    assert brackets == [("(", 0), (")", 0)]
    # The normal form has the brace twice; the layout has it once.
    brackets = [
        (one.token, one.position) for one in cases.placed if one.kind is SymbolKind.DELIMITER
    ]
    assert brackets == [(r"\{", 0)]


def test_layout_radical_has_its_content_box(layouter):
    (layout,) = layouts_of(layouter, r"\sqrt [ n ] { x + \frac { y } { z } }")
    root = symbol_at(layout, 0)
    assert root.kind is SymbolKind.RADICAL
    left, top, right, bottom = root.inner
    for token in ("x", "+", r"\frac", "y", "z"):
        (box,) = [one.box for one in layout.placed if one.token == token]
        assert left <= box[0] < box[2] <= right
        assert top <= box[1] < box[3] <= bottom
    degree = symbol_at(layout, 2)
    assert degree.box[2] < left
    assert degree.level == 2


def test_layout_lines_of_an_array(layouter):
    (layout,) = layouts_of(
        layouter,
        r"\begin{array} { c | c } { a } & { b } \\ \hline { c } & { d } \\ \end{array}",
    )
    bar = symbol_at(layout, 3)
    line = symbol_at(layout, layout.tokens.index(r"\hline"))
    assert (bar.token, bar.kind, line.kind) == ("|", SymbolKind.RULE, SymbolKind.RULE)
    assert bar.box[3] - bar.box[1] > 20 * (bar.box[2] - bar.box[0])
    assert line.box[2] - line.box[0] > 20 * (line.box[3] - line.box[1])


def test_layout_separates_text_accent_and_letter(layouter):
    for formula in (r"\text { \' e }", r"\text { \c e }", r"\text { \d { e } }", r"\text { \v e }"):
        (layout,) = layouts_of(layouter, formula)
        accent, letter = layout.placed
        assert (accent.kind, letter.kind, letter.token) == (
            SymbolKind.ACCENT,
            SymbolKind.SYMBOL,
            "e",
        )
        assert layout.tokens[accent.position] == accent.token
        assert layout.tokens[letter.position] == "e"


def test_layout_accents_and_fonts(layouter):
    (layout,) = layouts_of(layouter, r"\hat { \mathbf { x } } \mathbb { R } { \cal A } \text { a }")
    found = {one.token: one for one in layout.placed}
    assert found[r"\hat"].kind is SymbolKind.ACCENT
    assert found[r"\hat"].baseline == found["x"].baseline
    styles = [found[token].style for token in ("x", "R", "A", "a")]
    assert styles == [r"\mathbf", r"\mathbb", r"\mathcal", r"\mathrm"]


def test_layout_of_tokens_equals_layout_of_string(layouter):
    formula = r"\frac { a } { b }"
    one, two = layouts_of(layouter, formula, formula.split())
    assert one == two
    # Markup without spaces is a single token: the names are right all the same.
    (raw,) = layouts_of(layouter, r"\frac{a}{b}")
    assert sorted(p.token for p in raw.placed) == sorted([r"\frac", "a", "b"])
    assert {p.position for p in raw.placed} == {0}


def test_layout_bytes_round_trip(layouter):
    layouts = layouts_of(layouter, *FORMULAS, *NEIGHBOURS)
    for layout in layouts:
        assert Layout.from_bytes(layout.to_bytes(), layout.tokens) == layout
    first, second = layouts[:2]
    with pytest.raises(ValueError, match="not the layout of"):
        Layout.from_bytes(first.to_bytes(), ["x"])
    with pytest.raises(ValueError, match="format 9"):
        Layout.from_bytes(b"\x09" + first.to_bytes()[1:], first.tokens)
    with pytest.raises(ValueError, match="not the layout of"):
        Layout.from_bytes(second.to_bytes()[:20], second.tokens)


def test_layout_failures_leave_neighbours_unchanged(layouter):
    alone = layouts_of(layouter, *NEIGHBOURS)
    names = ["special ps", "frame's own names", "dollars", "missing arguments at the end"]
    names += ["comment at the end", "ampersand", "negative", "far up", "many accents"]
    pairs = zip(itertools.cycle(NEIGHBOURS), map(ATTACKS.__getitem__, names), strict=False)
    mixed = [part for pair in pairs for part in pair]
    strict = TexLayouter(workers=2, limits=SandboxLimits(seconds=1))
    try:
        found = list(strict.layout(mixed))
    finally:
        strict.close()
    assert len(found) == len(mixed)
    for number, layout in enumerate(found[::2]):
        assert layout == alone[number % len(alone)]


@pytest.mark.parametrize(
    ("formula", "cause"),
    [
        *((ATTACKS[name], Cause.LIMIT) for name in DEEP),
        (r"x { ", Cause.UNREADABLE),
        (r"\immark { 0 } x", Cause.REFUSED),
        (r"\imin x", Cause.REFUSED),
        (r"\imspecial { 0 } x", Cause.REFUSED),
        (r"\special { 0 } x", Cause.REFUSED),
        (r"x ^ { 2 } ^ { 3 }", Cause.TEX),
        (r"\quad", Cause.BLANK),
        (r"\phantom { x }", Cause.BLANK),
        (r"x \hspace { 1 6 0 0 0 p t } y", Cause.LIMIT),
        ("", Cause.BLANK),
    ],
)
def test_layout_failure_causes(layouter, formula, cause):
    (found,) = layouter.layout([formula])
    assert isinstance(found, Failure)
    assert found.cause is cause
    assert found.reason


def test_draw_layout_colours_by_kind(layouter):
    (layout,) = layouts_of(layouter, r"\frac { a } { b }")
    picture = np.asarray(draw_layout(layout))
    colours = {tuple(colour) for colour in picture.reshape(-1, 3).tolist()}
    assert (214, 39, 40) in colours  # the bar
    assert (31, 119, 180) in colours  # the letters


def test_layouter_settings_errors(monkeypatch):
    with pytest.raises(Im2TexError, match="--workers"), TexLayouter(workers=0):
        pass
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(Im2TexError, match="latex"):
        TexLayouter()
