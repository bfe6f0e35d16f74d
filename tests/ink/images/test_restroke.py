"""`thin`."""

import numpy as np
import pytest
from scipy import ndimage

from im2tex.ink.images.restroke import thin
from im2tex.ink.ink import Ink
from im2tex.ink.rasterize import draw

EIGHT = np.ones((3, 3), dtype=bool)


def blobs(seed):
    """Random parts with holes, fine or coarse, sparse or dense."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=(40, 60)), rng.uniform(0.1, 3))
    return field > np.quantile(field, rng.uniform(0.3, 0.95))


@pytest.mark.parametrize("seed", range(30))
def test_thin_preserves_components_and_holes(seed):
    ink = blobs(seed)
    middle = thin(ink)
    assert not (middle & ~ink).any()
    labels, parts = ndimage.label(ink, EIGHT)
    assert ndimage.label(middle, EIGHT)[1] == parts == len(np.unique(labels[middle]))
    holes, there = (ndimage.label(~np.pad(one, 1))[1] for one in (ink, middle))
    assert holes == there


@pytest.mark.parametrize("width", [2, 5, 12])
@pytest.mark.parametrize("end", [(200, 0), (0, 200), (140, 140), (190, 60)])
def test_thin_line_becomes_centre_line(width, end):
    stroke = np.array([(0, 0), end], dtype=np.float32)
    middle = thin(draw(Ink((stroke,)), 1, width, 3) > 127)
    rows, columns = np.nonzero(middle)
    points = np.stack([columns, rows], 1) + 0.5 - 3 - width / 2
    along = np.array(end) / np.hypot(*end)
    assert np.abs(points @ (-along[1], along[0])).max() < 1.5  # on the line
    reached = points @ along
    assert reached.min() < width  # and nearly from end to end
    assert reached.max() > np.hypot(*end) - width
    assert len(points) <= 1.1 * max(end) + 2  # one cell wide


def test_thin_empty_image_and_dot():
    assert not thin(np.zeros((4, 5), dtype=bool)).any()
    for side in (1, 2, 5):
        assert 1 <= thin(np.ones((side, side), dtype=bool)).sum() <= side
