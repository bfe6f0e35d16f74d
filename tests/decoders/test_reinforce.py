"""REINFORCE: its mean against enumeration, the baseline, and what else is in the loss."""

import itertools
import math

import pytest
import torch
from torch import nn

from im2tex.attention import hard
from im2tex.attention.base import ReinforceOptions
from im2tex.decoders import Targets, reinforce
from im2tex.decoders.lstm import LSTMDecoder
from im2tex.decoders.reinforce import Reinforce, discounted
from im2tex.grid import Grid
from im2tex.latex.vocabulary import EOS, PAD

V, D = 7, 4
TOKENS = torch.tensor([[5, 4, EOS]])
BASELINE = [-0.4, 0.3, -0.1]


def decoder(**arguments):
    torch.manual_seed(0)
    model = LSTMDecoder(V, "hard", arguments, D, coarse_width=3, hidden_size=3, embedding_dim=2)
    for parameter in model.parameters():
        nn.init.uniform_(parameter, -0.9, 0.9)
    model.double().train()
    model.reinforce.baseline[:3] = torch.tensor(BASELINE)
    return model


def grid():
    """2 x 3 fine cells in two blocks."""
    generator = torch.Generator().manual_seed(1)

    def features(*shape):
        return 2 * torch.randn(1, *shape, generator=generator, dtype=torch.float64)

    coarse = Grid(features(1, 2, 3), torch.ones(1, 1, 2, dtype=torch.bool), (16, 16))
    return Grid(features(2, 3, D), torch.ones(1, 2, 3, dtype=torch.bool), (8, 8), coarse)


@pytest.fixture
def drawing(monkeypatch):
    """A function that makes the draws of the next steps those given, (T, B, K)."""

    def script(choices):
        steps = iter(torch.as_tensor(choices))
        monkeypatch.setattr(hard, "sample_categorical", lambda p: next(steps))

    return script


def paths():
    """Every sequence of choices, (T, 1, 1) each."""
    return [torch.tensor(path).reshape(3, 1, 1) for path in itertools.product((0, 1), repeat=3)]


def likelihoods(model, path, drawing):
    """log p of each token and of each choice along a path, (3,) each."""
    drawing(path)
    logits, attention_outputs = model._run(grid(), TOKENS, 1)
    log_p = logits.log_softmax(3)[0, 0].gather(1, TOKENS.T).squeeze(1)
    return log_p, torch.stack([attended.log_probability[0, 0] for attended in attention_outputs])


def gradients(value, model):
    learnt = list(model.parameters())
    return torch.cat([
        (torch.zeros_like(p) if g is None else g).flatten()
        for p, g in zip(learnt, torch.autograd.grad(value, learnt, allow_unused=True), strict=True)
    ])  # fmt: skip


def mean_estimate(model, drawing):
    """The expected gradient of the loss: each path's own, by the probability of the path."""
    total = 0
    for path in paths():
        _, choices = likelihoods(model, path, drawing)
        probability = choices.sum().exp().item()
        drawing(path)
        model.reinforce.baseline[:3] = torch.tensor(BASELINE)
        loss, _ = model.loss(grid(), Targets(TOKENS))
        total = total + probability * gradients(loss, model)
    return total


def expected_likelihood(model, drawing):
    """The expected log-likelihood of the tokens, as a function of the parameters."""
    total = 0
    for path in paths():
        tokens, choices = likelihoods(model, path, drawing)
        total = total + choices.sum().exp() * tokens.sum()
    return total


def test_reinforce_without_discount_has_the_gradient_of_the_expected_likelihood(drawing):
    model = decoder(discount=1.0)
    exact = gradients(-expected_likelihood(model, drawing), model)
    found = mean_estimate(model, drawing)
    torch.testing.assert_close(found, exact, rtol=0, atol=1e-12)
    assert exact.norm() > 0.1


@pytest.mark.parametrize("discount", [0.0, 0.5, 1.0])
def test_reinforce_with_discount_has_the_enumerated_gradient(discount, drawing):
    model = decoder(discount=discount)
    surrogate = 0
    for path in paths():
        tokens, choices = likelihoods(model, path, drawing)
        probability = choices.sum().exp()
        surrogate = surrogate + probability.detach() * tokens.sum()
        for t in range(3):
            # Only the choice of step t is free to move; what it is paid is what follows it.
            moving = choices[t].exp() * (choices.sum() - choices[t]).exp().detach()
            for s in range(t, 3):
                surrogate = surrogate + moving * discount ** (s - t) * tokens[s].detach()
    exact = gradients(-surrogate, model)
    torch.testing.assert_close(mean_estimate(model, drawing), exact, rtol=0, atol=1e-12)
    if discount < 1:
        other = gradients(-expected_likelihood(model, drawing), model)
        assert (other - exact).norm() > 1e-3


def test_many_samples_come_near_it(drawing, monkeypatch):
    draw = hard.sample_categorical
    model = decoder(discount=1.0, samples=4000)
    exact = gradients(-expected_likelihood(model, drawing), model)
    monkeypatch.setattr(hard, "sample_categorical", draw)
    torch.manual_seed(0)
    loss, logs = model.loss(grid(), Targets(TOKENS))
    assert (gradients(loss, model) - exact).norm() < 0.1 * exact.norm()
    assert logs["tokens"].item() == 3


def test_reinforce_loss_of_several_samples_is_their_mean(drawing):
    one, two = torch.tensor([0, 1, 1]), torch.tensor([1, 0, 1])
    singly = []
    for path in (one, two):
        drawing(path.reshape(3, 1, 1))
        model = decoder()
        loss, logs = model.loss(grid(), Targets(TOKENS))
        singly.append((gradients(loss, model), logs["nll"].item()))
    drawing(torch.stack([one, two], 1).reshape(3, 1, 2))
    model = decoder(samples=2)
    loss, logs = model.loss(grid(), Targets(TOKENS))
    expected = (singly[0][0] + singly[1][0]) / 2
    torch.testing.assert_close(gradients(loss, model), expected, rtol=0, atol=1e-12)
    assert logs["nll"].item() == pytest.approx((singly[0][1] + singly[1][1]) / 2, abs=1e-12)


def test_reinforce_loss_and_logs_have_hand_computed_values(drawing):
    model = decoder(reward_scale=2.0, entropy=0.3)
    path = torch.tensor([1, 0, 1]).reshape(3, 1, 1)
    tokens, choices = (part.tolist() for part in likelihoods(model, path, drawing))
    drawing(path)
    loss, logs = model.loss(grid(), Targets(TOKENS))
    r1, r2, r3 = tokens
    returns = [r1 + 0.5 * (r2 + 0.5 * r3), r2 + 0.5 * r3, r3]
    advantages = [one - b for one, b in zip(returns, BASELINE, strict=True)]
    p = [math.exp(log_p) for log_p in choices]
    entropy = [-(q * math.log(q) + (1 - q) * math.log(1 - q)) for q in p]
    # The value of what REINFORCE follows the gradient of says nothing, and is left out.
    assert loss.item() == pytest.approx(-sum(tokens) - 0.3 * sum(entropy), abs=1e-12)
    assert logs["nll"].item() == pytest.approx(-sum(tokens), abs=1e-12)
    assert logs["return"].item() == pytest.approx(sum(returns) / 3, abs=1e-12)
    assert logs["coarse_entropy"].item() == pytest.approx(sum(entropy) / 3, abs=1e-12)
    # The baseline was set in float32.
    squares = sum(one**2 for one in advantages) / 3
    assert logs["advantage_squared"].item() == pytest.approx(squares, abs=1e-6)


def test_reinforce_reward_is_scaled(drawing):
    path = torch.tensor([1, 0, 1]).reshape(3, 1, 1)
    found = []
    for scale in (0.0, 1.0, 2.0):
        model = decoder(reward_scale=scale)
        drawing(path)
        found.append(gradients(model.loss(grid(), Targets(TOKENS))[0], model))
    none, one, two = found
    torch.testing.assert_close(two - none, 2 * (one - none), rtol=0, atol=1e-12)
    assert (one - none).norm() > 0.1


def test_reinforce_in_evaluation_takes_the_most_probable_choices():
    model = decoder(samples=3).eval()
    before = model.reinforce.baseline.clone()
    loss, logs = model.loss(grid(), Targets(TOKENS))
    assert set(logs) == {"nll", "tokens"}
    assert loss.item() == pytest.approx(logs["nll"].item())
    assert torch.equal(model.reinforce.baseline, before)
    assert model.loss(grid(), Targets(TOKENS))[0].item() == loss.item()


def test_padding_is_neither_rewarded_nor_paid():
    model = decoder(entropy=0.1)
    padded = torch.cat([TOKENS, torch.full((1, 2), PAD)], 1)
    outcomes = []
    for tokens in (TOKENS, padded):
        torch.manual_seed(0)
        model.reinforce.baseline.fill_(-0.25)
        loss, logs = model.loss(grid(), Targets(tokens))
        outcomes.append((gradients(loss, model), [float(value) for value in logs.values()]))
        assert (model.reinforce.baseline[3:] == -0.25).all()
        assert (model.reinforce.baseline[:3] != -0.25).all()
    (gradient, logs), (other_gradient, other_logs) = outcomes
    torch.testing.assert_close(gradient, other_gradient, rtol=0, atol=1e-12)
    assert logs == pytest.approx(other_logs, abs=1e-12)


def test_reinforce_entropy_with_impossible_choices_is_finite():
    module = Reinforce(ReinforceOptions(entropy=1.0))
    scores = torch.tensor([[[[0.0, 200.0, float("-inf")]]]], requires_grad=True)
    choices = scores.softmax(3)
    log_p = scores.log_softmax(3)[..., 0]
    real = torch.ones(1, 1, dtype=torch.bool)
    loss, _ = module(torch.full((1, 1, 1), -1.0), real, log_p, choices)
    loss.backward()
    assert scores.grad.isfinite().all()


# ------------------------------------------------------------------ returns and baseline


def test_returns_by_hand():
    rewards = torch.tensor([[1.0, 10.0, 100.0]])
    assert discounted(rewards, 0.5).tolist() == [[31.0, 60.0, 100.0]]
    assert discounted(rewards, 1.0).tolist() == [[111.0, 110.0, 100.0]]
    assert discounted(rewards, 0.0).tolist() == [[1.0, 10.0, 100.0]]


def test_reinforce_under_autocast_does_not_round_returns_and_baseline():
    rewards = torch.tensor([[[-3.001, -0.013, -7.77]]])
    real = torch.ones(1, 3, dtype=torch.bool)
    module = Reinforce(ReinforceOptions(baseline_rate=1.0))
    with torch.autocast("cpu", torch.bfloat16):
        module(rewards, real, torch.zeros(1, 1, 3), torch.ones(1, 1, 3, 1))
    expected = [-3.001 - 0.0065 - 1.9425, -0.013 - 3.885, -7.77]
    assert module.baseline[:3].tolist() == pytest.approx(expected, rel=1e-6)


def paid(module, rewards, lengths):
    """What each sample of a batch is paid: minus the gradient of its log p."""
    rewards = torch.tensor(rewards)  # (B, K, T)
    real = torch.arange(rewards.shape[2]) < torch.tensor(lengths).unsqueeze(1)
    log_p = torch.full_like(rewards, -1.0, requires_grad=True)
    loss, _ = module(rewards, real, log_p, torch.ones(*rewards.shape, 1))
    assert loss.item() == 0
    (gradient,) = torch.autograd.grad(loss, [log_p])
    return (-gradient).flatten().tolist()


def test_reinforce_baseline_is_updated_after_use_by_unpadded_steps():
    module = Reinforce(ReinforceOptions(samples=2, discount=0.0, baseline_rate=0.25))
    # Two images, two paths, two steps; the second image has one token.
    rewards = [[[-1.0, -2.0], [-3.0, -6.0]], [[-4.0, -50.0], [-4.0, -50.0]]]
    # The mean over two paths, above a baseline of 0.
    expected = [-1 / 2, -2 / 2, -3 / 2, -6 / 2, -4 / 2, 0, -4 / 2, 0]
    assert paid(module, rewards, [2, 1]) == pytest.approx(expected)
    means = [-12 / 4, -8 / 2]
    a, b = first = [0.25 * one for one in means]
    assert module.baseline[:3].tolist() == pytest.approx([*first, 0.0])
    found = paid(module, rewards, [2, 1])
    expected = [-1 - a, -2 - b, -3 - a, -6 - b, -4 - a, 0, -4 - a, 0]
    assert found == pytest.approx([one / 2 for one in expected])
    second = [0.75 * old + 0.25 * new for old, new in zip(first, means, strict=True)]
    assert module.baseline[:3].tolist() == pytest.approx([*second, 0.0])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_cast_to_half_precision_the_baseline_still_moves(dtype):
    """A hundredth of what is left is below half precision's steps long before it is there."""
    module = Reinforce(ReinforceOptions(discount=0.0)).to(dtype)
    for _ in range(300):
        paid(module, [[[-4.0]]], [1])
    assert module.baseline.dtype == torch.float32
    assert module.baseline[0].item() == pytest.approx(-4 * (1 - 0.99**300), rel=1e-5)


def test_reinforce_baseline_is_cast_up_only_and_not_rounded():
    model = decoder()
    model.reinforce.baseline[0] = 1 / 3  # float64
    for cast in (model.bfloat16, model.half, model.float):
        cast()
        assert model.reinforce.baseline.dtype == torch.float32
        assert model.reinforce.baseline[0].item() == pytest.approx(1 / 3, rel=1e-7)
    assert model.output.weight.dtype == torch.float32
    assert model.double().reinforce.baseline.dtype == torch.float64
    assert model.to("meta").reinforce.baseline.device.type == "meta"


def test_reinforce_baseline_of_a_half_precision_model_is_float32():
    """As Lightning builds one under `--trainer.precision bf16-true`."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        model = LSTMDecoder(V, "hard", {}, D, coarse_width=3, hidden_size=3, embedding_dim=2)
    finally:
        torch.set_default_dtype(before)
    assert model.output.weight.dtype == torch.bfloat16
    assert model.reinforce.baseline.dtype == torch.float32


def test_steps_beyond_the_last_baseline_share_it(monkeypatch):
    monkeypatch.setattr(reinforce, "STEPS", 2)
    module = Reinforce(ReinforceOptions(discount=0.0, baseline_rate=0.5))
    paid(module, [[[-1.0, -2.0, -4.0]]], [3])
    assert module.baseline.tolist() == pytest.approx([-0.5, -1.5])
    assert paid(module, [[[-1.0, -2.0, -4.0]]], [3]) == pytest.approx([-0.5, -0.5, -2.5])


def test_processes_agree_on_the_baseline(monkeypatch):
    # This process has one path of return -1 at the first step; the others have three of -5.
    def all_reduce(seen):
        seen[0, 0] += 3 * -5.0
        seen[1, 0] += 3

    monkeypatch.setattr(reinforce.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(reinforce.distributed, "all_reduce", all_reduce)
    module = Reinforce(ReinforceOptions(baseline_rate=0.1))
    paid(module, [[[-1.0]]], [1])
    assert module.baseline[0].item() == pytest.approx(0.1 * -16 / 4)


def test_reinforce_baseline_is_in_the_checkpoint():
    model = decoder()
    other = decoder()
    other.reinforce.baseline.zero_()
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.reinforce.baseline, model.reinforce.baseline)
