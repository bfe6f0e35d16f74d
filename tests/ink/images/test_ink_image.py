"""`load_ink_image`."""

import io

import numpy as np
import pytest
from PIL import Image

from im2tex.errors import Im2TexError
from im2tex.ink.images.ink_image import load_ink_image

INK = np.zeros((12, 20), dtype=np.uint8)
INK[4:7, 3:15] = 255


def encoded(picture, kind="PNG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def pictures():
    dark = Image.fromarray(255 - INK)
    yield "black on white", encoded(dark)
    yield "white on black", encoded(Image.fromarray(INK))
    yield "faint pencil", encoded(Image.fromarray((230 - (INK // 255) * 30).astype(np.uint8)))
    yield "one bit", encoded(dark.convert("1"))
    yield "palette", encoded(dark.convert("RGB").convert("P"))
    yield "cmyk", encoded(dark.convert("RGB").convert("CMYK"), "TIFF")
    yield "16 bit", encoded(Image.fromarray(65535 - INK.astype(np.uint16) * 257))
    black = np.zeros((12, 20, 4), dtype=np.uint8)
    black[..., 3] = INK
    yield "black on transparent", encoded(Image.fromarray(black))
    white = black.copy()
    white[..., :3] = 255
    yield "white on transparent", encoded(Image.fromarray(white))


@pytest.mark.parametrize(("name", "data"), [pytest.param(n, d, id=n) for n, d in pictures()])
def test_load_ink_image_is_the_same_for_all_modes(name, data):
    assert np.array_equal(load_ink_image(data), np.full((3, 12), 255))


def test_load_ink_image_of_pil_image_and_array():
    full = np.full((3, 12), 255)
    assert np.array_equal(load_ink_image(Image.fromarray(INK)), full)
    assert np.array_equal(load_ink_image(INK), full)
    assert np.array_equal(load_ink_image(INK[:, :, None]), full)
    assert np.array_equal(load_ink_image(np.repeat(INK[:, :, None], 3, axis=2)), full)
    with pytest.raises(Im2TexError, match=r"no image|cannot be read"):
        load_ink_image(np.zeros((2, 2, 2, 2), dtype=np.uint8))


def test_load_ink_image_ignores_paper_noise():
    rng = np.random.default_rng(0)
    noisy = np.clip(200 + rng.normal(0, 4, (80, 80)), 0, 255).astype(np.uint8)
    noisy[40:43, 30:50] = 90
    assert load_ink_image(encoded(Image.fromarray(noisy))).shape == (3, 20)


def test_load_ink_image_ignores_dithering():
    # Paper of a colour that a palette lacks: one pixel in nine is darker by a fifth of the ink.
    paper = np.full((30, 60), 255, np.uint8)
    paper[::3, ::3] = 204
    paper[10:14, 10:50] = 0
    ink = load_ink_image(encoded(Image.fromarray(paper)))
    assert ink.shape == (4, 40)
    paper[4:8, 30:34] = 0  # further ink, so that paper lies within the crop
    paper[20, 20] = 0
    ink = load_ink_image(encoded(Image.fromarray(paper)))
    assert ink.shape == (17, 40)
    assert not ink[1, :15].any()  # grain, away from ink
    assert ink[6, 2] == ink[9, 20] == 255


@pytest.mark.parametrize("level", [0, 128, 255])
def test_load_ink_image_blank_is_an_error(level):
    with pytest.raises(Im2TexError, match="blank"):
        load_ink_image(encoded(Image.new("L", (30, 20), level)))


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_load_ink_image_without_pixels_is_blank(shape):
    with pytest.raises(Im2TexError, match="blank"):
        load_ink_image(np.zeros(shape, np.uint8))


def test_load_ink_image_damaged_files_are_errors():
    for content, reason in (
        (b"%PDF-1.7", "cannot be read: .* no format such as PNG"),
        (b"", "empty"),
    ):
        with pytest.raises(Im2TexError, match=reason) as caught:
            load_ink_image(content)
        assert "BytesIO" not in str(caught.value)
    rng = np.random.default_rng(0)
    whole = encoded(Image.fromarray(rng.integers(0, 255, (50, 50), dtype=np.uint8)))
    with pytest.raises(Im2TexError, match=r"no image|cannot be read"):
        load_ink_image(whole[: len(whole) // 2])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (encoded(Image.new("L", (9, 9)))[:40], r"a damaged PNG file\. Copy or save it again\."),
        (b"\xff\x0a" + bytes(9), r"looks like JPEG XL\. Save or export it as PNG or JPEG first\."),
        (b"%!PS", r"looks like PostScript\. Save or export it as PNG or JPEG first\."),
        (
            b"hello",
            r"no format such as PNG, JPEG or TIFF\. Save or export it as PNG or JPEG first\.",
        ),
    ],
)
def test_load_ink_image_unreadable_file_error_has_advice(content, reason):
    with pytest.raises(Im2TexError, match=reason):
        load_ink_image(content)


def test_load_ink_image_decompression_bomb_is_an_error(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(Im2TexError, match=r"too large: .* pixels, at most 100 are read\. Crop"):
        load_ink_image(encoded(Image.new("L", (15, 10))))
