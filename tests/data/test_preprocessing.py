"""One rule from strokes or a picture to pixels, for every use of a model."""

import numpy as np
import pytest
from ink_factory import png, row, scribble, square
from PIL import Image

from im2tex.data.preprocessing import Preprocessing
from im2tex.errors import Im2TexError
from im2tex.ink.ink import Ink, Symbol

PLAIN = Preprocessing()


def dark_on_white(ink_pixels):
    """Ink (255 = ink) as a scanned picture."""
    return 255 - ink_pixels


def formula():
    """Nine symbols of one size, a short one and a long one, as in real formulas."""
    strokes = [square(14 * i, 0, 10) for i in range(9)]
    strokes += [square(130, 8, 2), np.array([(0, 16), (126, 16)], dtype=np.float32)]
    return Ink(tuple(strokes))


# ---------------------------------------------------------------- size


@pytest.mark.parametrize("stride", [(8, 8), (16, 4), (1, 1)])
@pytest.mark.parametrize("size", [12.0, 24.0, 37.5])
def test_sizes_are_those_of_rasterized_inks(stride, size):
    rule = Preprocessing(symbol_size=size, stride=stride, max_height=4000, max_width=4000)
    rng = np.random.default_rng(0)
    inks = [scribble(rng) for _ in range(40)]
    factors = rng.uniform(0.7, 1.6, 40)
    scales = np.array([rule.scale_of(ink) for ink in inks]) * rng.uniform(0.7, 1.4, 40)
    extents = np.array([np.ptp(np.concatenate(ink.strokes), axis=0)[::-1] for ink in inks])
    sizes = rule.sizes(extents, scales, factors, np.ones(40, bool))
    for ink, scale, factor, expected in zip(inks, scales, factors, sizes.tolist(), strict=True):
        drawn = rule.rasterize(ink, scale=scale, stroke_width_factor=factor)
        assert drawn.image.shape == tuple(expected)


def test_rasterize_given_limits_reduce_only_larger_ink():
    rule = Preprocessing()
    ink = row("abcdef").ink
    whole = rule.rasterize(ink)
    height, width = whole.image.shape
    same = rule.rasterize(ink, limits=(height, width))
    assert np.array_equal(same.image, whole.image)
    assert not same.downscaled
    reduced = rule.rasterize(ink, limits=(height, width - 8))
    assert reduced.image.shape[1] == width - 8
    assert reduced.downscaled


def test_rasterize_sizes_are_multiples_of_stride():
    rule = Preprocessing(stride=(8, 32))
    rng = np.random.default_rng(1)
    for _ in range(10):
        height, width = rule.rasterize(scribble(rng)).image.shape
        assert height % 8 == width % 32 == 0


def test_rasterize_symbols_have_symbol_size():
    # Ten boxes of 10 units: the characteristic size is the box, so a box takes 24 pixels.
    drawn = PLAIN.rasterize(row("abcdefghij").ink)
    assert drawn.scale * 10 == pytest.approx(24, rel=0.1)


def test_rasterize_is_independent_of_ink_unit():
    ink = formula()
    sizes = {
        PLAIN.rasterize(Ink(tuple(stroke * unit for stroke in ink.strokes))).image.shape
        for unit in np.float32([0.001, 1, 12.5, 4000])
    }
    assert len(sizes) == 1


@pytest.mark.parametrize("scale", [0.6, 1.0, 2.0, 4.0])
def test_rasterize_and_load_image_agree(scale):
    ink = formula()
    drawn = PLAIN.rasterize(ink)
    larger = Preprocessing(symbol_size=24 * scale, max_height=4000, max_width=4000)
    picture = PLAIN.load_image(dark_on_white(larger.rasterize(ink).image))
    for one, other in zip(drawn.image.shape, picture.image.shape, strict=True):
        assert abs(one - other) <= max(8, 0.12 * one)
    # And as dark: the pen's width follows the scale.
    assert picture.image.mean() == pytest.approx(drawn.image.mean(), rel=0.25)


def test_load_image_symbol_size_zero_keeps_scale():
    pixels = np.full((40, 100), 255, dtype=np.uint8)
    pixels[10:30, 10:90] = 0
    drawn = Preprocessing(symbol_size=0, padding=4).load_image(pixels)
    assert drawn.scale == 1.0
    assert drawn.image.shape == (32, 88)  # 20 + 8 and 80 + 8, rounded up to eights
    assert (drawn.image[4:24, 4:84] == 255).all()
    assert drawn.image.sum() == 20 * 80 * 255


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize("stride", [(8, 8), (8, 32)])
def test_rasterize_large_ink_is_downscaled(stride):
    rule = Preprocessing(max_height=100, max_width=200, stride=stride)
    wide = Ink(tuple(square(14 * i, 0) for i in range(100)))
    tall = Ink(tuple(square(0, 14 * i) for i in range(100)))
    for ink in (wide, tall):
        drawn = rule.rasterize(ink)
        assert drawn.downscaled
        assert drawn.scale < rule.scale_of(ink)
        assert drawn.image.shape[0] <= 100
        assert drawn.image.shape[1] <= 200
        assert drawn.image.any()
        large = Preprocessing(max_height=9000, max_width=9000).rasterize(ink).image
        picture = rule.load_image(dark_on_white(large))
        assert picture.downscaled
        assert picture.image.shape[0] <= 100
        assert picture.image.shape[1] <= 200
    assert not rule.rasterize(row("ab").ink).downscaled


def test_rasterize_and_load_image_huge_input_is_within_limits():
    ink = Ink(tuple(square(30 * i, 0, 24) for i in range(700)))
    assert ink.bounds[2] > 20_000
    pixels = np.full((60, 20_000), 255, dtype=np.uint8)
    pixels[20:40, 10:-10:40] = 0
    for drawn in (PLAIN.rasterize(ink, scale=1.0), PLAIN.load_image(png(pixels))):
        assert drawn.downscaled
        assert drawn.image.shape[1] == 1280
        assert drawn.image.max() > 0


def test_rasterize_dot_and_line():
    dot = Ink((np.array([(5, 5)], dtype=np.float32),))
    line = Ink((np.array([(0, 0), (90, 0)], dtype=np.float32),))
    for ink in (dot, line):
        assert PLAIN.rasterize(ink).image.max() == 255


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"stroke_width": 0.0}, "stroke_width"),
        ({"max_width": 0}, "max_width"),
        ({"padding": -1}, "padding"),
        ({"symbol_size": -1.0}, "symbol_size"),
        ({"max_height": 12}, "max_height must be >= 13"),
        ({"max_width": 31, "stride": (8, 32)}, "max_width must be >= 13"),
    ],
)
def test_preprocessing_settings_out_of_range_raise(settings, word):
    with pytest.raises(Im2TexError, match=word):
        Preprocessing(**settings)


# ---------------------------------------------------------------- boxes


@pytest.mark.parametrize("scale", [None, 3.0, 40.0])
def test_boxes_contain_ink_of_symbols(scale):
    sample = row("abc")
    drawn = PLAIN.rasterize(sample.ink, scale=scale)
    boxes = PLAIN.boxes(drawn, sample.ink, 5)
    assert boxes.shape == (5, 4)
    assert boxes[3:].tolist() == [[0, 0, -1, -1]] * 2
    pen = 24 * 0.1
    for left, top, right, bottom in boxes[:3]:
        assert right - left == pytest.approx(10 * drawn.scale)
        inside = drawn.image[int(top) : int(bottom) + 1, int(left) : int(right) + 1]
        edge = [inside[0].mean(), inside[-1].mean(), inside[:, 0].mean(), inside[:, -1].mean()]
        assert min(edge) > 100  # the four sides of the square
        hollow = inside[int(pen) + 1 : -int(pen) - 2, int(pen) + 1 : -int(pen) - 2]
        assert hollow.max(initial=0) < 128
    between = drawn.image[:, int(boxes[0, 2] + pen) + 1 : int(boxes[1, 0] - pen)]
    assert not between.any()


def test_boxes_of_symbol_without_position_are_unknown():
    sample = row("ab")
    drawn = PLAIN.rasterize(sample.ink)
    assert PLAIN.boxes(drawn, sample.ink, 1).shape == (1, 4)  # the second lies beyond the label


# ---------------------------------------------------------------- pictures of any kind


def test_load_image_inverted_polarity_is_equal():
    ink = PLAIN.rasterize(formula()).image
    one, other = PLAIN.load_image(png(255 - ink)), PLAIN.load_image(png(ink))
    assert np.array_equal(one.image, other.image)
    assert one.image.mean() < 128  # paper is 0


def test_load_image_transparent_background():
    ink = PLAIN.rasterize(formula()).image
    expected = PLAIN.load_image(png(255 - ink)).image
    for below in (0, 255):
        rgba = np.full((*ink.shape, 4), below, dtype=np.uint8)
        rgba[ink > 0, :3] = 0
        rgba[:, :, 3] = ink
        assert np.abs(PLAIN.load_image(png(rgba)).image.astype(int) - expected).max() <= 2


def test_load_image_bytes_arrays_and_images_agree():
    pixels = 255 - PLAIN.rasterize(formula()).image
    expected = PLAIN.load_image(png(pixels)).image
    colour = np.repeat(pixels[:, :, None], 3, axis=2)
    for source in (pixels, pixels[:, :, None], colour, Image.fromarray(pixels), png(colour)):
        assert np.array_equal(PLAIN.load_image(source).image, expected)


@pytest.mark.parametrize("source", [b"", b"no picture", png(np.full((9, 9), 255, np.uint8))])
def test_load_image_without_ink_raises(source):
    with pytest.raises(Im2TexError):
        PLAIN.load_image(source)


def test_blank_has_size_of_stride():
    assert Preprocessing(stride=(16, 32)).blank().image.shape == (16, 32)


def test_boxes_are_in_pixels_of_the_image_where_known():
    strokes = (square(0, 0, 10), square(30, 5, 10), square(60, 0, 10))
    symbols = (Symbol("a", (1, 0), 2), Symbol("b", (2,), -1), Symbol("c", (), 1))
    ink = Ink(strokes, symbols)
    drawn = PLAIN.rasterize(ink, scale=2.0)
    boxes = PLAIN.boxes(drawn, ink, 4)
    unknown = [0, 0, -1, -1]
    left = top = drawn.offset
    assert boxes.tolist() == [
        unknown,
        unknown,
        pytest.approx([left, top, left + 80, top + 30]),
        unknown,
    ]
