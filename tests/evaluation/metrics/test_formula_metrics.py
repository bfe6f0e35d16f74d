"""The collection, and exactness over processes."""

import random
from pathlib import Path

import pytest
import torch
import torch.distributed
import torch.multiprocessing

from im2tex.evaluation.metrics import FormulaMetrics, Perplexity

NAMES = {
    "token_exact",
    "token_within_1",
    "token_within_2",
    "token_within_3",
    "token_error_rate",
    "bleu",
    "expression_rate",
    "expression_rate_strict",
}
# The expression rate is a metric with several values.
VALUES = NAMES | {
    f"{name}{suffix}"
    for name in ("expression_rate_1", "expression_rate_2", "expression_rate_3", "structure_rate")
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


def test_names_prefix_and_signature():
    metrics = FormulaMetrics()
    test = metrics.clone(prefix="test/")
    test.update(*corpus())
    assert set(values(test)) == {f"test/{name}" for name in VALUES}
    assert set(metrics) == NAMES
    assert test.signatures.keys() == {"bleu", "expression_rate", "expression_rate_strict"}
    assert not metrics["token_exact"].update_called  # a clone is a fresh one
    assert test.state_dict() == {}  # a checkpoint holds no metric


def test_shards_merged_equal_the_whole():
    predictions, references = corpus()
    whole = FormulaMetrics()
    whole.update(predictions, references)
    left, right = FormulaMetrics(), FormulaMetrics()
    left.update(predictions[:11], references[:11])
    right.update(predictions[11:], references[11:])
    for name, metric in left.items():
        metric.merge_state(right[name])
    assert values(left) == values(whole)


def _rank(rank, folder):
    """One of two processes: a shard of uneven size, in uneven batches."""
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2
    )
    predictions, references = corpus()
    shard = slice(0, 30) if rank == 0 else slice(30, None)
    metrics, perplexity = FormulaMetrics("val/"), Perplexity()
    for p, r in zip(predictions[shard], references[shard], strict=True):
        metrics.update([p], [r])
        perplexity.update(torch.tensor(0.1 * len(r)), len(r) + 1)
    torch.save(values(metrics) | {"perplexity": float(perplexity.compute())}, f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")
def test_two_processes_give_the_same_figures_as_one(tmp_path: Path):
    torch.multiprocessing.spawn(_rank, args=(str(tmp_path),), nprocs=2)
    predictions, references = corpus()
    metrics, perplexity = FormulaMetrics("val/"), Perplexity()
    metrics.update(predictions, references)
    for reference in references:
        perplexity.update(torch.tensor(0.1 * len(reference)), len(reference) + 1)
    expected = values(metrics) | {"perplexity": float(perplexity.compute())}
    for rank in range(2):
        assert torch.load(tmp_path / f"{rank}.pt") == expected
