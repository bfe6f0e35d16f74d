"""Coverage: WAP's equations, the state along steps and beams, masks that are real."""

import math

import pytest
import torch
from torch import nn

from im2tex.attention import ATTENTIONS
from im2tex.attention.coverage import CoverageAttention
from im2tex.decoders import SearchOptions, Targets
from im2tex.decoders.lstm import LSTMDecoder
from im2tex.encoders.row_cnn import RowCNN
from im2tex.errors import Im2TexError
from im2tex.grid import Grid, size_mask
from im2tex.latex.vocabulary import BOS, EOS, PAD, UNK

Q, D, V = 3, 4, 11
SMALL = {"attention_dim": 5, "kernel_size": 3, "channels": 6}


def attention(dtype=torch.float64, **arguments):
    torch.manual_seed(0)
    model = CoverageAttention(Q, D, **SMALL | arguments)
    for parameter in model.parameters():
        nn.init.uniform_(parameter, -0.8, 0.8)
    return model.to(dtype)


def grid(sizes=((3, 4), (2, 3)), dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    sizes = torch.tensor(sizes)
    mask = size_mask(sizes, *sizes.amax(0).tolist())
    features = torch.randn(*mask.shape, D, generator=generator, dtype=torch.float64).to(dtype)
    return Grid(features * mask.unsqueeze(3), mask, (8, 8))


def only(cells, image):
    """The grid of one image, without padding."""
    h, w = cells.mask[image].sum(0).max(), cells.mask[image].sum(1).max()
    return Grid(
        cells.features[image : image + 1, :h, :w],
        cells.mask[image : image + 1, :h, :w],
        cells.stride,
    )


def queries(steps, b=2, k=1, dtype=torch.float64):
    generator = torch.Generator().manual_seed(2)
    return torch.randn(steps, b, k, Q, generator=generator, dtype=torch.float64).to(dtype)


def follow(model, cells, steps):
    """The attention outputs of several steps."""
    memory, state, found = model.prepare(cells), None, []
    for query in steps:
        found.append(model(query, memory, state))
        state = found[-1].state
    return found


def test_coverage_step_follows_the_equations_of_wap():
    model, cells = attention(), only(grid(), 1)
    steps = queries(3, b=1)
    past = torch.zeros(2, 3, dtype=torch.float64)
    for query, attended in zip(steps, follow(model, cells, steps), strict=True):
        scores = torch.empty(2, 3, dtype=torch.float64)
        for i in range(2):
            for j in range(3):
                # F: the 3 x 3 window of past weights around the cell, zero beyond the grid.
                f = torch.zeros(6, dtype=torch.float64)
                for di in (-1, 0, 1):
                    for dj in (-1, 0, 1):
                        if 0 <= i + di < 2 and 0 <= j + dj < 3:
                            f += model.window.weight[:, 0, di + 1, dj + 1] * past[i + di, j + dj]
                mixed = model.project(query[0, 0]) + model.keys(cells.features[0, i, j])
                scores[i, j] = model.energy(torch.tanh(mixed + model.past(f)))
        weights = scores.flatten().softmax(0)
        torch.testing.assert_close(attended.weights[0, 0], weights, rtol=0, atol=1e-12)
        context = weights @ cells.features.flatten(1, 2)[0]
        torch.testing.assert_close(attended.context[0, 0], context, rtol=0, atol=1e-12)
        past = past + weights.detach().view(2, 3)
        torch.testing.assert_close(attended.state[0, 0], past.flatten(), rtol=0, atol=1e-12)


def test_coverage_lowers_weights_of_attended_cells():
    """One cell's own past weight counts, at -20: two like cells are taken by turns."""
    model = attention(attention_dim=1, kernel_size=1, channels=1)
    for layer, value in ((model.project, 0.0), (model.keys, 0.0), (model.past, 1.0)):
        layer.weight.data.fill_(value)
    model.keys.bias.data.zero_()
    model.window.weight.data.fill_(0.5)
    model.energy.weight.data.fill_(-20.0)
    cells = only(grid(sizes=((1, 2), (1, 2))), 0)
    memory = model.prepare(cells)
    start = torch.tensor([[[1.0, 0.0]]], dtype=torch.float64)
    shunned = 1 / (1 + math.exp(20 * math.tanh(0.5)))
    attended = model(queries(1, b=1)[0], memory, start)
    assert attended.weights[0, 0].tolist() == pytest.approx([shunned, 1 - shunned], abs=1e-12)
    assert attended.state[0, 0].tolist() == pytest.approx([1 + shunned, 1 - shunned], abs=1e-12)


@pytest.mark.parametrize("kernel_size", [1, 3, 11])
def test_coverage_padding_has_no_weight_and_no_effect(kernel_size):
    model, cells = attention(kernel_size=kernel_size), grid()
    # Whatever lies in the padding of the features.
    cells.features[~cells.mask] = 7.0
    steps = queries(4, k=2)
    together = follow(model, cells, steps)
    for image, (h, w) in enumerate([(3, 4), (2, 3)]):
        alone = follow(model, only(cells, image), steps[:, image : image + 1])
        for one, other in zip(together, alone, strict=True):
            for name in ("weights", "state"):
                found = getattr(one, name)[image].reshape(2, 3, 4)
                expected = getattr(other, name)[0].reshape(2, h, w)
                torch.testing.assert_close(found[:, :h, :w], expected, rtol=0, atol=1e-12)
                assert found[:, h:].abs().sum() == found[:, :, w:].abs().sum() == 0
            torch.testing.assert_close(one.context[image], other.context[0], rtol=0, atol=1e-12)


def test_hypotheses_of_an_image_share_its_memory_and_have_their_own_past():
    model, cells = attention(), grid()
    steps = queries(3, k=3)
    together = follow(model, cells, steps)
    for k in range(3):
        alone = follow(model, cells, steps[:, :, k : k + 1])
        for one, other in zip(together, alone, strict=True):
            torch.testing.assert_close(one.weights[:, k], other.weights[:, 0], rtol=0, atol=1e-12)


def test_coverage_step_counts_every_true_cell():
    (attended,) = follow(attention(), grid(), queries(1, k=2))
    assert attended.fine_lookups.tolist() == [[12.0] * 2, [6.0] * 2]
    assert attended.coarse_lookups.tolist() == [[0.0] * 2] * 2
    assert attended.log_probability is None
    torch.testing.assert_close(attended.weights.sum(2), torch.ones(2, 2, dtype=torch.float64))


def test_coverage_memory_select_takes_images():
    model, cells = attention(), grid()
    memory, images = model.prepare(cells), torch.tensor([1])
    query, state = queries(1, k=2)[0], torch.rand(2, 2, 12).double()
    every = model(query, memory, state)
    some = model(query[images], model.select(memory, images), state[images])
    torch.testing.assert_close(some.weights, every.weights[images], rtol=0, atol=1e-12)
    torch.testing.assert_close(some.context, every.context[images], rtol=0, atol=1e-12)
    assert torch.equal(some.fine_lookups, every.fine_lookups[images])


def test_gradients_agree_with_finite_differences_through_the_past():
    model, cells = attention(), grid(sizes=((2, 2), (1, 2)))

    def steps(features, *queries):
        found = follow(model, Grid(features, cells.mask, (8, 8)), queries)
        return found[-1].context, found[-1].weights

    given = [cells.features.requires_grad_(), *(q.requires_grad_() for q in queries(2).unbind())]
    assert torch.autograd.gradcheck(steps, given)


def test_coverage_attention_has_gradients_of_all_parameters():
    model, cells = attention(), grid()
    found = follow(model, cells, queries(2))
    (found[-1].context.sin().sum() + found[-1].weights.square().sum()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().max() > 0, name


def test_bfloat16_autocast_stays_close_and_the_past_is_summed_in_float32():
    model, cells, steps = attention(torch.float32), grid(dtype=torch.float32), queries(4)
    with torch.no_grad():
        exact = follow(model, cells, steps.float())[-1]
        with torch.autocast("cpu", torch.bfloat16):
            rough = follow(model, cells, steps.float())[-1]
    assert rough.state.dtype == rough.weights.dtype == torch.float32
    torch.testing.assert_close(rough.state, exact.state, rtol=0, atol=0.05)
    torch.testing.assert_close(rough.state.sum(2), torch.full((2, 1), 4.0))


def test_coverage_in_half_precision_sums_the_past_in_float32():
    model, cells, steps = attention(torch.bfloat16), grid(dtype=torch.bfloat16), queries(4)
    exact = follow(attention(), grid(), steps)[-1]
    rough = follow(model, cells, steps.bfloat16())[-1]
    rough.context.float().sum().backward()
    assert rough.state.dtype == torch.float32
    torch.testing.assert_close(rough.state.double(), exact.state, rtol=0, atol=0.05)
    torch.testing.assert_close(rough.state.sum(2), torch.full((2, 1), 4.0))
    assert all(p.grad.isfinite().all() for p in model.parameters())


# ------------------------------------------------------------------ with the LSTM decoder


def decoder(dtype=torch.float64):
    torch.manual_seed(0)
    model = LSTMDecoder(V, "coverage", SMALL, D, hidden_size=6, embedding_dim=4)
    for parameter in model.parameters():
        nn.init.uniform_(parameter, -0.8, 0.8)
    return model.to(dtype).eval()


def test_coverage_beam_score_equals_likelihood():
    """Each hypothesis carries its own past, though beams are reordered at every step."""
    model, cells = decoder(), grid()
    for image, found in enumerate(model.search(cells, SearchOptions(4, 7, n_best=4))):
        assert len({tuple(one.tokens) for one in found}) == 4
        for one in found:
            tokens = torch.tensor([one.tokens + [EOS] * one.finished])
            _, logs = model.loss(only(cells, image), Targets(tokens))
            assert one.log_probability == pytest.approx(-logs["nll"].item(), abs=1e-9)
            assert one.lookups == (0, (12, 6)[image] * one.steps)


def test_greedy_reading_takes_the_best_token_of_teacher_forcing_on_itself():
    model, cells = decoder(), grid()
    for image, (best,) in enumerate(model.search(cells, SearchOptions(1, 7))):
        tokens = torch.tensor([best.tokens + [EOS] * best.finished])
        with torch.no_grad():
            logits, _ = model.teacher_forcing(only(cells, image), tokens)
        logits[:, :, [PAD, BOS, UNK]] = float("-inf")
        assert logits.argmax(2).tolist() == tokens.tolist()


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-4)], ids=str
)
def test_coverage_prediction_does_not_depend_on_batch(dtype, tolerance):
    torch.manual_seed(0)
    encoder = RowCNN([4, D], ["2x2", "2x2"], [True, True], row_hidden_size=D, num_row_embeddings=2)
    encoder, model = encoder.to(dtype).eval(), decoder(dtype)
    images = [torch.rand(size, dtype=dtype) for size in [(12, 8), (4, 20), (8, 4)]]
    batch = torch.full((3, 1, 12, 24), 0.5, dtype=dtype)
    for row, image in enumerate(images):
        batch[row, 0, : image.shape[0], : image.shape[1]] = image
    mask = size_mask(torch.tensor([image.shape for image in images]), 12, 24)
    tokens = torch.randint(4, V, (3, 6))
    with torch.no_grad():
        logits, _ = model.teacher_forcing(encoder(batch, mask), tokens)
        for row, image in enumerate(images):
            alone = encoder(image[None, None], torch.ones(1, *image.shape, dtype=torch.bool))
            expected, _ = model.teacher_forcing(alone, tokens[row : row + 1])
            torch.testing.assert_close(logits[row], expected[0], rtol=0, atol=tolerance)


# ------------------------------------------------------------------ arguments


def build(**arguments):
    return ATTENTIONS.build("coverage", arguments, query_width=6, width=D, coarse_width=None)


def test_coverage_sizes_default_to_those_of_densewap():
    model = build()
    assert model.window.weight.shape == (512, 1, 11, 11)
    assert model.past.weight.shape == (6, 512)
    assert model.keys.weight.shape == (6, D)
    assert not model.needs_coarse
    # W, U_a with its bias, Q, U_f, v.
    count = 6 * 6 + 6 * D + 6 + 512 * 121 + 6 * 512 + 6
    assert sum(parameter.numel() for parameter in model.parameters()) == count
    # One convolution is left of two maps: the number of maps of Q costs nothing at a step.
    cells = Grid(torch.zeros(1, 2, 2, D), torch.ones(1, 2, 2).bool(), (8, 8))
    assert model.prepare(cells).kernel.shape == (6, 1, 11, 11)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kernel_size": 4}, "attention 'coverage': kernel_size must be odd, got 4"),
        ({"kernel_size": -1}, "must be odd, got -1"),
        ({"attention_dim": 0}, "attention_dim must be >= 1, got 0"),
        ({"channels": 0}, "channels must be >= 1, got 0"),
        ({"score": "bilinear"}, "takes no argument 'score'"),
    ],
)
def test_coverage_bad_arguments_raise(arguments, message):
    with pytest.raises(Im2TexError, match=message):
        build(**arguments)
