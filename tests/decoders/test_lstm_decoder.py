"""The paper's decoder: its equations, its loss by hand, and masks that are real to the end."""

import math
from dataclasses import replace

import pytest
import torch
from grids import random_grid
from torch import nn

from im2tex.attention import ATTENTIONS
from im2tex.attention.standard import StandardAttention
from im2tex.decoders import DECODERS, SearchOptions, Targets
from im2tex.decoders.lstm import LSTMDecoder
from im2tex.encoders.row_cnn import RowCNN
from im2tex.errors import Im2TexError
from im2tex.grid import Grid, size_mask
from im2tex.latex.vocabulary import BOS, EOS, PAD

V, D, W = 13, 6, 5
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}
SCORES = ["bilinear", "additive"]


def decoder(dtype=torch.float64, score="bilinear", spread=0.8, **arguments):
    torch.manual_seed(0)
    settings = {"hidden_size": W, "embedding_dim": 4} | arguments
    model = LSTMDecoder(V, "standard", {"score": score}, D, **settings)
    for parameter in model.parameters():
        nn.init.uniform_(parameter, -spread, spread)
    return model.to(dtype).eval()


def grid(sizes=((2, 3), (1, 2)), dtype=torch.float64):
    return random_grid(sizes, D, dtype)


TOKENS = torch.tensor([[5, 7, 4, EOS], [6, EOS, PAD, PAD]])


@pytest.mark.parametrize("score", SCORES)
def test_lstm_step_follows_the_equations_of_the_paper(score):
    model, cells = decoder(score=score), grid()
    tokens = torch.tensor([[BOS, 5, 7, 4], [BOS, 6, 8, 8]])
    state = model.start(cells)
    memory = model.attention.prepare(cells)
    h = c = o = torch.zeros(2, W, dtype=torch.float64)
    for column in tokens.T:
        h, c = model.cell(torch.cat([model.embedding(column), o], 1), (h, c))  # nn.LSTMCell's own
        context = model.attention(h.unsqueeze(1), memory, None).context.squeeze(1)
        o = torch.tanh(model.combine(torch.cat([h, context], 1)))
        expected = model.output(o).log_softmax(1)
        found, state = model.step(column.unsqueeze(1), state)
        torch.testing.assert_close(found.squeeze(1), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("learning", [True, False])
def test_teacher_forcing_is_stepping_through_the_gold_tokens(score, learning):
    model, cells = decoder(score=score), grid()
    cells = replace(cells, features=cells.features.requires_grad_(learning))
    logits, weights = model.teacher_forcing(cells, TOKENS)
    assert logits.shape == (2, 4, V)
    torch.testing.assert_close(weights.sum(2), torch.ones(2, 4, dtype=torch.float64))
    with torch.no_grad():
        state = model.start(cells)
        for step in range(4):
            fed = TOKENS[:, step - 1] if step else torch.full((2,), BOS)
            log_p, state = model.step(fed.unsqueeze(1), state)
            expected = logits[:, step].log_softmax(1)
            torch.testing.assert_close(log_p.squeeze(1), expected, rtol=0, atol=1e-9)


def test_hypotheses_of_an_image_are_stepped_as_they_would_be_alone():
    model, cells = decoder(), grid()
    prefixes = torch.tensor([[[5, 7], [6, 8], [4, 4]], [[8, 5], [5, 5], [7, 6]]])  # (B, K, t)
    with torch.no_grad():
        _, state = model.step(torch.full((2, 1), BOS), model.start(cells))
        state = model.reorder(state, torch.zeros(2, 3, dtype=torch.long))
        for column in prefixes.unbind(2):
            together, state = model.step(column, state)
        for k in range(3):
            alone = model.start(cells)
            for column in (torch.full((2,), BOS), *prefixes[:, k].T):
                log_p, alone = model.step(column.unsqueeze(1), alone)
            torch.testing.assert_close(together[:, k : k + 1], log_p, rtol=0, atol=1e-9)


def test_lstm_likelihood_ignores_padding():
    model, cells = decoder(), grid()
    loss, logs = model.loss(cells, Targets(TOKENS))
    logits, _ = model.teacher_forcing(cells, TOKENS)
    log_p = logits.log_softmax(2)
    real = [(0, 0, 5), (0, 1, 7), (0, 2, 4), (0, 3, EOS), (1, 0, 6), (1, 1, EOS)]
    nll = -sum(log_p[place].item() for place in real)
    assert logs["nll"].item() == pytest.approx(nll, abs=1e-9)
    assert logs["tokens"].item() == 6
    assert loss.item() == pytest.approx(nll / 2, abs=1e-9)  # the paper's: by the images
    by_token, _ = decoder(reduction="tokens").loss(cells, Targets(TOKENS))
    assert by_token.item() == pytest.approx(nll / 6, abs=1e-9)


def test_lstm_likelihood_of_uniform_predictions_is_log_v_per_token():
    model = decoder(spread=0.0)
    loss, logs = model.loss(grid(), Targets(TOKENS))
    assert logs["nll"].item() == pytest.approx(6 * math.log(V))
    assert loss.item() == pytest.approx(3 * math.log(V))


def test_label_smoothing_is_in_the_loss_of_training_and_never_in_the_likelihood():
    model, cells = decoder(label_smoothing=0.1), grid()
    plain, logs = model.loss(cells, Targets(TOKENS))
    smooth, smooth_logs = model.train().loss(cells, Targets(TOKENS))
    logits, _ = model.teacher_forcing(cells, TOKENS)
    expected = nn.functional.cross_entropy(
        logits.flatten(0, 1), TOKENS.flatten(), ignore_index=PAD, label_smoothing=0.1,
        reduction="sum",
    )  # fmt: skip
    assert smooth.item() == pytest.approx(expected.item() / 2, abs=1e-9)
    assert smooth_logs["nll"].item() == pytest.approx(logs["nll"].item(), abs=1e-12)
    assert plain.item() == pytest.approx(logs["nll"].item() / 2, abs=1e-12)


def test_grounding_is_added_in_training_by_its_weights():
    boxes = torch.full((2, 4, 4), -1.0)
    boxes[:, :, :2] = 0.0
    boxes[0, 0] = torch.tensor([0.0, 0.0, 7.0, 7.0])  # the first token's symbol: cell (0, 0)
    targets, cells = Targets(TOKENS, boxes), grid()
    model = decoder(guided_attention=2.0, symbol_loss=3.0).train()
    loss, logs = model.loss(cells, targets)
    _, weights = model.teacher_forcing(cells, TOKENS)
    guided = -math.log(weights[0, 0, 0].item())
    symbols = -model.symbols.classify(cells.features[0, 0, 0]).log_softmax(0)[5].item()
    assert logs["guided_attention"].item() == pytest.approx(guided, abs=1e-9)
    assert logs["symbol_loss"].item() == pytest.approx(symbols, abs=1e-9)
    likelihood = logs["nll"].item() / 2
    assert loss.item() == pytest.approx(likelihood + 2 * guided + 3 * symbols, abs=1e-9)
    for plain in (model.eval().loss(cells, targets), model.train().loss(cells, Targets(TOKENS))):
        assert plain[0].item() == pytest.approx(likelihood, abs=1e-9)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("score", SCORES)
def test_lstm_prediction_does_not_depend_on_batch(score, dtype):
    torch.manual_seed(0)
    encoder = RowCNN(
        [4, D], ["2x2", "2x2"], [True, True], row_hidden_size=D, num_row_embeddings=2, residual=True
    )
    encoder = encoder.to(dtype).eval()
    model = decoder(dtype, score)
    images = [torch.rand(size, dtype=dtype) for size in [(12, 8), (4, 20), (8, 4), (12, 20)]]
    batch = torch.full((4, 1, 12, 24), 0.5, dtype=dtype)
    for row, image in enumerate(images):
        batch[row, 0, : image.shape[0], : image.shape[1]] = image
    mask = size_mask(torch.tensor([image.shape for image in images]), 12, 24)
    tokens = torch.randint(4, V, (4, 6))
    tokens[1, 3:], tokens[1, 2] = PAD, EOS
    options = SearchOptions(beam_size=4, n_best=3, max_length=8)
    with torch.no_grad():
        together = encoder(batch, mask)
        logits, _ = model.teacher_forcing(together, tokens)
        readings = model.search(together, options)
        for row, image in enumerate(images):
            alone = encoder(image[None, None], torch.ones(1, *image.shape, dtype=torch.bool))
            length = int((tokens[row] != PAD).sum())
            expected, _ = model.teacher_forcing(alone, tokens[row : row + 1, :length])
            torch.testing.assert_close(
                logits[row, :length], expected[0], rtol=0, atol=TOLERANCE[dtype]
            )
            (found,) = model.search(alone, options)
            assert [one.tokens for one in found] == [one.tokens for one in readings[row]]
            for one, other in zip(found, readings[row], strict=True):
                assert one.score == pytest.approx(other.score, abs=TOLERANCE[dtype])


def test_lstm_beam_score_equals_likelihood():
    model, cells = decoder(), grid()
    for image, found in enumerate(model.search(cells, SearchOptions(4, 6, n_best=4))):
        alone = Grid(cells.features[image : image + 1], cells.mask[image : image + 1], (8, 8))
        for one in found:
            tokens = torch.tensor([one.tokens + [EOS] * one.finished])
            _, logs = model.loss(alone, Targets(tokens))
            assert one.log_probability == pytest.approx(-logs["nll"].item(), abs=1e-9)


def test_lstm_search_keeps_no_autograd_graph():
    model, cells = decoder(score="additive"), grid()
    cells = replace(cells, features=cells.features.requires_grad_())
    states = []
    start = model.start
    model.start = lambda grid: states.append(start(grid)) or states[-1]
    model.search(cells, SearchOptions(2, 3))
    assert not states[0].memory.keys.requires_grad
    assert not states[0].recurrent_weight.requires_grad


def test_lstm_has_gradients_of_all_parameters_and_rows_by_token():
    model = decoder(guided_attention=1.0, symbol_loss=1.0, dropout=0.2).train()
    boxes = torch.tensor([0.0, 0.0, 7.0, 7.0]).expand(2, 4, 4)
    loss, _ = model.loss(grid(), Targets(TOKENS, boxes))
    loss.backward()
    parameters = dict(model.named_parameters())
    for name, parameter in parameters.items():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert set(model.vocabulary_parameters) <= set(parameters)
    rows = {name for name, parameter in parameters.items() if V in parameter.shape}
    assert rows == set(model.vocabulary_parameters)
    assert all(parameters[name].shape[0] == V for name in rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden_size": 0}, "hidden_size must be >= 1, got 0"),
        ({"embedding_dim": -1}, "embedding_dim must be >= 1, got -1"),
        ({"label_smoothing": 1.5}, r"label_smoothing must be in \[0, 1\), got 1\.5"),
        ({"guided_attention": -1.0}, r"guided_attention must be >= 0 and finite, got -1\.0"),
        ({"symbol_loss": float("inf")}, "symbol_loss must be >= 0 and finite, got inf"),
    ],
)
def test_lstm_bad_arguments_raise(arguments, message):
    with pytest.raises(Im2TexError, match=message):
        DECODERS.build(
            "lstm", arguments, vocabulary_size=V, attention="standard", attention_args={},
            grid_width=4, coarse_width=None,
        )  # fmt: skip


def test_attention_that_needs_a_coarse_grid_without_one_names_the_setting(monkeypatch):
    class Hierarchical(StandardAttention):
        needs_coarse = True

        def __init__(self, query_width: int, width: int, coarse_width: int) -> None:
            super().__init__(query_width, width)
            nn.Linear(query_width, coarse_width)  # would fail with None

    ATTENTIONS.names()
    monkeypatch.setitem(ATTENTIONS._classes, "hierarchical_toy", Hierarchical)
    given = {
        "vocabulary_size": V,
        "attention": "hierarchical_toy",
        "attention_args": {},
        "grid_width": D,
    }
    with pytest.raises(Im2TexError, match="add `coarse: true` to model"):
        DECODERS.build("lstm", {}, **given, coarse_width=None)
    DECODERS.build("lstm", {"hidden_size": W}, **given, coarse_width=3)


def test_bfloat16_autocast_stays_close_forwards_and_backwards():
    found = []
    for amp in (False, True):
        model, cells = decoder(torch.float32), grid(dtype=torch.float32)
        cells = replace(cells, features=cells.features.requires_grad_())
        with torch.autocast("cpu", torch.bfloat16, enabled=amp):
            loss, _ = model.loss(cells, Targets(TOKENS))
        loss.backward()
        assert loss.dtype == torch.float32
        found.append([cells.features.grad, *(p.grad for p in model.parameters())])
    for exact, rough in zip(*found, strict=True):
        assert rough.dtype == torch.float32
        assert (rough - exact).norm() < 0.05 * exact.norm()
