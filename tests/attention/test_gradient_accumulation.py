"""The accumulated gradient of the grid, against plain autograd and finite differences."""

import gc
import math
import weakref
from dataclasses import replace

import pytest
import torch

from im2tex.attention.gradient_accumulation import AccumulatedGradient
from im2tex.attention.standard import StandardAttention
from im2tex.grid import Grid, size_mask

B, K, N, D, STEPS = 2, 2, 4, 3, 3
MASK = torch.tensor([[1, 1, 1, 1], [1, 0, 1, 0]], dtype=torch.bool)


def plain(query, mask, features):
    scores = (query @ features.transpose(1, 2)).masked_fill(~mask.unsqueeze(1), -math.inf)
    weights = scores.softmax(2)
    return weights.to(features.dtype) @ features, weights


def inputs(dtype=torch.float64):
    torch.manual_seed(0)
    features = torch.randn(B, N, D, dtype=torch.float64).to(dtype)
    queries = torch.randn(STEPS, B, K, D, dtype=torch.float64).to(dtype)
    return features.requires_grad_(), queries.requires_grad_()


def attend(query, mask, collector):
    """Softmax attention through the collector."""
    scores = collector.scores(query)
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    weights = scores.masked_fill(~mask.unsqueeze(1), float("-inf")).softmax(2)
    return collector.weighted_sum(weights), weights


def steps(features, queries, accumulate):
    """Recurrent: the next query holds the previous context. All contexts, all weights."""
    contexts, weights = [], []
    collector = AccumulatedGradient(features) if accumulate else None
    previous = torch.zeros_like(queries[0])
    for query in queries:
        query = query + 0.5 * previous  # noqa: PLW2901
        if collector is not None:
            context, weight = attend(query, MASK, collector)
        else:
            context, weight = plain(query, MASK, features)
        contexts.append(context)
        weights.append(weight)
        previous = context
    return torch.stack(contexts), torch.stack(weights)


def objective(contexts, weights):
    """A loss of contexts and weights alike, at all steps or some."""
    mixed = torch.linspace(-1, 2, contexts.numel(), dtype=contexts.dtype).reshape(contexts.shape)
    return (contexts * mixed).sin().sum() - (weights[..., 0] + 0.1).log().sum()


def gradients(accumulate, loss_of=objective):
    features, queries = inputs()
    loss = loss_of(*steps(features, queries, accumulate))
    return loss, *torch.autograd.grad(loss, [features, queries])


LOSSES = {
    "contexts and weights": objective,
    "contexts alone": lambda contexts, _: contexts.cos().sum(),
    "weights alone": lambda _, weights: (weights[..., 0] + 0.1).log().sum(),
    "the first two steps": lambda contexts, weights: objective(contexts[:2], weights[:2]),
    "the last step": lambda contexts, weights: objective(contexts[2:], weights[2:]),
    "one image": lambda contexts, weights: objective(contexts[:, 1:], weights[:, 1:]),
}


@pytest.mark.parametrize("loss_of", LOSSES.values(), ids=LOSSES)
def test_loss_and_gradients_are_those_of_plain_autograd(loss_of):
    for found, expected in zip(gradients(True, loss_of), gradients(False, loss_of), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_gradients_agree_with_finite_differences():
    features, queries = inputs()
    assert torch.autograd.gradcheck(lambda f, q: steps(f, q, accumulate=True), (features, queries))


def test_cells_outside_of_the_mask_get_no_weight_and_no_gradient():
    features, queries = inputs()
    contexts, weights = steps(features, queries, accumulate=True)
    objective(contexts, weights).backward()
    assert (weights[:, ~MASK.unsqueeze(1).expand(B, K, N)] == 0).all()
    assert (features.grad[~MASK] == 0).all()
    assert (features.grad[MASK] != 0).all()


def test_backward_of_a_retained_graph_gives_the_same_gradients():
    features, queries = inputs()
    loss = objective(*steps(features, queries, accumulate=True))
    first = torch.autograd.grad(loss, [features, queries], retain_graph=True)
    second = torch.autograd.grad(loss, [features, queries])
    for one, two in zip(first, second, strict=True):
        assert torch.equal(one, two)


def test_gradients_of_two_losses_of_one_grid_add_up():
    _, expected, _ = gradients(False)
    features, queries = inputs()
    contexts, weights = steps(features, queries, accumulate=True)
    for part in (slice(0, 2), slice(2, STEPS)):
        mixed = torch.linspace(-1, 2, contexts.numel(), dtype=contexts.dtype)
        mixed = mixed.reshape(contexts.shape)[part]
        loss = (contexts[part] * mixed).sin().sum() - (weights[part, ..., 0] + 0.1).log().sum()
        loss.backward(retain_graph=True)
    torch.testing.assert_close(features.grad, expected, rtol=0, atol=1e-12)


def test_backward_without_features_does_not_affect_the_next():
    _, expected, expected_queries = gradients(False)
    features, queries = inputs()
    loss = objective(*steps(features, queries, accumulate=True))
    (alone,) = torch.autograd.grad(loss, [queries], retain_graph=True)
    torch.testing.assert_close(alone, expected_queries, rtol=0, atol=1e-12)
    (found,) = torch.autograd.grad(loss, [features])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_backward_with_other_uses_of_features_and_frozen_queries_is_exact():
    found = []
    for accumulate in (True, False):
        features, queries = inputs()
        contexts, weights = steps(features * 2, queries.detach(), accumulate)
        (objective(contexts, weights) + features.square().sum()).backward()
        found.append(features.grad)
    torch.testing.assert_close(*found, rtol=0, atol=1e-12)


def test_memory_is_free_without_waiting_for_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        features, queries = inputs()
        grid = features * 1
        kept = weakref.ref(grid)
        loss = objective(*steps(grid, queries, accumulate=True))
        loss.backward()
        del grid, loss
        assert kept() is None
        grid = features * 1  # and so without a backward pass
        kept = weakref.ref(grid)
        contexts = steps(grid, queries, accumulate=True)
        del grid, contexts
        assert kept() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_under_bfloat16_autocast_are_close(dtype):
    _, expected, expected_queries = gradients(False)
    features, queries = inputs(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        contexts, weights = steps(features.to(dtype), queries, accumulate=True)
        loss = objective(contexts.float(), weights)
    assert weights.dtype == torch.float32
    loss.backward()
    for found, exact in ((features.grad, expected), (queries.grad, expected_queries)):
        assert found.dtype == torch.float32
        assert (found - exact).norm() < 0.02 * exact.norm()


def test_backward_under_autocast_works():
    _, expected, _ = gradients(False)
    features, queries = inputs(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        contexts, weights = steps(features, queries, accumulate=True)
        objective(contexts.float(), weights).backward()
    assert (features.grad - expected).norm() < 0.02 * expected.norm()


# ------------------------------------------------------------------ its ends, for other attentions


def test_cells_taken_out_in_bfloat16_are_summed_in_float32():
    """Summed in bfloat16, ones would come no further than 256."""
    features = torch.zeros(1, 2, 3, dtype=torch.bfloat16, requires_grad=True)
    collector = AccumulatedGradient(features)
    index = torch.tensor([[0, 1]])
    sum(collector.rows(index).float().sum() for _ in range(300)).backward()
    assert features.grad.dtype == torch.bfloat16
    assert (features.grad == 300).all()


def ends(features, queries, accumulate):
    """Attention by sigmoids, a few cells taken out beside it; the next query holds the context."""
    collector = AccumulatedGradient(features) if accumulate else None
    flat = features.flatten(0, 1)
    index = torch.tensor([[0, 5, 5], [7, 2, 0]])  # one cell twice, others never
    contexts, previous = [], torch.zeros_like(queries[0])
    for query in queries:
        query = query + 0.5 * previous  # noqa: PLW2901
        scores = query @ features.transpose(1, 2) if collector is None else collector.scores(query)
        weights = scores.sigmoid()
        context = weights @ features if collector is None else collector.weighted_sum(weights)
        rows = flat[index] if collector is None else collector.rows(index)
        previous = context + rows.sin().sum(1).unsqueeze(1)
        contexts.append(previous)
    return torch.stack(contexts), scores


ENDS = {
    "all of it": lambda contexts, scores: contexts.sin().sum() + scores.cos().sum(),
    "one step": lambda contexts, _: contexts[0].sin().sum(),
    "scores alone": lambda _, scores: scores.cos().sum(),
}


@pytest.mark.parametrize("loss_of", ENDS.values(), ids=ENDS)
def test_scores_sums_and_rows_have_the_gradients_of_plain_autograd(loss_of):
    found = []
    for accumulate in (True, False):
        features, queries = inputs()
        loss = loss_of(*ends(features, queries, accumulate))
        first = torch.autograd.grad(loss, [features, queries], retain_graph=True)
        again = torch.autograd.grad(loss, [features, queries])
        for one, two in zip(first, again, strict=True):
            assert torch.equal(one, two)
        found.append(first)
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-12)


def test_rows_alone_have_a_gradient_as_large_as_the_features():
    features, _ = inputs()
    rows = AccumulatedGradient(features).rows(torch.tensor([[0, 5, 5]]))
    assert torch.equal(rows[0], features.flatten(0, 1)[[0, 5, 5]])
    rows.sum().backward()
    expected = torch.zeros(B * N, dtype=torch.float64)
    expected[0], expected[5] = 1, 2
    assert torch.equal(features.grad.flatten(0, 1), expected.unsqueeze(1).expand(-1, D))


def test_backward_without_features_leaves_no_rows():
    features, queries = inputs()
    loss = ENDS["all of it"](*ends(features, queries, True))
    torch.autograd.grad(loss, [queries], retain_graph=True)
    (found,) = torch.autograd.grad(loss, [features])
    features, queries = inputs()
    (expected,) = torch.autograd.grad(
        ENDS["all of it"](*ends(features, queries, False)), [features]
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


# ------------------------------------------------------------------ inside of the attention


def attention_and_grid(requires_grad):
    torch.manual_seed(0)
    attention = StandardAttention(query_width=3, width=4).double()
    features = torch.randn(2, 2, 3, 4, dtype=torch.float64, requires_grad=requires_grad)
    return attention, Grid(features, size_mask(torch.tensor([[2, 3], [1, 2]]), 2, 3), (8, 8))


def test_accumulated_gradient_only_where_the_grid_needs_one():
    attention, frozen = attention_and_grid(requires_grad=False)
    _, learning = attention_and_grid(requires_grad=True)
    assert attention.prepare(frozen).cells.accumulated_gradient is None
    assert attention.prepare(learning).cells.accumulated_gradient is not None
    with torch.no_grad():
        assert attention.prepare(learning).cells.accumulated_gradient is None


def test_score_weights_with_a_frozen_grid_have_the_same_gradients():
    query = torch.randn(2, 3, 3, dtype=torch.float64)
    outcomes = []
    for requires_grad in (True, False):
        attention, grid = attention_and_grid(requires_grad)
        attended = attention(query, attention.prepare(grid), None)
        (attended.context.sum() + (attended.weights**2).sum()).backward()
        outcomes.append((attended.context, attended.weights, attention.project.weight.grad))
    for learning, frozen in zip(*outcomes, strict=True):
        torch.testing.assert_close(learning, frozen, rtol=0, atol=1e-12)


def test_accumulated_gradient_memory_works_without_grad():
    attention, grid = attention_and_grid(requires_grad=True)
    query = torch.randn(2, 1, 3, dtype=torch.float64)
    memory = attention.prepare(grid)
    cells = replace(memory.cells, features=grid.features.flatten(1, 2), accumulated_gradient=None)
    plainly = replace(memory, cells=cells)
    with torch.no_grad():
        one, two = attention(query, memory, None), attention(query, plainly, None)
    torch.testing.assert_close(one.context, two.context, rtol=0, atol=1e-12)
    assert not one.context.requires_grad
