"""Connected components, specks and the symbol size of images."""

import numpy as np
import pytest

from im2tex.data.preprocessing import Preprocessing
from im2tex.ink.images.components import ConnectedComponents, ink_mask
from im2tex.ink.ink import Ink
from im2tex.ink.rasterize import draw
from im2tex.ink.scale import image_symbol_size, symbol_size


def drawn(*boxes):
    """A picture of (top, left, height, width), filled."""
    picture = np.zeros((40, 90), dtype=np.uint8)
    for top, left, height, width in boxes:
        picture[top : top + height, left : left + width] = 255
    return picture


def test_components_are_8_connected_with_areas_and_sides():
    found = ConnectedComponents.of(ink_mask(drawn((0, 0, 4, 10), (4, 10, 2, 2), (30, 80, 10, 3))))
    assert found.areas.tolist() == [40 * 90 + 2 * (40 + 90) + 4 - 74, 44, 30]
    assert found.sides.tolist() == [12, 10]
    assert np.array_equal(found.ink, drawn((0, 0, 4, 10), (4, 10, 2, 2), (30, 80, 10, 3)) > 0)


def test_components_stroke_width_is_line_width():
    line = draw(Ink((np.array([(0, 0), (200, 60)], np.float32),)), 1, 6, 2)
    assert ConnectedComponents.of(line > 127).stroke_width == pytest.approx(6, rel=0.1)


def test_without_specks_keeps_order_of_components():
    whole = ConnectedComponents.of(
        ink_mask(drawn((0, 0, 6, 30), (10, 50, 1, 1), (20, 0, 6, 20), (30, 70, 1, 2)))
    )
    found = whole.without_specks()
    assert found.areas[1:].tolist() == [180, 120]
    assert found.sides.tolist() == [30, 20]
    assert np.array_equal(found.ink, drawn((0, 0, 6, 30), (20, 0, 6, 20)) > 0)
    assert found.stroke_width > whole.stroke_width
    assert found.without_specks() is found


def test_without_specks_keeps_largest_component():
    # A picture of one dot is one of a dot.
    found = ConnectedComponents.of(ink_mask(drawn((5, 5, 1, 1)))).without_specks()
    assert found.areas[1:].tolist() == [1]


def test_image_symbol_size_ignores_specks_and_pale_lines():
    letters = [(10, 30 * i, 20, 4) for i in range(3)] + [(26, 30 * i, 4, 16) for i in range(3)]
    clean = drawn(*letters)
    dirty = drawn(*letters, *((0, 3 * i, 1, 1) for i in range(20)))
    assert image_symbol_size(dirty) == image_symbol_size(clean) == symbol_size(clean)
    assert symbol_size(dirty) < 0.8 * symbol_size(clean)
    clean[10:30, 0:4] = 110  # less than half as dark as the rest
    assert image_symbol_size(clean) == symbol_size(drawn(*letters))


def test_load_image_labels_components_twice(monkeypatch):
    shapes = []
    of = ConnectedComponents.of

    def counted(ink):
        shapes.append(ink.shape)
        return of(ink)

    monkeypatch.setattr(ConnectedComponents, "of", counted)
    paper = 255 - drawn((10, 10, 20, 3), (10, 40, 20, 3), (10, 60, 3, 20))
    Preprocessing(symbol_size=16).load_image(paper)
    # Once to find its scale, once at that scale to tell whether its lines are hair lines.
    assert len(shapes) == 2
    assert shapes[0] != shapes[1]
