"""No encoder: a decoder that sees nothing is a language model of the labels."""

import math

import pytest
import torch
from overfit import train_until
from tiny_run import TINY, changed, config, im2tex

from im2tex.decoders import SearchOptions, Targets
from im2tex.encoders import ENCODERS
from im2tex.errors import Im2TexError
from im2tex.evaluation.results import read_result
from im2tex.latex.vocabulary import EOS, PAD
from im2tex.training.module import Im2Tex

WORDS = ["x", "+", "1"]
ARGUMENTS = {"hidden_size": 24, "embedding_dim": 8, "reduction": "tokens"}


def model():
    torch.manual_seed(0)
    return Im2Tex(vocabulary=WORDS, encoder="none", decoder="lstm", decoder_args=ARGUMENTS)


def grid(language, images):
    return language.recognizer.encoder(
        images, torch.ones(len(images), *images.shape[2:], dtype=torch.bool)
    )


def test_none_encoder_returns_one_cell_without_content():
    encoder = ENCODERS.build("none")
    assert not list(encoder.parameters())
    found = grid(model(), torch.rand(3, 1, 5, 7))
    assert found.features.shape == (3, 1, 1, encoder.width)
    assert not found.features.any()
    assert found.mask.all()
    assert found.mask.shape == (3, 1, 1)
    with pytest.raises(Im2TexError, match="takes no argument 'width'"):
        ENCODERS.build("none", {"width": 3})


def test_none_encoder_learns_label_frequencies():
    # "x" three times, "x + 1" once: the best that can be known without a picture.
    labels = [[4]] * 3 + [[4, 5, 6]]
    tokens = torch.tensor([[*label, EOS] + [PAD] * (3 - len(label)) for label in labels])
    known = [([4], pytest.approx(3 / 4, abs=0.03)), ([4, 5, 6], pytest.approx(1 / 4, abs=0.03))]
    language = model()
    cells = grid(language, torch.rand(4, 1, 8, 8))

    def loss():
        return language.recognizer.require_decoder().loss(cells, Targets(tokens))[0]

    @torch.no_grad()
    def found():
        """For each picture, the likeliest labels and their probabilities."""
        hypotheses = language.recognizer.require_decoder().search(cells, SearchOptions(3, n_best=2))
        return [
            [(one.tokens, math.exp(one.log_probability)) for one in image] for image in hypotheses
        ]

    train_until([language], loss, lambda: found() == [known] * 4, rate=0.03)
    assert found() == [known] * 4


def test_none_encoder_fits_and_tests_from_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = changed(TINY, model={"encoder": "none", "encoder_args": {}})
    assert im2tex("fit", "--config", config(tmp_path, settings)) == 0
    checkpoint = tmp_path / "runs" / "version_0" / "checkpoints" / "last.ckpt"
    assert im2tex("test", "--ckpt_path", checkpoint, "--report.engine", "none") == 0
    (result,) = tmp_path.glob("runs/**/test.json")
    metrics = read_result(result)["metrics"]["test"]
    assert 1 < metrics["perplexity"] < 40
    again = Im2Tex.load_from_checkpoint(checkpoint)
    assert type(again.recognizer.encoder) is ENCODERS.get("none")
