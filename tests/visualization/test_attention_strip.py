"""The attention strip and sheet."""

from dataclasses import replace

import numpy as np
import pytest
from attention_factory import make_record
from PIL import Image

from im2tex.errors import Im2TexError
from im2tex.utils.png import save_png
from im2tex.visualization.attention.record import END
from im2tex.visualization.attention.strip import attention_sheet, attention_strip

HEAT, CELL = (236, 98, 0), (0, 94, 170)


def near(pixel, colour, tolerance=40):
    return all(abs(int(a) - b) <= tolerance for a, b in zip(pixel, colour, strict=True))


def test_panel_colours_its_own_cell():
    record = make_record(tokens=("a", "b", END), h=3, w=6)  # 48 x 24 pixels, enlarged to 96 x 48
    strip = np.asarray(attention_strip(record, columns=3, width=3 * 96 + 2 * 16))
    for step in range(3):
        left = step * (96 + 16)
        for cell in range(1, 6):  # of the first row, whose first cell is ink
            pixel = strip[8, left + 16 * cell + 8]
            assert near(pixel, HEAT) == (cell == step)
        assert strip[8, left + 8].max() < 40  # the ink stays
    assert near(strip[40, 50], (255, 255, 255))


def test_chosen_coarse_cell_is_framed():
    record = make_record(tokens=("a", "b", "c"), h=4, w=6, coarse=True)
    strip = np.asarray(attention_strip(record, columns=3, width=3 * 96 + 2 * 16))
    # Blocks of 2 x 2 cells are 32 pixels wide here; that of step 2 begins at cell 2.
    middle, inside = strip[16, 2 * (96 + 16) + 32 + 1], strip[16, 2 * (96 + 16) + 70]
    assert near(middle, CELL)
    assert near(inside, (255, 255, 255))


def test_likeliest_coarse_cell_is_darkest_beside_a_cut_off_one():
    record = replace(
        make_record(("x",), h=3, w=2),
        fine=np.array([[[0.15, 0.15], [0.15, 0.15], [0.2, 0.2]]], np.float32),
        coarse=np.array([[[0.6], [0.4]]], np.float32),
        coarse_stride=(16, 16),
        lookups=np.array([[2, 0]]),
    )
    strip = np.asarray(attention_strip(record, columns=1, width=200)).astype(int)
    height = strip.shape[1] * 3 // 2  # of the image, 16 by 24 pixels
    upper, lower = (strip[height * row // 12, strip.shape[1] * 3 // 4] for row in (6, 10))
    assert near(upper, HEAT)
    assert lower[2] > upper[2] + 20  # paler


def test_strip_wraps_at_the_width():
    few = attention_strip(make_record(["x"] * 3), width=500)
    many = attention_strip(make_record(["x"] * 40), width=500)
    assert few.width <= 500
    assert many.width <= 500
    assert many.height > 5 * few.height
    wide = attention_strip(make_record(["x"] * 3, h=2, w=400), width=500)
    assert wide.width <= 500


def test_strip_of_chosen_steps():
    record = make_record(["x"] * 40)
    assert attention_strip(record, steps=[3]).height == attention_strip(make_record(["x"])).height
    for steps in ([40], [-1], []):
        with pytest.raises(ValueError, match="steps must be indices from 0 to 39"):
            attention_strip(record, steps=steps)


@pytest.mark.parametrize("token", ["y" * 500, "漢字", "\n", "\x00", "", END])
def test_long_or_unprintable_token_stays_below_its_panel(token):
    plain = attention_strip(make_record(["", ""]), columns=2, width=400)
    strip = attention_strip(make_record([token, ""]), columns=2, width=400)
    assert strip.size == plain.size
    half = plain.width // 2
    assert np.array_equal(np.asarray(strip)[:, half:], np.asarray(plain)[:, half:])


def test_small_cell_gets_a_ring():
    """Cells of four pixels in print would be overlooked."""
    record = make_record(
        ["x"], h=40, w=200, fine=np.eye(1, 8000, 20 * 200 + 100).reshape(1, 40, 200)
    )
    strip = np.asarray(attention_strip(record, width=800))
    height, width = 160, 800
    top, left = round(height * 20.5 / 40), round(width * 100.5 / 200)
    assert near(strip[top, left + 12], HEAT, 90) or near(strip[top, left + 11], HEAT, 90)
    assert near(strip[top, left + 30], (255, 255, 255))


def test_nan_weights_colour_nothing():
    strip = attention_strip(make_record(["x"], fine=np.full((1, 3, 6), np.nan, np.float32)))
    colours = np.asarray(strip).reshape(-1, 3)
    assert not any(near(pixel, HEAT) for pixel in colours)


def test_sheet_grows_with_its_records():
    records = [
        make_record(gold=["x", "+", "y"]),
        make_record(gold=["z"]),
        make_record(),
    ]
    one, three = attention_sheet(records[:1]), attention_sheet(records, "step 3")
    assert one.width == three.width == 1600
    assert three.height > 2.5 * one.height


def test_sheet_limits_the_steps_of_a_prediction():
    some, all_of_them = (attention_sheet([make_record(["x"] * n)]) for n in (48, 1000))
    assert some.size == all_of_them.size


def test_save_png_writes_the_strip(tmp_path):
    save_png(tmp_path / "new" / "a.png", attention_strip(make_record()))
    with Image.open(tmp_path / "new" / "a.png") as picture:
        assert picture.format == "PNG"
    with pytest.raises(Im2TexError, match="cannot write"):
        save_png(tmp_path / "new" / "a.png" / "b.png", attention_strip(make_record()))
