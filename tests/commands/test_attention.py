"""`im2tex report attention`, and the function that it calls."""

import json
import re
from base64 import b64encode
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from tiny_run import TINY, changed, config, im2tex

from im2tex.decoders import SearchOptions
from im2tex.errors import Im2TexError
from im2tex.evaluation import rendered_pairs
from im2tex.latex.tokens import join_tokens
from im2tex.model.image_input import prepare_image
from im2tex.render import Cause, Failure, Rendering
from im2tex.training.module import Im2Tex
from im2tex.visualization.attention.predict import predict_with_attention
from im2tex.visualization.attention.record import END

NO_LATEX = Failure(Cause.TEX, "a brace")


@pytest.fixture(scope="module")
def model(checkpoint):
    return Im2Tex.load_from_checkpoint(checkpoint)


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "a.png"
    image = Image.new("L", (80, 40), 255)
    ImageDraw.Draw(image).line([(10, 10), (60, 30), (20, 30)], fill=0, width=3)
    image.save(path)
    return path


def shown(page):
    """The data of a page."""
    text = page.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])


def report(*given, engine="none"):
    return im2tex("report", "attention", "--engine", engine, *given)


def names(page):
    return [one["name"] for one in shown(page)["images"]]


# ---------------------------------------------------------------- from Python


def test_predict_with_attention_equals_prediction_of_model(model, picture):
    image = prepare_image(picture, model.preprocessing).image
    for beam in (1, 3):
        options = SearchOptions(beam_size=beam, max_length=12)
        found = predict_with_attention(model.recognizer, image, "a", options=options)
        reading = model.transcribe(picture, beam_size=beam, max_length=12)[0]
        assert found.prediction == reading.tokens
        assert found.finished == reading.finished
        # Without a length penalty, the score is the log probability, the end included.
        assert found.log_probability.sum() == pytest.approx(reading.score, abs=1e-4)
        height, width = image.shape
        down, right = model.recognizer.encoder.stride
        assert found.fine.shape[1:] == (height // down, width // right)
        np.testing.assert_allclose(found.fine.sum((1, 2)), 1, atol=1e-5)
        for step, token in enumerate(found.tokens):
            known = dict(found.top_k[step])
            if token in known:
                assert np.log(known[token]) == pytest.approx(found.log_probability[step], abs=1e-4)


def test_predict_with_attention_keeps_mode_and_random_state(model, picture):
    image = prepare_image(picture, model.preprocessing).image
    for training in (True, False):
        model.train(training)
        random = torch.get_rng_state()
        predict_with_attention(model.recognizer, image, options=SearchOptions(1, 3))
        assert model.training == training
        assert torch.equal(random, torch.get_rng_state())


# ---------------------------------------------------------------- the command


def test_attention_command_of_images_writes_page_and_strips(checkpoint, picture, tmp_path, capsys):
    out, strips = tmp_path / "a" / "page.html", tmp_path / "strips"
    given = ("--ckpt_path", checkpoint, "--images", picture, picture, "--beam_size", 2)
    assert report(*given, "--out", out, "--strip", strips) == 0
    assert names(out) == ["a.png", "a.png"]
    about = dict(shown(out)["about"])
    assert (about["attention"], about["decoder"], about["beam"]) == ("standard", "lstm", "2")
    assert sorted(one.name for one in strips.iterdir()) == ["001-a.png", "002-a.png"]
    said = capsys.readouterr().out
    assert re.search(r"page\.html: 2 images, \d+ kB\. Open it in a browser\.", said)


def test_attention_command_of_ensemble_names_what_is_averaged(
    checkpoint, picture, tmp_path, capsys
):
    folder, out = tmp_path / "together", tmp_path / "page.html"
    export = ("export", "--ckpt_path", checkpoint, "--folder", folder)
    assert im2tex(*export, "--scales", 0.8, 1) == 0
    assert report("--model", folder, "--images", picture, "--out", out) == 0
    about = dict(shown(out)["about"])
    assert about["ensemble"].endswith("of one model over images at the scales 0.8, 1.")
    assert about["attention shown"] == "mean over models and scales, on the first model's grid"
    capsys.readouterr()
    assert im2tex("read", picture, "--model", folder) == 0
    (page,) = shown(out)["images"]
    tokens = [token for token in page["tokens"] if token != END]
    assert capsys.readouterr().out.strip() == join_tokens(tokens)


def test_attention_command_of_split_shows_samples_of_checkpoint_data(checkpoint, trained, tmp_path):
    out = tmp_path / "page.html"
    given = ("--ckpt_path", checkpoint, "--out", out, "--beam_size", 1)
    assert report(*given, "--split", "test", "--limit", 3) == 0
    first = shown(out)["images"]
    assert len(first) == 3
    assert all(one["gold"]["tokens"] for one in first)
    # The same by name, from another data folder, in the order of the keys.
    keys = [first[2]["name"], first[0]["name"]]
    root = trained / "data"
    assert report(*given, "--split", "grammar:test", "--root", root, "--keys", *keys) == 0
    assert names(out) == keys


def test_attention_command_unreadable_image_is_reported_and_skipped(
    checkpoint, picture, tmp_path, capsys
):
    out = tmp_path / "page.html"
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    given = ("--ckpt_path", checkpoint, "--out", out, "--beam_size", 1)
    assert report(*given, "--images", bad, picture) == 1
    assert names(out) == ["a.png"]
    assert "bad.png" in capsys.readouterr().err
    out.unlink()
    assert report(*given, "--images", bad) == 2
    assert "nothing to show" in capsys.readouterr().err
    assert not out.exists()


def test_attention_command_renders_predictions(checkpoint, picture, tmp_path, monkeypatch, capsys):
    class Printer:
        signature, engine = "", "tex"

        def render(self, formulas):
            for formula in formulas:
                if broken:
                    raise Im2TexError("the disk is full.")
                printed.append(formula)
                yield Rendering(png=b"a picture") if valid else Rendering(failure=NO_LATEX)

    @contextmanager
    def opened(engine, cache=None):
        yield Printer()

    printed, broken, valid = [], False, True
    monkeypatch.setattr(rendered_pairs, "open_renderer", opened)
    monkeypatch.setattr(rendered_pairs, "_missing_tex", lambda: "")
    out = tmp_path / "page.html"
    given = ("--ckpt_path", checkpoint, "--out", out, "--beam_size", 1, "--images", picture)
    assert report(*given, engine="tex") == 0
    one = shown(out)["images"][0]
    assert printed == [" ".join(token for token in one["tokens"] if token != END)]
    assert one["rendered"] == "data:image/png;base64," + b64encode(b"a picture").decode()
    valid = False
    assert report(*given, engine="tex") == 0
    assert shown(out)["images"][0]["rendered"] == ""
    broken = True
    assert report(*given, engine="tex") == 0
    assert "predictions not rendered: the disk is full." in capsys.readouterr().err
    assert shown(out)["images"][0]["rendered"] is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((), "either with --images or with --split"),
        (("--images", "a", "--split", "b"), "either with --images or with --split"),
        (("--images", "a", "--keys", "b"), "give --split"),
        (("--split", "test"), "no split 'test'"),
        (("--split", "grammar:test", "--root", "nowhere"), "no split 'test' under nowhere"),
        (("--split", "nothing:test"), "nothing"),
        (("--images", "."), ". is a folder: name its images, such as *.png"),
        (("--images", "a", "--limit", "0"), "--limit must be >= 1, got 0"),
        (("--images", "a", "--strip_width", "5"), "--strip_width must be >= 200, got 5"),
        (("--images", "a", "--beam_size", "0"), "beam_size must be >= 1, got 0"),
        (("--images", "a", "--engine", "pencil"), "no engine 'pencil'"),
        (("--images", "a", "--model", "none_such"), "there is no model 'none_such'"),
        (("--images", "a", "--ckpt_path", "none.ckpt"), "there is no checkpoint none.ckpt"),
    ],
)
def test_attention_command_wrong_options_are_refused(given, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert report(*given) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_attention_command_unknown_key_is_refused(checkpoint, capsys):
    given = ("--ckpt_path", checkpoint, "--split", "test")
    assert report(*given, "--keys", "none") == 2
    assert "test has no sample none; its keys are such as" in capsys.readouterr().err


def test_attention_command_decoder_without_steps_is_refused(picture, tmp_path, capsys):
    assert im2tex("fit", "--config", config(tmp_path, TINY), "--model.decoder", "ctc") == 0
    checkpoint = tmp_path / "runs" / "version_0" / "checkpoints" / "last.ckpt"
    given = ("--ckpt_path", checkpoint, "--out", tmp_path / "p.html")
    assert report(*given, "--images", picture) == 2
    assert "decoder 'ctc', which does not predict token by token" in capsys.readouterr().err


def test_attention_command_encoder_without_image_is_refused(picture, tmp_path, capsys):
    settings = changed(TINY, model={"encoder": "none", "encoder_args": {}})
    assert im2tex("fit", "--config", config(tmp_path, settings), "--trainer.max_steps", 1) == 0
    checkpoint = tmp_path / "runs" / "version_0" / "checkpoints" / "last.ckpt"
    assert report("--ckpt_path", checkpoint, "--out", tmp_path / "p.html", "--images", picture) == 2
    assert "encoder 'none', which passes no image" in capsys.readouterr().err
    assert not (tmp_path / "p.html").exists()


def test_predict_with_attention_immediate_end_is_one_step(model, picture):
    """With a bias towards the end, the first step is the end."""
    with torch.no_grad():
        bias = model.recognizer.require_decoder().output.bias.clone()
        model.recognizer.require_decoder().output.bias[2] += 100
        image = prepare_image(picture, model.preprocessing).image
        found = predict_with_attention(model.recognizer, image)
        model.recognizer.require_decoder().output.bias.copy_(bias)
    assert found.tokens == [END]
    assert found.prediction == []
