"""Sparsemax: by hand, against the definition, its Jacobian, masks and precisions."""

import pytest
import torch

from im2tex.attention import sparsemax as module
from im2tex.attention.sparsemax import sparsemax


def of(rows, mask=None, dtype=torch.float64):
    scores = torch.tensor(rows, dtype=dtype).unsqueeze(1)
    if mask is not None:
        scores = scores.masked_fill(~mask.unsqueeze(1), float("-inf"))
    return sparsemax(scores).squeeze(1)


def by_bisection(scores):
    """The threshold at which max(z - t, 0) sums to 1."""
    low, high = scores.max() - 1, scores.max()
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if (scores - middle).clamp_min(0).sum() > 1 else (low, middle)
    return (scores - low).clamp_min(0)


def test_sparsemax_has_hand_computed_values():
    rows = [[0.0, 0.0, -9.0], [1.0, 0.0, -9.0], [0.5, 0.0, -9.0], [7.0, 7.0, 7.0]]
    expected = [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.75, 0.25, 0.0], [1 / 3] * 3]
    torch.testing.assert_close(of(rows), torch.tensor(expected, dtype=torch.float64))


# The few highest scores are sorted first: supports narrower, as wide and wider than those.
@pytest.mark.parametrize("spread", [5.0, 0.3, 0.01, 0.0])
@pytest.mark.parametrize("width", [1, 7, 300])
def test_sparsemax_is_the_projection_on_the_simplex(spread, width):
    torch.manual_seed(0)
    scores = spread * torch.randn(3, 2, width, dtype=torch.float64)
    found = sparsemax(scores)
    for row, expected in zip(found.flatten(0, 1), scores.flatten(0, 1), strict=True):
        torch.testing.assert_close(row, by_bisection(expected), rtol=0, atol=1e-12)
        assert row.sum().item() == pytest.approx(1.0, abs=1e-12)


def test_sparsemax_support_of_the_sorted_size_is_exact(monkeypatch):
    monkeypatch.setattr(module, "INITIAL_TOP_K", 3)
    for support in (2, 3, 4):
        scores = [5.0] * support + [0.0] * (9 - support)
        expected = [1 / support] * support + [0.0] * (9 - support)
        assert of([scores])[0].tolist() == pytest.approx(expected, abs=1e-12)


def test_sparsemax_gradient_matches_finite_differences():
    torch.manual_seed(0)
    scores = torch.randn(2, 2, 5, dtype=torch.float64, requires_grad=True)
    masked = torch.tensor([[[0, 0, 0, 0, 0]], [[0, 1, 0, 0, 1]]], dtype=torch.bool)

    def of_true(scores):
        return sparsemax(scores.masked_fill(masked, float("-inf")))

    weights = of_true(scores)
    assert 4 < (weights > 0).sum() < 16  # supports of one and of several
    assert torch.autograd.gradcheck(of_true, (scores,))


def test_masked_scores_have_no_weight_however_high():
    mask = torch.tensor([[True, False, True]])
    assert of([[0.5, 99.0, 0.0]], mask).tolist() == [[0.75, 0.0, 0.25]]
    assert of([[-1e30, 99.0, -1e30]], mask).tolist() == [[0.5, 0.0, 0.5]]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_sparsemax_computes_in_at_least_float32(dtype):
    torch.manual_seed(0)
    scores = (torch.randn(4, 1, 500) * 0.02).to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        found = sparsemax(scores)
    assert found.dtype == torch.float32
    assert (found.sum(2) - 1).abs().max() < 1e-5
    assert (found - sparsemax(scores.double())).abs().max() < 1e-5
