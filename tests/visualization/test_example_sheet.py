"""Sheets of examples."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rapidfuzz.distance import Levenshtein

from im2tex.errors import Im2TexError
from im2tex.utils.png import save_png
from im2tex.visualization.drawing import LIGHT_GRAY
from im2tex.visualization.example_sheet import differences, draw_examples


@dataclass
class Example:
    image: Any
    gold: list
    prediction: list | None
    score: float | None = None


def ink(height=40, width=90):
    image = np.zeros((height, width), np.uint8)
    image[height // 2, :] = 255
    return image


def colours(sheet, x):
    """Colours of the column x, from top to bottom, repeats dropped."""
    column = [sheet.getpixel((x, y)) for y in range(sheet.height)]
    return [c for i, c in enumerate(column) if i == 0 or c != column[i - 1]]


RIGHT, WRONG = (0, 114, 178), (213, 60, 0)


def test_examples_band_is_coloured_by_correctness():
    sheet = draw_examples(
        [
            Example(ink(), ["x"], ["x"], -0.5),
            Example(ink(), ["x"], ["y"]),
            Example(ink(), ["x"], None),
        ]
    )
    assert sheet.mode == "RGB"
    assert [c for c in colours(sheet, 2) if c in (RIGHT, WRONG)] == [RIGHT, WRONG, WRONG]


def test_examples_show_ink_dark_on_white():
    sheet = draw_examples([Example(ink(), ["x"], ["x"])])
    area = np.asarray(sheet.convert("L"))[60:160, 22:202]
    assert area.min() < 40
    assert np.median(area) == 255


@pytest.mark.parametrize("size", [(1, 1), (3, 20000), (3000, 2), (160, 500)])
def test_examples_fit_images_of_any_size(size):
    sheet = draw_examples([Example(ink(*size), ["x"], ["x"])])
    assert sheet.width == 1200
    assert sheet.height < 400


def test_examples_wrap_long_formulas_and_cut_long_tokens():
    short = draw_examples([Example(ink(), ["x"], ["y"])])
    long = draw_examples([Example(ink(), ["x"] * 400, ["y" * 900, "z", "\\ ", "漢", ""])])
    assert long.height > short.height + 200
    # Only the lines between examples reach into the right margin.
    assert (np.asarray(long)[40:, -10:].min(axis=(1, 2)) >= LIGHT_GRAY[0]).all()


def test_examples_sheet_without_examples(tmp_path):
    assert draw_examples([]).height < 100
    save_png(tmp_path / "a" / "x.png", draw_examples([], "step 3"))
    with Image.open(tmp_path / "a" / "x.png") as image:
        assert image.format == "PNG"
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["x.png"]


def test_examples_errors(tmp_path):
    with pytest.raises(ValueError, match=r"uint8 \(H, W\), got float64 \(2, 2\)"):
        draw_examples([Example(np.zeros((2, 2)), [], [])])
    (tmp_path / "file").write_text("")
    with pytest.raises(Im2TexError, match="cannot write"):
        save_png(tmp_path / "file" / "x.png", draw_examples([]))


TOKENS = st.lists(st.sampled_from("xy{}"), max_size=8)


@settings(deadline=None)
@given(TOKENS, TOKENS)
def test_differences_are_those_of_a_least_edit_alignment(prediction, gold):
    predicted_flags, gold_flags, edits = differences(prediction, gold)
    assert edits == Levenshtein.distance(prediction, gold)
    kept = [t for t, flag in zip(prediction, predicted_flags, strict=True) if not flag]
    assert kept == [t for t, flag in zip(gold, gold_flags, strict=True) if not flag]
