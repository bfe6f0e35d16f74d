"""The metrics of a validation, exact over batches and processes."""

import math
import random
from pathlib import Path

import pytest
import torch
import torch.distributed
import torch.multiprocessing

from im2tex.evaluation.metrics.formula_metrics import FormulaMetrics
from im2tex.evaluation.metrics.perplexity import Perplexity
from im2tex.evaluation.sample_scores import score_sample

NAMES = {
    "token_exact",
    "token_within_1",
    "token_within_2",
    "token_within_3",
    "token_error_rate",
    "bleu",
} | {
    f"{name}{suffix}"
    for name in (
        "expression_rate",
        "expression_rate_1",
        "expression_rate_2",
        "expression_rate_3",
        "structure_rate",
    )
    for suffix in ("", "_strict")
}


def corpus(n=41):
    """Predictions with errors, some missing, and their references; lengths differ."""
    rng = random.Random(7)
    words = ["x", "y", "^", "_", "{", "}", r"\frac", "+"]
    references = [[rng.choice(words) for _ in range(rng.randrange(1, 20))] for _ in range(n)]
    predictions = [[rng.choice(words) if rng.random() < 0.1 else t for t in r] for r in references]
    predictions[3] = None
    return predictions, references


def values(metrics):
    return {name: float(value) for name, value in metrics.compute().items()}


def scores():
    return [score_sample(*pair) for pair in zip(*corpus(), strict=True)]


def test_formula_metrics_names_and_prefix():
    metrics = FormulaMetrics(prefix="test/")
    metrics.update(scores())
    assert set(values(metrics)) == {f"test/{name}" for name in NAMES}
    assert metrics.state_dict() == {}  # a checkpoint holds no metric


def test_formula_metrics_equal_the_means_of_the_scores():
    metrics = FormulaMetrics()
    metrics.update(scores())
    found = values(metrics)
    for name in ("token_exact", "expression_rate", "expression_rate_2_strict"):
        known = [one[name] for one in scores() if name in one]
        assert found[name] == sum(known) / len(known)


def test_formula_metrics_shards_merged_equal_the_whole():
    whole, left, right = FormulaMetrics(), FormulaMetrics(), FormulaMetrics()
    whole.update(scores())
    left.update(scores()[:11])
    right.update(scores()[:10:-1])
    left.merge_state(right)
    assert values(left) == values(whole)


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_formula_metrics_without_samples_and_after_reset_are_nan():
    metrics = FormulaMetrics()
    assert set(values(metrics)) == NAMES
    assert all(math.isnan(value) for value in values(metrics).values())
    metrics.update([score_sample(list("abcd"), list("abcd"))])
    assert not any(math.isnan(value) for value in values(metrics).values())
    metrics.reset()
    assert all(math.isnan(value) for value in values(metrics).values())


def _rank(rank, folder):
    """One of two processes: a shard of uneven size, in uneven batches."""
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2
    )
    predictions, references = corpus()
    shard = slice(0, 30) if rank == 0 else slice(30, None)
    metrics, perplexity = FormulaMetrics("val/"), Perplexity()
    for p, r in zip(predictions[shard], references[shard], strict=True):
        metrics.update([score_sample(p, r)])
        perplexity.update(torch.tensor(0.1 * len(r)), len(r) + 1)
    torch.save(values(metrics) | {"perplexity": float(perplexity.compute())}, f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")
def test_formula_metrics_two_processes_give_the_values_of_one(tmp_path: Path):
    torch.multiprocessing.spawn(_rank, args=(str(tmp_path),), nprocs=2)
    _, references = corpus()
    metrics, perplexity = FormulaMetrics("val/"), Perplexity()
    metrics.update(scores())
    for reference in references:
        perplexity.update(torch.tensor(0.1 * len(reference)), len(reference) + 1)
    expected = values(metrics) | {"perplexity": float(perplexity.compute())}
    for rank in range(2):
        assert torch.load(tmp_path / f"{rank}.pt") == expected
