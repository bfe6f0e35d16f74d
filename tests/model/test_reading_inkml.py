"""InkML among pictures: on standard input, as bytes, as a file object, under another ending."""

import io
import os

import numpy as np
import pytest
from tiny_run import im2tex

from im2tex.data.preprocessing import Preprocessing
from im2tex.errors import Im2TexError
from im2tex.ink.inkml import read_if_inkml
from im2tex.model.image_input import prepare_image

RULE = Preprocessing()
INK = '<ink xmlns="http://www.w3.org/2003/InkML"><trace>0 0, 50 20, 10 20</trace></ink>'
FAR = INK.replace(
    "</ink>", "<trace>" + "0 0, 50 20, 10 20, " * 20 + "</trace><trace>5000 0</trace></ink>"
)


@pytest.fixture(scope="module")
def folder(checkpoint, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "tiny"
    assert im2tex("export", "--ckpt_path", checkpoint, "--folder", path) == 0
    return path


@pytest.mark.parametrize("name", ["a.inkml", "a.INKML", "a.xml", "a.ink", "a.png", "a"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_inkml_under_any_name_is_drawn(tmp_path, name, encoding):
    path = tmp_path / name
    path.write_bytes(INK.encode(encoding))
    expected = prepare_image(INK.encode(), RULE).image
    for source in (path, str(path), path.read_bytes()):
        np.testing.assert_array_equal(prepare_image(source, RULE).image, expected)


def test_file_object_is_read_from_its_place_and_left_there_otherwise():
    stream = io.BytesIO(b"head" + INK.encode())
    stream.seek(4)
    assert read_if_inkml(stream) is not None
    picture = io.BytesIO(b"\x89PNG\r\n\x1a\n")
    picture.seek(2)
    assert read_if_inkml(picture) is None
    assert picture.tell() == 2
    assert read_if_inkml(io.StringIO(INK)) is None
    assert read_if_inkml(np.zeros((4, 4), np.uint8)) is None


def test_read_if_inkml_unreadable_file_returns_none(tmp_path):
    os.mkfifo(tmp_path / "pipe.xml")
    for path in (tmp_path / "pipe.xml", tmp_path, tmp_path / "none", "a\0b"):
        assert read_if_inkml(path) is None


@pytest.mark.parametrize("name", ["a.inkml", "a.xml", "-"])
def test_inkml_without_ink_is_named(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"<ink></ink>")
    source = path.read_bytes() if name == "-" else path
    with pytest.raises(Im2TexError, match="no stroke") as caught:
        prepare_image(source, RULE)
    assert ("the InkML" if name == "-" else str(path)) in str(caught.value)


def test_points_left_out_are_noted():
    (note,) = prepare_image(FAR.encode(), RULE).notes
    assert "far away from the formula are skipped: 1" in note
    assert prepare_image(INK.encode(), RULE).notes == ()


def test_read_command_takes_inkml_on_standard_input_and_says_what_it_left_out(
    folder, tmp_path, capsys, monkeypatch
):
    path = tmp_path / "a.inkml"
    path.write_text(FAR)
    assert im2tex("read", path, "--model", folder) == 0
    named = capsys.readouterr()
    assert f"im2tex read: {path}: points far away" in named.err
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(FAR.encode())))
    assert im2tex("read", "-", "--model", folder) == 0
    piped = capsys.readouterr()
    assert piped.out == named.out
    assert "im2tex read: -: points far away" in piped.err
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"<ink><trace>1 x</trace></ink>")))
    assert im2tex("read", "-", "--model", folder) == 1
    assert "standard input: the InkML: the point '1 x'" in capsys.readouterr().err
