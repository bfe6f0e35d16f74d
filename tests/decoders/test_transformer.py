"""The transformer decoder: its coverage by hand, its loss, its caches, and masks that are real."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_transformer import TOKENS, V, alone, decoder, grid
from torch import nn

from im2tex.decoders import DECODERS, SearchOptions, Targets
from im2tex.decoders.attention_trace import trace_attention
from im2tex.decoders.beam_search import beam_search
from im2tex.decoders.bidirectional_search import reverse_indices
from im2tex.decoders.transformer.decoder import TransformerDecoder
from im2tex.decoders.transformer.layers import masked_weights, positions
from im2tex.errors import Im2TexError
from im2tex.latex.vocabulary import BOS, EOS, PAD

KINDS = [{}, {"coverage": False}, {"directions": "left_to_right"}, {"num_layers": 2, "d_model": 6}]
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}


def stepped(model, cells, tokens, reverse=False):
    """Log p (B, T, V) with the caches, and where the last layer looked (B, T, N)."""
    state = replace(model.start(cells), reverse=reverse)
    log_p, weights = [], []
    for step in range(tokens.shape[1]):
        fed = tokens[:, step - 1] if step else torch.full((len(tokens),), BOS)
        found, state = model.step(fed.unsqueeze(1), state)
        log_p.append(found)
        weights.append(state.attention_output.weights)
    return torch.cat(log_p, 1), torch.cat(weights, 1)


# ---------------------------------------------------------------- the function


def test_positions_are_those_of_the_transformer():
    found = positions(2, 3, 4, torch.zeros((), dtype=torch.float64))
    rows = [[p, p / 100] for p in (2.0, 3.0, 4.0)]  # 10000 ** (-2 / 4) = 1 / 100
    angles = torch.tensor(rows, dtype=torch.float64)
    torch.testing.assert_close(found[:, 0::2], angles.sin())
    torch.testing.assert_close(found[:, 1::2], angles.cos())


def test_transformer_coverage_sums_previous_attention():
    """Every layer by its own parts, a step at a time, from the whole past each time."""
    model, cells = decoder(), grid()
    logits, weights = model.teacher_forcing(cells, TOKENS)
    memory = model.prepare(cells)
    shifted = nn.functional.pad(TOKENS[:, :-1], (1, 0), value=BOS)
    steps, width = shifted.shape[1], model.d_model
    states = model.embedding_norm(model.embedding(shifted))
    states = model.input_norm(states + positions(0, steps, width, states))
    before = None  # of the layer below, refined: a list of steps, (B, H, N) each
    for number, layer in enumerate(model.stack.layers):
        states = layer.add_self_attention(states, layer.self_attention(states))
        scores = layer.cross_attention.scores(states, memory.keys[number])  # (B, H, T, N)
        own = masked_weights(scores, memory.mask)
        refined = []
        for t in range(steps):
            step = scores[:, :, t]
            if before is not None:
                past = [torch.cat([before[s], own[:, :, s]], 1) for s in range(t)]
                coverage = sum(past, torch.zeros(2, 4, 6, dtype=torch.float64))
                step = step - model.stack.refinement(coverage, (2, 3), None)
            refined.append(masked_weights(step.unsqueeze(2), memory.mask).squeeze(2))
        before = refined
        read = layer.cross_attention.weighted_sum(torch.stack(refined, 2), memory.values[number])
        states = layer.add_cross_attention_and_ffn(states, read)
    torch.testing.assert_close(logits, model.output(states), rtol=0, atol=1e-9)
    torch.testing.assert_close(weights, torch.stack(before, 2).mean(1), rtol=0, atol=1e-9)
    plain = decoder(coverage=False)
    plain.load_state_dict(model.state_dict(), strict=False)
    assert (
        plain.teacher_forcing(cells, TOKENS)[0] - logits
    ).abs().max() > 1e-3  # coverage matters here


def test_batch_statistics_of_coverage_are_those_of_true_cells_at_true_steps():
    model, cells = decoder(directions="left_to_right"), grid()
    norm = model.stack.refinement.norm
    seen = []
    norm.register_forward_pre_hook(lambda module, inputs: seen.append(inputs))
    norm.train()
    model.stack.training = True  # without the dropout of its layers
    before = norm.running_mean.clone()
    model.loss(cells, Targets(TOKENS))
    values, keep = seen[0]
    assert keep.sum() == 5 * 6 + 2 * 2  # five steps over 2 x 3 cells, two over 1 x 2
    expected = nn.BatchNorm1d(2).double()  # PyTorch's own, over what is kept
    expected.weight, expected.bias = norm.weight, norm.bias
    expected.running_mean.copy_(before)
    torch.testing.assert_close(
        type(norm).forward(copy.deepcopy(norm), values, keep).transpose(1, 2)[keep],
        expected(values.transpose(1, 2)[keep]),
        rtol=0,
        atol=1e-9,
    )
    fresh = copy.deepcopy(norm)
    fresh.running_mean.copy_(before)
    fresh(values, keep)
    torch.testing.assert_close(fresh.running_mean, expected.running_mean, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("kind", "reverse"),
    [(kind, way) for kind in KINDS for way in (False, True) if not way or "directions" not in kind],
)
def test_transformer_teacher_forcing_equals_steps(kind, reverse):
    model, cells = decoder(**kind), grid()
    with torch.no_grad():
        logits, weights = model.teacher_forcing(cells, TOKENS, reverse)
        log_p, looked = stepped(model, cells, TOKENS, reverse)
    assert logits.shape == (2, 5, V)
    torch.testing.assert_close(weights.sum(2), torch.ones(2, 5, dtype=torch.float64))
    assert (weights[1].view(5, 2, 3)[:, 1] == 0).all()  # below the second image
    torch.testing.assert_close(log_p, logits.log_softmax(2), rtol=0, atol=1e-9)
    torch.testing.assert_close(looked, weights, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_transformer_search_with_caches_equals_search_without(kind):
    class Whole:
        """Keeps what was read, and reads it all again at every step."""

        def __init__(self, model, reverse):
            self.model, self.reverse = model, reverse

        def step(self, tokens, state):
            cells, past = state
            past = torch.cat([past, tokens.unsqueeze(2)], 2)  # (B, K, t + 1)
            beam, steps = past.shape[1:]
            targets = torch.cat([past[:, :, 1:], past[:, :, :1]], 2)  # the last is never fed
            found = [
                self.model.teacher_forcing(cells, targets[:, k], self.reverse)[0][:, steps - 1]
                for k in range(beam)
            ]
            return torch.stack(found, 1).log_softmax(2), (cells, past)

        def reorder(self, state, parents):
            cells, past = state
            rows = parents.unsqueeze(2).expand(-1, -1, past.shape[2])
            return cells, past.gather(1, rows)

        def select(self, state, images):
            cells, past = state
            mask = cells.mask[images]
            return replace(cells, features=cells.features[images], mask=mask), past[images]

    model, cells = decoder(seed=9, **kind), grid(((2, 3), (1, 2), (2, 1), (3, 2)))
    with torch.no_grad():
        model.output.bias[EOS] += 1.0  # readings of many lengths, so that images leave one by one
    options = SearchOptions(4, 9, length_penalty=0.7, n_best=4)
    for reverse in [False] if model.directions == "left_to_right" else [False, True]:
        start = replace(model.start(cells), reverse=reverse)
        fresh = cells, torch.zeros(4, 1, 0, dtype=torch.long)
        with torch.no_grad():
            cached = beam_search(model, start, 4, options, torch.device("cpu"))
            whole = beam_search(Whole(model, reverse), fresh, 4, options, torch.device("cpu"))
        assert len({len(one.tokens) for found in cached for one in found}) > 2
        for one, other in zip(cached, whole, strict=True):
            assert [a.tokens for a in one] == [a.tokens for a in other]
            for a, b in zip(one, other, strict=True):
                assert a.log_probability == pytest.approx(b.log_probability, abs=1e-9)


def test_transformer_state_can_be_stepped_twice():
    model, cells = decoder(), grid()
    with torch.no_grad():
        _, state = model.step(torch.full((2, 1), BOS), model.start(cells))
        state = model.reorder(state, torch.zeros(2, 2, dtype=torch.long))
        branches = [torch.tensor([[5, 6], [7, 8]]), torch.tensor([[9, 4], [4, 4]])]
        states = [model.step(tokens, state)[1] for tokens in branches]
        for tokens, after in zip(branches, states, strict=True):
            found, _ = model.step(torch.full((2, 2), 5), after)
            for k in range(2):
                fed = torch.stack([tokens[:, k], torch.full((2,), 5)], 1)
                targets = torch.cat([fed, fed[:, :1]], 1)  # the last is never fed
                expected = model.teacher_forcing(cells, targets)[0][:, 2].log_softmax(1)
                torch.testing.assert_close(found[:, k], expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_transformer_prediction_does_not_depend_on_batch(dtype):
    model = decoder(dtype)
    cells = grid(((2, 3), (1, 5), (3, 1), (3, 5)), dtype)
    tokens = torch.randint(4, V, (4, 6), generator=torch.Generator().manual_seed(0))
    tokens[1, 3:], tokens[1, 2] = PAD, EOS
    options = SearchOptions(beam_size=4, n_best=3, max_length=8)
    with torch.no_grad():
        logits, _ = model.teacher_forcing(cells, tokens)
        readings = model.search(cells, options)
        for row in range(4):
            single = alone(cells, row)
            length = int((tokens[row] != PAD).sum())
            expected, _ = model.teacher_forcing(single, tokens[row : row + 1, :length])
            torch.testing.assert_close(
                logits[row, :length], expected[0], rtol=0, atol=TOLERANCE[dtype]
            )
            (found,) = model.search(single, options)
            assert [one.tokens for one in found] == [one.tokens for one in readings[row]]
            for one, other in zip(found, readings[row], strict=True):
                assert one.score == pytest.approx(other.score, abs=TOLERANCE[dtype])
                assert one.lookups == other.lookups


# ---------------------------------------------------------------- the loss


@pytest.mark.parametrize("reduction", ["tokens", "images"])
def test_transformer_loss_is_the_mean_of_both_directions(reduction):
    model, cells = decoder(reduction=reduction), grid()
    loss, logs = model.loss(cells, Targets(TOKENS))
    mirror = torch.tensor([[4, 4, 7, 5, EOS], [6, EOS, PAD, PAD, PAD]])
    nll = []
    for tokens, reverse in ((TOKENS, False), (mirror, True)):
        log_p = model.teacher_forcing(cells, tokens, reverse)[0].log_softmax(2)
        nll.append(-sum(log_p[0, t, tokens[0, t]] for t in range(5)))
        nll[-1] -= log_p[1, 0, 6] + log_p[1, 1, EOS]
    assert logs["nll"].item() == pytest.approx(nll[0].item(), abs=1e-9)
    assert logs["nll_backwards"].item() == pytest.approx(nll[1].item() / 7, abs=1e-9)
    assert logs["tokens"].item() == 7
    count = 7 if reduction == "tokens" else 2
    assert loss.item() == pytest.approx(sum(nll).item() / 2 / count, abs=1e-9)
    left = decoder(directions="left_to_right", reduction=reduction)
    left.load_state_dict({k: v for k, v in model.state_dict().items() if "backwards" not in k})
    loss, logs = left.loss(cells, Targets(TOKENS))
    assert loss.item() == pytest.approx(nll[0].item() / count, abs=1e-9)
    assert "nll_backwards" not in logs


def test_reverse_targets_keep_ends_and_padding():
    tokens = torch.tensor([[5, 7, 4, EOS], [6, EOS, PAD, PAD], [EOS, PAD, PAD, PAD]])
    found = tokens.gather(1, reverse_indices(tokens))
    assert found.tolist() == [[4, 7, 5, EOS], [6, EOS, PAD, PAD], [EOS, PAD, PAD, PAD]]


def test_label_smoothing_is_in_the_loss_of_training_and_never_in_the_likelihood():
    model, cells = decoder(label_smoothing=0.1, coverage=False, dropout=0.0), grid()
    plain, logs = model.loss(cells, Targets(TOKENS))
    smooth, smooth_logs = model.train().loss(cells, Targets(TOKENS))
    mirror, expected = TOKENS.gather(1, reverse_indices(TOKENS)), 0.0
    for tokens, reverse in ((TOKENS, False), (mirror, True)):
        logits = model.teacher_forcing(cells, tokens, reverse)[0].flatten(0, 1)
        expected += nn.functional.cross_entropy(
            logits, tokens.flatten(), ignore_index=PAD, label_smoothing=0.1
        ).item()
    assert smooth.item() == pytest.approx(expected / 2, abs=1e-9)
    assert smooth.item() != pytest.approx(plain.item(), abs=1e-3)
    assert smooth_logs["nll"].item() == pytest.approx(logs["nll"].item(), abs=1e-9)


def test_grounding_is_added_in_training_by_its_weights_in_both_directions():
    boxes = torch.full((2, 5, 4), -1.0)
    boxes[:, :, :2] = 0.0
    boxes[0, 1] = torch.tensor([8.0, 0.0, 15.0, 7.0])  # the second token's symbol: cell (0, 1)
    targets, cells = Targets(TOKENS, boxes), grid()
    settings = {"guided_attention": 2.0, "symbol_loss": 3.0, "dropout": 0.0, "coverage": False}
    model = decoder(**settings).train()
    loss, logs = model.loss(cells, targets)
    _, ahead = model.teacher_forcing(cells, TOKENS)
    _, back = model.teacher_forcing(cells, TOKENS.gather(1, reverse_indices(TOKENS)), reverse=True)
    # Four tokens before the end: the second from the left is the third from the right.
    guided = -(ahead[0, 1, 1].log() + back[0, 2, 1].log()).item() / 2
    symbols = -model.symbols.classify(cells.features[0, 0, 1]).log_softmax(0)[7].item()
    assert logs["guided_attention"].item() == pytest.approx(guided, abs=1e-9)
    assert logs["symbol_loss"].item() == pytest.approx(symbols, abs=1e-9)
    plain, _ = model.loss(cells, Targets(TOKENS))
    assert loss.item() == pytest.approx(plain.item() + 2 * guided + 3 * symbols, abs=1e-9)
    assert model.eval().loss(cells, targets)[0].item() == pytest.approx(plain.item(), abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_transformer_has_gradients_of_all_parameters_and_rows_by_token(kind):
    model = decoder(guided_attention=1.0, symbol_loss=1.0, dropout=0.2, **kind).train()
    boxes = torch.tensor([0.0, 0.0, 7.0, 7.0]).expand(2, 5, 4)
    loss, _ = model.loss(grid(), Targets(TOKENS, boxes))
    loss.backward()
    parameters = dict(model.named_parameters())
    for name, parameter in parameters.items():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        if "memory.bias" not in name:  # half of it adds the same to every score of a query
            assert parameter.grad.abs().max() > 0, name
    rows = {name for name, parameter in parameters.items() if V in parameter.shape}
    assert rows == set(model.vocabulary_parameters)
    assert all(parameters[name].shape[0] == V for name in rows)


def test_bfloat16_autocast_stays_close_forwards_and_backwards():
    found = []
    for amp in (False, True):
        model, cells = decoder(torch.float32, spread=0.3), grid(dtype=torch.float32)
        cells = replace(cells, features=cells.features.requires_grad_())
        with torch.autocast("cpu", torch.bfloat16, enabled=amp):
            loss, _ = model.loss(cells, Targets(TOKENS))
            readings = model.search(cells, SearchOptions(3, 6, n_best=3))
        loss.backward()
        assert loss.dtype == torch.float32
        found.append((torch.cat([p.grad.flatten() for p in model.parameters()]), readings))
    (exact, read), (rough, roughly) = found
    assert rough.dtype == torch.float32
    assert (rough - exact).norm() < 0.05 * exact.norm()
    for one, other in zip(read, roughly, strict=True):
        assert other[0].score == pytest.approx(one[0].score, rel=0.05)


def test_weights_of_half_precision_learn_and_search():
    model, cells = decoder(torch.bfloat16), grid(dtype=torch.bfloat16)
    loss, _ = model.train().loss(cells, Targets(TOKENS))
    loss.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())
    (exact, rough) = (
        decoder(dtype).loss(grid(dtype=dtype), Targets(TOKENS))[0].item()
        for dtype in (torch.float64, torch.bfloat16)
    )
    assert rough == pytest.approx(exact, rel=0.05)
    assert all(found[0].steps for found in model.eval().search(cells, SearchOptions(2, 4)))


def test_transformer_attention_can_be_traced():
    model, cells = decoder(), alone(grid(), 0)
    found = trace_attention([(model, cells)], TOKENS[0].tolist())
    logits, weights = model.teacher_forcing(cells, TOKENS[:1])
    expected = weights[0].view(5, 2, 3).detach().numpy()
    np.testing.assert_allclose(found.fine, expected, rtol=0, atol=1e-6)
    log_p = logits[0].log_softmax(1).gather(1, TOKENS[0].unsqueeze(1)).squeeze(1).detach().numpy()
    np.testing.assert_allclose(found.log_probability, log_p, rtol=0, atol=1e-6)
    assert found.lookups.tolist() == [[0, 3 * 6]] * 5  # three layers, 2 x 3 cells


def test_transformer_search_keeps_no_autograd_graph():
    model, cells = decoder(), grid()
    cells = replace(cells, features=cells.features.requires_grad_())
    states = []
    prepare = model.prepare
    model.prepare = lambda grid: states.append(prepare(grid)) or states[-1]
    model.search(cells, SearchOptions(2, 3))
    assert not states[0].keys[0].requires_grad


# ---------------------------------------------------------------- sizes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"d_model": 30}, "multiple of num_heads, got 30 and 8"),
        ({"num_layers": 0, "coverage": False}, "num_layers must be >= 1, got 0"),
        ({"num_layers": 1}, "set coverage: false"),
        ({"coverage_kernel_size": 4}, "coverage_kernel_size must be odd, got 4"),
        ({"coverage_kernel_size": -1}, "must be odd, got -1"),
        ({"label_smoothing": -0.1}, r"label_smoothing must be in \[0, 1\), got -0\.1"),
        ({"symbol_loss": -1.0}, r"symbol_loss must be >= 0 and finite, got -1\.0"),
    ],
)
def test_transformer_incompatible_sizes_raise(arguments, message):
    with pytest.raises(Im2TexError, match=message):
        DECODERS.build("transformer", arguments, vocabulary_size=9, grid_width=6)


@pytest.mark.parametrize(("grid_width", "total"), [(256, 3_232_673), (512, 3_364_513)])
def test_transformer_of_comers_sizes_has_comers_parameters(grid_width, total):
    """113 tokens, as there. CoMER's 6.39 M are these, less the start of its own, and an encoder."""
    model, d, f = TransformerDecoder(113, grid_width), 256, 1024
    attention = 4 * (d * d + d)
    layer = 2 * attention + (d * f + f + f * d + d) + 3 * 2 * d
    coverage = (16 * 32 * 5 * 5 + 32) + 32 * 8 + 2 * 8
    tokens = 113 * d + (d * 113 + 113) + 2 * 2 * d  # in, out, normalised with and without places
    expected = 3 * layer + coverage + tokens + d  # and the start from the right
    if grid_width != d:
        expected += grid_width * d + d + 2 * d
    assert sum(p.numel() for p in model.parameters()) == expected == total
