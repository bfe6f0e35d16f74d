"""Tests of printed formulas: image preprocessing, running text, splits."""

import io
import time

import numpy as np
import pytest
from PIL import Image

from im2tex.data.preparation.printed.paper_images import image_from_file, pad_and_downsample
from im2tex.data.preparation.printed.running_text import is_running_text
from im2tex.data.preparation.printed.split_plan import split_of
from im2tex.errors import Im2TexError


def opened(image):
    return np.asarray(Image.open(io.BytesIO(image.png)))


def png(pixels, mode=None):
    out = io.BytesIO()
    Image.fromarray(pixels, mode).save(out, "PNG")
    return out.getvalue()


def test_pad_and_downsample_sizes():
    image = pad_and_downsample(np.zeros((41, 100), np.uint8))
    assert (image.height, image.width) == ((41 + 16) // 2, (100 + 16) // 2)
    pixels = opened(image)
    assert pixels.shape == (28, 58)
    assert (pixels[0] == 255).all()
    assert (pixels[8:20, 8:-8] == 0).all()


def test_page_is_cropped_and_other_image_is_kept():
    sheet = np.full((2339, 1654), 255, np.uint8)
    sheet[1000:1040, 200:300] = 0
    assert image_from_file(png(sheet))[1:] == (28, 58)
    small = np.full((64, 160), 255, np.uint8)
    small[20:30, 20:90] = 0
    kept = image_from_file(png(small))
    assert kept[1:] == (64, 160)
    assert np.array_equal(opened(kept), small)


def test_transparent_background_is_white():
    sheet = np.zeros((2000, 900, 4), np.uint8)
    sheet[100:140, 100:200, 3] = 255
    assert opened(image_from_file(png(sheet)))[14, 29] == 0


@pytest.mark.parametrize("data", [b"", b"no image", png(np.full((2000, 900), 255, np.uint8))])
def test_blank_or_broken_image_is_refused(data):
    with pytest.raises(Im2TexError):
        image_from_file(data)


@pytest.mark.parametrize(
    "latex",
    [
        r"from our fitting (Fig.~\ref{Fig4}). Although the absolute value",
        r"_\mu$, where the first two are",
        "This can be explained by the fact that",
    ],
)
def test_is_running_text_true_for_text(latex):
    assert is_running_text(latex)


@pytest.mark.parametrize(
    "latex",
    [
        r"x = y \quad \text{ for all but finitely many } n",
        r"\mbox{ for any ball $B \subset {\mathbf R}^{n}$ in it } a",
        r"a b c d e f g h i j k l m n o p",
        r"\alpha \beta \gamma \delta \epsilon \zeta \eta \theta",
        r"\operatorname{arg max} dx dy dz = sin(x) cos(y)",
        r"{\rm tr} F \wedge F = \begin{array} {lll} a & b & c",
    ],
)
def test_is_running_text_false_for_formulas(latex):
    assert not is_running_text(latex)


@pytest.mark.parametrize("piece", ["{", r"\text{", r"\text{{{", "aaa ", r"\mbox{a}", "}"])
def test_is_running_text_is_fast_for_any_markup(piece):
    markup = piece * (1024 // len(piece))
    started = time.perf_counter()
    is_running_text(markup)
    assert time.perf_counter() - started < 5


def test_split_of_has_given_fractions():
    splits = [split_of(f"paper {i}", 0.09, 0.1) for i in range(20_000)]
    assert splits.count("validation") / 20_000 == pytest.approx(0.09, abs=0.01)
    assert splits.count("test") / 20_000 == pytest.approx(0.1, abs=0.01)
    # Papers that are added later move no other paper.
    assert splits[:100] == [split_of(f"paper {i}", 0.09, 0.1) for i in range(100)]
