"""The symbol size of images and strokes."""

import numpy as np
import pytest

from im2tex.ink import rasterize
from im2tex.ink.ink import Ink
from im2tex.ink.scale import ink_size, symbol_size


def stroke(*points):
    return np.array(points, dtype=np.float32)


def letter(x, y, height):
    """An open square loop with a tail, `height` tall and wide."""
    h = height
    return stroke((x, y), (x + h, y), (x + h, y + h), (x, y + h), (x, y + h / 3))


ROW = Ink((*(letter(40 * i, 0, 25) for i in range(6)), stroke((0, 60), (240, 60))))


def test_symbol_size_follows_letters_not_bars():
    assert ink_size(ROW) == pytest.approx(25, rel=0.05)


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e4])
def test_ink_size_is_proportional_to_unit(unit):
    ink = Ink(tuple(s * np.float32(unit) for s in ROW.strokes))
    assert ink_size(ink) == pytest.approx(25 * unit, rel=0.05)


@pytest.mark.parametrize(("pixels", "thickness"), [(12, 1), (16, 2), (24, 1.5), (40, 4), (80, 3)])
def test_ink_size_agrees_with_symbol_size(pixels, thickness):
    image = rasterize.draw(ROW, pixels / ink_size(ROW), thickness, 7)
    assert symbol_size(image) == pytest.approx(pixels, rel=0.06)


def test_symbol_size_ignores_grey_level_and_margin():
    image = rasterize.draw(ROW, 1.0, 2.0, 3)
    faint = np.pad(image // 4, 50)
    assert symbol_size(faint) == pytest.approx(symbol_size(image), rel=0.03)


def test_ink_size_single_bar_is_its_length():
    assert ink_size(Ink((stroke((3, 3), (13, 3)),))) == pytest.approx(10, rel=0.05)
    assert ink_size(Ink((stroke((3, 3), (3, 43)),))) == pytest.approx(40, rel=0.05)
    assert symbol_size(rasterize.draw(Ink((stroke((0, 0), (30, 0)),)), 1, 3, 2)) == pytest.approx(
        30, 0.05
    )


def test_ink_size_single_dot_is_small():
    dot = rasterize.draw(Ink((stroke((0, 0)),)), 1, 6, 4)
    assert 6 < symbol_size(dot) < 18
    assert ink_size(Ink((stroke((5, 5)),))) == 1.0


def test_ink_size_distant_points_is_finite():
    size = ink_size(Ink((stroke((0, 0)), stroke((50000, 0)))))
    assert 0 < size <= 50000


def test_symbol_size_without_ink_is_refused():
    with pytest.raises(ValueError, match="without ink"):
        symbol_size(np.zeros((5, 5), dtype=np.uint8))
    with pytest.raises(ValueError, match="without strokes"):
        ink_size(Ink(()))
