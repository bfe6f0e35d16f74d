"""The attention shown is that of the prediction which the whole ensemble makes."""

import numpy as np
import pytest
import torch

from im2tex import Recognizer
from im2tex.data.dataset import Batch, stack
from im2tex.decoders import SearchOptions
from im2tex.decoders.attention_trace import trace_attention
from im2tex.latex.vocabulary import EOS
from im2tex.model.ensemble import Ensemble
from im2tex.visualization.attention.predict import predict_with_attention

TOKENS = ["a", "b", "c"]


def recognizer(favourite, seed=0):
    """A small model whose output bias makes it prefer one token, then the end."""
    torch.manual_seed(seed)
    model = Recognizer(
        TOKENS,
        encoder_args={
            "channels": [4, 8],
            "pools": ["4x4", "2x2"],
            "batch_norm": [True, True],
            "row_hidden_size": 8,
            "num_row_embeddings": 4,
        },
        decoder_args={"hidden_size": 16, "embedding_dim": 8},
        preprocessing={"symbol_size": 12},
    ).eval()
    with torch.no_grad():
        bias = model.decoder.output.bias
        bias.zero_()
        bias[4 + TOKENS.index(favourite)] = 6.0
    return model


@pytest.fixture
def image():
    rng = np.random.default_rng(0)
    return (rng.random((32, 64)) < 0.3).astype(np.uint8) * 255


def best(model, image, options):
    parts = stack([image])
    batch = Batch(["1"], parts["images"], parts["sizes"], [()])
    return model.search(batch, options)[0][0]


def test_attention_of_ensemble_with_disagreeing_members_follows_the_ensembles_prediction(image):
    options = SearchOptions(beam_size=3, max_length=6)
    first, second, third = recognizer("a"), recognizer("b", 1), recognizer("b", 2)
    ensemble = Ensemble([first, second, third], scales=(1.0, 1.25))
    expected = best(ensemble, image, options)
    alone = best(first, image, options)
    assert expected.tokens != alone.tokens  # otherwise the test could not fail
    found = predict_with_attention(ensemble, image, options=options)
    vocabulary = ensemble.require_vocabulary()
    assert list(found.prediction) == vocabulary.decode(expected.tokens)
    length = len(expected.tokens) + expected.finished
    assert found.fine.shape[0] == len(found.log_probability) == length
    assert found.log_probability.sum() == pytest.approx(expected.score, abs=1e-4)


def test_attention_of_ensemble_is_the_mean_of_its_members_on_the_first_grid(image):
    first, second = recognizer("a"), recognizer("b", 1)
    parts = stack([image])
    batch = Batch(["1"], parts["images"], parts["sizes"], [()])
    tokens = [4, 5, EOS]
    members = Ensemble([first, second]).members(batch)
    together = trace_attention(members, tokens)
    each = [trace_attention([member], tokens) for member in members]
    np.testing.assert_allclose(together.fine, (each[0].fine + each[1].fine) / 2, atol=1e-6)
    mean = np.logaddexp(each[0].log_probability, each[1].log_probability) - np.log(2)
    np.testing.assert_allclose(together.log_probability, mean, atol=1e-5)
    assert (together.lookups == each[0].lookups + each[1].lookups).all()


def test_attention_at_several_scales_sums_to_one_on_the_first_grid(image):
    model = recognizer("a")
    ensemble = Ensemble([model], scales=(1.0, 0.5, 2.0))
    found = predict_with_attention(ensemble, image, options=SearchOptions(1, 4))
    alone = predict_with_attention(model, image, options=SearchOptions(1, 4))
    assert found.fine.shape[1:] == alone.fine.shape[1:]
    np.testing.assert_allclose(found.fine.sum((1, 2)), 1, atol=1e-4)
