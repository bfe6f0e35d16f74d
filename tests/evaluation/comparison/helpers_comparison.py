"""Results to compare, with errors put in by hand."""

from im2tex.evaluation.results import RunResult, SampleResult
from im2tex.evaluation.sample_scores import score_sample

SIGNATURES = {
    "beam": "SearchOptions(beam_size=5, n_best=1)",
    "image_match": "engine:tex|dpi:200",
    "checkpoint": "a.ckpt",
}


def sample(key, gold, prediction, **metrics):
    """A sample of words with token scores: `sample("k", "x ^ 2", "x ^ z")`; None for none."""
    tokens = None if prediction is None else prediction.split()
    failed_at = "decode" if prediction is None else None
    scores = score_sample(tokens, gold.split())
    token_scores = {name: scores[name] for name in ("token_exact", "token_edits")}
    return SampleResult(key, gold.split(), tokens, token_scores | metrics, failed_at)


def save(path, splits, /, *, metrics=None, signatures=None, **data):
    """A result with samples, under conditions that are all the same unless given."""
    result = RunResult(
        command="im2tex test",
        config={},
        data={
            "source": "grammar",
            "splits": {split: len(samples) for split, samples in splits.items()},
            "filter": dict.fromkeys(splits, "none"),
            "stores": {split: {"split": split, "origin": "one.zip"} for split in splits},
        }
        | data,
        seed=0,
        metrics=metrics or {},
        wall_time_s=1.0,
        commit=None,
        machine={},
        signatures=SIGNATURES | (signatures or {}),
    )
    return result.save(path, splits)


# Of six samples A has four right and B three: two only A, one only B.
OF_A = [
    sample("right", "x", "x"),
    sample("lost-1", "y ^ 2", "y ^ 2"),
    sample("lost-2", "z", "z"),
    sample("gained", "a + b", "a - b"),
    sample("wrong", "\\sin x", "5 in x"),
    sample("same", "p , q", "p , q"),
]
OF_B = [
    sample("same", "p , q", "p , q"),
    sample("right", "x", "x"),
    sample("lost-1", "y ^ 2", "y 2"),
    sample("lost-2", "z", None),
    sample("gained", "a + b", "a + b"),
    sample("wrong", "\\sin x", "\\sin"),
]
