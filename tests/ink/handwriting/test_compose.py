r"""Layouts written by hand: where symbols come to lie, which samples stand for them."""

from dataclasses import replace

import numpy as np
import pytest

from im2tex.ink.glyphs import GlyphBank, GlyphSample, built_in_bank
from im2tex.ink.handwriting import NATURAL, PAPER, Composer
from im2tex.ink.handwriting.fitting import (
    RadicalStrokes,
    StretchedStrokes,
    fit_radical,
    fit_scales,
    radical_bar_start,
    stretch_to_box,
)
from im2tex.ink.handwriting.overlaps import resolve_overlaps
from im2tex.ink.handwriting.spacing import HorizontalSpacing
from im2tex.render.layout.layout import UNIT, Layout, PlacedSymbol, SymbolKind


def line(*points):
    return np.array(points, np.float32)


SQUARE = (line((0, 0), (1, 0), (1, 1), (0, 1), (0, 0)),)
TALL = (line((0, 0), (0.5, 0), (0.5, 1), (0, 1), (0, 0)),)
FLAT = (line((0, 0), (1, 0.02)),)


def symbol(token, position, box, kind=SymbolKind.SYMBOL, inner=None):
    return PlacedSymbol(token, position, kind, 0, "", box, box[3], inner)


# a over b with a bar between them
FRACTION = Layout.of(
    ("\\frac", "{", "a", "}", "{", "b", "}"),
    (
        symbol("\\frac", 0, (0, 100, 200, 105), SymbolKind.RULE),
        symbol("a", 2, (60, 0, 140, 80)),
        symbol("b", 5, (60, 120, 140, 220)),
    ),
)
BANK = GlyphBank.of(
    [
        *(GlyphSample("a", SQUARE, "test", writer) for writer in ("ann", "bob", "ann")),
        GlyphSample("b", TALL, "test", "ann"),
        *(GlyphSample("b", SQUARE, "test", "bob") for _ in range(9)),
        GlyphSample("\\frac", FLAT, "test", "ann"),
    ]
)


def boxes(ink):
    return {one.position: box for one, box in zip(ink.symbols, ink.symbol_boxes, strict=True)}


def test_compose_symbols_have_positions_and_tokens():
    ink = Composer(BANK, PAPER).compose(FRACTION, np.random.default_rng(0))
    assert [(s.token, s.position) for s in ink.symbols] == [("-", 0), ("a", 2), ("b", 5)]
    found = boxes(ink)
    for one in FRACTION.placed:
        left, top, right, bottom = one.box
        middle = (left + right) / 2, (top + bottom) / 2
        own = found[one.position]
        assert (own[:2] + own[2:]) / 2 == pytest.approx(middle, abs=3)
    assert found[0][2] - found[0][0] == pytest.approx(200, abs=1)  # the bar spans its place
    assert found[2] == pytest.approx((60, 0, 140, 80), abs=1)  # a square in a square place


def test_fit_scales_limits_stretch():
    tall = np.array([[0.5, 1.0]], np.float32)  # half as wide as high
    boxes = np.array([[100.0, 100.0]])
    assert fit_scales(boxes, tall, 1.25)[0] * tall[0] == pytest.approx((100, 200 / 1.25))
    assert fit_scales(boxes, tall, float("inf"))[0] * tall[0] == pytest.approx((100, 100))


def test_compose_is_deterministic():
    composer = Composer(BANK, NATURAL)
    first, again, other = (
        composer.compose(FRACTION, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    for one, two in zip(first.strokes, again.strokes, strict=True):
        assert np.array_equal(one, two)
    assert any(
        not np.allclose(one, two) for one, two in zip(first.strokes, other.strokes, strict=True)
    )


def test_compose_natural_prefers_one_writer():
    word = Layout.of(
        ("b",) * 40, tuple(symbol("b", k, (k * 90, 0, k * 90 + 80, 80)) for k in range(40))
    )

    def tall(style, seed):
        ink = Composer(BANK, style).compose(word, np.random.default_rng(seed))
        sizes = [np.ptp(stroke, axis=0) for stroke in ink.strokes]
        return sum(height > 1.2 * width for width, height in sizes)

    # Ann draws the one tall b of ten: by chance 4 of 40, when she is the writer nearly all.
    assert np.mean([tall(PAPER, seed) for seed in range(20)]) == pytest.approx(4, abs=2)
    shares = sorted(tall(NATURAL, seed) for seed in range(20))
    assert shares[0] < 5
    assert shares[-1] > 25


def test_compose_natural_fraction_parts_stay_at_bar():
    composer = Composer(BANK, NATURAL)
    for seed in range(50):
        found = boxes(composer.compose(FRACTION, np.random.default_rng(seed)))
        upper, lower = ((found[k][1] + found[k][3]) / 2 for k in (2, 5))
        assert upper < (found[0][1] + found[0][3]) / 2 < lower
        # Rounded by slope and slant, the bar still reaches over what it divides.
        assert found[0][0] < (found[2][0] + found[2][2]) / 2 < found[0][2]


def spacing_of(boxes, extents, widening):
    columns = [*np.reshape(boxes, (-1, 2)).T, *np.reshape(extents, (-1, 2)).T]
    return HorizontalSpacing(*(np.array(column, np.float64) for column in columns), widening)


def test_spacing_stretches_narrow_boxes():
    # Places 0-10, 10-20 and 20-30; the ink of the second reaches 10 to its right instead of 5.
    spacing = spacing_of([(0, 10), (10, 20), (20, 30)], [(-5, 5), (-4, 10), (-5, 5)], widening=1)
    assert spacing(np.array([0, 15, 20, 25, 30])) == pytest.approx([0, 15, 25, 30, 35])
    assert spacing(np.array([-7, 40])) == pytest.approx([-7, 45])  # further out it only moves
    half = spacing_of([(10, 20)], [(-5, 10)], widening=0.5)
    assert half(20.0) == pytest.approx(22.5)
    assert spacing_of([(10, 20)], [(-5, 10)], widening=0)(20.0) == pytest.approx(20)
    assert spacing_of([], [], widening=1)(3.0) == pytest.approx(3)


def test_compose_widening_avoids_overlaps():
    # Squares in the places of narrow letters: 100 wide in 80, as far as they may be stretched.
    word = Layout.of(
        ("a",) * 8, tuple(symbol("a", k, (k * 90, 0, k * 90 + 70, 100)) for k in range(8))
    )

    def overlaps(style):
        found = 0
        for seed in range(20):
            ink = Composer(BANK, style).compose(word, np.random.default_rng(seed))
            own = boxes(ink)
            found += sum(own[k][2] > own[k + 1][0] for k in range(7))
        return found / 140

    assert overlaps(replace(NATURAL, widening=0.0)) > 0.2
    assert overlaps(NATURAL) < 0.05


def test_stretch_to_box_straightens_long_lines():
    steps = (line((0, 0.1), (0.4, 0.1), (0.6, 0.0), (1, 0.0)),)  # rises by a tenth of its length
    (short,) = stretch_to_box(steps, 100, 5, straight_above=100)
    (long,) = stretch_to_box(steps, 400, 5, straight_above=100)
    assert np.ptp(short, axis=0) == pytest.approx((100, 10))
    assert np.ptp(long, axis=0) == pytest.approx((400, 20))  # twice, where it is four times as long
    (as_it_is,) = stretch_to_box(steps, 400, 5)
    assert np.ptp(as_it_is, axis=0) == pytest.approx((400, 40))
    turns = [np.abs(np.diff(np.arctan2(*np.diff(one, axis=0).T))).max() for one in (as_it_is, long)]
    assert turns[1] < turns[0] / 3  # no corners are seen in it


def overlap_shifts(piece, box, others):
    """Shifts, and the piece's strokes, beside parts with a box and the y of their ink each."""
    drawn = {0: piece.draw(box)}
    low, high = np.array([(0.0, 0.0), *(ink for _, ink in others)]).T
    boxes = np.array([box, *(place for place, _ in others)], np.float64)
    return resolve_overlaps({0: piece}, boxes, low.copy(), high.copy(), drawn), drawn[0]


def test_resolve_overlaps_moves_numerator_off_bar():
    air = 0.06 * UNIT
    bar = StretchedStrokes((), np.zeros(2), np.inf, is_fraction_bar=True)
    others = [
        ((10, 60, 90, 100), (60, 102.5)),  # its ink ends on the bar
        ((110, 20, 190, 80), (20, 80)),
        ((60, 140, 140, 200), (140, 200)),
        ((220, 60, 300, 100), (60, 102.5)),  # beside the bar
    ]
    shifts, (stroke,) = overlap_shifts(bar, (0, 100, 200, 105), others)  # drawn at 102.5
    assert shifts == pytest.approx([0, -air, -air, 0, 0])
    assert stroke == pytest.approx(np.array([(0, 102.5), (200, 102.5)]))


def test_resolve_overlaps_lifts_bar_of_radical():
    air = 0.06 * UNIT
    box, content = (0, 0, 200, 120), ((90, 10, 170, 110), (0, 110))  # its ink begins at 0
    shifts, (sign,) = overlap_shifts(RadicalStrokes((), 0.0, 70), box, [content])
    assert shifts == pytest.approx([0, 0])
    assert (sign[:, 1].min(), sign[:, 1].max()) == pytest.approx((-air, 120))
    # One that ends at its lowest point has no bar; its top stands for it.
    odd = RadicalStrokes((line((0, 0.5), (0.4, 0), (1, 1)),), 0.4, 70)
    _, (sign,) = overlap_shifts(odd, box, [content])
    assert (sign[:, 1].min(), sign[:, 1].max()) == pytest.approx((-air, 120))


def test_fit_radical_hook_and_bar():
    drawn = (line((0, 0.6), (0.1, 0.55), (0.2, 1.0), (0.3, 0.0), (1.0, 0.05)),)
    assert radical_bar_start(drawn) == pytest.approx(0.3)
    (stroke,) = fit_radical(drawn, 0.3, (0, 0, 500, 100), 50)
    assert stroke[3] == pytest.approx((50, 0))  # the corner, where the content begins
    assert stroke[4] == pytest.approx((500, 5))
    assert stroke[2] == pytest.approx((50 * 0.2 / 0.3, 100))


@pytest.mark.parametrize("bank", [BANK, built_in_bank()], ids=["no root", "built-in"])
def test_compose_draws_radicals_missing_in_bank(bank):
    root = Layout.of(
        ("\\sqrt", "{", "a", "}"),
        (
            symbol("\\sqrt", 0, (0, 0, 200, 120), SymbolKind.RADICAL, (70, 20, 200, 110)),
            symbol("a", 2, (90, 30, 170, 110)),
        ),
    )
    ink = Composer(bank, PAPER).compose(root, np.random.default_rng(0))
    assert ink.symbol_boxes[0] == pytest.approx((0, 0, 200, 120), abs=8)


def test_compose_function_name_whole_or_by_letters():
    letters = tuple(
        symbol(letter, 0, (k * 60, 0, k * 60 + 50, 80), SymbolKind.LETTER)
        for k, letter in enumerate("sin")
    )
    layout = Layout.of(("\\sin",), letters)
    plain = GlyphBank.of([GlyphSample(letter, SQUARE, "test") for letter in "sin"])
    ink = Composer(plain, PAPER).compose(layout, np.random.default_rng(0))
    assert [(one.token, len(one.strokes)) for one in ink.symbols] == [("\\sin", 3)]
    whole = GlyphBank.of([GlyphSample("\\sin", FLAT, "test")])
    assert Composer(whole, PAPER).missing(layout) == []
    ink = Composer(whole, PAPER).compose(layout, np.random.default_rng(0))
    assert [(one.token, len(one.strokes)) for one in ink.symbols] == [("\\sin", 1)]


def test_composer_missing_names_symbols():
    layout = Layout.of(
        ("a", "\\aleph"), (symbol("a", 0, (0, 0, 9, 9)), symbol("\\aleph", 1, (9, 0, 18, 9)))
    )
    assert Composer(BANK).missing(layout) == ["\\aleph"]
    with pytest.raises(KeyError):
        Composer(BANK).compose(layout, np.random.default_rng(0))
