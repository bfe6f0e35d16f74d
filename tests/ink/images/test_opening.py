"""`open_image`: formats, sources, limits and errors."""

import io
import os
import random
import struct

import numpy as np
import pytest
from PIL import Image
from sheet_factory import encoded, sheet

from im2tex.errors import Im2TexError
from im2tex.ink.images import files, formats, opening
from im2tex.ink.images.opening import open_image

PICTURE = Image.fromarray(sheet())
PNG = encoded(PICTURE)
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) (w) file\n{} loop\n"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "PCX"])
def test_open_image_of_a_listed_format_gives_its_pixels(kind, tmp_path):
    file = tmp_path / "named.png"  # whatever the name says
    file.write_bytes(encoded(PICTURE, kind))
    for source in (file, str(file), file.read_bytes(), bytearray(file.read_bytes())):
        opened = open_image(source)
        assert opened.image.size == PICTURE.size
        assert opened.notes == ()


def test_open_image_of_a_file_object_reads_it_from_its_beginning(tmp_path):
    stream = io.BytesIO(PNG)
    stream.seek(0, io.SEEK_END)
    assert open_image(stream).image.size == PICTURE.size
    (tmp_path / "a").write_bytes(PNG)
    with (tmp_path / "a").open("rb") as file:
        assert open_image(file).image.size == PICTURE.size
    with pytest.raises(Im2TexError, match="binary mode"):
        open_image(io.StringIO("x"))


def vectors():
    yield "PostScript", POSTSCRIPT
    yield "PostScript", b"\xc5\xd0\xd3\xc6" + struct.pack("<7I", 30, 90, 0, 0, 0, 0, 0) + POSTSCRIPT
    yield "a Windows metafile", b"\x01\x00\x00\x00" + bytes(36) + b" EMF" + bytes(60)
    yield "a Windows metafile", b"\xd7\xcd\xc6\x9a" + bytes(40)
    yield "a PDF", b"%PDF-1.7\n"


@pytest.mark.parametrize(("name", "data"), list(vectors()))
def test_open_image_of_a_vector_format_is_refused_without_a_program(name, data, monkeypatch):
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a program was started"))
    with pytest.raises(Im2TexError, match=name) as caught:
        open_image(data)
    assert "\n" not in str(caught.value)


def test_open_image_of_an_unloaded_postscript_image_is_refused():
    lazy = Image.open(io.BytesIO(POSTSCRIPT + b"%%EOF"))
    with pytest.raises(Im2TexError, match="EPS"):
        open_image(lazy)


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1"])
def test_open_image_of_heic_names_pillow_heif(brand, monkeypatch):
    monkeypatch.setattr(formats, "_HEIF", "none such")
    data = struct.pack(">I", 24) + b"ftyp" + brand + bytes(4) + b"mif1" + brand + bytes(64)
    with pytest.raises(Im2TexError, match=r"HEIC .*pip install pillow-heif"):
        open_image(data)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_open_image_of_a_named_pipe_does_not_wait(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to("a.png")
    for name in ("a.png", "b.png"):
        with pytest.raises(Im2TexError, match=rf"{name}: it is a named pipe"):
            open_image(tmp_path / name)


def test_open_image_of_other_file_types_is_refused(tmp_path):
    (tmp_path / "gone.png").symlink_to("nowhere.png")
    (tmp_path / "one.png").symlink_to("two.png")
    (tmp_path / "two.png").symlink_to("one.png")
    (tmp_path / "empty.png").touch()
    (tmp_path / "short.png").write_bytes(PNG[: len(PNG) // 2])
    for name, reason in {
        "gone.png": r"cannot open .*gone\.png: it is a link to nowhere\.png, which does not exist",
        "one.png": r"cannot open .*one\.png: ",
        "missing.png": r"cannot open .*missing\.png: ",
        "empty.png": r"empty\.png: .* empty \(0 bytes\)",
        "short.png": r"short\.png: .*truncated\. Copy or save it again\.$",
        "": r"it is a folder, not a regular file",
        "nul\0.png": r"cannot open ",
    }.items():
        with pytest.raises(Im2TexError, match=reason) as caught:
            open_image(str(tmp_path / name))
        assert "\n" not in str(caught.value)


def test_open_image_of_a_large_photograph_is_smaller(monkeypatch):
    monkeypatch.setattr(opening, "WORKING_PIXELS", 10_000)
    for kind in ("JPEG", "PNG", "TIFF"):
        image = open_image(encoded(PICTURE, kind)).image
        assert 2_000 < image.width * image.height <= 10_500
    wide = np.repeat(np.arange(1000, dtype=np.uint16)[None], 50, 0)
    for source in (wide, PICTURE.convert("RGBA"), PICTURE.convert("P"), PICTURE.convert("1")):
        image = open_image(source).image
        assert image.width * image.height <= 10_500


def test_open_image_of_too_many_pixels_or_bytes_is_refused(monkeypatch):
    monkeypatch.setattr(opening, "_MAX_PIXELS", 1000)
    monkeypatch.setattr(opening, "_MAX_JPEG_PIXELS", 1000)
    for kind in ("PNG", "JPEG"):
        with pytest.raises(Im2TexError, match="560 x 200 pixels, at most 1000"):
            open_image(encoded(PICTURE, kind))
    monkeypatch.setattr(files, "MAX_BYTES", 100)
    with pytest.raises(Im2TexError, match="too large"):
        open_image(PNG)


def test_open_image_of_a_progressive_bomb_is_refused(monkeypatch):
    monkeypatch.setattr(opening, "_MAX_SCANNED", 5 * PICTURE.width * PICTURE.height)
    with pytest.raises(Im2TexError, match="too long to decode"):
        open_image(encoded(PICTURE, "JPEG", progressive=True))
    assert open_image(encoded(PICTURE, "JPEG")).image.size == PICTURE.size


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "PNG", "WEBP"])
def test_open_image_of_several_frames_gives_the_first_with_note(kind):
    second = Image.new("L", PICTURE.size, 90)
    data = encoded(PICTURE.convert("RGB"), kind, save_all=True, append_images=[second])
    opened = open_image(data)
    assert opened.image.size == PICTURE.size
    assert ["several frames" in note for note in opened.notes] == [True]


@pytest.mark.parametrize("turn", range(1, 9))
def test_open_image_brings_a_photograph_upright(turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    data = encoded(PICTURE, "JPEG", exif=exif)
    image = open_image(data).image
    assert image.size == (PICTURE.size if turn < 5 else PICTURE.size[::-1])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "PCX"])
def test_open_image_of_damaged_bytes_raises_only_its_own_error(kind):
    rng = random.Random(kind)
    whole = encoded(PICTURE.resize((56, 20)), kind)
    for _ in range(60):
        data = bytearray(whole[: rng.randint(1, len(whole))])
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            open_image(bytes(data))
        except Im2TexError as error:
            message = str(error)
            assert "\n" not in message
            assert len(message) < 300


@pytest.mark.parametrize("source", [None, 3, np.zeros((2, 2, 2, 2)), np.array([["a"]])])
def test_open_image_of_other_objects_is_refused(source):
    with pytest.raises(Im2TexError, match=r"no image|cannot be read"):
        open_image(source)
