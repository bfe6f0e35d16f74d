"""Printed formulas on their way: pictures as the paper's, running text, statistics."""

import io
import time

import numpy as np
import pytest
from PIL import Image

from im2tex.data.preparation.printed import statistics
from im2tex.data.preparation.printed.paper_images import image_from_file, pad_and_downsample
from im2tex.data.preparation.printed.rendering import SplitCounts
from im2tex.data.preparation.printed.running_text import is_running_text
from im2tex.data.preparation.printed.split_plan import split_of
from im2tex.errors import Im2TexError


def opened(picture):
    return np.asarray(Image.open(io.BytesIO(picture.png)))


def png(pixels, mode=None):
    out = io.BytesIO()
    Image.fromarray(pixels, mode).save(out, "PNG")
    return out.getvalue()


def test_eight_pixels_of_paper_then_half_the_size():
    picture = pad_and_downsample(np.zeros((41, 100), np.uint8))
    assert (picture.height, picture.width) == ((41 + 16) // 2, (100 + 16) // 2)
    pixels = opened(picture)
    assert pixels.shape == (28, 58)
    assert (pixels[0] == 255).all()
    assert (pixels[8:20, 8:-8] == 0).all()


def test_a_page_is_cropped_and_a_cut_picture_is_kept():
    sheet = np.full((2339, 1654), 255, np.uint8)
    sheet[1000:1040, 200:300] = 0
    assert image_from_file(png(sheet))[1:] == (28, 58)
    small = np.full((64, 160), 255, np.uint8)
    small[20:30, 20:90] = 0
    kept = image_from_file(png(small))
    assert kept[1:] == (64, 160)
    assert np.array_equal(opened(kept), small)


def test_ink_on_nothing_is_ink_on_paper():
    sheet = np.zeros((2000, 900, 4), np.uint8)
    sheet[100:140, 100:200, 3] = 255
    assert opened(image_from_file(png(sheet)))[14, 29] == 0


@pytest.mark.parametrize("data", [b"", b"no picture", png(np.full((2000, 900), 255, np.uint8))])
def test_what_shows_nothing_is_an_error(data):
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
def test_running_text_is_told(latex):
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
def test_formulas_are_not_taken_for_text(latex):
    assert not is_running_text(latex)


@pytest.mark.parametrize("piece", ["{", r"\text{", r"\text{{{", "aaa ", r"\mbox{a}", "}"])
def test_no_markup_takes_long(piece):
    markup = piece * (1024 // len(piece))
    started = time.perf_counter()
    is_running_text(markup)
    assert time.perf_counter() - started < 5


def test_shares_of_papers():
    splits = [split_of(f"paper {i}", 0.09, 0.1) for i in range(20_000)]
    assert splits.count("validation") / 20_000 == pytest.approx(0.09, abs=0.01)
    assert splits.count("test") / 20_000 == pytest.approx(0.1, abs=0.01)
    # What is added later moves nothing: the share of one paper is its own.
    assert splits[:100] == [split_of(f"paper {i}", 0.09, 0.1) for i in range(100)]


def test_statistics_beside_the_papers():
    tally = SplitCounts(taken=4, characters=[41, 60, 70, 129], tokens=[10, 20, 30, 40])
    tally.sizes = [(20, 100), (30, 200), (40, 300), (30, 200)]
    tally.left_out["larger than 500 x 160 pixels"] = 1200
    said = list(statistics.lines({"train": tally}))
    assert said[0] == "train: 1,200 left out: larger than 500 x 160 pixels"
    assert said[1].startswith("pairs       4; the paper: 103,556")
    assert said[2].startswith("characters  41 to 129, mean 75, median 65; the paper: 38 to 997")
    assert said[3].startswith("tokens      mean 25, 95 % within 38, at most 40; the paper: mean 58")
    assert said[4].startswith("pictures    mean 200 x 30 pixels")
