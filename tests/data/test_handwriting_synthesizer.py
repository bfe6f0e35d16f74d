"""The ink of one formula, with every kind of symbol, at fixed random numbers."""

import numpy as np
import pytest

from im2tex.data.geometry import VERTICAL, Geometry
from im2tex.data.handwriting_synthesizer import HandwritingSynthesizer
from im2tex.data.sample import Sample, StoredLayout
from im2tex.ink.glyphs import built_in_bank
from im2tex.ink.handwriting import NATURAL, PAPER, Composer, HandwritingStyle
from im2tex.render.layout.layout import Layout, PlacedSymbol, SymbolKind

MARKUP = (
    r"\arg x _ { 2 } = \frac { \sqrt { a b } } { \overline { c d } } \left( y \right) + \vec { z }"
    r" \overrightarrow { p q }"
)
TOKENS = tuple(MARKUP.split())


def part(token, box, kind=SymbolKind.SYMBOL, position=None, level=0, inner=None):
    position = TOKENS.index(token) if position is None else position
    return PlacedSymbol(token, position, kind, level, "", box, box[3], inner)


PARTS = [
    part("a", (0, 160, 50, 220), SymbolKind.LETTER, position=0),
    part("r", (60, 140, 80, 220), SymbolKind.LETTER, position=0),
    part("g", (90, 160, 150, 220), SymbolKind.LETTER, position=0),
    part("x", (180, 160, 240, 220)),
    part("2", (250, 190, 285, 240), level=1),
    part("=", (320, 175, 410, 205)),
    part("\\frac", (450, 190, 720, 195), SymbolKind.RULE),
    part("\\sqrt", (480, 60, 700, 170), SymbolKind.RADICAL, inner=(550, 75, 700, 160)),
    part("a", (560, 100, 620, 160)),
    part("b", (630, 80, 690, 160)),
    part("\\overline", (510, 205, 660, 210), SymbolKind.RULE),
    part("c", (520, 220, 570, 280)),
    part("d", (580, 215, 640, 280)),
    part("(", (740, 100, 780, 270), SymbolKind.DELIMITER, TOKENS.index("\\left(")),
    part("y", (790, 160, 850, 240)),
    part(")", (860, 100, 900, 270), SymbolKind.DELIMITER, TOKENS.index("\\right)")),
    part("+", (930, 150, 1010, 230)),
    part("\\vec", (1040, 120, 1090, 140), SymbolKind.ACCENT),
    part("z", (1035, 160, 1095, 220)),
    part("\\overrightarrow", (1130, 100, 1360, 135), SymbolKind.ACCENT),
    part("p", (1140, 160, 1210, 245)),
    part("q", (1230, 160, 1300, 245)),
]
LAYOUT = Layout.of(TOKENS, tuple(sorted(PARTS, key=lambda one: (one.position, one.box[0]))))
SAMPLE = Sample("formula", "", TOKENS, layout=StoredLayout(LAYOUT, 1.0, 1.0, 1.0))


# Ink of validation and tests must not change between versions: results would not be comparable.
# The numbers below are those of commit 24cdf9c.
BOXES = [
    (13.8, 146.8, 206.0, 229.5),
    (255.1, 179.6, 320.3, 225.7),
    (346.0, 200.3, 385.2, 254.0),
    (440.5, 181.3, 520.3, 209.9),
    (585.8, 212.6, 936.2, 220.1),
    (620.5, 75.0, 915.9, 187.0),
    (734.8, 126.7, 799.6, 173.4),
    (831.7, 91.7, 892.5, 173.0),
    (658.0, 225.7, 857.5, 230.1),
    (677.7, 237.0, 736.0, 296.9),
    (763.4, 234.0, 822.5, 301.4),
    (968.1, 120.8, 1011.7, 295.2),
    (1029.9, 176.9, 1092.6, 260.5),
    (1112.2, 126.0, 1155.6, 300.3),
    (1222.4, 188.1, 1286.7, 252.2),
    (1335.9, 155.0, 1385.9, 175.0),
    (1336.0, 178.2, 1401.1, 255.6),
    (1450.8, 132.2, 1738.3, 167.2),
    (1471.7, 196.4, 1539.4, 280.8),
    (1580.8, 188.1, 1657.2, 280.5),
]
LENGTHS = [
    (PAPER, [4712.89, 4797.08, 4580.47, 4568.90, 4516.95, 4691.21, 4654.62, 4722.51]),
    (NATURAL, [4859.03, 4873.04, 5128.43, 5375.24, 4716.70, 4961.23, 4380.60, 4322.96]),
]


def ink_of(style, seed):
    return HandwritingSynthesizer(Composer(built_in_bank(), style), seed)(SAMPLE)


def test_evaluation_ink_has_kept_boxes():
    ink = ink_of(NATURAL, 5)
    assert ink.symbol_boxes == pytest.approx(np.array(BOXES), abs=0.06)


@pytest.mark.parametrize(("style", "kept"), LENGTHS, ids=["paper", "natural"])
def test_evaluation_ink_has_kept_lengths(style, kept):
    lengths = [
        sum(np.hypot(*np.diff(stroke, axis=0).T).sum() for stroke in ink_of(style, seed).strokes)
        for seed in range(len(kept))
    ]
    assert lengths == pytest.approx(kept, abs=0.05)


# Logarithms of width, height, median symbol size and length of strokes: means and standard
# deviations of 2000 inks by commit 24cdf9c.
MEANS = [7.3745, 5.4681, 4.3827, 8.4727]
DEVIATIONS = np.array([0.1142, 0.0568, 0.0447, 0.0532])


def test_training_ink_has_kept_distribution():
    # A given writer means training: random numbers are drawn in blocks.
    composer, count = Composer(built_in_bank(), NATURAL), 400
    draws = np.random.default_rng(0).random((count, HandwritingStyle.WRITER_DRAWS))
    writers = NATURAL.writers(draws)
    found = []
    for k in range(count):
        ink = composer.compose(LAYOUT, np.random.default_rng(k), writers.writer(k))
        left, top, right, bottom = ink.bounds
        places = ink.symbol_boxes
        size = np.median((places[:, 2:] - places[:, :2]).max(axis=1))
        length = sum(np.hypot(*np.diff(stroke, axis=0).T).sum() for stroke in ink.strokes)
        found.append(np.log([right - left, bottom - top, size, length]))
    means, deviations = np.mean(found, axis=0), np.std(found, axis=0)
    # Four standard errors of 400 inks.
    assert (np.abs(means - MEANS) < 4 * DEVIATIONS / np.sqrt(count)).all()
    assert deviations == pytest.approx(DEVIATIONS, rel=4 / np.sqrt(2 * count))


def test_extents_estimate_size_of_composed_ink():
    synthesizer = HandwritingSynthesizer(Composer(built_in_bank(), NATURAL))
    writers = synthesizer.writers(np.arange(100), epoch=1)
    bounds = []
    for k in range(100):
        ink = synthesizer.compose(SAMPLE, np.random.default_rng(k), writers.writer(k))
        bounds.append(ink.bounds)
    left, top, right, bottom = np.array(bounds).T
    geometry = Geometry.of([SAMPLE] * 100)
    assert (geometry.layout_width[0], geometry.layout_height[0]) == (1360, 220)
    widths = synthesizer.extents(geometry.layout_width, geometry.layout_height, writers)
    for estimated, actual in ((widths[:, 0], right - left), (widths[:, VERTICAL], bottom - top)):
        error = np.log(estimated / actual)
        assert abs(np.median(error)) < 0.07
        assert error.std() < 0.07
