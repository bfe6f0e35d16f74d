"""A picture's lines redrawn: whatever their width, they come out as the pen's."""

import numpy as np
import pytest
from ink_factory import png, row
from PIL import Image
from scipy import ndimage

from im2tex.data.epoch_plan import EpochPlanner
from im2tex.data.geometry import Geometry
from im2tex.data.preprocessing import Preprocessing
from im2tex.data.sample import Sample
from im2tex.ink.builtin_font.typeset import typeset
from im2tex.ink.rasterize import draw

TOKENS = (r"\frac", *"{2x+3}{5y}=z-47")
FORMULA = typeset(TOKENS)
RULE = Preprocessing(symbol_size=16, stroke_width=0.12)


def paper(size, pen):
    """The formula on white paper, symbols of `size` pixels, lines of `pen` pixels."""
    scale = RULE.scale_of(FORMULA) * size / RULE.symbol_size
    return 255 - draw(FORMULA, scale, pen, 10)


def alike(one, other):
    """The share of the ink of each that lies within a pixel of the other's, the lesser one."""
    shares = []
    for mine, theirs in ((one, other), (other, one)):
        near = ndimage.maximum_filter(theirs, 3) > 127
        shares.append(near[mine > 127].mean())
    return min(shares)


@pytest.mark.parametrize(
    ("size", "pen"), [(16, 1), (40, 1), (40, 2), (40, 5), (150, 2), (150, 18), (400, 3)]
)
def test_load_image_equals_rasterized_ink(size, pen):
    drawn = RULE.rasterize(FORMULA).image
    picture = RULE.load_image(paper(size, pen)).image
    # The estimate of the scale has a few percent of freedom.
    assert abs(np.array(picture.shape) - drawn.shape).max() <= 16
    zoomed = np.zeros_like(drawn)
    rows, columns = (np.flatnonzero((picture > 64).any(axis)) for axis in (1, 0))
    ink = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    rows, columns = (np.flatnonzero((drawn > 64).any(axis)) for axis in (1, 0))
    place = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    zoomed[place] = np.asarray(Image.fromarray(ink).resize(drawn[place].shape[::-1]))
    assert alike(zoomed, drawn) > 0.93
    assert picture.mean() * picture.size == pytest.approx(drawn.mean() * drawn.size, rel=0.12)


def test_planned_size_of_image_is_close():
    pictures = [paper(size, pen) for size, pen in ((16, 2), (70, 3), (70, 9))]
    samples = [Sample(str(k), "x", ("x",), image=png(p)) for k, p in enumerate(pictures)]
    planned = EpochPlanner(Geometry.of(samples), RULE).sizes(np.arange(3), 0)
    for size, picture in zip(planned[:, :2].tolist(), pictures, strict=True):
        drawn = RULE.load_image(picture).image.shape
        assert all(0 <= a - b <= 8 for a, b in zip(size, drawn, strict=True))


def test_load_image_without_redraw_keeps_thin_lines_pale():
    kept = Preprocessing(symbol_size=16, stroke_width=0.12, redraw=False)
    hair = paper(80, 1)
    assert kept.load_image(hair).image.max() < 160
    assert RULE.load_image(hair).image.max() == 255


def test_load_image_scales_thick_lines():
    rule = Preprocessing(symbol_size=16, stroke_width=0.12)
    inks = [rule.load_image(paper(80, pen)).image.mean() for pen in (6, 12, 20)]
    assert inks[1] > 1.2 * inks[0]
    assert inks[2] > 1.2 * inks[1]


def test_load_image_ignores_specks():
    picture = paper(120, 3)
    clean = RULE.load_image(picture).image
    rng = np.random.default_rng(0)
    for y, x in rng.integers(2, (picture.shape[0] - 2, picture.shape[1] - 2), (40, 2)):
        if (picture[y - 2 : y + 3, x - 2 : x + 3] == 255).all():
            picture[y, x] = 0
    dirty = RULE.load_image(picture).image
    assert dirty.shape == clean.shape
    assert alike(dirty, clean) > 0.97


def test_load_image_redrawn_has_origin_and_offset():
    ink = row("abc").ink
    picture = 255 - np.pad(draw(ink, 8, 3, 0), ((50, 20), (70, 20)))
    drawn = Preprocessing(symbol_size=16).load_image(picture)
    # `load_ink_image` cuts to the ink, so the middle begins half a pen within.
    assert drawn.origin == pytest.approx((1.5, 1.5), abs=2)
