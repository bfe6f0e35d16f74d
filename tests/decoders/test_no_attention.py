"""Decoders that take no attention: none has to be set, and the settings say what is so."""

import pytest
from tiny_run import TINY

from im2tex.decoders import DECODERS, Decoder
from im2tex.errors import Im2TexError
from im2tex.training.module import Im2Tex

ENCODER = {name: TINY["model"][name] for name in ("encoder", "encoder_args")}


class Alone(Decoder):
    """Brings its own way of looking."""

    attentions = ()

    def __init__(self, vocabulary_size: int, grid_width: int) -> None:
        super().__init__()
        self.sizes = vocabulary_size, grid_width

    def loss(self, grid, targets):
        raise NotImplementedError

    def search(self, grid, options):
        raise NotImplementedError


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    DECODERS.names()
    monkeypatch.setitem(DECODERS._classes, "alone", Alone)


@pytest.mark.parametrize("settings", [{}, {"attention": "none"}, {"attention_args": {}}])
def test_decoder_without_attention_needs_no_attention_setting(settings):
    model = Im2Tex(vocabulary=["x"], decoder="alone", **ENCODER, **settings)
    assert model.hparams["attention"] == "none"
    assert model.recognizer.require_decoder().sizes == (5, model.recognizer.encoder.width)
    again = Im2Tex(**dict(model.hparams))
    assert again.hparams == model.hparams


@pytest.mark.parametrize(
    ("settings", "given"),
    [
        ({"attention": "hierarchical"}, "'hierarchical'"),
        ({"attention_args": {"score": "additive"}}, "'standard' with {'score': 'additive'}"),
    ],
)
def test_unused_attention_raises(settings, given):
    with pytest.raises(Im2TexError) as error:
        Im2Tex(decoder="alone", **ENCODER, **settings)
    assert str(error.value) == (
        f"decoder 'alone' takes no attention, but model.attention is {given}: leave "
        "model.attention and model.attention_args out."
    )


def test_decoder_that_needs_attention_without_one_raises():
    with pytest.raises(Im2TexError, match=r"'lstm' takes attention .*standard.*, not 'none'"):
        Im2Tex(decoder="lstm", attention="none", **ENCODER)


def test_decoder_restricts_its_attentions(monkeypatch):
    monkeypatch.setattr(Alone, "attentions", ("coarse", "fine"))
    with pytest.raises(Im2TexError, match="takes attention coarse or fine, not 'standard'"):
        Im2Tex(decoder="alone", **ENCODER)
