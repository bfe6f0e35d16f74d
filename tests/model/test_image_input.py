"""Images are prepared in worker processes as in one process, and errors belong to their image."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw

from im2tex.data.preprocessing import Preprocessing
from im2tex.errors import Im2TexError
from im2tex.model.image_input import prepare_images
from im2tex.model.prediction import ImageWarning
from im2tex.model.recognizer import Recognizer

INK = "<ink><trace>0 0, 50 20, 10 20</trace></ink>"
_START_METHOD = """
import multiprocessing, sys
from im2tex.data.preprocessing import Preprocessing
from im2tex.model.image_input import prepare_images

if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    for prepared in prepare_images(sys.argv[2:], Preprocessing(), num_workers=2):
        print(getattr(prepared, "scale", prepared))
    assert "torch" not in sys.modules
"""


def _image(width: int) -> Image.Image:
    image = Image.new("L", (width, 40), 255)
    ImageDraw.Draw(image).line([(10, 10), (width - 20, 30), (20, 30)], fill=0, width=3)
    return image


@pytest.fixture
def inputs(tmp_path):
    """Every kind of input, with some that cannot be read."""
    png, inkml = tmp_path / "a.png", tmp_path / "a.inkml"
    _image(80).save(png)
    inkml.write_text(INK)
    (tmp_path / "empty.inkml").write_text("<ink></ink>")
    content = png.read_bytes()
    return [
        png,
        tmp_path / "missing.png",
        str(inkml),
        tmp_path / "empty.inkml",
        content,
        memoryview(content),
        io.BytesIO(content),
        b"no image",
        _image(120),
        np.asarray(_image(160)),
        np.zeros((20, 20), np.uint8),
        tmp_path,
    ]


def test_images_prepared_by_workers_equal_those_of_one_process(inputs):
    alone = list(prepare_images(inputs, Preprocessing()))
    together = list(prepare_images(inputs, Preprocessing(), num_workers=2))
    failed = [isinstance(one, Im2TexError) for one in alone]
    assert [i for i, one in enumerate(failed) if one] == [1, 3, 7, 10, 11]
    for one, other in zip(alone, together, strict=True):
        if isinstance(one, Im2TexError):
            assert str(one) == str(other)
        else:
            np.testing.assert_array_equal(one.image, other.image)
            assert one.notes == other.notes


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_workers_of_each_start_method_prepare_images(method, inputs, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(_START_METHOD)
    paths = [str(path) for path in inputs[:4]]
    command = [sys.executable, str(script), method, *paths]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    alone = prepare_images(paths, Preprocessing())
    assert printed.splitlines() == [str(getattr(one, "scale", one)) for one in alone]


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer(["x", "+", "1"]).eval()


def test_predictions_are_in_order_with_errors_in_place(recognizer, inputs):
    options = {"beam_size": 1, "max_length": 5, "batch_size": 2}
    found = list(recognizer.predict_each(iter(inputs), num_workers=2, **options))
    readable = [i for i, one in enumerate(found) if not isinstance(one, Im2TexError)]
    assert readable == [0, 2, 4, 5, 6, 8, 9]
    predictions = recognizer.predict([inputs[i] for i in readable], **options)
    assert [found[i].latex for i in readable] == [one.latex for one in predictions]
    assert [found[i].score for i in readable] == pytest.approx([one.score for one in predictions])


def test_predict_each_reads_only_a_window_of_images(recognizer, inputs):
    read = []
    images = (read.append(1) or inputs[0] for _ in range(10_000))
    found = recognizer.predict_each(images, beam_size=1, max_length=1, batch_size=2)
    next(found)
    assert len(read) == 32  # 16 batches
    single = recognizer.predict_each(images, beam_size=1, max_length=1, batch_size=1)
    next(single)
    assert len(read) == 33


def test_predict_with_unreadable_image_raises_before_the_search(recognizer, inputs, monkeypatch):
    monkeypatch.setattr(recognizer, "search", None)
    with pytest.raises(Im2TexError, match=r"cannot open .*missing\.png"):
        recognizer.predict(inputs[:2], num_workers=1)


def test_warning_names_image_and_line_of_the_call(recognizer, tmp_path):
    page = tmp_path / "page.gif"
    _image(80).save(page, save_all=True, append_images=[_image(90)])
    with pytest.warns(ImageWarning, match=r"page\.gif: it has several frames") as caught:
        recognizer.predict(page, beam_size=1, max_length=1)
    assert caught[0].filename == __file__
