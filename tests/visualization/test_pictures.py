"""Sheets of examples."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from im2tex.errors import Im2TexError
from im2tex.evaluation.metrics import token_edits
from im2tex.utils.png import save_png
from im2tex.visualization.example_sheet import differences, examples_sheet


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


def test_right_and_wrong_ones_are_marked():
    sheet = examples_sheet(
        [
            Example(ink(), ["x"], ["x"], -0.5),
            Example(ink(), ["x"], ["y"]),
            Example(ink(), ["x"], None),
        ]
    )
    assert sheet.mode == "RGB"
    assert [c for c in colours(sheet, 2) if c in (RIGHT, WRONG)] == [RIGHT, WRONG, WRONG]


def test_ink_is_shown_dark_on_white():
    sheet = examples_sheet([Example(ink(), ["x"], ["x"])])
    area = np.asarray(sheet.convert("L"))[60:160, 22:202]
    assert area.min() < 40
    assert np.median(area) == 255


@pytest.mark.parametrize("size", [(1, 1), (3, 20000), (3000, 2), (160, 500)])
def test_any_size_of_picture_fits(size):
    sheet = examples_sheet([Example(ink(*size), ["x"], ["x"])])
    assert sheet.width == 1200
    assert sheet.height < 400


def test_long_formulas_wrap_and_long_tokens_are_cut():
    short = examples_sheet([Example(ink(), ["x"], ["y"])])
    long = examples_sheet([Example(ink(), ["x"] * 400, ["y" * 900, "z", "\\ ", "漢", ""])])
    assert long.height > short.height + 200
    # Nothing is written into the right margin.
    assert (np.asarray(long)[40:, -10:].min(axis=(1, 2)) >= 225).all()


def test_no_example_is_a_sheet_that_says_so(tmp_path):
    assert examples_sheet([]).height < 100
    save_png(tmp_path / "a" / "x.png", examples_sheet([], "step 3"))
    with Image.open(tmp_path / "a" / "x.png") as image:
        assert image.format == "PNG"
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["x.png"]


def test_errors_are_said(tmp_path):
    with pytest.raises(ValueError, match=r"uint8 \(H, W\), got float64 \(2, 2\)"):
        examples_sheet([Example(np.zeros((2, 2)), [], [])])
    (tmp_path / "file").write_text("")
    with pytest.raises(Im2TexError, match="cannot write"):
        save_png(tmp_path / "file" / "x.png", examples_sheet([]))


TOKENS = st.lists(st.sampled_from("xy{}"), max_size=8)


@settings(deadline=None)
@given(TOKENS, TOKENS)
def test_marked_tokens_are_those_of_a_least_edit_alignment(prediction, gold):
    predicted_flags, gold_flags, edits = differences(prediction, gold)
    assert edits == token_edits(prediction, gold)
    kept = [t for t, flag in zip(prediction, predicted_flags, strict=True) if not flag]
    assert kept == [t for t, flag in zip(gold, gold_flags, strict=True) if not flag]
